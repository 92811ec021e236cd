//! Why a download does not move, as far as one look at it can tell. It says so in kinds; the words
//! are the front end's.

use crate::event::{Snapshot, State};

/// Why nothing arrives at this moment. Strings are strangers' words, raw.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stall {
    /// The torrent names no tracker, and no peer was given.
    NoSource,
    /// No peer is known, and this tracker failed.
    TrackerFailed {
        /// Its announce URL.
        url: String,
        /// What went wrong, perhaps in the tracker's own words.
        error: String,
    },
    /// The torrent names no tracker, and nobody was found in the DHT or the local network yet.
    Searching,
    /// Trackers were asked and have not answered yet.
    Waiting,
    /// Trackers answered and named nobody we could dial.
    NoPeers,
    /// Addresses are known, and none of them takes a connection.
    Unreachable {
        /// How many.
        addresses: usize,
    },
    /// No connected peer says that it has the metadata of a magnet.
    PeersLackMetadata {
        /// How many are connected.
        peers: usize,
    },
    /// Peers say they have the metadata, and none gives what is missing of it.
    MetadataSilent {
        /// How many say so.
        peers: usize,
    },
    /// No connected peer has a piece that is missing.
    PeersLackPieces {
        /// How many are connected.
        peers: usize,
    },
    /// All peers that have what is missing choke us.
    Choked {
        /// How many.
        peers: usize,
    },
    /// What arrived waits for the disk, and until it is written there is no memory for more.
    Disk,
    /// The download limit lets nothing through at the moment.
    Limit,
    /// Blocks were asked for, and nobody sends them.
    Silent {
        /// How many peers could.
        peers: usize,
    },
}

impl Snapshot {
    /// What would explain that nothing arrives; `None` if there is nothing to fetch. Of use only when
    /// really nothing does: see [`arrived`](Self::arrived).
    pub fn stall(&self) -> Option<Stall> {
        let metadata = self.stats.metadata;
        match (self.state, metadata) {
            (State::Metadata, Some(_)) | (State::Downloading, _) if self.peers.is_empty() => {
                Some(self.why_nobody())
            }
            (State::Metadata, Some(metadata)) => Some(match (metadata.sources, self.peers.len()) {
                (0, peers) => Stall::PeersLackMetadata { peers },
                (peers, _) => Stall::MetadataSilent { peers },
            }),
            (State::Downloading, _) => Some(self.why_nothing()),
            _ => None,
        }
    }

    /// Bytes of the torrent, or of its metadata, that arrived in this session: what moves if anything
    /// does.
    pub fn arrived(&self) -> u64 {
        self.stats.metadata.map_or(self.stats.downloaded, |metadata| metadata.bytes.into())
    }

    fn why_nobody(&self) -> Stall {
        let addresses = self.stats.candidates;
        if addresses > 0 {
            return Stall::Unreachable { addresses };
        }
        let failed = self.trackers.iter().find_map(|tracker| {
            let error = tracker.error.clone()?;
            Some(Stall::TrackerFailed { url: tracker.url.clone(), error })
        });
        match (self.trackers.is_empty(), failed) {
            (true, _) if self.searched => Stall::Searching,
            (true, _) => Stall::NoSource,
            (_, Some(failed)) => failed,
            _ if self.trackers.iter().all(|tracker| tracker.peers.is_none()) => Stall::Waiting,
            _ => Stall::NoPeers,
        }
    }

