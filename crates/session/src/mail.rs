//! What reaches a torrent's task: one queue for everything that happens to it. Sending never blocks;
//! what may pile up is bounded by its sources (a few batches a peer, the buffer pools, the trackers'
//! threads).

use std::net::SocketAddr;
use std::sync::Arc;

use metainfo::InfoHash;
use storage::Done;
use swarm::{Origin, PeerKey, Source};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use wire::net::{Batch, CloseReason, Stream};
use wire::{Handshake, Payload, PeerId, Reserved};

use crate::descriptors::ConnectionPlace;
use crate::event::Snapshot;
use crate::finder::Finder;
use crate::start::Opened;

/// Something that happened to a torrent.
pub(crate) enum Mail {
    /// A handshake is complete in both directions.
    Connected {
        stream: Stream<TcpStream>,
        /// Its place among all connections, to be kept as long as the stream.
        place: ConnectionPlace,
        addr: SocketAddr,
        origin: Origin,
        theirs: Handshake,
    },
    /// A dial came to nothing.
    DialFailed { addr: SocketAddr, reason: String },
    /// What a peer sent since its last batch.
    Peer { peer: PeerKey, batch: Batch },
    /// A connection ended.
    Closed { peer: PeerKey, reason: CloseReason },
    /// The disk finished jobs.
    Disk(Vec<Done<Payload>>),
    /// Peers were found.
    Found { addrs: Vec<SocketAddr>, source: Source },
    /// The torrent was named once more, with these tiers of trackers.
    Trackers(Vec<Vec<String>>),
    /// A tracker answered, or did not.
    Announced { tracker: usize, url: String, result: Result<tracker::Reply, tracker::Error> },
    /// The torrent file that a magnet stands for is kept for the next time, if that could be done.
    Kept(Vec<u8>),
    /// The files of a magnet whose metadata is here are being opened; it may turn out to be private.
    Opening { private: bool },
    /// They are open.
    Opened(Box<Opened>),
    /// They can't be opened, and are closed.
    OpenFailed(crate::Error),
    /// The resume state of the closed files is saved.
    Saved,
    /// Somebody wants to know how things stand.
    Snapshot(crossbeam_channel::Sender<Snapshot>),
    /// Say good-bye and end.
    Stop,
}

/// Where mail for one torrent goes.
pub(crate) type Mailbox = mpsc::UnboundedSender<Mail>;

/// The extensions that our handshakes name.
pub(crate) const RESERVED: Reserved = Reserved::NONE.with_extended().with_fast();

/// What an incoming handshake is answered with, and who takes over.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) info_hash: InfoHash,
    pub(crate) peer_id: PeerId,
    pub(crate) mailbox: Mailbox,
    /// Where else peers are looked for; a private torrent has none (BEP 27).
    pub(crate) finder: Option<Arc<Finder>>,
}

impl Entry {
    /// Our half of the handshake.
    pub(crate) fn handshake(&self) -> Handshake {
        let dht = self.finder.as_ref().is_some_and(|finder| finder.dht_port().is_some());
        let reserved = RESERVED;
        Handshake {
            reserved: if dht { reserved.with_dht() } else { reserved },
            info_hash: *self.info_hash.as_bytes(),
            peer_id: self.peer_id,
        }
    }
}
