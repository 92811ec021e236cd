//! Peer exchange (BEP 11) on one connection: whom the peer was told of, and how much it may tell us.
//! It sends nothing and believes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Instant;

use wire::extension::{Contact, ContactFlags, Pex};

use crate::limits::{
    PEX_AGAIN, PEX_CONTACTS, PEX_CONTACTS_FIRST, PEX_EARLIEST, PEX_EVERY, PEX_FIRST, PEX_HEARD,
};

/// Both directions of one connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Exchange {
    /// Whom the peer was told of and not that they left.
    told: BTreeSet<SocketAddr>,
    /// When it may be told something; `None` while it takes no such messages.
    next: Option<Instant>,
    /// It was told something before.
    began: bool,
    heard_at: Option<Instant>,
    /// Contacts that it told us and we did not know.
    heard: usize,
}

impl Exchange {
    /// The peer takes such messages.
    pub(crate) fn start(&mut self, now: Instant) {
        self.next.get_or_insert(now + PEX_FIRST);
    }

    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.next.is_some_and(|next| next <= now)
    }

    /// What to tell the peer, if anything, when we are connected to these.
    pub(crate) fn tell(
        &mut self,
        now: Instant,
        connected: &BTreeMap<SocketAddr, ContactFlags>,
    ) -> Option<Pex> {
        let most = if self.began { PEX_CONTACTS } else { PEX_CONTACTS_FIRST };
        let new = connected.iter().filter(|(addr, _)| !self.told.contains(*addr));
        let added: Vec<Contact> =
            new.take(most).map(|(addr, flags)| Contact { addr: *addr, flags: *flags }).collect();
        let gone = self.told.iter().filter(|addr| !connected.contains_key(*addr));
        let dropped: Vec<SocketAddr> = gone.take(PEX_CONTACTS).copied().collect();
        for addr in &dropped {
            self.told.remove(addr);
        }
        self.told.extend(added.iter().map(|contact| contact.addr));
        let pex = Pex { added, dropped };
        if pex.is_empty() {
            self.next = Some(now + PEX_AGAIN);
            return None;
        }
        self.began = true;
        self.next = Some(now + PEX_EVERY);
        Some(pex)
    }

    /// The peer tells us something: how many contacts to look at. `None` if it does so too often.
    pub(crate) fn hears(&mut self, now: Instant) -> Option<usize> {
        let first = self.heard_at.is_none();
        if self.heard_at.is_some_and(|at| now.saturating_duration_since(at) < PEX_EARLIEST) {
            return None;
        }
        self.heard_at = Some(now);
        let most = if first { PEX_CONTACTS_FIRST } else { PEX_CONTACTS };
        Some(most.min(PEX_HEARD.saturating_sub(self.heard)))
    }

    /// So many of its contacts were news.
    pub(crate) fn took(&mut self, contacts: usize) {
        self.heard += contacts;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn connected(numbers: std::ops::Range<u16>) -> BTreeMap<SocketAddr, ContactFlags> {
        numbers
            .map(|n| {
                let [high, low] = n.to_be_bytes();
                (SocketAddr::from(([10, 0, high, low], 6881)), ContactFlags(0))
            })
            .collect()
    }

    #[test]
    fn only_changes_are_told_and_not_too_many_at_a_time() {
        let now = Instant::now();
        let mut exchange = Exchange::default();
        assert!(!exchange.is_due(now + PEX_EVERY), "it takes none yet");
        exchange.start(now);
        assert!(!exchange.is_due(now) && exchange.is_due(now + PEX_FIRST));

        let first = exchange.tell(now, &connected(0..160)).expect("news");
        assert_eq!((first.added.len(), first.dropped.len()), (PEX_CONTACTS_FIRST, 0));
        assert!(!exchange.is_due(now + PEX_EVERY / 2));
        let second = exchange.tell(now, &connected(60..160)).expect("news");
        assert_eq!((second.added.len(), second.dropped.len()), (PEX_CONTACTS, PEX_CONTACTS));
        let third = exchange.tell(now, &connected(60..160)).expect("news");
        assert_eq!((third.added.len(), third.dropped.len()), (10, 10));
        assert_eq!(exchange.tell(now, &connected(60..160)), None);
        assert!(exchange.is_due(now + PEX_AGAIN));
    }

    #[test]
    fn one_peer_tells_so_much_and_no_more() {
        let mut now = Instant::now();
        let mut exchange = Exchange::default();
        assert_eq!(exchange.hears(now), Some(PEX_CONTACTS_FIRST));
        assert_eq!(exchange.hears(now + Duration::from_secs(10)), None);
        exchange.took(PEX_CONTACTS_FIRST);
        let mut all = PEX_CONTACTS_FIRST;
        for _ in 0..100 {
            now += PEX_EVERY;
            let contacts = exchange.hears(now).expect("once a minute");
            exchange.took(contacts);
            all += contacts;
        }
        assert_eq!(all, PEX_HEARD);
    }
}
