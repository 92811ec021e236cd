//! The session itself: starts the threads, adds torrents, stops everything. All of it can be called
//! from any thread; nothing here waits for a peer or a tracker but [`Session::stop`], which has a
//! deadline.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};
use egress::Trials;
use metainfo::{InfoHash, Layout, Magnet, Metainfo};
use storage::{Allocation, Disk, TorrentId};
use swarm::{Limit, Source};
use tokio::runtime;
use tokio::sync::{mpsc, oneshot};
use wire::PeerId;

use crate::config::{AddOptions, Config};
use crate::connect;
use crate::descriptors::{self, Places};
use crate::dialects::Dialects;
use crate::error::{Error, ErrorKind};
use crate::event::{Event, Snapshot};
use crate::finder::{Finder, Tasks};
use crate::gap;
use crate::magnet;
use crate::mail::{Entry, Mail};
use crate::named;
use crate::open::Opening;
use crate::prune;
use crate::resume::{Place, Saver};
use crate::shared::{Registry, Shared};
use crate::start::Start;

/// How long a torrent's task is given to answer a question about how it stands. It answers between
/// rounds, so within milliseconds unless the machine is overwhelmed.
const SNAPSHOT_DEADLINE: Duration = Duration::from_secs(1);

/// How long the end of a session waits until the DHT's nodes are written down: losing them costs the
/// next run a few seconds.
const SAVE_DEADLINE: Duration = Duration::from_secs(1);

/// Torrents that are downloaded and seeded together: one listener, one network thread, one set of
/// disk threads and tracker threads. Dropping it stops them without good-byes; see
/// [`stop`](Session::stop).
pub struct Session {
    shared: Arc<Shared>,
    runtime: runtime::Handle,
    config: Config,
    peer_id: PeerId,
    rng: Mutex<fastrand::Rng>,
    next_id: AtomicU64,
    /// Torrents that are being opened, and perhaps some that were.
    openings: Mutex<Vec<Arc<Opening>>>,
    events: Sender<Event>,
    /// Ends the network thread when dropped.
    _network: oneshot::Sender<()>,
}

