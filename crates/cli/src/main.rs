//! `pieces-cli`: BitTorrent from a shell. This file parses the command line, sets up logging and
//! turns how a command ended into an exit code; the commands are in modules of their own, the
//! engine is in `session`.

mod args;
mod download;
mod exit;
mod logging;
mod output;
mod progress;
mod show;
mod source;
mod text;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};
use exit::{Code, Failure};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    logging::start(&cli.verbosity);
    let outcome = match &cli.command {
        Command::Download(args) => download::download(args, cli.verbosity.quiet),
        Command::Seed(args) => download::seed(args, cli.verbosity.quiet),
        Command::Show(args) => show::run(args),
    };
    match outcome {
        Ok(()) => exit(Code::Done),
        Err(failure) => {
            complain(&failure.to_string());
            exit(failure.code())
        }
    }
}

/// Prints help and the version as asked; everything else clap says becomes one line of error.
fn refuse(error: &clap::Error) -> ExitCode {
    if error.use_stderr() {
        let rendered = error.render().to_string();
        let first = rendered.lines().next().unwrap_or_default();
        let mut message = first.trim_start_matches("error: ").to_owned();
        // What is missing, where clap lists it.
        for line in rendered.lines().skip(1).take_while(|line| line.starts_with("  ")) {
            message.push(' ');
            message.push_str(line.trim());
        }
        complain(&format!("{message} (see --help)"));
        return exit(Code::BadOption);
    }
    match error.print() {
        Ok(()) => exit(Code::Done),
        Err(broken) => {
            complain(&Failure::new(Code::Io, format!("cannot write help: {broken}")).to_string());
            exit(Code::Io)
        }
    }
}

/// The one line that says why a command failed.
#[allow(clippy::print_stderr, reason = "this is where errors are told")]
fn complain(message: &str) {
    eprintln!("error: {message}");
}

fn exit(code: Code) -> ExitCode {
    ExitCode::from(code as u8)
}
