//! What a session tells its user: events as they happen, snapshots on request. Plain data; never
//! JSON, never words for a terminal.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use metainfo::{PieceIndex, PieceSet};
use storage::{Renamed, TorrentId};
use swarm::{Origin, PeerStats, Source, Stats};

/// Something that happened to a torrent. What came from strangers (tracker messages, names of files)
/// is raw, and to be escaped by what prints it.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// Checking what is on disk already: `done` of `total` bytes were read.
    Checking {
        /// Which torrent.
        torrent: TorrentId,
        /// Bytes read so far.
        done: u64,
        /// Bytes to read.
        total: u64,
    },
    /// The metadata of a magnet is here, and waits for [`Session::begin`](crate::Session::begin).
    Metadata {
        /// Which torrent.
        torrent: TorrentId,
        /// The torrent file that it makes with the magnet's trackers; its info-hash is right, what it
        /// means is not known yet.
        file: Vec<u8>,
    },
    /// It is known where the files are, or are going to be.
    Located {
        /// Which torrent.
        torrent: TorrentId,
        /// The torrent's file, or the folder of its files.
        path: PathBuf,
        /// Files that have another name on disk than in the torrent, wanted or not.
        renamed: Vec<Renamed>,
    },
    /// Files that were there and are too small to be judged by a piece of their own are taken for the
    /// torrent's, since what is beside them is: they may be written over.
    Unjudged {
        /// Which torrent.
        torrent: TorrentId,
        /// Their paths.
        files: Vec<PathBuf>,
    },
    /// The check is over, `have` pieces are whole, and the torrent talks to its swarm from now on.
    Ready {
        /// Which torrent.
        torrent: TorrentId,
        /// Wanted pieces that are verified on disk.
        have: u32,
        /// Wanted pieces.
        total: u32,
        /// Pieces that are on disk and hold something else; they are fetched again.
        wrong: u32,
        /// Bytes of wanted pieces that are verified on disk.
        have_bytes: u64,
        /// Bytes of wanted pieces.
        total_bytes: u64,
    },
    /// A piece passed its hash and is written.
    Piece {
        /// Which torrent.
        torrent: TorrentId,
        /// The piece.
        piece: PieceIndex,
    },
    /// A piece failed its hash and is fetched again.
    BadPiece {
        /// Which torrent.
        torrent: TorrentId,
        /// The piece.
        piece: PieceIndex,
    },
    /// A peer was found to send wrong data and is not talked to any more.
    Banned {
        /// Which torrent.
        torrent: TorrentId,
        /// The guilty address.
        ip: IpAddr,
    },
    /// A peer shook hands, or is gone.
    Peer {
        /// Which torrent.
        torrent: TorrentId,
        /// The remote end.
        addr: SocketAddr,
        /// What happened.
        change: PeerChange,
    },
    /// A tracker answered.
    Announced {
        /// Which torrent.
        torrent: TorrentId,
        /// The tracker's announce URL, its user and password hidden.
        url: String,
        /// How many peers it named.
        peers: usize,
        /// Its warning, in its own words.
        warning: Option<String>,
    },
    /// A tracker could not be asked, or refused.
    TrackerFailed {
        /// Which torrent.
        torrent: TorrentId,
        /// The tracker's announce URL, its user and password hidden.
        url: String,
        /// What went wrong, perhaps in the tracker's own words.
        error: String,
    },
    /// Every wanted piece is verified and written.
    Complete {
        /// Which torrent.
        torrent: TorrentId,
    },
    /// The torrent can't go on; other torrents are not touched.
    Failed {
        /// Which torrent.
        torrent: TorrentId,
        /// Why.
        error: crate::Error,
    },
    /// The torrent was stopped: peers are closed, trackers were told or had their chance.
    Stopped {
        /// Which torrent.
        torrent: TorrentId,
        /// Payload bytes received in this session, whatever became of them.
        downloaded: u64,
        /// Payload bytes that left for peers in this session.
        uploaded: u64,
    },
}

/// What happened to a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerChange {
    /// It shook hands. It may still be refused right away, as one of too many.
    Connected {
        /// Who opened the connection.
        origin: Origin,
        /// Where its address came from.
        source: Source,
        /// What it calls itself: 20 bytes, of which the first often tell its program.
        peer_id: [u8; 20],
    },
    /// The connection is closed.
    Closed {
        /// Why, in our words.
        reason: String,
    },
}

/// How a torrent stands at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Which torrent.
    pub torrent: TorrentId,
    /// What it is doing.
    pub state: State,
    /// The pieces that are verified on disk.
    pub have: PieceSet,
    /// Bytes of the pieces that are wanted.
    pub total_bytes: u64,
    /// Counters and rates.
    pub stats: Stats,
    /// Every connected peer.
    pub peers: Vec<PeerStats>,
    /// Every tracker, in the order it is asked.
    pub trackers: Vec<TrackerSnapshot>,
    /// Whether a limit is set on what is downloaded.
    pub limited: bool,
    /// Whether blocks that arrived, of this torrent or others, fill the memory that is set aside for
    /// them until the disk has them.
    pub disk_is_behind: bool,
    /// Whether peers are looked for in the DHT or the local network too.
    pub searched: bool,
}

impl Snapshot {
    /// Bytes of wanted pieces that are verified on disk.
    pub fn have_bytes(&self) -> u64 {
        self.total_bytes.saturating_sub(self.stats.left)
    }

    /// Time until the download ends at the present rate; `None` when nothing moves or all is here.
    pub fn eta(&self) -> Option<Duration> {
        let Stats { left, download_rate, .. } = self.stats;
        (left > 0).then(|| left.checked_div(download_rate).map(Duration::from_secs)).flatten()
    }
}

/// What a torrent is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// Fetching the metadata of a magnet, or waiting to be told what to do with it.
    Metadata,
    /// Reading what is on disk.
    Checking,
    /// Fetching pieces.
    Downloading,
    /// Every wanted piece is here; serving.
    Seeding,
    /// Saying good-bye.
    Stopping,
}

/// One tracker.
#[derive(Clone, Debug)]
pub struct TrackerSnapshot {
    /// Its announce URL, its user and password hidden.
    pub url: String,
    /// Peers in its last answer; `None` if it never gave one.
    pub peers: Option<usize>,
    /// What went wrong at the last announce, if it failed.
    pub error: Option<String>,
}

impl From<tracker::Status<'_>> for TrackerSnapshot {
    fn from(status: tracker::Status<'_>) -> Self {
        Self {
            url: metainfo::hide_login(status.url).into_owned(),
            peers: status.reply.map(|reply| reply.peers.len()),
            error: status.error.map(ToString::to_string),
        }
    }
}
