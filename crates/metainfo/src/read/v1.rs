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
pub(super) fn read(info: Fields<'_>, name: &str, piece_length: u32) -> Result<V1, Error> {
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
    let layout = Layout::new(piece_length, &lengths)?;
    let hashes = hashes(info, layout.piece_count())?;
    Ok(V1 { files, multi_file, layout, hashes })
}

fn single(info: Fields<'_>, name: &str) -> Result<File, Error> {
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
    let attributes = Attributes::read(entry)?;
    let length = match (attributes.kind, entry.int("length")?) {
        // BEP 47 means to let links leave it out.
        (FileKind::Symlink, None | Some(0)) => 0,
        (FileKind::Symlink, Some(_)) => {
            return Err(entry.error(ErrorKind::Inconsistent, "length", "a link has no length"));
        }
        (_, length) => natural(entry, entry.required("length", length)?)?,
    };
    let (path, renamed_from) = if attributes.kind == FileKind::Padding {
        // Never written, so whatever path it has does not matter.
        (paths.padding(length), None)
    } else {
        let utf8 = entry.list("path.utf-8")?;
        let components = entry.required("path", utf8.or(entry.list("path")?))?;
        let components = components
            .map(Value::as_bytes)
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| entry.error(ErrorKind::WrongType, "path", "not a list of strings"))?;
        paths.join(&components).map_err(|(kind, what)| entry.error(kind, "path", what))?
    };
    Ok(File {
        path,
        renamed_from,
        length,
        kind: attributes.kind,
        executable: attributes.executable,
    })
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
