//! Reading a torrent that the user named, with an exit code for each way that can fail. Never
//! fetches anything.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use metainfo::{ErrorKind, MAX_TORRENT_LEN, Metainfo};

use crate::exit::{Code, Failure};
use crate::text;

/// The torrent in the file at `path`.
pub(crate) fn torrent(path: &Path) -> Result<Metainfo, Failure> {
    let bytes = read(path)?;
    let torrent = Metainfo::from_bytes(&bytes)
        .map_err(|error| Failure::new(code(&error), format!("{}: {error}", text::path(path))))?;
    for warning in torrent.warnings() {
        log::warn!("{}: {warning}", text::path(path));
    }
    Ok(torrent)
}

/// The bytes of a torrent file, as far as one can be long.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |error| Failure::io(path, &error);
    let file = File::open(path).map_err(failed)?;
    let limit = u64::try_from(MAX_TORRENT_LEN).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > MAX_TORRENT_LEN {
        let limit = text::bytes(limit);
        return Err(Failure::new(
            Code::BadTorrent,
            format!("{}: longer than {limit}, so not a torrent", text::path(path)),
        ));
    }
    Ok(bytes)
}

/// The exit code of a torrent that was refused.
pub(crate) fn code(error: &metainfo::Error) -> Code {
    match error.kind() {
        ErrorKind::Bencode => Code::BadBencode,
        ErrorKind::Magnet => Code::BadMagnet,
        _ => Code::BadTorrent,
    }
}
