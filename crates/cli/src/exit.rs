//! Exit codes and the failure that carries one: every way a command can end. Never prints.
//!
//! The numbers follow aria2's published table where a meaning matches, so that scripts written for
//! it keep working; README.md lists them.

use std::fmt;

use crate::{dash, text};

/// How the process ends. The discriminant is the exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Code {
    /// Done; also a seed that the user stopped.
    Done = 0,
    /// None of the others fits, as when a torrent names no tracker to ask.
    Other = 1,
    /// A file or resource that was named does not exist.
    NotFound = 3,
    /// The network failed: an address that cannot be bound, a source that cannot be fetched, no
    /// tracker that answers.
    Network = 6,
    /// Stopped by the user before everything was there, hashed or verified.
    Unfinished = 7,
    /// The disk is full.
    DiskFull = 9,
    /// A file was there before that is not the torrent's, and may not be overwritten.
    Occupied = 13,
    /// Reading or writing a file failed.
    Io = 17,
    /// Not valid bencode; for `bencode check` also what is not canonical.
    BadBencode = 25,
    /// Bencode, but not a valid torrent, or one of version 2 alone where that won't do yet.
    BadTorrent = 26,
    /// Not a valid magnet URI.
    BadMagnet = 27,
    /// An option or argument that cannot be used: also a file that is there and may not be
    /// replaced, and names that cannot be in a torrent.
    BadOption = 28,
    /// Data on disk does not match its hashes, or is missing.
    Checksum = 32,
}

impl Code {
    /// Of what happened to several torrents or files, what counts for the exit code: the one that is
    /// the least likely to go away when the same is tried again.
    pub(crate) fn worse(self, other: Self) -> Self {
        if other.badness() > self.badness() { other } else { self }
    }

    /// The higher, the worse. README.md and the help text say the order.
    fn badness(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Unfinished => 1,
            Self::Network => 2,
            Self::Other => 3,
            Self::NotFound => 4,
            Self::BadBencode => 5,
            Self::BadTorrent => 6,
            Self::BadMagnet => 7,
            Self::BadOption => 8,
            Self::Occupied => 9,
            Self::Checksum => 10,
            Self::Io => 11,
            Self::DiskFull => 12,
        }
    }
}

/// Why a command failed: one line for the user, and the exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    code: Code,
    message: String,
    told: bool,
}

impl Failure {
    /// A failure that ends the process with `code`. `message` is one line, already safe to print.
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), told: false }
    }

    /// The end of a command that has told its failures already, as they happened.
    pub(crate) fn told(code: Code) -> Self {
        Self { code, message: String::new(), told: true }
    }

    /// Whether the user knows of it already.
    pub(crate) fn is_told(&self) -> bool {
        self.told
    }

    /// The same, of the torrent or argument called `name`, which is safe to print.
    pub(crate) fn of(self, name: &str) -> Self {
        Self { message: format!("{name}: {}", self.message), ..self }
    }

    /// The exit code.
    pub(crate) fn code(&self) -> Code {
        self.code
    }

    /// What the system answered when we tried to `act` on a file that the user named.
    pub(crate) fn io(act: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        let code = match error.kind() {
            std::io::ErrorKind::NotFound => Code::NotFound,
            _ => Self::writing(error),
        };
        let (path, why) = (dash::input(path), storage::explain(error));
        Self::new(code, format!("{path}: cannot {act}: {}", text::escape(&why)))
    }

    /// What the system answered when we wrote results.
    pub(crate) fn stdout(error: &std::io::Error) -> Self {
        let why = storage::explain(error);
        Self::new(Self::writing(error), format!("cannot write to stdout: {}", text::escape(&why)))
    }

    fn writing(error: &std::io::Error) -> Code {
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Code::DiskFull,
            _ => Code::Io,
        }
    }

    /// What hashing files on disk reports.
    pub(crate) fn storage(error: &storage::Error) -> Self {
        let code = match error.kind() {
            storage::ErrorKind::NotFound => Code::NotFound,
            storage::ErrorKind::Full { .. } => Code::DiskFull,
            storage::ErrorKind::Cancelled => Code::Unfinished,
            storage::ErrorKind::Unsupported => Code::BadTorrent,
            _ => Code::Io,
        };
        let message = match error.kind() {
            storage::ErrorKind::Cancelled => "stopped before all of it was read".into(),
            _ => text::escape(&text::storage(error)).into_owned(),
        };
        Self::new(code, message)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_of_several_counts_in_whatever_order_they_come() {
        let worst =
            |codes: &[Code]| codes.iter().fold(Code::Done, |worst, code| worst.worse(*code));
        assert_eq!(worst(&[]), Code::Done);
        // From the worst down, as README.md and the help text say.
        let order = [
            Code::DiskFull,
            Code::Io,
            Code::Checksum,
            Code::BadOption,
            Code::BadMagnet,
            Code::BadTorrent,
            Code::BadBencode,
            Code::NotFound,
            Code::Other,
            Code::Network,
            Code::Unfinished,
            Code::Done,
        ];
        for pair in order.windows(2) {
            assert_eq!(worst(pair), pair[0]);
            assert_eq!(worst(&[pair[1], pair[0]]), pair[0]);
        }
    }
}
