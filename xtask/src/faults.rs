//! `cargo xtask faults`: what goes wrong in the world, done to `pieces-cli` on purpose.
//!
//! Owns the list of campaigns, the table of their figures and the seed that replays them. A campaign
//! is one file below; it returns its figures, or the error that names what did not hold. Never uses
//! the internet, and never a crate of `crates/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use tempfile::TempDir;
use testkit::binary::{self, Profile};
use testkit::process::Process;
use testkit::torrent::Torrent;

use crate::Result;
use crate::table::{Align, Mood, Table, seconds};

mod full;
mod host;
mod kill;
mod liars;
mod paths;
mod starve;
mod torn;
mod tracker;

/// What a campaign did, and how it ended.
enum Outcome {
    /// Everything held; the figures.
    Held(String),
    /// It could not be run here, and why.
    Skipped(&'static str),
}

/// Its name, and what runs it.
type Campaign = (&'static str, fn(&mut Stage) -> Result<Outcome>);

const CAMPAIGNS: &[Campaign] = &[
    ("kill", kill::run),
    ("torn", torn::run),
    ("full", full::run),
    ("liars", liars::run),
    ("tracker", tracker::run),
    ("paths", paths::run),
    ("starve", starve::run),
];

const COLUMNS: &[(&str, Align)] =
    &[("campaign", Align::Left(8)), ("seconds", Align::Right(8)), ("figures", Align::Left(0))];

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only this campaign
    name: Option<String>,
    /// As many cases as the promises speak of, instead of a sample
    #[arg(long)]
    long: bool,
    /// Replays the random choices of an earlier run
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let wanted = |name: &str| arguments.name.as_ref().is_none_or(|only| only == name);
    let campaigns: Vec<&Campaign> = CAMPAIGNS.iter().filter(|(name, _)| wanted(name)).collect();
    if campaigns.is_empty() {
        let names: Vec<&str> = CAMPAIGNS.iter().map(|(name, _)| *name).collect();
        return Err(format!("no such campaign; there are {}", names.join(", ")).into());
    }
    let seed = arguments.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    println!("building  pieces-cli");
    let binary = binary::build("pieces-cli", Profile::Dev)?;
    println!("seed      {seed} (replay with --seed {seed})");
    let table = Table::start(COLUMNS);
    let mut failures = Vec::new();
    for (name, campaign) in campaigns {
        let folder = tempfile::Builder::new().prefix("pieces-faults-").tempdir()?;
        let rng = fastrand::Rng::with_seed(seed);
        let mut stage = Stage { binary: binary.clone(), folder, long: arguments.long, rng };
        let started = Instant::now();
        let outcome = campaign(&mut stage);
        let took = seconds(started.elapsed());
        match outcome {
            Ok(Outcome::Held(figures)) => table.row(Mood::Good, &[name, &took, &figures]),
            Ok(Outcome::Skipped(why)) => {
                table.row(Mood::Neutral, &[name, &took, &format!("skipped: {why}")]);
            }
            Err(error) => {
                table.row(Mood::Bad, &[name, &took, "failed, see below"]);
                failures.push((name, error));
            }
        }
    }
    for (name, error) in &failures {
        println!("\n{name}: {error}");
    }
    match failures.len() {
        0 => Ok(()),
        failed => Err(format!("{failed} failed; replay with --seed {seed}").into()),
    }
}

/// What every campaign is given.
struct Stage {
    binary: PathBuf,
    folder: TempDir,
    long: bool,
    rng: fastrand::Rng,
}

impl Stage {
    /// A folder of its own for one case: target, resume state and `.torrent`.
    fn case(&self, name: &str, torrent: &Torrent, trackers: &[&str]) -> Result<Case> {
        self.case_in(&self.folder.path().join(name), &torrent.metainfo(trackers))
    }

    /// The same in a given folder, of any `.torrent`.
    fn case_in(&self, folder: &Path, metainfo: &[u8]) -> Result<Case> {
        let case = Case {
            binary: self.binary.clone(),
            target: folder.join("target"),
            state: folder.join("state"),
            file: folder.join("case.torrent"),
        };
        fs::create_dir_all(&case.target)?;
        fs::write(&case.file, metainfo)?;
        Ok(case)
    }
}

/// One torrent, one target folder, one memory of earlier runs.
struct Case {
    binary: PathBuf,
    /// Where the files go.
    target: PathBuf,
    /// `XDG_STATE_HOME` of the program.
    state: PathBuf,
    /// The `.torrent`.
    file: PathBuf,
}

impl Case {
    /// A call of the program with this verb, on the loopback, not started yet.
    fn command(&self, verb: &str) -> Command {
        self.prepare(Command::new(&self.binary), verb)
    }

    /// The same with what the program is run by, if it is not run directly.
    fn prepare(&self, mut command: Command, verb: &str) -> Command {
        command.arg(verb).arg(&self.file).arg("-d").arg(&self.target);
        command.args(["--bind", "127.0.0.1", "--port", "0"]);
        command.env("XDG_STATE_HOME", &self.state).env("NO_COLOR", "1");
        command
    }

    /// A call that only looks at the `.torrent`.
    fn look(&self, verb: &str) -> Command {
        let mut command = Command::new(&self.binary);
        command.arg(verb).arg(&self.file).env("NO_COLOR", "1");
        command
    }

    /// `download` with these peers.
    fn download(&self, peers: &[std::net::SocketAddr]) -> Result<Process> {
        Process::start("pieces-cli", self.command("download").args(peer_arguments(peers)).arg("-v"))
    }
}

fn peer_arguments(peers: &[std::net::SocketAddr]) -> Vec<String> {
    peers.iter().flat_map(|peer| ["--peer".to_owned(), peer.to_string()]).collect()
}

/// How many pieces the program says it found, if it said so.
fn found_pieces(line: &str) -> Option<u32> {
    let (before, _) = line.split_once(" pieces are here already")?;
    before.rsplit(' ').nth(2)?.parse().ok()
}

/// Fails with `what` and the program's last words unless `holds`.
fn ensure(holds: bool, process: &Process, what: &str) -> Result<()> {
    if holds { Ok(()) } else { Err(process.failure(what)) }
}
