//! From the bytes of a torrent file to a `Metainfo`.
//! It owns the order of the checks; the formats' own keys are read in the modules below it.

mod files;
mod hybrid;
mod layers;
mod outer;
mod v1;
mod v2;

use bencode::{Decoder, Document, Value};
use sha2::{Digest as _, Sha256};

use crate::error::{Error, ErrorKind};
use crate::fields::{Fields, Place};
use crate::file::File;
use crate::hash::{InfoHash, InfoHashV2};
use crate::layout::{Layout, MAX_PIECE_LENGTH};
use crate::metainfo::{Hashes, MAX_TORRENT_LEN, MAX_VALUES, Metainfo, Version};
use crate::path;
use crate::warnings::Warnings;

#[cfg(test)]
mod tests;

/// The values of a torrent file. Servers and editors leave bytes behind it, which are not looked at.
pub(crate) fn document(bytes: &[u8]) -> Result<Document<'_>, Error> {
    if bytes.len() > MAX_TORRENT_LEN {
        return Err(Error::new(
            ErrorKind::TooLarge,
            format!("a torrent of {} bytes; the limit is {MAX_TORRENT_LEN}", bytes.len()),
        ));
    }
    let decoder = Decoder::new().lenient().max_tokens(MAX_VALUES);
    decoder.decode_prefix(bytes).map_err(|error| Error::new(ErrorKind::Bencode, error.to_string()))
}

/// Reads a whole torrent file.
pub(crate) fn torrent(bytes: &[u8]) -> Result<Metainfo, Error> {
    let document = document(bytes)?;
    let top = Fields::new(document.root(), Place::Torrent)?;
    let mut warnings = Warnings::default();
    for oddity in document.oddities() {
        warnings.add(|| format!("not canonical bencode: {oddity}"));
    }

    match document.rest() {
        [] => {}
        [_] => warnings.add(|| "ignored: 1 byte after the torrent".into()),
        rest => warnings.add(|| format!("ignored: {} bytes after the torrent", rest.len())),
    }

    let info_value = top.required("info", top.get("info"))?;
    let info = Fields::new(info_value, Place::Info)?;
    // First of all: of a format from the future nothing else can be understood.
    let version = version(info, &mut warnings)?;
    let piece_length = piece_length(info)?;
    let info_hash = (version != Version::V2).then(|| InfoHash::of(info_value.raw()));
    let info_hash_v2 = (version != Version::V1).then(|| info_hash_v2(info_value));
    let name = name(info, (info_hash, info_hash_v2), &mut warnings);
    let content = content(top, info, version, (&name, piece_length), &mut warnings)?;
    let files =
        files::finish(content.files, if content.multi_file { &name } else { b"" }, &mut warnings);
    let outer = outer::read(top, &mut warnings);

    Ok(Metainfo {
        info: info_value.raw().into(),
        text: String::from_utf8_lossy(&name).into_owned(),
        name,
        info_hash,
        info_hash_v2,
        piece_length,
        piece_count: content.piece_count,
        layout: content.layout,
        files,
        multi_file: content.multi_file,
        hashes: content.hashes,
        private: is_private(info, &mut warnings),
        source: info
            .optional("source", "a string", &mut warnings, Value::as_bytes)
            .map(outer::text),
        tiers: outer.tiers,
        web_seeds: outer.web_seeds,
        comment: outer.comment,
        created_by: outer.created_by,
        creation_date: outer.creation_date,
        encoding: outer.encoding,
        warnings: warnings.finish(),
    })
}

fn info_hash_v2(info: Value<'_>) -> InfoHashV2 {
    <[u8; 32]>::from(Sha256::digest(info.raw())).into()
}

/// What the torrent is about, in whichever format.
struct Content {
    files: Vec<File>,
    multi_file: bool,
    piece_count: u32,
    layout: Option<Layout>,
    hashes: Hashes,
}

