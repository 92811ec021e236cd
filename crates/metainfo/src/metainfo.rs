//! `Metainfo`: what a torrent file says, checked.
//! It only answers; reading one is `read`, making one is `build`.

use std::sync::Arc;

use crate::error::Error;
use crate::file::{File, FileKind};
use crate::hash::{InfoHash, InfoHashV2};
use crate::layout::{Layout, PieceIndex};
use crate::read;

#[cfg(test)]
mod tests;

/// The largest torrent file that is read: 256 MiB. The hashes of [`MAX_PIECES`] pieces take 40 MiB of
/// it, the rest is room for the names of some millions of files; torrents of 92 MB are in use.
///
/// [`MAX_PIECES`]: crate::MAX_PIECES
pub const MAX_TORRENT_LEN: usize = 256 * 1024 * 1024;

/// The most values (integers, strings, lists, dictionaries) that a torrent file may hold: 16 million,
/// which are some 2.5 million files, and take 192 MiB while it is read.
pub(crate) const MAX_VALUES: usize = 16_000_000;

/// A torrent: files with safe paths, piece hashes, trackers (BEP 3, 12, 19, 27, 47, 52).
///
/// What was accepted although it is odd is in [`warnings`](Self::warnings).
#[derive(Debug, Clone)]
pub struct Metainfo {
    pub(crate) info: Arc<[u8]>,
    pub(crate) name: Vec<u8>,
    /// The same as text.
    pub(crate) text: String,
    pub(crate) info_hash: Option<InfoHash>,
    pub(crate) info_hash_v2: Option<InfoHashV2>,
    pub(crate) piece_length: u32,
    pub(crate) piece_count: u32,
    pub(crate) layout: Option<Layout>,
    pub(crate) files: Vec<File>,
    pub(crate) multi_file: bool,
    pub(crate) hashes: Hashes,
    pub(crate) private: bool,
    pub(crate) source: Option<String>,
    pub(crate) tiers: Vec<Vec<String>>,
    pub(crate) web_seeds: Vec<String>,
    pub(crate) comment: Option<String>,
    pub(crate) created_by: Option<String>,
    pub(crate) creation_date: Option<i64>,
    pub(crate) encoding: Option<String>,
    pub(crate) warnings: Vec<String>,
}

/// The hashes of all pieces, in order.
#[derive(Debug, Clone)]
pub(crate) enum Hashes {
    Sha1(Box<[[u8; 20]]>),
    Merkle(Box<[PieceRoot]>),
}

/// The hash of a version 2 piece and the width of its tree in leaves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PieceRoot {
    pub(crate) root: [u8; 32],
    pub(crate) width: u32,
}

/// What a piece must hash to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expected {
    /// The SHA-1 of all its bytes (BEP 3).
    Sha1([u8; 20]),
    /// The root of a tree over the SHA-256 of its blocks (BEP 52); see
    /// [`merkle_root`](crate::merkle_root).
    Merkle {
        /// The root.
        root: [u8; 32],
        /// Leaves of the tree, a power of two; those beyond the piece's bytes are zeros.
        width: u32,
    },
}

/// Which of the two formats a torrent is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Version {
    /// BEP 3.
    V1,
    /// BEP 52.
    V2,
    /// Both at once, describing the same files.
    Hybrid,
}

impl Metainfo {
    /// Reads a torrent file. What makes no sense and is not needed is left out with a
    /// [warning](Self::warnings); what follows the torrent in the file is not looked at.
    ///
    /// # Errors
    /// When it is not a torrent this crate can vouch for; the message names the key at fault.
    pub fn from_bytes(torrent: &[u8]) -> Result<Self, Error> {
        read::torrent(torrent)
    }

    /// The torrent's name as text: the file's in the single-file form, else the folder's. What is not
    /// UTF-8 is U+FFFD here. Not made safe to show.
    pub fn name(&self) -> &str {
        &self.text
    }

