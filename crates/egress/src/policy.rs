//! The table: who may name which address. The only place that decides it.
//!
//! | on whose word | the nearest it may name | ports of services |
//! |---|---|---|
//! | the user's: `--peer`, a torrent's URL, DHT nodes to begin with | loopback | yes |
//! | a tracker URL of a torrent or magnet | loopback; `tracker` wants a tracker's path there | no |
//! | a magnet: peers (`x.pe`) | loopback; `session` wants an info-hash without a line break | no |
//! | a tracker: peers of its reply | as near as the tracker itself is | no |
//! | a web server: redirects | as near as the server itself is | no |
//! | a DHT node: nodes and peers | as near as the node itself is | no |
//! | a peer: other peers (BEP 11) | as near as the peer itself is | no |
//! | a neighbour: itself (BEP 14) | its own address, and only where that is not global | no |
//! | a peer: itself (BEP 10 `p`, BEP 5 `port`) | its own address | no |
//!
//! Nobody may name what is no host's address, or port 0.
//!
//! Why "as near as": who is reached at a near address sees others near as we do, so a tracker of a
//! local network may name its members. Who is far can't know what is near us, and who names it all
//! the same wants us to knock there. A torrent and a magnet are a stranger's words, too, but the user
//! has chosen them, and local networks share files by them.

use std::fmt;
use std::net::SocketAddr;

use crate::class::Class;
use crate::services::is_service;

/// On whose word an address is to be contacted. The class is that of whoever speaks: of the address
/// that answered, and of several the farthest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// The user's own.
    User,
    /// A torrent's or magnet's, of its trackers.
    Torrent,
    /// A magnet's, of peers.
    Magnet,
    /// A tracker's, of peers.
    Tracker(Class),
    /// A web server's, of where to go instead. The class is that of the first server that was asked.
    Redirect(Class),
    /// A DHT node's, of others and of peers.
    Dht(Class),
    /// A peer's, of others.
    Pex(Class),
    /// A neighbour's, of itself: its address is that of its datagram.
    Neighbour,
    /// A peer's, of itself: its address is that of its connection.
    Itself,
}

/// Why an address may not be contacted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// Port 0.
    NoPort,
    /// No host has such an address.
    NoHost,
    /// It is nearer than whoever named it may know.
    Near(Class),
    /// It is not near, where only neighbours are believed.
    Far,
    /// The port is that of a service that is no peer.
    Service(u16),
}

/// Whether `addr` may be contacted on that word.
///
/// # Errors
/// Why not.
pub fn may_contact(word: Word, addr: SocketAddr) -> Result<(), Refusal> {
    let class = Class::of(addr.ip());
    let (farthest, nearest) = match word {
        Word::User | Word::Torrent | Word::Magnet | Word::Itself => {
            (Class::Global, Class::Loopback)
        }
        Word::Tracker(of) | Word::Redirect(of) | Word::Dht(of) | Word::Pex(of) => {
            (Class::Global, of)
        }
        Word::Neighbour => (Class::Shared, Class::Loopback),
    };
    if class == Class::Nowhere {
        Err(Refusal::NoHost)
    } else if addr.port() == 0 {
        Err(Refusal::NoPort)
    } else if class > nearest {
        Err(Refusal::Near(class))
    } else if class < farthest {
        Err(Refusal::Far)
    } else if word != Word::User && is_service(addr.port()) {
        Err(Refusal::Service(addr.port()))
    } else {
        Ok(())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPort => f.write_str("port 0 cannot be connected to"),
            Self::NoHost => f.write_str("no host has such an address"),
            Self::Near(Class::Loopback) => f.write_str("the address of this machine"),
            Self::Near(Class::LinkLocal) => f.write_str("an address of this machine's link"),
            Self::Near(_) => f.write_str("an address of a private network"),
            Self::Far => f.write_str("not an address of the local network"),
            Self::Service(port) => write!(f, "port {port} is that of another service"),
        }
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests;
