//! One walk towards a target: whom to ask next, and when to stop. It sends nothing and knows no
//! clock; who asks tells it what became of each query.
//!
//! Nodes whose address allows their id (BEP 42) and others are walked apart. The walk ends when the
//! closest of the former have answered, so nobody ends it early by choosing ids.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use crate::addr::{Family, is_local, may_name};
use crate::id::{Distance, Id};
use crate::limits::{ALPHA, K, MAX_ASKED, MAX_ASKED_UNFIT, MAX_CANDIDATES, MAX_FOUND};
use crate::message::Reply;
use crate::secure;

/// What a walk is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    /// To find our own place.
    Home,
    /// To know nodes in a part of the table.
    Refresh,
    /// To find peers of a torrent, and perhaps to announce this port.
    Peers {
        /// Our port.
        port: Option<u16>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    New,
    Asked,
    /// Asked so long ago that we go on without it.
    Slow,
    Replied {
        token: Option<Vec<u8>>,
    },
    Failed,
}

#[derive(Clone, Debug)]
struct Candidate {
    id: Id,
    addr: SocketAddr,
    fits: bool,
    /// Nodes from us to it, itself included.
    depth: usize,
    state: State,
}

/// Whom to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Next {
    /// `None` for a bootstrap node, whose id nobody knows.
    pub(crate) id: Option<Id>,
    pub(crate) addr: SocketAddr,
}

/// The state of one walk.
#[derive(Debug)]
pub(crate) struct Lookup {
    /// Our id, which others name too.
    own: Id,
    pub(crate) target: Id,
    pub(crate) family: Family,
    pub(crate) goal: Goal,
    candidates: BTreeMap<Distance, Candidate>,
    /// Addresses without an id that are still to be asked.
    nameless: Vec<SocketAddr>,
    /// Those that were asked and are waited for.
    nameless_asked: BTreeSet<SocketAddr>,
    /// Who was named: one candidate a host, or an address in local networks.
    seen: BTreeSet<(IpAddr, u16)>,
    found: BTreeSet<SocketAddr>,
    pub(crate) asked: usize,
    asked_unfit: usize,
    pub(crate) replied: usize,
}

impl Lookup {
    /// A walk of the node `own` that starts from `nodes`.
    pub(crate) fn new(
        own: Id,
        (target, family): (Id, Family),
        goal: Goal,
        nodes: Vec<(Id, SocketAddr)>,
    ) -> Self {
        let mut lookup = Self {
            own,
            target,
            family,
            goal,
            candidates: BTreeMap::new(),
            nameless: Vec::new(),
            nameless_asked: BTreeSet::new(),
            seen: BTreeSet::new(),
            found: BTreeSet::new(),
            asked: 0,
            asked_unfit: 0,
            replied: 0,
        };
        for (id, addr) in nodes {
            lookup.consider(id, addr, 1);
        }
        lookup
    }

    /// Starts from these too, whose ids nobody knows.
    pub(crate) fn add_nameless(&mut self, addrs: impl IntoIterator<Item = SocketAddr>) {
        self.nameless.extend(addrs);
    }

    /// Peers found so far.
    pub(crate) fn found(&self) -> usize {
        self.found.len()
    }

    /// The next node to ask, which counts as asked from here on. `None`: wait, or it is over.
    pub(crate) fn next(&mut self) -> Option<Next> {
        if self.asked >= MAX_ASKED || self.in_flight() >= ALPHA {
            return None;
        }
        let next = if let Some(addr) = self.nameless.pop() {
            self.nameless_asked.insert(addr);
            Next { id: None, addr }
        } else {
            let distance = self.pick(true).or_else(|| {
                (self.asked_unfit < MAX_ASKED_UNFIT).then(|| self.pick(false)).flatten()
            })?;
            let candidate = self.candidates.get_mut(&distance)?;
            candidate.state = State::Asked;
            self.asked_unfit += usize::from(!candidate.fits);
            Next { id: Some(candidate.id), addr: candidate.addr }
        };
        self.asked += 1;
        Some(next)
    }

    /// Whether nobody is left to ask or to wait for.
    pub(crate) fn is_over(&self) -> bool {
        self.in_flight() == 0
            && (self.asked >= MAX_ASKED
                || (self.nameless.is_empty()
                    && self.pick(true).is_none()
                    && (self.asked_unfit >= MAX_ASKED_UNFIT || self.pick(false).is_none())))
    }

