//! A simulated swarm in virtual time: nodes with a real `Torrent` each, links with latency and
//! bandwidth, disks in memory. It owns the clock and the order of events; the rules that must hold
//! at every step are in `watch`. Nothing here reads a clock, so the same seed gives the same run.

#![allow(dead_code, reason = "each test binary uses its part of the simulator")]
#![allow(clippy::expect_used, reason = "a test that cannot go on fails")]

pub(crate) mod disk;
pub(crate) mod talk;
pub(crate) mod watch;

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::time::{Duration, Instant};

use disk::{Disk, Liar};
use metainfo::{Layout, PieceSet};
use swarm::{
    Action, CloseReason, Config, Control, DiskDone, Event, Input, Limit, Origin, PeerKey, Phase,
    Source, Torrent,
};
use watch::Watch;
use wire::{Message, PeerId, Request, Reserved};

pub(crate) type NodeId = usize;

/// How a node takes part.
#[derive(Clone)]
pub(crate) struct Spec {
    pub(crate) have: PieceSet,
    /// Bytes a second it can send.
    pub(crate) up: u64,
    /// Bytes a second it is told to send at most.
    pub(crate) upload_limit: Option<u64>,
    pub(crate) lies: Option<Liar>,
    /// Sends no block at all, ever: its uplink swallows them.
    pub(crate) stalls: bool,
    pub(crate) slots: usize,
    pub(crate) max_peers: usize,
    pub(crate) ip: Option<IpAddr>,
    /// Instead of one of its own.
    pub(crate) peer_id: Option<PeerId>,
    /// One write in so many fails.
    pub(crate) disk_fails: Option<u32>,
    /// What its handshakes say.
    pub(crate) reserved: Reserved,
}

pub(crate) struct Node {
    pub(crate) torrent: Torrent,
    pub(crate) spec: Spec,
    pub(crate) addr: SocketAddr,
    pub(crate) peer_id: PeerId,
    pub(crate) alive: bool,
    pub(crate) events: Vec<(Duration, Event)>,
    pub(crate) closes: Vec<(Duration, CloseReason)>,
    pub(crate) watch: Watch,
    disk: Disk,
    links: BTreeMap<PeerKey, Link>,
    /// The link that used the uplink last, and whether it is in use.
    turn: Option<PeerKey>,
    busy: bool,
    timer: Option<Duration>,
}

/// One end of a connection.
struct Link {
    to: NodeId,
    to_key: PeerKey,
    latency: Duration,
    /// The fast extension is spoken.
    fast: bool,
    /// Blocks that wait for the uplink.
    blocks: VecDeque<Message>,
}

enum Happening {
    Input(NodeId, Input),
    /// A message arrives on a connection.
    Deliver(NodeId, PeerKey, Message),
    Timer(NodeId),
    /// The uplink has sent a block of so many bytes.
    Sent(NodeId, PeerKey, u32),
    Dialed(NodeId, SocketAddr),
}

pub(crate) struct World {
    pub(crate) layout: Layout,
    pub(crate) nodes: Vec<Node>,
    pub(crate) rng: fastrand::Rng,
    pub(crate) now: Duration,
    /// How long a message travels, in milliseconds; each connection draws its own.
    pub(crate) latency: Range<u64>,
    /// Every action with its time, one a line; written if `SIM_TRACE` is set or asked for.
    pub(crate) trace: Option<String>,
    start: Instant,
    queue: BTreeMap<(Duration, u64), Happening>,
    sequence: u64,
    keys: u64,
}

impl World {
    #[allow(clippy::disallowed_methods, reason = "virtual time has to begin somewhere")]
    pub(crate) fn new(seed: u64, pieces: u32, piece_length: u32) -> Self {
        let total = u64::from(pieces) * u64::from(piece_length);
        Self {
            layout: Layout::new(piece_length, &[total]).expect("a small torrent"),
            nodes: Vec::new(),
            rng: fastrand::Rng::with_seed(seed),
            now: Duration::ZERO,
            latency: 5..60,
            trace: std::env::var_os("SIM_TRACE").map(|_| String::new()),
            start: Instant::now(),
            queue: BTreeMap::new(),
            sequence: 0,
            keys: 0,
        }
    }

