//! The requests of one peer that wait to be served, and which of them goes first: those of pieces
//! that few others have, so that what only we can give reaches the swarm before it is given again.
//! It knows no other peer; how many have a piece it is told.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::time::Instant;

use metainfo::{Block, PieceIndex};

use crate::limits::{COPIES_HOLD, DEFER_LAST, DEFER_MOST, GIVEN_KEPT, MAX_QUEUE, RANKED_PIECES};

/// What a request has for it. The smallest goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Urgency {
    /// It has waited for too long.
    overdue: Reverse<bool>,
    /// How many other peers have the piece or are being sent it.
    copies: u32,
    /// The peer has nothing of the piece from us: pieces that are begun are finished first, since
    /// only a whole one can be passed on.
    unbegun: bool,
}

impl Urgency {
    /// Of a request that has waited for too long: peers that have one take turns.
    const OVERDUE: Self = Self { overdue: Reverse(true), copies: 0, unbegun: false };

    pub(crate) fn is_overdue(self) -> bool {
        self == Self::OVERDUE
    }
}

/// Requests that wait.
#[derive(Debug, Default)]
pub(crate) struct UploadQueue {
    /// The pieces that are asked for, in the order of the first request of each.
    wanted: VecDeque<Wanted>,
    len: usize,
    /// Pieces that the peer was sent something of and has not announced, the last begun last.
    given: VecDeque<Given>,
}

/// A piece with requests that wait.
#[derive(Debug)]
struct Wanted {
    piece: PieceIndex,
    blocks: VecDeque<Block>,
    since: Instant,
    copies: u32,
    /// When `copies` was right.
    counted: Option<Instant>,
}

#[derive(Debug)]
struct Given {
    piece: PieceIndex,
    /// Bytes of the piece that it was not sent yet.
    left: u64,
}

impl UploadQueue {
    /// Keeps a request. False if the queue is full.
    pub(crate) fn push(&mut self, now: Instant, block: Block) -> bool {
        if self.len >= MAX_QUEUE {
            return false;
        }
        self.len += 1;
        let piece = block.piece();
        if let Some(wanted) = self.wanted.iter_mut().rev().find(|wanted| wanted.piece == piece) {
            wanted.blocks.push_back(block);
        } else {
            let blocks = VecDeque::from([block]);
            self.wanted.push_back(Wanted { piece, blocks, since: now, copies: 0, counted: None });
        }
        true
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The oldest request.
    pub(crate) fn front(&self) -> Option<Block> {
        self.wanted.front()?.blocks.front().copied()
    }

    /// A piece that is asked for and of which it is not known, or not any more, how many others
    /// have it.
    pub(crate) fn uncounted(&self, now: Instant) -> Option<PieceIndex> {
        let old = |at: Instant| now.saturating_duration_since(at) >= COPIES_HOLD;
        let mut ranked = self.wanted.iter().take(RANKED_PIECES);
        ranked.find(|wanted| wanted.counted.is_none_or(old)).map(|wanted| wanted.piece)
    }

    /// So many other peers have the piece or are being sent it.
    pub(crate) fn counted(&mut self, now: Instant, piece: PieceIndex, copies: u32) {
        if let Some(wanted) = self.wanted.iter_mut().find(|wanted| wanted.piece == piece) {
            (wanted.copies, wanted.counted) = (copies, Some(now));
        }
    }

    /// One more peer is being sent the piece.
    pub(crate) fn one_more(&mut self, piece: PieceIndex) {
        if let Some(wanted) = self.wanted.iter_mut().find(|wanted| wanted.piece == piece) {
            wanted.copies = wanted.copies.saturating_add(1);
        }
    }

    /// The request to serve next.
    pub(crate) fn next(&self, now: Instant) -> Option<(Urgency, Block)> {
        let ranked = self.wanted.iter().take(RANKED_PIECES);
        let next = ranked.map(|wanted| (self.urgency(now, wanted), wanted)).min_by_key(|(u, _)| *u);
        let (urgency, wanted) = next?;
        Some((urgency, *wanted.blocks.front()?))
    }

    fn urgency(&self, now: Instant, wanted: &Wanted) -> Urgency {
        let age = now.saturating_duration_since(wanted.since);
        if age >= DEFER_LAST {
            return Urgency::OVERDUE;
        }
        let left = self.given(wanted.piece).map(|given| given.left);
        // Who asks for a piece again has it already, as far as the swarm is concerned.
        let copies = wanted.copies.saturating_add(u32::from(left == Some(0)));
        let copies = if age >= DEFER_MOST { 0 } else { copies };
        Urgency { overdue: Reverse(false), copies, unbegun: left.unwrap_or(0) == 0 }
    }

    /// Takes out the request that `next` gave. True if it is the first of its piece, which is of
    /// `piece_len` bytes, that the peer is sent.
    pub(crate) fn start(&mut self, block: Block, piece_len: u64) -> bool {
        if !self.cancel(block) {
            return false;
        }
        let (piece, len) = (block.piece(), u64::from(block.len()));
        if let Some(given) = self.given.iter_mut().rev().find(|given| given.piece == piece) {
            given.left = given.left.saturating_sub(len);
            return false;
        }
        if self.given.len() == GIVEN_KEPT {
            self.given.pop_front();
        }
        self.given.push_back(Given { piece, left: piece_len.saturating_sub(len) });
        true
    }

    /// Whether the peer was sent something of the piece, and has not said that it has it.
    pub(crate) fn is_given(&self, piece: PieceIndex) -> bool {
        self.given(piece).is_some()
    }

    fn given(&self, piece: PieceIndex) -> Option<&Given> {
        self.given.iter().rev().find(|given| given.piece == piece)
    }

    /// The peer has the piece.
    pub(crate) fn announced(&mut self, piece: PieceIndex) {
        self.given.retain(|given| given.piece != piece);
    }

    /// Drops a request. False if there was none.
    pub(crate) fn cancel(&mut self, block: Block) -> bool {
        let piece = block.piece();
        let Some(at) = self.wanted.iter().position(|wanted| wanted.piece == piece) else {
            return false;
        };
        let Some(wanted) = self.wanted.get_mut(at) else { return false };
        let place = wanted.blocks.iter().position(|queued| *queued == block);
        if place.and_then(|place| wanted.blocks.remove(place)).is_none() {
            return false;
        }
        self.len -= 1;
        if wanted.blocks.is_empty() {
            self.wanted.remove(at);
        }
        true
    }

    /// Drops all requests but those of pieces that `keep` names, and gives them, piece by piece.
    pub(crate) fn clear(&mut self, keep: impl Fn(PieceIndex) -> bool) -> Vec<Block> {
        let mut dropped = Vec::new();
        self.wanted.retain(|wanted| {
            let kept = keep(wanted.piece);
            if !kept {
                dropped.extend(&wanted.blocks);
            }
            kept
        });
        self.len -= dropped.len();
        dropped
    }
}

#[cfg(test)]
mod tests;
