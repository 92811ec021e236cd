//! One attempt at the metadata, piece by piece, and who sent what. Memory is taken as pieces arrive. It
//! believes nothing: whether the whole is right, its hash says.

use std::time::Instant;

use wire::limits::METADATA_PIECE_LEN;

use crate::border::PeerKey;
use crate::limits::{METADATA_FAIR, METADATA_TURN, STALE_AFTER};
use crate::partial::Identity;
use metainfo::InfoHash;

/// What a copy is made of: pieces from all peers that claim this length, or from one of them alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Recipe {
    /// Bytes of the whole.
    pub(super) len: u32,
    /// The only peer that may give pieces.
    pub(super) only: Option<PeerKey>,
}

#[derive(Debug, Default)]
struct Slot {
    /// The piece, and who sent it.
    here: Option<(Box<[u8]>, Identity)>,
    /// How many peers are asked for it now, and when the last of them was.
    askers: usize,
    asked: Option<Instant>,
}

/// An attempt.
#[derive(Debug)]
pub(super) struct Copy {
    pub(super) recipe: Recipe,
    /// When its turn began.
    pub(super) began: Instant,
    slots: Vec<Slot>,
    here: usize,
    /// Pieces that were here then.
    at_turn: usize,
}

/// A piece of a copy that was wrong: its digest, and who sent it.
#[derive(Debug)]
pub(super) struct Exhibit {
    piece: usize,
    digest: InfoHash,
    from: Identity,
}

impl Copy {
    pub(super) fn new(recipe: Recipe, now: Instant) -> Self {
        let slots =
            std::iter::repeat_with(Slot::default).take(piece_count(recipe.len as usize)).collect();
        Self { recipe, began: now, slots, here: 0, at_turn: 0 }
    }

    /// A turn is over and did not bring enough; the next one begins.
    pub(super) fn turn_over(&mut self, now: Instant) {
        (self.began, self.at_turn) = (now, self.here);
    }

    /// Begins another turn if the one that is over brought a fair part of the whole.
    pub(super) fn gets_on(&mut self, now: Instant) {
        let new = self.here.saturating_sub(self.at_turn);
        if now >= self.began + METADATA_TURN && new * METADATA_FAIR >= self.slots.len() {
            self.turn_over(now);
        }
    }

    /// Bytes that are here.
    pub(super) fn bytes(&self) -> u32 {
        let bytes = self.here * METADATA_PIECE_LEN;
        u32::try_from(bytes).unwrap_or(u32::MAX).min(self.recipe.len)
    }

    pub(super) fn is_complete(&self) -> bool {
        self.here == self.slots.len()
    }

    /// A piece to ask one more peer for, which is asked for `asked` already: one that nobody is asked
    /// for, else one that all who are asked keep waiting for.
    pub(super) fn pick(&mut self, now: Instant, asked: impl Fn(u32) -> bool) -> Option<u32> {
        let stale = |at: Instant| now.saturating_duration_since(at) >= STALE_AFTER;
        let missing = || self.slots.iter().enumerate().filter(|(_, slot)| slot.here.is_none());
        let free = missing().find(|(_, slot)| slot.askers == 0);
        let late = || {
            missing().find(|(piece, slot)| {
                slot.asked.is_none_or(stale) && !u32::try_from(*piece).is_ok_and(&asked)
            })
        };
        let piece = free.or_else(late)?.0;
        let slot = self.slots.get_mut(piece)?;
        slot.askers += 1;
        slot.asked = Some(now);
        u32::try_from(piece).ok()
    }

    /// When [`pick`](Self::pick) may find a piece that it does not find now.
    pub(super) fn stale_times(&self) -> impl Iterator<Item = Instant> {
        let missing = self.slots.iter().filter(|slot| slot.here.is_none());
        missing.filter_map(|slot| slot.asked).map(|at| at + STALE_AFTER)
    }

    /// One peer less is asked for a piece.
    pub(super) fn give_up(&mut self, piece: u32) {
        if let Some(slot) = self.slot(piece) {
            slot.askers = slot.askers.saturating_sub(1);
        }
    }

    /// Takes a piece in. False if a piece of this number cannot have this length.
    pub(super) fn take(&mut self, piece: u32, data: &[u8], from: Identity) -> bool {
        if data.len() != piece_len(self.recipe.len, piece) {
            return false;
        }
        let Some(slot) = self.slot(piece) else { return false };
        if slot.here.is_none() {
            slot.here = Some((data.into(), from));
            self.here += 1;
        }
        true
    }

    /// All bytes in order.
    pub(super) fn whole(&self) -> Vec<u8> {
        let mut whole = Vec::with_capacity(self.recipe.len as usize);
        for (piece, _) in self.slots.iter().filter_map(|slot| slot.here.as_ref()) {
            whole.extend_from_slice(piece);
        }
        whole
    }

    /// Everybody who sent a piece, each once.
    pub(super) fn senders(&self) -> Vec<Identity> {
        let senders = self.slots.iter().filter_map(|slot| Some(slot.here.as_ref()?.1));
        let mut senders: Vec<Identity> = senders.collect();
        senders.sort_unstable();
        senders.dedup();
        senders
    }

    /// What is remembered of a copy that was wrong.
    pub(super) fn exhibits(&self) -> impl Iterator<Item = Exhibit> {
        self.slots.iter().enumerate().filter_map(|(piece, slot)| {
            let (bytes, from) = slot.here.as_ref()?;
            Some(Exhibit { piece, digest: InfoHash::of(bytes), from: *from })
        })
    }

    /// Whether this copy, which is right, proves that the piece was false.
    pub(super) fn refutes(&self, exhibit: &Exhibit) -> Option<Identity> {
        let (bytes, _) = self.slots.get(exhibit.piece)?.here.as_ref()?;
        (InfoHash::of(bytes) != exhibit.digest).then_some(exhibit.from)
    }

    fn slot(&mut self, piece: u32) -> Option<&mut Slot> {
        self.slots.get_mut(usize::try_from(piece).ok()?)
    }
}

/// How many pieces metadata of `len` bytes has.
pub(super) fn piece_count(len: usize) -> usize {
    len.div_ceil(METADATA_PIECE_LEN)
}

/// Bytes of a piece of metadata of `len` bytes; 0 if it does not exist.
fn piece_len(len: u32, piece: u32) -> usize {
    let start = u64::from(piece) * METADATA_PIECE_LEN as u64;
    let rest = u64::from(len).saturating_sub(start);
    usize::try_from(rest).unwrap_or(usize::MAX).min(METADATA_PIECE_LEN)
}

/// The bytes of a piece of `info`; `None` if it does not exist.
pub(super) fn piece_of(info: &[u8], piece: u32) -> Option<&[u8]> {
    info.chunks(METADATA_PIECE_LEN).nth(usize::try_from(piece).ok()?)
}
