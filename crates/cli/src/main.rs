//! `pieces-cli`: BitTorrent from a shell. This file parses the command line, sets up logging and
//! turns how a command ended into an exit code; the commands are in modules of their own, the
//! engine is in `session`.
// What comes from outside is never used as an index unchecked.
#![warn(clippy::indexing_slicing)]
#![cfg_attr(test, allow(clippy::indexing_slicing, reason = "a test that indexes wrongly fails"))]

mod args;
mod attend;
mod bencode;
mod completions;
mod create;
mod dash;
mod download;
mod each;
mod edit;
mod exit;
mod fetch;
mod inner_folder;
mod logging;
mod magnet;
mod man;
mod near;
mod outlet;
mod output;
mod progress;
mod renamed;
mod save;
mod select;
mod show;
mod signals;
mod source;
mod text;
mod tiers;
mod trackers;
mod verify;
mod walk;
mod written;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command, MagnetCommand};
use exit::{Code, Failure};
use signals::AtOnce;

fn main() -> ExitCode {
    end(signals::listen().and_then(|()| match Cli::try_parse() {
        Ok(cli) => {
            logging::start(&cli.verbosity);
            run(&cli.command, cli.verbosity.quiet)
        }
        Err(error) => refuse(&error),
    }))
}

/// Tells a failure that was not told yet, and gives the exit code, when all that was said is written.
fn end(outcome: Result<(), Failure>) -> ExitCode {
    let mut code = told(outcome);
    let at_once = AtOnce::begin(code);
    outlet::finish(signals::have_asked());
    if let Some(error) = outlet::stdout().failure().filter(|_| !signals::have_asked()) {
        code = code.worse(told(Err(Failure::stdout(&error))));
        outlet::finish(false);
    }
    drop(at_once);
    ExitCode::from(code as u8)
}

/// Tells a failure, unless that was done, and gives its code.
fn told(outcome: Result<(), Failure>) -> Code {
    let Err(failure) = outcome else { return Code::Done };
    if !failure.is_told() {
        complain(&failure.to_string());
    }
    failure.code()
}

fn run(command: &Command, quiet: bool) -> Result<(), Failure> {
    // As early as can be: later some are in use for a moment.
    storage::there_are(descriptors(command)).map_err(|told| Failure::new(Code::Other, told))?;
    match command {
        Command::Download(args) => download::download(args, quiet),
        Command::Seed(args) => download::seed(args, quiet),
        Command::Show(args) => show::run(args),
        Command::Create(args) => create::run(args, quiet),
        Command::Verify(args) => verify::run(args, quiet),
        Command::Edit(args) => edit::run(args),
        Command::Magnet(args) => magnet::run(args, quiet),
        Command::Announce(args) => trackers::announce(args, quiet),
        Command::Scrape(args) => trackers::scrape(args, quiet),
        Command::Bencode(args) => bencode::run(&args.command),
        Command::Completions(args) => completions::run(args),
        Command::Man(args) => man::write(&args.folder),
    }
}

/// How many file descriptors a command takes at least.
fn descriptors(command: &Command) -> usize {
    match command {
        Command::Download(_) | Command::Seed(_) => storage::LEAST_FOR_SESSION,
        Command::Magnet(args) if matches!(args.command, Some(MagnetCommand::Resolve(_))) => {
            storage::LEAST_FOR_SESSION
        }
        Command::Create(_) | Command::Verify(_) | Command::Announce(_) | Command::Scrape(_) => {
            storage::LEAST_FOR_FILES
        }
        _ => 0,
    }
}

/// Prints help and the version as asked, and help where nothing was asked; everything else clap says
/// becomes one line of error.
fn refuse(error: &clap::Error) -> Result<(), Failure> {
    let asked_nothing =
        error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    if asked_nothing {
        // Help that was not asked for is no result, so it goes to stderr.
        progress::write_line(error.render().to_string().trim_end());
        return Err(Failure::told(Code::BadOption));
    }
    if error.use_stderr() {
        let rendered = error.render().to_string();
        let first = rendered.lines().next().unwrap_or_default();
        let mut message = first.trim_start_matches("error: ").to_owned();
        // What is missing, where clap lists it.
        for line in rendered.lines().skip(1).take_while(|line| line.starts_with("  ")) {
            message.push(' ');
            message.push_str(line.trim());
        }
        let tip = rendered.lines().find_map(|line| line.trim().strip_prefix("tip: "));
        // That of an unknown option explains how to pass it as a value, which nobody means.
        let tip = tip.filter(|tip| !tip.starts_with("to pass '-"));
        let tip = tip.map(|tip| format!("; {tip}")).unwrap_or_default();
        return Err(Failure::new(Code::BadOption, format!("{message}{tip} (see --help)")));
    }
    let rendered = error.render();
    output::text(|out| {
        if std::io::stdout().is_terminal() {
            write!(out, "{}", rendered.ansi())
        } else {
            write!(out, "{rendered}")
        }
    })
}

/// The one line that says why a command failed.
fn complain(message: &str) {
    progress::write_line(&format!("error: {message}"));
}
