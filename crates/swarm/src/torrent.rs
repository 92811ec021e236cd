//! The owner of one torrent's decisions: takes inputs in, hands actions out, keeps the timers.
//! Each rule is in a module of its own; this one only says which applies when.

mod connect;
mod download;
mod duplicates;
mod end_game;
mod extended;
mod fast;
mod messages;
mod metadata;
mod pex;
mod room;
mod spread;
mod tail;
mod upload;
mod verify;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use metainfo::{Layout, PieceIndex, PieceSet};
use wire::Message;

use crate::accounts::Accounts;
use crate::bans::Bans;
use crate::border::{
    Action, Checked, Config, Control, DiskDone, Event, Input, Origin, PeerKey, Phase, Source,
};
use crate::candidates::Candidates;
use crate::choker::Choker;
use crate::close::CloseReason;
use crate::limit::Limit;
use crate::limits::{CHOKE_ROUND, TICK};
use crate::metadata::Fetch;
use crate::ourselves::Ourselves;
use crate::partial::Partials;
use crate::peer::Peer;
use crate::picker::Picker;
use crate::rate::Meter;
use crate::stats::{PeerStats, Stats};
use duplicates::Trial;
use end_game::EndGame;

/// Decides for one torrent: whom to connect to, what to ask of whom, whom to serve.
///
/// It does nothing by itself and never blocks. The driver tells it what happened by
/// [`handle`](Self::handle), any number of times, then takes everything there is to do from
/// [`poll`](Self::poll), and calls [`handle_timeout`](Self::handle_timeout) once the time of
/// [`poll_timeout`](Self::poll_timeout) has come. The same seed, inputs and times give the same
/// actions, always.
///
/// Requests and replies are made when `poll` is called, for all inputs since the last time
/// together: many inputs before one round of `poll` make few, large batches.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools, reason = "two are work put off, two are orders")]
pub struct Torrent {
    config: Config,
    /// The metadata, if it is known.
    info: Option<Arc<[u8]>>,
    /// Fetches it, if it is not.
    fetch: Option<Fetch>,
    /// Peers that wait for pieces of the metadata.
    metadata_wanted: BTreeSet<PeerKey>,
    /// The pieces are known. Until then there are none, in `layout` and everywhere below.
    begun: bool,
    layout: Layout,
    have: PieceSet,
    /// What is had or not wanted: nothing of it is to be fetched.
    settled: PieceSet,
    /// Bytes not settled yet.
    left: u64,
    /// Bytes not verified yet.
    missing: u64,
    /// `None` when there is nothing left to pick.
    picker: Option<Picker>,
    partials: Partials,
    end_game: EndGame,
    bans: Bans,

    peers: BTreeMap<PeerKey, Peer>,
    candidates: Candidates,
    us: Ourselves,
    choker: Choker,
    /// Connections that show one peer id and are compared.
    trials: Vec<Trial>,
    /// How many peers that we dial would get the places of others, all being taken.
    yielding: usize,

    /// Peers that may be asked for blocks, in the order of their turns.
    refills: VecDeque<PeerKey>,
    /// Every peer may be asked for blocks: some became free.
    refill_all: bool,
    /// Peers whose requests may be served, in the order of their turns.
    services: VecDeque<PeerKey>,
    /// A slot may have become free.
    fill_slots: bool,
    download_limit: Option<Limit>,
    upload_limit: Option<Limit>,
    /// Payload bytes in the upload buffers of all peers.
    upload_buffered: u64,
    /// What each host was given without having earned it.
    accounts: Accounts,
    /// Bytes of answers that are no blocks, not counted against the upload limit yet.
    answers: u64,

    paused: bool,
    /// The disk failed: nothing is requested.
    halted: bool,

    now: Option<Instant>,
    ticked: Option<Instant>,
    next_round: Option<Instant>,
    rng: fastrand::Rng,
    actions: VecDeque<Action>,

    down: Meter,
    up: Meter,
    wasted: Meter,
    wasted_blocks: u64,
    failed_pieces: u64,
}

