//! The version 1 keys of `info`: files and SHA-1 piece hashes (BEP 3, BEP 47).
//! It never looks outside `info`.

use bencode::Value;

use super::files::{Attributes, Paths};
use super::natural;
use crate::error::{Error, ErrorKind};
use crate::fields::{Fields, Place};
use crate::file::{File, FileKind};
use crate::layout::Layout;
use crate::metainfo::Hashes;

/// The version 1 half of a torrent.
pub(super) struct V1 {
    pub(super) files: Vec<File>,
    pub(super) multi_file: bool,
    pub(super) layout: Layout,
    pub(super) hashes: Hashes,
}

/// Reads `length` or `files`, and `pieces`.
pub(super) fn read(info: Fields<'_>, name: &[u8], piece_length: u32) -> Result<V1, Error> {
    let listed = info.list("files")?;
    let multi_file = listed.is_some();
    if multi_file && info.get("length").is_some() {
        return Err(info.error(
            ErrorKind::Inconsistent,
            "length",
            "a torrent has either this key or \"files\", not both",
        ));
    }
    let files = match listed {
        Some(list) => {
            let mut paths = Paths::new(name);
            list.enumerate()
                .map(|(index, entry)| file(&mut paths, entry, index))
                .collect::<Result<Vec<_>, _>>()?
        }
        None => vec![single(info, name)?],
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

fn single(info: Fields<'_>, name: &[u8]) -> Result<File, Error> {
    let attributes = Attributes::read(info)?;
    let length = info.required("length", info.int("length")?)?;
    Ok(File {
        path: name.to_owned(),
        renamed_from: None,
        length: natural(info, length)?,
        // A torrent of nothing but a link or padding has nothing to say; it is read as a file.
        kind: FileKind::Regular,
        executable: attributes.executable,
    })
}

fn file(paths: &mut Paths<'_>, entry: Value<'_>, index: usize) -> Result<File, Error> {
    let entry = Fields::new(entry, Place::File(index))?;
    let Attributes { mut kind, executable } = Attributes::read(entry)?;
    let length = match (kind, entry.int("length")?) {
        // BEP 47 means to let links leave it out.
        (FileKind::Symlink, None | Some(0)) => 0,
        (FileKind::Symlink, Some(_)) => {
            return Err(entry.error(ErrorKind::Inconsistent, "length", "a link has no length"));
        }
        (_, length) => natural(entry, entry.required("length", length)?)?,
    };
    // Never written, so whatever path padding has does not matter.
    let components = if kind == FileKind::Padding {
        Vec::new()
    } else {
        let utf8 = entry.list("path.utf-8")?;
        let components = entry.required("path", utf8.or(entry.list("path")?))?;
        components
            .map(Value::as_bytes)
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| entry.error(ErrorKind::WrongType, "path", "not a list of strings"))?
    };
    if kind == FileKind::Regular && components.last().is_some_and(|name| is_padding_name(name)) {
        kind = FileKind::Padding;
    }
    let (path, renamed_from) = match kind {
        FileKind::Padding => (paths.padding(length), None),
        _ => paths.join(&components).map_err(|(kind, what)| entry.error(kind, "path", what))?,
    };
    Ok(File { path, renamed_from, length, kind, executable })
}

/// Whether a file of this name is padding, as `BitComet` made it before BEP 47. A file in a folder
/// `.pad` is none by its name alone: other clients don't take it for padding either.
fn is_padding_name(name: &[u8]) -> bool {
    name.starts_with(b"_____padding_file_")
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
