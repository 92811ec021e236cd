//! `announce`, `scrape` and a download, against opentracker alone, once over HTTP and once over UDP.
//!
//! Owns what the tracker must say of a seed it knows. Never judges a transfer's speed.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use testkit::process::{Process, Stream};
use testkit::torrent::{Builder, Torrent};

use super::PIECES;
use super::client::{Client, Discovery, Job, Secrecy};
use super::net::Network;
use super::opentracker::{self, Scheme, Tracker};
use super::pieces::Pieces;
use crate::Result;
use crate::table::{Align, Mood, Table, seconds};

const DEADLINE: Duration = Duration::from_secs(20);

/// How often a case is begun again because opentracker died under it.
const TRACKERS: u16 = 4;

/// Above the ports of the matrix.
const FIRST_PORT: u16 = 30_000;

const COLUMNS: &[(&str, Align)] =
    &[("tracker", Align::Left(13)), ("seconds", Align::Right(8)), ("result", Align::Left(0))];

/// Asks over both schemes. Gives how many went well, and what did not.
pub(super) fn run(binary: &Path, network: &Network) -> (usize, Vec<String>) {
    let table = Table::start(COLUMNS);
    if !opentracker::installed() {
        table.row(Mood::Neutral, &["opentracker", "", "not installed or cannot run here"]);
        return (0, Vec::new());
    }
    let (mut right, mut failures) = (0, Vec::new());
    for (number, scheme) in [Scheme::Http, Scheme::Udp].into_iter().enumerate() {
        let started = Instant::now();
        let name = format!("opentracker {}", scheme.name());
        let case = Case { binary, network, scheme, number: u16::try_from(number).unwrap_or(0) };
        let outcome = case.run();
        let took = seconds(started.elapsed());
        match outcome {
            Ok(()) => {
                right += 1;
                table.row(Mood::Good, &[&name, &took, "announce, scrape, download"]);
            }
            Err(error) => {
                table.row(Mood::Bad, &[&name, &took, "failed, see below"]);
                failures.push(format!("── {name}\n{error}"));
            }
        }
    }
    (right, failures)
}

struct Case<'a> {
    binary: &'a Path,
    network: &'a Network,
    scheme: Scheme,
    number: u16,
}

impl Case<'_> {
    fn run(&self) -> Result<()> {
        for attempt in 0..TRACKERS {
            let mut tracker = None;
            match self.play(&mut tracker, FIRST_PORT + self.number * 16 + attempt * 2) {
                Err(_) if tracker.as_ref().is_some_and(Tracker::died) => {}
                outcome => return outcome,
            }
        }
        Err(format!("opentracker died {TRACKERS} times").into())
    }

    /// A seed at our end of the cable is found from the other end.
    fn play(&self, running: &mut Option<Tracker>, port: u16) -> Result<()> {
        let Network { ours, theirs, .. } = self.network;
        let folder = tempfile::Builder::new().prefix("pieces-announces-").tempdir()?;
        let [seed_dir, leech_dir, tracker_dir, scratch] =
            ["seed", "leech", "tracker", "scratch"].map(|name| folder.path().join(name));
        for dir in [&seed_dir, &leech_dir, &tracker_dir, &scratch] {
            fs::create_dir(dir)?;
        }
        let content: Torrent = Builder::varied("announced", 300_000).build();
        content.write_files(&seed_dir)?;
        let torrent = content.save(folder.path(), &[&self.scheme.url(ours.ip)])?;
        let tracker = running.insert(Tracker::start(ours, &tracker_dir, &content)?);
        let pieces = Pieces::new(self.binary);
        let secrecy = Secrecy::Allowed;
        let job = |host, dir, port| Job {
            host,
            port,
            torrent: &torrent,
            dir,
            scratch: &scratch,
            secrecy,
            discovery: Discovery::default(),
        };
        await_members(tracker, 0)?;
        let _seed = pieces.seed(&job(ours, &seed_dir, port))?;
        await_members(tracker, 1)?;

        let ask = |verb| -> Result<Value> {
            let mut command = theirs.command(self.binary);
            command.arg(verb).arg(&torrent).arg("--json").args(["--bind", &theirs.ip.to_string()]);
            let asked = Process::start(PIECES, &mut command)?;
            asked.wait_success(DEADLINE)?;
            let report: Value = serde_json::from_str(&asked.output(Stream::Stdout))?;
            Ok(report["trackers"][0].clone())
        };
        let announced = ask("announce")?;
        // Whoever announces is in the answer too.
        let seed = Value::from(format!("{}:{port}", ours.ip));
        let named = announced["peers"].as_array().is_some_and(|peers| peers.contains(&seed));
        if announced["complete"] != 1 || !named {
            return Err(format!("the seed is not in the answer: {announced}").into());
        }
        // We said "stopped" after our announce, so nobody but the seed is left.
        let scraped = ask("scrape")?;
        if scraped["complete"] != 1 || scraped["incomplete"] != 0 {
            return Err(format!("the seed is not alone in the scrape: {scraped}").into());
        }
        let leech = pieces.leech(&job(theirs, &leech_dir, port + 1))?;
        leech.wait_success(DEADLINE)?;
        content.compare(&leech_dir)
    }
}

/// Waits until so many are in the swarm.
pub(super) fn await_members(tracker: &Tracker, wanted: usize) -> Result<()> {
    let deadline = Instant::now() + DEADLINE;
    while tracker.members().is_none_or(|members| members < wanted) {
        if tracker.died() || Instant::now() > deadline {
            return Err(format!("not {wanted} in the swarm: {}", tracker.log()).into());
        }
        // The tracker tells nobody when somebody comes.
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}
