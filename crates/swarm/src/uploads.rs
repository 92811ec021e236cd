//! What one peer asked of us: requests that wait, blocks that are read, bytes that are on their
//! way. It bounds them, and leaves it to the torrent who is served when.

use std::collections::VecDeque;
use std::time::Instant;

use metainfo::{Block, PieceIndex};

use crate::limits::{UPLOAD_BUFFER, UPLOAD_BUFFER_LEAST};
use crate::upload_queue::{UploadQueue, Urgency};

/// Requests of one peer.
#[derive(Debug, Default)]
pub(crate) struct Uploads {
    pub(crate) queue: UploadQueue,
    /// Given to the disk. `false`: the peer doesn't want it any more.
    reading: VecDeque<(Block, bool)>,
    /// Payload bytes in `reading` and in the socket's queue.
    in_flight: u64,
    /// How many there may be, if less than usual.
    most: Option<u64>,
    /// Bytes of padding in the socket's queue, where in it is not known.
    padding: u64,
}

impl Uploads {
    /// Requests that wait or are being read.
    pub(crate) fn queued(&self) -> usize {
        self.queue.len() + self.reading.len()
    }

    /// Payload bytes that are being read or wait in the socket's queue.
    pub(crate) fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// Of these, those in the socket's queue: what the peer has yet to read.
    pub(crate) fn unread(&self) -> u64 {
        let reading: u64 = self.reading.iter().map(|(block, _)| u64::from(block.len())).sum();
        self.in_flight.saturating_sub(reading)
    }

    /// Whether a request waits and this peer's buffer has room for its answer.
    pub(crate) fn is_ready(&self) -> bool {
        self.queue.front().is_some_and(|block| self.has_room(block))
    }

    /// The next request to serve, if this peer's buffer has room for its answer.
    pub(crate) fn next(&self, now: Instant) -> Option<(Urgency, Block)> {
        self.queue.next(now).filter(|(_, block)| self.has_room(*block))
    }

    fn has_room(&self, block: Block) -> bool {
        self.in_flight + u64::from(block.len()) <= self.most.unwrap_or(UPLOAD_BUFFER)
    }

    /// Bytes that may be on their way under this limit of bytes a second: what a peer that does not
    /// read keeps from the others. A second's worth comes back when it goes.
    pub(crate) fn limit(&mut self, per_second: Option<u64>) {
        let most = |rate: u64| rate.clamp(UPLOAD_BUFFER_LEAST, UPLOAD_BUFFER);
        self.most = per_second.map(most);
    }

    /// The request that `next` gave goes to the disk. True if it is the first of its piece, which is
    /// of `piece_len` bytes.
    pub(crate) fn start(&mut self, block: Block, piece_len: u64) -> bool {
        self.in_flight += u64::from(block.len());
        self.reading.push_back((block, true));
        self.queue.start(block, piece_len)
    }

    /// The disk is done with `block`. True if the peer still wants it. `sent`: its bytes go to the
    /// socket's queue if so, and count until they are drained.
    pub(crate) fn read(&mut self, block: Block, sent: bool) -> bool {
        // Wanted ones first: after a cancel the same block may have been asked for again.
        let wanted = self.reading.iter().position(|entry| *entry == (block, true));
        let at = wanted.or_else(|| self.reading.iter().position(|(b, _)| *b == block));
        let Some((_, wanted)) = at.and_then(|at| self.reading.remove(at)) else { return false };
        if !(wanted && sent) {
            self.in_flight = self.in_flight.saturating_sub(u64::from(block.len()));
        }
        wanted
    }

    /// So many of the bytes that went to the socket's queue are padding.
    pub(crate) fn queued_padding(&mut self, bytes: u64) {
        self.padding += bytes;
    }

    /// Takes off `bytes` that left the queue the padding among them. It is taken to leave first: a
    /// moment later the sums are right.
    pub(crate) fn without_padding(&mut self, bytes: u64) -> u64 {
        let padding = bytes.min(self.padding);
        self.padding -= padding;
        bytes - padding
    }

    /// Bytes left the socket's queue. Gives how many of them were known to be in it.
    pub(crate) fn drained(&mut self, bytes: u64) -> u64 {
        let bytes = bytes.min(self.in_flight);
        self.in_flight -= bytes;
        bytes
    }

    /// Drops a request. False if there was none.
    pub(crate) fn cancel(&mut self, block: Block) -> bool {
        if self.queue.cancel(block) {
            return true;
        }
        let reading = self.reading.iter_mut().find(|entry| **entry == (block, true));
        reading.is_some_and(|entry| std::mem::take(&mut entry.1))
    }

    /// Drops the waiting requests of a piece that is not here any more, and gives them; the disk finds
    /// out about those it has.
    pub(crate) fn forget(&mut self, piece: PieceIndex) -> Vec<Block> {
        self.queue.clear(|wanted| wanted != piece)
    }

    /// Drops all requests but those of pieces that `keep` names: the peer is choked. Gives those
    /// dropped, first what is being read.
    pub(crate) fn clear(&mut self, keep: impl Fn(PieceIndex) -> bool) -> Vec<Block> {
        let mut dropped = Vec::new();
        for (block, wanted) in &mut self.reading {
            if *wanted && !keep(block.piece()) {
                *wanted = false;
                dropped.push(*block);
            }
        }
        dropped.extend(self.queue.clear(keep));
        dropped
    }
}
