//! The addresses a torrent knows: which to dial next, and when again after a failure.
//! It dials nobody itself, and it knows nothing of peers whose listening address it does not know.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use egress::{Trials, may_contact};

use crate::border::Source;
use crate::host::{host, last_of};
use crate::limits::{
    CLAIM_TRUST, HOST_CANDIDATES, HOST_FIRST, MAX_CANDIDATES, MAX_FAILURES, MAX_HEARSAY,
    MAX_HEARSAY_FAILURES, MAX_HEARSAY_PER_IP, PATIENT_DIAL, PROBES_FOR_ROOM, RETRY_FIRST,
    RETRY_LAST, SOURCE_CANDIDATES,
};
use crate::ourselves::Ourselves;
use crate::priority::priority;
use never::Never;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Listed in `waiting` under this key.
    Waiting(Turn),
    /// Listed in `due` and `patient` under these keys.
    Due(Rank, Turn),
    Dialing,
    Connected,
}

/// When a candidate's turn comes: its time, and a random number among equals.
type Turn = (Instant, u32);

/// Who goes first of those whose turn has come: whom the user named, who is not one of many addresses
/// of one host, who never failed, who is vouched for, whom BEP 40 prefers, by lot.
type Rank = (bool, bool, bool, Source, Reverse<u32>, u32);

#[derive(Clone, Copy, Debug)]
struct Candidate {
    state: State,
    failures: u32,
    source: Source,
    /// A peer that came to us said that it listens here, and the address was not dialed since.
    claimed: bool,
}

/// Known addresses.
#[derive(Debug)]
pub(crate) struct Candidates {
    known: BTreeMap<SocketAddr, Candidate>,
    waiting: BTreeSet<(Turn, SocketAddr)>,
    due: BTreeSet<(Rank, SocketAddr)>,
    /// The same by how long they have waited.
    patient: BTreeSet<(Turn, SocketAddr)>,
    dialing: usize,
    dials: u32,
    /// How many of `known` came from each source.
    sources: BTreeMap<Source, usize>,
    never: Never,
}

impl Candidates {
    pub(crate) fn new(own: &[SocketAddr]) -> Self {
        Self {
            known: BTreeMap::new(),
            waiting: BTreeSet::new(),
            due: BTreeSet::new(),
            patient: BTreeSet::new(),
            dialing: 0,
            dials: 0,
            sources: BTreeMap::new(),
            never: Never::new(own.iter().copied().map(canonical)),
        }
    }

    /// How many are or may be dialed: neither ourselves nor banned.
    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    pub(crate) fn half_open(&self) -> usize {
        self.dialing
    }

    /// Learns an address. False, and nothing happens, if it is known, cannot be dialed, or there is no
    /// room that it has a right to.
    pub(crate) fn found(
        &mut self,
        addr: SocketAddr,
        source: Source,
        now: Instant,
        rng: &mut fastrand::Rng,
    ) -> bool {
        let addr = canonical(addr);
        if may_contact(source.word(), addr).is_err() || self.never.contains(addr) {
            return false;
        }
        if self.known.contains_key(&addr) {
            self.vouch(addr, source);
            return false;
        }
        if !self.is_welcome(addr.ip(), source) {
            return false;
        }
        let full = self.known.len() >= MAX_CANDIDATES && source != Source::Given;
        if full && !self.make_room(now, source) {
            return false;
        }
        self.insert(addr, source, (now, rng.u32(..)), false);
        true
    }

    fn insert(&mut self, addr: SocketAddr, source: Source, turn: Turn, claimed: bool) {
        let state = State::Waiting(turn);
        self.known.insert(addr, Candidate { state, failures: 0, source, claimed });
        self.waiting.insert((turn, addr));
        *self.sources.entry(source).or_default() += 1;
    }

    fn of_source(&self, source: Source) -> usize {
        self.sources.get(&source).copied().unwrap_or(0)
    }

