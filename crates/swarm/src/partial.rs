//! The pieces that are begun: which block was asked of whom, which is here and from whom.
//! It neither chooses pieces nor talks to peers.
//!
//! The number of begun pieces is bounded because a piece is begun only for a peer that has none of
//! the `open` ones (those that still have a block nobody was asked for), or for one that alone has
//! it while there are fewer than [`OPEN_PER_PEER`](crate::limits::OPEN_PER_PEER) open ones a peer. So
//! a few open pieces a peer come into being, and every other begun piece is full of requests and
//! blocks, whose number the request windows bound. When requests are taken back, a piece that has no
//! block yet is no longer begun.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Instant;

use metainfo::{Block, Layout, PieceIndex};
use wire::PeerId;

use crate::border::PeerKey;

/// Who sent a block: what remains of a peer after its connection is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Identity {
    pub(crate) ip: IpAddr,
    pub(crate) peer_id: PeerId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Free,
    Asked(PeerKey),
    /// Here, from this one of `Partial::sources`.
    Here(u32),
    /// Padding alone: here without asking, from no peer.
    Padding,
}

/// One begun piece.
#[derive(Debug)]
pub(crate) struct Partial {
    blocks: Vec<State>,
    free: usize,
    /// Those that are padding alone included.
    here: usize,
    /// Blocks that are padding alone.
    padding: usize,
    /// No block before this one is free.
    first_free: usize,
    pub(crate) sources: Vec<Identity>,
    /// It failed before with several sources: all its blocks must come from one peer.
    whole: bool,
    /// The peer it is fetched from, if it is `whole` and somebody has begun.
    owner: Option<PeerKey>,
    /// Since when, as far as anybody has looked.
    owned_since: Option<Instant>,
    /// The hosts of owners that it was taken from since they were slow.
    held_up_by: Vec<IpAddr>,
}

impl Partial {
    fn new(layout: &Layout, piece: PieceIndex, whole: bool) -> Self {
        let mut blocks = vec![State::Free; layout.block_count(piece) as usize];
        let padding = layout.padding_block_count(piece) as usize;
        if padding > 0 {
            for (number, state) in (0..).zip(&mut blocks) {
                if layout.block(piece, number).is_none() {
                    *state = State::Padding;
                }
            }
        }
        let (free, here) = (blocks.len() - padding, padding);
        Self {
            blocks,
            free,
            here,
            padding,
            first_free: 0,
            sources: Vec::new(),
            whole,
            owner: None,
            owned_since: None,
            held_up_by: Vec::new(),
        }
    }

    /// True if `peer` may be asked for blocks of it.
    pub(crate) fn open_to(&self, peer: PeerKey) -> bool {
        !self.whole || self.owner.is_none_or(|owner| owner == peer)
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.whole
    }

    pub(crate) fn owner(&self) -> Option<PeerKey> {
        self.owner
    }

    /// The hosts that held it up.
    pub(crate) fn held_up_by(&self) -> &[IpAddr] {
        &self.held_up_by
    }

    /// Blocks that came, and those that are still to come.
    pub(crate) fn progress(&self) -> (usize, usize) {
        (self.here.saturating_sub(self.padding), self.blocks.len().saturating_sub(self.here))
    }

    /// For each block, which of `sources` it came from.
    pub(crate) fn origins(&self) -> Vec<u32> {
        let origin = |state: &State| match state {
            State::Here(source) => *source,
            State::Free | State::Asked(_) | State::Padding => u32::MAX,
        };
        self.blocks.iter().map(origin).collect()
    }
}

/// What became of an arrived block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// It is needed. If it was asked of somebody, then of this peer.
    Needed { asked: Option<PeerKey>, complete: bool },
    /// It is here already, or its piece is verified, or it must come from another peer.
    Useless,
}

/// All begun pieces.
#[derive(Debug)]
pub(crate) struct Partials {
    layout: Layout,
    begun: BTreeMap<PieceIndex, Partial>,
    /// Those with a free block, the first begun first.
    open: Vec<PieceIndex>,
    /// Those that must come whole from one peer.
    whole: BTreeSet<PieceIndex>,
}

