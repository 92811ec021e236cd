//! Owns the guess that a peer which sends one block sends more of them: places for the heads and the bytes of the next ones,
//! so that one read takes several. Never keeps a place beyond the read it was made for, and never trusts the guess.

use std::io::IoSliceMut;

use super::PIECE_HEAD_LEN;
use crate::limits::{BLOCK_LEN, BLOCKS_AHEAD};
use crate::payload::Payload;
use crate::pool::Pool;

/// Places for the blocks that may follow, in order.
#[derive(Default)]
pub(super) struct Ahead {
    /// How many blocks to expect: what the last reads taught.
    depth: usize,
    /// Whether the last read took all that there was, so that the next one will most likely find nothing.
    dry: bool,
    places: Vec<Place>,
}

/// Where a block goes that has not begun to arrive.
pub(super) struct Place {
    pub(super) head: [u8; PIECE_HEAD_LEN],
    /// As long as the usual block.
    pub(super) payload: Payload,
}

/// Bytes of a place.
const PLACE_LEN: usize = PIECE_HEAD_LEN + BLOCK_LEN;

impl Ahead {
    /// Makes places for the next read, as far as the pool has buffers to spare.
    pub(super) fn prepare(&mut self, pool: &Pool) {
        let depth = if self.dry { 0 } else { self.depth };
        while self.places.len() < depth
            && let Some(payload) = pool.try_take(BLOCK_LEN)
        {
            self.places.push(Place { head: [0; PIECE_HEAD_LEN], payload });
        }
    }

    /// The places' heads and blocks, in the order in which they fill.
    pub(super) fn slices(&mut self) -> impl Iterator<Item = IoSliceMut<'_>> {
        self.places.iter_mut().flat_map(|Place { head, payload }| {
            [IoSliceMut::new(&mut head[..]), IoSliceMut::new(&mut payload[..])]
        })
    }

    /// Takes note that there was nothing to read. When there is, it may be much.
    pub(super) fn nothing(&mut self) {
        self.places.clear();
        self.dry = false;
    }

    /// The places that `n` bytes behind the arriving block fell into, each with the number of its bytes. Learns how many to
    /// make next time.
    pub(super) fn filled(&mut self, n: usize) -> impl Iterator<Item = (Place, usize)> {
        let used = n.div_ceil(PLACE_LEN);
        self.dry = used <= self.places.len();
        self.depth = if self.dry {
            used.max(self.depth / 2)
        } else {
            (2 * self.depth + 1).min(BLOCKS_AHEAD)
        };
        self.places.truncate(used);
        let mut left = n;
        self.places.drain(..).map(move |place| {
            let here = left.min(PLACE_LEN);
            left -= here;
            (place, here)
        })
    }
}
