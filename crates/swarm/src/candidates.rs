//! The addresses a torrent knows: which to dial next, and when again after a failure.
//! It dials nobody itself, and it knows nothing of peers whose listening address it does not know.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::border::Source;
use crate::limits::{
    MAX_CANDIDATES, MAX_FAILURES, MAX_HEARSAY, MAX_HEARSAY_FAILURES, MAX_HEARSAY_PER_IP,
    RETRY_FIRST, RETRY_LAST,
};
use crate::ourselves::Ourselves;
use crate::priority::priority;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Listed in `waiting` under this key.
    Waiting(Turn),
    /// Listed in `due` under this key.
    Due(Rank),
    Dialing,
    Connected,
    /// Ourselves, or a banned peer: never again.
    Never,
}

/// When a candidate's turn comes: its time, and a random number among equals.
type Turn = (Instant, u32);

/// Who goes first of those whose turn has come: who never failed, who is vouched for, whom BEP 40
/// prefers, by lot.
type Rank = (bool, Source, Reverse<u32>, u32);

#[derive(Clone, Copy, Debug)]
struct Candidate {
    state: State,
    failures: u32,
    source: Source,
}

/// Known addresses.
#[derive(Debug)]
pub(crate) struct Candidates {
    known: BTreeMap<SocketAddr, Candidate>,
    waiting: BTreeSet<(Turn, SocketAddr)>,
    due: BTreeSet<(Rank, SocketAddr)>,
    dialing: usize,
    /// How many of `known` peers told us of.
    hearsay: usize,
}

impl Candidates {
    pub(crate) fn new(own: &[SocketAddr]) -> Self {
        let (known, waiting, due) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        let mut candidates = Self { known, waiting, due, dialing: 0, hearsay: 0 };
        for addr in own {
            candidates.never(*addr);
        }
        candidates
    }

    /// How many are or may be dialed: neither ourselves nor banned.
    pub(crate) fn len(&self) -> usize {
        self.known.values().filter(|known| !matches!(known.state, State::Never)).count()
    }

    pub(crate) fn half_open(&self) -> usize {
        self.dialing
    }

    /// Learns an address. False, and nothing happens, if it is known, cannot be dialed, or there is no
    /// room: of those that failed, the one that would wait longest makes room.
    pub(crate) fn found(
        &mut self,
        addr: SocketAddr,
        source: Source,
        now: Instant,
        rng: &mut fastrand::Rng,
    ) -> bool {
        let addr = canonical(addr);
        let dialable = addr.port() != 0 && !addr.ip().is_unspecified() && !addr.ip().is_multicast();
        if !dialable {
            return false;
        }
        if self.known.contains_key(&addr) {
            self.vouch(addr, source);
            return false;
        }
        let full = self.known.len() >= MAX_CANDIDATES && source != Source::Given;
        if !self.is_welcome(addr.ip(), source) || (full && !self.make_room(now)) {
            return false;
        }
        let turn = (now, rng.u32(..));
        self.known.insert(addr, Candidate { state: State::Waiting(turn), failures: 0, source });
        self.waiting.insert((turn, addr));
        self.hearsay += usize::from(source == Source::Pex);
        true
    }

    /// Whether one more address with this IP may be noted, room provided: of hearsay there is only so
    /// much.
    fn is_welcome(&self, ip: IpAddr, source: Source) -> bool {
        let hearsay = matches!(source, Source::Pex | Source::Incoming);
        let of_ip = SocketAddr::new(ip, 0)..=SocketAddr::new(ip, u16::MAX);
        (source != Source::Pex || self.hearsay < MAX_HEARSAY)
            && (!hearsay || self.known.range(of_ip).count() < MAX_HEARSAY_PER_IP)
    }

    /// A known address is named again. What counts is the best of those who named it.
    fn vouch(&mut self, addr: SocketAddr, source: Source) {
        let Some(known) = self.known.get_mut(&addr).filter(|known| source < known.source) else {
            return;
        };
        self.hearsay -= usize::from(known.source == Source::Pex);
        known.source = source;
        if let State::Due((failed, _, priority, lot)) = known.state {
            self.set(addr, State::Due((failed, source, priority, lot)));
        }
    }

    /// The best source that named the address; `None` if it is not known.
    pub(crate) fn source(&self, addr: SocketAddr) -> Option<Source> {
        self.known.get(&canonical(addr)).map(|known| known.source)
    }

    /// Whether any address with this IP came from a source that a private torrent has.
    pub(crate) fn is_of_private(&self, ip: IpAddr) -> bool {
        let of_ip = SocketAddr::new(ip, 0)..=SocketAddr::new(ip, u16::MAX);
        let mut known = self.known.range(of_ip);
        known.any(|(_, known)| known.source.is_of_private() && known.state != State::Never)
    }

    /// Forgets what came from such sources, but for those that are connected or being dialed.
    pub(crate) fn forget(&mut self, unwanted: impl Fn(Source) -> bool) {
        let of_source = |(_, known): &(&SocketAddr, &Candidate)| {
            unwanted(known.source) && matches!(known.state, State::Waiting(_) | State::Due(_))
        };
        let addrs: Vec<_> = self.known.iter().filter(of_source).map(|(addr, _)| *addr).collect();
        for addr in addrs {
            self.remove(addr);
        }
    }

    /// Forgets an address, whatever became of it.
    pub(crate) fn remove(&mut self, addr: SocketAddr) {
        let addr = canonical(addr);
        // No longer listed anywhere.
        self.set(addr, State::Never);
        if let Some(candidate) = self.known.remove(&addr) {
            self.hearsay -= usize::from(candidate.source == Source::Pex);
        }
    }

