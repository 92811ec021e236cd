//! What can be seen of a torrent from outside: counters and rates as plain data.
//! Nothing here is used to decide anything.

use std::net::SocketAddr;

use wire::PeerId;

use crate::border::{Origin, PeerKey, Source};
use crate::metadata::Progress as MetadataProgress;

/// A torrent at one moment. Counters run since [`Torrent::new`](crate::Torrent::new).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Pieces of the torrent.
    pub pieces: u32,
    /// Pieces that are verified and stored.
    pub pieces_have: u32,
    /// Bytes of wanted pieces that are not verified yet, without padding.
    pub left: u64,
    /// Bytes of all pieces, wanted or not, that are not verified, without padding: a tracker's `left`,
    /// since only who has everything is a seed to it.
    pub missing: u64,
    /// Payload bytes received, whatever became of them.
    pub downloaded: u64,
    /// Payload bytes that left for peers, without padding.
    pub uploaded: u64,
    /// Payload bytes received in vain: duplicates, cancelled, unrequested.
    pub wasted: u64,
    /// Blocks received in vain.
    pub wasted_blocks: u64,
    /// Pieces that had the wrong hash.
    pub failed_pieces: u64,
    /// Payload bytes a second now, downloading.
    pub download_rate: u64,
    /// Payload bytes a second now, uploading.
    pub upload_rate: u64,
    /// Connected peers.
    pub peers: usize,
    /// Connected peers that have every piece.
    pub seeds: usize,
    /// Peers we have unchoked.
    pub unchoked: usize,
    /// Dials under way.
    pub half_open: usize,
    /// Addresses known, without our own and banned ones.
    pub candidates: usize,
    /// Pieces begun and not verified yet.
    pub partial_pieces: usize,
    /// Blocks asked for and not here yet.
    pub blocks_requested: usize,
    /// Peers banned.
    pub bans: usize,
    /// Payload bytes read or being read for peers and not yet gone.
    pub upload_buffered: u64,
    /// True from the moment every remaining block was asked for.
    pub end_game: bool,
    /// How far the metadata is; `None` once it is here.
    pub metadata: Option<MetadataProgress>,
}

/// One connected peer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "the four flags of the protocol, plus two")]
pub struct PeerStats {
    /// The driver's name of the connection.
    pub peer: PeerKey,
    /// The remote end.
    pub addr: SocketAddr,
    /// Its peer id.
    pub peer_id: PeerId,
    /// Who opened the connection.
    pub origin: Origin,
    /// Where its address came from when it was connected.
    pub source: Source,
    /// Its name and version, printable and at most 64 characters, if it told (BEP 10).
    pub client: Option<String>,
    /// It says that it wants nothing (BEP 21).
    pub upload_only: bool,
    /// Pieces it has.
    pub pieces: u32,
    /// We choke it.
    pub am_choking: bool,
    /// It chokes us.
    pub peer_choking: bool,
    /// We want something it has.
    pub am_interested: bool,
    /// It wants something we have.
    pub peer_interested: bool,
    /// It holds the optimistic slot.
    pub optimistic: bool,
    /// It was silent for long while it owed us blocks.
    pub snubbed: bool,
    /// Payload bytes received from it.
    pub downloaded: u64,
    /// Payload bytes sent to it.
    pub uploaded: u64,
    /// Payload bytes a second from it.
    pub download_rate: u64,
    /// Payload bytes a second to it.
    pub upload_rate: u64,
    /// Blocks it owes us.
    pub requested: usize,
    /// Blocks we owe it.
    pub queued: usize,
}