    /// A node answered. Gives the peers that are new.
    pub(crate) fn replied(
        &mut self,
        asked: Next,
        from: SocketAddr,
        reply: &Reply,
    ) -> Vec<SocketAddr> {
        self.replied += 1;
        let depth = match asked.id {
            None => {
                self.nameless_asked.remove(&from);
                1
            }
            Some(id) => {
                let known = self.candidates.get(&id.distance(self.target));
                let depth = known.map_or(1, |candidate| candidate.depth);
                if id != reply.id {
                    // Whoever named it named it wrongly.
                    self.candidates.remove(&id.distance(self.target));
                }
                depth
            }
        };
        let fits = secure::fits(reply.id, from.ip());
        let state = State::Replied { token: reply.token.clone() };
        let candidate = Candidate { id: reply.id, addr: from, fits, depth, state };
        let distance = reply.id.distance(self.target);
        let held = self.candidates.get(&distance).is_some_and(|other| {
            other.addr != from && matches!(other.state, State::Replied { .. })
        });
        if !held {
            self.candidates.insert(distance, candidate);
        }
        self.seen.insert(key(from));
        for (id, addr) in &reply.nodes {
            if Family::of(addr) == self.family && may_name(&from, addr) {
                self.consider(*id, *addr, depth + 1);
            }
        }
        let mut new = Vec::new();
        for peer in reply.peers.iter().filter(|peer| may_name(&from, peer)) {
            if self.found.len() < MAX_FOUND && self.found.insert(*peer) {
                new.push(*peer);
            }
        }
        new
    }

    /// A query is taking long.
    pub(crate) fn slow(&mut self, asked: Next) {
        self.set(asked, State::Slow);
    }

    /// A query was not answered.
    pub(crate) fn failed(&mut self, asked: Next) {
        self.set(asked, State::Failed);
    }

    /// The closest nodes that answered, with their tokens: as many as may be announced to, of those
    /// whose addresses allow their ids and of the others.
    pub(crate) fn closest(&self) -> Vec<(Id, SocketAddr, Vec<u8>)> {
        let of = |fits| {
            self.candidates
                .values()
                .filter(move |candidate| candidate.fits == fits)
                .filter_map(|candidate| match &candidate.state {
                    State::Replied { token: Some(token) } => {
                        Some((candidate.id, candidate.addr, token.clone()))
                    }
                    _ => None,
                })
                .take(K)
        };
        of(true).chain(of(false)).collect()
    }

    /// How many nodes lead one to the next from us to the closest that answered; 0 if none did.
    pub(crate) fn hops(&self) -> usize {
        let replied = |candidate: &&Candidate| matches!(candidate.state, State::Replied { .. });
        self.candidates.values().find(replied).map_or(0, |candidate| candidate.depth)
    }

    fn set(&mut self, asked: Next, state: State) {
        let Some(id) = asked.id else {
            self.nameless_asked.remove(&asked.addr);
            return;
        };
        if let Some(candidate) = self.candidates.get_mut(&id.distance(self.target))
            && candidate.addr == asked.addr
            && matches!(candidate.state, State::Asked | State::Slow)
        {
            candidate.state = state;
        }
    }

    fn in_flight(&self) -> usize {
        let asked = |candidate: &&Candidate| candidate.state == State::Asked;
        self.candidates.values().filter(asked).count() + self.nameless_asked.len()
    }

    /// Takes in a node that somebody named.
    fn consider(&mut self, id: Id, addr: SocketAddr, depth: usize) {
        let distance = id.distance(self.target);
        let known = id == self.own || self.candidates.contains_key(&distance);
        if known || !self.seen.insert(key(addr)) {
            return;
        }
        let fits = secure::fits(id, addr.ip());
        let candidate = Candidate { id, addr, fits, depth, state: State::New };
        self.candidates.insert(distance, candidate);
        if self.candidates.len() > MAX_CANDIDATES {
            let mut from_afar = self.candidates.iter().rev();
            let unasked = from_afar.find(|(_, candidate)| candidate.state == State::New);
            if let Some(farthest) = unasked.map(|(distance, _)| *distance) {
                self.candidates.remove(&farthest);
            }
        }
    }

    /// The closest node of its kind that was not asked, if it is among the k closest that may live.
    fn pick(&self, fits: bool) -> Option<Distance> {
        self.candidates
            .iter()
            .filter(|(_, candidate)| candidate.fits == fits)
            .filter(|(_, candidate)| !matches!(candidate.state, State::Failed | State::Slow))
            .take(K)
            .find(|(_, candidate)| candidate.state == State::New)
            .map(|(distance, _)| *distance)
    }
}

fn key(addr: SocketAddr) -> (IpAddr, u16) {
    (addr.ip(), if is_local(addr.ip()) { addr.port() } else { 0 })
}