impl Torrent {
    /// A torrent that knows nobody yet.
    pub fn new(mut config: Config, phase: Phase, rng_seed: u64) -> Self {
        config.pex &= !config.private;
        let rng = fastrand::Rng::with_seed(rng_seed);
        let (fetch, pieces) = match phase {
            Phase::Metadata(hash) => (Some(Fetch::new(hash)), None),
            Phase::Pieces(layout, have) => (None, Some((layout, have))),
        };
        let mut torrent = Self {
            info: config.info.clone(),
            fetch,
            metadata_wanted: BTreeSet::new(),
            begun: false,
            picker: None,
            partials: Partials::new(Layout::empty()),
            end_game: EndGame::default(),
            bans: Bans::default(),
            peers: BTreeMap::new(),
            candidates: Candidates::new(&config.own_addrs),
            us: Ourselves::new(&config.own_addrs, config.listen_port),
            choker: Choker::default(),
            trials: Vec::new(),
            yielding: 0,
            refills: VecDeque::new(),
            refill_all: false,
            services: VecDeque::new(),
            fill_slots: false,
            download_limit: config.download_limit.clone(),
            upload_limit: config.upload_limit.clone(),
            upload_buffered: 0,
            accounts: Accounts::default(),
            answers: 0,
            paused: false,
            halted: false,
            now: None,
            ticked: None,
            next_round: None,
            rng,
            actions: VecDeque::new(),
            down: Meter::default(),
            up: Meter::default(),
            wasted: Meter::default(),
            wasted_blocks: 0,
            failed_pieces: 0,
            config,
            layout: Layout::empty(),
            have: PieceSet::new_empty(0),
            settled: PieceSet::new_empty(0),
            left: 0,
            missing: 0,
        };
        if let Some((layout, have)) = pieces {
            torrent.set_pieces(layout, have);
        }
        torrent
    }

    /// The pieces are known from here on, and which of them are here.
    fn set_pieces(&mut self, layout: Layout, have: PieceSet) {
        let lacking = |set: &PieceSet| {
            set.iter_missing().map(|piece| u64::from(layout.piece_content_len(piece))).sum::<u64>()
        };
        let mut settled = have.clone();
        // Peers are never asked for padding. Where it has not the hash of zeros, it is never had.
        for piece in layout.padding_pieces() {
            settled.insert(piece);
        }
        for piece in self.config.wanted.iter().flat_map(PieceSet::iter_missing) {
            settled.insert(piece);
        }
        let sequential = self.config.sequential;
        (self.left, self.missing) = (lacking(&settled), lacking(&have));
        self.picker = (!settled.is_full()).then(|| Picker::new(&settled, sequential));
        self.partials = Partials::new(layout.clone());
        self.begun = true;
        (self.layout, self.have, self.settled) = (layout, have, settled);
    }

    /// Takes in what happened at `now`, which never goes back. Never blocks; what follows from it
    /// waits in [`poll`](Self::poll).
    pub fn handle(&mut self, now: Instant, input: Input) {
        let now = self.clock(now);
        match input {
            Input::Connected { peer, addr, origin, peer_id, reserved } => {
                let mut connected = Peer::new(addr, origin, peer_id, now);
                connected.source = self.source(addr, origin);
                let extended = reserved.has_extended() && self.config.reserved.has_extended();
                connected.extended = extended.then(Box::default);
                let fast = reserved.has_fast() && self.config.reserved.has_fast();
                connected.fast = fast.then(Box::default);
                self.connected(now, peer, connected);
            }
            Input::DialFailed { addr } => {
                if self.may_know(addr) {
                    self.candidates.gone(addr, false, now, &mut self.rng);
                } else {
                    self.candidates.remove(addr);
                }
            }
            Input::Message { peer, message } => self.message(now, peer, message),
            Input::Drained { peer, bytes } => self.drained(now, peer, bytes),
            Input::Dropped { peer, bytes } => {
                let unsent = self.freed(peer, bytes);
                self.refund_upload(unsent);
            }
            Input::Closed { peer } => self.forget(now, peer),
            Input::Disk(done) => self.disk(now, done),
            Input::Found { addrs, source } => self.found(now, &addrs, source),
            Input::Begin(begin) => self.begin(now, *begin),
            Input::Control(control) => self.control(now, control),
        }
    }

