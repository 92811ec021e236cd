//! Which piece to begin next: the pieces that nobody was asked for yet, kept in order of rarity, or
//! begun in their own order where that is asked for.
//! It knows no blocks, no requests and no time.
//!
//! `order` holds these pieces sorted by how many peers have them; `bounds` says where each rarity
//! begins. A `have` moves a piece across one bound: one swap. Peers that have everything are only
//! counted, since they make no piece rarer than another. A bitfield that names much of the torrent
//! changes the counts and sorts once, lazily, however many such peers come at a time. Equals are in
//! no particular order; the pick is what is random.
//!
//! A pick walks the rarities upwards and tries a bounded number of pieces of each, from a random
//! place. For a peer that has a fair part of the torrent that finds one of the rarest it has. For
//! one that has few pieces, the probes may all miss; then its own bits are walked, 64 at a time,
//! from where the last walk ended, so that walking them all costs a pass over its bitfield for all
//! its picks together.

#![expect(
    clippy::indexing_slicing,
    reason = "places and rarities are this file's own, each an index into the other's table; a piece \
              that comes in is looked up with `get`"
)]

use metainfo::{PieceIndex, PieceSet};

use crate::limits::{PROBES, PROBES_PER_RARITY};
use crate::pieces::Pieces;

/// The place of a piece that is not in `order`: begun or verified.
const UNLISTED: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Index into `order`, or [`UNLISTED`].
    place: u32,
    /// Peers that have it, without those that are counted as seeds.
    peers: u16,
}

/// The pieces that are not begun, by rarity.
#[derive(Debug)]
pub(crate) struct Picker {
    entries: Vec<Entry>,
    order: Vec<u32>,
    /// Pieces with `n` peers are `order[bounds[n]..bounds[n + 1]]`; the last bound is its length.
    bounds: Vec<u32>,
    /// The pieces in `order` as bits, laid out like a bitfield.
    listed: Vec<u8>,
    seeds: u32,
    /// Pick the first piece, not the rarest.
    sequential: bool,
    /// `peers` changed in many entries and `order` was not sorted since.
    unsorted: bool,
    /// Grows when a piece comes back into `order`.
    returns: u64,
}

/// Where a peer's own bits are walked on, and whether it is worth it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cursor {
    byte: usize,
    /// The walk found nothing, and nothing was put back since (`Picker::returns`).
    barren_at: Option<u64>,
    /// In sequence: the peer has nothing that is listed before this byte, as long as nothing is put
    /// back (`Picker::returns`).
    first: (usize, u64),
}

impl Cursor {
    /// The peer has a new piece: look again.
    pub(crate) fn wake(&mut self, piece: PieceIndex) {
        self.barren_at = None;
        self.first.0 = self.first.0.min(piece.as_usize() / 64 * 8);
    }
}

impl Picker {
    /// All pieces that are not in `settled`.
    pub(crate) fn new(settled: &PieceSet, sequential: bool) -> Self {
        let order: Vec<u32> = settled.iter_missing().map(PieceIndex::get).collect();
        let mut entries = vec![Entry { place: UNLISTED, peers: 0 }; settled.len() as usize];
        for (place, piece) in (0_u32..).zip(&order) {
            if let Some(entry) = entries.get_mut(*piece as usize) {
                entry.place = place;
            }
        }
        let mut listed: Vec<u8> = settled.as_bytes().iter().map(|byte| !byte).collect();
        if let (Some(last), spare @ 1..) = (listed.last_mut(), settled.len() % 8) {
            *last &= !(0xff >> spare);
        }
        let bounds = vec![0, len(&order)];
        Self { entries, order, bounds, listed, seeds: 0, sequential, unsorted: false, returns: 0 }
    }

    /// A peer that has every piece came.
    pub(crate) fn add_seed(&mut self) {
        self.seeds += 1;
    }

    /// A peer that came by [`add_seed`](Self::add_seed) left.
    pub(crate) fn remove_seed(&mut self) {
        self.seeds = self.seeds.saturating_sub(1);
    }

    /// A peer came, or said, that it has these pieces.
    pub(crate) fn add_set(&mut self, set: &PieceSet) {
        self.change_set(set, Self::add, |peers| peers.saturating_add(1));
    }

    /// A peer that had these pieces left.
    pub(crate) fn remove_set(&mut self, set: &PieceSet) {
        self.change_set(set, Self::remove, |peers| peers.saturating_sub(1));
    }

    /// One more peer has `piece`.
    pub(crate) fn add(&mut self, piece: PieceIndex) {
        let Some(entry) = self.entries.get_mut(piece.as_usize()) else { return };
        let (from, place) = (usize::from(entry.peers), entry.place);
        let Some(to) = entry.peers.checked_add(1) else { return };
        entry.peers = to;
        if place == UNLISTED || self.unsorted {
            return;
        }
        if self.bounds.len() < from + 3 {
            self.bounds.resize(from + 3, len(&self.order));
        }
        // The last of its rarity becomes the first of the next one.
        let new = self.bounds[from + 1] - 1;
        self.bounds[from + 1] = new;
        self.swap(place, new);
    }

