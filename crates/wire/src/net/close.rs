//! Owns the reasons for which a connection ends. Never ends one.

use std::fmt;
use std::io;

use crate::error::{Error, ErrorKind};

/// Why a connection, or its handshake, ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// The peer closed it.
    Peer,
    /// The network failed.
    Io(io::ErrorKind),
    /// The peer broke the protocol.
    Protocol(Error),
    /// The handshake was not done within [`HANDSHAKE_DEADLINE`](crate::limits::HANDSHAKE_DEADLINE).
    SlowHandshake,
    /// The peer was silent for [`IDLE_DEADLINE`](crate::limits::IDLE_DEADLINE).
    Idle,
    /// A message of the peer was not whole within [`MESSAGE_DEADLINE`](crate::limits::MESSAGE_DEADLINE).
    SlowMessage,
    /// The peer did not take a block of what waited for it within [`MESSAGE_DEADLINE`](crate::limits::MESSAGE_DEADLINE).
    SlowReader,
    /// The peer sent more than [`USELESS_BURST`](crate::limits::USELESS_BURST) messages without content.
    Useless,
    /// More than [`MAX_QUEUED`](crate::limits::MAX_QUEUED) bytes waited for the peer.
    QueueFull,
    /// We closed it: by [`Handle::close`](super::Handle::close), or because nobody was left to hear of it.
    Told,
}

impl From<io::Error> for CloseReason {
    fn from(error: io::Error) -> Self {
        Self::Io(error.kind())
    }
}

impl From<Error> for CloseReason {
    fn from(error: Error) -> Self {
        Self::Protocol(error)
    }
}

impl From<ErrorKind> for CloseReason {
    fn from(kind: ErrorKind) -> Self {
        Self::Protocol(Error::handshake(kind))
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peer => f.write_str("the peer closed the connection"),
            Self::Io(kind) => write!(f, "the connection failed: {kind}"),
            Self::Protocol(error) => error.fmt(f),
            Self::SlowHandshake => f.write_str("the peer did not finish its handshake in time"),
            Self::Idle => f.write_str("the peer was silent for too long"),
            Self::SlowMessage => f.write_str("the peer began a message and did not finish it"),
            Self::SlowReader => f.write_str("the peer does not read what it is sent"),
            Self::Useless => f.write_str("the peer sends too many messages that say nothing"),
            Self::QueueFull => f.write_str("too much waited to be sent to the peer"),
            Self::Told => f.write_str("closed by us"),
        }
    }
}
