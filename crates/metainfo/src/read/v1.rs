//! The version 1 keys of `info`: files and SHA-1 piece hashes (BEP 3, BEP 47).
//! It never looks outside `info`.

use bencode::{List, Value};

use super::files::{Attributes, Paths, link_target};
use crate::error::{Error, ErrorKind};
use crate::fields::{Fields, Place};
use crate::file::{File, FileKind};
use crate::layout::Layout;
use crate::metainfo::Hashes;
use crate::warnings::Warnings;

/// The version 1 half of a torrent.
pub(super) struct V1 {
    pub(super) files: Vec<File>,
    pub(super) multi_file: bool,
    pub(super) layout: Layout,
    pub(super) hashes: Hashes,
}

/// Reads `length` or `files`, and `pieces`.
pub(super) fn read(
    info: Fields<'_>,
    name: &[u8],
    piece_length: u32,
    warnings: &mut Warnings,
) -> Result<V1, Error> {
    let listed = listed(info, warnings)?;
    let multi_file = listed.is_some();
    let files = match listed {
        Some(list) => {
            let mut paths = Paths::new(name);
            list.enumerate()
                .map(|(index, entry)| file(&mut paths, entry, index, warnings))
                .collect::<Result<Vec<_>, _>>()?
        }
        None => vec![single(info, name, warnings)?],
    };
    if files.is_empty() {
        return Err(info.error(ErrorKind::BadValue, "files", "an empty list"));
    }
    let lengths: Vec<u64> = files.iter().map(File::length).collect();
    let is_padding =
        |index: usize| files.get(index).is_some_and(|file| file.kind == FileKind::Padding);
    let layout = Layout::new(piece_length, &lengths)?.with_padding(is_padding);
    let hashes = hashes(info, layout.piece_count())?;
    Ok(V1 { files, multi_file, layout, hashes })
}

/// `files`, if the torrent has a list of them. It counts more than a `length` beside it, and less than
/// one when it is no list, as with others.
fn listed<'t>(info: Fields<'t>, warnings: &mut Warnings) -> Result<Option<List<'t>>, Error> {
    let length = info.get("length");
    if length.and_then(Value::as_int).is_some() {
        let listed = info.optional("files", "a list", warnings, Value::list);
        if listed.is_none() {
            return Ok(None);
        }
    }
    let listed = info.list("files")?;
    if listed.is_some() && length.is_some() {
        info.ignored("length", "there is a list of files", warnings);
    }
    Ok(listed)
}

fn single(info: Fields<'_>, name: &[u8], warnings: &mut Warnings) -> Result<File, Error> {
    // A torrent of nothing but a link or padding has nothing to say; it is read as a file.
    let attributes = Attributes { kind: FileKind::Regular, ..Attributes::read(info, warnings) };
    Ok(File {
        path: name.to_owned(),
        renamed_from: None,
        length: attributes.length(info, warnings)?,
        kind: attributes.kind,
        executable: attributes.executable,
        target: None,
    })
}

fn file(
    paths: &mut Paths<'_>,
    entry: Value<'_>,
    index: usize,
    warnings: &mut Warnings,
) -> Result<File, Error> {
    let entry = Fields::new(entry, Place::File(index))?;
    let attributes = Attributes::read(entry, warnings);
    let length = attributes.length(entry, warnings)?;
    let Attributes { mut kind, executable } = attributes;
    // Never written, so whatever path padding has does not matter.
    let components = if kind == FileKind::Padding {
        Vec::new()
    } else {
        let some = |value| strings(value).filter(|components| !components.is_empty());
        match entry.optional("path.utf-8", STRINGS, warnings, some) {
            Some(components) => components,
            None => entry.required("path", entry.typed("path", STRINGS, strings)?)?,
        }
    };
    if kind == FileKind::Regular && components.last().is_some_and(|name| is_padding_name(name)) {
        kind = FileKind::Padding;
    }
    let (path, renamed_from) = match kind {
        FileKind::Padding => (paths.padding(length), None),
        _ => paths.join(&components).map_err(|(kind, what)| entry.error(kind, "path", what))?,
    };
    let target = link_target(entry, kind);
    Ok(File { path, renamed_from, length, kind, executable, target })
}

/// Whether a file of this name is padding, as `BitComet` made it before BEP 47. A file in a folder
/// `.pad` is none by its name alone: other clients don't take it for padding either.
fn is_padding_name(name: &[u8]) -> bool {
    name.starts_with(b"_____padding_file_")
}

const STRINGS: &str = "a list of strings";

fn strings(value: Value<'_>) -> Option<Vec<&[u8]>> {
    value.list()?.map(Value::as_bytes).collect()
}

fn hashes(info: Fields<'_>, pieces: u32) -> Result<Hashes, Error> {
    let bytes = info.required("pieces", info.bytes("pieces")?)?;
    let (hashes, rest) = bytes.as_chunks::<20>();
    if !rest.is_empty() {
        let what = format!("{} bytes, which is not a multiple of 20", bytes.len());
        return Err(info.error(ErrorKind::BadValue, "pieces", what));
    }
    if hashes.len() != pieces as usize {
        let what = format!("{} hashes for {pieces} pieces", hashes.len());
        return Err(info.error(ErrorKind::Inconsistent, "pieces", what));
    }
    Ok(Hashes::Sha1(hashes.into()))
}
