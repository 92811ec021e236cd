//! Peer exchange (BEP 11), both ways: peers are told once a minute of whom we are connected to, and
//! what they tell makes candidates, within limits. Never for private torrents (BEP 27).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Instant;

use egress::{Class, Word, may_contact};
use wire::Message;
use wire::extension::{ContactFlags, Extension, Pex};

use super::Torrent;
use crate::border::{Origin, PeerKey, Source};
use crate::close::CloseReason;
use crate::limits::cost;
use crate::peer::Peer;

impl Torrent {
    /// A peer tells whom it is connected to. That it lost somebody is no reason for us to.
    pub(super) fn pex(
        &mut self,
        now: Instant,
        key: PeerKey,
        payload: &[u8],
    ) -> Result<(), CloseReason> {
        if !self.config.pex {
            return self.charge(now, key, cost::KEEP_ALIVE, CloseReason::Chatter);
        }
        let Ok(pex) = Pex::decode(payload) else { return self.unreadable(now, key) };
        let Some(peer) = self.peers.get_mut(&key) else { return Ok(()) };
        let word = Word::Pex(Class::of(peer.addr.ip()));
        let Some(extended) = &mut peer.extended else { return Ok(()) };
        let Some(room) = extended.exchange.hears(now) else {
            return self.charge(now, key, cost::PEX_EARLY, CloseReason::PexFlood);
        };
        let mut taken = 0;
        for contact in pex.added {
            let ip = contact.addr.ip();
            let fit = may_contact(word, contact.addr).is_ok() && !self.bans.is_ip_banned(ip);
            if taken < room && fit {
                let new = self.candidates.found(contact.addr, Source::Pex, now, &mut self.rng);
                taken += usize::from(new);
            }
        }
        if let Some(extended) = self.peers.get_mut(&key).and_then(|peer| peer.extended.as_mut()) {
            extended.exchange.took(taken);
        }
        Ok(())
    }

    /// Tells those whose minute is over.
    pub(super) fn pex_round(&mut self, now: Instant) {
        if !self.config.pex {
            return;
        }
        let due = |peer: &Peer| {
            let extended = peer.extended.as_ref()?;
            extended.exchange.is_due(now).then(|| extended.ids.get(Extension::Pex))?
        };
        let due: Vec<(PeerKey, u8)> =
            self.peers.iter().filter_map(|(key, peer)| Some((*key, due(peer)?))).collect();
        if due.is_empty() {
            return;
        }
        let connected: BTreeMap<SocketAddr, ContactFlags> =
            self.peers.values().filter_map(|peer| Some((peer.dialable?, flags(peer)))).collect();
        for (key, id) in due {
            let Some(peer) = self.peers.get_mut(&key) else { continue };
            // What is nearer than the peer means nothing to it.
            let word = Word::Pex(Class::of(peer.addr.ip()));
            let mut others = connected.clone();
            others
                .retain(|addr, _| Some(*addr) != peer.dialable && may_contact(word, *addr).is_ok());
            let Some(extended) = &mut peer.extended else { continue };
            if let Some(pex) = extended.exchange.tell(now, &others) {
                self.send(key, Message::Extended { id, payload: pex.encode() });
            }
        }
    }

    /// The torrent turned out to be private: whom no tracker named is closed and forgotten, and the
    /// others are told nothing more of each other. Who came to us stays if a tracker names its address.
    pub(super) fn make_private(&mut self, now: Instant) {
        self.config.pex = false;
        self.config.private = true;
        let keys: Vec<PeerKey> = self.peers.keys().copied().collect();
        for key in keys {
            let stays = self.peers.get(&key).is_some_and(|peer| match peer.origin {
                Origin::Dialed => self.source(peer.addr, peer.origin).is_of_private(),
                Origin::Incoming => self.candidates.is_of_private(peer.addr.ip().to_canonical()),
            });
            if stays {
                self.send_extended_handshake(key);
            } else {
                self.close(now, key, CloseReason::NotOfTracker);
            }
        }
        self.candidates.forget(|source| !source.is_of_private());
    }
}

fn flags(peer: &Peer) -> ContactFlags {
    let mut flags = ContactFlags::default();
    if peer.wants_nothing() {
        flags = flags.with(ContactFlags::UPLOAD_ONLY);
    }
    if peer.origin == Origin::Dialed {
        flags = flags.with(ContactFlags::REACHABLE);
    }
    flags
}