    /// Forgets the address that waits longest after failures, unless the user gave it. So a liar who
    /// names addresses where nobody is keeps the honest ones out only until those were tried.
    fn make_room(&mut self, now: Instant) -> bool {
        let given = |addr: &SocketAddr| {
            self.known.get(addr).is_none_or(|known| known.source == Source::Given)
        };
        // Those that never failed had their turn when they were found.
        let failed = self.waiting.iter().rev().take_while(|(turn, _)| turn.0 > now);
        let Some(addr) = failed.map(|(_, addr)| *addr).find(|addr| !given(addr)) else {
            return false;
        };
        self.remove(addr);
        true
    }

    /// The next address to dial now, which counts as half open from here on.
    pub(crate) fn dial(&mut self, now: Instant, us: &Ourselves) -> Option<SocketAddr> {
        while let Some((turn, addr)) =
            self.waiting.first().copied().filter(|(turn, _)| turn.0 <= now)
        {
            let ours = us.seen_from(addr.ip());
            let priority = ours.map_or(0, |ours| priority(ours, addr));
            let Some(known) = self.known.get(&addr) else { break };
            let rank = (known.failures > 0, known.source, Reverse(priority), turn.1);
            self.set(addr, State::Due(rank));
        }
        let (_, addr) = *self.due.first()?;
        self.set(addr, State::Dialing);
        Some(addr)
    }

    /// When the next address can be dialed, but for those whose turn has come.
    pub(crate) fn next_turn(&self) -> Option<Instant> {
        self.waiting.first().map(|(turn, _)| turn.0)
    }

    /// A dial succeeded.
    pub(crate) fn connected(&mut self, addr: SocketAddr) {
        self.set(canonical(addr), State::Connected);
    }

    /// A peer came to us and says that it listens here: while it is connected nobody need dial that.
    /// False if the address is taken already, or there is no room to note it.
    pub(crate) fn came(&mut self, addr: SocketAddr) -> bool {
        let addr = canonical(addr);
        match self.known.get(&addr).map(|known| known.state) {
            Some(State::Waiting(_) | State::Due(_)) => self.set(addr, State::Connected),
            None if self.known.len() < MAX_CANDIDATES
                && self.is_welcome(addr.ip(), Source::Incoming) =>
            {
                let (failures, source) = (0, Source::Incoming);
                self.known.insert(addr, Candidate { state: State::Connected, failures, source });
            }
            _ => return false,
        }
        true
    }

    /// A dial failed, or its connection ended. A connection that was `useful` starts over with
    /// the shortest wait.
    pub(crate) fn gone(
        &mut self,
        addr: SocketAddr,
        useful: bool,
        now: Instant,
        rng: &mut fastrand::Rng,
    ) {
        let addr = canonical(addr);
        let Some(candidate) = self.known.get_mut(&addr) else { return };
        if !matches!(candidate.state, State::Dialing | State::Connected) {
            return;
        }
        let wait = if useful { RETRY_FIRST } else { back_off(candidate.failures) };
        candidate.failures = if useful { 1 } else { candidate.failures.saturating_add(1) };
        let patience = match candidate.source {
            Source::Given => u32::MAX,
            Source::Pex => MAX_HEARSAY_FAILURES,
            _ => MAX_FAILURES,
        };
        if candidate.failures > patience {
            // Whoever names it again may bring it back; until then it takes no room.
            self.remove(addr);
            return;
        }
        // Up to a quarter more, so that those that failed together don't come back together.
        let jitter = wait.mul_f64(rng.f64() / 4.0);
        self.set(addr, State::Waiting((now + wait + jitter, rng.u32(..))));
    }

    /// The address is never to be dialed again.
    pub(crate) fn never(&mut self, addr: SocketAddr) {
        let addr = canonical(addr);
        let never = Candidate { state: State::Never, failures: 0, source: Source::Given };
        self.known.entry(addr).or_insert(never);
        self.set(addr, State::Never);
    }

    /// No known address with this IP is to be dialed again.
    pub(crate) fn never_ip(&mut self, ip: IpAddr) {
        let addrs: Vec<_> = self.known.keys().filter(|addr| addr.ip() == ip).copied().collect();
        for addr in addrs {
            self.never(addr);
        }
    }

    fn set(&mut self, addr: SocketAddr, to: State) {
        let Some(candidate) = self.known.get_mut(&addr) else { return };
        if candidate.state == State::Never {
            return;
        }
        match std::mem::replace(&mut candidate.state, to) {
            State::Waiting(turn) => {
                self.waiting.remove(&(turn, addr));
            }
            State::Due(rank) => {
                self.due.remove(&(rank, addr));
            }
            State::Dialing => self.dialing -= 1,
            State::Connected | State::Never => {}
        }
        match to {
            State::Waiting(turn) => {
                self.waiting.insert((turn, addr));
            }
            State::Due(rank) => {
                self.due.insert((rank, addr));
            }
            State::Dialing => self.dialing += 1,
            State::Connected | State::Never => {}
        }
    }
}

fn back_off(failures: u32) -> Duration {
    RETRY_FIRST.saturating_mul(2_u32.saturating_pow(failures)).min(RETRY_LAST)
}

/// An IPv4 address in IPv6 clothes is the IPv4 address.
fn canonical(addr: SocketAddr) -> SocketAddr {
    match addr.ip().to_canonical() {
        ip @ IpAddr::V4(_) => SocketAddr::new(ip, addr.port()),
        IpAddr::V6(_) => addr,
    }
}

#[cfg(test)]
mod tests;