    /// Whether one more address of this host may be noted, room provided: of hearsay there is only so
    /// much, and once half of the room is taken, of any host.
    fn is_welcome(&self, ip: IpAddr, source: Source) -> bool {
        let hearsay = matches!(source, Source::Pex | Source::Incoming);
        let scarce = self.known.len() >= MAX_CANDIDATES / 2 && source != Source::Given;
        let most = match (hearsay, scarce) {
            (true, _) => MAX_HEARSAY_PER_IP,
            (false, true) => HOST_CANDIDATES,
            (false, false) => usize::MAX,
        };
        (source != Source::Pex || self.of_source(Source::Pex) < MAX_HEARSAY)
            && (most == usize::MAX || self.of_host(ip).take(most).count() < most)
    }

    /// What is known of addresses of the host.
    fn of_host(&self, ip: IpAddr) -> impl Iterator<Item = &Candidate> {
        let first = host(ip);
        let of_host = SocketAddr::new(first, 0)..=SocketAddr::new(last_of(first), u16::MAX);
        self.known.range(of_host).map(|(_, known)| known)
    }

    /// A known address is named again. What counts is the best of those who named it.
    fn vouch(&mut self, addr: SocketAddr, source: Source) {
        let Some(known) = self.known.get_mut(&addr).filter(|known| source < known.source) else {
            return;
        };
        let before = std::mem::replace(&mut known.source, source);
        let state = known.state;
        self.uncount(before);
        *self.sources.entry(source).or_default() += 1;
        if let State::Due((_, crowd, failed, _, priority, lot), turn) = state {
            let rank = (source != Source::Given, crowd, failed, source, priority, lot);
            self.set(addr, State::Due(rank, turn));
        }
    }

    fn uncount(&mut self, source: Source) {
        if let Some(count) = self.sources.get_mut(&source) {
            *count = count.saturating_sub(1);
        }
    }

    /// The best source that named the address; `None` if it is not known.
    pub(crate) fn source(&self, addr: SocketAddr) -> Option<Source> {
        self.known.get(&canonical(addr)).map(|known| known.source)
    }

    /// How often in a row it failed.
    pub(crate) fn failures(&self, addr: SocketAddr) -> u32 {
        self.known.get(&canonical(addr)).map_or(0, |known| known.failures)
    }

    /// Whether any address with this IP came from a source that a private torrent has.
    pub(crate) fn is_of_private(&self, ip: IpAddr) -> bool {
        let of_ip = SocketAddr::new(ip, 0)..=SocketAddr::new(ip, u16::MAX);
        self.known.range(of_ip).any(|(_, known)| known.source.is_of_private())
    }

