//! `cargo xtask`: the project's own commands, one file each.
//!
//! Owns the command line of the developers. Never uses a crate of `crates/`: what is judged here is
//! built and run as users run it.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool")]

mod bench;
mod ci;
mod e2e;
mod faults;
mod fuzz;
mod interrupt;
mod man;
mod real;
mod table;
mod tidy;

use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use testkit::binary::cargo;

/// What went wrong, in words.
type Result<T> = testkit::Result<T>;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The project's own commands", max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Check the rules of the house: dependency arrows, file headers and sizes
    Tidy,
    /// Run the main job: a seed and three leechers, or (--real) every client we did not write
    E2e(e2e::Arguments),
    /// Kill it, lie to it, take its disk away: what must hold whatever happens
    Faults(faults::Arguments),
    /// Feed every parser with what libFuzzer makes up, and check the rules in fuzz/targets
    Fuzz(fuzz::Arguments),
    /// Measure pieces beside every other client that is installed, and beside a yardstick
    Bench(bench::Arguments),
    /// Write the man pages of `pieces-cli` below the target folder, and say where
    Man,
    /// Run everything that has to be green before a change lands
    Ci(ci::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = interrupt::watch().and_then(|()| match arguments.command {
        Command::Tidy => tidy::run(),
        Command::E2e(arguments) => e2e::run(&arguments),
        Command::Faults(arguments) => faults::run(&arguments),
        Command::Fuzz(arguments) => fuzz::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Man => man::run(),
        Command::Ci(arguments) => ci::run(&arguments),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The folder of the workspace.
fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}
