//! From the bytes of a torrent file to a `Metainfo`.
//! It owns the order of the checks; the formats' own keys are read in the modules below it.

mod files;
mod outer;
mod v1;

use bencode::Decoder;

use crate::error::{Error, ErrorKind};
use crate::fields::{Fields, Place};
use crate::hash::InfoHash;
use crate::layout::MAX_PIECE_LENGTH;
use crate::metainfo::{MAX_TORRENT_LEN, Metainfo};
use crate::path;
use crate::warnings::Warnings;

/// Reads a whole torrent file.
pub(crate) fn torrent(bytes: &[u8]) -> Result<Metainfo, Error> {
    if bytes.len() > MAX_TORRENT_LEN {
        return Err(Error::new(
            ErrorKind::TooLarge,
            format!("a torrent of {} bytes; the limit is {MAX_TORRENT_LEN}", bytes.len()),
        ));
    }
    let document = Decoder::new()
        .lenient()
        .decode(bytes)
        .map_err(|error| Error::new(ErrorKind::Bencode, error.to_string()))?;
    let top = Fields::new(document.root(), Place::Torrent)?;
    let mut warnings = Warnings::default();
    for oddity in document.oddities() {
        warnings.add(|| format!("not canonical bencode: {oddity}"));
    }

    let info_value = top.required("info", top.get("info"))?;
    let info = Fields::new(info_value, Place::Info)?;
    let piece_length = piece_length(info)?;
    let name = name(info, &mut warnings)?;
    let v1 = v1::read(info, &name, piece_length)?;
    let files = files::finish(v1.files, &mut warnings);
    let outer = outer::read(top, &mut warnings);

    Ok(Metainfo {
        name,
        info_hash: Some(InfoHash::from(sha1_smol::Sha1::from(info_value.raw()).digest().bytes())),
        info_hash_v2: None,
        piece_length,
        piece_count: v1.layout.piece_count(),
        layout: Some(v1.layout),
        files,
        multi_file: v1.multi_file,
        hashes: v1.hashes,
        private: info.int("private")?.is_some_and(|private| private != 0),
        source: info.bytes("source")?.map(outer::text),
        tiers: outer.tiers,
        web_seeds: outer.web_seeds,
        comment: outer.comment,
        created_by: outer.created_by,
        creation_date: outer.creation_date,
        encoding: outer.encoding,
        warnings: warnings.finish(),
    })
}

fn piece_length(info: Fields<'_>) -> Result<u32, Error> {
    const KEY: &str = "piece length";
    let length = info.required(KEY, info.int(KEY)?)?;
    u32::try_from(length).ok().filter(|n| (1..=MAX_PIECE_LENGTH).contains(n)).ok_or_else(|| {
        let what = format!("{length} is not between 1 and {MAX_PIECE_LENGTH}");
        info.error(ErrorKind::BadValue, KEY, what)
    })
}

/// The torrent's name as a path component.
fn name(info: Fields<'_>, warnings: &mut Warnings) -> Result<String, Error> {
    let utf8 = info.bytes("name.utf-8")?;
    let raw = info.required("name", utf8.or(info.bytes("name")?))?;
    let name = path::component(raw)
        .map_err(|refused| info.error(ErrorKind::UnsafePath, "name", refused.reason()))?;
    if name.as_bytes() != raw {
        warnings.add(|| {
            format!(
                "the torrent's name was changed from \"{}\" to \"{name}\"",
                path::original([raw])
            )
        });
    }
    Ok(name.into_owned())
}
