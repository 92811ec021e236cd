//! What it costs that arithmetic is checked: the same pieces-cli with and without overflow checks, in turn.
//!
//! Owns this table. Never builds anything.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::client::Client;
use super::measure::{self, Cost, Running};
use super::report::spread;
use super::work::Work;
use super::{MIB, PIECE_LEN, Setting, Task, programs, rivals};
use crate::{Result, interrupt, root};

/// MiB of the torrent.
const DATA: usize = 512;

/// Rounds that count, after one that does not.
const ROUNDS: usize = 8;

/// The length of each of many files, and the pieces of 4 MiB that they fill together.
const FILE_LEN: usize = 41_943;
const PIECES: usize = (rivals::MANY_FILES * FILE_LEN).div_ceil(4 * MIB);

/// What is measured.
const ROWS: [(&str, Option<Task>); 4] = [
    ("download", Some(Task::Download)),
    ("seed", Some(Task::Seed)),
    ("check", Some(Task::Check)),
    ("show a torrent of 100,000 files", None),
];

/// Measures, and prints the medians.
pub(super) fn run(parent: &Path, setting: &Setting) -> Result<Value> {
    let unchecked = Setting { program: programs::unchecked(root()), ..setting.clone() };
    let (work, data) = Work::create(parent, DATA * MIB, PIECE_LEN)?;
    let listing = work.folder().join("many.torrent");
    fs::write(&listing, rivals::many_files(|_| FILE_LEN, PIECES))?;
    let once = |task, setting: &Setting| match task {
        Some(task) => measure::run(Client::Pieces, task, &work, &data, setting),
        None => show(&listing, work.folder(), setting),
    };
    let mut cpu = ROWS.map(|_| [Vec::new(), Vec::new()]);
    for round in 0..=ROUNDS {
        for ((_, task), cpu) in ROWS.iter().zip(&mut cpu) {
            let mut pair: Vec<_> = [setting, &unchecked].into_iter().zip(cpu).collect();
            // Who comes second finds memory that was just in use, so they take turns.
            if round % 2 == 1 {
                pair.reverse();
            }
            for (setting, cpu) in pair {
                interrupt::check()?;
                let cost = once(*task, setting)?;
                if round > 0 {
                    cpu.push(cost.cpu.as_secs_f64());
                }
            }
        }
    }
    println!(
        "\noverflow checks, CPU s, {DATA} MiB, medians of {ROUNDS} in turn\n  {:<34}{:>9}{:>9}{:>8}",
        "", "with", "without", "ratio"
    );
    let mut rows = Vec::new();
    for ((what, _), [with, without]) in ROWS.iter().zip(cpu) {
        let (Some(with), Some(without)) = (spread(with), spread(without)) else { continue };
        let (a, b) = (with.median, without.median);
        println!("  {what:<34}{a:>9.3}{b:>9.3}{:>8.2}", a / b);
        rows.push(json!({
            "what": what,
            "with_cpu_s": { "median": a, "min": with.least, "max": with.most },
            "without_cpu_s": { "median": b, "min": without.least, "max": without.most },
        }));
    }
    Ok(Value::Array(rows))
}

fn show(torrent: &Path, folder: &Path, setting: &Setting) -> Result<Cost> {
    let mut command = setting.pieces();
    command.arg("show").arg(torrent);
    Running::start(&mut command, &folder.join("shown"))?.finish()
}
