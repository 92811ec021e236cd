//! The words a driver and a [`Dht`](crate::Dht) exchange: inputs, actions, events. Plain data;
//! nothing here decides anything or touches a socket, a file or a clock.

use std::net::{IpAddr, SocketAddr};

use crate::addr::Family;

/// What a node is told once, when it starts.
#[derive(Clone, Debug)]
pub struct Config {
    /// The families there are sockets for.
    pub families: Vec<Family>,
    /// Ask, but answer nobody, and tell them so (BEP 43): for who cannot be reached, or pays by the
    /// byte.
    pub read_only: bool,
    /// Our addresses as the world sees them, as far as they are known. The node learns them from
    /// others too.
    pub external: Vec<IpAddr>,
}

impl Default for Config {
    fn default() -> Self {
        Self { families: Family::ALL.to_vec(), read_only: false, external: Vec::new() }
    }
}

/// What happened outside. Hand each to [`Dht::handle`](crate::Dht::handle).
#[derive(Debug)]
pub enum Input<'a> {
    /// A datagram came.
    Packet {
        /// Whom it says it is from.
        from: SocketAddr,
        /// All of it.
        bytes: &'a [u8],
    },
    /// Bootstrap nodes, after [`Action::Bootstrap`]: all that their names stand for.
    Bootstrap {
        /// Where they are.
        addrs: Vec<SocketAddr>,
    },
    /// There may be a node at this address: a peer said so (the `port` message), or a torrent.
    Node {
        /// Where.
        addr: SocketAddr,
    },
    /// From now on, look for the peers of a torrent.
    Join {
        /// The torrent.
        info_hash: [u8; 20],
        /// The port we take its peers' connections on, to be announced; `None` announces nothing.
        port: Option<u16>,
    },
    /// Stop looking for the peers of a torrent. What was announced is forgotten by itself.
    Leave {
        /// The torrent.
        info_hash: [u8; 20],
    },
}

/// What to do outside. Taken from [`Dht::poll`](crate::Dht::poll).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send a datagram from the socket of its family. One that cannot be sent is lost, as any may be.
    Send {
        /// To whom.
        to: SocketAddr,
        /// All of it.
        bytes: Vec<u8>,
    },
    /// Find the addresses of the bootstrap nodes and give them back as [`Input::Bootstrap`]: too few
    /// nodes are known.
    Bootstrap,
    /// Peers of a torrent that was joined: what a search comes across, none twice, and whoever announces
    /// to us.
    Found {
        /// The torrent.
        info_hash: [u8; 20],
        /// Where to dial.
        addrs: Vec<SocketAddr>,
    },
    /// Something worth telling.
    Event(Event),
}

/// What the outside may want to show or write down.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The node has found its place among the others.
    Ready {
        /// In which network.
        family: Family,
        /// How many nodes it knows.
        nodes: usize,
    },
    /// A search is over.
    Searched {
        /// The torrent.
        info_hash: [u8; 20],
        /// In which network.
        family: Family,
        /// Peers it found.
        peers: usize,
        /// Queries it made.
        asked: usize,
        /// Those of them that were answered.
        replied: usize,
        /// How many nodes lead one to the next from us to the closest that answered.
        hops: usize,
        /// Nodes we announced ourselves to.
        announced: usize,
    },
    /// Others agree that this is our address, and the node has taken an id that fits it.
    External {
        /// The address.
        ip: IpAddr,
    },
}

/// How a node stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Good nodes of IPv4.
    pub nodes_v4: usize,
    /// Good nodes of IPv6.
    pub nodes_v6: usize,
    /// Lookups under way.
    pub lookups: usize,
    /// Queries that wait for their answer.
    pub pending: usize,
    /// Torrents that are looked for.
    pub torrents: usize,
    /// Peers that others announced here.
    pub stored: usize,
    /// Queries of others that were answered.
    pub answered: u64,
    /// Queries of others that were not, because they were too many.
    pub unanswered: u64,
    /// Datagrams that made no sense.
    pub malformed: u64,
}
