//! The set against a plain list of booleans, and the wire's edge cases.

use proptest::prelude::*;

use super::*;

#[test]
fn first_piece_is_the_highest_bit() {
    let mut set = PieceSet::new_empty(10);
    assert!(set.insert(PieceIndex::new(0)));
    assert!(set.insert(PieceIndex::new(9)));
    assert!(!set.insert(PieceIndex::new(9)));
    assert!(!set.insert(PieceIndex::new(10)));
    assert_eq!(set.as_bytes(), [0x80, 0x40]);
    assert_eq!((set.count(), set.len()), (2, 10));
    assert!(set.remove(PieceIndex::new(0)));
    assert!(!set.remove(PieceIndex::new(0)));
    assert!(!set.remove(PieceIndex::new(u32::MAX)));
    assert_eq!(set.iter().collect::<Vec<_>>(), [PieceIndex::new(9)]);
}

#[test]
fn a_full_set_has_no_spare_bits() {
    let set = PieceSet::new_full(10);
    assert_eq!(set.as_bytes(), [0xff, 0xc0]);
    assert!(set.is_full() && !set.is_empty());
    assert_eq!(set.iter_missing().count(), 0);
    assert_eq!(PieceSet::from_wire(&[0xff, 0xc0], 10).unwrap(), set);
}

#[test]
fn no_pieces_is_both_full_and_empty() {
    let set = PieceSet::new_full(0);
    assert!(set.is_full() && set.is_empty());
    assert!(set.as_bytes().is_empty());
    assert_eq!(PieceSet::from_wire(&[], 0).unwrap(), set);
}

#[test]
fn wrong_bitfields_are_refused() {
    for (bytes, pieces) in
        [(&[0xff][..], 10), (&[0xff, 0, 0], 10), (&[0xff, 0x20], 10), (&[0, 1], 10), (&[0], 0)]
    {
        let error = PieceSet::from_wire(bytes, pieces).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadBitfield, "{bytes:?}");
    }
}

proptest! {
    #[test]
    fn behaves_like_booleans(
        pieces in 0..70_u32,
        steps in prop::collection::vec((any::<bool>(), 0..80_u32), 0..200),
    ) {
        let mut set = PieceSet::new_empty(pieces);
        let mut model = vec![false; pieces as usize];
        for (add, index) in steps {
            let piece = PieceIndex::new(index);
            let changed = if add { set.insert(piece) } else { set.remove(piece) };
            let slot = model.get_mut(index as usize);
            prop_assert_eq!(changed, slot.as_ref().is_some_and(|slot| **slot != add));
            if let Some(slot) = slot {
                *slot = add;
            }
            prop_assert_eq!(set.contains(piece), model.get(index as usize) == Some(&true));
        }
        let have: Vec<u32> = (0..pieces).filter(|i| model[*i as usize]).collect();
        prop_assert_eq!(set.iter().map(PieceIndex::get).collect::<Vec<_>>(), have.clone());
        prop_assert_eq!(set.count() as usize, have.len());
        prop_assert_eq!(set.iter_missing().count(), (pieces - set.count()) as usize);
        prop_assert_eq!(PieceSet::from_wire(set.as_bytes(), pieces).unwrap(), set);
    }

    #[test]
    fn any_accepted_bitfield_is_given_back(bytes in prop::collection::vec(any::<u8>(), 0..9), pieces in 0..70_u32) {
        if let Ok(set) = PieceSet::from_wire(&bytes, pieces) {
            prop_assert_eq!(set.as_bytes(), &bytes[..]);
            prop_assert_eq!(set.iter().count(), set.count() as usize);
        }
    }
}
