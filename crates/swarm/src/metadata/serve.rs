//! Giving the metadata to one peer: what it asked for is kept, and given no faster than a limit. It does
//! not hold the metadata.

use std::collections::VecDeque;
use std::time::Instant;

use wire::limits::METADATA_PIECE_LEN;

use super::copy::{piece_count, piece_of};
use crate::bucket::Bucket;
use crate::limits::{METADATA_BURST, METADATA_QUEUE, METADATA_RATE, METADATA_TIMES};

/// Requests of one peer for pieces of the metadata.
#[derive(Debug)]
pub(crate) struct Serving {
    waiting: VecDeque<u32>,
    pace: Bucket,
    given: usize,
}

impl Default for Serving {
    fn default() -> Self {
        Self {
            waiting: VecDeque::new(),
            pace: Bucket::new(METADATA_RATE, METADATA_BURST),
            given: 0,
        }
    }
}

impl Serving {
    /// Keeps a request for a piece of `info`. False if there is no such piece, if too many wait
    /// already or this one does, or if the peer was given everything often enough.
    pub(crate) fn push(&mut self, info: &[u8], piece: u32) -> bool {
        let enough = METADATA_TIMES * piece_count(info.len());
        let room = self.waiting.len() < METADATA_QUEUE && self.given + self.waiting.len() < enough;
        let kept = room && piece_of(info, piece).is_some() && !self.waiting.contains(&piece);
        if kept {
            self.waiting.push_back(piece);
        }
        kept
    }

    /// The next piece of `info` to give now.
    pub(crate) fn next<'i>(&mut self, now: Instant, info: &'i [u8]) -> Option<(u32, &'i [u8])> {
        let piece = *self.waiting.front()?;
        if !self.pace.take(now, METADATA_PIECE_LEN as u64) {
            return None;
        }
        self.waiting.pop_front();
        self.given += 1;
        Some((piece, piece_of(info, piece)?))
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    /// When there will be a next piece to give, as known after [`next`](Self::next) gave none.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.waiting.front().and_then(|_| self.pace.ready_at())
    }
}
