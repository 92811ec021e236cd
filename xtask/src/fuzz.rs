//! `cargo xtask fuzz`: builds the targets in `fuzz/` for libFuzzer, runs them side by side, and says
//! how far each came. It owns the flags and the folders. The rules are in `fuzz/targets`; nothing of
//! them is known here.
//!
//! Needs no more than a C++ compiler, since libFuzzer comes with its crate; the targets are
//! cargo-fuzz's too, so `cargo fuzz run NAME` does the same for one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use crate::table::{Align, Mood, Table};
use crate::{Result, cargo, root};

/// For this system the targets are built; naming it keeps build scripts free of the flags below.
const SYSTEM: &str = "x86_64-unknown-linux-gnu";

/// LLVM's edge counters and compared values, which libFuzzer follows; checks as in a debug build. No
/// address sanitizer: no crate that reads what strangers send contains `unsafe`.
const FLAGS: &[&str] = &[
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-sanitizer-coverage-stack-depth",
    "-Ccodegen-units=1",
    "-Cdebug-assertions",
    "-Coverflow-checks",
];

/// Longer inputs find nothing that shorter ones do not, more slowly.
const LONGEST: usize = 4_096;

/// One input that takes longer is a finding: the slowest honest one takes milliseconds.
const SLOWEST: Duration = Duration::from_secs(10);

/// A target that needs more memory is a finding: no input is longer than a page.
const MOST_MEMORY_MIB: u32 = 1_024;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The targets to run; all if none is named
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// How long all of them take together
    #[arg(long, default_value_t = 240, value_name = "N")]
    seconds: u64,
    /// Run one target with this file only: what an earlier run found
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,
}

/// What a run came to.
struct Outcome {
    /// libFuzzer's own figures, by the words it prints before them.
    executions: Option<u64>,
    edges: Option<u64>,
    inputs: usize,
    log: String,
    success: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let names = chosen(&arguments.names)?;
    let compiler = std::env::var_os("CXX").unwrap_or_else(|| "c++".into());
    if Command::new(&compiler).arg("--version").stdout(Stdio::null()).status().is_err() {
        return Err("libFuzzer is built with a C++ compiler, and there is no `c++` here".into());
    }
    build(&names)?;
    if let Some(file) = &arguments.replay {
        let [name] = names.as_slice() else { return Err("name the one target to replay".into()) };
        let success = Command::new(binary(name)).arg(file).status()?.success();
        return if success { Ok(()) } else { Err(format!("{name} fails").into()) };
    }

    let at_once = thread::available_parallelism().map_or(1, usize::from).min(names.len());
    let turns = names.len().div_ceil(at_once);
    let seconds = (arguments.seconds / turns as u64).max(1);
    println!("{} targets, {at_once} at once, {seconds} s each", names.len());
    let table = Table::start(&[
        ("target", Align::Left(14)),
        ("executions", Align::Right(12)),
        ("edges", Align::Right(7)),
        ("inputs", Align::Right(7)),
    ]);
    let waiting = Mutex::new(names.iter());
    let failed = Mutex::new(Vec::new());
    let work = || -> Result<()> {
        loop {
            let next = waiting.lock().map_err(|_| "another target's thread panicked")?.next();
            let Some(name) = next else { return Ok(()) };
            let outcome = fuzz(name, seconds)?;
            let figure = |n: Option<u64>| n.map_or("-".to_owned(), |n| n.to_string());
            let mood = if outcome.success { Mood::Good } else { Mood::Bad };
            let (executions, edges) = (figure(outcome.executions), figure(outcome.edges));
            table.row(mood, &[name, &executions, &edges, &outcome.inputs.to_string()]);
            if !outcome.success {
                let mut failed = failed.lock().map_err(|_| "another target's thread panicked")?;
                failed.push((name.clone(), outcome.log));
            }
        }
    };
    thread::scope(|scope| -> Result<()> {
        let threads: Vec<_> = (0..at_once)
            .map(|_| scope.spawn(|| work().map_err(|error| error.to_string())))
            .collect();
        for thread in threads {
            thread.join().map_err(|_| "a target's thread panicked")??;
        }
        Ok(())
    })?;
    let failed = failed.into_inner().map_err(|_| "a target's thread panicked")?;
    for (name, log) in &failed {
        println!("\n── {name}\n{log}");
        println!("replay: cargo xtask fuzz {name} --replay FILE; then mend it, and keep the file");
        println!("in fuzz/seeds/{name}, where the tests run it");
    }
    let names: Vec<&str> = failed.iter().map(|(name, _)| name.as_str()).collect();
    if names.is_empty() { Ok(()) } else { Err(format!("found: {}", names.join(", ")).into()) }
}

