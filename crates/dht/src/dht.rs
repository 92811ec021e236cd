//! The owner of one node's decisions: takes inputs in, hands actions out, keeps the timers. Each rule
//! is in a module of its own; this one only says which applies when.

mod answer;
mod exchange;
mod search;
mod side;
mod upkeep;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use egress::Trials;

use crate::addr::{Family, is_possible};
use crate::border::{Action, Config, Event, Input, Stats};
use crate::gate::Gate;
use crate::id::Id;
use crate::limits::{BOOTSTRAP_FIRST, SAVED_CHANCE};
use crate::lookup::Lookup;
use crate::message::{Body, Message};
use crate::random::Random;
use crate::state::State;
use crate::store::Store;
use crate::token::Tokens;
use exchange::Pending;
use search::Torrent;
use side::Side;

/// A node of the DHT: finds the peers of torrents, and helps others to.
///
/// It does nothing by itself and never blocks. The driver tells it what happened by
/// [`handle`](Self::handle), any number of times, then takes everything there is to do from
/// [`poll`](Self::poll), and calls [`handle_timeout`](Self::handle_timeout) once the time of
/// [`poll_timeout`](Self::poll_timeout) has come. The same seed, inputs and times give the same
/// actions, always.
#[derive(Debug)]
pub struct Dht {
    config: Config,
    random: Random,
    sides: Vec<Side>,
    store: Store,
    tokens: Tokens,
    gate: Gate,
    /// Which ports of a host were asked in vain.
    trials: Trials,

    /// Queries on their way, by transaction.
    pending: BTreeMap<u32, Pending>,
    /// When they become slow, and when they are given up: the oldest first.
    slow: VecDeque<(Instant, u32)>,
    expiry: VecDeque<(Instant, u32)>,

    lookups: BTreeMap<u64, Lookup>,
    last_lookup: u64,
    torrents: BTreeMap<Id, Torrent>,

    /// When to look whether bootstrap nodes are needed, and how long to wait after that.
    bootstrap_at: Option<Instant>,
    bootstrap_wait: Duration,

    now: Instant,
    actions: VecDeque<Action>,
    answered: u64,
    unanswered: u64,
    malformed: u64,
}

impl Dht {
    /// A node that starts at `now` with what it knew before. `seed` is all its randomness: tokens and
    /// transaction ids come from it, so outside of tests it must be one that nobody can guess.
    pub fn new(config: Config, before: &State, now: Instant, seed: [u8; 32]) -> Self {
        let mut random = Random::new(seed);
        let sides: Vec<Side> = Family::ALL
            .into_iter()
            .filter(|family| config.families.contains(family))
            .map(|family| Side::new(family, &config, before, &mut random, now))
            .collect();
        let knows_some = sides.iter().any(|side| !side.probes.is_empty());
        let first = now + if knows_some { SAVED_CHANCE } else { Duration::ZERO };
        let mut dht = Self {
            store: Store::new(Id(random.secret("store"))),
            tokens: Tokens::new(random.secret("tokens"), now),
            gate: Gate::new(now),
            trials: Trials::new(),
            pending: BTreeMap::new(),
            slow: VecDeque::new(),
            expiry: VecDeque::new(),
            lookups: BTreeMap::new(),
            last_lookup: 0,
            torrents: BTreeMap::new(),
            bootstrap_at: Some(first),
            bootstrap_wait: BOOTSTRAP_FIRST,
            now,
            actions: VecDeque::new(),
            answered: 0,
            unanswered: 0,
            malformed: 0,
            config,
            random,
            sides,
        };
        dht.handle_timeout(now);
        dht
    }