    /// Files of random lengths instead of one, every other one padding. Before any node is added.
    pub(crate) fn pad(&mut self, rng: &mut fastrand::Rng) {
        let (piece_length, total) = (self.layout.piece_length(), self.layout.total_len());
        // From a few bytes to a few pieces.
        let longest = [100, u64::from(piece_length), 3 * u64::from(piece_length)][rng.usize(0..3)];
        let (mut lengths, mut left) = (Vec::new(), total);
        while left > 0 {
            let length = if lengths.len() > 2_000 { left } else { left.min(rng.u64(0..=longest)) };
            lengths.push(length);
            left -= length;
        }
        let first = rng.usize(0..2);
        let layout = Layout::new(piece_length, &lengths).expect("a small torrent");
        self.layout = layout.with_padding(|file| file % 2 == first);
    }

    pub(crate) fn seed(&self) -> Spec {
        Spec { have: PieceSet::new_full(self.layout.piece_count()), ..self.leecher() }
    }

    pub(crate) fn leecher(&self) -> Spec {
        let mut have = PieceSet::new_empty(self.layout.piece_count());
        for piece in self.layout.padding_pieces() {
            have.insert(piece);
        }
        Spec {
            have,
            up: 1_000_000,
            upload_limit: None,
            lies: None,
            stalls: false,
            slots: 8,
            max_peers: 200,
            ip: None,
            peer_id: None,
            disk_fails: None,
            reserved: Reserved::NONE.with_extended().with_fast(),
        }
    }

    pub(crate) fn add(&mut self, spec: Spec) -> NodeId {
        let id = self.nodes.len();
        let number = u16::try_from(id).expect("few nodes");
        let ip = spec.ip.unwrap_or_else(|| Ipv4Addr::from(0x0a01_0000 + u32::from(number)).into());
        let addr = SocketAddr::new(ip, 10_000 + number);
        let mut peer_id = *b"-SM0000-0000........";
        peer_id[8..10].copy_from_slice(&self.rng.u16(..).to_be_bytes());
        peer_id[10..12].copy_from_slice(&number.to_be_bytes());
        let peer_id = spec.peer_id.unwrap_or(PeerId(peer_id));
        let mut config = Config::new(peer_id);
        config.unchoke_slots = spec.slots;
        config.max_peers = spec.max_peers;
        config.reserved = spec.reserved;
        config.upload_limit = spec.upload_limit.map(Limit::new);
        config.listen_port = Some(addr.port());
        config.info_hash = Some([7; 20].into());
        let phase = Phase::Pieces(self.layout.clone(), spec.have.clone());
        let torrent = Torrent::new(config, phase, self.rng.u64(..));
        self.nodes.push(Node {
            torrent,
            addr,
            peer_id,
            alive: true,
            events: Vec::new(),
            closes: Vec::new(),
            watch: Watch::default(),
            disk: Disk::new(self.layout.clone(), spec.have.clone(), spec.lies, spec.disk_fails),
            spec,
            links: BTreeMap::new(),
            turn: None,
            busy: false,
            timer: None,
        });
        id
    }

    /// Tells a node where others are.
    pub(crate) fn introduce(&mut self, node: NodeId, others: &[NodeId]) {
        let addrs = others.iter().map(|other| self.nodes[*other].addr).collect();
        self.input(node, Input::Found { addrs, source: Source::Tracker });
    }

