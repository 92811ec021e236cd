//! What `--json` tells of a torrent that a command wrote (docs/json.md). Never writes the torrent.

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

/// Refuses to have the torrent and JSON on stdout.
pub(crate) fn one_thing_on_stdout(output: &Path, json: bool) -> Result<(), Failure> {
    if json && dash::is(output) {
        let message = "-o - and --json both write to stdout: name a file with -o FILE";
        return Err(Failure::new(Code::BadOption, message));
    }
    Ok(())
}
