//! The task that owns one torrent: it carries what happens to the torrent's `swarm::Torrent` and
//! carries out what that decides. It decides nothing about peers or pieces itself and awaits only
//! its mailbox and its timer.
//!
//! Everything moves in rounds. A round takes the mail that is waiting, hands it on, then collects
//! the actions and sends them off together: one batch a peer, one for the disk. So a wake-up, a lock
//! and a channel operation serve many blocks.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use metainfo::{Layout, Magnet};
use storage::{Done, Job, TorrentId, What};
use swarm::{Action, Control, DiskDone, DiskJob, Input, PeerKey, Source, Stats};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use wire::mse::Method;
use wire::net::{Batch, Stream};
use wire::{Handshake, Message, Payload, Pool, Reserved};

use crate::announce::Announcer;
use crate::connect;
use crate::descriptors::ConnectionPlace;
use crate::durable::Durable;
use crate::error::Error;
use crate::event::{Event, PeerChange, Snapshot, State, TrackerSnapshot};
use crate::finder::Membership;
use crate::magnet;
use crate::mail::{Entry, Mail};
use crate::shared::Shared;
use work::Peer;
pub(crate) use work::Work;

mod recheck;
mod work;

/// Mail taken in one round. Enough that a round serves every fast peer, few enough that requests go
/// out before a long queue is worked off.
const ROUND: usize = 64;

/// One torrent and everything its task needs.
pub(crate) struct Driver {
    pub(crate) id: TorrentId,
    pub(crate) entry: Entry,
    pub(crate) layout: Layout,
    /// Bytes of the pieces that are wanted.
    pub(crate) total_bytes: u64,
    pub(crate) swarm: swarm::Torrent,
    pub(crate) announcer: Announcer,
    /// Its place in the DHT and the local network, if it has one there.
    pub(crate) membership: Option<Membership>,
    /// What it began as, as long as its pieces are not known.
    pub(crate) magnet: Option<Magnet>,
    pub(crate) files: Files,
    /// Where resume state is kept; `None` where none is.
    pub(crate) durable: Option<Durable>,
    pub(crate) shared: Arc<Shared>,
    /// Its share of the buffers for blocks that leave.
    pub(crate) uploads: Pool,
    pub(crate) events: Sender<Event>,
    /// How long the end waits for trackers and the disk.
    pub(crate) goodbye: Duration,
    /// Whether the end waits for the disk's sync, however long that takes.
    pub(crate) sync_on_stop: bool,
    /// Where metadata is kept for the next time; `None` keeps none.
    pub(crate) state_dir: Option<PathBuf>,
    pub(crate) state: State,
    pub(crate) work: Work,
}

/// How the torrent stands with its files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Files {
    /// It has none: its metadata is not known, or nobody said yet what to do with it.
    None,
    /// A thread opens them.
    Opening,
    Open,
}

impl Driver {
    /// Runs until the torrent is stopped or fails.
    pub(crate) async fn run(mut self, mut mail: mpsc::UnboundedReceiver<Mail>) {
        let mut inbox = Vec::with_capacity(ROUND);
        self.announcer.tiers().start(Instant::now());
        let finder = self.entry.finder.clone().filter(|finder| finder.is_on());
        self.membership = finder.map(|finder| Membership::new(finder, self.entry.info_hash));
        while !self.is_over(Instant::now()) {
            self.act();
            tokio::select! {
                received = mail.recv_many(&mut inbox, ROUND) => {
                    if received == 0 {
                        break;
                    }
                }
                () = sleep_until(self.next_timeout()) => {}
            }
            let now = Instant::now();
            let is_stop = |mail: &Mail| matches!(mail, Mail::Stop);
            if inbox.iter().any(is_stop) {
                // What peers were sent before the end is counted, though its mail may come behind.
                while let Ok(more) = mail.try_recv() {
                    inbox.push(more);
                }
                inbox.sort_by_key(is_stop);
            }
            for mail in inbox.drain(..) {
                self.take(now, mail);
            }
            self.swarm.handle_timeout(now);
        }
        self.shared.registry.remove(self.id);
        let Stats { downloaded, uploaded, .. } = self.swarm.stats();
        self.tell(Event::Stopped { torrent: self.id, downloaded, uploaded });
    }

    /// Whether the good-bye is done, or has taken long enough.
    fn is_over(&mut self, now: Instant) -> bool {
        let Some(leave_at) = self.work.leave_at else { return false };
        let patience = now < leave_at || (self.sync_on_stop && !self.work.files_closed);
        !patience || (self.work.files_closed && self.announcer.tiers().is_stopped())
    }

