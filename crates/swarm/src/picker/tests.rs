//! The picker against a naive one that keeps no order at all: of what a peer has and nobody began,
//! the rarest.

use metainfo::{PieceIndex, PieceSet};
use proptest::prelude::*;

use super::{Cursor, Picker, UNLISTED};
use crate::pieces::Pieces;

/// What happens to a swarm; numbers are taken modulo what there is.
#[derive(Clone, Debug)]
enum Step {
    Join(Vec<bool>),
    JoinFull,
    Leave(usize),
    Have(usize, u32),
    Pick(usize),
    PutBack(usize),
}

fn step(pieces: u32) -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => prop::collection::vec(any::<bool>(), pieces as usize).prop_map(Step::Join),
        1 => Just(Step::JoinFull),
        1 => any::<usize>().prop_map(Step::Leave),
        6 => (any::<usize>(), 0..pieces).prop_map(|(peer, piece)| Step::Have(peer, piece)),
        5 => any::<usize>().prop_map(Step::Pick),
        2 => any::<usize>().prop_map(Step::PutBack),
    ]
}

struct Peer {
    pieces: Pieces,
    as_seed: bool,
    cursor: Cursor,
}

/// The picker, and everything it should know, kept plainly.
struct Both {
    picker: Picker,
    rng: fastrand::Rng,
    total: u32,
    peers: Vec<Peer>,
    begun: Vec<PieceIndex>,
    sequential: bool,
}

impl Both {
    fn new(total: u32, have: &PieceSet, sequential: bool) -> Self {
        let rng = fastrand::Rng::with_seed(5);
        let picker = Picker::new(have, sequential);
        Self { picker, rng, total, peers: Vec::new(), begun: have.iter().collect(), sequential }
    }

    fn rarity(&self, piece: PieceIndex) -> usize {
        self.peers.iter().filter(|peer| peer.pieces.contains(piece)).count()
    }

