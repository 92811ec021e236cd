//! What is under way between a torrent's task and the outside: its connections and what is queued for
//! each, jobs for the disk, reads that wait. Plain state; it decides nothing.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::Instant;

use metainfo::Block;
use storage::Job;
use swarm::PeerKey;
use wire::net::Handle;
use wire::{Message, Payload};

/// What is under way between the torrent and the outside.
#[derive(Default)]
pub(crate) struct Work {
    pub(super) peers: HashMap<PeerKey, Peer>,
    pub(super) last_key: u64,
    /// Peers that are to hear of our DHT node, after what has to come first.
    pub(super) greet: Vec<PeerKey>,
    /// Peers with something in their `outbox`, each once.
    pub(super) dirty: Vec<PeerKey>,
    pub(super) jobs: Vec<Job<Payload>>,
    /// Reads that wait for a buffer, oldest first.
    pub(super) waiting_reads: VecDeque<(PeerKey, Block)>,
    /// Set while saying good-bye: when to leave whatever has been answered.
    pub(super) leave_at: Option<Instant>,
    /// The files are closed and the resume state is saved.
    pub(crate) files_closed: bool,
}

/// One connection as its torrent's task sees it.
pub(super) struct Peer {
    pub(super) handle: Handle,
    pub(super) addr: SocketAddr,
    pub(super) outbox: Vec<Message>,
    /// It named a DHT node already.
    pub(super) has_node: bool,
}

impl Work {
    pub(super) fn queue(&mut self, peer: PeerKey, message: Message) {
        if let Some(entry) = self.peers.get_mut(&peer) {
            if entry.outbox.is_empty() {
                self.dirty.push(peer);
            }
            entry.outbox.push(message);
        }
    }

    /// Sends every peer what was queued for it.
    pub(super) fn flush(&mut self) {
        for peer in self.dirty.drain(..) {
            if let Some(entry) = self.peers.get_mut(&peer) {
                entry.handle.send_all(&mut entry.outbox);
            }
        }
    }
}
