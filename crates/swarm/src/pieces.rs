//! What one peer has, in as little memory as it can be said: nothing, some, or all.
//! It never knows whose pieces they are.

use metainfo::{PieceIndex, PieceSet};

/// The pieces of a peer. A peer that says nothing, and one that has everything, hold no bitfield:
/// ten thousand idle connections to a torrent of a million pieces cost nothing here.
#[derive(Clone, Debug)]
pub(crate) enum Pieces {
    Nothing,
    Some(PieceSet),
    All,
}

impl Pieces {
    pub(crate) fn from_set(set: PieceSet) -> Self {
        if set.is_empty() {
            Self::Nothing
        } else if set.is_full() {
            Self::All
        } else {
            Self::Some(set)
        }
    }

    pub(crate) fn contains(&self, piece: PieceIndex) -> bool {
        match self {
            Self::Nothing => false,
            Self::Some(set) => set.contains(piece),
            Self::All => true,
        }
    }

    /// Adds a piece of a torrent of `total` pieces. False if it was there.
    pub(crate) fn insert(&mut self, piece: PieceIndex, total: u32) -> bool {
        match self {
            Self::All => false,
            Self::Nothing => {
                let mut set = PieceSet::new_empty(total);
                let new = set.insert(piece);
                *self = Self::from_set(set);
                new
            }
            Self::Some(set) => {
                let new = set.insert(piece);
                if set.is_full() {
                    *self = Self::All;
                }
                new
            }
        }
    }

    pub(crate) fn count(&self, total: u32) -> u32 {
        match self {
            Self::Nothing => 0,
            Self::Some(set) => set.count(),
            Self::All => total,
        }
    }

    pub(crate) fn is_all(&self) -> bool {
        matches!(self, Self::All)
    }

    /// How many of these pieces are not in `settled`.
    pub(crate) fn missing_from(&self, settled: &PieceSet) -> u32 {
        match self {
            Self::Nothing => 0,
            Self::All => settled.len() - settled.count(),
            Self::Some(set) => set
                .as_bytes()
                .iter()
                .zip(settled.as_bytes())
                .map(|(a, b)| (a & !b).count_ones())
                .sum(),
        }
    }
}
