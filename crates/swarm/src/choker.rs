//! Whom to unchoke (BEP 3): a pure decision over a list of contenders.
//! It sends nothing and remembers nothing but who holds the optimistic slot.
//!
//! While we download, slots go to the peers that gave us most in the last round; those that gave
//! nothing share what is left, in turn; and one optimistic slot goes round among the choked, so
//! that a newcomer can show what it gives and we can find better partners. When we seed there is
//! nothing to reciprocate: all slots go by turns, so every leecher is served and what it gets
//! spreads.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::time::Instant;

use crate::border::PeerKey;
use crate::limits::{OPTIMISTIC_TURN, SLOT_TURN};

/// A peer that wants something of us.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contender {
    pub(crate) peer: PeerKey,
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

/// The optimistic slot.
#[derive(Debug, Default)]
pub(crate) struct Choker {
    optimistic: Option<(PeerKey, Instant)>,
}

impl Choker {
    pub(crate) fn optimistic(&self) -> Option<PeerKey> {
        self.optimistic.map(|(peer, _)| peer)
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
        contenders.sort_by_key(|c| (Reverse(c.gave), Self::turn(now, c), c.lot));
        let (regular, rest) = contenders.split_at(slots.min(contenders.len()));
        let mut unchoked: BTreeSet<PeerKey> = regular.iter().map(|c| c.peer).collect();
        self.optimistic = if seeding { None } else { self.pick_optimistic(now, rest) };
        unchoked.extend(self.optimistic());
        unchoked
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
            let next = choked.iter().min_by_key(|c| (c.tried, c.lot))?;
            Some((next.peer, now))
        })
    }
}

#[cfg(test)]
mod tests;
