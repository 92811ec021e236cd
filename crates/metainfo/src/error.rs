//! The one error type of the crate: what was wrong, where, and of which kind.
//! It never carries text from a torrent that has not been made safe for a terminal.

use std::fmt;

/// Why a torrent, a magnet URI, a hash or a bitfield was refused.
///
/// [`Display`](fmt::Display) is one line that names the key or part at fault; [`kind`](Error::kind)
/// is for programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    message: String,
}

/// What sort of fault an [`Error`] reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The bytes are not bencode.
    Bencode,
    /// A key that must be there is not.
    Missing,
    /// A key has a value of the wrong type.
    WrongType,
    /// A value is of the right type but makes no sense (a piece length of 0, say).
    BadValue,
    /// Parts of the torrent contradict each other.
    Inconsistent,
    /// A limit of this crate is exceeded; the message names it.
    TooLarge,
    /// Not an info-hash in hex.
    BadHash,
    /// A bitfield of the wrong length, or with spare bits set.
    BadBitfield,
    /// Not a magnet URI that names a torrent.
    Magnet,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// The sort of fault.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
