//! End-game: every block that is left was asked of somebody, and peers stand idle. Blocks that are
//! slow to come are asked of a second peer, and taken back from whoever comes later.
//!
//! What comes twice is bounded: at any time, the blocks that came in vain, those that were asked
//! twice and those that were taken back a moment ago are together at most
//! [`END_GAME_WASTE`](crate::limits::END_GAME_WASTE). A block due from a peer that has gone silent
//! is not about to come at all, and may be asked of another freely.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use metainfo::Block;

use super::Torrent;
use crate::border::PeerKey;
use crate::limits::{CANCEL_SETTLES, END_GAME_SHARE, END_GAME_WASTE, HELD_LONG};
use crate::partial::Partial;
use crate::peer::Peer;
use crate::requests::Pipeline;

/// The blocks that were asked of more than one peer.
#[derive(Debug, Default)]
pub(crate) struct EndGame {
    on: bool,
    /// Beside the peer that the begun piece names, these were asked too.
    extra: BTreeMap<Block, Vec<PeerKey>>,
    wasted: u64,
    /// When requests that may still be answered were taken back.
    cancelled: VecDeque<Instant>,
}

impl EndGame {
    pub(super) fn is_on(&self) -> bool {
        self.on
    }

    pub(super) fn is_asked_twice(&self, block: Block) -> bool {
        self.extra.contains_key(&block)
    }

    /// A block came that was here already.
    fn wasted(&mut self) {
        self.wasted += 1;
    }

    /// A request to a peer that was about to answer was taken back.
    pub(super) fn cancelled(&mut self, now: Instant) {
        self.cancelled.push_back(now);
    }

    /// A block came. Gives the further peers it was asked of.
    pub(super) fn arrived(&mut self, block: Block) -> Vec<PeerKey> {
        self.extra.remove(&block).unwrap_or_default()
    }

    /// A peer won't send the block any more. Gives another one that was asked for it, which takes
    /// its place in the begun piece if it was named there.
    pub(super) fn released(&mut self, block: Block, peer: PeerKey) -> Option<PeerKey> {
        let extra = self.extra.get_mut(&block)?;
        let at = extra.iter().position(|other| *other == peer).unwrap_or(0);
        let other = extra.remove(at);
        if extra.is_empty() {
            self.extra.remove(&block);
        }
        (other != peer).then_some(other)
    }

    /// How many blocks may be asked of a second peer now.
    fn budget(&mut self, now: Instant) -> u64 {
        while self.cancelled.front().is_some_and(|at| *at + CANCEL_SETTLES <= now) {
            self.cancelled.pop_front();
        }
        let at_risk = self.extra.len() + self.cancelled.len();
        END_GAME_WASTE.saturating_sub(self.wasted).saturating_sub(at_risk as u64)
    }
}

impl Torrent {
    /// A block came from the peer in vain. What one peer wastes beyond its share is its own doing, and
    /// does not count against what may be wasted in all.
    pub(super) fn end_game_waste(&mut self, key: PeerKey) {
        let Some(peer) = self.peers.get_mut(&key).filter(|_| self.end_game.on) else { return };
        peer.end_game_wasted += 1;
        if peer.end_game_wasted <= END_GAME_SHARE {
            self.end_game.wasted();
        }
    }

    /// A block that another peer owes us and that this one, being idle, is asked for too.
    pub(super) fn end_game_block(&mut self, now: Instant, key: PeerKey) -> Option<Block> {
        self.end_game.on = self.is_end_game();
        if !self.end_game.on {
            return None;
        }
        let me = self.peers.get(&key)?;
        if me.pipeline.is_snubbed() {
            return None;
        }
        let stale = self.stale_block(now, key, me);
        let idle = me.pipeline.is_empty();
        let block = stale.or_else(|| {
            let affordable = idle && self.end_game.budget(now) > 0;
            if affordable { self.slow_block(now, key) } else { None }
        })?;
        let (piece, offset) = (block.piece(), block.offset());
        log::debug!("end-game: the block at {offset} of piece {piece} is asked of another peer");
        self.end_game.extra.entry(block).or_default().push(key);
        Some(block)
    }

