//! The state of one connected peer: what it said, what we said, what is under way.
//! It decides nothing; the torrent does.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use metainfo::PieceIndex;
use wire::PeerId;

use crate::border::{Origin, PeerKey, Source};
use crate::bucket::Bucket;
use crate::extended::Extended;
use crate::fast::Fast;
use crate::host::host;
use crate::limits::{IDLE_ROOM, PATIENCE, PATIENCE_PER_SECOND, ROOM_BYTES};
use crate::metadata::{Early, Serving};
use crate::partial::Identity;
use crate::picker::Cursor;
use crate::pieces::Pieces;
use crate::rate::Meter;
use crate::requests::Pipeline;
use crate::stats::PeerStats;
use crate::uploads::Uploads;
use crate::worth::Worth;

/// One connection after its handshake.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools, reason = "four flags of the protocol, four of the queues")]
#[allow(clippy::struct_field_names, reason = "what the protocol calls them")]
pub(crate) struct Peer {
    pub(crate) addr: SocketAddr,
    pub(crate) origin: Origin,
    /// Where its address came from.
    pub(crate) source: Source,
    pub(crate) peer_id: PeerId,
    /// Where it can be dialed, as far as is known: where we dialed it, or where it says it listens.
    pub(crate) dialable: Option<SocketAddr>,
    /// What it said in extended handshakes; `None` if no extended messages are spoken with it.
    pub(crate) extended: Option<Box<Extended>>,
    /// The fast extension; `None` if it is not spoken with it.
    pub(crate) fast: Option<Box<Fast>>,
    pub(crate) since: Instant,
    /// A message of BEP 3 other than keep-alive came: a bitfield now stands for haves.
    pub(crate) spoke: bool,

    pub(crate) pieces: Pieces,
    /// What it said of its pieces before their number was known.
    pub(crate) early: Early,
    /// What it wants of the metadata, once it asked.
    pub(crate) serving: Option<Box<Serving>>,
    /// How many of its pieces we lack.
    pub(crate) wanted: u32,
    /// The picker counts it as a seed, and not piece by piece.
    pub(crate) counted_as_seed: bool,
    pub(crate) cursor: Cursor,

    pub(crate) am_choking: bool,
    pub(crate) am_interested: bool,
    pub(crate) peer_choking: bool,
    pub(crate) peer_interested: bool,
    /// How often it changed its interest.
    pub(crate) interest_changes: u64,

    pub(crate) pipeline: Pipeline,
    /// Waits for its turn to be asked for blocks.
    pub(crate) wants_refill: bool,
    pub(crate) uploads: Uploads,
    /// Waits for its turn to be served.
    pub(crate) wants_service: bool,

    pub(crate) down: Meter,
    pub(crate) up: Meter,
    pub(crate) last_payload: Instant,
    /// What it was worth lately.
    worth: Worth,
    /// Bytes that it gave us which are no blocks.
    pub(crate) helped: u64,
    /// It is a second connection to a peer that is connected otherwise, and not to be dialed soon.
    pub(crate) duplicate: bool,
    /// When it was choked or unchoked last; `None` if never unchoked.
    pub(crate) turned: Option<Instant>,
    /// When it last got the optimistic slot.
    pub(crate) tried: Option<Instant>,

    pub(crate) patience: Bucket,
    pub(crate) unrequested: u32,
    /// Blocks that came from it in vain in end-game.
    pub(crate) end_game_wasted: u64,
    /// The last rate at which it delivered, since one that stands idle has none.
    proven_rate: u64,
}

impl Peer {
    pub(crate) fn new(addr: SocketAddr, origin: Origin, peer_id: PeerId, now: Instant) -> Self {
        Self {
            addr,
            origin,
            source: Source::Incoming,
            peer_id,
            dialable: (origin == Origin::Dialed).then_some(addr),
            extended: None,
            fast: None,
            since: now,
            spoke: false,
            pieces: Pieces::Nothing,
            early: Early::default(),
            serving: None,
            wanted: 0,
            counted_as_seed: false,
            cursor: Cursor::default(),
            am_choking: true,
            am_interested: false,
            peer_choking: true,
            peer_interested: false,
            interest_changes: 0,
            pipeline: Pipeline::new(now),
            wants_refill: false,
            uploads: Uploads::default(),
            wants_service: false,
            down: Meter::default(),
            up: Meter::default(),
            last_payload: now,
            worth: Worth::new(now),
            helped: 0,
            duplicate: false,
            turned: None,
            tried: None,
            patience: Bucket::new(PATIENCE_PER_SECOND, PATIENCE),
            unrequested: 0,
            end_game_wasted: 0,
            proven_rate: 0,
        }
    }

