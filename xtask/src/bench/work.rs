//! What is downloaded, seeded, checked and hashed: one file of noise, its torrent, and their places.
//!
//! Owns the temporary folder. Never leaves anything behind in it after a run.

use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};

use piecehash::{sha1, sha1_many};
use tempfile::TempDir;

use crate::Result;

/// The unit of a request.
pub(super) const BLOCK: usize = 16 << 10;

/// The name of the file in the torrent.
pub(super) const NAME: &str = "noise.bin";

/// How the torrent begins; it ends with an `e`, and all between is the info dictionary.
const BEFORE_INFO: &[u8] = b"d4:info";

/// The torrent.
pub(super) struct Work {
    /// Bytes in all, a multiple of `piece_len`.
    pub(super) size: usize,
    pub(super) piece_len: usize,
    pub(super) info_hash: [u8; 20],
    /// The hash of each piece.
    pub(super) hashes: Vec<[u8; 20]>,
    folder: Folder,
}

enum Folder {
    /// Removed at the end.
    Ours(TempDir),
    /// Of the process that measures us.
    Theirs(PathBuf),
}

impl Work {
    /// Makes the torrent in a new folder below `parent`, and the data it holds.
    pub(super) fn create(parent: &Path, size: usize, piece_len: usize) -> Result<(Self, Vec<u8>)> {
        let data = noise(size);
        let pieces: Vec<[&[u8]; 1]> = data.chunks(piece_len).map(|piece| [piece]).collect();
        let hashes = sha1_many(&pieces);
        let work = Self::describe(parent, size, piece_len, hashes)?;
        fs::write(work.whole().join(NAME), &data)?;
        Ok((work, data))
    }

    /// One whose data is a hole: as long as you like, and on no disk.
    pub(super) fn hole(parent: &Path, size: usize, piece_len: usize) -> Result<Self> {
        let hash = sha1(&[&vec![0; piece_len]]);
        let work = Self::describe(parent, size, piece_len, vec![hash; size / piece_len])?;
        fs::File::create(work.whole().join(NAME))?.set_len(size as u64)?;
        Ok(work)
    }

    fn describe(
        parent: &Path,
        size: usize,
        piece_len: usize,
        hashes: Vec<[u8; 20]>,
    ) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("pieces-bench-").tempdir_in(parent)?;
        let folder = Folder::Ours(folder);
        let mut work = Self { size, piece_len, info_hash: [0; 20], hashes, folder };
        let info = work.info();
        work.info_hash = sha1(&[&info]);
        fs::write(work.torrent(), [BEFORE_INFO, &info, b"e"].concat())?;
        fs::create_dir(work.whole())?;
        Ok(work)
    }

    /// The torrent that another process made in `folder`.
    pub(super) fn open(folder: &Path, piece_len: usize) -> Result<Self> {
        let folder = Folder::Theirs(folder.to_owned());
        let mut work = Self { size: 0, piece_len, info_hash: [0; 20], hashes: Vec::new(), folder };
        work.size = usize::try_from(fs::metadata(work.whole().join(NAME))?.len())?;
        let torrent = fs::read(work.torrent())?;
        let info = torrent.strip_prefix(BEFORE_INFO).and_then(|rest| rest.strip_suffix(b"e"));
        let info = info.ok_or("not the torrent of a bench")?;
        work.info_hash = sha1(&[info]);
        // The hashes are the last thing in it.
        let hashes = info.len() - 1 - work.size / piece_len * 20;
        work.hashes = info.get(hashes..).unwrap_or_default().as_chunks().0.to_vec();
        Ok(work)
    }

    /// Writes the torrent with a tracker.
    pub(super) fn write_torrent(&self, path: &Path, tracker: &str) -> Result<()> {
        let head = format!("d8:announce{}:{tracker}4:info", tracker.len());
        fs::write(path, [head.as_bytes(), &self.info(), b"e"].concat())?;
        Ok(())
    }

    fn info(&self) -> Vec<u8> {
        let Self { size, piece_len, hashes, .. } = self;
        let (name, bytes) = (NAME.len(), hashes.len() * 20);
        let head = format!(
            "d6:lengthi{size}e4:name{name}:{NAME}12:piece lengthi{piece_len}e6:pieces{bytes}:"
        );
        [head.as_bytes(), hashes.as_flattened(), b"e"].concat()
    }

    pub(super) fn piece_count(&self) -> usize {
        self.hashes.len()
    }

    pub(super) fn folder(&self) -> &Path {
        match &self.folder {
            Folder::Ours(folder) => folder.path(),
            Folder::Theirs(folder) => folder,
        }
    }

    /// The `.torrent`.
    pub(super) fn torrent(&self) -> PathBuf {
        self.folder().join("noise.torrent")
    }

    /// The folder that holds the whole file.
    pub(super) fn whole(&self) -> PathBuf {
        self.folder().join("whole")
    }

    /// Uses up as much memory as a run needs, and gives it back. A virtual machine hands out memory
    /// that nobody has used for some seconds ten times as slowly, and would charge it to whoever comes
    /// next. So this is done right before each run.
    pub(super) fn warm(&self) {
        drop(black_box(vec![1_u8; self.size / 2 * 3]));
    }
}

/// Bytes that nothing compresses and no two runs differ in: Weyl's sequence, mixed.
fn noise(size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    let mut seed = 0_u64;
    for word in bytes.as_chunks_mut().0 {
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (seed ^ (seed >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        *word = (mixed ^ (mixed >> 29)).to_le_bytes();
    }
    bytes
}
