//! The hashes of pieces that are zeros throughout, each computed once for all pieces of a length.
//! It never touches a file.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use metainfo::BLOCK_LEN;
use piecehash::{Sha1, sha256_many};

use super::{Hashed, Wanted};

/// Bytes hashed between two looks at whether to stop: less than a millisecond of work.
const STEP: usize = 256 * 1024;

/// What is known of pieces of zeros.
pub(crate) struct Zeros {
    piece_length: u32,
    /// The SHA-1 of a piece that is as long as nearly all are.
    sha1: OnceLock<[u8; 20]>,
    /// The SHA-256 of a whole block.
    leaf: OnceLock<[u8; 32]>,
}

impl Zeros {
    pub(crate) fn new(piece_length: u32) -> Self {
        Self { piece_length, sha1: OnceLock::new(), leaf: OnceLock::new() }
    }

    /// The hashes of a piece of `len` zeros, of which `content` are before its padding; `None` when
    /// told to stop.
    pub(crate) fn hashed(
        &self,
        len: u32,
        content: u32,
        wanted: Wanted,
        cancel: &AtomicBool,
    ) -> Option<Hashed> {
        if cancel.load(Ordering::Relaxed) {
            return None;
        }
        let sha1 = if wanted.sha1 { self.sha1(len, cancel)? } else { [0; 20] };
        let leaves = if wanted.leaves { self.leaves(content) } else { Vec::new() };
        Some(Hashed { sha1, leaves })
    }

    fn sha1(&self, len: u32, cancel: &AtomicBool) -> Option<[u8; 20]> {
        if len != self.piece_length {
            return hash(len, cancel);
        }
        if let Some(known) = self.sha1.get() {
            return Some(*known);
        }
        let digest = hash(len, cancel)?;
        Some(*self.sha1.get_or_init(|| digest))
    }

    fn leaves(&self, content: u32) -> Vec<[u8; 32]> {
        let leaf = self.leaf.get_or_init(|| leaf(BLOCK_LEN));
        let mut leaves = vec![*leaf; (content / BLOCK_LEN) as usize];
        let rest = content % BLOCK_LEN;
        if rest > 0 {
            leaves.push(self::leaf(rest));
        }
        leaves
    }
}

/// The SHA-256 of `len` zeros, a block at the most.
fn leaf(len: u32) -> [u8; 32] {
    let zeros = [0; BLOCK_LEN as usize];
    let block = zeros.get(..len as usize).unwrap_or(&zeros);
    sha256_many(&[[block]]).first().copied().unwrap_or_default()
}

fn hash(len: u32, cancel: &AtomicBool) -> Option<[u8; 20]> {
    let zeros = vec![0; STEP];
    let mut hash = Sha1::new();
    let mut left = len as usize;
    while left > 0 {
        if cancel.load(Ordering::Relaxed) {
            return None;
        }
        let part = zeros.get(..left.min(STEP)).unwrap_or(&zeros);
        hash.update(part);
        left -= part.len();
    }
    Some(hash.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_zeros_hash_as_if_they_were_read() {
        let (go, stop) = (AtomicBool::new(false), AtomicBool::new(true));
        let wanted = Wanted { sha1: true, leaves: true };
        let zeros = Zeros::new(1 << 20);
        for (len, content) in [(1 << 20, 1 << 20), (1 << 20, 20_000), (700_001, 700_001), (1, 1)] {
            let bytes = vec![0_u8; len as usize];
            let found = zeros.hashed(len, content, wanted, &go).unwrap();
            assert_eq!(found.sha1, piecehash::sha1(&[&bytes]), "{len}");
            let content = &bytes[..content as usize];
            let blocks: Vec<[&[u8]; 1]> = content.chunks(BLOCK_LEN as usize).map(|b| [b]).collect();
            assert_eq!(found.leaves, sha256_many(&blocks), "{len}");
        }
        assert!(zeros.hashed(1 << 20, 0, wanted, &stop).is_none());
        assert!(zeros.hashed(1 << 30, 0, Wanted::SHA1, &stop).is_none());
    }
}
