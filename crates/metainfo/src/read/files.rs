//! What both formats have in common about files: attributes, and paths below the torrent's name.
//! It never decides what a safe name is; that is `path` and `paths`.

use crate::error::{Error, ErrorKind};
use crate::fields::Fields;
use crate::file::{File, FileKind};
use crate::path;
use crate::paths;
use crate::warnings::Warnings;

/// The longest path, in bytes: Linux opens none longer in one call, others not even that.
const MAX_PATH_LEN: usize = 4096;

/// The most bytes that all paths may take together: 128 MiB, twice the largest torrent. A version
/// 2 tree names each folder once, so a small torrent could otherwise unfold to any size.
const MAX_PATHS_LEN: usize = 128 * 1024 * 1024;

/// The letters of `attr` (BEP 47).
pub(super) struct Attributes {
    pub(super) kind: FileKind,
    pub(super) executable: bool,
}

impl Attributes {
    pub(super) fn read(fields: Fields<'_>) -> Result<Self, Error> {
        let letters = fields.bytes("attr")?.unwrap_or_default();
        let kind = if letters.contains(&b'p') {
            FileKind::Padding
        } else if letters.contains(&b'l') {
            FileKind::Symlink
        } else {
            FileKind::Regular
        };
        Ok(Self { kind, executable: letters.contains(&b'x') })
    }
}

/// Joins path components below a folder, and keeps count of what that takes.
pub(super) struct Paths<'n> {
    folder: &'n str,
    total: usize,
}

impl<'n> Paths<'n> {
    /// `folder` is a sanitised component, or empty.
    pub(super) fn new(folder: &'n str) -> Self {
        Self { folder, total: 0 }
    }

    /// The sanitised path, and what it was if it had to change.
    ///
    /// # Errors
    /// The kind of error and its reason, for the caller to name the key.
    pub(super) fn join(
        &mut self,
        components: &[&[u8]],
    ) -> Result<(String, Option<String>), (ErrorKind, &'static str)> {
        if components.is_empty() {
            return Err((ErrorKind::BadValue, "no components"));
        }
        let mut joined = self.folder.to_owned();
        let mut changed = false;
        for raw in components {
            let safe = path::component(raw)
                .map_err(|refused| (ErrorKind::UnsafePath, refused.reason()))?;
            changed |= safe.as_bytes() != *raw;
            if !joined.is_empty() {
                joined.push('/');
            }
            joined.push_str(&safe);
            if joined.len() > MAX_PATH_LEN {
                return Err((ErrorKind::TooLarge, "a path of over 4096 bytes"));
            }
        }
        self.total += joined.len();
        if self.total > MAX_PATHS_LEN {
            return Err((ErrorKind::TooLarge, "all paths together take over 128 MiB"));
        }
        Ok((joined, changed.then(|| path::original(components.iter().copied()))))
    }

    /// The path a padding file of this length is shown with (BEP 47).
    pub(super) fn padding(&self, length: u64) -> String {
        format!("{}/.pad/{length}", self.folder)
    }
}

/// Gives files whose paths meet other names, and reports all that were renamed.
pub(super) fn finish(mut files: Vec<File>, warnings: &mut Warnings) -> Vec<File> {
    // Only what reaches the disk can meet there.
    let mut on_disk: Vec<&mut File> =
        files.iter_mut().filter(|file| file.kind == FileKind::Regular).collect();
    paths::separate(&mut on_disk);
    for file in &files {
        if let Some(before) = &file.renamed_from {
            warnings.add(|| format!("renamed: \"{before}\" is \"{}\" on disk", file.path));
        }
    }
    files
}