    /// Everybody learns of everybody.
    pub(crate) fn introduce_all(&mut self) {
        let all: Vec<NodeId> = (0..self.nodes.len()).collect();
        for node in all.clone() {
            let others: Vec<NodeId> = all.iter().copied().filter(|n| *n != node).collect();
            self.introduce(node, &others);
        }
    }

    /// The node is gone, its connections with it.
    pub(crate) fn kill(&mut self, node: NodeId) {
        self.nodes[node].alive = false;
        for (_, link) in std::mem::take(&mut self.nodes[node].links) {
            let at = self.now + link.latency;
            self.at(at, Happening::Input(link.to, Input::Closed { peer: link.to_key }));
        }
    }

    /// Ends one connection of the node, as a bad network does.
    pub(crate) fn cut_one(&mut self, node: NodeId) {
        let keys: Vec<PeerKey> = self.nodes[node].links.keys().copied().collect();
        if keys.is_empty() {
            return;
        }
        let key = keys[self.rng.usize(..keys.len())];
        if let Some(link) = self.nodes[node].links.remove(&key) {
            self.input(node, Input::Closed { peer: key });
            self.at(self.now, Happening::Input(link.to, Input::Closed { peer: link.to_key }));
        }
    }

    /// Runs until `done` or for `limit` of virtual time. True if `done`.
    pub(crate) fn run(&mut self, limit: Duration, mut done: impl FnMut(&Self) -> bool) -> bool {
        let end = self.now + limit;
        while !done(self) {
            match self.queue.first_key_value() {
                Some(((at, _), _)) if *at <= end => self.step(),
                _ => {
                    self.now = end;
                    return done(self);
                }
            }
        }
        true
    }

    /// Runs for `time`, whatever happens.
    pub(crate) fn pass(&mut self, time: Duration) {
        self.run(time, |_| false);
    }

    pub(crate) fn is_complete(&self, node: NodeId) -> bool {
        self.nodes[node].torrent.have().is_full()
    }

    /// Every living honest node has everything.
    pub(crate) fn all_complete(&self) -> bool {
        let mut alive = self.nodes.iter().filter(|node| node.alive && node.spec.lies.is_none());
        alive.all(|node| node.torrent.have().is_full())
    }

    /// Who is not complete, what it was told, and whom it is connected to.
    pub(crate) fn laggards(&self) -> String {
        let mut text = String::new();
        let lags = |node: &&Node| node.alive && !node.torrent.have().is_full();
        for node in self.nodes.iter().filter(lags) {
            let (closes, events) = (node.closes.len(), node.events.len());
            let _ = writeln!(text, "{} {:?}", node.addr, node.torrent.stats());
            let _ = writeln!(text, "  last closes {:?}", &node.closes[closes.saturating_sub(5)..]);
            let _ = writeln!(text, "  last events {:?}", &node.events[events.saturating_sub(5)..]);
            let _ = writeln!(text, "  peers {:?}", node.torrent.peers());
        }
        text
    }

    pub(crate) fn input(&mut self, node: NodeId, input: Input) {
        if self.nodes[node].alive {
            self.nodes[node].torrent.handle(self.start + self.now, input);
            self.pump(node);
        }
    }

    fn step(&mut self) {
        let Some(((at, _), happening)) = self.queue.pop_first() else { return };
        self.now = at;
        match happening {
            Happening::Input(node, input) => {
                if let Input::Closed { peer } = input {
                    self.nodes[node].links.remove(&peer);
                }
                self.input(node, input);
            }
            Happening::Deliver(node, peer, message) => self.deliver(node, peer, message),
            Happening::Timer(node) => {
                let owner = &mut self.nodes[node];
                owner.timer = None;
                if owner.alive {
                    owner.torrent.handle_timeout(self.start + at);
                    self.pump(node);
                }
            }
            Happening::Sent(node, peer, bytes) => {
                self.nodes[node].busy = false;
                self.input(node, Input::Drained { peer, bytes });
                self.use_uplink(node);
            }
            Happening::Dialed(from, addr) => self.connect(from, addr),
        }
    }

