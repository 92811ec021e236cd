//! Opening a torrent, on a thread of its own because it reads and allocates: its files are made and
//! locked, what is there already is verified, then its task starts.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crossbeam_channel::Sender;
use metainfo::{Layout, PieceSet};
use storage::{Allocation, Progress, Spec, TorrentId};
use swarm::{Input, Phase, Source, Torrent};
use tokio::runtime;
use tokio::sync::mpsc;

use crate::announce::Announcer;
use crate::config::Config;
use crate::driver::{Driver, Work};
use crate::durable::Durable;
use crate::error::{Error, ErrorKind};
use crate::event::{Event, State};
use crate::mail::{Entry, Mail, RESERVED};
use crate::resume::Place;
use crate::shared::Shared;

/// What peers are told of us.
const CLIENT: &str = concat!("pieces ", env!("CARGO_PKG_VERSION"));

/// A torrent that is being opened.
#[allow(clippy::struct_excessive_bools, reason = "orders and facts, each on its own")]
pub(crate) struct Opening {
    pub(crate) id: TorrentId,
    pub(crate) entry: Entry,
    pub(crate) layout: Layout,
    pub(crate) spec: Spec,
    pub(crate) tiers: Vec<Vec<String>>,
    pub(crate) peers: Vec<SocketAddr>,
    /// Where the resume state is, if any is kept.
    pub(crate) place: Option<Place>,
    pub(crate) sequential: bool,
    /// Peers come from trackers only (BEP 27).
    pub(crate) private: bool,
    pub(crate) verify: bool,
    pub(crate) require_complete: bool,
    pub(crate) seed: u64,
    pub(crate) config: Config,
    pub(crate) shared: Arc<Shared>,
    pub(crate) runtime: runtime::Handle,
    pub(crate) events: Sender<Event>,
    /// Raised when the session stops.
    pub(crate) cancel: AtomicBool,
}

/// What was found on disk.
struct Found {
    /// Pieces that an earlier run synced and nobody touched since.
    trusted: PieceSet,
    /// All that are whole.
    have: PieceSet,
}

impl Opening {
    /// Opens the torrent and starts its task, or reports why not.
    pub(crate) fn run(&self, mail: mpsc::UnboundedReceiver<Mail>) {
        match self.open() {
            Ok(found) => {
                let driver = self.driver(found);
                self.shared.registry.accept(self.id);
                self.runtime.spawn(driver.run(mail));
            }
            Err(error) => {
                self.shared.disk.close(self.id);
                self.shared.registry.remove(self.id);
                if !self.cancel.load(Ordering::Relaxed) {
                    self.tell(Event::Failed { torrent: self.id, error });
                }
                self.tell(Event::Stopped { torrent: self.id });
            }
        }
    }

    /// Makes and locks the files and tells which pieces are whole.
    fn open(&self) -> Result<Found, Error> {
        // Opening may change how the files look, so what is believed of them comes first.
        let trusted = match &self.place {
            Some(place) if !self.verify => place.trusted(&self.spec),
            _ => PieceSet::new_empty(self.layout.piece_count()),
        };
        if self.require_complete {
            let have = self.check(&trusted)?;
            if !have.is_full() {
                let (have, total) = (have.count(), have.len());
                return Err(ErrorKind::Incomplete { have, total }.into());
            }
            self.shared.disk.open(self.id, &self.spec)?;
            return Ok(Found { trusted, have });
        }
        let fresh = self.shared.disk.open(self.id, &self.spec)?.fresh;
        let have = if fresh { trusted.clone() } else { self.check(&trusted)? };
        if self.spec.allocation() == Allocation::Sparse {
            storage::check_room(&self.spec, &have)?;
        }
        Ok(Found { trusted, have })
    }

    /// Hashes the pieces that are not trusted and gives all that are whole.
    fn check(&self, trusted: &PieceSet) -> Result<PieceSet, Error> {
        if trusted.is_full() {
            return Ok(trusted.clone());
        }
        let progress = |Progress { checked, total, .. }| {
            self.tell(Event::Checking { torrent: self.id, done: checked, total });
        };
        let wanted = self.spec.wanted_pieces().cloned();
        let mut unknown = wanted.unwrap_or_else(|| PieceSet::new_full(trusted.len()));
        for piece in trusted.iter() {
            unknown.remove(piece);
        }
        let mut options = storage::Options::default();
        options.backend = self.config.backend;
        options.pieces = Some(&unknown);
        let mut have = storage::verify(&self.spec, &options, &progress, &self.cancel)?.whole;
        for piece in trusted.iter() {
            have.insert(piece);
        }
        Ok(have)
    }

    fn driver(&self, Found { trusted, have }: Found) -> Driver {
        let all = PieceSet::new_full(have.len());
        let wanted = self.spec.wanted_pieces().unwrap_or(&all);
        let whole = || wanted.iter().filter(|piece| have.contains(*piece));
        let piece_len = |piece| u64::from(self.layout.piece_len(piece));
        let (found, total) = (u32::try_from(whole().count()).unwrap_or(u32::MAX), wanted.count());
        let have_bytes = whole().map(piece_len).sum();
        let total_bytes = wanted.iter().map(piece_len).sum();
        let mut rng = fastrand::Rng::with_seed(self.seed);
        let mut config = swarm::Config::new(self.entry.peer_id);
        config.reserved = RESERVED;
        config.info_hash = Some(self.entry.info_hash);
        config.client = Some(CLIENT.into());
        config.pex = self.config.pex && !self.private;
        config.listen_port = Some(self.shared.listen.port());
        config.max_peers = self.config.max_peers;
        config.wanted = self.spec.wanted_pieces().cloned();
        config.sequential = self.sequential;
        config.download_limit.clone_from(&self.shared.download_limit);
        config.upload_limit.clone_from(&self.shared.upload_limit);
        config.own_addrs = vec![self.shared.listen];
        let state = if found == total { State::Seeding } else { State::Downloading };
        let now = Instant::now();
        let durable = self.place.clone().map(|place| {
            let (shared, mailbox) = (self.shared.clone(), self.entry.mailbox.clone());
            Durable::new((place, self.spec.clone()), (trusted, &have), shared, mailbox, now)
        });
        let mut swarm = Torrent::new(config, Phase::Pieces(self.layout.clone(), have), rng.u64(..));
        swarm.handle(now, Input::Found { addrs: self.peers.clone(), source: Source::Given });
        let tiers = tracker::Tiers::new(&self.tiers, rng.u64(..), now);
        self.tell(Event::Ready { torrent: self.id, have: found, total, have_bytes, total_bytes });
        Driver {
            id: self.id,
            entry: self.entry.clone(),
            layout: self.layout.clone(),
            total_bytes,
            swarm,
            announcer: Announcer::new(tiers, self.entry.clone(), self.shared.clone()),
            membership: None,
            durable,
            shared: self.shared.clone(),
            events: self.events.clone(),
            goodbye: self.config.goodbye,
            sync_on_stop: self.config.sync_on_stop,
            state,
            work: Work::default(),
        }
    }

    fn tell(&self, event: Event) {
        // Whoever has dropped the receiver does not want to hear.
        let _ = self.events.send(event);
    }
}