    fn next_timeout(&mut self) -> Option<Instant> {
        let tiers = self.announcer.tiers().poll_timeout();
        let sync = self.durable.as_ref().and_then(Durable::poll_timeout);
        let leave = self.work.leave_at.filter(|_| !self.sync_on_stop);
        [self.swarm.poll_timeout(), tiers, sync, leave].into_iter().flatten().min()
    }

    /// Hands on one thing that happened.
    fn take(&mut self, now: Instant, mail: Mail) {
        match mail {
            Mail::Peer { peer, batch } => self.take_batch(now, peer, batch),
            Mail::Disk(batch) => {
                for done in batch {
                    self.take_done(now, done);
                }
            }
            Mail::Connected { stream, place, addr, origin, theirs } => {
                let secrecy = secrecy(&stream);
                let Handshake { peer_id, reserved, .. } = theirs;
                let peer = self.adopt((stream, place), addr, reserved);
                log::debug!("{addr}: connected, {origin:?}, {secrecy}, peer id {peer_id}");
                let source = self.swarm.source(addr, origin);
                let change = PeerChange::Connected { origin, source, peer_id: peer_id.0 };
                self.tell(Event::Peer { torrent: self.id, addr, change });
                self.swarm.handle(now, Input::Connected { peer, addr, origin, peer_id, reserved });
                if reserved.has_dht() {
                    self.work.greet.push(peer);
                }
            }
            Mail::DialFailed { addr, reason } => {
                log::debug!("{addr}: {reason}");
                self.swarm.handle(now, Input::DialFailed { addr });
            }
            Mail::Closed { peer, reason } => {
                log::debug!("peer {}: {reason}", peer.0);
                self.forget(peer, &reason);
                self.swarm.handle(now, Input::Closed { peer });
            }
            Mail::Found { addrs, source } => self.swarm.handle(now, Input::Found { addrs, source }),
            // A private torrent has no other trackers than its own (BEP 27).
            Mail::Trackers(_) if self.entry.finder.is_none() => {}
            Mail::Trackers(tiers) => self.announcer.tiers().add(&tiers, now),
            Mail::Opening { private } => {
                self.files = Files::Opening;
                if private {
                    self.entry.finder = None;
                    self.membership = None;
                    self.swarm.handle(now, Input::Control(Control::Private));
                }
            }
            Mail::Opened(opened) => self.begin(now, *opened),
            Mail::OpenFailed(error) => self.open_failed(now, error),
            Mail::Kept(file) => self.kept(file),
            Mail::Saved => self.work.files_closed = true,
            Mail::Announced { tracker, url, result } => self.take_reply(now, tracker, &url, result),
            Mail::Snapshot(reply) => {
                // Whoever asked may have given up.
                let _ = reply.send(self.snapshot());
            }
            Mail::Stop => self.stop(now),
        }
    }

    fn take_batch(&mut self, now: Instant, peer: PeerKey, mut batch: Batch) {
        for message in batch.messages.drain(..) {
            log::trace!("peer {} -> {message:?}", peer.0);
            if let Message::Port(port) = message {
                self.heard_of_node(peer, port);
            }
            self.swarm.handle(now, Input::Message { peer, message });
        }
        if batch.drained > 0 {
            self.swarm.handle(now, Input::Drained { peer, bytes: batch.drained });
        }
        if batch.dropped > 0 {
            self.swarm.handle(now, Input::Dropped { peer, bytes: batch.dropped });
        }
    }

    fn take_done(&mut self, now: Instant, done: Done<Payload>) {
        let input = match done {
            Done::Checked { piece, outcome, .. } => {
                if let (Some(durable), storage::Checked::Good { .. }) =
                    (&mut self.durable, &outcome)
                {
                    durable.wrote(now);
                }
                DiskDone::Checked { piece, outcome: checked(outcome) }
            }
            Done::Read { ticket, block, data, .. } => {
                DiskDone::Read { peer: PeerKey(ticket), block, payload: data }
            }
            Done::Failed { what: What::Read { ticket, block }, error, .. } => {
                self.fail(now, error);
                DiskDone::ReadFailed { peer: PeerKey(ticket), block }
            }
            Done::Failed { what: What::Write { piece } | What::Check { piece }, error, .. } => {
                self.fail(now, error);
                DiskDone::WriteFailed { piece }
            }
            Done::Rechecked { wrong, .. } => return self.rechecked(now, &wrong),
            Done::Synced { pieces, stamps, doubtful, ours, .. } => {
                if let Some(durable) = &mut self.durable {
                    durable.synced(&pieces, stamps, &doubtful, ours);
                }
                return;
            }
            Done::Closed { stamps, doubtful, ours, .. } => {
                match &mut self.durable {
                    Some(durable) => durable.close(stamps, &doubtful, ours),
                    None => self.work.files_closed = true,
                }
                return;
            }
            Done::Failed { what, error, .. } => {
                if let (What::Sync { .. }, Some(durable)) = (what, &mut self.durable) {
                    durable.failed();
                }
                return self.fail(now, error);
            }
            _ => return,
        };
        self.swarm.handle(now, Input::Disk(input));
    }

