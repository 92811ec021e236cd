//! Owns what can be wrong with the bytes of a peer. Never speaks of sockets or deadlines.

use std::fmt;

/// What a peer sent that no peer may send. It concerns that peer alone: close its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    id: Option<u8>,
    len: u32,
}

/// The sorts of [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The first 20 bytes are not those of the BitTorrent protocol.
    NotBitTorrent,
    /// The handshake names a torrent other than the one we asked for, or one we do not have.
    WrongInfoHash,
    /// The peer's side of the encryption handshake is not one: a pad or initial payload too long, a hash or constant that
    /// does not come, a public key that keeps no secret.
    BadEncryption,
    /// The peer offers, or chose, no way of sending that we agree to.
    NoCommonMethod,
    /// The peer speaks in the clear where only encryption will do: we require it, or began with it.
    Unencrypted,
    /// A message claims to be longer than any may be.
    MessageTooLong,
    /// A message's length is not one its kind can have.
    WrongLength,
}

impl Error {
    pub(crate) fn handshake(kind: ErrorKind) -> Self {
        Self { kind, id: None, len: 0 }
    }

    pub(crate) fn too_long(len: u32) -> Self {
        Self { kind: ErrorKind::MessageTooLong, id: None, len }
    }

    pub(crate) fn wrong_length(id: u8, len: u32) -> Self {
        Self { kind: ErrorKind::WrongLength, id: Some(id), len }
    }

    /// What sort of error it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            ErrorKind::NotBitTorrent => {
                f.write_str("the peer does not speak the BitTorrent protocol")
            }
            ErrorKind::WrongInfoHash => {
                f.write_str("the peer's handshake names another torrent than expected")
            }
            ErrorKind::BadEncryption => {
                f.write_str("the peer's encryption handshake makes no sense")
            }
            ErrorKind::NoCommonMethod => {
                f.write_str("the peer and we agree to no method of encryption")
            }
            ErrorKind::Unencrypted => {
                f.write_str("the peer does not encrypt where it would have to")
            }
            ErrorKind::MessageTooLong => {
                let max = crate::limits::MAX_MESSAGE_LEN;
                write!(f, "the peer announced a message of {} bytes, more than {max}", self.len)
            }
            ErrorKind::WrongLength => {
                let name = self.id.map_or("message", crate::message::name);
                let article = if name.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
                let len = self.len;
                write!(f, "the peer announced {article} {name} message of the wrong length {len}")
            }
        }
    }
}

impl std::error::Error for Error {}
