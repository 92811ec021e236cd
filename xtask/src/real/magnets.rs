//! Magnets among ourselves, where no other client is needed to show it: by a UDP tracker, and among peers
//! of which most give false metadata. From and to other clients they are in the matrix.
//!
//! Owns these two cases. Never judges a transfer's speed.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use testkit::peer::Listener;
use testkit::process::Process;
use testkit::seed::Seed;
use testkit::torrent::{Builder, Torrent};

use super::announces::await_members;
use super::client::{Client, Discovery, Job, Secrecy};
use super::net::Network;
use super::opentracker::{self, Scheme, Tracker};
use super::pieces::Pieces;
use crate::Result;
use crate::table::{Align, Mood, Table, seconds};

const DEADLINE: Duration = Duration::from_secs(30);

/// How often a case is begun again because opentracker died under it.
const TRACKERS: u16 = 4;

/// Above the ports of the matrix and of the announces.
const FIRST_PORT: u16 = 31_000;

const COLUMNS: &[(&str, Align)] =
    &[("magnet", Align::Left(13)), ("seconds", Align::Right(8)), ("result", Align::Left(0))];

/// A name, what it says when it goes well, and how it goes.
type Case<'a> = (&'a str, &'a str, &'a dyn Fn() -> Result<()>);

/// Runs both. Gives how many went well, and what did not.
pub(super) fn run(binary: &Path, network: &Network) -> (usize, Vec<String>) {
    let table = Table::start(COLUMNS);
    let (mut right, mut failures) = (0, Vec::new());
    let cases: [Case<'_>; 2] = [
        ("udp tracker", "metadata and data from a seed that it names", &|| by_udp(binary, network)),
        ("liars", "3 of 4 peers give false metadata", &|| among_liars(binary, network)),
    ];
    for (name, good, case) in cases {
        if name == "udp tracker" && !opentracker::installed() {
            let why = "opentracker is not installed or cannot run here";
            table.row(Mood::Neutral, &[name, "", why]);
            continue;
        }
        let started = Instant::now();
        let outcome = case();
        let took = seconds(started.elapsed());
        match outcome {
            Ok(()) => {
                right += 1;
                table.row(Mood::Good, &[name, &took, good]);
            }
            Err(error) => {
                table.row(Mood::Bad, &[name, &took, "failed, see below"]);
                failures.push(format!("── magnet, {name}\n{error}"));
            }
        }
    }
    (right, failures)
}

fn content() -> Builder {
    Builder::varied("by magnet", 12_345_678).piece_length(16 << 10)
}

fn by_udp(binary: &Path, network: &Network) -> Result<()> {
    for attempt in 0..TRACKERS {
        let mut tracker = None;
        match play_udp(binary, network, &mut tracker, FIRST_PORT + attempt * 2) {
            Err(_) if tracker.as_ref().is_some_and(Tracker::died) => {}
            outcome => return outcome,
        }
    }
    Err(format!("opentracker died {TRACKERS} times").into())
}

fn play_udp(
    binary: &Path,
    network: &Network,
    running: &mut Option<Tracker>,
    port: u16,
) -> Result<()> {
    let Network { ours, theirs, .. } = network;
    let folder = tempfile::Builder::new().prefix("pieces-magnets-").tempdir()?;
    let [seed_dir, leech_dir, tracker_dir, scratch, other] =
        ["seed", "leech", "tracker", "seed.scratch", "leech.scratch"]
            .map(|n| folder.path().join(n));
    for dir in [&seed_dir, &leech_dir, &tracker_dir, &scratch, &other] {
        fs::create_dir(dir)?;
    }
    let content = content().build();
    content.write_files(&seed_dir)?;
    let url = Scheme::Udp.url(ours.ip);
    let torrent = content.save(folder.path(), &[&url])?;
    let tracker = running.insert(Tracker::start(ours, &tracker_dir, &content)?);
    let pieces = Pieces::new(binary);
    await_members(tracker, 0)?;
    let (secrecy, discovery) = (Secrecy::Allowed, Discovery::default());
    let (dir, scratch) = (&seed_dir, &scratch);
    let seed = Job { host: ours, port, torrent: &torrent, dir, scratch, secrecy, discovery };
    let _seed = pieces.seed(&seed)?;
    await_members(tracker, 1)?;
    let uri = content.magnet(&[&url], &[]);
    let torrent = Path::new(&uri);
    let (port, dir, scratch) = (port + 1, &leech_dir, &other);
    let leech = Job { host: theirs, port, torrent, dir, scratch, secrecy, discovery };
    finish(&pieces.leech(&leech)?, &content, &leech_dir)
}

fn among_liars(binary: &Path, network: &Network) -> Result<()> {
    let Network { ours, theirs, .. } = network;
    let folder = tempfile::Builder::new().prefix("pieces-magnets-").tempdir()?;
    let [dir, scratch] = ["leech", "scratch"].map(|name| folder.path().join(name));
    fs::create_dir(&dir)?;
    fs::create_dir(&scratch)?;
    let truth = content().build();
    // Two lie about what it says, one about how long it is as well.
    let lies =
        [content().seed(2).build(), content().seed(3).build(), content().file("x", 9).build()];
    // Bans are by address, so the honest one has another.
    let liars = network.another_ip()?;
    let givers = lies.iter().map(|lie| (lie, liars)).chain([(&truth, ours.ip)]);
    let mut peers = Vec::new();
    for (number, (given, ip)) in givers.enumerate() {
        let listener = Listener::bind_to(ip.into())?;
        peers.push(Seed::giving_on(listener, &truth, &format!("peer {number}"), given.info())?);
    }
    let addrs: Vec<SocketAddr> = peers.iter().map(Seed::addr).collect();
    let uri = truth.magnet(&[], &addrs);
    let torrent = Path::new(&uri);
    let port = FIRST_PORT + 100;
    let (secrecy, discovery) = (Secrecy::Allowed, Discovery::default());
    let job = Job { host: theirs, port, torrent, dir: &dir, scratch: &scratch, secrecy, discovery };
    finish(&Pieces::new(binary).leech(&job)?, &truth, &dir)
}

fn finish(leech: &Process, content: &Torrent, dir: &Path) -> Result<()> {
    leech.wait_success(DEADLINE)?;
    content.compare(dir)
}
