//! Noticing that nothing moves, and the words for why. What the reason is, the session knows.

use std::time::{Duration, Instant};

use session::{Snapshot, Stall};

use crate::text;

/// A download that brought nothing for this long is one whose user wants to know why.
const PATIENCE: Duration = Duration::from_secs(10);

/// Watches one download.
#[derive(Default)]
pub(super) struct Watch {
    arrived: u64,
    since: Option<Instant>,
    told: Option<Stall>,
}

impl Watch {
    /// Why nothing moves, if that is news.
    pub(super) fn look(&mut self, at: Instant, now: &Snapshot) -> Option<Stall> {
        let since = *self.since.get_or_insert(at);
        if now.arrived() != self.arrived {
            *self = Self { arrived: now.arrived(), since: Some(at), told: None };
            return None;
        }
        if at.saturating_duration_since(since) < PATIENCE {
            return None;
        }
        let stall = now.stall();
        let news = stall.is_some() && stall != self.told;
        self.told.clone_from(&stall);
        stall.filter(|_| news)
    }
}

/// The reason as a word for programs.
pub(super) fn word(stall: &Stall) -> &'static str {
    match stall {
        Stall::NoSource => "no_source",
        Stall::TrackerFailed { .. } => "tracker_failed",
        Stall::Searching => "searching",
        Stall::Waiting => "waiting_for_tracker",
        Stall::NoPeers => "no_peers",
        Stall::Unreachable { .. } => "unreachable",
        Stall::PeersLackMetadata { .. } => "peers_lack_metadata",
        Stall::MetadataSilent { .. } => "metadata_silent",
        Stall::PeersLackPieces { .. } => "peers_lack_pieces",
        Stall::Choked { .. } => "choked",
        Stall::Disk => "disk",
        Stall::Limit => "limit",
        Stall::Silent { .. } => "silent",
        _ => "other",
    }
}

/// The reason for people.
pub(super) fn words(stall: &Stall) -> String {
    match stall {
        Stall::NoSource => "the torrent names no tracker; give a peer with --peer".into(),
        Stall::TrackerFailed { url, error } => {
            format!("no peers: tracker {}: {}", text::escape(url), text::escape(error))
        }
        Stall::Searching => {
            "the torrent names no tracker, and nobody was found in the DHT or nearby yet".into()
        }
        Stall::Waiting => "no tracker has answered yet".into(),
        Stall::NoPeers => "the trackers know no other peers".into(),
        Stall::Unreachable { addresses: 1 } => "the known peer takes no connection".into(),
        Stall::Unreachable { addresses } => {
            format!("none of {addresses} known peers takes a connection")
        }
        Stall::PeersLackMetadata { peers: 1 } => {
            "the connected peer does not have the metadata".into()
        }
        Stall::PeersLackMetadata { peers } => {
            format!("none of {peers} connected peers has the metadata")
        }
        Stall::MetadataSilent { peers: 1 } => {
            "a peer was asked for the metadata and sends nothing".into()
        }
        Stall::MetadataSilent { peers } => {
            format!("{peers} peers were asked for the metadata and send nothing")
        }
        Stall::PeersLackPieces { peers: 1 } => {
            "the connected peer lacks the pieces that are missing".into()
        }
        Stall::PeersLackPieces { peers } => {
            format!("none of {peers} connected peers has the pieces that are missing")
        }
        Stall::Choked { peers: 1 } => "the peer with missing pieces chokes us".into(),
        Stall::Choked { peers } => format!("all {peers} peers with missing pieces choke us"),
        Stall::Disk => "what arrived waits for the disk".into(),
        Stall::Limit => "the download limit is used up".into(),
        Stall::Silent { peers: 1 } => "a peer was asked and sends nothing".into(),
        Stall::Silent { peers } => format!("{peers} peers were asked and send nothing"),
        _ => "unknown".into(),
    }
}