impl Session {
    /// Starts a session and gives the queue of its events, which the caller should keep reading.
    ///
    /// # Errors
    /// When no port can be listened on, or the system has no thread to give.
    pub fn start(config: Config) -> Result<(Self, Receiver<Event>), Error> {
        let connections = Places::of_process();
        let listener = listen(&config)?;
        let start = |error| Error::from(ErrorKind::Start(error));
        let mut addr = listener.local_addr().map_err(start)?;
        addr.set_ip(addr.ip().to_canonical());
        let mut rng = config.seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed);
        let registry = Arc::new(Registry::default());
        let deliver = registry.clone();
        let max_peers = config.max_peers.min(descriptors::for_one_torrent(connections.count()));
        let config = Config { max_peers, ..config };
        let mut disk = storage::Config::default();
        disk.backend = config.backend;
        let trackers = trackers(&config);
        let (finder, tasks) = Finder::open(&config, addr, rng.u64(..));
        let shared = Arc::new(Shared {
            finder: Arc::new(finder),
            disk: Disk::start(disk, move |batch| deliver.deliver(batch))?,
            trackers: tracker::Client::start(trackers).map_err(start)?,
            saver: Saver::start().map_err(start)?,
            downloads: Shared::download_pool(),
            uploads: Shared::upload_pool(),
            download_limit: config.download_limit.map(Limit::new),
            upload_limit: config.upload_limit.map(Limit::new),
            trials: Trials::new(),
            dials: Shared::half_open(),
            connections,
            registry,
            dialects: Dialects::new(config.encryption),
            bind: config.bind,
            listen: addr,
            key: rng.u32(..),
        });
        let (network, stop) = oneshot::channel();
        let runtime = start_network(listener, tasks, shared.clone(), stop).map_err(start)?;
        if let Some(folder) = &config.state_dir {
            prune::start(folder.clone());
        }
        let (events, receiver) = crossbeam_channel::unbounded();
        let session = Self {
            shared,
            runtime,
            peer_id: peer_id(&mut rng),
            config,
            rng: Mutex::new(rng),
            next_id: AtomicU64::new(1),
            openings: Mutex::default(),
            events,
            _network: network,
        };
        Ok((session, receiver))
    }

    /// Where incoming connections are accepted.
    pub fn listen_addr(&self) -> SocketAddr {
        self.shared.listen
    }

    /// Our peer id in every torrent of this session.
    pub fn peer_id(&self) -> [u8; 20] {
        self.peer_id.0
    }

    /// Adds a torrent. Its files are opened and checked on a thread of their own, then it starts;
    /// events tell how it goes.
    ///
    /// # Errors
    /// When it is v2 only, or in this session already.
    pub fn add(&self, torrent: &Metainfo, options: AddOptions) -> Result<TorrentId, Error> {
        let (Some(info_hash), Some(layout)) = (torrent.info_hash(), torrent.layout()) else {
            return Err(ErrorKind::V2Only.into());
        };
        let (id, entry, mail) = self.register(info_hash, torrent.is_private())?;
        let tiers = torrent.tiers().to_vec();
        named::find_peers(&options.magnet_peers, Source::Magnet, &entry, &self.runtime);
        named::find_peers(&options.named_peers, Source::Given, &entry, &self.runtime);
        let start = self.start_of((id, entry), Some(torrent), tiers, options.peers.clone());
        let opening = self
            .opening(start, torrent, layout.clone(), options)
            .and_then(|opening| spawn_opening(id, move || opening.run(mail)));
        opening.inspect_err(|_| self.shared.registry.remove(id)).map(|()| id)
    }

    /// Adds a torrent of which only the info-hash is known, and peers and trackers that may have its
    /// metadata (BEP 9), besides the peers that the user names by address and by name.
    /// [`Event::Metadata`] tells when it is here; then [`begin`](Self::begin) starts
    /// the download. Nothing is written below any target folder before.
    ///
    /// # Errors
    /// When it is v2 only, or in this session already.
    pub fn add_magnet(
        &self,
        magnet: Magnet,
        peers: Vec<SocketAddr>,
        named_peers: &[String],
    ) -> Result<TorrentId, Error> {
        let info_hash = magnet.info_hash.ok_or(ErrorKind::V2Only)?;
        let (id, entry, mail) = self.register(info_hash, false)?;
        let tiers = magnet.trackers.iter().map(|url| vec![url.clone()]).collect();
        self.shared.registry.accept(id);
        named::find_peers(&magnet.peers, Source::Magnet, &entry, &self.runtime);
        named::find_peers(named_peers, Source::Given, &entry, &self.runtime);
        let start = self.start_of((id, entry), None, tiers, peers);
        self.runtime.spawn(start.with_magnet(magnet).run(mail));
        Ok(id)
    }

    /// Trackers and peers of a torrent that is here already, from another magnet or torrent file of it. A
    /// private torrent takes none.
    pub fn add_sources(&self, id: TorrentId, tiers: Vec<Vec<String>>, peers: &[String]) {
        let Some(entry) = self.shared.registry.entry(id) else { return };
        if entry.finder.is_some() {
            named::find_peers(peers, Source::Magnet, &entry, &self.runtime);
        }
        self.shared.registry.send(id, Mail::Trackers(tiers));
    }

    /// Starts the download of a magnet that reported [`Event::Metadata`]. `torrent` is what the torrent
    /// file in that event says. From here on it goes as after [`add`](Self::add).
    ///
    /// # Errors
    /// When the session has no such magnet, or it is another torrent.
    pub fn begin(
        &self,
        id: TorrentId,
        torrent: &Metainfo,
        options: AddOptions,
    ) -> Result<(), Error> {
        let entry = self.shared.registry.entry(id).ok_or(ErrorKind::NotWaiting)?;
        let layout = torrent.layout().filter(|_| torrent.info_hash() == Some(entry.info_hash));
        let layout = layout.ok_or(ErrorKind::NotWaiting)?.clone();
        let mailbox = entry.mailbox.clone();
        let start = self.start_of((id, entry), Some(torrent), Vec::new(), options.peers.clone());
        let opening = self.opening(start, torrent, layout, options)?;
        // A task that has just ended is told in vain, and so is its user.
        let _ = mailbox.send(Mail::Opening { private: torrent.is_private() });
        spawn_opening(id, move || opening.run_for_magnet())
    }

    /// The torrent file of a magnet whose metadata an earlier run fetched, with the trackers of this
    /// URI. It can be added at once.
    pub fn kept_metadata(&self, magnet: &Magnet) -> Option<Vec<u8>> {
        magnet::kept(self.config.state_dir.as_deref()?, magnet)
    }

    /// Takes a torrent in under a new name, unless it is here already.
    fn register(
        &self,
        info_hash: InfoHash,
        private: bool,
    ) -> Result<(TorrentId, Entry, mpsc::UnboundedReceiver<Mail>), Error> {
        let id = TorrentId(self.next_id.fetch_add(1, Ordering::Relaxed));
        let (mailbox, mail) = mpsc::unbounded_channel();
        let finder = (!private).then(|| self.shared.finder.clone());
        let entry = Entry { info_hash, peer_id: self.peer_id, mailbox, finder };
        if !self.shared.registry.insert(id, entry.clone()) {
            return Err(ErrorKind::Duplicate(info_hash).into());
        }
        Ok((id, entry, mail))
    }

    fn start_of(
        &self,
        (id, entry): (TorrentId, Entry),
        torrent: Option<&Metainfo>,
        tiers: Vec<Vec<String>>,
        peers: Vec<SocketAddr>,
    ) -> Start {
        Start {
            id,
            entry,
            tiers,
            peers,
            private: torrent.is_some_and(Metainfo::is_private),
            info: torrent.map(|torrent| torrent.info_bytes().clone()),
            seed: self.random(),
            config: self.config.clone(),
            shared: self.shared.clone(),
            events: self.events.clone(),
        }
    }

    /// What opens a torrent's files, known to [`stop`](Self::stop) from now on.
    fn opening(
        &self,
        start: Start,
        torrent: &Metainfo,
        layout: Layout,
        options: AddOptions,
    ) -> Result<Arc<Opening>, Error> {
        let AddOptions { dir, files, sequential, verify, serve, keep, overwrite, .. } = options;
        let allocation = match options.allocation {
            _ if serve.is_some() => Allocation::AsFound,
            allocation => allocation,
        };
        let mut spec = storage::Spec::new(&dir, torrent)?
            .with_allocation(allocation)
            .with_follow_links(options.follow_links)
            .with_overwrite(overwrite)
            .keeping(keep);
        if let Some(files) = &files {
            spec = spec.with_selection(|file| files.contains(&file));
        }
        let place = self.config.state_dir.as_ref().and_then(|folder| {
            Place::new(folder, start.entry.info_hash, &dir)
                .inspect_err(|error| {
                    let (dir, why) = (dir.display(), storage::explain(error));
                    log::warn!("{dir}: cannot tell what its resume state is called: {why}");
                })
                .ok()
        });
        let opening = Arc::new(Opening {
            start,
            layout,
            spec,
            place,
            sequential,
            verify,
            serve,
            overwrite,
            runtime: self.runtime.clone(),
            cancel: false.into(),
        });
        self.remember(&opening);
        Ok(opening)
    }

    /// How a torrent stands; `None` while it is being opened, and when it has ended.
    pub fn snapshot(&self, id: TorrentId) -> Option<Snapshot> {
        let mailbox = self.shared.registry.running(id)?;
        let (reply, answer) = crossbeam_channel::bounded(1);
        mailbox.send(Mail::Snapshot(reply)).ok()?;
        answer.recv_timeout(SNAPSHOT_DEADLINE).ok()
    }

    /// Begins to stop every torrent: each closes its peers, tells its trackers, and reports
    /// [`Event::Stopped`] or, where it was not running yet, [`Event::Failed`].
    pub fn stop(&self) {
        for opening in self.openings.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            opening.cancel.store(true, Ordering::Relaxed);
        }
        self.shared.registry.broadcast(|| Mail::Stop);
    }

    /// Begins to stop one torrent, as [`stop`](Self::stop) does all.
    pub fn stop_one(&self, id: TorrentId) {
        let openings = self.openings.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(opening) = openings.iter().find(|opening| opening.start.id == id) {
            opening.cancel.store(true, Ordering::Relaxed);
        }
        self.shared.registry.send(id, Mail::Stop);
    }

    /// Keeps an opening where [`stop`](Self::stop) finds it, and lets go of those that are over.
    fn remember(&self, opening: &Arc<Opening>) {
        let mut openings = self.openings.lock().unwrap_or_else(PoisonError::into_inner);
        // Its thread has dropped it.
        openings.retain(|other| Arc::strong_count(other) > 1);
        openings.push(opening.clone());
    }

    fn random(&self) -> u64 {
        self.rng.lock().unwrap_or_else(PoisonError::into_inner).u64(..)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.shared.finder.save(SAVE_DEADLINE);
    }
}

