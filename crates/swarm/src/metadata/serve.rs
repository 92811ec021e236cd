//! What one peer wants of the metadata: its requests, in their order, and given no faster than a limit. It
//! does not hold the metadata, and how much a host is given is counted elsewhere.

use std::collections::VecDeque;
use std::time::Instant;

use super::copy::piece_of;
use crate::bucket::Bucket;
use crate::limits::{METADATA_BURST, METADATA_QUEUE, METADATA_RATE};

/// Requests of one peer for pieces of the metadata.
#[derive(Debug)]
pub(crate) struct Serving {
    waiting: VecDeque<u32>,
    pace: Bucket,
}

impl Default for Serving {
    fn default() -> Self {
        Self { waiting: VecDeque::new(), pace: Bucket::new(METADATA_RATE, METADATA_BURST) }
    }
}

impl Serving {
    /// Keeps a request for a piece of `info`. False if there is no such piece, if too many wait
    /// already or this one does.
    pub(crate) fn push(&mut self, info: &[u8], piece: u32) -> bool {
        let room = self.waiting.len() < METADATA_QUEUE;
        let kept = room && piece_of(info, piece).is_some() && !self.waiting.contains(&piece);
        if kept {
            self.waiting.push_back(piece);
        }
        kept
    }

    /// The next piece of `info` to give now. It waits until it is [`given`](Self::given) or
    /// [`refused`](Self::refused).
    pub(crate) fn next<'i>(&mut self, now: Instant, info: &'i [u8]) -> Option<(u32, &'i [u8])> {
        let piece = self.waiting.front().copied().filter(|_| self.pace.is_open(now))?;
        Some((piece, piece_of(info, piece)?))
    }

    /// The next piece was given, of so many bytes.
    pub(crate) fn given(&mut self, bytes: usize) {
        self.waiting.pop_front();
        self.pace.spend(bytes as u64);
    }

    /// The next piece is not given.
    pub(crate) fn refused(&mut self) {
        self.waiting.pop_front();
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    /// When there will be a next piece to give, as known after [`next`](Self::next) gave none.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.waiting.front().and_then(|_| self.pace.ready_at())
    }
}
