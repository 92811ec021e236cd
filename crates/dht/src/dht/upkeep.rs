//! Keeping the table alive: finding our place, asking strangers who they are, refreshing what is old,
//! and calling for bootstrap nodes when nothing else helps.

use std::net::SocketAddr;
use std::time::Instant;

use super::Dht;
use super::exchange::Purpose;
use crate::addr::{Family, may_begin_at};
use crate::border::{Action, Event};
use crate::limits::{BOOTSTRAP_FIRST, BOOTSTRAP_LAST, MAX_BOOTSTRAP, PINGS, PROBING, UPKEEP};
use crate::lookup::Goal;
use crate::message::Ask;

impl Dht {
    /// What is due every minute, and the call for bootstrap nodes.
    pub(super) fn upkeep(&mut self, now: Instant) {
        for family in Family::ALL {
            let Some(side) = self.side_mut(family).filter(|side| side.upkeep_at <= now) else {
                continue;
            };
            side.upkeep_at = now + UPKEEP;
            if let Some(bucket) = side.table.stale(now) {
                side.refreshes.push_back(bucket);
            }
            let doubtful = side.table.doubtful(now, PINGS);
            for (id, addr) in doubtful {
                self.ask(now, addr, Purpose::Ping(id), Ask::Ping);
            }
            self.store.expire(now);
            if self.bootstrap_at.is_none() && self.side(family).is_some_and(super::Side::has_few) {
                self.bootstrap_at = Some(now);
            }
        }
        if self.bootstrap_at.is_some_and(|at| at <= now) {
            if self.sides.iter().any(super::Side::has_few) {
                self.actions.push_back(Action::Bootstrap);
                self.bootstrap_at = Some(now + self.bootstrap_wait);
                self.bootstrap_wait = (self.bootstrap_wait * 2).min(BOOTSTRAP_LAST);
            } else {
                self.bootstrap_at = None;
                self.bootstrap_wait = BOOTSTRAP_FIRST;
            }
        }
    }

    /// Bootstrap nodes are known: our place is looked for from there.
    pub(super) fn bootstrap(&mut self, now: Instant, addrs: &[SocketAddr]) {
        for family in Family::ALL {
            let Some(side) = self.side(family).filter(|side| side.has_few()) else { continue };
            let (own, home) = (side.table.own(), side.home);
            let of_family = |addr: &&SocketAddr| may_begin_at(addr) && Family::of(addr) == family;
            let nodes: Vec<_> =
                addrs.iter().filter(of_family).copied().take(MAX_BOOTSTRAP).collect();
            if nodes.is_empty() {
                continue;
            }
            if let Some((key, lookup)) =
                home.and_then(|key| Some((key, self.lookups.get_mut(&key)?)))
            {
                lookup.add_nameless(nodes);
                self.advance(now, key);
            } else {
                let home = self.start(now, own, family, Goal::Home, nodes);
                self.set_home(family, home);
            }
        }
    }

    fn set_home(&mut self, family: Family, home: Option<u64>) {
        if let Some(side) = self.side_mut(family) {
            side.home = home;
        }
    }

    /// Looks for our place, once there is somebody to ask.
    pub(super) fn go_home(&mut self, now: Instant, family: Family) {
        let Some(side) = self.side(family) else { return };
        if !side.ready && side.home.is_none() && !side.table.is_empty() {
            let own = side.table.own();
            let home = self.start(now, own, family, Goal::Home, []);
            self.set_home(family, home);
        }
    }

    pub(super) fn came_home(&mut self, now: Instant, key: u64, family: Family) {
        let Some(side) = self.side_mut(family) else { return };
        if side.home != Some(key) {
            // That was before we took another id.
            return;
        }
        side.home = None;
        let nodes = side.table.len();
        if nodes > 0 && !side.ready {
            side.ready = true;
            side.refreshes = side.table.sparse().into();
            side.search_again(now);
            self.event(Event::Ready { family, nodes });
        }
    }

    pub(super) fn refreshed(&mut self, key: u64, family: Family) {
        if let Some(side) = self.side_mut(family).filter(|side| side.refreshing == Some(key)) {
            side.refreshing = None;
        }
    }

    /// Refreshes one bucket after the other.
    pub(super) fn start_refreshes(&mut self, now: Instant) {
        for family in Family::ALL {
            let Some(side) = self.side_mut(family).filter(|side| side.refreshing.is_none()) else {
                continue;
            };
            let (own, Some(bucket)) = (side.table.own(), side.refreshes.pop_front()) else {
                continue;
            };
            let target = own.sharing(bucket, self.random.bytes());
            let running = self.start(now, target, family, Goal::Refresh, []);
            if let Some(side) = self.side_mut(family) {
                side.refreshing = running;
            }
        }
    }

    pub(super) fn probe_later(&mut self, addr: SocketAddr) {
        if let Some(side) = self.side_mut(Family::of(&addr)) {
            side.probe_later(addr);
        }
    }

    /// Asks strangers who they are, a few at a time.
    pub(super) fn probe(&mut self, now: Instant) {
        for family in Family::ALL {
            while let Some(side) = self.side_mut(family).filter(|side| side.probing < PROBING) {
                let Some(addr) = side.probes.pop_front() else { break };
                side.probing += 1;
                self.ask(now, addr, Purpose::Probe, Ask::Ping);
            }
        }
    }
}