/// How trackers are asked: not more at a time than there are descriptors for.
fn trackers(config: &Config) -> tracker::Config {
    let defaults = tracker::Config::default();
    tracker::Config {
        bind: config.bind,
        threads: descriptors::for_trackers(defaults.threads),
        shortage: tracker::Shortage::new(|error| storage::make_room(&storage::explain(error))),
        ..defaults
    }
}

/// Opening reads and allocates, so it has a thread of its own.
fn spawn_opening(id: TorrentId, open: impl FnOnce() + Send + 'static) -> Result<(), Error> {
    let thread = thread::Builder::new().name(format!("open-{}", id.0));
    thread.spawn(open).map_err(|error| Error::from(ErrorKind::Start(error)))?;
    Ok(())
}

/// The first free port of those to try. Without a bind address both IPv4 and IPv6 are accepted where
/// the system has both.
fn listen(config: &Config) -> Result<TcpListener, Error> {
    let ips: &[IpAddr] = match &config.bind {
        Some(ip) => std::slice::from_ref(ip),
        None => &[IpAddr::V6(Ipv6Addr::UNSPECIFIED), IpAddr::V4(Ipv4Addr::UNSPECIFIED)],
    };
    let mut failed = None;
    for port in config.ports.clone() {
        for &ip in ips {
            let addr = SocketAddr::new(ip, port);
            match storage::with_descriptors(|| TcpListener::bind(addr)) {
                Ok(listener) => return Ok(listener),
                // The first failure is of the port the user wants most.
                Err(error) => failed = failed.or(Some(ErrorKind::Listen(addr, error))),
            }
        }
    }
    let nothing_to_try = || {
        let addr = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), *config.ports.start());
        ErrorKind::Listen(addr, std::io::ErrorKind::InvalidInput.into())
    };
    Err(failed.unwrap_or_else(nothing_to_try).into())
}

