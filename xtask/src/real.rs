//! `cargo xtask e2e --real`: pieces and every client we did not write, one as the only seed and the
//! other as the only leecher, in both directions; then what it announces and what it makes.
//!
//! Owns the matrix and what it demands. Never sends a packet outside the machine: the whole lab runs
//! in network namespaces of its own ([`net`]).

mod announces;
mod aria2;
mod case;
mod client;
mod finding;
mod libtorrent;
mod limits;
mod made;
mod magnets;
pub(crate) mod net;
mod opentracker;
mod pieces;
mod qbittorrent;
mod rqbit;
mod rtorrent;
mod transmission;

use std::path::PathBuf;
use std::time::Instant;

use testkit::binary::{self, Profile};
use testkit::torrent::{Builder, Torrent};

use crate::Result;
use crate::table::{Align, Mood, Table, grouped, seconds};
use case::{Case, Encryption, Told};
use client::Client;

const PIECES: &str = "pieces";
const OPENTRACKER: &str = "opentracker";
/// What `--only` can name besides clients.
const ANNOUNCES: &str = "announces";
const MADE: &str = "made";
const LIMITS: &str = "limits";
const MAGNETS: &str = "magnets";
const FINDING: &str = "finding";
const DHT: &str = "dht";

const COLUMNS: &[(&str, Align)] = &[
    ("seed", Align::Left(13)),
    ("leecher", Align::Left(13)),
    ("torrent", Align::Left(7)),
    ("encryption", Align::Left(10)),
    ("bytes", Align::Right(11)),
    ("seconds", Align::Right(8)),
    ("result", Align::Left(0)),
];

#[derive(clap::Args)]
#[group(skip)]
pub(crate) struct Arguments {
    /// With --real: clients whose absence is a failure (`opentracker` can be named too)
    #[arg(long, value_delimiter = ',', value_name = "NAME", requires = "real")]
    require: Vec<String>,
    /// With --real: only cases with these clients, `announces`, `magnets`, `finding` (peers
    /// without trackers), `made` (what create makes), or with --long `dht` and `limits`
    #[arg(long, value_delimiter = ',', value_name = "NAME", requires = "real")]
    only: Vec<String>,
    /// With --real: another client in place of pieces, to find out whether the lab is to blame
    #[arg(long, value_name = "NAME", requires = "real")]
    stand_in: Option<String>,
    /// With --real: also what takes long
    #[arg(long, requires = "real")]
    long: bool,
    /// With --real: this pieces-cli instead of the one of this tree
    #[arg(long, value_name = "PATH", requires = "real")]
    binary: Option<PathBuf>,
    /// Set when this runs in the lab's own network
    #[arg(long, hide = true, requires = "real")]
    inside: bool,
}

/// Every client of the lab but pieces.
fn others() -> Vec<Box<dyn Client>> {
    vec![
        Box::new(transmission::Transmission),
        Box::new(aria2::Aria2),
        Box::new(libtorrent::Libtorrent),
        Box::new(rtorrent::Rtorrent),
        Box::new(rqbit::Rqbit),
        Box::new(qbittorrent::Qbittorrent),
    ]
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let names: Vec<&str> = others().iter().map(|client| client.name()).collect();
    let mut asked = arguments.require.iter().chain(&arguments.only).chain(&arguments.stand_in);
    let others = [OPENTRACKER, ANNOUNCES, MADE, MAGNETS, FINDING, DHT, LIMITS];
    let known = |name: &str| others.contains(&name) || names.contains(&name);
    if let Some(wrong) = asked.find(|name| !known(name)) {
        return Err(format!("no client is called {wrong}; there are {}", names.join(", ")).into());
    }
    if arguments.inside {
        return matrix(arguments);
    }
    if arguments.binary.is_some() || arguments.stand_in.is_some() {
        return net::enter(&[]);
    }
    println!("building  pieces-cli");
    let binary = binary::build("pieces-cli", Profile::Dev)?;
    net::enter(&["--binary".as_ref(), binary.as_os_str()])
}