fn content(
    top: Fields<'_>,
    info: Fields<'_>,
    version: Version,
    (name, piece_length): (&[u8], u32),
    warnings: &mut Warnings,
) -> Result<Content, Error> {
    if version == Version::V2 {
        let v2 = v2::read(info, name, piece_length, false, warnings)?;
        let pieces = layers::read(top, &v2, piece_length, warnings)?;
        return Ok(Content {
            multi_file: v2.multi_file,
            piece_count: v2.piece_count,
            files: v2.files.into_iter().map(|tree| tree.file).collect(),
            layout: None,
            hashes: Hashes::Merkle(pieces.into()),
        });
    }
    let v1 = v1::read(info, name, piece_length, warnings)?;
    if version == Version::Hybrid {
        let v2 = v2::read(info, name, piece_length, v1.multi_file, warnings)?;
        hybrid::check(info, &v1, &v2)?;
        // Without them it is what a magnet URI leads to: peers give `info` alone, and its version 1 half
        // is complete.
        if let Err(error) = layers::read(top, &v2, piece_length, warnings) {
            warnings.add(|| format!("{error}: only its version 1 half can be used"));
        }
    }
    Ok(Content {
        files: v1.files,
        multi_file: v1.multi_file,
        piece_count: v1.layout.piece_count(),
        layout: Some(v1.layout),
        hashes: v1.hashes,
    })
}

/// `meta version`. What is no such number is version 1, which does without the key.
fn version(info: Fields<'_>, warnings: &mut Warnings) -> Result<Version, Error> {
    const KEY: &str = "meta version";
    let number = |value: Value<'_>| value.as_int().filter(|number| *number >= 1);
    match info.optional(KEY, "a number from 1 up", warnings, number) {
        None if info.get("file tree").is_some_and(|tree| tree.dict().is_some()) => {
            Err(info.error(ErrorKind::Missing, KEY, "missing"))
        }
        None | Some(1) => Ok(Version::V1),
        Some(2) if info.get("pieces").is_some() => Ok(Version::Hybrid),
        Some(2) => Ok(Version::V2),
        Some(other) => {
            let what = format!("{other} is not a version this program knows (1 and 2)");
            Err(info.error(ErrorKind::BadValue, KEY, what))
        }
    }
}

/// `private` (BEP 27): any number but 0. Others don't take text for it, but whoever wrote `1` as text
/// meant it, and a private torrent that is made public cannot be taken back.
fn is_private(info: Fields<'_>, warnings: &mut Warnings) -> bool {
    const KEY: &str = "private";
    let Some(value) = info.get(KEY) else { return false };
    if let Some(text) = value.as_bytes() {
        let is_private = text.iter().any(|byte| *byte != b'0');
        let taken = if is_private { "private" } else { "public" };
        warnings.add(|| format!("info.{KEY}: text instead of a number, so the torrent is {taken}"));
        return is_private;
    }
    info.optional(KEY, "an integer", warnings, Value::as_int).is_some_and(|number| number != 0)
}

fn piece_length(info: Fields<'_>) -> Result<u32, Error> {
    const KEY: &str = "piece length";
    let length = info.required(KEY, info.int(KEY)?)?;
    u32::try_from(length).ok().filter(|n| (1..=MAX_PIECE_LENGTH).contains(n)).ok_or_else(|| {
        let what = format!("{length} is not between 1 and {MAX_PIECE_LENGTH}");
        info.error(ErrorKind::BadValue, KEY, what)
    })
}

/// The torrent's name as a path component; without one it goes by its info-hash.
fn name<'t>(
    info: Fields<'t>,
    hashes: (Option<InfoHash>, Option<InfoHashV2>),
    warnings: &mut Warnings,
) -> Vec<u8> {
    let mut usable = |key| {
        let some = |value: Value<'t>| value.as_bytes().filter(|name| !name.is_empty());
        info.optional(key, "a name", warnings, some)
    };
    let (utf8, plain) = (usable("name.utf-8"), usable("name"));
    let Some(raw) = utf8.or(plain) else {
        let name = match hashes {
            (Some(hash), _) => hash.to_string(),
            (None, hash) => hash.map(|hash| hash.to_string()).unwrap_or_default(),
        };
        warnings.add(|| format!("the torrent has no name, and is called {name}"));
        return name.into_bytes();
    };
    let name = path::component(raw);
    if name != raw {
        warnings.add(|| {
            let (before, now) = (path::original([raw]), path::original([&*name]));
            format!("the torrent's name was changed from \"{before}\" to \"{now}\"")
        });
    }
    name.into_owned()
}