    /// The torrent's name as a path component: the first one of all [paths](File::path), of the very
    /// bytes of the torrent but for what is unsafe on every system.
    pub fn name_bytes(&self) -> &[u8] {
        &self.name
    }

    /// The version 1 info-hash, over the very bytes of `info`; `None` for a v2-only torrent.
    pub fn info_hash(&self) -> Option<InfoHash> {
        self.info_hash
    }

    /// The version 2 info-hash; `None` for a v1-only torrent.
    pub fn info_hash_v2(&self) -> Option<InfoHashV2> {
        self.info_hash_v2
    }

    /// The very bytes of `info`, which the info-hashes are over: what peers that only have a magnet
    /// URI are given (BEP 9).
    pub fn info_bytes(&self) -> &Arc<[u8]> {
        &self.info
    }

    /// Which of the formats it is written in.
    pub fn version(&self) -> Version {
        match (self.info_hash, self.info_hash_v2) {
            (_, None) => Version::V1,
            (None, Some(_)) => Version::V2,
            (Some(_), Some(_)) => Version::Hybrid,
        }
    }

    /// The geometry of the version 1 pieces; `None` for a v2-only torrent.
    pub fn layout(&self) -> Option<&Layout> {
        self.layout.as_ref()
    }

    /// Nominal bytes of a piece.
    pub fn piece_length(&self) -> u32 {
        self.piece_length
    }

    /// How many pieces there are.
    pub fn piece_count(&self) -> u32 {
        self.piece_count
    }

    /// What the piece must hash to; `None` if the torrent does not have it. Hybrid torrents
    /// answer with the version 1 hash.
    pub fn expected(&self, piece: PieceIndex) -> Option<Expected> {
        match &self.hashes {
            Hashes::Sha1(hashes) => hashes.get(piece.as_usize()).copied().map(Expected::Sha1),
            Hashes::Merkle(pieces) => pieces
                .get(piece.as_usize())
                .map(|piece| Expected::Merkle { root: piece.root, width: piece.width }),
        }
    }

    /// All files in the order of their bytes, padding files and links included.
    pub fn files(&self) -> &[File] {
        &self.files
    }

    /// Bytes of all files, without padding.
    pub fn total_len(&self) -> u64 {
        // Reading checked that even the sum with padding is far below 2^64.
        self.files.iter().filter(|f| f.kind() != FileKind::Padding).map(File::length).sum()
    }

    /// Whether the files are in a folder of the torrent's name. True also for one file in the
    /// multi-file form.
    pub fn is_multi_file(&self) -> bool {
        self.multi_file
    }

    /// Announce URLs in tiers (BEP 12), in the order of the torrent, each once; the single
    /// `announce` when there is no list.
    pub fn tiers(&self) -> &[Vec<String>] {
        &self.tiers
    }

    /// URLs of web seeds (BEP 19).
    pub fn web_seeds(&self) -> &[String] {
        &self.web_seeds
    }

    /// Whether peers may come from its trackers only (BEP 27).
    pub fn is_private(&self) -> bool {
        self.private
    }

    /// The tag some trackers put into `info` to get an info-hash of their own. Not made safe to
    /// show.
    pub fn source(&self) -> Option<&str> {
        self.source.as_deref()
    }

    /// A free comment. Not made safe to show.
    pub fn comment(&self) -> Option<&str> {
        self.comment.as_deref()
    }

    /// The program that made the torrent. Not made safe to show.
    pub fn created_by(&self) -> Option<&str> {
        self.created_by.as_deref()
    }

    /// When it was made: seconds since 1970, as the torrent says.
    pub fn creation_date(&self) -> Option<i64> {
        self.creation_date
    }

    /// The encoding the torrent names for strings that are not UTF-8. Not made safe to show.
    pub fn encoding(&self) -> Option<&str> {
        self.encoding.as_deref()
    }

    /// What was odd and yet accepted: renamed files, bencode out of order, ignored keys. Safe to
    /// show; at most about a hundred lines.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}
