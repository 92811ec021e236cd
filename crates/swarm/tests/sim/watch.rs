//! What must hold at every step of every run, seen from outside a node: the protocol's rules, and
//! that its counters are true. It changes nothing.

use std::collections::BTreeMap;

use metainfo::Layout;
use swarm::{PeerKey, limits};
use wire::{Message, Request};

use super::Node;

/// With so many connections, walking over them at every step costs no more than the step.
const FEW: usize = 4;

/// One connection as its messages show it.
#[derive(Default)]
#[allow(clippy::struct_excessive_bools, reason = "the flags of the protocol")]
struct Seen {
    open: bool,
    spoke: bool,
    unchoked_us: bool,
    unchoked_it: bool,
    interested: bool,
    requested: usize,
}

#[derive(Default)]
pub(crate) struct Watch {
    seen: BTreeMap<PeerKey, Seen>,
    pub(crate) requests: u64,
    steps: u64,
    pub(crate) cancels: u64,
}

impl Watch {
    pub(crate) fn opened(&mut self, peer: PeerKey) {
        self.seen.insert(peer, Seen { open: true, ..Seen::default() });
    }

    pub(crate) fn closed(&mut self, peer: PeerKey) {
        self.seen.remove(&peer);
    }

    pub(crate) fn received(&mut self, peer: PeerKey, message: &Message) {
        let Some(seen) = self.seen.get_mut(&peer) else { return };
        match message {
            Message::Choke => {
                seen.unchoked_us = false;
                seen.requested = 0;
            }
            Message::Unchoke => seen.unchoked_us = true,
            Message::Piece { .. } => seen.requested = seen.requested.saturating_sub(1),
            _ => {}
        }
    }

    pub(crate) fn sent(&mut self, peer: PeerKey, message: &Message) {
        let seen = self.seen.get_mut(&peer).expect("sent to a connection that is closed");
        assert!(seen.open);
        match message {
            Message::Bitfield(_) => assert!(!seen.spoke, "a late bitfield"),
            Message::Request(Request { len, .. }) => {
                assert!(seen.unchoked_us, "a request while choked");
                assert!(seen.interested, "a request without interest");
                assert!(*len <= metainfo::BLOCK_LEN);
                seen.requested += 1;
                self.requests += 1;
            }
            Message::Cancel(_) => self.cancels += 1,
            Message::Piece { .. } => assert!(seen.unchoked_it, "a block to a choked peer"),
            Message::Choke => assert!(std::mem::take(&mut seen.unchoked_it), "choked twice"),
            Message::Unchoke => {
                assert!(!std::mem::replace(&mut seen.unchoked_it, true), "unchoked twice");
            }
            Message::Interested => {
                assert!(!std::mem::replace(&mut seen.interested, true), "interested twice");
            }
            Message::NotInterested => {
                assert!(std::mem::take(&mut seen.interested), "not interested twice");
            }
            _ => {}
        }
        seen.spoke = true;
    }
}

impl Node {
    /// The counters are true, and what is bounded is within its bounds. The message rules above
    /// hold at every step; this walks over all pieces and peers, at every step among few peers and
    /// at every 32nd among many.
    pub(crate) fn check(&mut self, layout: &Layout) {
        self.watch.steps += 1;
        if self.watch.seen.len() > FEW && !self.watch.steps.is_multiple_of(32) {
            return;
        }
        let stats = self.torrent.stats();
        let have = self.torrent.have();
        let left: u64 = have.iter_missing().map(|p| u64::from(layout.piece_len(p))).sum();
        assert_eq!(stats.left, left);
        let stored = self.disk.have().as_bytes();
        let lacks = have.as_bytes().iter().zip(stored).any(|(claim, truth)| claim & !truth != 0);
        assert!(!lacks, "claims what it lacks");
        assert!(stats.peers <= self.spec.max_peers);
        assert!(stats.half_open <= limits::MAX_HALF_OPEN);
        assert!(stats.upload_buffered <= limits::UPLOAD_BUFFER_ALL + limits::UPLOAD_BUFFER);
        assert!(stats.unchoked <= self.spec.slots + 1, "{} slots", stats.unchoked);
        for peer in self.torrent.peers() {
            assert!(peer.requested <= limits::WINDOW_MAX);
            assert!(!peer.peer_choking || peer.requested == 0, "a choking peer owes blocks");
            assert!(peer.queued <= limits::MAX_QUEUE + 64);
        }
        // Begun pieces: those with a block on its way, one a peer, those being checked, and those
        // that failed and wait to be fetched again.
        let failed = usize::try_from(stats.failed_pieces).unwrap_or(usize::MAX);
        let bound = stats.blocks_requested + 2 * self.watch.seen.len() + failed + 64;
        assert!(stats.partial_pieces <= bound, "{stats:?}, {bound} at most");
    }
}
