//! How pieces spread over the swarm (the rules that make many copies of what is rare): what few have
//! is served first, what only one peer has is asked of it first, and requests that wait at one peer
//! move to another that got the piece meanwhile.

use std::cmp::Reverse;
use std::time::Instant;

use metainfo::{Block, PieceIndex};
use wire::Message;

use super::Torrent;
use super::download::request;
use crate::border::PeerKey;
use crate::limits::{GIVES_ALIKE, MOVE_FROM_SLOW, OPEN_PER_PEER};
use crate::partial::Partial;
use crate::peer::Peer;

impl Torrent {
    /// Takes out of the queue the peer to serve next: the most urgent one; of these, the one that gives
    /// us more, since it will pass more of it on; of these, the one that has waited for longest.
    pub(super) fn next_service(&mut self, now: Instant) -> Option<PeerKey> {
        // Without a limit, all of them are served as far as their buffers go.
        let contenders = if self.upload_limit.is_some() { self.services.len() } else { 1 };
        let mut first = None;
        for at in 0..contenders {
            let key = *self.services.get(at)?;
            self.count_copies(now, key);
            // Where there is nothing to serve, the place in the queue is given up.
            let order = self.peers.get(&key).and_then(|peer| {
                let (urgency, _) = peer.uploads.next(now)?;
                let gives = if urgency.is_overdue() { 0 } else { peer.down.rate() / GIVES_ALIKE };
                Some((urgency, Reverse(gives)))
            });
            if first.is_none_or(|(before, _)| order < before) {
                first = Some((order, at));
            }
        }
        self.services.remove(first?.1)
    }

    /// Finds out how many others have the pieces that a peer asks for.
    fn count_copies(&mut self, now: Instant, key: PeerKey) {
        let uncounted = |torrent: &Self| torrent.peers.get(&key)?.uploads.queue.uncounted(now);
        while let Some(piece) = uncounted(self) {
            let holds = |(other, peer): &(&PeerKey, &Peer)| {
                **other != key
                    && (peer.pieces.contains(piece) || peer.uploads.queue.is_given(piece))
            };
            let copies = self.peers.iter().filter(holds).count();
            let Some(peer) = self.peers.get_mut(&key) else { return };
            peer.uploads.queue.counted(now, piece, u32::try_from(copies).unwrap_or(u32::MAX));
        }
    }

    /// A peer is being sent a piece: those that ask for it too are less urgent.
    pub(super) fn one_more_copy(&mut self, piece: PieceIndex) {
        for key in &self.services {
            if let Some(peer) = self.peers.get_mut(key) {
                peer.uploads.queue.one_more(piece);
            }
        }
    }

    /// A block of a piece that no other connected peer has, if there is one that can be asked of this
    /// peer: nothing else can be asked of others instead.
    pub(super) fn sole_block(&mut self, key: PeerKey) -> Option<Block> {
        if self.peers.len() < 2 {
            return None;
        }
        let (peer, picker) = (self.peers.get_mut(&key)?, self.picker.as_mut()?);
        let piece = picker.pick_sole(&peer.pieces, &mut peer.cursor, &mut self.rng)?;
        let open = self.partials.open();
        let begun = open.iter().copied().find(|piece| {
            let whole = self.partials.get(*piece).is_none_or(Partial::is_whole);
            !whole && picker.peers(*piece) == 1 && peer.pieces.contains(*piece)
        });
        if begun.is_none() {
            if open.len() >= OPEN_PER_PEER * self.peers.len() {
                return None;
            }
            picker.take(piece);
            self.partials.begin(piece, false);
        }
        self.partials.ask(begun.unwrap_or(piece), key)
    }

    /// The peer got a piece that we have begun. What waits at slower peers is asked of it instead, as
    /// far as its window goes, so that they can send what nobody else has.
    pub(super) fn move_requests(&mut self, now: Instant, key: PeerKey, piece: PieceIndex) {
        let Some(peer) = self.peers.get(&key) else { return };
        let room = peer.pipeline.room();
        let Some(partial) = self.partials.get(piece) else { return };
        if peer.peer_choking || !peer.am_interested || partial.is_whole() || room == 0 {
            return;
        }
        let wait = peer.pipeline.millis_left(peer.down.rate());
        let mut moved: Vec<(PeerKey, Block)> = Vec::new();
        for (other, peer) in &self.peers {
            let slower = peer.pipeline.millis_left(peer.down.rate()) > wait.max(MOVE_FROM_SLOW);
            // It is sending the piece, and will send the rest of it.
            let begun = || partial.sources.contains(&peer.identity());
            if *other != key && slower && !begun() {
                let waiting = peer.pipeline.waiting(piece);
                let once = waiting.filter(|block| !self.end_game.is_asked_twice(*block));
                moved.extend(once.map(|block| (*other, block)));
            }
        }
        for (other, block) in moved.into_iter().take(room) {
            let Some(peer) = self.peers.get_mut(&other) else { continue };
            if !peer.pipeline.cancel(block) {
                continue;
            }
            self.send(other, Message::Cancel(request(block)));
            self.want_refill(other);
            self.partials.release(block, other, Some(key));
            // What the download limit allowed once is not taken from it again.
            if let Some(peer) = self.peers.get_mut(&key) {
                peer.pipeline.ask(now, block);
            }
            self.send(key, Message::Request(request(block)));
        }
    }
}
