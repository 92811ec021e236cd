//! Lookups and what they are for: the peers of the torrents we joined. A torrent is searched for
//! again and again, often while little is known, every quarter of an hour when all is well.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::Dht;
use super::exchange::Purpose;
use super::side::Side;
use crate::addr::Family;
use crate::border::{Action, Event};
use crate::id::Id;
use crate::limits::{K, LOOKUPS, MAX_FOUND, MAX_TORRENTS, SEARCH_AGAIN, SEARCH_EVERY};
use crate::lookup::{Goal, Lookup, Next};
use crate::message::{Ask, Reply};

/// A torrent that was joined.
#[derive(Debug)]
pub(super) struct Torrent {
    port: Option<u16>,
    /// How long to wait after the next search that goes badly, in each network.
    waits: [Duration; 2],
}

impl Torrent {
    fn wait(&mut self, family: Family) -> &mut Duration {
        match family {
            Family::V4 => &mut self.waits[0],
            Family::V6 => &mut self.waits[1],
        }
    }
}

impl Dht {
    pub(super) fn join(&mut self, now: Instant, info_hash: Id, port: Option<u16>) {
        if let Some(torrent) = self.torrents.get_mut(&info_hash) {
            torrent.port = port;
            return;
        }
        if self.torrents.len() >= MAX_TORRENTS {
            log::warn!("{info_hash}: too many torrents are looked for in the DHT");
            return;
        }
        self.torrents.insert(info_hash, Torrent { port, waits: [SEARCH_AGAIN; 2] });
        for side in &mut self.sides {
            side.schedule.insert((now, info_hash));
        }
    }

    pub(super) fn leave(&mut self, info_hash: Id) {
        self.torrents.remove(&info_hash);
        for side in &mut self.sides {
            side.schedule.retain(|(_, other)| *other != info_hash);
        }
        self.lookups.retain(|_, lookup| {
            lookup.target != info_hash || !matches!(lookup.goal, Goal::Peers { .. })
        });
    }

    /// When the next search can start.
    pub(super) fn next_search(&self) -> Option<Instant> {
        let has_room = self.lookups.len() < LOOKUPS;
        has_room.then(|| self.sides.iter().filter_map(Side::next_search).min()).flatten()
    }

    pub(super) fn start_searches(&mut self, now: Instant) {
        while self.lookups.len() < LOOKUPS {
            let due = |side: &&mut Side| side.next_search().is_some_and(|at| at <= now);
            let Some(side) = self.sides.iter_mut().find(due) else { return };
            let (family, Some((_, info_hash))) = (side.family, side.schedule.pop_first()) else {
                return;
            };
            if let Some(torrent) = self.torrents.get(&info_hash) {
                let goal = Goal::Peers { port: torrent.port };
                let here = self.store.peers(now, info_hash, family, MAX_FOUND, &mut self.random);
                self.found_here(info_hash, here);
                self.start(now, info_hash, family, goal, []);
            }
        }
    }

    /// We may be one of the nodes that are announced to. Among few nodes there is no other, so what we
    /// are told ourselves of a torrent that we look for is found too.
    pub(super) fn found_here(&mut self, info_hash: Id, addrs: Vec<SocketAddr>) {
        if self.torrents.contains_key(&info_hash) && !addrs.is_empty() {
            self.actions.push_back(Action::Found { info_hash: info_hash.0, addrs });
        }
    }

    /// Starts a walk from the closest nodes we know, and from `nameless`. `None`: it is over already.
    pub(super) fn start(
        &mut self,
        now: Instant,
        target: Id,
        family: Family,
        goal: Goal,
        nameless: impl IntoIterator<Item = SocketAddr>,
    ) -> Option<u64> {
        let side = self.side(family)?;
        let (own, nodes) = (side.table.own(), side.table.closest(target, 2 * K));
        let mut lookup = Lookup::new(own, (target, family), goal, nodes);
        lookup.add_nameless(nameless);
        self.last_lookup += 1;
        let key = self.last_lookup;
        self.lookups.insert(key, lookup);
        self.advance(now, key);
        self.lookups.contains_key(&key).then_some(key)
    }

    pub(super) fn step_replied(
        &mut self,
        now: Instant,
        key: u64,
        next: Next,
        from: SocketAddr,
        reply: &Reply,
    ) {
        let Some(lookup) = self.lookups.get_mut(&key) else { return };
        let (target, goal) = (lookup.target, lookup.goal);
        let addrs = lookup.replied(next, from, reply);
        if matches!(goal, Goal::Peers { .. }) && !addrs.is_empty() {
            self.actions.push_back(Action::Found { info_hash: target.0, addrs });
        }
        self.advance(now, key);
    }

    pub(super) fn step_slow(&mut self, now: Instant, key: u64, next: Next) {
        if let Some(lookup) = self.lookups.get_mut(&key) {
            lookup.slow(next);
            self.advance(now, key);
        }
    }

    pub(super) fn step_failed(&mut self, now: Instant, key: u64, next: Next) {
        if let Some(lookup) = self.lookups.get_mut(&key) {
            lookup.failed(next);
            self.advance(now, key);
        }
    }

    /// Asks whom a walk wants to ask next, or ends it.
    pub(super) fn advance(&mut self, now: Instant, key: u64) {
        while let Some(lookup) = self.lookups.get_mut(&key) {
            let Some(next) = lookup.next() else { break };
            let target = lookup.target;
            let ask = match lookup.goal {
                Goal::Peers { .. } => Ask::GetPeers { info_hash: target },
                Goal::Home | Goal::Refresh => Ask::FindNode { target },
            };
            self.ask(now, next.addr, Purpose::Step(key, next), ask);
        }
        if self.lookups.get(&key).is_some_and(Lookup::is_over)
            && let Some(lookup) = self.lookups.remove(&key)
        {
            match lookup.goal {
                Goal::Home => self.came_home(now, key, lookup.family),
                Goal::Refresh => self.refreshed(key, lookup.family),
                Goal::Peers { port } => self.searched(now, &lookup, port),
            }
        }
    }

    /// Announces us to the closest nodes, and plans the next search.
    fn searched(&mut self, now: Instant, lookup: &Lookup, port: Option<u16>) {
        let (info_hash, family) = (lookup.target, lookup.family);
        let mut announced = 0;
        if let Some(port) = port {
            for (id, addr, token) in lookup.closest() {
                let ask = Ask::AnnouncePeer { info_hash, port: Some(port), token };
                self.ask(now, addr, Purpose::Announce(id), ask);
                announced += 1;
            }
        }
        self.event(Event::Searched {
            info_hash: info_hash.0,
            family,
            peers: lookup.found(),
            asked: lookup.asked,
            replied: lookup.replied,
            hops: lookup.hops(),
            announced,
        });
        if let Some(torrent) = self.torrents.get_mut(&info_hash) {
            let wait = torrent.wait(family);
            let went_well = lookup.replied >= K && lookup.found() > 0;
            let next = if went_well { SEARCH_EVERY } else { *wait };
            *wait = if went_well { SEARCH_AGAIN } else { (*wait * 2).min(SEARCH_EVERY) };
            if let Some(side) = self.side_mut(family) {
                side.schedule.insert((now + next, info_hash));
            }
        }
    }
}
