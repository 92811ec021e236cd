//! Which pieces someone has: a bitfield with a count.
//! It never grows or shrinks, and its spare bits are never set.

use std::fmt;

use bitvec::order::Msb0;
use bitvec::slice::BitSlice;
use bitvec::vec::BitVec;

use crate::error::{Error, ErrorKind};
use crate::layout::PieceIndex;

#[cfg(test)]
mod tests;

/// A set of pieces of one torrent, held as the bitfield of the wire: the first piece is the
/// highest bit of the first byte (BEP 3).
#[derive(Clone, PartialEq, Eq)]
pub struct PieceSet {
    bits: BitVec<u8, Msb0>,
    count: u32,
}

impl PieceSet {
    /// No piece of a torrent of `pieces` pieces.
    pub fn new_empty(pieces: u32) -> Self {
        Self { bits: BitVec::repeat(false, pieces as usize), count: 0 }
    }

    /// Every piece of a torrent of `pieces` pieces.
    pub fn new_full(pieces: u32) -> Self {
        let mut bits = BitVec::repeat(true, pieces as usize);
        // The spare bits of the last byte go over the wire and must be zero.
        bits.set_uninitialized(false);
        Self { bits, count: pieces }
    }

    /// Reads a bitfield message's payload for a torrent of `pieces` pieces.
    ///
    /// # Errors
    /// [`ErrorKind::BadBitfield`] when it is not exactly as long as `pieces` bits need, or when a
    /// spare bit is set.
    pub fn from_wire(bitfield: &[u8], pieces: u32) -> Result<Self, Error> {
        let wanted = (pieces as usize).div_ceil(8);
        if bitfield.len() != wanted {
            return Err(Error::new(
                ErrorKind::BadBitfield,
                format!("a bitfield of {} bytes where {wanted} were due", bitfield.len()),
            ));
        }
        let mut bits = BitVec::from_slice(bitfield);
        if bits.get(pieces as usize..).is_some_and(BitSlice::any) {
            return Err(Error::new(ErrorKind::BadBitfield, "a bitfield with spare bits set"));
        }
        bits.truncate(pieces as usize);
        // At most `pieces` bits are set, so the count fits.
        let count = u32::try_from(bits.count_ones()).unwrap_or(pieces);
        Ok(Self { bits, count })
    }

    /// The payload of a bitfield message.
    pub fn as_bytes(&self) -> &[u8] {
        self.bits.as_raw_slice()
    }

    /// Whether the piece is in the set; false for a piece the torrent does not have.
    pub fn contains(&self, piece: PieceIndex) -> bool {
        self.bits.get(piece.as_usize()).is_some_and(|bit| *bit)
    }

    /// Adds the piece. False when it was there already, or the torrent does not have it.
    pub fn insert(&mut self, piece: PieceIndex) -> bool {
        let new = self.change(piece, true);
        self.count += u32::from(new);
        new
    }

    /// Takes the piece out. False when it was not there.
    pub fn remove(&mut self, piece: PieceIndex) -> bool {
        let gone = self.change(piece, false);
        self.count -= u32::from(gone);
        gone
    }

    /// How many pieces the torrent has.
    #[allow(clippy::cast_possible_truncation, reason = "every constructor takes a u32")]
    pub fn len(&self) -> u32 {
        self.bits.len() as u32
    }

    /// How many pieces are in the set.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Whether every piece is in the set.
    pub fn is_full(&self) -> bool {
        self.count == self.len()
    }

    /// Whether no piece is in the set.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The pieces in the set, ascending.
    #[allow(clippy::cast_possible_truncation, reason = "below `len`, which is a u32")]
    pub fn iter(&self) -> impl Iterator<Item = PieceIndex> + '_ {
        self.bits.iter_ones().map(|index| PieceIndex::new(index as u32))
    }

    /// The pieces not in the set, ascending.
    #[allow(clippy::cast_possible_truncation, reason = "below `len`, which is a u32")]
    pub fn iter_missing(&self) -> impl Iterator<Item = PieceIndex> + '_ {
        self.bits.iter_zeros().map(|index| PieceIndex::new(index as u32))
    }

    /// Sets the piece's bit; true when that changed it.
    fn change(&mut self, piece: PieceIndex, to: bool) -> bool {
        self.bits.get_mut(piece.as_usize()).is_some_and(|mut bit| bit.replace(to) != to)
    }
}

impl fmt::Debug for PieceSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PieceSet({} of {})", self.count, self.len())
    }
}
