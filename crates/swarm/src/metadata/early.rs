//! What a peer says of its pieces before anybody here knows how many there are. It is kept as bits, and
//! judged when the number is known; until then only a limit applies.

use metainfo::{MAX_PIECES, PieceSet};

use crate::close::CloseReason;

/// The pieces of a peer of a torrent of unknown size: at most 256 KiB.
#[derive(Debug, Default)]
pub(crate) struct Early {
    bits: Vec<u8>,
    /// Haves that are far beyond what `bits` has, in order: a few bytes of a stranger's must not make us
    /// keep a quarter of a mebibyte.
    far: Vec<u32>,
    /// It sent a bitfield, whose length is a claim of its own.
    bitfield: bool,
    all: bool,
    /// It sent a bitfield, or said that it has everything or nothing.
    told: bool,
}

impl Early {
    /// A `have`. False if it says nothing new.
    ///
    /// # Errors
    /// The piece cannot exist.
    pub(crate) fn have(&mut self, piece: u32) -> Result<bool, CloseReason> {
        if piece >= MAX_PIECES {
            return Err(CloseReason::HaveOutOfRange);
        }
        let byte = piece as usize / 8;
        if byte < self.bits.len() {
            return Ok(self.set(piece) && !self.all);
        }
        let Err(at) = self.far.binary_search(&piece) else { return Ok(false) };
        self.far.insert(at, piece);
        // As bits as soon as those take no more room.
        let last = self.far.last().map_or(0, |last| *last as usize / 8 + 1);
        if last <= self.far.len() * size_of::<u32>() {
            self.bits.resize(last, 0);
            for piece in std::mem::take(&mut self.far) {
                self.set(piece);
            }
        }
        Ok(!self.all)
    }

    /// Sets the bit of a piece that has one. False if it was set.
    fn set(&mut self, piece: u32) -> bool {
        let bit = 0x80 >> (piece % 8);
        let Some(byte) = self.bits.get_mut(piece as usize / 8) else { return false };
        let new = *byte & bit == 0;
        *byte |= bit;
        new
    }

    /// Writes all haves as bits.
    fn unfold(&mut self) {
        let last = self.far.last().map_or(0, |last| *last as usize / 8 + 1);
        self.bits.resize(last.max(self.bits.len()), 0);
        for piece in std::mem::take(&mut self.far) {
            self.set(piece);
        }
    }

    /// A bitfield, which stands for the haves it is made of. False if it says nothing new.
    ///
    /// # Errors
    /// No torrent has a bitfield of this length, or an earlier one had another.
    pub(crate) fn bitfield(&mut self, bits: &[u8]) -> Result<bool, CloseReason> {
        let last = self.far.last().map_or(0, |last| *last as usize / 8 + 1);
        // What it said before must fit.
        if last <= bits.len() {
            self.unfold();
        }
        let shrinks = bits.len() < self.bits.len().max(last);
        let grows = self.bitfield && bits.len() > self.bits.len();
        if bits.len() > MAX_PIECES as usize / 8 || shrinks || grows {
            return Err(CloseReason::BadBitfield);
        }
        (self.bitfield, self.told) = (true, true);
        self.bits.resize(bits.len(), 0);
        let mut new = false;
        for (to, from) in self.bits.iter_mut().zip(bits) {
            new |= *from & !*to != 0;
            *to |= from;
        }
        Ok(new && !self.all)
    }

    /// It has everything there is. Always new.
    ///
    /// # Errors
    /// It said something else before.
    pub(crate) fn have_all(&mut self) -> Result<bool, CloseReason> {
        self.have_none()?;
        self.all = true;
        Ok(true)
    }

    /// It has nothing. Always new.
    ///
    /// # Errors
    /// It said something else before.
    pub(crate) fn have_none(&mut self) -> Result<bool, CloseReason> {
        if self.told || self.len() > 0 {
            return Err(CloseReason::BadHaveAll);
        }
        self.told = true;
        Ok(true)
    }

