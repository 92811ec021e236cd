//! A network of nodes in virtual time: latency, loss, nodes that die, and nodes that lie. It knows
//! of a node only what goes through its socket.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use dht::message::{Body, Message};
use dht::{Action, Config, Dht, Event, Family, Id, Input, State};

/// One datagram in a hundred is lost.
const LOSS_PERCENT: u32 = 1;

/// How long datagrams take, in milliseconds.
const LATENCY: std::ops::Range<u32> = 20..200;

/// A small generator: what the network does needs no secrets.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.number() % end.max(1) as u64).unwrap()
    }

    pub(crate) fn in_range(&mut self, range: std::ops::Range<u32>) -> u32 {
        range.start + u32::try_from(self.below((range.end - range.start) as usize)).unwrap()
    }

    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.number().to_le_bytes()[3])
    }
}

/// One host.
pub(crate) struct Node {
    pub(crate) dht: Option<Dht>,
    pub(crate) addr: SocketAddr,
    pub(crate) lies: bool,
    timer: Option<Instant>,
    pub(crate) found: BTreeMap<[u8; 20], BTreeSet<SocketAddr>>,
    pub(crate) searches: BTreeMap<[u8; 20], Search>,
}

/// How a search went.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Search {
    pub(crate) hops: usize,
    pub(crate) asked: usize,
    pub(crate) took: Duration,
    pub(crate) announced: usize,
}

enum Happening {
    Packet { to: SocketAddr, from: SocketAddr, bytes: Vec<u8> },
    Timer { node: usize },
    Start { node: usize },
}

/// The network and everybody in it.
pub(crate) struct World {
    pub(crate) dice: Dice,
    pub(crate) nodes: Vec<Node>,
    by_addr: BTreeMap<SocketAddr, usize>,
    pub(crate) now: Instant,
    queue: BinaryHeap<Reverse<(Instant, u64)>>,
    happenings: BTreeMap<u64, Happening>,
    last: u64,
    started: BTreeMap<[u8; 20], Instant>,
    /// Bytes sent to each address where nobody is.
    pub(crate) into_the_void: BTreeMap<SocketAddr, usize>,
    pub(crate) packets: u64,
}

