//! `pieces-cli bencode`: is a file canonical bencode, and what does it hold (docs/json.md).

mod json;
mod tree;

use std::path::Path;

use ::bencode::{Decoder, Error};

use crate::args::BencodeCommand;
use crate::exit::{Code, Failure};
use crate::{dash, output, source, text};

/// The longest file that is read: several times any torrent.
const MAX_LEN: usize = 512 * 1024 * 1024;

/// Runs the command.
pub(crate) fn run(command: &BencodeCommand) -> Result<(), Failure> {
    match command {
        BencodeCommand::Check { file } => check(file),
        BencodeCommand::Show { file, json } => show(file, *json),
    }
}

fn check(file: &Path) -> Result<(), Failure> {
    let bytes = read(file)?;
    Decoder::new().decode(&bytes).map(drop).map_err(|error| refused(file, &error))
}

fn show(file: &Path, as_json: bool) -> Result<(), Failure> {
    let bytes = read(file)?;
    let decoder = Decoder::new().lenient();
    let document = decoder.decode_prefix(&bytes).map_err(|error| refused(file, &error))?;
    for oddity in document.oddities() {
        log::warn!("{}: {oddity}", dash::input(file));
    }
    if !document.rest().is_empty() {
        let rest = text::count(document.rest().len(), "byte");
        log::warn!("{}: {rest} after the value, not shown", dash::input(file));
    }
    if as_json {
        output::json(&json::Document::new(document.root()))
    } else {
        output::text(|out| tree::write(document.root(), out))
    }
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    source::read(file, MAX_LEN)?.ok_or_else(|| {
        let limit = text::bytes(u64::try_from(MAX_LEN).unwrap_or(u64::MAX));
        let message = format!("{}: longer than {limit}, too long to look at", dash::input(file));
        Failure::new(Code::BadBencode, message)
    })
}

fn refused(file: &Path, error: &Error) -> Failure {
    Failure::new(Code::BadBencode, format!("{}: {error}", dash::input(file)))
}
