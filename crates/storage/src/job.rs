//! What the disk threads are asked and what they answer: plain data.
//! Nothing here touches a file.

use metainfo::{Block, PieceIndex, PieceSet};

use crate::error::Error;
use crate::stamp::FileStamp;

/// The name of an open torrent, chosen by the caller and unique among its open torrents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TorrentId(pub u64);

/// One thing for a disk thread to do. `B` is the caller's buffer.
///
/// Jobs of one piece are done in the order they were submitted; jobs of different pieces in any.
#[derive(Debug)]
#[non_exhaustive]
pub enum Job<B> {
    /// Keep a block that arrived. It stays in `data`, uncopied, until its piece is checked, or
    /// until the hold budget is exceeded and it goes to disk early. Not answered unless it fails.
    Write {
        /// Of which torrent.
        torrent: TorrentId,
        /// Exactly one of [`Layout::blocks`](metainfo::Layout::blocks). Padding within it is taken
        /// for zeros, whatever `data` holds there.
        block: Block,
        /// Its bytes; as long as the block.
        data: B,
    },
    /// Hash the piece: from the blocks kept, and from the file where a block is not. If the hash
    /// is right, write what is not written yet. Answered with [`Done::Checked`].
    Check {
        /// Of which torrent.
        torrent: TorrentId,
        /// Which piece.
        piece: PieceIndex,
        /// Tell the SHA-1 of each block even if the piece is good: an earlier copy was bad, and
        /// comparing the two tells who lied.
        digests: bool,
    },
    /// Read a range of a piece that was checked or verified. Answered with [`Done::Read`].
    Read {
        /// Of which torrent.
        torrent: TorrentId,
        /// Anything; comes back with the answer. Blocks that follow one another under one ticket may
        /// be read together.
        ticket: u64,
        /// What to read.
        block: Block,
        /// Where to put it; as long as the block.
        into: B,
    },
    /// Forget the blocks kept of a piece. Not answered.
    Discard {
        /// Of which torrent.
        torrent: TorrentId,
        /// Which piece.
        piece: PieceIndex,
    },
    /// Look at all files once more, and hash those of the pieces again that are in files that another
    /// program wrote to since they were checked. On a thread of its own. Answered with
    /// [`Done::Rechecked`].
    Recheck {
        /// Which torrent.
        torrent: TorrentId,
        /// The pieces that were checked and are to be told as whole.
        pieces: PieceSet,
    },
    /// Make durable what was checked before, on a thread of its own. Answered with
    /// [`Done::Synced`].
    Sync {
        /// Which torrent.
        torrent: TorrentId,
    },
}

/// The answer to a [`Job`].
#[derive(Debug)]
#[non_exhaustive]
pub enum Done<B> {
    /// A piece was hashed, and written if it was good. Nothing of it is kept any more.
    Checked {
        /// Of which torrent.
        torrent: TorrentId,
        /// Which piece.
        piece: PieceIndex,
        /// How it came out.
        outcome: Checked,
    },
    /// A range was read.
    Read {
        /// Of which torrent.
        torrent: TorrentId,
        /// The job's.
        ticket: u64,
        /// The job's.
        block: Block,
        /// The job's buffer, filled.
        data: B,
    },
    /// All pieces of the job are what they were when they were checked, but for these.
    Rechecked {
        /// Which torrent.
        torrent: TorrentId,
        /// Pieces that another program changed.
        wrong: Vec<PieceIndex>,
    },
    /// These pieces survive a power cut from now on: all that were answered [`Checked::Good`]
    /// since the last sync. The first sync after [`Disk::open`](crate::Disk::open) covers what
    /// was in the files before it, too.
    Synced {
        /// Which torrent.
        torrent: TorrentId,
        /// The pieces checked since the last sync.
        pieces: Vec<PieceIndex>,
        /// How the files look with all that was written to them, see [`Closed`](Self::Closed); `None`
        /// also for one that is being written to.
        stamps: Vec<Option<FileStamp>>,
        /// Pieces in files that another program wrote to, whatever was known of them before.
        doubtful: PieceSet,
        /// Which files were made or written to since the torrent was opened.
        ours: Vec<bool>,
    },
    /// All jobs of a torrent submitted before [`Disk::close`](crate::Disk::close) are done and its
    /// files may be opened again, by us or by others.
    Closed {
        /// Which torrent.
        torrent: TorrentId,
        /// How each file looks with all that is known of its pieces: they are what they were as long as
        /// the file looks so. `None` for one that is not there, and for one that another program
        /// changed.
        stamps: Vec<Option<FileStamp>>,
        /// Pieces in files that another program truncated, replaced, removed or wrote while they were
        /// open: nothing is known of them any more.
        doubtful: PieceSet,
        /// Which files were made or written to since the torrent was opened.
        ours: Vec<bool>,
    },
    /// A job failed. Nothing of the piece concerned is kept any more.
    Failed {
        /// Of which torrent.
        torrent: TorrentId,
        /// Which job.
        what: What,
        /// Why.
        error: Error,
    },
}

impl<B> Done<B> {
    /// The torrent that the answer belongs to.
    pub fn torrent(&self) -> TorrentId {
        match self {
            Self::Checked { torrent, .. }
            | Self::Read { torrent, .. }
            | Self::Rechecked { torrent, .. }
            | Self::Synced { torrent, .. }
            | Self::Closed { torrent, .. }
            | Self::Failed { torrent, .. } => *torrent,
        }
    }
}

/// How a checked piece came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checked {
    /// The hash is right and the piece is in its files (not yet durable).
    Good {
        /// The SHA-1 of each of the piece's blocks, by number, if the job asked for them; else
        /// empty. Zeros stand for a number that is padding alone.
        blocks: Vec<[u8; 20]>,
    },
    /// The hash is wrong; nothing of it that was kept in memory was written.
    Bad {
        /// The same: compared with those of a good copy they tell who sent the bad block.
        blocks: Vec<[u8; 20]>,
    },
    /// Blocks that had been written early were not read back as they were written: another program
    /// changed them. Says nothing about who sent them.
    Changed,
}

/// Which job a [`Done::Failed`] answers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum What {
    /// A [`Job::Write`]: every block kept of the piece is lost and must be fetched again.
    Write {
        /// Which piece.
        piece: PieceIndex,
    },
    /// A [`Job::Check`]: the piece could not be read back or not be written.
    Check {
        /// Which piece.
        piece: PieceIndex,
    },
    /// A [`Job::Read`].
    Read {
        /// The job's.
        ticket: u64,
        /// The job's.
        block: Block,
    },
    /// A [`Job::Recheck`].
    Recheck,
    /// A [`Job::Sync`]: whether these pieces survive a power cut is unknown.
    Sync {
        /// The pieces checked since the last sync that succeeded.
        pieces: Vec<PieceIndex>,
    },
}
