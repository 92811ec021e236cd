//! Why a session or a torrent in it can't go on. Never a peer's failure: those stay with the peer.

use std::fmt;
use std::io;
use std::net::SocketAddr;

/// Why a session or a torrent can't go on; `Display` is one line.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
}

/// What went wrong.
#[derive(Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The listener could not be opened at this address.
    Listen(SocketAddr, io::Error),
    /// A thread or the network runtime could not be started.
    Start(io::Error),
    /// The torrent has only a v2 info-hash (BEP 52), which is not spoken here yet.
    V2Only,
    /// A torrent with the same info-hash is in this session already.
    Duplicate(metainfo::InfoHash),
    /// What the info-hash of a magnet is of is no torrent.
    Metadata(metainfo::Error),
    /// There is no magnet in this session whose metadata waits to be used.
    NotWaiting,
    /// Pieces are missing of a torrent that was to be seeded only.
    Incomplete {
        /// Pieces that are whole on disk.
        have: u32,
        /// Pieces of the torrent.
        total: u32,
    },
    /// A file of a torrent that was to be seeded only is longer than the torrent says, or missing.
    NotWhole(storage::Error),
    /// Files could not be opened, read or written.
    Storage(storage::Error),
}

impl Error {
    /// What went wrong.
    pub fn kind(&self) -> &ErrorKind {
        &self.kind
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self { kind }
    }
}

impl From<storage::Error> for Error {
    fn from(error: storage::Error) -> Self {
        Self { kind: ErrorKind::Storage(error) }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ErrorKind::Listen(addr, error) => {
                let why = match error.kind() {
                    io::ErrorKind::AddrInUse => "the port is in use; choose another",
                    io::ErrorKind::AddrNotAvailable => {
                        "this machine does not have the address; choose one that it has"
                    }
                    io::ErrorKind::PermissionDenied => {
                        "the system does not permit it; choose a port from 1024 up"
                    }
                    _ => &storage::explain(error),
                };
                write!(f, "cannot listen on {addr}: {why}")
            }
            ErrorKind::Start(error) => {
                write!(f, "cannot start a thread: {}", storage::explain(error))
            }
            ErrorKind::V2Only => f.write_str(
                "this torrent is v2 only (BEP 52); pieces downloads v1 and hybrid torrents",
            ),
            ErrorKind::Metadata(error) => error.fmt(f),
            ErrorKind::NotWaiting => f.write_str("no torrent waits for this"),
            ErrorKind::Duplicate(hash) => write!(f, "torrent {hash} is being handled already"),
            ErrorKind::Incomplete { have, total } => {
                write!(f, "only {have} of {total} pieces are whole on disk")
            }
            ErrorKind::NotWhole(error) | ErrorKind::Storage(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.kind {
            ErrorKind::Listen(_, error) | ErrorKind::Start(error) => Some(error),
            ErrorKind::NotWhole(error) | ErrorKind::Storage(error) => Some(error),
            ErrorKind::Metadata(error) => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_cannot_be_had_is_told_with_what_to_do() {
        let addr = SocketAddr::from(([192, 0, 2, 1], 80));
        let told = |kind: io::ErrorKind| {
            Error::from(ErrorKind::Listen(addr, io::Error::from(kind))).to_string()
        };
        let words = "cannot listen on 192.0.2.1:80: the port is in use; choose another";
        assert_eq!(told(io::ErrorKind::AddrInUse), words);
        assert!(told(io::ErrorKind::AddrNotAvailable).ends_with("; choose one that it has"));
        assert!(told(io::ErrorKind::PermissionDenied).ends_with("; choose a port from 1024 up"));
        assert!(told(io::ErrorKind::Unsupported).starts_with("cannot listen on 192.0.2.1:80: "));
    }
}
