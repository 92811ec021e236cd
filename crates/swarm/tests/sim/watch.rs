//! What must hold at every step of every run, seen from outside a node: the protocol's rules, and
//! that its counters are true. It changes nothing.

use std::collections::BTreeMap;

use metainfo::Layout;
use swarm::{PeerKey, limits};
use wire::{Message, Request};

use super::Node;
use super::talk::Talk;

/// With so many connections, walking over them at every step costs no more than the step.
const FEW: usize = 4;

#[derive(Default)]
pub(crate) struct Watch {
    open: BTreeMap<PeerKey, Talk>,
    pub(crate) requests: u64,
    steps: u64,
    pub(crate) cancels: u64,
    pub(crate) rejects: u64,
    /// Requests of pieces that are allowed fast.
    pub(crate) while_choked: u64,
}

impl Watch {
    pub(crate) fn opened(&mut self, peer: PeerKey, fast: bool) {
        self.open.insert(peer, Talk::new(fast));
    }

    pub(crate) fn closed(&mut self, peer: PeerKey) {
        self.open.remove(&peer);
    }

    pub(crate) fn received(&mut self, peer: PeerKey, message: &Message) {
        let Some(talk) = self.open.get_mut(&peer) else { return };
        self.rejects += u64::from(matches!(message, Message::Reject(_)));
        let due = talk.received(message);
        assert!(due || !talk.is_fast(), "an answer to nothing, or a second one");
    }

    pub(crate) fn sent(&mut self, peer: PeerKey, message: &Message, layout: &Layout) {
        let talk = self.open.get_mut(&peer).expect("sent to a connection that is closed");
        match message {
            Message::Request(Request { piece, offset, len }) => {
                let block = layout.range(*piece, *offset, *len).expect("within the torrent");
                // Which neither is padding nor begins or ends with any.
                assert!(layout.block_number(block).is_some(), "not a block: {block:?}");
                self.requests += 1;
                self.while_choked += u64::from(talk.is_choked());
            }
            Message::Cancel(_) => self.cancels += 1,
            _ => {}
        }
        talk.sent(message);
    }
}

impl Node {
    /// The counters are true, and what is bounded is within its bounds. The message rules above
    /// hold at every step; this walks over all pieces and peers, at every step among few peers and
    /// at every 32nd among many.
    pub(crate) fn check(&mut self, layout: &Layout) {
        self.watch.steps += 1;
        if self.watch.open.len() > FEW && !self.watch.steps.is_multiple_of(32) {
            return;
        }
        let stats = self.torrent.stats();
        let have = self.torrent.have();
        let left: u64 = have.iter_missing().map(|p| u64::from(layout.piece_content_len(p))).sum();
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
            let talk = self.watch.open.get(&peer.peer).expect("a peer without a connection");
            talk.check(&peer);
            assert!(peer.queued <= limits::MAX_QUEUE + 64);
        }
        // Begun pieces: those with a block on its way, one a peer, those being checked, and those
        // that failed and wait to be fetched again.
        let failed = usize::try_from(stats.failed_pieces).unwrap_or(usize::MAX);
        let bound = stats.blocks_requested + 2 * self.watch.open.len() + failed + 64;
        assert!(stats.partial_pieces <= bound, "{stats:?}, {bound} at most");
    }
}