    /// Forgets what came from such sources, but for those that are connected or being dialed.
    pub(crate) fn forget(&mut self, unwanted: impl Fn(Source) -> bool) {
        let of_source = |(_, known): &(&SocketAddr, &Candidate)| {
            unwanted(known.source) && matches!(known.state, State::Waiting(_) | State::Due(..))
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
        self.set(addr, State::Connected);
        if let Some(candidate) = self.known.remove(&addr) {
            self.uncount(candidate.source);
        }
    }

    /// Forgets an address for a newcomer: the one that waits longest after failures, unless the user
    /// gave it; so a liar who names addresses where nobody is keeps the honest ones out only until
    /// those were tried. And a source that has less than its share of the room gets it from the one
    /// that has most.
    fn make_room(&mut self, now: Instant, source: Source) -> bool {
        let of = |addr: &SocketAddr| self.known.get(addr);
        let failed = |addr: &&SocketAddr| {
            of(addr).is_some_and(|known| known.failures > 0 && known.source != Source::Given)
        };
        let later = self.waiting.iter().rev().take_while(|(turn, _)| turn.0 > now);
        let mut addr = later.map(|(_, addr)| addr).take(PROBES_FOR_ROOM).find(failed).copied();
        if addr.is_none() && self.of_source(source) < MAX_CANDIDATES / SOURCE_CANDIDATES {
            let taken = |(source, count): &(&Source, &usize)| {
                (**source != Source::Given).then_some(**count)
            };
            let (most, _) =
                self.sources.iter().max_by_key(|entry| taken(entry)).unwrap_or((&source, &0));
            let of_most = |addr: &&SocketAddr| of(addr).is_some_and(|known| known.source == *most);
            let due = self.due.iter().rev().map(|(_, addr)| addr);
            let waiting = self.waiting.iter().rev().map(|(_, addr)| addr);
            addr = due.chain(waiting).find(of_most).copied().filter(|_| *most != source);
        }
        addr.inspect(|addr| self.remove(*addr)).is_some()
    }

    /// Whether there is an address to dial now.
    pub(crate) fn has_due(&self, now: Instant) -> bool {
        !self.due.is_empty() || self.waiting.first().is_some_and(|(turn, _)| turn.0 <= now)
    }

    /// Whether the user named one of those to dial now.
    pub(crate) fn has_due_of_user(&mut self, now: Instant) -> bool {
        self.line_up(now, &Ourselves::default());
        self.due.first().is_some_and(|((others, ..), _)| !others)
    }

    /// The next address to dial now, which counts as half open from here on. Where too many ports of
    /// a host were dialed in vain, its others wait, unless the user named them.
    pub(crate) fn dial(
        &mut self,
        now: Instant,
        us: &Ourselves,
        trials: &Trials,
    ) -> Option<SocketAddr> {
        self.line_up(now, us);
        let addr = loop {
            let ((others, ..), best) = *self.due.first()?;
            let patient = others && self.dials.wrapping_add(1).is_multiple_of(PATIENT_DIAL);
            let longest = self.patient.first().filter(|_| patient).map(|(_, addr)| *addr);
            let addr = longest.unwrap_or(best);
            let candidate = self.known.get(&addr)?;
            match (trials.begin(now, addr), candidate.state) {
                (Err(later), State::Due(_, (_, lot))) if candidate.source != Source::Given => {
                    self.set(addr, State::Waiting((later, lot)));
                }
                _ => break addr,
            }
        };
        self.dials = self.dials.wrapping_add(1);
        self.set(addr, State::Dialing);
        if let Some(candidate) = self.known.get_mut(&addr) {
            candidate.claimed = false;
        }
        Some(addr)
    }

    /// Ranks those whose turn has come.
    fn line_up(&mut self, now: Instant, us: &Ourselves) {
        while let Some((turn, addr)) =
            self.waiting.first().copied().filter(|(turn, _)| turn.0 <= now)
        {
            let ours = us.seen_from(addr.ip());
            let priority = ours.map_or(0, |ours| priority(ours, addr));
            let crowd = self.of_host(addr.ip()).take(HOST_FIRST + 1).count() > HOST_FIRST;
            let Some(known) = self.known.get(&addr) else { break };
            let (failed, source) = (known.failures > 0, known.source);
            let rank = (source != Source::Given, crowd, failed, source, Reverse(priority), turn.1);
            self.set(addr, State::Due(rank, turn));
        }
    }

    /// When the next address can be dialed, but for those whose turn has come.
    pub(crate) fn next_turn(&self) -> Option<Instant> {
        self.waiting.first().map(|(turn, _)| turn.0)
    }

    /// A dial succeeded.
    pub(crate) fn connected(&mut self, addr: SocketAddr) {
        self.set(canonical(addr), State::Connected);
    }

    /// An address is not to be dialed now after all, though it did not fail: its peer seems to be
    /// connected.
    pub(crate) fn defer(&mut self, addr: SocketAddr, now: Instant, rng: &mut fastrand::Rng) {
        self.set(canonical(addr), State::Waiting((now + CLAIM_TRUST, rng.u32(..))));
    }

    /// A peer came to us and says that it listens here, which anybody behind its address can say: for
    /// a while nobody dials that. False if somebody has said so before, it is connected otherwise, or
    /// there is no room to note it.
    pub(crate) fn came(&mut self, addr: SocketAddr, now: Instant, rng: &mut fastrand::Rng) -> bool {
        let addr = canonical(addr);
        let turn = (now + CLAIM_TRUST, rng.u32(..));
        let Some(known) = self.known.get_mut(&addr) else {
            let room = self.known.len() < MAX_CANDIDATES && !self.never.contains(addr);
            if !room || !self.is_welcome(addr.ip(), Source::Incoming) {
                return false;
            }
            self.insert(addr, Source::Incoming, turn, true);
            return true;
        };
        if known.claimed || !matches!(known.state, State::Waiting(_) | State::Due(..)) {
            return false;
        }
        known.claimed = true;
        let later = match known.state {
            State::Waiting(own) => own.max(turn),
            _ => turn,
        };
        self.set(addr, State::Waiting(later));
        true
    }

    /// A peer that said that it listens here has gone: it is dialed there soon. If nobody else names
    /// the address that is all that is known of it, so it counts as a failure if it was not `useful`.
    pub(crate) fn left(
        &mut self,
        addr: SocketAddr,
        useful: bool,
        now: Instant,
        rng: &mut fastrand::Rng,
    ) {
        let addr = canonical(addr);
        let Some(known) = self.known.get(&addr) else { return };
        match known.state {
            State::Waiting(_) | State::Due(..) if known.source == Source::Incoming => {
                self.retry(addr, useful, now, rng);
            }
            State::Waiting((at, lot)) if known.failures == 0 => {
                self.set(addr, State::Waiting((at.min(now + RETRY_FIRST), lot)));
            }
            _ => {}
        }
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
        let Some(candidate) = self.known.get(&addr) else { return };
        if matches!(candidate.state, State::Dialing | State::Connected) {
            self.retry(addr, useful, now, rng);
        }
    }

    fn retry(&mut self, addr: SocketAddr, useful: bool, now: Instant, rng: &mut fastrand::Rng) {
        let Some(candidate) = self.known.get_mut(&addr) else { return };
        let wait = if useful { RETRY_FIRST } else { back_off(candidate.failures) };
        candidate.failures = if useful { 1 } else { candidate.failures.saturating_add(1) };
        let patience = match candidate.source {
            Source::Given | Source::Magnet => u32::MAX,
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

    /// The address is not to be dialed again.
    pub(crate) fn never(&mut self, addr: SocketAddr) {
        self.remove(addr);
        self.never.add(canonical(addr));
    }

    /// No known address with this IP is to be dialed again. Those that are named later its ban keeps
    /// out.
    pub(crate) fn never_ip(&mut self, ip: IpAddr) {
        let of_host = SocketAddr::new(ip, 0)..=SocketAddr::new(last_of(ip), u16::MAX);
        let addrs: Vec<_> = self.known.range(of_host).map(|(addr, _)| *addr).collect();
        for addr in addrs {
            self.remove(addr);
        }
    }

    fn set(&mut self, addr: SocketAddr, to: State) {
        let Some(candidate) = self.known.get_mut(&addr) else { return };
        match std::mem::replace(&mut candidate.state, to) {
            State::Waiting(turn) => {
                self.waiting.remove(&(turn, addr));
            }
            State::Due(rank, turn) => {
                self.due.remove(&(rank, addr));
                self.patient.remove(&(turn, addr));
            }
            State::Dialing => self.dialing -= 1,
            State::Connected => {}
        }
        match to {
            State::Waiting(turn) => {
                self.waiting.insert((turn, addr));
            }
            State::Due(rank, turn) => {
                self.due.insert((rank, addr));
                self.patient.insert((turn, addr));
            }
            State::Dialing => self.dialing += 1,
            State::Connected => {}
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

mod never;
#[cfg(test)]
mod tests;
