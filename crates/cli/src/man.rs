//! The man pages: what clap knows of a command, and the sections that each page of Unix has beside it.

use std::fs;
use std::io;
use std::path::Path;

use clap::{Command, CommandFactory as _};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::args::{self, Cli};
use crate::exit::Failure;

/// Variables of the environment, and what they do.
const ENVIRONMENT: &[(&str, &str)] = &[
    (
        "XDG_STATE_HOME",
        "Folder for resume state, if it is an absolute path; ~/.local/state where it is not set.",
    ),
    ("HOME", "The user's folder, where XDG_STATE_HOME is not set."),
    (
        "RUST_LOG",
        "What is logged, as in tracker=debug; it counts more than --verbose and --quiet. Levels are \
         error, warn, info, debug and trace.",
    ),
    (
        "SOURCE_DATE_EPOCH",
        "Seconds since 1970 that create writes as the creation date, for reproducible torrents.",
    ),
    (
        "SSL_CERT_FILE, SSL_CERT_DIR",
        "Certificates that https is trusted with, in place of the system's.",
    ),
    (
        "PIECES_HASH_KERNEL",
        "The hash kernel to use, in place of the one that is measured to be fastest at the start.",
    ),
];

/// Files that the program keeps, and what they are for.
const FILES: &[(&str, &str)] = &[
    (
        "$XDG_STATE_HOME/pieces/*.resume",
        "Which pieces of a torrent in a folder are verified and synced, so that the next start need not \
         hash them. Losing one costs a recheck. It is removed a year after it was written, or after a month \
         if the folder is gone.",
    ),
    (
        "$XDG_STATE_HOME/pieces/*.torrent",
        "Metadata that was fetched for a magnet URI, so that the next start has it at once.",
    ),
    ("$XDG_STATE_HOME/pieces/dht.state", "DHT nodes of the last run."),
];

/// Writes a page for the program and for each of its commands into `folder`.
pub(crate) fn write(folder: &Path) -> Result<(), Failure> {
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    write_pages(&program, folder, true)
        .map_err(|error| Failure::io("write man pages into it", folder, &error))
}

/// The page of a command and of those below it.
fn write_pages(command: &Command, folder: &Path, is_program: bool) -> io::Result<()> {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        write_pages(below, folder, false)?;
    }
    let page = Man::new(command.clone());
    let mut text = Vec::new();
    page.render(&mut text)?;
    let mut more = Roff::new();
    if !is_program {
        // The page of the program has them from its help.
        more.control("SH", ["EXIT STATUS"]);
        for line in args::EXIT_CODES.lines().skip(1) {
            match line.trim().split_once("  ") {
                Some((code, meaning)) => item(&mut more, code, meaning),
                None if line.is_empty() => drop(more.control("PP", [])),
                None => drop(more.text([roman(line)])),
            }
        }
    }
    for (title, items) in [("ENVIRONMENT", ENVIRONMENT), ("FILES", FILES)] {
        more.control("SH", [title]);
        for (name, meaning) in items {
            item(&mut more, name, meaning);
        }
    }
    more.to_writer(&mut text)?;
    fs::write(folder.join(page.get_filename()), text)
}

/// A term and what it means, indented.
fn item(page: &mut Roff, term: &str, meaning: &str) {
    page.control("TP", []).text([bold(term)]).text([roman(meaning)]);
}