    /// Takes in what happened at `now`, which never goes back. Never blocks; what follows from it
    /// waits in [`poll`](Self::poll).
    pub fn handle(&mut self, now: Instant, input: Input<'_>) {
        let now = self.clock(now);
        match input {
            Input::Packet { from, bytes } => self.packet(now, from, bytes),
            Input::Bootstrap { addrs } => self.bootstrap(now, &addrs),
            Input::Node { addr } => self.probe_later(addr),
            Input::Join { info_hash, port } => self.join(now, Id(info_hash), port),
            Input::Leave { info_hash } => self.leave(Id(info_hash)),
        }
        self.work(now);
    }

    /// Does what is due by time. To be called when the time of
    /// [`poll_timeout`](Self::poll_timeout) has come; harmless at any other time.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.clock(now);
        self.expire(now);
        self.upkeep(now);
        self.work(now);
    }

    /// The next thing to do. `None`: nothing until the next input or timeout.
    pub fn poll(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) unless something happens before.
    /// `None`: never.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let queries = [&self.slow, &self.expiry].map(|queue| queue.front().map(|(at, _)| *at));
        let upkeep = self.sides.iter().map(|side| side.upkeep_at).min();
        let search = self.next_search();
        [upkeep, self.bootstrap_at, search].into_iter().chain(queries).flatten().min()
    }

    /// Our id in a network; `None` if there is no socket for it.
    pub fn id(&self, family: Family) -> Option<Id> {
        self.side(family).map(|side| side.table.own())
    }

    /// What the next run should know.
    pub fn state(&self) -> State {
        let ids = self.sides.iter().map(|side| (side.family, side.table.own())).collect();
        let nodes = self.sides.iter().flat_map(|side| side.table.to_save()).collect();
        State { ids, nodes }
    }

    /// How things stand.
    pub fn stats(&self) -> Stats {
        let nodes = |family| self.side(family).map_or(0, |side| side.table.len());
        Stats {
            nodes_v4: nodes(Family::V4),
            nodes_v6: nodes(Family::V6),
            lookups: self.lookups.len(),
            pending: self.pending.len(),
            torrents: self.torrents.len(),
            stored: self.store.len(),
            answered: self.answered,
            unanswered: self.unanswered,
            malformed: self.malformed,
        }
    }

    fn packet(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) {
        if !is_possible(&from) || self.side(Family::of(&from)).is_none() {
            return;
        }
        match Message::decode(bytes) {
            Ok(Message { transaction, read_only, seen, body }) => match body {
                Body::Query(query) => self.query(now, from, transaction, query, read_only),
                Body::Reply(reply) => self.reply(now, from, &transaction, seen, &reply),
                Body::Error(code, words) => {
                    log::trace!("{from}: error {code}: {}", words.escape_debug());
                    self.refused(now, from, &transaction);
                }
            },
            Err(malformed) => {
                log::trace!("{from}: {malformed}");
                self.malformed += 1;
                if let Some((transaction, code)) = malformed.refusal {
                    self.refuse(now, from, transaction, code, malformed.why);
                }
            }
        }
    }

    /// What was put off until an input was taken in.
    fn work(&mut self, now: Instant) {
        self.probe(now);
        self.start_searches(now);
        self.start_refreshes(now);
        // What was answered needs no timer.
        for queue in [&mut self.slow, &mut self.expiry] {
            let pending = &self.pending;
            while queue.pop_front_if(|(_, id)| !pending.contains_key(id)).is_some() {}
        }
    }

    fn clock(&mut self, now: Instant) -> Instant {
        self.now = self.now.max(now);
        self.now
    }

    fn side(&self, family: Family) -> Option<&Side> {
        self.sides.iter().find(|side| side.family == family)
    }

    fn side_mut(&mut self, family: Family) -> Option<&mut Side> {
        self.sides.iter_mut().find(|side| side.family == family)
    }

    fn send(&mut self, to: SocketAddr, message: &Message) -> usize {
        let bytes = message.encode();
        let len = bytes.len();
        self.actions.push_back(Action::Send { to, bytes });
        len
    }

    fn event(&mut self, event: Event) {
        self.actions.push_back(Action::Event(event));
    }
}