    fn why_nothing(&self) -> Stall {
        let interesting = || self.peers.iter().filter(|peer| peer.am_interested);
        let open = || interesting().filter(|peer| !peer.peer_choking);
        match (interesting().count(), open().count()) {
            _ if self.disk_is_behind => Stall::Disk,
            (0, _) => Stall::PeersLackPieces { peers: self.peers.len() },
            (peers, 0) => Stall::Choked { peers },
            // What was asked for has passed the limit already.
            _ if self.limited && open().all(|peer| peer.requested == 0) => Stall::Limit,
            (_, peers) => Stall::Silent { peers },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use metainfo::PieceSet;
    use storage::TorrentId;
    use swarm::{Origin, PeerKey};
    use wire::PeerId;

    use super::*;
    use crate::{MetadataProgress, PeerStats, Stats, TrackerSnapshot};

    fn nobody() -> Snapshot {
        Snapshot {
            torrent: TorrentId(1),
            state: State::Downloading,
            have: PieceSet::new_empty(4),
            total_bytes: 4,
            stats: Stats { left: 4, ..Stats::default() },
            peers: Vec::new(),
            trackers: Vec::new(),
            limited: false,
            disk_is_behind: false,
            searched: false,
        }
    }

    fn tracker(peers: Option<usize>, error: Option<&str>) -> TrackerSnapshot {
        TrackerSnapshot { url: "u".into(), peers, error: error.map(str::to_owned) }
    }

    fn peer(am_interested: bool, peer_choking: bool, requested: usize) -> PeerStats {
        PeerStats {
            peer: PeerKey(1),
            addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 1)),
            peer_id: PeerId([0; 20]),
            origin: Origin::Dialed,
            source: swarm::Source::Tracker,
            client: None,
            upload_only: false,
            pieces: 1,
            am_choking: true,
            peer_choking,
            am_interested,
            peer_interested: false,
            optimistic: false,
            snubbed: false,
            downloaded: 0,
            uploaded: 0,
            download_rate: 0,
            upload_rate: 0,
            requested,
            queued: 0,
        }
    }

    #[test]
    fn without_peers_the_sources_are_to_blame() {
        let mut now = nobody();
        assert_eq!(now.stall(), Some(Stall::NoSource));
        now.searched = true;
        assert_eq!(now.stall(), Some(Stall::Searching));
        now.trackers = vec![tracker(None, None)];
        assert_eq!(now.stall(), Some(Stall::Waiting));
        now.trackers = vec![tracker(Some(0), None)];
        assert_eq!(now.stall(), Some(Stall::NoPeers));
        now.trackers.push(tracker(None, Some("go away")));
        let failed = Stall::TrackerFailed { url: "u".into(), error: "go away".into() };
        assert_eq!(now.stall(), Some(failed));
        now.stats.candidates = 2;
        assert_eq!(now.stall(), Some(Stall::Unreachable { addresses: 2 }));
        now.state = State::Seeding;
        assert_eq!(now.stall(), None);
    }

    #[test]
    fn of_a_magnet_it_is_the_metadata_that_is_missing() {
        let mut now = nobody();
        now.state = State::Metadata;
        assert_eq!(now.stall(), None, "it is here, and the user has not decided");
        now.stats.metadata = Some(MetadataProgress::default());
        assert_eq!(now.stall(), Some(Stall::NoSource));
        now.peers = vec![peer(false, true, 0), peer(false, true, 0)];
        assert_eq!(now.stall(), Some(Stall::PeersLackMetadata { peers: 2 }));
        now.stats.metadata = Some(MetadataProgress { sources: 1, bytes: 7, len: 9 });
        assert_eq!(now.stall(), Some(Stall::MetadataSilent { peers: 1 }));
        assert_eq!(now.arrived(), 7);
    }

    #[test]
    fn with_peers_they_are() {
        let mut now = nobody();
        now.peers = vec![peer(false, true, 0), peer(false, false, 0)];
        assert_eq!(now.stall(), Some(Stall::PeersLackPieces { peers: 2 }));
        now.peers.push(peer(true, true, 0));
        assert_eq!(now.stall(), Some(Stall::Choked { peers: 1 }));
        now.peers.push(peer(true, false, 3));
        assert_eq!(now.stall(), Some(Stall::Silent { peers: 1 }));
        now.limited = true;
        assert_eq!(now.stall(), Some(Stall::Silent { peers: 1 }), "it was asked");
        now.peers = vec![peer(true, false, 0)];
        assert_eq!(now.stall(), Some(Stall::Limit));
        now.disk_is_behind = true;
        assert_eq!(now.stall(), Some(Stall::Disk));
    }
}
