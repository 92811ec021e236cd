//! What must hold at every step of every run, seen from outside a node: the protocol's rules, and
//! that its counters are true. It changes nothing.

use std::collections::{BTreeMap, BTreeSet};

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
    fast: bool,
    /// With the fast extension: requests that were not answered yet, and how often each.
    unanswered: BTreeMap<Request, u32>,
    /// Pieces that it may request, and those that we may, while choked.
    granted: BTreeSet<u32>,
    allowed: BTreeSet<u32>,
}

impl Seen {
    /// Every request gets one answer, and nothing else is one.
    fn answered(&mut self, request: Request) {
        if self.fast {
            let unanswered = self.unanswered.get_mut(&request);
            let count = unanswered.expect("an answer to nothing, or a second one");
            *count -= 1;
            if *count == 0 {
                self.unanswered.remove(&request);
            }
        }
    }
}

#[derive(Default)]
pub(crate) struct Watch {
    seen: BTreeMap<PeerKey, Seen>,
    pub(crate) requests: u64,
    steps: u64,
    pub(crate) cancels: u64,
    pub(crate) rejects: u64,
    /// Requests of pieces that are allowed fast.
    pub(crate) while_choked: u64,
}

impl Watch {
    pub(crate) fn opened(&mut self, peer: PeerKey, fast: bool) {
        self.seen.insert(peer, Seen { open: true, fast, ..Seen::default() });
    }

    pub(crate) fn closed(&mut self, peer: PeerKey) {
        self.seen.remove(&peer);
    }

    pub(crate) fn received(&mut self, peer: PeerKey, message: &Message) {
        let Some(seen) = self.seen.get_mut(&peer) else { return };
        match message {
            Message::Choke => seen.unchoked_us = false,
            Message::Unchoke => seen.unchoked_us = true,
            Message::Piece { piece, offset, payload } => {
                let len = u32::try_from(payload.len()).expect("a block");
                seen.answered(Request { piece: *piece, offset: *offset, len });
            }
            Message::Reject(request) => {
                seen.answered(*request);
                self.rejects += 1;
            }
            Message::AllowedFast(piece) => {
                seen.allowed.insert(*piece);
            }
            _ => {}
        }
    }

    pub(crate) fn sent(&mut self, peer: PeerKey, message: &Message) {
        let seen = self.seen.get_mut(&peer).expect("sent to a connection that is closed");
        assert!(seen.open);
        match message {
            Message::Bitfield(_) | Message::HaveAll | Message::HaveNone => {
                assert!(!seen.spoke, "a late bitfield");
            }
            Message::Request(request) => {
                let allowed = seen.allowed.contains(&request.piece);
                assert!(seen.unchoked_us || allowed, "a request while choked");
                assert!(seen.interested, "a request without interest");
                assert!(request.len <= metainfo::BLOCK_LEN);
                *seen.unanswered.entry(*request).or_default() += 1;
                self.requests += 1;
                self.while_choked += u64::from(!seen.unchoked_us);
            }
            Message::AllowedFast(piece) => {
                seen.granted.insert(*piece);
            }
            Message::Cancel(_) => self.cancels += 1,
            Message::Piece { piece, .. } => {
                let granted = seen.granted.contains(piece);
                assert!(seen.unchoked_it || granted, "a block to a choked peer");
            }
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
            let fast = self.watch.seen.get(&peer.peer).is_some_and(|seen| seen.fast);
            assert!(
                !peer.peer_choking || fast || peer.requested == 0,
                "a choking peer owes blocks"
            );
            assert!(peer.queued <= limits::MAX_QUEUE + 64);
        }
        // Begun pieces: those with a block on its way, one a peer, those being checked, and those
        // that failed and wait to be fetched again.
        let failed = usize::try_from(stats.failed_pieces).unwrap_or(usize::MAX);
        let bound = stats.blocks_requested + 2 * self.watch.seen.len() + failed + 64;
        assert!(stats.partial_pieces <= bound, "{stats:?}, {bound} at most");
    }
}
