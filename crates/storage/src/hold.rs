//! The blocks of unfinished pieces that one disk thread keeps in memory, in the caller's buffers.
//! It never copies a block and never touches a file.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use metainfo::{Block, Layout, PieceIndex};

use crate::job::TorrentId;

/// Which piece of which torrent.
pub(crate) type Key = (TorrentId, PieceIndex);

/// How many emptied tables are kept for the next pieces, so that a steady download allocates none.
const SPARE_TABLES: usize = 32;

/// The unfinished pieces of one disk thread.
#[derive(Debug)]
pub(crate) struct Hold<B> {
    pieces: HashMap<Key, Held<B>>,
    /// Bytes kept by all disk threads together.
    total: Arc<AtomicUsize>,
    spare: Vec<Vec<Option<B>>>,
    clock: u64,
}

/// What is kept of one piece.
#[derive(Debug)]
pub(crate) struct Held<B> {
    /// By block number; `None` is not kept: never came, went to disk early, or is padding alone.
    pub(crate) blocks: Vec<Option<B>>,
    kept: usize,
    /// Blocks that are padding alone.
    padding: usize,
    bytes: usize,
    born: u64,
}

impl<B> Held<B> {
    /// The blocks that are kept, in order.
    pub(crate) fn kept(&self) -> impl Iterator<Item = &[u8]>
    where
        B: AsRef<[u8]>,
    {
        self.blocks.iter().flatten().map(AsRef::as_ref)
    }

    /// The piece's blocks, in order, each with what is kept of it.
    pub(crate) fn each<'a>(
        &'a self,
        layout: &'a Layout,
        piece: PieceIndex,
    ) -> impl Iterator<Item = (Block, Option<&'a [u8]>)>
    where
        B: AsRef<[u8]>,
    {
        let place = move |(number, kept): (u32, &'a Option<B>)| {
            Some((layout.block(piece, number)?, kept.as_ref().map(AsRef::as_ref)))
        };
        (0..).zip(&self.blocks).filter_map(place)
    }

    /// Whether every block is kept, of those that are not padding alone.
    pub(crate) fn is_whole(&self) -> bool {
        self.kept + self.padding == self.blocks.len()
    }

    /// Whether some blocks are padding alone, which nothing is kept of.
    pub(crate) fn has_padding(&self) -> bool {
        self.padding > 0
    }
}

impl<B: AsRef<[u8]>> Hold<B> {
    pub(crate) fn new(total: Arc<AtomicUsize>) -> Self {
        Self { pieces: HashMap::new(), total, spare: Vec::new(), clock: 0 }
    }

    /// Bytes kept by all disk threads together.
    pub(crate) fn total(&self) -> usize {
        self.total.load(Ordering::Relaxed)
    }

    /// Keeps block `number` of a piece. One that is kept already is replaced.
    pub(crate) fn keep(&mut self, key: Key, number: usize, layout: &Layout, data: B) {
        if !self.pieces.contains_key(&key) {
            let empty = self.nothing(layout, key.1);
            self.pieces.insert(key, empty);
        }
        let Some(held) = self.pieces.get_mut(&key) else { return };
        let Some(slot) = held.blocks.get_mut(number) else { return };
        let len = data.as_ref().len();
        let replaced = slot.replace(data).map(|old| old.as_ref().len());
        held.kept += usize::from(replaced.is_none());
        held.bytes = held.bytes + len - replaced.unwrap_or(0);
        self.total.fetch_add(len, Ordering::Relaxed);
        self.total.fetch_sub(replaced.unwrap_or(0), Ordering::Relaxed);
    }

    /// A piece of which nothing is kept.
    pub(crate) fn nothing(&mut self, layout: &Layout, piece: PieceIndex) -> Held<B> {
        self.clock += 1;
        let mut blocks = self.spare.pop().unwrap_or_default();
        blocks.resize_with(layout.block_count(piece) as usize, || None);
        let padding = layout.padding_block_count(piece) as usize;
        Held { blocks, kept: 0, padding, bytes: 0, born: self.clock }
    }

    /// Takes a piece out; give its table back with [`recycle`](Self::recycle).
    pub(crate) fn take(&mut self, key: Key) -> Option<Held<B>> {
        self.pieces.remove(&key)
    }

    /// Drops what was kept of a piece that was taken out, and keeps its empty table.
    pub(crate) fn recycle(&mut self, mut held: Held<B>) {
        self.total.fetch_sub(held.bytes, Ordering::Relaxed);
        held.blocks.clear();
        if self.spare.len() < SPARE_TABLES {
            self.spare.push(held.blocks);
        }
    }

    /// Forgets a piece.
    pub(crate) fn forget(&mut self, key: Key) {
        if let Some(held) = self.take(key) {
            self.recycle(held);
        }
    }

    /// Forgets every piece of a torrent.
    pub(crate) fn forget_torrent(&mut self, torrent: TorrentId) {
        let keys: Vec<Key> = self.pieces.keys().filter(|key| key.0 == torrent).copied().collect();
        for key in keys {
            self.forget(key);
        }
    }

    /// The piece that has been unfinished the longest, but for those that `spared` names.
    pub(crate) fn oldest(&self, spared: impl Fn(&Key) -> bool) -> Option<Key> {
        let candidates = self.pieces.iter().filter(|(key, _)| !spared(key));
        candidates.min_by_key(|(_, held)| held.born).map(|(key, _)| *key)
    }
}

impl<B> Drop for Hold<B> {
    fn drop(&mut self) {
        let bytes = self.pieces.values().map(|held| held.bytes).sum();
        self.total.fetch_sub(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_it_keeps() {
        let total = Arc::new(AtomicUsize::new(0));
        let mut kept = Hold::new(Arc::clone(&total));
        let key = |piece| (TorrentId(1), PieceIndex::new(piece));
        // Pieces of two blocks.
        let layout = Layout::new(32_768, &[10 * 32_768]).unwrap();
        kept.keep(key(7), 0, &layout, vec![0; 100]);
        kept.keep(key(3), 0, &layout, vec![0; 10]);
        kept.keep(key(7), 0, &layout, vec![0; 60]);
        assert_eq!(kept.total(), 70);
        assert_eq!(kept.oldest(|_| false), Some(key(7)));
        assert_eq!(kept.oldest(|other| *other == key(7)), Some(key(3)));
        kept.keep(key(7), 1, &layout, vec![0; 5]);
        kept.keep(key(7), 2, &layout, vec![0; 999]);
        let piece = kept.take(key(7)).unwrap();
        assert!(piece.is_whole());
        kept.recycle(piece);
        assert_eq!(kept.total(), 10);
        kept.keep((TorrentId(2), PieceIndex::new(0)), 0, &layout, vec![0; 1]);
        kept.forget_torrent(TorrentId(1));
        assert_eq!(kept.total(), 1);
        drop(kept);
        assert_eq!(total.load(Ordering::Relaxed), 0);
    }
}