    pub(crate) fn identity(&self) -> Identity {
        Identity { ip: self.host(), peer_id: self.peer_id }
    }

    /// Whose share of scarce places it uses.
    pub(crate) fn host(&self) -> IpAddr {
        host(self.addr.ip())
    }

    /// Measures what it was worth.
    pub(crate) fn tick(&mut self, now: Instant) {
        self.worth.tick(now, self.given(), self.up.total());
        if self.down.rate() > 0 && !self.pipeline.is_empty() {
            self.proven_rate = self.down.rate();
        }
    }

    /// Bytes a second that it would deliver: what it does, or did when it was last asked. Of one that
    /// never was, a block a second, so that it is tried.
    pub(crate) fn pace(&self) -> u64 {
        match self.down.rate().max(if self.pipeline.is_empty() { self.proven_rate } else { 0 }) {
            0 if self.down.total() == 0 => u64::from(metainfo::BLOCK_LEN),
            rate => rate,
        }
    }

    /// True if it delivers nothing though it could: it was asked for all that it can be asked for.
    pub(crate) fn stands_idle(&self) -> bool {
        let could = self.am_interested && !self.peer_choking && self.pipeline.room() > 0;
        could && self.pipeline.is_empty() && !self.pipeline.is_snubbed()
    }

    /// Bytes that it gave us.
    fn given(&self) -> u64 {
        self.down.total().saturating_add(self.helped)
    }

    /// Bytes that it gave us in the last one to two minutes.
    pub(crate) fn gave_lately(&self) -> u64 {
        self.worth.gave(self.given())
    }

    /// Bytes that it took of us in that time.
    pub(crate) fn took_lately(&self) -> u64 {
        self.worth.took(self.up.total())
    }

    pub(crate) fn moved_lately(&self) -> u64 {
        self.gave_lately().saturating_add(self.took_lately())
    }

    /// True if it is here for long, and next to nothing moved lately.
    pub(crate) fn is_idle(&self, now: Instant) -> bool {
        let long = now.saturating_duration_since(self.since) >= IDLE_ROOM;
        long && self.moved_lately() < ROOM_BYTES
    }

    /// True if it could be asked for a block now.
    pub(crate) fn can_be_asked(&self) -> bool {
        let answers = !self.peer_choking || !self.allowed_fast().is_empty();
        answers && self.am_interested && self.pipeline.room() > 0
    }

    /// The pieces that it gives us even while it chokes us.
    pub(crate) fn allowed_fast(&self) -> &[PieceIndex] {
        self.fast.as_ref().map_or(&[], |fast| fast.allowed())
    }

    /// True if it says that it wants nothing (BEP 21).
    pub(crate) fn is_upload_only(&self) -> bool {
        self.extended.as_ref().is_some_and(|extended| extended.upload_only)
    }

    /// True if there is nothing to give it.
    pub(crate) fn wants_nothing(&self) -> bool {
        self.pieces.is_all() || self.is_upload_only()
    }

    /// True if it contends for an upload slot.
    pub(crate) fn wants_upload(&self) -> bool {
        self.peer_interested && !self.is_upload_only()
    }

    /// What it has shown so far: 0 that it goes silent, 1 nothing, 2 that it delivers.
    pub(crate) fn standing(&self) -> u8 {
        match (self.pipeline.is_snubbed(), self.down.total()) {
            (true, _) => 0,
            (false, 0) => 1,
            (false, _) => 2,
        }
    }

    pub(crate) fn stats(&self, peer: PeerKey, pieces: u32, optimistic: bool) -> PeerStats {
        PeerStats {
            peer,
            addr: self.addr,
            peer_id: self.peer_id,
            origin: self.origin,
            source: self.source,
            client: self.extended.as_ref().and_then(|extended| extended.client.clone()),
            upload_only: self.is_upload_only(),
            pieces: self.pieces.count(pieces),
            am_choking: self.am_choking,
            peer_choking: self.peer_choking,
            am_interested: self.am_interested,
            peer_interested: self.peer_interested,
            optimistic,
            snubbed: self.pipeline.is_snubbed(),
            downloaded: self.down.total(),
            uploaded: self.up.total(),
            download_rate: self.down.told(),
            upload_rate: self.up.told(),
            requested: self.pipeline.len(),
            queued: self.uploads.queued(),
        }
    }
}