    fn listed(&self) -> impl Iterator<Item = PieceIndex> + '_ {
        (0..self.total).map(PieceIndex::new).filter(|piece| !self.begun.contains(piece))
    }

    fn apply(&mut self, step: Step) {
        let peers = self.peers.len().max(1);
        match step {
            Step::Join(bits) => {
                let mut set = PieceSet::new_empty(self.total);
                for (piece, _) in (0..self.total).zip(bits).filter(|(_, bit)| *bit) {
                    set.insert(PieceIndex::new(piece));
                }
                self.join(Pieces::from_set(set));
            }
            Step::JoinFull => self.join(Pieces::All),
            Step::Leave(peer) if !self.peers.is_empty() => {
                let peer = self.peers.remove(peer % peers);
                match &peer.pieces {
                    Pieces::All if peer.as_seed => self.picker.remove_seed(),
                    Pieces::All => {
                        let all = PieceSet::new_full(self.total);
                        self.picker.remove_set(&all);
                    }
                    Pieces::Some(set) => self.picker.remove_set(set),
                    Pieces::Nothing => {}
                }
            }
            Step::Have(peer, piece) => {
                let piece = PieceIndex::new(piece);
                let Some(peer) = self.peers.get_mut(peer % peers) else { return };
                if peer.pieces.insert(piece, self.total) {
                    peer.cursor.wake(piece);
                    self.picker.add(piece);
                }
            }
            Step::Pick(peer) => self.pick(peer % peers),
            Step::PutBack(begun) if !self.begun.is_empty() => {
                let piece = self.begun.swap_remove(begun % self.begun.len());
                self.picker.put_back(piece);
            }
            Step::Leave(_) | Step::PutBack(_) => {}
        }
        self.check();
    }

    fn join(&mut self, pieces: Pieces) {
        let as_seed = pieces.is_all();
        match &pieces {
            Pieces::All => self.picker.add_seed(),
            Pieces::Some(set) => self.picker.add_set(set),
            Pieces::Nothing => {}
        }
        self.peers.push(Peer { pieces, as_seed, cursor: Cursor::default() });
    }

    /// The one comparison: rarest, or first, of what it has and nobody began.
    fn pick(&mut self, peer: usize) {
        if peer >= self.peers.len() {
            return;
        }
        let candidates = self.listed().filter(|piece| self.peers[peer].pieces.contains(*piece));
        let mut candidates: Vec<_> = candidates.collect();
        let first = candidates.first().copied();
        candidates.sort_by_key(|piece| self.rarity(*piece));
        let rarest = candidates.first().map(|piece| self.rarity(*piece));
        let Peer { pieces, cursor, .. } = &mut self.peers[peer];
        let picked = self.picker.pick(pieces, cursor, &mut self.rng);
        if self.sequential {
            assert_eq!(picked, first);
        } else {
            assert_eq!(picked.map(|piece| self.rarity(piece)), rarest);
        }
        if let Some(piece) = picked {
            assert!(self.peers[peer].pieces.contains(piece) && !self.begun.contains(&piece));
            self.picker.take(piece);
            self.begun.push(piece);
        }
    }

    fn check(&mut self) {
        let somebodys = self.listed().filter(|piece| self.rarity(*piece) > 0).count();
        assert_eq!(self.picker.available(), somebodys);
        let picker = &self.picker;
        assert_eq!(picker.order.len(), self.listed().count());
        assert_eq!(picker.bounds.first(), Some(&0));
        assert_eq!(picker.bounds.last().map(|n| *n as usize), Some(picker.order.len()));
        for (rarity, bound) in picker.bounds.windows(2).enumerate() {
            for place in bound[0]..bound[1] {
                let piece = PieceIndex::new(picker.order[place as usize]);
                let entry = picker.entries[piece.as_usize()];
                assert_eq!((usize::from(entry.peers), entry.place), (rarity, place));
            }
        }
        for piece in (0..self.total).map(PieceIndex::new) {
            assert_eq!(picker.peers(piece) as usize, self.rarity(piece));
            let unlisted = picker.entries[piece.as_usize()].place == UNLISTED;
            assert_eq!(unlisted, self.begun.contains(&piece));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn picks_what_the_naive_order_would(
        (total, have, steps) in (1_u32..200).prop_flat_map(|total| (
            Just(total),
            prop::collection::vec(prop::bool::weighted(0.2), total as usize),
            prop::collection::vec(step(total), 1..60),
        )),
        sequential in any::<bool>(),
    ) {
        let mut set = PieceSet::new_empty(total);
        for (piece, _) in (0..total).zip(&have).filter(|(_, bit)| **bit) {
            set.insert(PieceIndex::new(piece));
        }
        let mut both = Both::new(total, &set, sequential);
        both.check();
        for step in steps {
            both.apply(step);
        }
    }
}

#[test]
fn an_entry_is_eight_bytes() {
    assert_eq!(size_of::<super::Entry>(), 8);
}

#[test]
fn a_peer_with_few_pieces_of_many_finds_them_all() {
    let total = 100_000;
    let mut rng = fastrand::Rng::with_seed(1);
    let mut picker = Picker::new(&PieceSet::new_empty(total), false);
    let mut set = PieceSet::new_empty(total);
    for piece in [0, 7, 8, 63, 64, 65, 50_000, 99_999] {
        set.insert(PieceIndex::new(piece));
    }
    // Everybody else has the rest, so that these are buried among equals.
    picker.add_set(&PieceSet::new_full(total));
    picker.add_set(&set);
    let (mut cursor, mut found) = (Cursor::default(), PieceSet::new_empty(total));
    let pieces = Pieces::Some(set.clone());
    while let Some(piece) = picker.pick(&pieces, &mut cursor, &mut rng) {
        picker.take(piece);
        assert!(found.insert(piece));
    }
    assert_eq!(found, set);
    // A failed one that comes back is found again.
    picker.put_back(PieceIndex::new(64));
    let again = picker.pick(&pieces, &mut cursor, &mut rng);
    assert_eq!(again, Some(PieceIndex::new(64)));
}

#[test]
fn equals_are_picked_at_random() {
    let first = |seed| {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut picker = Picker::new(&PieceSet::new_empty(1_000), false);
        picker.pick(&Pieces::All, &mut Cursor::default(), &mut rng)
    };
    let firsts: std::collections::BTreeSet<_> = (0..50).map(first).collect();
    assert!(firsts.len() > 40, "{}", firsts.len());
}
