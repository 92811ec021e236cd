//! What was written of unfinished pieces before they were whole, in order to make room: the digest of
//! each such block. Read back, a block that has another digest was changed by another program, and says
//! nothing about the peer that sent it. It never touches a file.

use std::collections::HashMap;

use metainfo::Layout;

use crate::hold::{Held, Key};
use crate::job::TorrentId;

/// By block number; `None` for a block that was not written early.
pub(super) type Digests = Vec<Option<[u8; 20]>>;

/// The blocks that one disk thread wrote early.
#[derive(Debug, Default)]
pub(super) struct Early {
    pieces: HashMap<Key, Digests>,
}

impl Early {
    /// The blocks that are kept of a piece go to disk.
    pub(super) fn note<B: AsRef<[u8]>>(&mut self, key: Key, held: &Held<B>, layout: &Layout) {
        let blocks: Vec<[&[u8]; 1]> = held.kept().map(|block| [block]).collect();
        let mut digests = piecehash::sha1_many(&blocks).into_iter();
        let written = self.pieces.entry(key).or_default();
        written.resize(layout.block_count(key.1) as usize, None);
        for (slot, block) in written.iter_mut().zip(&held.blocks) {
            if block.is_some() {
                *slot = digests.next();
            }
        }
    }

    /// What was noted of a piece, which is forgotten.
    pub(super) fn take(&mut self, key: Key) -> Digests {
        self.pieces.remove(&key).unwrap_or_default()
    }

    /// Forgets every piece of a torrent.
    pub(super) fn forget_torrent(&mut self, torrent: TorrentId) {
        self.pieces.retain(|key, _| key.0 != torrent);
    }
}
