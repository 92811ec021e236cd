//! The node under test, what it asked, and what its answers cost. It checks everything that the node
//! does, and decides nothing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use dht::limits::{
    K, LOOKUPS, MAX_ASKED, MAX_FOUND, MAX_SENT, MAX_STORED, MAX_TORRENTS, PINGS, PROBING,
    REPLY_BURST, REPLY_BURST_ALL, REPLY_RATE, REPLY_RATE_ALL,
};
use dht::message::{Body, Message};
use dht::{Action, Config, Dht, Event, Family, Id, Input, State};

/// Queries that may still be answered; older ones never are.
const KEPT: usize = 64;

/// Lookups beside those for torrents: of our own place and of a bucket, in each network.
const UPKEEP_LOOKUPS: usize = 4;

pub(super) struct Lab {
    pub(super) dht: Dht,
    start: Instant,
    now: Instant,
    read_only: bool,
    queries: VecDeque<(SocketAddr, Vec<u8>)>,
    tokens: VecDeque<Vec<u8>>,
    joined: BTreeSet<[u8; 20]>,
    /// Bytes of answers to each host, and to all.
    told: BTreeMap<IpAddr, u64>,
    told_all: u64,
}

/// What one input led to.
#[derive(Default)]
struct Done {
    answers: Vec<SocketAddr>,
}

impl Lab {
    pub(super) fn new(how: u8) -> Self {
        let read_only = how.is_multiple_of(16);
        let families = match how % 4 {
            1 => vec![Family::V4],
            2 => vec![Family::V6],
            _ => Family::ALL.to_vec(),
        };
        let external = if how >= 128 { vec![[9, 9, 9, 9].into()] } else { Vec::new() };
        let now = Instant::now();
        let config = Config { families, read_only, external };
        let mut lab = Self {
            dht: Dht::new(config, &State::default(), now, [how; 32]),
            start: now,
            now,
            read_only,
            queries: VecDeque::new(),
            tokens: VecDeque::new(),
            joined: BTreeSet::new(),
            told: BTreeMap::new(),
            told_all: 0,
        };
        lab.settle();
        lab
    }

    /// The node's id in the network of an address.
    pub(super) fn own(&self, addr: SocketAddr) -> Id {
        self.dht.id(Family::of(&addr)).unwrap_or_default()
    }

    /// A token that it gave to somebody.
    pub(super) fn token(&self, which: u8) -> Option<Vec<u8>> {
        self.tokens.get(usize::from(which) % self.tokens.len().max(1)).cloned()
    }

    /// A query that waits for its answer: whom it was sent to, and its transaction.
    pub(super) fn asked(&mut self, which: u8) -> Option<(SocketAddr, Vec<u8>)> {
        self.queries.remove(usize::from(which) % self.queries.len().max(1))
    }

    pub(super) fn input(&mut self, input: Input<'_>) {
        self.dht.handle(self.now, input);
        let done = self.settle();
        assert_eq!(done.answers, [], "an answer to nobody");
    }

    /// A datagram comes: it gets one answer at the most, and nobody else gets any.
    pub(super) fn hear(&mut self, from: SocketAddr, bytes: &[u8]) {
        self.dht.handle(self.now, Input::Packet { from, bytes });
        let done = self.settle();
        assert!(done.answers.len() <= 1 && done.answers.iter().all(|to| *to == from));
        let query = Message::decode(bytes).map_or_else(
            |malformed| malformed.refusal.is_some(),
            |message| matches!(message.body, Body::Query(_)),
        );
        assert!(query || done.answers.is_empty(), "an answer to what is no query");
    }

    pub(super) fn join(&mut self, info_hash: [u8; 20], port: Option<u16>) {
        self.joined.insert(info_hash);
        self.input(Input::Join { info_hash, port });
    }