fn matrix(arguments: &Arguments) -> Result<()> {
    let started = Instant::now();
    let network = net::Network::build()?;
    let us: Box<dyn Client> = match (&arguments.stand_in, &arguments.binary) {
        (Some(name), _) => others().into_iter().find(|c| c.name() == name).ok_or("no stand-in")?,
        (None, Some(binary)) => Box::new(pieces::Pieces::new(binary)),
        (None, None) => return Err("--inside needs --binary or --stand-in".into()),
    };
    let torrents = [
        ("single", Builder::single("single file.bin", 9_999_999).piece_length(64 << 10).build()),
        ("multi", Builder::varied("multi file", 12_345_678).piece_length(128 << 10).build()),
    ];
    println!("{:<13} {}", us.name(), us.version().ok_or("not installed")?);
    let mut missing = Vec::new();
    if opentracker::installed() {
        println!("{:<13} {}", "tracker", opentracker::version());
    } else {
        println!(
            "{:<13} embedded, since opentracker is not installed or cannot run here",
            "tracker"
        );
        missing.push(OPENTRACKER);
    }

    let wanted = |name: &str| arguments.only.is_empty() || arguments.only.iter().any(|n| n == name);
    let clients: Vec<Box<dyn Client>> = others().into_iter().filter(|c| wanted(c.name())).collect();
    for client in &clients {
        let version = client.version();
        println!("{:<13} {}", client.name(), version.as_deref().unwrap_or("not installed"));
    }
    let table = Table::start(COLUMNS);
    let mut tally = Tally::default();
    for client in &clients {
        if client.version().is_none() {
            table.row(Mood::Neutral, &[client.name(), "", "", "", "", "", "not installed"]);
            missing.push(client.name());
            continue;
        }
        for (seed, leech, seed_is_near) in [(client, &us, false), (&us, client, true)] {
            let (seed, leech): (&dyn Client, &dyn Client) = (&**seed, &**leech);
            let plain = |form, torrent, told| Case {
                seed,
                leech,
                seed_is_near,
                form,
                torrent,
                told,
                encryption: Encryption::Neither,
            };
            for (form, torrent) in &torrents {
                tally.run(&plain(form, torrent, Told::File), &network, &table);
            }
            if leech.takes_magnets() {
                // Not every client dials the peers that a magnet names; pieces does.
                let told = if seed_is_near { Told::Tracker } else { Told::Peer };
                tally.run(&plain("magnet", &torrents[1].1, told), &network, &table);
            }
            if client.encrypts() {
                // What is encrypted knows nothing of files: one torrent will do.
                let (form, torrent) = &torrents[0];
                for encryption in [Encryption::Theirs, Encryption::Ours] {
                    let case = Case { encryption, ..plain(form, torrent, Told::File) };
                    tally.run(&case, &network, &table);
                }
            }
        }
    }
    if let (Some(binary), None) = (&arguments.binary, &arguments.stand_in) {
        if wanted(ANNOUNCES) {
            tally.add(announces::run(binary, &network));
        }
        if arguments.long && wanted(LIMITS) {
            tally.add(limits::run(binary)?);
        }
        if wanted(MAGNETS) {
            tally.add(magnets::run(binary, &network));
        }
        if wanted(FINDING) {
            tally.add(finding::run(binary, &network, arguments.long));
        }
        if arguments.long && wanted(DHT) {
            tally.add(finding::run_dht(binary, &network));
        }
        if wanted(MADE) && libtorrent::Libtorrent.version().is_some() {
            tally.add(made::run(binary, arguments.long)?);
        }
    }
    println!();
    for failure in &tally.failures {
        println!("{failure}\n");
    }
    missing.retain(|name| arguments.require.iter().any(|required| required == name));
    if !missing.is_empty() {
        return Err(format!("required and not installed: {}", missing.join(", ")).into());
    }
    let (failed, took) = (tally.failures.len(), seconds(started.elapsed()));
    let total = failed + tally.passed;
    if failed > 0 {
        return Err(format!("{failed} of {total} cases failed, {took} s in all").into());
    }
    println!("{total} of {total} cases as they should be, {took} s in all");
    Ok(())
}

/// What became of the cases so far.
#[derive(Default)]
struct Tally {
    passed: usize,
    failures: Vec<String>,
}

impl Tally {
    fn add(&mut self, (passed, failures): (usize, Vec<String>)) {
        self.passed += passed;
        self.failures.extend(failures);
    }

    fn run(&mut self, case: &Case<'_>, network: &net::Network, table: &Table) {
        let number = u16::try_from(self.passed + self.failures.len()).unwrap_or(u16::MAX);
        let bytes = grouped(Torrent::len(case.torrent));
        let (seed, leech) = (case.seed.name(), case.leech.name());
        let secret = case.encryption.word();
        match case.run(network, number) {
            Ok(done) => {
                self.passed += 1;
                let took = seconds(done.took);
                let note = done.notes.iter().map(|note| format!(" ({note})"));
                let result = format!("identical{}", note.collect::<String>());
                table.row(Mood::Good, &[seed, leech, case.form, secret, &bytes, &took, &result]);
            }
            Err(failure) => {
                let (took, result) = (seconds(failure.took), "failed, see below");
                table.row(Mood::Bad, &[seed, leech, case.form, secret, &bytes, &took, result]);
                let title = format!("{seed} -> {leech}, {} {secret}", case.form);
                let logs = failure.logs.display();
                self.failures.push(format!("── {title}\n{}\nlogs: {logs}", failure.error));
            }
        }
    }
}