impl Partials {
    pub(crate) fn new(layout: Layout) -> Self {
        Self { layout, begun: BTreeMap::new(), open: Vec::new(), whole: BTreeSet::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.begun.len()
    }

    pub(crate) fn get(&self, piece: PieceIndex) -> Option<&Partial> {
        self.begun.get(&piece)
    }

    /// The pieces with a free block, the first begun first.
    pub(crate) fn open(&self) -> &[PieceIndex] {
        &self.open
    }

    pub(crate) fn begin(&mut self, piece: PieceIndex, whole: bool) {
        self.begun.insert(piece, Partial::new(&self.layout, piece, whole));
        self.open.push(piece);
        if whole {
            self.whole.insert(piece);
        }
    }

    /// Forgets the piece and what is known of its blocks.
    pub(crate) fn remove(&mut self, piece: PieceIndex) -> Option<Partial> {
        self.close(piece);
        self.whole.remove(&piece);
        self.begun.remove(&piece)
    }

    /// Unfinished pieces that must come whole from one peer, and come from this one.
    pub(crate) fn owned_by(&self, peer: PeerKey) -> Vec<PieceIndex> {
        let owned = |piece: &&PieceIndex| {
            let partial = self.begun.get(piece);
            partial.is_some_and(|p| p.owner == Some(peer) && p.here < p.blocks.len())
        };
        self.whole.iter().filter(owned).copied().collect()
    }

    /// Forgets its blocks; it is begun anew, by nobody.
    pub(crate) fn restart(&mut self, piece: PieceIndex) {
        if let Some(Partial { whole, held_up_by, .. }) = self.remove(piece) {
            self.begin(piece, whole);
            if let Some(partial) = self.begun.get_mut(&piece) {
                partial.held_up_by = held_up_by;
            }
        }
    }

    /// Pieces that come whole from one peer and are not whole yet, with that peer.
    pub(crate) fn owned(&self) -> Vec<(PieceIndex, PeerKey)> {
        let owner = |piece: &PieceIndex| {
            let partial = self.begun.get(piece)?;
            Some((*piece, partial.owner.filter(|_| partial.here < partial.blocks.len())?))
        };
        self.whole.iter().filter_map(owner).collect()
    }

    /// Since when the piece has had its owner, from the first look on.
    pub(crate) fn owned_since(&mut self, piece: PieceIndex, now: Instant) -> Instant {
        let since = self.begun.get_mut(&piece).map(|partial| &mut partial.owned_since);
        since.map_or(now, |since| *since.get_or_insert(now))
    }

    /// An owner of this host held the piece up.
    pub(crate) fn holds_up(&mut self, piece: PieceIndex, host: IpAddr) {
        if let Some(partial) = self.begun.get_mut(&piece) {
            partial.held_up_by.push(host);
        }
    }

    /// Marks the next free block of an open piece as asked of `peer`.
    pub(crate) fn ask(&mut self, piece: PieceIndex, peer: PeerKey) -> Option<Block> {
        let partial = self.begun.get_mut(&piece)?;
        let ahead = partial.blocks.get(partial.first_free..)?;
        let at = partial.first_free + ahead.iter().position(|state| *state == State::Free)?;
        let block = self.layout.block(piece, u32::try_from(at).ok()?)?;
        *partial.blocks.get_mut(at)? = State::Asked(peer);
        partial.first_free = at + 1;
        partial.free -= 1;
        if partial.whole {
            partial.owner = Some(peer);
        }
        if partial.free == 0 {
            self.close(piece);
        }
        Some(block)
    }

    /// The peer that the block was asked of, if it is not here yet.
    pub(crate) fn asked(&self, block: Block) -> Option<PeerKey> {
        let number = self.layout.block_number(block)?;
        match self.begun.get(&block.piece())?.blocks.get(number as usize)? {
            State::Asked(peer) => Some(*peer),
            State::Free | State::Here(_) | State::Padding => None,
        }
    }

    /// The block that was asked of `from` is asked of `to` instead, or of nobody.
    pub(crate) fn release(&mut self, block: Block, from: PeerKey, to: Option<PeerKey>) {
        let Some(number) = self.layout.block_number(block) else { return };
        let Some(partial) = self.begun.get_mut(&block.piece()) else { return };
        let Some(state) = partial.blocks.get_mut(number as usize) else { return };
        if *state != State::Asked(from) {
            return;
        }
        if let Some(to) = to {
            *state = State::Asked(to);
            return;
        }
        *state = State::Free;
        partial.free += 1;
        partial.first_free = partial.first_free.min(number as usize);
        if partial.free == 1 {
            self.open.push(block.piece());
        }
    }

    /// True if the piece is begun, any peer may give it, and no block of it is here or asked for.
    pub(crate) fn is_untouched(&self, piece: PieceIndex) -> bool {
        self.begun.get(&piece).is_some_and(|p| !p.whole && p.free + p.padding == p.blocks.len())
    }

    /// A block arrived from `peer`.
    pub(crate) fn receive(&mut self, block: Block, peer: PeerKey, from: Identity) -> Received {
        let Some(number) = self.layout.block_number(block) else { return Received::Useless };
        let Some(partial) = self.begun.get_mut(&block.piece()) else { return Received::Useless };
        if partial.whole && partial.owner != Some(peer) {
            return Received::Useless;
        }
        let Some(state) = partial.blocks.get_mut(number as usize) else { return Received::Useless };
        let asked = match *state {
            State::Here(_) | State::Padding => return Received::Useless,
            State::Asked(peer) => Some(peer),
            State::Free => None,
        };
        // Few peers share a piece, and the last one sent the previous block.
        let known = partial.sources.iter().rposition(|source| *source == from);
        let source = known.unwrap_or_else(|| {
            partial.sources.push(from);
            partial.sources.len() - 1
        });
        *state = State::Here(u32::try_from(source).unwrap_or(u32::MAX));
        partial.here += 1;
        let complete = partial.here == partial.blocks.len();
        if asked.is_none() {
            partial.free -= 1;
            if partial.free == 0 {
                self.close(block.piece());
            }
        }
        Received::Needed { asked, complete }
    }

    fn close(&mut self, piece: PieceIndex) {
        if let Some(at) = self.open.iter().position(|open| *open == piece) {
            self.open.remove(at);
        }
    }
}