    /// One peer less has `piece`.
    pub(crate) fn remove(&mut self, piece: PieceIndex) {
        let Some(entry) = self.entries.get_mut(piece.as_usize()) else { return };
        let (Some(to), place) = (entry.peers.checked_sub(1), entry.place) else { return };
        entry.peers = to;
        if place == UNLISTED || self.unsorted {
            return;
        }
        // The first of its rarity becomes the last of the one before.
        let bound = usize::from(to) + 1;
        let new = self.bounds[bound];
        self.bounds[bound] = new + 1;
        self.swap(place, new);
    }

    /// Takes `piece` out: it is begun.
    pub(crate) fn take(&mut self, piece: PieceIndex) {
        self.sort();
        let Some(entry) = self.entries.get_mut(piece.as_usize()) else { return };
        let place = entry.place;
        if place == UNLISTED {
            return;
        }
        entry.place = UNLISTED;
        let rarity = usize::from(entry.peers);
        self.set_listed(piece.get(), false);
        // The hole goes up through the rarities: the last of each fills it and leaves a new one.
        let mut hole = place;
        for bound in rarity + 1..self.bounds.len() {
            let last = self.bounds[bound] - 1;
            self.bounds[bound] = last;
            if hole != last {
                self.put(hole, self.order[last as usize]);
                hole = last;
            }
        }
        self.order.pop();
    }

    /// Puts `piece` back: it has to be begun again.
    pub(crate) fn put_back(&mut self, piece: PieceIndex) {
        self.sort();
        let Some(entry) = self.entries.get_mut(piece.as_usize()) else { return };
        if entry.place != UNLISTED {
            return;
        }
        let rarity = usize::from(entry.peers);
        self.returns += 1;
        self.set_listed(piece.get(), true);
        if self.bounds.len() < rarity + 2 {
            self.bounds.resize(rarity + 2, len(&self.order));
        }
        // The hole comes down through the rarities: the first of each moves to its new end.
        let mut hole = len(&self.order);
        self.order.push(piece.get());
        for bound in (rarity + 1..self.bounds.len()).rev() {
            let first = self.bounds[bound - 1];
            self.bounds[bound] += 1;
            if bound - 1 > rarity && first != hole {
                self.put(hole, self.order[first as usize]);
                hole = first;
            }
        }
        self.put(hole, piece.get());
    }

    /// A piece to begin with a peer that has `pieces`: among the rarest it has, at random; or the
    /// first it has.
    pub(crate) fn pick(
        &mut self,
        pieces: &Pieces,
        cursor: &mut Cursor,
        rng: &mut fastrand::Rng,
    ) -> Option<PieceIndex> {
        self.sort();
        match pieces {
            Pieces::Nothing => None,
            Pieces::All if self.sequential => self.first(&self.listed, cursor),
            Pieces::Some(set) if self.sequential => self.first(set.as_bytes(), cursor),
            Pieces::All => {
                let rarest = self.bounds.windows(2).find(|bound| bound[0] < bound[1])?;
                Some(PieceIndex::new(self.order[rng.usize(rarest[0] as usize..rarest[1] as usize)]))
            }
            Pieces::Some(set) => {
                if cursor.barren_at == Some(self.returns) {
                    return None;
                }
                self.probe(set, rng).or_else(|| {
                    let found = self.walk(set, cursor);
                    cursor.barren_at = if found.is_none() { Some(self.returns) } else { None };
                    found
                })
            }
        }
    }

    /// Like [`pick`](Self::pick), of the pieces that no other peer has. Nearly always known to be none
    /// at a glance: where there are two seeds, or where every piece was seen twice.
    pub(crate) fn pick_sole(
        &mut self,
        pieces: &Pieces,
        cursor: &mut Cursor,
        rng: &mut fastrand::Rng,
    ) -> Option<PieceIndex> {
        self.sort();
        let others = 1_usize.checked_sub(self.seeds as usize)?;
        let sole = self.bounds.get(others + 1)? - self.bounds.get(others)?;
        if sole == 0 || self.sequential || (self.seeds == 1 && !matches!(pieces, Pieces::All)) {
            return None;
        }
        self.pick(pieces, cursor, rng).filter(|piece| self.peers(*piece) == 1)
    }

    /// Whether `piece` is one that nobody was asked for.
    pub(crate) fn is_listed(&self, piece: PieceIndex) -> bool {
        self.entries.get(piece.as_usize()).is_some_and(|entry| entry.place != UNLISTED)
    }

    /// How many pieces that are not begun some connected peer has.
    pub(crate) fn available(&mut self) -> usize {
        self.sort();
        let nobodys =
            if self.seeds > 0 { 0 } else { self.bounds.get(1).map_or(0, |n| *n as usize) };
        self.order.len() - nobodys.min(self.order.len())
    }

    /// How many connected peers have the piece.
    pub(crate) fn peers(&self, piece: PieceIndex) -> u32 {
        self.entries.get(piece.as_usize()).map_or(0, |entry| u32::from(entry.peers)) + self.seeds
    }