    fn take_reply(
        &mut self,
        now: Instant,
        tracker: usize,
        url: &str,
        result: Result<tracker::Reply, tracker::Error>,
    ) {
        self.announcer.tiers().answered(now, tracker, &result);
        let url = metainfo::hide_login(url).into_owned();
        match result {
            Ok(reply) => {
                self.tell(Event::Announced {
                    torrent: self.id,
                    url,
                    peers: reply.peers.len(),
                    warning: reply.warning,
                });
                let found = Input::Found { addrs: reply.peers, source: Source::Tracker };
                self.swarm.handle(now, found);
            }
            Err(error) => {
                let error = error.to_string();
                self.tell(Event::TrackerFailed { torrent: self.id, url, error });
            }
        }
    }

    /// Starts the connection's task and gives it a name.
    fn adopt(
        &mut self,
        socket: (Stream<TcpStream>, ConnectionPlace),
        addr: SocketAddr,
        theirs: Reserved,
    ) -> PeerKey {
        self.work.last_key += 1;
        let peer = PeerKey(self.work.last_key);
        let (entry, shared, layout) = (&self.entry, &self.shared, &self.layout);
        let handle = connect::spawn(peer, socket, theirs, entry, shared, layout);
        self.work.peers.insert(peer, Peer { handle, addr, outbox: Vec::new(), has_node: false });
        peer
    }

    /// A connection is over, by whichever side was the first to say so.
    fn forget(&mut self, peer: PeerKey, reason: &impl ToString) {
        if let Some(Peer { addr, .. }) = self.work.peers.remove(&peer) {
            let change = PeerChange::Closed { reason: reason.to_string() };
            self.tell(Event::Peer { torrent: self.id, addr, change });
        }
    }

    /// A peer says that it has a DHT node. One is enough of each.
    fn heard_of_node(&mut self, peer: PeerKey, port: u16) {
        let Some(entry) = self.work.peers.get_mut(&peer).filter(|entry| !entry.has_node) else {
            return;
        };
        entry.has_node = true;
        if let Some(finder) = &self.entry.finder {
            finder.node(SocketAddr::new(entry.addr.ip(), port));
        }
    }

    /// Tells peers that have a DHT node of ours (BEP 5).
    fn greet(&mut self) {
        let finder = self.entry.finder.as_ref();
        let port = finder.and_then(|finder| finder.dht_port());
        for peer in self.work.greet.split_off(0) {
            if let Some(port) = port {
                self.work.queue(peer, Message::Port(port));
            }
        }
    }

    /// Carries out what was decided.
    fn act(&mut self) {
        let now = Instant::now();
        self.collect(now);
        self.greet();
        // What is in the page cache is sent in the same round, without a visit to a disk thread.
        loop {
            self.read_waiting();
            let done = self.shared.disk.read_cached(&mut self.work.jobs);
            if done.is_empty() {
                break;
            }
            for done in done {
                self.take_done(now, done);
            }
            self.collect(now);
        }
        if self.durable.as_mut().is_some_and(|durable| durable.is_due(now)) {
            self.work.jobs.push(Job::Sync { torrent: self.id });
        }
        self.work.flush();
        if !self.work.jobs.is_empty() {
            self.shared.disk.submit(std::mem::take(&mut self.work.jobs));
        }
        let (swarm, unknown) = (&self.swarm, self.magnet.is_some());
        self.announcer.run(now, || {
            let stats = swarm.stats();
            Stats { missing: if unknown { magnet::LEFT } else { stats.missing }, ..stats }
        });
    }

    /// Takes every action there is.
    fn collect(&mut self, now: Instant) {
        while let Some(action) = self.swarm.poll() {
            match action {
                Action::Send { peer, message } => {
                    log::trace!("peer {} <- {message:?}", peer.0);
                    self.work.queue(peer, message);
                }
                Action::Disk(job) => self.start_job(job),
                Action::Dial { addr } => connect::dial(addr, self.entry.clone(), &self.shared),
                Action::Close { peer, reason } => {
                    log::debug!("peer {}: closed, {reason}", peer.0);
                    self.forget(peer, &reason);
                }
                Action::Event(event) => self.report(now, &event),
            }
        }
    }

