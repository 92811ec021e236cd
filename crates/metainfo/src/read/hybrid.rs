//! A hybrid torrent's two halves must describe the same files at the same places (BEP 52).
//! It compares and never mends: a torrent that is two torrents is refused.

use super::v1::V1;
use super::v2::V2;
use crate::error::{Error, ErrorKind};
use crate::fields::Fields;
use crate::file::{File, FileKind};

/// Compares both halves.
///
/// # Errors
/// When files, their order, lengths or kinds differ, or a file of the version 1 half does not
/// begin with a piece as it does in the other.
pub(super) fn check(info: Fields<'_>, v1: &V1, v2: &V2) -> Result<(), Error> {
    let differ = |what: String| {
        Err(info.error(
            ErrorKind::Inconsistent,
            "file tree",
            format_args!("hybrid torrent: {what}"),
        ))
    };
    let listed = v1.files.iter().enumerate().filter(|(_, f)| f.kind != FileKind::Padding);
    let mut tree = v2.files.iter().enumerate();
    for (index, file) in listed {
        let Some((number, other)) = tree.next() else {
            return differ(format!("file {index} of version 1 is not in version 2"));
        };
        if !same(file, &other.file) {
            return differ(format!("file {index} of version 1 is not file {number} of version 2"));
        }
        if file.length > 0 {
            let offset = v1.layout.file_offset(index);
            if !offset.is_multiple_of(u64::from(v1.layout.piece_length())) {
                return differ(format!("file {index} of version 1 does not begin with a piece"));
            }
        }
    }
    if let Some((number, _)) = tree.next() {
        return differ(format!("file {number} of version 2 is not in version 1"));
    }
    if v1.layout.piece_count() != v2.piece_count {
        let (one, two) = (v1.layout.piece_count(), v2.piece_count);
        return differ(format!("{one} pieces in version 1, {two} in version 2"));
    }
    Ok(())
}

fn same(one: &File, other: &File) -> bool {
    // Whether it is a program is a remark, not content; that of version 1 counts.
    one.path == other.path && one.length == other.length && one.kind == other.kind
}
