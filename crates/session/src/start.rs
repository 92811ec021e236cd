//! What the task of a torrent is made of, and its making: with its files open, or of a magnet whose
//! metadata is to come. It opens nothing itself.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::Sender;
use metainfo::{Layout, Magnet, PieceSet};
use storage::TorrentId;
use swarm::{Input, Phase, Source, Torrent};

use crate::announce::Announcer;
use crate::config::Config;
use crate::driver::{Driver, Files, Work};
use crate::durable::Durable;
use crate::event::{Event, State};
use crate::mail::{Entry, RESERVED};
use crate::shared::Shared;

/// What peers are told of us.
const CLIENT: &str = concat!("pieces ", env!("CARGO_PKG_VERSION"));

/// A torrent that was added.
#[derive(Clone)]
pub(crate) struct Start {
    pub(crate) id: TorrentId,
    pub(crate) entry: Entry,
    pub(crate) tiers: Vec<Vec<String>>,
    pub(crate) peers: Vec<SocketAddr>,
    /// Peers come from trackers only (BEP 27).
    pub(crate) private: bool,
    /// The metadata, if it is known.
    pub(crate) info: Option<Arc<[u8]>>,
    pub(crate) seed: u64,
    pub(crate) config: Config,
    pub(crate) shared: Arc<Shared>,
    pub(crate) events: Sender<Event>,
}

/// A torrent whose files are open and checked.
pub(crate) struct Opened {
    pub(crate) layout: Layout,
    pub(crate) have: PieceSet,
    /// The pieces to fetch; `None` is all of them.
    pub(crate) wanted: Option<PieceSet>,
    pub(crate) sequential: bool,
    /// Bytes of the pieces that are wanted.
    pub(crate) total_bytes: u64,
    pub(crate) state: State,
    pub(crate) durable: Option<Durable>,
    /// Peers that the user named.
    pub(crate) peers: Vec<SocketAddr>,
    /// Says that it begins now.
    pub(crate) ready: Event,
}

impl Start {
    /// The task of a torrent whose files are open.
    pub(crate) fn with_files(&self, opened: Opened) -> Driver {
        let mut config = self.swarm_config();
        config.wanted.clone_from(&opened.wanted);
        config.sequential = opened.sequential;
        let phase = Phase::Pieces(opened.layout.clone(), opened.have);
        // Before the user hears of it, who may send peers at once.
        self.shared.registry.accept(self.id);
        self.tell(opened.ready);
        Driver {
            layout: opened.layout,
            total_bytes: opened.total_bytes,
            durable: opened.durable,
            state: opened.state,
            files: Files::Open,
            ..self.driver(config, phase, None)
        }
    }

    /// The task of a magnet, which has no files yet.
    pub(crate) fn with_magnet(&self, magnet: Magnet) -> Driver {
        let phase = Phase::Metadata(self.entry.info_hash);
        self.driver(self.swarm_config(), phase, Some(magnet))
    }

    fn swarm_config(&self) -> swarm::Config {
        let mut config = swarm::Config::new(self.entry.peer_id);
        config.reserved = RESERVED;
        config.info_hash = Some(self.entry.info_hash);
        config.client = Some(CLIENT.into());
        config.pex = self.config.pex;
        config.private = self.private;
        config.listen_port = Some(self.shared.listen.port());
        config.max_peers = self.config.max_peers;
        config.download_limit.clone_from(&self.shared.download_limit);
        config.upload_limit.clone_from(&self.shared.upload_limit);
        config.trials = self.shared.trials.clone();
        config.own_addrs = vec![self.shared.listen];
        config.info.clone_from(&self.info);
        config
    }

    fn driver(&self, config: swarm::Config, phase: Phase, magnet: Option<Magnet>) -> Driver {
        let now = Instant::now();
        let mut rng = fastrand::Rng::with_seed(self.seed);
        let mut swarm = Torrent::new(config, phase, rng.u64(..));
        swarm.handle(now, Input::Found { addrs: self.peers.clone(), source: Source::Given });
        let tiers = tracker::Tiers::new(&self.tiers, rng.u64(..), now);
        Driver {
            id: self.id,
            entry: self.entry.clone(),
            layout: Layout::empty(),
            total_bytes: 0,
            swarm,
            announcer: Announcer::new(tiers, self.entry.clone(), self.shared.clone()),
            membership: None,
            magnet,
            files: Files::None,
            durable: None,
            shared: self.shared.clone(),
            uploads: self.shared.uploads.share(),
            events: self.events.clone(),
            goodbye: self.config.goodbye,
            sync_on_stop: self.config.sync_on_stop,
            state_dir: self.config.state_dir.clone(),
            state: State::Metadata,
            work: Work::default(),
        }
    }

    /// Tells the user.
    pub(crate) fn tell(&self, event: Event) {
        // Whoever has dropped the receiver does not want to hear.
        let _ = self.events.send(event);
    }
}
