//! Trees against one built the plain way: all leaves there, pairs hashed recursively.

use proptest::prelude::*;

use super::*;

fn plain(leaves: &[Digest]) -> Digest {
    if let [one] = leaves {
        return *one;
    }
    let (left, right) = leaves.split_at(leaves.len() / 2);
    pair(&plain(left), &plain(right))
}

fn leaves(count: usize) -> Vec<Digest> {
    (0..count).map(|i| Sha256::digest(i.to_be_bytes()).into()).collect()
}

#[test]
fn no_leaves_are_zeros() {
    assert_eq!(merkle_root(&[], 0), [0; 32]);
    assert_eq!(merkle_root(&[], 8), plain(&[[0; 32]; 8]));
}

proptest! {
    #[test]
    fn roots_are_those_of_the_full_tree(count in 1..70_usize, width in 0..8_u32, level in 0..4_u32) {
        let leaves = leaves(count);
        let mut full = leaves.clone();
        full.resize(count.max(1 << width).next_power_of_two(), [0; 32]);
        prop_assert_eq!(merkle_root(&leaves, 1 << width), plain(&full));

        // By way of a layer of pieces, each a small tree of its own.
        let each = 1 << level;
        let layer: Vec<Digest> =
            leaves.chunks(each).map(|piece| merkle_root(piece, 1 << level)).collect();
        full.truncate(count);
        full.resize(layer.len().next_power_of_two() * each, [0; 32]);
        prop_assert_eq!(root_of_layer(&layer, 1 << level), plain(&full));
    }
}