/// The targets there are: one file each.
fn chosen(wanted: &[String]) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(root().join("fuzz/fuzz_targets"))? {
        let path = entry?.path();
        all.extend(path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned));
    }
    all.sort();
    match wanted.iter().find(|name| !all.contains(name)) {
        Some(unknown) => Err(format!("no target {unknown}; there are {}", all.join(", ")).into()),
        None if wanted.is_empty() => Ok(all),
        None => Ok(wanted.to_vec()),
    }
}

fn build(names: &[String]) -> Result<()> {
    let mut command = cargo();
    command.current_dir(root().join("fuzz"));
    command.args(["build", "--release", "--target", SYSTEM]);
    command.args(names.iter().map(|name| format!("--bin={name}")));
    command.env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\x1f"));
    command.env_remove("RUSTFLAGS");
    if command.status()?.success() { Ok(()) } else { Err("the targets do not build".into()) }
}

fn binary(name: &str) -> PathBuf {
    root().join("fuzz/target").join(SYSTEM).join("release").join(name)
}

/// Runs one target. New inputs are kept below `fuzz/corpus`, for the next run on this machine.
fn fuzz(name: &str, seconds: u64) -> Result<Outcome> {
    let fuzz = root().join("fuzz");
    let (corpus, found) = (fuzz.join("corpus").join(name), fuzz.join("artifacts").join(name));
    fs::create_dir_all(&corpus)?;
    fs::create_dir_all(&found)?;
    let output = Command::new(binary(name))
        .args([&corpus, &fuzz.join("seeds").join(name)])
        .arg(format!("-artifact_prefix={}/", found.display()))
        .arg(format!("-dict={}", fuzz.join("words.dict").display()))
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-timeout={}", SLOWEST.as_secs()))
        .arg(format!("-rss_limit_mb={MOST_MEMORY_MIB}"))
        .arg(format!("-max_len={LONGEST}"))
        .arg("-print_final_stats=1")
        .stdin(Stdio::null())
        .output()?;
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok(Outcome {
        executions: last_number(&log, "stat::number_of_executed_units:"),
        edges: last_number(&log, " cov:"),
        inputs: count(&corpus)?,
        log: tail(&log),
        success: output.status.success(),
    })
}

fn count(folder: &Path) -> Result<usize> {
    Ok(fs::read_dir(folder)?.count())
}

/// The number after the last `word` in the log.
fn last_number(log: &str, word: &str) -> Option<u64> {
    let (_, after) = log.rsplit_once(word)?;
    let digits = after.trim_start().split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// The end of the log: what was found, without libFuzzer's progress.
fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().filter(|line| !line.starts_with('#')).collect();
    lines.get(lines.len().saturating_sub(40)..).unwrap_or_default().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_the_last_that_were_printed() {
        let log = "#2\tINITED cov: 11 ft: 12\n#9\tDONE   cov: 345 ft: 1\n\
                   stat::number_of_executed_units: 678\n";
        assert_eq!(last_number(log, " cov:"), Some(345));
        assert_eq!(last_number(log, "stat::number_of_executed_units:"), Some(678));
        assert_eq!(last_number(log, "stat::peak_rss_mb:"), None);
        assert_eq!(tail(log), "stat::number_of_executed_units: 678");
    }

    #[test]
    fn a_target_that_is_not_there_is_named() {
        assert!(chosen(&["bencode".to_owned()]).is_ok_and(|names| names == ["bencode"]));
        let error = chosen(&["nothing".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("no target nothing; there are bencode, "), "{error}");
    }
}
