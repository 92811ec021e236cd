//! What `--json` tells of a torrent that a command wrote (docs/json.md). Never writes the torrent.

use std::io::{IsTerminal, stdout};
use std::path::Path;

use metainfo::Metainfo;
use serde::Serialize;

use crate::exit::{Code, Failure};
use crate::{dash, output};

/// The torrent, and where it is. Its keys are documented in docs/json.md.
#[derive(Serialize)]
pub(crate) struct Written<'a> {
    format: u32,
    output: String,
    name: &'a str,
    info_hash: Option<String>,
    info_hash_v2: Option<String>,
    total_length: u64,
    piece_length: u32,
    piece_count: u32,
}

impl<'a> Written<'a> {
    pub(crate) fn new(path: &Path, torrent: &'a Metainfo) -> Self {
        Self {
            format: output::JSON_FORMAT,
            output: path.to_string_lossy().into_owned(),
            name: torrent.name(),
            info_hash: torrent.info_hash().map(|hash| hash.to_string()),
            info_hash_v2: torrent.info_hash_v2().map(|hash| hash.to_string()),
            total_length: torrent.total_len(),
            piece_length: torrent.piece_length(),
            piece_count: torrent.piece_count(),
        }
    }
}

/// Refuses to have the torrent and JSON on stdout, and the torrent on a terminal.
pub(crate) fn fits_stdout(output: &Path, json: bool) -> Result<(), Failure> {
    why_not(output, json, stdout().is_terminal())
        .map_or(Ok(()), |message| Err(Failure::new(Code::BadOption, message)))
}

fn why_not(output: &Path, json: bool, terminal: bool) -> Option<&'static str> {
    match (dash::is(output), json, terminal) {
        (true, true, _) => Some("-o - and --json both write to stdout: name a file with -o FILE"),
        (true, false, true) => Some(
            "stdout is a terminal, and a torrent is no text: redirect it, or name a file with -o FILE",
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torrent_is_not_written_to_a_terminal() {
        assert!(why_not("-".as_ref(), false, true).unwrap().starts_with("stdout is a terminal"));
        assert!(why_not("-".as_ref(), true, true).unwrap().starts_with("-o - and --json"));
        assert_eq!(why_not("-".as_ref(), false, false), None);
        assert_eq!(why_not("file".as_ref(), true, true), None);
    }
}
