//! `cargo xtask ci`: everything that has to be green before a change lands, with its time.
//!
//! Owns the list of steps, which `.ci/run` runs after it installed the other clients. Never installs
//! anything.

use std::process::Command;
use std::time::Instant;

use crate::table::{Align, Mood, Table, seconds};
use crate::{Result, cargo};

/// A name, the arguments for cargo, and variables of the environment.
type Step = (&'static str, &'static [&'static str], &'static [(&'static str, &'static str)]);

const STEPS: &[Step] = &[
    ("format", &["fmt", "--all", "--check"], &[]),
    ("tidy", &["xtask", "tidy"], &[]),
    ("clippy", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"], &[]),
    ("docs", &["doc", "--workspace", "--no-deps"], &[("RUSTDOCFLAGS", "-D warnings")]),
    (
        "tests",
        &["test", "--workspace"],
        &[("PIECES_TESTS_REQUIRE", "bash,bash-completion,zsh,fish,script")],
    ),
    // The build of the step before, on all cores.
    ("simulation", &["test", "--workspace", "--test", "campaign"], &[("SWARM_SEEDS", "1000")]),
    ("fuzz", &["xtask", "fuzz", "--seconds", "240"], &[]),
    ("faults", &["xtask", "faults", "--may-skip", "full,policy,power"], &[]),
    ("e2e", &["xtask", "e2e"], &[]),
    (
        "e2e --real",
        &["xtask", "e2e", "--real", "--require", "transmission,aria2,libtorrent,opentracker"],
        &[],
    ),
];

/// What `--long` adds.
const LONG_STEPS: &[Step] = &[
    ("tests --release", &["test", "--workspace", "--release"], &[]),
    ("e2e --long", &["xtask", "e2e", "--real", "--long", "--only", "announces,made,limits"], &[]),
    (
        "simulation --long",
        &["test", "--workspace", "--release", "--test", "campaign"],
        &[("SWARM_SEEDS", "10000")],
    ),
];

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Also what takes long
    #[arg(long)]
    long: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let mut done = Vec::new();
    for (name, words, variables) in STEPS.iter().chain(LONG_STEPS.iter().filter(|_| arguments.long))
    {
        println!("\n── {name}: cargo {}", words.join(" "));
        let started = Instant::now();
        let mut command: Command = cargo();
        command.args(*words).envs(variables.iter().copied());
        let success = command.status()?.success();
        done.push((*name, success, started.elapsed()));
        if !success {
            break;
        }
    }
    let table = Table::start(&[("step", Align::Left(18)), ("seconds", Align::Right(8))]);
    for (name, success, took) in &done {
        let mood = if *success { Mood::Good } else { Mood::Bad };
        table.row(mood, &[name, &seconds(*took)]);
    }
    match done.iter().find(|(_, success, _)| !success) {
        Some((name, ..)) => Err(format!("{name} failed").into()),
        None => Ok(()),
    }
}
