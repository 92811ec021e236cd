//! Reading what the user named: a torrent file, its URL, stdin or a magnet URI, with an exit code
//! for each way that can fail. Never keeps what it read.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use metainfo::{ErrorKind, MAX_TORRENT_LEN, Magnet, Metainfo};

use crate::exit::{Code, Failure};
use crate::{dash, fetch, text};

/// What names a torrent.
pub(crate) enum Source {
    Torrent(Box<Metainfo>),
    Magnet(Box<Magnet>),
}

/// What to call a magnet as long as its torrent is not known.
pub(crate) fn magnet_name(magnet: &Magnet) -> String {
    let hash = || magnet.info_hash.map(|hash| hash.to_string()).unwrap_or_default();
    magnet.name.clone().unwrap_or_else(hash)
}

/// A magnet URI, or the torrent in a file or on stdin (`-`).
pub(crate) fn any(source: &Path) -> Result<Source, Failure> {
    match magnet_uri(source) {
        Some(uri) => magnet(uri).map(|magnet| Source::Magnet(Box::new(magnet))),
        None => torrent(source).map(|torrent| Source::Torrent(Box::new(torrent))),
    }
}

/// The argument, if it is a magnet URI.
pub(crate) fn magnet_uri(source: &Path) -> Option<&str> {
    source.to_str().filter(|text| is_magnet(text))
}

/// The magnet URI's parts.
pub(crate) fn magnet(uri: &str) -> Result<Magnet, Failure> {
    Magnet::parse(uri).map_err(|error| Failure::new(Code::BadMagnet, error.to_string()))
}

fn is_magnet(text: &str) -> bool {
    text.get(.."magnet:".len()).is_some_and(|scheme| scheme.eq_ignore_ascii_case("magnet:"))
}

/// The torrent in the file at `path`, or on stdin (`-`).
pub(crate) fn torrent(path: &Path) -> Result<Metainfo, Failure> {
    parse(path, &torrent_bytes(path)?)
}

/// The torrent that `bytes`, read from `path`, are.
pub(crate) fn parse(path: &Path, bytes: &[u8]) -> Result<Metainfo, Failure> {
    let shown = dash::input(path);
    if bytes.is_empty() {
        return Err(Failure::new(Code::BadBencode, format!("{shown}: empty, so not a torrent")));
    }
    let torrent = Metainfo::from_bytes(bytes)
        .map_err(|error| Failure::new(code(&error), format!("{shown}: {error}")))?;
    for warning in torrent.warnings() {
        log::warn!("{shown}: {warning}");
    }
    Ok(torrent)
}

/// The bytes of a torrent file, as far as one can be long.
pub(crate) fn torrent_bytes(path: &Path) -> Result<Vec<u8>, Failure> {
    read(path, MAX_TORRENT_LEN)?.ok_or_else(|| {
        let limit = text::bytes(u64::try_from(MAX_TORRENT_LEN).unwrap_or(u64::MAX));
        let message = format!("{}: longer than {limit}, so not a torrent", dash::input(path));
        Failure::new(Code::BadTorrent, message)
    })
}

/// The bytes of a file, of what a URL answers, or of stdin (`-`); `None` if there are more than
/// `limit`.
pub(crate) fn read(path: &Path, limit: usize) -> Result<Option<Vec<u8>>, Failure> {
    let failed = |error| Failure::io(path, &error);
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    if dash::is(path) {
        io::stdin().take(most).read_to_end(&mut bytes).map_err(failed)?;
    } else if let Some(url) = path.to_str().filter(|text| fetch::is_url(text)) {
        bytes = fetch::get(url, most)?;
    } else {
        File::open(path).map_err(failed)?.take(most).read_to_end(&mut bytes).map_err(failed)?;
    }
    Ok((bytes.len() <= limit).then_some(bytes))
}

/// The exit code of a torrent that was refused.
pub(crate) fn code(error: &metainfo::Error) -> Code {
    match error.kind() {
        ErrorKind::Bencode => Code::BadBencode,
        ErrorKind::Magnet => Code::BadMagnet,
        _ => Code::BadTorrent,
    }
}
