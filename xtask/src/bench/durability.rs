//! What it costs that nothing is claimed before it is synced: a download, and one whose syncs do nothing.
//!
//! Owns this table. pieces-cli has no switch for that, and gets none: strace answers the calls in the
//! kernel's place. It watches no others, and it watches both downloads. Never judges what is durable.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::client::Client;
use super::measure;
use super::report::spread;
use super::work::Work;
use super::{PIECE_LEN, Setting, Task};
use crate::{Result, interrupt};

/// Rounds that count, after one that does not.
const ROUNDS: usize = 6;

/// The calls that make something durable.
const SYNCS: &str = "fsync,fdatasync,sync_file_range,syncfs,sync,msync";

/// Measures, and prints the medians.
pub(super) fn run(parent: &Path, setting: &Setting) -> Result<Value> {
    if Command::new("strace").arg("--version").output().is_err() {
        println!("\nwhat durability costs was not measured: strace is missing");
        return Ok(Value::Null);
    }
    let (work, data) = Work::create(parent, setting.size, PIECE_LEN)?;
    let log = work.folder().join("strace");
    let trace = format!("trace={SYNCS}");
    let inject = format!("inject={SYNCS}:retval=0");
    let mut words = ["strace", "-f", "--seccomp-bpf", "-e", &trace, "-o"].map(OsStr::new).to_vec();
    words.push(log.as_os_str());
    let with = setting.run_by(&words);
    words.extend(["-e", &inject].map(OsStr::new));
    let without = setting.run_by(&words);
    let mut all = [Vec::new(), Vec::new()];
    for round in 0..=ROUNDS {
        let mut pair: Vec<_> = [&with, &without].into_iter().zip(&mut all).collect();
        // Who comes second finds memory that was just in use, so they take turns.
        if round % 2 == 1 {
            pair.reverse();
        }
        for (setting, costs) in pair {
            interrupt::check()?;
            let cost = measure::run(Client::Pieces, Task::Download, &work, &data, setting)?;
            // A call that was interrupted has a second line, without the bracket.
            let syncs = std::fs::read_to_string(&log)?.matches("sync(").count();
            if round > 0 {
                costs.push((cost, syncs));
            }
        }
    }
    println!(
        "\ndownload with its syncs and without, medians of {ROUNDS} in turn\n  {:<16}{:>9}{:>9}{:>14}{:>8}",
        "", "CPU s", "wall s", "(spread)", "syncs"
    );
    let mut rows = Vec::new();
    for (what, costs) in ["synced", "never synced"].into_iter().zip(all) {
        let cpu = spread(costs.iter().map(|(cost, _)| cost.cpu.as_secs_f64()).collect());
        let wall = spread(costs.iter().map(|(cost, _)| cost.wall.as_secs_f64()).collect());
        let (Some(cpu), Some(wall)) = (cpu, wall) else { continue };
        let syncs = costs.iter().map(|(_, syncs)| *syncs).max().unwrap_or(0);
        let range = format!("{:.2}-{:.2}", wall.least, wall.most);
        println!("  {what:<16}{:>9.2}{:>9.2}{range:>14}{syncs:>8}", cpu.median, wall.median);
        rows.push(json!({
            "what": what,
            "cpu_s": { "median": cpu.median, "min": cpu.least, "max": cpu.most },
            "wall_s": { "median": wall.median, "min": wall.least, "max": wall.most },
            "syncs": syncs,
        }));
    }
    Ok(Value::Array(rows))
}