    /// Does what is due by time. To be called when the time of
    /// [`poll_timeout`](Self::poll_timeout) has come; harmless at any other time.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.clock(now);
        if let Some(ticked) = self.ticked {
            let elapsed = now.saturating_duration_since(ticked);
            if elapsed >= TICK {
                self.tick(now, elapsed);
            }
        }
        if self.next_round.is_some_and(|round| round <= now) {
            self.next_round = Some(now + CHOKE_ROUND);
            self.choke_round(now);
        }
        if let Some(fetch) = &mut self.fetch {
            fetch.timeout(now);
        }
    }

    /// The next thing to do. `None`: nothing until the next input or timeout.
    pub fn poll(&mut self) -> Option<Action> {
        loop {
            if let Some(action) = self.actions.pop_front() {
                return Some(action);
            }
            self.work(self.now?);
            if self.actions.is_empty() {
                return None;
            }
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) unless something happens before, as
    /// known after `poll` gave `None`. `None`: never.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let limit = |limit: &Option<Limit>| limit.as_ref().and_then(Limit::ready_at);
        let dial = if self.may_dial() { self.candidates.next_turn() } else { None };
        let refill = if self.refills.is_empty() { None } else { limit(&self.download_limit) };
        let serve = if self.services.is_empty() { None } else { limit(&self.upload_limit) };
        let tick = self.ticked.map(|ticked| ticked + TICK);
        let times = [tick, self.next_round, dial, refill, serve, self.metadata_timeout()];
        times.into_iter().flatten().min()
    }

    /// The pieces that are verified and stored.
    pub fn have(&self) -> &PieceSet {
        &self.have
    }

    /// Counters and rates.
    pub fn stats(&self) -> Stats {
        let peers = || self.peers.values();
        Stats {
            pieces: self.layout.piece_count(),
            pieces_have: self.have.count(),
            left: self.left,
            missing: self.missing,
            downloaded: self.down.total(),
            uploaded: self.up.total(),
            wasted: self.wasted.total(),
            wasted_blocks: self.wasted_blocks,
            failed_pieces: self.failed_pieces,
            download_rate: self.down.told(),
            upload_rate: self.up.told(),
            peers: self.peers.len(),
            seeds: peers().filter(|peer| peer.pieces.is_all()).count(),
            unchoked: peers().filter(|peer| !peer.am_choking).count(),
            half_open: self.candidates.half_open(),
            candidates: self.candidates.len(),
            partial_pieces: self.partials.len(),
            blocks_requested: peers().map(|peer| peer.pipeline.len()).sum(),
            bans: self.bans.len(),
            upload_buffered: self.upload_buffered,
            end_game: self.end_game.is_on(),
            metadata: self.fetch.as_ref().map(Fetch::progress),
        }
    }

    /// Where a peer's address came from: that of an incoming one from itself.
    pub fn source(&self, addr: SocketAddr, origin: Origin) -> Source {
        match origin {
            Origin::Dialed => self.candidates.source(addr).unwrap_or(Source::Given),
            Origin::Incoming => Source::Incoming,
        }
    }

    /// Whether an address that is known may stay so: of a private torrent, only what a tracker or the
    /// user named.
    fn may_know(&self, addr: SocketAddr) -> bool {
        !self.config.private || self.candidates.source(addr).is_some_and(Source::is_of_private)
    }

    /// The connected peers, in the order of their keys.
    pub fn peers(&self) -> Vec<PeerStats> {
        let optimistic = self.choker.optimistic();
        let pieces = self.layout.piece_count();
        let stats =
            |(key, peer): (&PeerKey, &Peer)| peer.stats(*key, pieces, optimistic == Some(*key));
        self.peers.iter().map(stats).collect()
    }

    fn clock(&mut self, now: Instant) -> Instant {
        let now = self.now.map_or(now, |before| before.max(now));
        self.now = Some(now);
        now
    }

    fn is_complete(&self) -> bool {
        self.begun && self.settled.is_full()
    }

    fn disk(&mut self, now: Instant, done: DiskDone) {
        match done {
            DiskDone::Checked { piece, outcome: Checked::Good { blocks } } => {
                self.piece_good(now, piece, &blocks);
            }
            DiskDone::Checked { piece, outcome: Checked::Bad { blocks } } => {
                self.piece_bad(now, piece, blocks);
            }
            DiskDone::Checked { piece, outcome: Checked::Changed } => self.piece_changed(piece),
            DiskDone::WriteFailed { piece } => self.write_failed(piece),
            DiskDone::Read { peer, block, payload } => self.read(peer, block, Some(payload)),
            DiskDone::ReadFailed { peer, block } => {
                self.read(peer, block, None);
                // Without a reject there is no message for "not this block" (BEP 3); a choke takes
                // back all of its requests, and the next round may unchoke it again.
                if self.peers.get(&peer).is_some_and(|peer| peer.fast.is_none()) {
                    self.choke(now, peer);
                }
            }
            DiskDone::Lost { piece } => self.lost(piece),
        }
    }

    fn found(&mut self, now: Instant, addrs: &[SocketAddr], source: Source) {
        if self.config.private && !source.is_of_private() {
            return;
        }
        for addr in addrs {
            if !self.bans.is_ip_banned(addr.ip()) {
                self.candidates.found(*addr, source, now, &mut self.rng);
            }
        }
    }

    fn control(&mut self, now: Instant, control: Control) {
        match control {
            Control::Limits { download, upload } => {
                self.download_limit = download;
                let rate = upload.as_ref().map(Limit::per_second);
                self.peers.values_mut().for_each(|peer| peer.uploads.limit(rate));
                self.upload_limit = upload;
                self.refill_all = true;
            }
            Control::Private => self.make_private(now),
            Control::Pause => {
                self.paused = true;
                self.close_all(now, CloseReason::Paused);
            }
            Control::Resume => {
                self.paused = false;
                self.halted = false;
                self.refill_all = true;
            }
        }
    }

    /// Measures, and notices silences.
    fn tick(&mut self, now: Instant, elapsed: Duration) {
        self.ticked = (!self.peers.is_empty()).then_some(now);
        self.down.tick(elapsed);
        self.up.tick(elapsed);
        let mut snubbing = Vec::new();
        for (key, peer) in &mut self.peers {
            peer.down.tick(elapsed);
            peer.up.tick(elapsed);
            peer.tick(now);
            peer.pipeline.tick(now, peer.down.rate());
            if peer.pipeline.snub(now) {
                log::debug!("{}: silent, what it owes is asked of another peer", peer.addr);
                snubbing.push(*key);
            }
        }
        for key in snubbing {
            self.give_up_requests(key);
        }
        self.close_slow_readers(now);
        self.tail_round(now);
        self.pex_round(now);
        self.end_trials(now);
        self.yielding = self.room_for_dials(now);
        // Windows may have grown, and in end-game time alone changes who counts as slow.
        self.refill_all = true;
    }

    /// Starts the timers with the first peer.
    fn wind_up(&mut self, now: Instant) {
        self.ticked.get_or_insert(now);
        self.next_round.get_or_insert(now + CHOKE_ROUND);
    }

    /// What was put off until all inputs at hand were taken in.
    fn work(&mut self, now: Instant) {
        if std::mem::take(&mut self.fill_slots) {
            self.fill_slots(now);
        }
        self.fetch_metadata(now);
        self.settle(now);
        self.serve_metadata(now);
        self.refill_round(now);
        self.serve_round(now);
        self.dial_round(now);
    }

    fn send(&mut self, peer: PeerKey, message: Message) {
        if is_answer(&message) {
            self.answers = self.answers.saturating_add(message.encoded_len() as u64);
        }
        self.actions.push_back(Action::Send { peer, message });
    }

    /// Counts answers against the upload limit: once a round, since the limit is shared.
    fn settle(&mut self, now: Instant) {
        let answers = std::mem::take(&mut self.answers);
        if let Some(limit) = self.upload_limit.as_ref().filter(|_| answers > 0) {
            limit.charge(now, answers);
        }
    }

    fn event(&mut self, event: Event) {
        self.actions.push_back(Action::Event(event));
    }

    /// Bytes of the piece that are to be fetched.
    fn piece_bytes(&self, piece: PieceIndex) -> u64 {
        u64::from(self.layout.piece_content_len(piece))
    }
}

/// Whether a stranger makes us send it, by coming or by asking. Requests and haves are not among them:
/// they follow from what we download, and are a thousandth of it.
fn is_answer(message: &Message) -> bool {
    matches!(
        message,
        Message::Bitfield(_)
            | Message::Extended { .. }
            | Message::Reject(_)
            | Message::AllowedFast(_)
    )
}
