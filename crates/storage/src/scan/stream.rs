//! A piece on its way through the hashes, and what the file it was seen in has to reach.
//! It never reads a file's bytes and never decides what is hashed next.

use metainfo::{BLOCK_LEN, Layout, PieceIndex};
use piecehash::{Sha1, sha256_many};

use super::Wanted;
use crate::file_cache::InUse;
use crate::span::ReadError;

/// A piece being hashed.
pub(super) struct Stream {
    pub(super) piece: PieceIndex,
    pub(super) hash: Sha1,
    pub(super) leaves: Vec<[u8; 32]>,
    /// Bytes before its padding.
    pub(super) content: u32,
    /// Bytes hashed so far.
    pub(super) offset: u32,
    /// What is in the window now.
    pub(super) filled: u32,
    /// Nothing is in the window because it is filled later.
    put_off: bool,
    pub(super) failed: Option<(usize, ReadError)>,
}

impl Stream {
    pub(super) fn new(piece: PieceIndex, content: u32) -> Self {
        let (hash, leaves) = (Sha1::new(), Vec::new());
        Self { piece, hash, leaves, content, offset: 0, filled: 0, put_off: false, failed: None }
    }

    /// The next `len` bytes are about to be in the window.
    pub(super) fn begin(&mut self, len: u32) {
        (self.filled, self.put_off) = (len, false);
    }

    /// They are not, and are to be asked for again.
    pub(super) fn put_off(&mut self) {
        (self.filled, self.put_off) = (0, true);
    }

    pub(super) fn ended(&self, layout: &Layout) -> bool {
        let nothing_left = self.filled == 0 && !self.put_off;
        self.failed.is_some() || self.offset >= layout.piece_len(self.piece) || nothing_left
    }
}

/// What a file that was looked at has to reach.
pub(super) struct Length {
    pub(super) file: InUse,
    pub(super) index: usize,
    pub(super) end: u64,
}

impl Length {
    /// Why what was seen is not to be believed, if so. Even where nothing was torn the file may have
    /// ended: the rest of its last page reads as zeros without any fault.
    ///
    /// `known` is a file and its length since all was looked at: most of what is hashed side by side is
    /// of one.
    pub(super) fn failure(
        self,
        torn: bool,
        known: &mut Option<(usize, u64)>,
    ) -> Option<(usize, ReadError)> {
        let len = match *known {
            Some((index, len)) if index == self.index => Ok(len),
            _ => self.file.stamp().map(|stamp| stamp.len),
        };
        let error = match len {
            Ok(len) if !torn && len >= self.end => {
                *known = Some((self.index, len));
                return None;
            }
            Ok(_) => std::io::ErrorKind::UnexpectedEof.into(),
            Err(error) => error,
        };
        Some((self.index, ReadError::Read(error)))
    }
}

/// Hashes the next bytes of each piece, all side by side.
pub(super) fn hash(streams: &mut [Stream], bytes: &[&[u8]], wanted: Wanted) {
    if wanted.leaves {
        add_leaves(streams, bytes);
    }
    if wanted.sha1 {
        let good = streams.iter_mut().zip(bytes).filter(|(stream, _)| stream.failed.is_none());
        Sha1::update_many(good.map(|(stream, bytes)| (&mut stream.hash, *bytes)));
    }
}

/// Hashes the blocks of each piece for its tree.
fn add_leaves(streams: &mut [Stream], bytes: &[&[u8]]) {
    let mut owners = Vec::new();
    let mut blocks: Vec<[&[u8]; 1]> = Vec::new();
    for (owner, bytes) in streams.iter_mut().zip(bytes) {
        let content = owner.content.saturating_sub(owner.offset).min(owner.filled);
        let content = bytes.get(..content as usize).unwrap_or_default();
        let before = blocks.len();
        blocks.extend(content.chunks(BLOCK_LEN as usize).map(|block| [block]));
        owners.push((owner, blocks.len() - before));
    }
    let mut leaves = sha256_many(&blocks).into_iter();
    for (owner, count) in owners {
        owner.leaves.extend(leaves.by_ref().take(count));
    }
}