    /// True if a second peer may be asked for the block: this one has it, and it need not come
    /// from a single peer.
    fn may_share(&self, block: Block, me: &Peer) -> bool {
        let whole = self.partials.get(block.piece()).is_some_and(Partial::is_whole);
        !whole && me.pieces.contains(block.piece())
    }

    /// True if no block is left that some connected peer has and nobody was asked for.
    fn is_end_game(&mut self) -> bool {
        let Some(picker) = &mut self.picker else { return false };
        let open = |piece: &metainfo::PieceIndex| {
            let reserved = self.partials.get(*piece).is_some_and(|p| p.owner().is_some());
            !reserved && picker.peers(*piece) > 0
        };
        let open = self.partials.open().iter().any(open);
        !open && picker.available() == 0 && self.partials.len() > 0
    }

    /// A block that was only asked of peers which are silent, or have passed it over.
    fn stale_block(&self, now: Instant, key: PeerKey, me: &Peer) -> Option<Block> {
        let stale = |other: &PeerKey, block: &Block| {
            let owes = |peer: &Peer| {
                peer.pipeline.is_stale(now) || wastes(peer) || passes_over(peer, now, block)
            };
            self.peers.get(other).is_none_or(owes)
        };
        let others = || self.peers.iter().filter(|(k, _)| **k != key);
        let wasted = others().filter(|(_, peer)| wastes(peer));
        let wasted = wasted.flat_map(|(_, peer)| peer.pipeline.last_first());
        let owed = others().flat_map(|(_, peer)| peer.pipeline.stale(now));
        let mut owed = owed.chain(wasted);
        owed.find(|block| {
            let extra = self.end_game.extra.get(block);
            self.may_share(*block, me)
                && self
                    .partials
                    .asked(*block)
                    .is_some_and(|first| first != key && stale(&first, block))
                && extra.is_none_or(|extra| extra.iter().all(|e| *e != key && stale(e, block)))
        })
    }

    /// The last block in the queue of the peer that will take longest, if this peer would have it
    /// in less than half the time. That one is sent last, so the cancel is likely to be in time.
    fn slow_block(&self, now: Instant, key: PeerKey) -> Option<Block> {
        let me = self.peers.get(&key)?;
        // Of one that never delivered nothing is known: it helps where help is needed for certain.
        let known = me.down.total() > 0;
        let mine = u64::from(metainfo::BLOCK_LEN).saturating_mul(1000) / me.pace().max(1);
        let patience = if known { 2 * mine } else { HELD_LONG.as_secs() * 1000 };
        let millis = |peer: &Peer| Pipeline::millis_left(&peer.pipeline, peer.down.rate());
        let slower = |peer: &Peer| {
            let judged = known || peer.down.rate() > 0;
            let waits = !peer.pipeline.is_empty() && !peer.pipeline.is_stale(now);
            judged && waits && millis(peer) > patience
        };
        let mut others: Vec<(u64, &Peer)> = self
            .peers
            .iter()
            .filter(|(other, peer)| **other != key && slower(peer))
            .map(|(_, peer)| (millis(peer), peer))
            .collect();
        others.sort_by_key(|(millis, _)| std::cmp::Reverse(*millis));
        let mut owed = others.iter().flat_map(|(_, peer)| peer.pipeline.last_first());
        owed.find(|block| {
            let whole = self
                .partials
                .get(block.piece())
                .is_some_and(super::super::partial::Partial::is_whole);
            me.pieces.contains(block.piece())
                && !whole
                && !self.end_game.extra.contains_key(block)
                && self.partials.asked(*block).is_some_and(|first| first != key)
        })
    }
}

/// Whether so much came from it in vain that nothing is left to it alone.
fn wastes(peer: &Peer) -> bool {
    peer.end_game_wasted > END_GAME_SHARE
}

/// Whether the block is due from the peer, and not about to come.
fn passes_over(peer: &Peer, now: Instant, block: &Block) -> bool {
    peer.pipeline.stale(now).any(|stale| stale == *block)
}
