//! Merkle trees over SHA-256, as version 2 torrents hash files (BEP 52).
//! It never hashes file contents: leaves come in as digests of 16 KiB blocks.

use sha2::{Digest as _, Sha256};

#[cfg(test)]
mod tests;

/// A SHA-256 digest.
pub(crate) type Digest = [u8; 32];

/// The root of the tree with these leaves, each the SHA-256 of a 16 KiB block (the last block of a
/// file may be shorter). Leaves missing to `width`, or to the next power of two, are zeros.
///
/// This is the hash of a version 2 piece, with the width that
/// [`Expected::Merkle`](crate::Expected::Merkle) gives.
///
/// ```
/// use metainfo::merkle_root;
///
/// let leaf = [7; 32];
/// assert_eq!(merkle_root(&[leaf], 1), leaf);
/// assert_eq!(merkle_root(&[leaf], 4), merkle_root(&[leaf, [0; 32], [0; 32]], 1));
/// ```
pub fn merkle_root(leaves: &[[u8; 32]], width: u32) -> [u8; 32] {
    climb(leaves.to_vec(), width as usize, [0; 32])
}

/// The root of a file's tree, from the layer whose hashes each cover `leaves_each` blocks (a power
/// of two).
pub(crate) fn root_of_layer(layer: &[Digest], leaves_each: u32) -> Digest {
    climb(layer.to_vec(), 1, merkle_root(&[], leaves_each))
}

/// Hashes pairs, layer by layer, until one is left; `filler` stands for what is beyond the end.
fn climb(mut layer: Vec<Digest>, width: usize, mut filler: Digest) -> Digest {
    let mut height = width.max(layer.len()).max(1).next_power_of_two().trailing_zeros();
    while height > 0 {
        if !layer.len().is_multiple_of(2) {
            layer.push(filler);
        }
        layer = layer.as_chunks().0.iter().map(|[left, right]| pair(left, right)).collect();
        filler = pair(&filler, &filler);
        height -= 1;
    }
    layer.first().copied().unwrap_or(filler)
}

fn pair(left: &Digest, right: &Digest) -> Digest {
    Sha256::new().chain_update(left).chain_update(right).finalize().into()
}
