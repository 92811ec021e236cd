//! What we ask of others, and what becomes of it: a reply that belongs to a query of ours and comes
//! from whom it was sent to, or none.

use std::net::SocketAddr;
use std::time::Instant;

use super::Dht;
use crate::addr::{Family, may_name};
use crate::border::Event;
use crate::id::Id;
use crate::limits::{SLOW_AFTER, TIMEOUT};
use crate::lookup::Next;
use crate::message::{Ask, Body, Message, Query, Reply, Want};
use crate::secure;

/// Nodes of the other network that one reply may send us to, while we know few there.
const OTHER_FAMILY: usize = 4;

/// A query on its way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    to: SocketAddr,
    purpose: Purpose,
}

/// What a query is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    /// Is there a node at this address?
    Probe,
    /// Does a node of the table live?
    Ping(Id),
    /// A step of a lookup.
    Step(u64, Next),
    /// An announce to this node.
    Announce(Id),
}

impl Dht {
    /// Sends a query.
    pub(super) fn ask(&mut self, now: Instant, to: SocketAddr, purpose: Purpose, ask: Ask) {
        let Some(id) = self.id(Family::of(&to)) else { return };
        let mut transaction = self.random.number();
        while self.pending.contains_key(&transaction) {
            transaction = self.random.number();
        }
        self.pending.insert(transaction, Pending { to, purpose });
        self.slow.push_back((now + SLOW_AFTER, transaction));
        self.expiry.push_back((now + TIMEOUT, transaction));
        // While we know few nodes of one network, those of the other help (BEP 32).
        let both = self.sides.len() > 1 && self.sides.iter().any(super::Side::has_few);
        let want = Want { v4: both, v6: both };
        let body = Body::Query(Query { id, want, ask });
        let transaction = transaction.to_be_bytes().to_vec();
        let read_only = self.config.read_only;
        // To be sent nowhere is like an answer that never comes.
        if self.trials.begin(now, to).is_ok() {
            self.send(to, &Message { transaction, read_only, seen: None, body });
        } else {
            log::debug!("{to}: not asked, too many ports of this host did not answer");
        }
    }

    fn take_pending(&mut self, from: SocketAddr, transaction: &[u8]) -> Option<Purpose> {
        let transaction = u32::from_be_bytes(transaction.try_into().ok()?);
        self.pending.get(&transaction).filter(|pending| pending.to == from)?;
        self.pending.remove(&transaction).map(|pending| pending.purpose)
    }

    pub(super) fn reply(
        &mut self,
        now: Instant,
        from: SocketAddr,
        transaction: &[u8],
        seen: Option<SocketAddr>,
        reply: &Reply,
    ) {
        let Some(purpose) = self.take_pending(from, transaction) else { return };
        self.trials.answered(from);
        let family = Family::of(&from);
        if self.id(family) == Some(reply.id) {
            // Ourselves, by a way around.
            return self.gave_up(now, from, purpose);
        }
        if let Some(side) = self.side_mut(family) {
            side.table.replied(now, reply.id, from);
        }
        if let Some(seen) = seen {
            self.vote(now, from, seen);
        }
        self.help_other_family(from, reply);
        match purpose {
            Purpose::Probe => self.probed(family),
            Purpose::Step(lookup, next) => self.step_replied(now, lookup, next, from, reply),
            Purpose::Ping(_) | Purpose::Announce(_) => {}
        }
        self.go_home(now, family);
    }

    /// A node answered that it will not answer: it lives, and is of no use for this.
    pub(super) fn refused(&mut self, now: Instant, from: SocketAddr, transaction: &[u8]) {
        if let Some(purpose) = self.take_pending(from, transaction) {
            self.trials.answered(from);
            match purpose {
                Purpose::Probe => self.probed(Family::of(&from)),
                Purpose::Step(lookup, next) => self.step_failed(now, lookup, next),
                Purpose::Ping(_) | Purpose::Announce(_) => {}
            }
        }
    }

    /// Gives up queries that have waited too long.
    pub(super) fn expire(&mut self, now: Instant) {
        while let Some((_, id)) = self.slow.pop_front_if(|(at, _)| *at <= now) {
            if let Some(Pending { purpose: Purpose::Step(lookup, next), .. }) =
                self.pending.get(&id)
            {
                let (lookup, next) = (*lookup, *next);
                self.step_slow(now, lookup, next);
            }
        }
        while let Some((_, id)) = self.expiry.pop_front_if(|(at, _)| *at <= now) {
            if let Some(Pending { to, purpose }) = self.pending.remove(&id) {
                self.gave_up(now, to, purpose);
            }
        }
    }

    fn gave_up(&mut self, now: Instant, to: SocketAddr, purpose: Purpose) {
        let family = Family::of(&to);
        let id = match purpose {
            Purpose::Probe => None,
            Purpose::Ping(id) | Purpose::Announce(id) => Some(id),
            Purpose::Step(_, next) => next.id,
        };
        if let (Some(id), Some(side)) = (id, self.side_mut(family)) {
            side.table.failed(now, id, to);
        }
        match purpose {
            Purpose::Probe => self.probed(family),
            Purpose::Step(lookup, next) => self.step_failed(now, lookup, next),
            Purpose::Ping(_) | Purpose::Announce(_) => {}
        }
    }

    fn probed(&mut self, family: Family) {
        if let Some(side) = self.side_mut(family) {
            side.probing = side.probing.saturating_sub(1);
        }
    }

    fn help_other_family(&mut self, from: SocketAddr, reply: &Reply) {
        let family = Family::of(&from);
        if let Some(other) = self.sides.iter_mut().find(|side| side.family != family)
            && other.has_few()
        {
            let of_other = |addr: &SocketAddr| Family::of(addr) != family && may_name(&from, addr);
            let named = reply.nodes.iter().map(|(_, addr)| *addr).filter(of_other);
            for addr in named.take(OTHER_FAMILY) {
                other.probe_later(addr);
            }
        }
    }

    /// A node says what our address is. If enough of them agree on one that does not allow our id, we
    /// take another.
    fn vote(&mut self, now: Instant, from: SocketAddr, seen: SocketAddr) {
        let family = Family::of(&from);
        if Family::of(&seen) != family {
            return;
        }
        let Some(side) = self.side_mut(family) else { return };
        let Some(ip) = side.votes.cast(from.ip(), seen.ip()) else { return };
        if side.external.replace(ip) == Some(ip) || secure::fits(side.table.own(), ip) {
            return;
        }
        let own = secure::id_for(ip, self.random.bytes());
        if let Some(side) = self.side_mut(family) {
            side.table.rehome(own, now);
            side.ready = false;
            side.home = None;
        }
        log::info!("the world sees us at {ip}; our new id is {own}");
        self.event(Event::External { ip });
    }
}