    fn deliver(&mut self, node: NodeId, peer: PeerKey, message: Message) {
        let Some(link) = self.nodes[node].links.get_mut(&peer) else { return };
        // What `wire` does: a cancelled block that is still in the queue does not leave.
        if let Message::Cancel(request) = &message {
            let cancelled = link.drop_blocks(|queued| queued == *request);
            if !cancelled.is_empty() {
                self.dropped(node, peer, &cancelled);
            }
        }
        self.nodes[node].watch.received(peer, &message);
        self.input(node, Input::Message { peer, message });
    }

    /// Does what the node wants done, until it wants nothing more.
    fn pump(&mut self, node: NodeId) {
        while let Some(action) = self.nodes[node].torrent.poll() {
            if let Some(trace) = &mut self.trace {
                let _ = writeln!(trace, "{:?} {node} {action:?}", self.now);
            }
            self.perform(node, action);
        }
        self.nodes[node].check(&self.layout);
        if let Some(at) = self.nodes[node].torrent.poll_timeout() {
            let at = at.duration_since(self.start).max(self.now);
            if self.nodes[node].timer.is_none_or(|pending| at < pending) {
                self.nodes[node].timer = Some(at);
                self.at(at, Happening::Timer(node));
            }
        }
    }

    fn perform(&mut self, node: NodeId, action: Action) {
        match action {
            Action::Send { peer, message } => self.send(node, peer, message),
            Action::Disk(job) => {
                let delay = Duration::from_micros(self.rng.u64(100..2_000));
                if let Some(done) = self.nodes[node].disk.perform(job, &mut self.rng) {
                    if matches!(done, DiskDone::WriteFailed { .. }) {
                        let again = self.now + Duration::from_secs(2);
                        let resume = Input::Control(Control::Resume);
                        self.at(again, Happening::Input(node, resume));
                    }
                    self.at(self.now + delay, Happening::Input(node, Input::Disk(done)));
                }
            }
            Action::Dial { addr } => {
                let trip = Duration::from_millis(self.rng.u64(20..200));
                self.at(self.now + trip, Happening::Dialed(node, addr));
            }
            Action::Close { peer, reason } => {
                self.nodes[node].closes.push((self.now, reason));
                self.nodes[node].watch.closed(peer);
                if let Some(link) = self.nodes[node].links.remove(&peer) {
                    let at = self.now + link.latency;
                    self.at(at, Happening::Input(link.to, Input::Closed { peer: link.to_key }));
                }
            }
            Action::Event(event) => {
                if let Event::Banned { peer_id, .. } = &event {
                    let who = self.nodes.iter().find(|n| n.peer_id == *peer_id).expect("known");
                    assert!(who.spec.lies.is_some(), "an honest peer was banned");
                }
                self.nodes[node].events.push((self.now, event));
            }
        }
    }

    fn send(&mut self, node: NodeId, peer: PeerKey, message: Message) {
        self.nodes[node].watch.sent(peer, &message, &self.layout);
        let Some(link) = self.nodes[node].links.get_mut(&peer) else { return };
        if let Message::Piece { .. } = message {
            link.blocks.push_back(message);
            self.use_uplink(node);
            return;
        }
        let choke = matches!(message, Message::Choke);
        let dropped = if choke { link.drop_blocks(|_| true) } else { Vec::new() };
        let (to, key, at) = (link.to, link.to_key, self.now + link.latency);
        self.at(at, Happening::Deliver(to, key, message));
        if !dropped.is_empty() {
            self.dropped(node, peer, &dropped);
        }
    }

