//! `cargo xtask e2e`: the main job, done for real by separate processes.
//!
//! Owns the run on the embedded tracker: one seed, three leechers, a generated multi-file torrent,
//! and the table of what arrived. `--real` is handed on to [`crate::real`]. Never uses the internet.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use testkit::binary::{self, Profile};
use testkit::cli::{self, Cli};
use testkit::process::Process;
use testkit::torrent::{Builder, Torrent};
use testkit::tracker::Tracker;

use crate::table::{Align, Mood, Table, grouped, seconds};
use crate::{Result, real};

const LEECHERS: usize = 3;
const BYTES: u64 = 64 << 20;
const PIECE_LENGTH: u32 = 256 << 10;
const DEADLINE: Duration = Duration::from_mins(2);

const COLUMNS: &[(&str, Align)] = &[
    ("who", Align::Left(9)),
    ("bytes", Align::Right(12)),
    ("seconds", Align::Right(8)),
    ("MiB/s", Align::Right(7)),
    ("SHA-256", Align::Left(16)),
    ("result", Align::Left(0)),
];

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Against every installed client we did not write, in a network namespace
    #[arg(long)]
    real: bool,
    #[command(flatten)]
    matrix: real::Arguments,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if arguments.real {
        return real::run(&arguments.matrix);
    }
    let started = Instant::now();
    println!("building  pieces-cli");
    let binary = binary::build("pieces-cli", Profile::Dev)?;
    let folder = tempfile::Builder::new().prefix("pieces-e2e-").tempdir()?;
    let tracker = Tracker::start()?;
    let torrent = Builder::varied("pieces e2e", BYTES).piece_length(PIECE_LENGTH).build();
    println!("tracker   {}", tracker.url());
    let (files, pieces) = (torrent.files().len(), torrent.piece_count());
    let kib = PIECE_LENGTH >> 10;
    println!("torrent   {files} files, {} MiB, {pieces} pieces of {kib} KiB", BYTES >> 20);

    let failures = exchange(&binary, folder.path(), &tracker, &torrent)?;
    let took = seconds(started.elapsed());
    println!();
    if failures > 0 {
        return Err(format!("{failures} of {LEECHERS} leechers failed, in {took} s").into());
    }
    println!("{LEECHERS} of {LEECHERS} identical, {took} s in all");
    Ok(())
}

/// Runs the seed and the leechers and prints a row for each. Returns how many failed.
fn exchange(binary: &Path, folder: &Path, tracker: &Tracker, torrent: &Torrent) -> Result<usize> {
    let file = torrent.save(folder, &[&tracker.url()])?;
    let seed_dir = folder.join("seed");
    torrent.write_files(&seed_dir)?;
    let seed = start(binary, "seed", "seed", &file, &seed_dir)?;
    cli::listening(&seed)?;
    tracker.wait_for(DEADLINE, |all| all.iter().find(|a| a.left == 0).map(drop))?;
    let mut leechers = Vec::new();
    for number in 1..=LEECHERS {
        let name = format!("leecher {number}");
        let dir = folder.join(&name);
        fs::create_dir(&dir)?;
        leechers.push((start(binary, &name, "download", &file, &dir)?, dir));
    }

    let table = Table::start(COLUMNS);
    let original = digest(torrent, &seed_dir)?;
    let bytes = grouped(torrent.len());
    table.row(Mood::Neutral, &["seed", &bytes, "", "", &original[..16], "the original"]);
    let mut failures = Vec::new();
    let deadline = Instant::now() + DEADLINE;
    for (process, dir) in &leechers {
        let outcome = process
            .wait_success(deadline.saturating_duration_since(Instant::now()))
            .and_then(|()| torrent.compare(dir))
            .and_then(|()| digest(torrent, dir))
            .and_then(|found| if found == original { Ok(found) } else { Err("differs".into()) });
        let name = process.name();
        match outcome {
            Ok(digest) => {
                let took = process.elapsed();
                let rate = format!("{:.1}", mib(torrent.len()) / took.as_secs_f64());
                let cells = [name, &bytes, &seconds(took), &rate, &digest[..16], "identical"];
                table.row(Mood::Good, &cells);
            }
            Err(error) => {
                table.row(Mood::Bad, &[name, "", "", "", "", "failed, see below"]);
                failures.push(error);
            }
        }
    }
    for error in &failures {
        println!("\n{error}");
    }
    Ok(failures.len())
}

fn start(binary: &Path, name: &str, verb: &str, torrent: &Path, dir: &Path) -> Result<Process> {
    let cli = Cli::with_binary(binary, [verb]).named(name).on_loopback(torrent, dir);
    cli.start()
}

/// SHA-256 of the torrent's files below `dir`, one after the other, in hex.
fn digest(torrent: &Torrent, dir: &Path) -> Result<String> {
    let mut hasher = Sha256::new();
    for file in torrent.files().iter().filter(|file| !file.padding) {
        hasher.update(fs::read(torrent.path_in(dir, file))?);
    }
    let mut hex = String::new();
    for byte in hasher.finalize() {
        write!(hex, "{byte:02x}")?;
    }
    Ok(hex)
}

#[expect(clippy::cast_precision_loss, reason = "shown with one digit behind the point")]
fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
