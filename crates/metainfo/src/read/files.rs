//! What both formats have in common about files: attributes, and paths below the torrent's name.
//! It never decides what a safe name is; that is for `path` and `paths`.

use bencode::Value;

use crate::error::{Error, ErrorKind};
use crate::fields::Fields;
use crate::file::{File, FileKind};
use crate::links;
use crate::metainfo::MAX_TORRENT_LEN;
use crate::path;
use crate::paths::{SameName, separate_paths};
use crate::warnings::Warnings;

/// The most bytes that all paths may take together: 256 MiB, as many as the largest torrent. A version
/// 2 tree names each folder once, so a small torrent could otherwise unfold to any size.
const MAX_PATHS_LEN: usize = MAX_TORRENT_LEN;

/// The longest path that stays as it is, in bytes: no program opens a longer one on Linux (`PATH_MAX`
/// without its NUL).
const MAX_PATH_LEN: usize = 4095;

/// The most components of a path that stays as it is: far more than any in use, as version 2 trees and
/// other programs end at a hundred, and few enough that whatever looks at all folders of a file is cheap.
const MAX_COMPONENTS: usize = 256;

/// What a path that can't stay is shortened to, in bytes: it leaves 1 KiB for the target folder.
const SHORTENED_LEN: usize = 3072;

/// The letters of `attr` (BEP 47).
pub(super) struct Attributes {
    pub(super) kind: FileKind,
    pub(super) executable: bool,
}

impl Attributes {
    pub(super) fn read(fields: Fields<'_>, warnings: &mut Warnings) -> Self {
        let letters = fields.optional("attr", "a string", warnings, Value::as_bytes);
        let letters = letters.unwrap_or_default();
        let kind = if letters.contains(&b'p') {
            FileKind::Padding
        } else if letters.contains(&b'l') {
            FileKind::Symlink
        } else {
            FileKind::Regular
        };
        Self { kind, executable: letters.contains(&b'x') }
    }

    /// The file's length. A link has none, whatever stands there; BEP 47 means to let it out.
    pub(super) fn length(&self, fields: Fields<'_>, warnings: &mut Warnings) -> Result<u64, Error> {
        const KEY: &str = "length";
        if self.kind == FileKind::Symlink {
            let zero = |length: Value<'_>| length.as_int().filter(|length| *length == 0);
            fields.optional(KEY, "that of a link, which is 0", warnings, zero);
            return Ok(0);
        }
        let length = fields.required(KEY, fields.int(KEY)?)?;
        u64::try_from(length).map_err(|_| fields.error(ErrorKind::BadValue, KEY, "negative"))
    }
}

/// What the torrent has as the target of a link; nothing for other files. What makes no sense there costs
/// the link only.
pub(super) fn link_target(fields: Fields<'_>, kind: FileKind) -> Option<Vec<u8>> {
    let listed = fields.get("symlink path").filter(|_| kind == FileKind::Symlink)?.list()?;
    let components: Vec<&[u8]> = listed.map(Value::as_bytes).collect::<Option<_>>()?;
    links::raw_target(components.into_iter())
}

/// A path and, if it had to change, what the torrent has there.
pub(super) type Joined = (Vec<u8>, Option<String>);

/// Joins path components below a folder, and keeps count of what that takes.
pub(super) struct Paths<'n> {
    folder: &'n [u8],
    total: usize,
}

impl<'n> Paths<'n> {
    /// `folder` is a safe component, or empty.
    pub(super) fn new(folder: &'n [u8]) -> Self {
        Self { folder, total: 0 }
    }

    /// The path, and what it was if it had to change. `.` and `..` are left out of it, as others do
    /// too, and the innermost folders of one that is too long.
    ///
    /// # Errors
    /// The kind of error and its reason, for the caller to name the key.
    pub(super) fn join(
        &mut self,
        components: &[&[u8]],
    ) -> Result<Joined, (ErrorKind, &'static str)> {
        if components.is_empty() {
            return Err((ErrorKind::BadValue, "no components"));
        }
        let all_go_nowhere = components.iter().all(|raw| path::goes_nowhere(raw));
        let mut joined = self.folder.to_owned();
        let mut changed = false;
        for (index, raw) in components.iter().enumerate() {
            if path::goes_nowhere(raw) && (!all_go_nowhere || index > 0) {
                changed = true;
                continue;
            }
            let safe = path::component(raw);
            changed |= safe != *raw;
            if !joined.is_empty() {
                joined.push(b'/');
            }
            joined.extend_from_slice(&safe);
        }
        if joined.len() > MAX_PATH_LEN || components.len() > MAX_COMPONENTS {
            let shortened = shorten(&joined);
            changed |= shortened != joined;
            joined = shortened;
        }
        self.total = self.total.saturating_add(joined.len());
        if self.total > MAX_PATHS_LEN {
            return Err((ErrorKind::TooLarge, "all paths together take over 256 MiB"));
        }
        Ok((joined, changed.then(|| path::original(components.iter().copied()))))
    }

    /// The path a padding file of this length is shown with (BEP 47).
    pub(super) fn padding(&self, length: u64) -> Vec<u8> {
        [self.folder, format!("/.pad/{length}").as_bytes()].concat()
    }
}

/// The path without its innermost folders, as many as it takes.
fn shorten(path: &[u8]) -> Vec<u8> {
    let parts = || path.split(|byte| *byte == b'/');
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
    let room = SHORTENED_LEN.saturating_sub(name.len());
    let folders = parts().count().saturating_sub(1).min(MAX_COMPONENTS);
    let mut shortened = Vec::new();
    for folder in parts().take(folders) {
        if shortened.len() + folder.len() + 1 > room {
            break;
        }
        shortened.extend_from_slice(folder);
        shortened.push(b'/');
    }
    shortened.extend_from_slice(name);
    shortened
}

/// Gives files whose paths meet other names, and reports all that were renamed; finds what links lead to.
/// `top` is the folder of all files, or empty.
pub(super) fn finish(mut files: Vec<File>, top: &[u8], warnings: &mut Warnings) -> Vec<File> {
    // Only what reaches the disk can meet there.
    let on_disk: Vec<usize> = (0..files.len())
        .filter(|index| files.get(*index).is_some_and(|file| file.kind == FileKind::Regular))
        .collect();
    let paths: Vec<&[u8]> =
        on_disk.iter().filter_map(|index| Some(files.get(*index)?.path.as_slice())).collect();
    for (at, path) in separate_paths(&paths, SameName::Bytes, path::MAX_COMPONENT_LEN) {
        if let Some(file) = on_disk.get(at).and_then(|index| files.get_mut(*index)) {
            let old = std::mem::replace(&mut file.path, path);
            file.renamed_from.get_or_insert_with(|| path::original([old.as_slice()]));
        }
    }
    for file in &files {
        if let Some(before) = &file.renamed_from {
            let now = path::original([file.path.as_slice()]);
            warnings.add(|| format!("renamed: \"{before}\" is \"{now}\""));
        }
    }
    links::settle(&mut files, top, warnings);
    files
}