impl World {
    #[allow(clippy::disallowed_methods, reason = "virtual time has to begin somewhere")]
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            dice: Dice::new(seed),
            nodes: Vec::new(),
            by_addr: BTreeMap::new(),
            now: Instant::now(),
            queue: BinaryHeap::new(),
            happenings: BTreeMap::new(),
            last: 0,
            started: BTreeMap::new(),
            into_the_void: BTreeMap::new(),
            packets: 0,
        }
    }

    /// Adds a host that starts its node after `delay`.
    pub(crate) fn add(&mut self, lies: bool, delay: Duration) -> usize {
        let addr = loop {
            let addr = self.anywhere();
            if !self.by_addr.contains_key(&addr) {
                break addr;
            }
        };
        let node = self.nodes.len();
        let (found, searches) = (BTreeMap::new(), BTreeMap::new());
        self.nodes.push(Node { dht: None, addr, lies, timer: None, found, searches });
        self.by_addr.insert(addr, node);
        self.at(self.now + delay, Happening::Start { node });
        node
    }

    fn anywhere(&mut self) -> SocketAddr {
        loop {
            let ip = Ipv4Addr::from(self.dice.bytes::<4>());
            let home = ip.is_private() || ip.is_loopback() || ip.is_link_local();
            if !home && !ip.is_multicast() && (1..224).contains(&ip.octets()[0]) {
                return SocketAddr::new(ip.into(), 6881);
            }
        }
    }

    fn at(&mut self, when: Instant, what: Happening) {
        self.last += 1;
        self.queue.push(Reverse((when, self.last)));
        self.happenings.insert(self.last, what);
    }

    /// A host vanishes.
    pub(crate) fn kill(&mut self, node: usize) {
        self.by_addr.remove(&self.nodes[node].addr);
        self.nodes[node].dht = None;
    }

    pub(crate) fn is_alive(&self, node: usize) -> bool {
        self.nodes[node].dht.is_some()
    }

    /// Hands something to a node.
    pub(crate) fn tell(&mut self, node: usize, input: Input<'_>) {
        let now = self.now;
        if let Input::Join { info_hash, .. } = &input {
            self.started.insert(*info_hash, now);
        }
        if let Some(dht) = &mut self.nodes[node].dht {
            dht.handle(now, input);
            self.collect(node);
        }
    }

    /// Lets time pass.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(Reverse((when, number))) = self.queue.peek().copied() {
            if when > end {
                break;
            }
            self.queue.pop();
            self.now = when;
            match self.happenings.remove(&number).unwrap() {
                Happening::Packet { to, from, bytes } => {
                    let Some(node) = self.by_addr.get(&to).copied() else {
                        *self.into_the_void.entry(to).or_default() += bytes.len();
                        continue;
                    };
                    if let Some(dht) = &mut self.nodes[node].dht {
                        dht.handle(when, Input::Packet { from, bytes: &bytes });
                        self.collect(node);
                    }
                }
                Happening::Timer { node } => {
                    if self.nodes[node].timer == Some(when) {
                        self.nodes[node].timer = None;
                        if let Some(dht) = &mut self.nodes[node].dht {
                            dht.handle_timeout(when);
                            self.collect(node);
                        }
                    }
                }
                Happening::Start { node } => self.start(node),
            }
        }
        self.now = end;
    }

    fn start(&mut self, node: usize) {
        // One in ten does not know its address and has to learn it.
        let external =
            if self.dice.below(10) == 0 { vec![] } else { vec![self.nodes[node].addr.ip()] };
        let config = Config { families: vec![Family::V4], external, ..Config::default() };
        let seed = self.dice.bytes();
        self.nodes[node].dht = Some(Dht::new(config, &State::default(), self.now, seed));
        self.collect(node);
    }

    /// Carries out what a node wants.
    fn collect(&mut self, node: usize) {
        while let Some(action) = self.nodes[node].dht.as_mut().and_then(Dht::poll) {
            match action {
                Action::Send { to, bytes } => self.send(node, to, bytes),
                Action::Bootstrap => {
                    // The first host is the one that everybody knows.
                    let addrs = vec![self.nodes[0].addr];
                    let now = self.now;
                    if node != 0
                        && let Some(dht) = &mut self.nodes[node].dht
                    {
                        dht.handle(now, Input::Bootstrap { addrs });
                    }
                }
                Action::Found { info_hash, addrs } => {
                    self.nodes[node].found.entry(info_hash).or_default().extend(addrs);
                }
                Action::Event(Event::Searched { info_hash, hops, asked, announced, .. }) => {
                    let took = self.now - self.started[&info_hash];
                    let search = Search { hops, asked, took, announced };
                    self.nodes[node].searches.entry(info_hash).or_insert(search);
                }
                Action::Event(_) => {}
            }
        }
        let wanted = self.nodes[node].dht.as_ref().and_then(Dht::poll_timeout);
        if let Some(at) = wanted
            && self.nodes[node].timer.is_none_or(|timer| at < timer)
        {
            let at = at.max(self.now);
            self.nodes[node].timer = Some(at);
            self.at(at, Happening::Timer { node });
        }
    }

    fn send(&mut self, node: usize, to: SocketAddr, bytes: Vec<u8>) {
        self.packets += 1;
        assert!(bytes.len() <= dht::limits::MAX_SENT);
        if self.dice.in_range(0..100) < LOSS_PERCENT {
            return;
        }
        let bytes = if self.nodes[node].lies { self.twist(bytes) } else { bytes };
        let delay = Duration::from_millis(u64::from(self.dice.in_range(LATENCY)));
        let from = self.nodes[node].addr;
        self.at(self.now + delay, Happening::Packet { to, from, bytes });
    }

    /// What a liar says instead: nodes close to nothing, and half of them at addresses of victims;
    /// peers that are none; a false view of our address; stored is nothing.
    fn twist(&mut self, bytes: Vec<u8>) -> Vec<u8> {
        let Ok(mut message) = Message::decode(&bytes) else { return bytes };
        let Body::Reply(reply) = &mut message.body else { return bytes };
        message.seen = Some(SocketAddr::from(([66, 66, 66, 66], 666)));
        if let Some((near, _)) = reply.nodes.first().copied() {
            reply.nodes = (0..8)
                .map(|n| {
                    let addr = self.anywhere();
                    let mut id = near;
                    id.0[10 + n] ^= 0x55;
                    // Every other fake has an id that its address allows.
                    let fit = dht::id_for(addr.ip(), id.0);
                    (if n % 2 == 0 { fit } else { id }, addr)
                })
                .collect();
        }
        if reply.token.is_some() {
            reply.peers = (0..8).map(|_| self.anywhere()).collect();
        }
        message.encode()
    }

    /// A host that is there and honest.
    pub(crate) fn somebody(&mut self) -> usize {
        loop {
            let node = self.dice.below(self.nodes.len());
            if self.is_alive(node) && !self.nodes[node].lies {
                return node;
            }
        }
    }

    pub(crate) fn id(&self, node: usize) -> Option<Id> {
        self.nodes[node].dht.as_ref().and_then(|dht| dht.id(Family::V4))
    }
}
