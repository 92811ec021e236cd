//! Owns what can be wrong with the payload of an extended message. Never judges what follows for its sender.

use std::fmt;

/// An extended message that can't be read. It concerns its sender alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Error {
    message: &'static str,
    fault: Fault,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Bencode(bencode::Error),
    Lacks(&'static str),
    Length(usize),
}

impl Error {
    pub(super) fn bencode(message: &'static str, error: bencode::Error) -> Self {
        Self { message, fault: Fault::Bencode(error) }
    }

    /// Something that the message can't do without is not there, or makes no sense.
    pub(super) fn lacks(message: &'static str, what: &'static str) -> Self {
        Self { message, fault: Fault::Lacks(what) }
    }

    pub(super) fn length(message: &'static str, len: usize) -> Self {
        Self { message, fault: Fault::Length(len) }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the peer's {} message ", self.message)?;
        match self.fault {
            Fault::Bencode(error) => write!(f, "can't be read: {error}"),
            Fault::Lacks(what) => write!(f, "has no usable {what}"),
            Fault::Length(len) => write!(f, "has the wrong length {len}"),
        }
    }
}

impl std::error::Error for Error {}