    pub(super) fn leave(&mut self, info_hash: [u8; 20]) {
        self.joined.remove(&info_hash);
        self.input(Input::Leave { info_hash });
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.now += time;
        self.dht.handle_timeout(self.now);
        let done = self.settle();
        assert_eq!(done.answers, [], "an answer to nobody");
        let next = self.dht.poll_timeout();
        assert!(next.is_none_or(|next| next > self.now), "the timer is due again at once");
    }

    fn settle(&mut self) -> Done {
        let mut done = Done::default();
        while let Some(action) = self.dht.poll() {
            match action {
                Action::Send { to, bytes } => {
                    let answer = self.sent(to, &bytes);
                    done.answers.extend(answer.then_some(to));
                }
                Action::Found { info_hash, addrs } => {
                    assert!(self.joined.contains(&info_hash), "peers of a torrent we left");
                    assert!(!addrs.is_empty() && addrs.len() <= MAX_FOUND);
                    addrs.iter().for_each(assert_possible);
                }
                Action::Event(Event::Searched { asked, replied, peers, announced, .. }) => {
                    assert!(replied <= asked && asked <= MAX_ASKED, "{replied} of {asked}");
                    // Nodes whose addresses allow their ids are told, and as many others.
                    assert!(peers <= MAX_FOUND && announced <= 2 * K, "{announced} were told");
                }
                // Bootstrap nodes come when the script says so.
                _ => {}
            }
        }
        done
    }

    /// True if it is an answer.
    fn sent(&mut self, to: SocketAddr, bytes: &[u8]) -> bool {
        assert!(bytes.len() <= MAX_SENT, "{} bytes", bytes.len());
        assert_possible(&to);
        let message = Message::decode(bytes).expect("ours can be read");
        let reply = match message.body {
            Body::Query(_) => {
                assert_eq!(message.read_only, self.read_only);
                self.queries.push_back((to, message.transaction));
                if self.queries.len() > KEPT {
                    self.queries.pop_front();
                }
                return false;
            }
            Body::Reply(reply) => Some(reply),
            Body::Error(..) => None,
        };
        assert!(!self.read_only, "an answer though we give none");
        if let Some(token) = reply.and_then(|reply| reply.token) {
            self.tokens.push_back(token);
            if self.tokens.len() > KEPT {
                self.tokens.pop_front();
            }
        }
        let len = bytes.len() as u64;
        let told = self.told.entry(host(to.ip())).or_default();
        *told += len;
        self.told_all += len;
        let seconds = (self.now - self.start).as_secs() + 1;
        // The last one may be the one too much.
        let most = |rate, burst| seconds * rate + burst + MAX_SENT as u64;
        assert!(*told <= most(REPLY_RATE, REPLY_BURST), "{told} bytes to one host");
        assert!(self.told_all <= most(REPLY_RATE_ALL, REPLY_BURST_ALL), "a flood");
        true
    }

    /// What it keeps is bounded.
    pub(super) fn check(&self) {
        let stats = self.dht.stats();
        let lookups = LOOKUPS + UPKEEP_LOOKUPS;
        assert!(stats.lookups <= lookups, "{stats:?}");
        // Those of lookups that are over, pings and announces last no longer than their timeout.
        assert!(stats.pending <= 2 * lookups * MAX_ASKED + 2 * (PROBING + PINGS), "{stats:?}");
        assert!(stats.nodes_v4 + stats.nodes_v6 <= 2 * K * (Id::BITS + 1), "{stats:?}");
        assert!(stats.stored <= MAX_STORED && stats.torrents <= MAX_TORRENTS, "{stats:?}");
        assert_eq!(stats.torrents, self.joined.len());
    }
}

/// Where somebody can be.
fn assert_possible(addr: &SocketAddr) {
    let ip = addr.ip();
    assert!(addr.port() != 0 && !ip.is_multicast() && !ip.is_unspecified(), "{addr}");
}

/// What one host has.
fn host(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(ip) => (u128::from(ip) >> 64 << 64).to_be_bytes().into(),
    }
}