    fn start_job(&mut self, job: DiskJob) {
        let torrent = self.id;
        self.work.jobs.push(match job {
            DiskJob::Write { block, payload } => Job::Write { torrent, block, data: payload },
            DiskJob::Check { piece, digests } => Job::Check { torrent, piece, digests },
            DiskJob::Discard { piece } => Job::Discard { torrent, piece },
            DiskJob::Read { peer, block } => {
                self.work.waiting_reads.push_back((peer, block));
                return;
            }
        });
    }

    /// Gives the waiting reads buffers, as far as there are any. Reads for peers that have gone are
    /// dropped.
    fn read_waiting(&mut self) {
        while let Some(&(peer, block)) = self.work.waiting_reads.front() {
            if self.work.peers.contains_key(&peer) {
                let len = usize::try_from(block.len()).unwrap_or(usize::MAX);
                let Some(into) = self.uploads.try_take(len) else { return };
                let (torrent, ticket) = (self.id, peer.0);
                self.work.jobs.push(Job::Read { torrent, ticket, block, into });
            }
            self.work.waiting_reads.pop_front();
        }
    }

    /// Tells the user, and the trackers, what the swarm reports.
    fn report(&mut self, now: Instant, event: &swarm::Event) {
        let torrent = self.id;
        match *event {
            swarm::Event::PieceVerified { piece } => self.tell(Event::Piece { torrent, piece }),
            swarm::Event::PieceFailed { piece, .. } => {
                self.tell(Event::BadPiece { torrent, piece });
            }
            swarm::Event::Completed => self.recheck(),
            swarm::Event::Metadata { ref info } => self.metadata(now, info),
            swarm::Event::Banned { ip, .. } => self.tell(Event::Banned { torrent, ip }),
            _ => {}
        }
    }

    /// The disk let us down, say: the torrent ends, with what is verified kept.
    pub(crate) fn fail(&mut self, now: Instant, error: impl Into<Error>) {
        if self.state != State::Stopping {
            self.tell(Event::Failed { torrent: self.id, error: error.into() });
            self.stop(now);
        }
    }

    /// Closes every peer and begins the good-bye.
    fn stop(&mut self, now: Instant) {
        if self.state == State::Stopping {
            return;
        }
        self.state = State::Stopping;
        self.membership = None;
        let patience = if self.files == Files::None { magnet::GOODBYE } else { self.goodbye };
        self.work.leave_at = Some(now + patience.min(self.goodbye));
        self.swarm.handle(now, Input::Control(Control::Pause));
        self.announcer.tiers().stop(now);
        if self.sync_on_stop && self.files == Files::Open {
            self.work.jobs.push(Job::Sync { torrent: self.id });
        }
        self.act();
        match self.files {
            Files::None => self.work.files_closed = true,
            // Closed when that is done.
            Files::Opening => {}
            Files::Open => self.shared.disk.close(self.id),
        }
    }

    fn snapshot(&mut self) -> Snapshot {
        let trackers = self.announcer.tiers().status();
        Snapshot {
            torrent: self.id,
            state: self.state,
            have: self.swarm.have().clone(),
            total_bytes: self.total_bytes,
            stats: self.swarm.stats(),
            peers: self.swarm.peers(),
            trackers: trackers.map(TrackerSnapshot::from).collect(),
            limited: self.shared.download_limit.is_some(),
            disk_is_behind: self.shared.disk_is_behind(),
            searched: self.membership.is_some(),
        }
    }

    pub(crate) fn tell(&self, event: Event) {
        // Whoever has dropped the receiver does not want to hear.
        let _ = self.events.send(event);
    }
}

fn checked(outcome: storage::Checked) -> swarm::Checked {
    match outcome {
        storage::Checked::Good { blocks } => swarm::Checked::Good { blocks },
        storage::Checked::Bad { blocks } => swarm::Checked::Bad { blocks },
        storage::Checked::Changed => swarm::Checked::Changed,
    }
}

/// How a connection is encrypted, for the log.
fn secrecy<T>(stream: &Stream<T>) -> &'static str {
    match stream.method() {
        None => "in the clear",
        Some(Method::Plaintext) => "in the clear behind an encrypted handshake",
        Some(Method::Rc4) => "encrypted",
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