    /// Tries pieces in order of rarity. Pieces that no counted peer has are skipped: this peer is
    /// counted.
    fn probe(&self, set: &PieceSet, rng: &mut fastrand::Rng) -> Option<PieceIndex> {
        let mut left = PROBES;
        for bound in self.bounds.get(1..)?.windows(2) {
            let bucket = self.order.get(bound[0] as usize..bound[1] as usize)?;
            if bucket.is_empty() {
                continue;
            }
            let (head, tail) = bucket.split_at(rng.usize(0..bucket.len()));
            let tries = PROBES_PER_RARITY.min(left);
            let mut probed = tail.iter().chain(head).take(tries).map(|p| PieceIndex::new(*p));
            if let Some(found) = probed.find(|piece| set.contains(*piece)) {
                return Some(found);
            }
            left -= tries.min(bucket.len());
            if left == 0 {
                return None;
            }
        }
        None
    }

    /// The first piece of `bits` that is listed. Where the last one was found there is nothing before
    /// it, so all picks together cost a pass, and another for each piece that was put back.
    fn first(&self, bits: &[u8], cursor: &mut Cursor) -> Option<PieceIndex> {
        let (from, returns) = cursor.first;
        let from = if returns == self.returns { from.min(bits.len()) } else { 0 };
        let found = first_common(bits.get(from..)?, self.listed.get(from..)?);
        let words = found.map_or(usize::MAX, |at| at.as_usize() / 64);
        cursor.first = (words.saturating_mul(8).saturating_add(from).min(bits.len()), self.returns);
        u32::try_from(from * 8 + found?.as_usize()).ok().map(PieceIndex::new)
    }

    /// The next piece of `set` that is listed, from the cursor on and around.
    fn walk(&self, set: &PieceSet, cursor: &mut Cursor) -> Option<PieceIndex> {
        let bits = set.as_bytes();
        let start = cursor.byte.min(bits.len());
        for (from, to) in [(start, bits.len()), (0, start)] {
            let found = first_common(bits.get(from..to)?, self.listed.get(from..to)?);
            if let Some(at) = found {
                cursor.byte = from + at.as_usize() / 64 * 8;
                return u32::try_from(from * 8 + at.as_usize()).ok().map(PieceIndex::new);
            }
        }
        None
    }

    fn change_set(&mut self, set: &PieceSet, one: fn(&mut Self, PieceIndex), many: fn(u16) -> u16) {
        // Moving one piece costs a few cache misses; sorting reads all of them once, in order.
        if (set.count() as usize) < self.entries.len() / 16 {
            for piece in set.iter() {
                one(self, piece);
            }
            return;
        }
        for piece in set.iter() {
            if let Some(entry) = self.entries.get_mut(piece.as_usize()) {
                entry.peers = many(entry.peers);
            }
        }
        self.unsorted = true;
    }

    /// Sorts by counting, walking the pieces in order: whoever picks does so at random.
    fn sort(&mut self) {
        if !std::mem::take(&mut self.unsorted) {
            return;
        }
        self.bounds.clear();
        self.bounds.resize(2, 0);
        for entry in self.entries.iter().filter(|entry| entry.place != UNLISTED) {
            let end = usize::from(entry.peers) + 1;
            if self.bounds.len() <= end {
                self.bounds.resize(end + 1, 0);
            }
            self.bounds[end] += 1;
        }
        for at in 1..self.bounds.len() {
            self.bounds[at] += self.bounds[at - 1];
        }
        let mut next = self.bounds.clone();
        for (piece, entry) in (0_u32..).zip(&mut self.entries) {
            if entry.place != UNLISTED {
                let place = &mut next[usize::from(entry.peers)];
                entry.place = *place;
                self.order[*place as usize] = piece;
                *place += 1;
            }
        }
    }

    fn put(&mut self, place: u32, piece: u32) {
        self.order[place as usize] = piece;
        self.entries[piece as usize].place = place;
    }

    fn swap(&mut self, a: u32, b: u32) {
        if a != b {
            let (left, right) = (self.order[a as usize], self.order[b as usize]);
            self.put(a, right);
            self.put(b, left);
        }
    }

    fn set_listed(&mut self, piece: u32, to: bool) {
        if let Some(byte) = self.listed.get_mut(piece as usize / 8) {
            let bit = 0x80 >> (piece % 8);
            if to { *byte |= bit } else { *byte &= !bit }
        }
    }
}

fn len(order: &[u32]) -> u32 {
    // A torrent has far fewer than 2^32 pieces.
    u32::try_from(order.len()).unwrap_or(u32::MAX)
}

/// The first bit that is set in both.
fn first_common(a: &[u8], b: &[u8]) -> Option<PieceIndex> {
    let words = a.chunks(8).zip(b.chunks(8)).map(|(a, b)| word(a) & word(b));
    let (at, common) = words.enumerate().find(|(_, common)| *common != 0)?;
    u32::try_from(at * 64 + common.leading_zeros() as usize).ok().map(PieceIndex::new)
}

/// Up to eight bytes as the big-endian word they begin.
fn word(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    word.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    u64::from_be_bytes(word)
}

#[cfg(test)]
mod tests;
