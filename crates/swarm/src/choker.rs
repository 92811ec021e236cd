//! Whom to unchoke (BEP 3): a pure decision over a list of contenders.
//! It sends nothing, and remembers who holds the optimistic slot and when each host had its turn.
//!
//! While we download, slots go to the peers that gave us most in the last round; those that gave
//! nothing share what is left, in turn; and one optimistic slot goes round among the choked, so
//! that a newcomer can show what it gives and we can find better partners. When we seed there is
//! nothing to reciprocate: all slots go by turns, so every leecher is served and what it gets
//! spreads.
//!
//! Turns go round among hosts, and within a host among its peers: whoever opens many connections, or
//! returns again and again with a new peer id, has one host's turns.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Instant;

use crate::border::PeerKey;
use crate::limits::{MAX_HOST_TURNS, OPTIMISTIC_TURN, SLOT_TURN};

/// A peer that wants something of us.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contender {
    pub(crate) peer: PeerKey,
    /// Whose share of the slots it uses.
    pub(crate) host: IpAddr,
    /// Payload bytes it gave us in the last round; 0 when we seed.
    pub(crate) gave: u64,
    pub(crate) unchoked: bool,
    /// When it was choked or unchoked last.
    pub(crate) turned: Option<Instant>,
    /// When it got the optimistic slot last.
    pub(crate) tried: Option<Instant>,
    /// Decides among equals.
    pub(crate) lot: u32,
}

/// When a host had its last turn.
#[derive(Clone, Copy, Debug, Default)]
struct Turns {
    /// When a peer of it was choked or unchoked last.
    turned: Option<Instant>,
    /// When one got the optimistic slot last.
    tried: Option<Instant>,
}

/// The optimistic slot, and the turns of hosts.
#[derive(Debug, Default)]
pub(crate) struct Choker {
    optimistic: Option<(PeerKey, Instant)>,
    hosts: BTreeMap<IpAddr, Turns>,
}

impl Choker {
    pub(crate) fn optimistic(&self) -> Option<PeerKey> {
        self.optimistic.map(|(peer, _)| peer)
    }

    /// A peer of this host was choked or unchoked.
    pub(crate) fn turned(&mut self, now: Instant, host: IpAddr) {
        self.remember(host).turned = Some(now);
    }

    /// A peer of this host got the optimistic slot.
    pub(crate) fn tried(&mut self, now: Instant, host: IpAddr) {
        self.remember(host).tried = Some(now);
    }

    fn remember(&mut self, host: IpAddr) -> &mut Turns {
        if self.hosts.len() >= MAX_HOST_TURNS && !self.hosts.contains_key(&host) {
            let oldest = self.hosts.iter().min_by_key(|(_, turns)| turns.turned.max(turns.tried));
            if let Some(oldest) = oldest.map(|(host, _)| *host) {
                self.hosts.remove(&oldest);
            }
        }
        self.hosts.entry(host).or_default()
    }

    /// The peers to be unchoked from now on, of all that want something of us.
    pub(crate) fn round(
        &mut self,
        now: Instant,
        slots: usize,
        seeding: bool,
        mut contenders: Vec<Contender>,
    ) -> BTreeSet<PeerKey> {
        let slots = if seeding { slots + 1 } else { slots };
        self.rank(now, &mut contenders);
        let (regular, rest) = contenders.split_at(slots.min(contenders.len()));
        let mut unchoked: BTreeSet<PeerKey> = regular.iter().map(|c| c.peer).collect();
        self.optimistic = if seeding { None } else { self.pick_optimistic(now, rest) };
        unchoked.extend(self.optimistic());
        unchoked
    }

    /// Puts who deserves a slot first. Those that gave the same take turns: first one peer of each host,
    /// then a second one of each, and so on.
    pub(crate) fn rank(&self, now: Instant, contenders: &mut [Contender]) {
        contenders.sort_by_key(|c| (Reverse(c.gave), Self::turn(now, c), c.lot));
        let mut of_host: BTreeMap<IpAddr, usize> = BTreeMap::new();
        let mut places: BTreeMap<PeerKey, usize> = BTreeMap::new();
        for c in contenders.iter().filter(|c| c.gave == 0) {
            let place = of_host.entry(c.host).or_default();
            places.insert(c.peer, *place);
            *place += 1;
        }
        // Sorting is stable, so that within a host the order stays.
        contenders.sort_by_key(|c| {
            let place = places.get(&c.peer).copied().unwrap_or(0);
            let (class, _) = Self::turn(now, c);
            (Reverse(c.gave), place, class, self.turns(c.host).turned)
        });
    }

    fn turns(&self, host: IpAddr) -> Turns {
        self.hosts.get(&host).copied().unwrap_or_default()
    }

    /// Among those that give the same: first who is in the middle of a turn, then who has waited
    /// longest (never served before anybody else), last whose turn has just ended.
    fn turn(now: Instant, c: &Contender) -> (u8, Option<Instant>) {
        let over = |since| now.saturating_duration_since(since) >= SLOT_TURN;
        let class = match (c.unchoked, c.turned.is_none_or(over)) {
            (true, false) => 0,
            (false, _) => 1,
            (true, true) => 2,
        };
        (class, c.turned)
    }

    fn pick_optimistic(&self, now: Instant, choked: &[Contender]) -> Option<(PeerKey, Instant)> {
        let holds = self.optimistic.filter(|(peer, since)| {
            now.saturating_duration_since(*since) < OPTIMISTIC_TURN
                && choked.iter().any(|c| c.peer == *peer)
        });
        holds.or_else(|| {
            // Not the present holder again, unless there is nobody else.
            let next = choked.iter().min_by_key(|c| (self.turns(c.host).tried, c.tried, c.lot))?;
            Some((next.peer, now))
        })
    }
}

#[cfg(test)]
mod tests;