    /// Blocks were taken out of a link's queue: their node hears of it, and with the fast extension
    /// the other end hears that they don't come.
    fn dropped(&mut self, node: NodeId, peer: PeerKey, requests: &[Request]) {
        let bytes = requests.iter().map(|request| request.len).sum();
        self.at(self.now, Happening::Input(node, Input::Dropped { peer, bytes }));
        let Some(link) = self.nodes[node].links.get(&peer).filter(|link| link.fast) else { return };
        let (to, key, at) = (link.to, link.to_key, self.now + link.latency);
        for request in requests {
            self.at(at, Happening::Deliver(to, key, Message::Reject(*request)));
        }
    }

    /// Sends the next block, connections taking turns.
    fn use_uplink(&mut self, node: NodeId) {
        let owner = &mut self.nodes[node];
        if owner.busy || owner.spec.stalls {
            return;
        }
        let waiting = || owner.links.iter().filter(|(_, link)| !link.blocks.is_empty());
        let after = waiting().map(|(key, _)| *key).find(|key| Some(*key) > owner.turn);
        let Some(key) = after.or_else(|| waiting().map(|(key, _)| *key).next()) else { return };
        owner.turn = Some(key);
        owner.busy = true;
        let up = owner.spec.up.max(1);
        let Some(link) = owner.links.get_mut(&key) else { return };
        let Some(message) = link.blocks.pop_front() else { return };
        let bytes = payload_len(&message);
        let sent = self.now + Duration::from_nanos(u64::from(bytes) * 1_000_000_000 / up);
        let (to, to_key, latency) = (link.to, link.to_key, link.latency);
        self.at(sent, Happening::Sent(node, key, bytes));
        self.at(sent + latency, Happening::Deliver(to, to_key, message));
    }

    fn connect(&mut self, from: NodeId, addr: SocketAddr) {
        let there = self.nodes.iter().position(|node| node.addr == addr && node.alive);
        let Some(to) = there.filter(|_| self.nodes[from].alive) else {
            self.input(from, Input::DialFailed { addr });
            return;
        };
        let (key, to_key) = (PeerKey(self.keys), PeerKey(self.keys + 1));
        self.keys += 2;
        let latency = Duration::from_millis(self.rng.u64(self.latency.clone()));
        let reserved = [from, to].map(|node| self.nodes[node].spec.reserved);
        let fast = reserved.iter().all(|reserved| reserved.has_fast());
        let link = |to, to_key| Link { to, to_key, latency, fast, blocks: VecDeque::new() };
        self.nodes[from].links.insert(key, link(to, to_key));
        self.nodes[to].links.insert(to_key, link(from, key));
        self.nodes[from].watch.opened(key, fast);
        self.nodes[to].watch.opened(to_key, fast);
        let source = SocketAddr::new(self.nodes[from].addr.ip(), self.rng.u16(32_768..));
        let (ours, theirs) = (self.nodes[from].peer_id, self.nodes[to].peer_id);
        let connected = |peer, addr, origin, peer_id, reserved| Input::Connected {
            peer,
            addr,
            origin,
            peer_id,
            reserved,
        };
        let [ours_speak, theirs_speak] = reserved;
        self.input(from, connected(key, addr, Origin::Dialed, theirs, theirs_speak));
        self.input(to, connected(to_key, source, Origin::Incoming, ours, ours_speak));
    }

    fn at(&mut self, at: Duration, happening: Happening) {
        self.sequence += 1;
        self.queue.insert((at, self.sequence), happening);
    }
}

impl Link {
    fn drop_blocks(&mut self, which: impl Fn(Request) -> bool) -> Vec<Request> {
        let mut dropped = Vec::new();
        self.blocks.retain(|message| {
            let Message::Piece { piece, offset, .. } = message else { return true };
            let request = Request { piece: *piece, offset: *offset, len: payload_len(message) };
            let drop = which(request);
            if drop {
                dropped.push(request);
            }
            !drop
        });
        dropped
    }
}

fn payload_len(message: &Message) -> u32 {
    match message {
        Message::Piece { payload, .. } => u32::try_from(payload.len()).expect("a block"),
        _ => 0,
    }
}
