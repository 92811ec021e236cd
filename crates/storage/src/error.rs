//! The crate's error: what went wrong with which file, in one line, with a kind for programs.
//! It never carries an open file or a borrowed path, so it can cross threads and be cloned.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::advice::explain;
use crate::descriptors;
use crate::spec::Spec;

/// What went wrong on disk, and where.
///
/// [`Display`](fmt::Display) is one line that names the path, safe to show; [`kind`](Error::kind) is for
/// programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    path: Option<PathBuf>,
    message: String,
}

/// What sort of fault an [`Error`] reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A file or folder that has to be there is not.
    NotFound,
    /// The system does not let us read or write it (permissions, a read-only file system).
    Denied,
    /// Another torrent or another process has these files open.
    Locked,
    /// The disk, or the user's share of it, is full.
    Full {
        /// How many bytes are missing before the torrent fits; at least 1.
        missing: u64,
    },
    /// The file is larger than its file system can hold.
    TooLarge,
    /// A name or a path is longer than its file system can hold.
    NameTooLong,
    /// Somebody else truncated, replaced, removed or wrote the file. What was known about its
    /// pieces no longer holds: close the torrent, open it again and verify.
    Changed,
    /// A file that was there before is not the torrent's: longer, or of other content.
    Occupied,
    /// The path is not one below the target folder, or names something that is not a regular file.
    Unsafe,
    /// A file of the torrent is one that the caller wants to keep, see [`Spec::keeping`](crate::Spec).
    Kept,
    /// A symbolic link leads out of the target folder; the error names it and says where it leads.
    /// [`Spec::with_follow_links`](crate::Spec::with_follow_links) follows it.
    LinkOut,
    /// The process may not open more files.
    NoDescriptors,
    /// The torrent is not open, or this crate can't handle its version.
    Unsupported,
    /// The caller's cancel flag was raised.
    Cancelled,
    /// Any other failure of the device or the system.
    Io,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, path: &Path, message: impl Into<String>) -> Self {
        Self { kind, path: Some(path.to_owned()), message: message.into() }
    }

    pub(crate) fn plain(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, path: None, message: message.into() }
    }

    /// What the system answered when we tried to `act` on `path`.
    pub(crate) fn io(act: &str, path: &Path, error: &io::Error) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::NotFound => ErrorKind::NotFound,
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                ErrorKind::Denied
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                ErrorKind::Full { missing: 1 }
            }
            io::ErrorKind::FileTooLarge => ErrorKind::TooLarge,
            io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory => ErrorKind::Unsafe,
            _ if descriptors::ran_out(error) => ErrorKind::NoDescriptors,
            _ => match error.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
                Some(rustix::io::Errno::NAMETOOLONG) => ErrorKind::NameTooLong,
                Some(rustix::io::Errno::LOOP | rustix::io::Errno::XDEV) => ErrorKind::Unsafe,
                _ => ErrorKind::Io,
            },
        };
        Self::new(kind, path, format!("cannot {act}: {}", explain(error)))
    }

    /// Another program changed a file of the torrent between two looks at it.
    pub fn changed_meanwhile(spec: &Spec, file: usize) -> Self {
        let message =
            "was changed by another program while it was checked; start again when that is done";
        Self::new(ErrorKind::Changed, &spec.path_of(file), message)
    }

    /// The answer to a job for a torrent that is not open.
    pub(crate) fn closed() -> Self {
        Self::plain(ErrorKind::Unsupported, "the torrent is not open")
    }

    /// The answer when the caller's cancel flag was raised.
    pub(crate) fn cancelled() -> Self {
        Self::plain(ErrorKind::Cancelled, "cancelled")
    }

    /// The sort of fault.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The file or folder at fault, if it is one.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.path {
            write!(f, "{}: ", metainfo::sanitise_name(path.as_os_str().as_encoded_bytes()))?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn a_path_is_shown_without_what_a_terminal_obeys() {
        let path = Path::new(OsStr::from_bytes(b"gr\xfcn\x1b[2J"));
        let error = Error::new(ErrorKind::NotFound, path, "is not there");
        assert_eq!(error.to_string(), r"gr\xfcn\u{1b}[2J: is not there");
    }
}
