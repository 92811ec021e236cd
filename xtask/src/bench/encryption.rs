//! What encryption costs: pieces downloads from pieces, in the clear and by RC4, in turn.
//!
//! Owns these rows. Never compares with other clients.

use std::fs;
use std::net::SocketAddrV4;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::client::{Client, Job};
use super::measure::{self, Running, cpu_of, listen, ready};
use super::work::{NAME, Work};
use super::{MIB, PIECE_LEN, Setting, Task};
use crate::Result;

/// MiB of the torrent.
const DATA: usize = 512;

/// Rounds that count, after one that does not.
const ROUNDS: usize = 5;

/// What each row is called, and what the download is told.
const KINDS: [(&str, &str); 2] = [("in the clear", "off"), ("RC4", "require")];

/// What one download took.
#[derive(Clone, Copy)]
struct Took {
    seed_cpu: Duration,
    download_cpu: Duration,
    wall: Duration,
}

/// Measures both rows and prints them.
pub(super) fn run(parent: &Path, setting: &Setting) -> Result<Value> {
    let (work, data) = Work::create(parent, DATA * MIB, PIECE_LEN)?;
    let mut all = KINDS.map(|_| Vec::new());
    for round in 0..=ROUNDS {
        for ((_, encryption), took) in KINDS.iter().zip(&mut all) {
            let one = once(encryption, &work, &data, setting)?;
            if round > 0 {
                took.push(one);
            }
        }
    }
    println!(
        "\npieces from pieces, {DATA} MiB, medians of {ROUNDS}\n  {:<16}{:>10}{:>14}{:>8}",
        "", "seed CPU", "download CPU", "wall"
    );
    let mut rows = Vec::new();
    for ((kind, _), took) in KINDS.iter().zip(&all) {
        let median = |figure: fn(&Took) -> Duration| {
            let mut figures: Vec<Duration> = took.iter().map(figure).collect();
            figures.sort_unstable();
            figures.get(figures.len() / 2).copied().unwrap_or_default().as_secs_f64()
        };
        let seed = median(|took| took.seed_cpu);
        let download = median(|took| took.download_cpu);
        let wall = median(|took| took.wall);
        println!("  {kind:<16}{seed:>10.2}{download:>14.2}{wall:>8.2}");
        rows.push(json!({
            "what": kind,
            "seed_cpu_s": seed,
            "download_cpu_s": download,
            "wall_s": wall,
        }));
    }
    Ok(Value::Array(rows))
}

/// One download from a seed that takes whatever the other wants.
fn once(encryption: &'static str, work: &Work, data: &[u8], setting: &Setting) -> Result<Took> {
    let scratch = tempfile::tempdir_in(work.folder())?;
    let (home, fresh) = (scratch.path().join("seed"), scratch.path().join("fresh"));
    fs::create_dir(&home)?;
    fs::create_dir(&fresh)?;
    let there = listen();
    let job =
        Job { work, setting, listen: there, scratch: &home, fresh: &home, encryption: "prefer" };
    let mut command = Client::Pieces.command(Task::Seed, &job)?;
    let mut seed = Running::start(&mut command, &home.join("log"))?;
    drop(ready(SocketAddrV4::new(measure::OUR_IP, 0), there, work)?);
    let before = cpu_of(seed.pid())?;

    let scratch = scratch.path();
    let job = Job { work, setting, listen: listen(), scratch, fresh: &fresh, encryption };
    let mut command = Client::Pieces.command(Task::Download, &job)?;
    command.args(["--peer", &there.to_string()]);
    work.warm();
    let cost = Running::start(&mut command, &scratch.join("log"))?.finish()?;
    let seed_cpu = cpu_of(seed.pid())?.saturating_sub(before);
    seed.stop()?;
    if fs::read(fresh.join(NAME))? != data {
        return Err("the download is wrong".into());
    }
    Ok(Took { seed_cpu, download_cpu: cost.cpu, wall: cost.wall })
}