/// Starts the thread that owns every socket. It ends when the other end of `stop` is dropped.
fn start_network(
    listener: TcpListener,
    tasks: Tasks,
    shared: Arc<Shared>,
    stop: oneshot::Receiver<()>,
) -> std::io::Result<runtime::Handle> {
    listener.set_nonblocking(true)?;
    let runtime = runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let handle = runtime.handle().clone();
    let listener = {
        let _inside = runtime.enter();
        tokio::net::TcpListener::from_std(listener)?
    };
    thread::Builder::new().name("network".into()).spawn(move || {
        runtime.block_on(async {
            tasks.spawn(&shared.registry);
            tokio::spawn(connect::listen(listener, shared));
            tokio::spawn(gap::watch());
            // Nothing is ever sent: the session ends by dropping its end.
            let _ = stop.await;
        });
        runtime.shutdown_background();
    })?;
    Ok(handle)
}

/// `-PC` and the version's digits, as the field does (BEP 20), then what makes us unique.
fn peer_id(rng: &mut fastrand::Rng) -> PeerId {
    let mut id = *b"-PC0000-............";
    let digits = [env!("CARGO_PKG_VERSION_MAJOR"), env!("CARGO_PKG_VERSION_MINOR")]
        .into_iter()
        .chain([env!("CARGO_PKG_VERSION_PATCH")]);
    for (slot, number) in id[3..6].iter_mut().zip(digits) {
        *slot = number.bytes().last().unwrap_or(b'0');
    }
    for slot in &mut id[8..] {
        *slot = u8::try_from(rng.alphanumeric()).unwrap_or(b'0');
    }
    PeerId(id)
}