    /// Whether it said what it has in one word.
    pub(crate) fn is_told(&self) -> bool {
        self.told
    }

    /// Bytes that this holds.
    pub(crate) fn len(&self) -> usize {
        self.bits.len() + self.far.len() * size_of::<u32>()
    }

    /// What was meant, of a torrent of so many pieces.
    ///
    /// # Errors
    /// It does not fit such a torrent.
    pub(crate) fn judge(mut self, pieces: u32) -> Result<PieceSet, CloseReason> {
        if self.all {
            return Ok(PieceSet::new_full(pieces));
        }
        let len = pieces.div_ceil(8) as usize;
        // What is out of range needs no room to be seen to be so.
        if self.far.last().is_none_or(|last| *last < pieces) || self.bitfield {
            self.unfold();
        } else {
            return Err(CloseReason::HaveOutOfRange);
        }
        if !self.bitfield && self.bits.len() <= len {
            self.bits.resize(len, 0);
        }
        let reason =
            if self.bitfield { CloseReason::BadBitfield } else { CloseReason::HaveOutOfRange };
        PieceSet::from_wire(&self.bits, pieces).map_err(|_| reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(early: Early, pieces: u32) -> Result<Vec<u32>, CloseReason> {
        Ok(early.judge(pieces)?.iter().map(metainfo::PieceIndex::get).collect())
    }

    #[test]
    fn haves_alone_fit_any_torrent_that_is_long_enough() {
        let early = || {
            let mut early = Early::default();
            assert_eq!(early.have(9), Ok(true));
            assert_eq!(early.have(9), Ok(false));
            assert_eq!(early.have(0), Ok(true));
            early
        };
        assert_eq!(judged(early(), 10), Ok(vec![0, 9]));
        assert_eq!(judged(early(), 1_000), Ok(vec![0, 9]));
        assert_eq!(judged(early(), 9), Err(CloseReason::HaveOutOfRange));
        assert_eq!(judged(early(), 8), Err(CloseReason::HaveOutOfRange));
        assert_eq!(Early::default().have(MAX_PIECES), Err(CloseReason::HaveOutOfRange));
    }

    #[test]
    fn a_bitfield_says_how_long_the_torrent_is() {
        let early = || {
            let mut early = Early::default();
            assert_eq!(early.bitfield(&[0x80, 0]), Ok(true));
            assert_eq!(early.have(9), Ok(true));
            early
        };
        assert_eq!(judged(early(), 12), Ok(vec![0, 9]));
        assert_eq!(judged(early(), 8), Err(CloseReason::BadBitfield));
        assert_eq!(judged(early(), 17), Err(CloseReason::BadBitfield));
        assert_eq!(early().bitfield(&[0; 1]), Err(CloseReason::BadBitfield));
        assert_eq!(early().bitfield(&[0; 3]), Err(CloseReason::BadBitfield));
        assert_eq!(early().bitfield(&[0x80, 0x40]), Ok(false));
        let mut beyond = early();
        assert_eq!(beyond.have(99), Ok(true));
        assert_eq!(judged(beyond, 12), Err(CloseReason::BadBitfield));
    }

    #[test]
    fn everything_and_nothing_are_said_first_or_not_at_all() {
        let mut early = Early::default();
        assert_eq!(early.have_all(), Ok(true));
        assert_eq!(early.have_none(), Err(CloseReason::BadHaveAll));
        assert_eq!(early.have(3), Ok(false));
        assert_eq!(judged(early, 5), Ok(vec![0, 1, 2, 3, 4]));
        let mut early = Early::default();
        assert_eq!(early.have(3), Ok(true));
        assert_eq!(early.have_all(), Err(CloseReason::BadHaveAll));
        let mut early = Early::default();
        assert_eq!((early.have_none(), early.have(1)), (Ok(true), Ok(true)));
        assert!(early.is_told());
        assert_eq!(judged(early, 2), Ok(vec![1]));
    }
}
