//! Peers that come and go: one connection a peer, never ourselves, nobody who is banned, and
//! room for those who are useful. It neither asks nor serves.

use std::net::SocketAddr;
use std::time::Instant;

use metainfo::PieceSet;
use wire::Message;

use super::Torrent;
use super::duplicates::{Trial, Twin};
use crate::border::{Action, Event, Origin, PeerKey, Source};
use crate::close::CloseReason;
use crate::limit::Limit;
use crate::limits::{CLAIM_BYTES, CONVICTIONS, GOOD_PER_LIE, GREETING_LEN, VIOLATION_COST};
use crate::partial::Identity;
use crate::peer::Peer;
use crate::pieces::Pieces;

impl Torrent {
    pub(super) fn connected(&mut self, now: Instant, key: PeerKey, peer: Peer) {
        let Peer { addr, origin, .. } = peer;
        if origin == Origin::Dialed {
            self.config.trials.answered(addr);
            self.candidates.connected(addr);
        }
        if let Some(reason) = self.refusal(now, key, &peer) {
            if origin == Origin::Dialed {
                match reason {
                    CloseReason::Ourselves | CloseReason::Banned => self.candidates.never(addr),
                    // A tracker may still name it.
                    CloseReason::NotOfTracker => self.candidates.remove(addr),
                    _ => self.candidates.gone(addr, false, now, &mut self.rng),
                }
            }
            self.actions.push_back(Action::Close { peer: key, reason });
            return;
        }
        let bits = if self.have.is_empty() { 0 } else { self.have.as_bytes().len() as u64 };
        self.accounts.came(now, peer.host(), bits.saturating_add(GREETING_LEN));
        let mut peer = peer;
        peer.uploads.limit(self.upload_limit.as_ref().map(Limit::per_second));
        self.peers.insert(key, peer);
        self.wind_up(now);
        self.tell_have(key);
        self.send_extended_handshake(key);
    }

    /// Says which pieces we have, in the shortest way that the peer understands.
    fn tell_have(&mut self, key: PeerKey) {
        let fast = self.peers.get(&key).is_some_and(|peer| peer.fast.is_some());
        match (fast, self.have.is_empty(), self.have.is_full()) {
            (true, true, _) => self.send(key, Message::HaveNone),
            (true, _, true) => self.send(key, Message::HaveAll),
            (false, true, _) => {}
            _ => self.send(key, Message::Bitfield(self.have.as_bytes().into())),
        }
    }

    /// Why this new peer is not to be kept, if so. Makes room for it if not.
    fn refusal(&mut self, now: Instant, key: PeerKey, peer: &Peer) -> Option<CloseReason> {
        if peer.peer_id == self.config.peer_id {
            return Some(CloseReason::Ourselves);
        }
        if self.paused {
            return Some(CloseReason::Paused);
        }
        // It was being dialed when the torrent turned out to be private.
        let dialed = peer.origin == Origin::Dialed;
        if self.config.private && dialed && !peer.source.is_of_private() {
            return Some(CloseReason::NotOfTracker);
        }
        if self.bans.is_banned(peer.identity()) {
            return Some(CloseReason::Banned);
        }
        let (host, incoming) = (peer.host(), peer.origin == Origin::Incoming);
        if incoming && !host.is_loopback() && !self.accounts.may_come(now, host) {
            return Some(CloseReason::TooOften);
        }
        match self.twin(now, peer) {
            Twin::None => {}
            Twin::Older => return Some(CloseReason::Duplicate),
            Twin::Newer(older) => self.close(now, older, CloseReason::Duplicate),
            Twin::Both(older) => self.trials.push(Trial { older, newer: key, since: now }),
        }
        if self.peers.len() >= self.config.max_peers {
            let Some((key, reason)) = self.who_yields(now, peer) else {
                return Some(CloseReason::TooManyPeers);
            };
            self.close(now, key, reason);
        }
        None
    }

    pub(super) fn may_dial(&self) -> bool {
        let half_open = self.candidates.half_open();
        !self.paused
            && half_open < self.config.max_half_open
            && self.peers.len() + half_open < self.config.max_peers + self.yielding
    }

    /// Dials as many as may be dialed now.
    pub(super) fn dial_round(&mut self, now: Instant) {
        while self.may_dial() {
            let Some(addr) = self.candidates.dial(now, &self.us, &self.config.trials) else {
                break;
            };
            if self.is_there(addr) {
                self.candidates.defer(addr, now, &mut self.rng);
            } else {
                self.actions.push_back(Action::Dial { addr });
            }
        }
    }

    /// Whether a connected peer, which says that it listens there, is believed: nobody else names the
    /// address, or it is of as much use as any peer there could be.
    fn is_there(&self, addr: SocketAddr) -> bool {
        let its_word = self.candidates.source(addr) == Some(Source::Incoming);
        let believed = |peer: &Peer| its_word || peer.moved_lately() >= CLAIM_BYTES;
        self.peers.values().any(|peer| peer.dialable == Some(addr) && believed(peer))
    }

    /// Closes a connection for a reason, and forgets it.
    pub(super) fn close(&mut self, now: Instant, key: PeerKey, reason: CloseReason) {
        if let Some(peer) = self.peers.get_mut(&key) {
            peer.duplicate |= reason == CloseReason::Duplicate;
            log::debug!("closing {} {}: {reason}", peer.addr, peer.peer_id);
            if reason.is_violation() {
                let host = peer.host();
                self.accounts.came(now, host, VIOLATION_COST);
            }
            self.forget(now, key);
            self.actions.push_back(Action::Close { peer: key, reason });
        }
    }

    pub(super) fn close_all(&mut self, now: Instant, reason: CloseReason) {
        let keys: Vec<PeerKey> = self.peers.keys().copied().collect();
        for key in keys {
            self.close(now, key, reason);
        }
    }

    /// Forgets a connection that is gone. What it owed us is asked of others.
    pub(super) fn forget(&mut self, now: Instant, key: PeerKey) {
        self.give_up_requests(key);
        let Some(peer) = self.peers.remove(&key) else { return };
        self.metadata_wanted.remove(&key);
        if let Some(fetch) = &mut self.fetch {
            fetch.gone(key);
        }
        self.uncount(&peer);
        self.upload_buffered = self.upload_buffered.saturating_sub(peer.uploads.in_flight());
        self.refund_upload(peer.uploads.in_flight());
        if let Some(addr) = peer.dialable {
            let useful = peer.down.total() + peer.up.total() > 0 && !peer.duplicate;
            match peer.origin {
                Origin::Dialed => self.candidates.gone(addr, useful, now, &mut self.rng),
                // What it said of its address is no failure of who listens there.
                Origin::Incoming => self.candidates.left(addr, useful, now, &mut self.rng),
            }
        }
        self.fill_slots = true;
        if self.peers.is_empty() {
            // No tick follows until the next peer, so the rates would stay as they are.
            self.ticked = None;
            self.down.stop();
            self.up.stop();
            self.next_round = None;
        }
    }

    /// Tells the picker what a peer has.
    pub(super) fn count(&mut self, key: PeerKey) {
        let (Some(peer), Some(picker)) = (self.peers.get_mut(&key), &mut self.picker) else {
            return;
        };
        match &peer.pieces {
            Pieces::Nothing => {}
            Pieces::Some(set) => picker.add_set(set),
            Pieces::All => {
                peer.counted_as_seed = true;
                picker.add_seed();
            }
        }
    }

    fn uncount(&mut self, peer: &Peer) {
        let Some(picker) = &mut self.picker else { return };
        match &peer.pieces {
            Pieces::Nothing => {}
            Pieces::Some(set) => picker.remove_set(set),
            Pieces::All if peer.counted_as_seed => picker.remove_seed(),
            Pieces::All => {
                let all = PieceSet::new_full(self.layout.piece_count());
                picker.remove_set(&all);
            }
        }
    }

    /// A peer is proved to have sent false data: it goes, and it stays away. Its address is banned
    /// with it unless others share it.
    pub(super) fn convict(&mut self, now: Instant, who: Identity) {
        if self.bans.is_banned(who) {
            return;
        }
        let same_ip = |peer: &Peer| peer.identity().ip == who.ip;
        let others = self.peers.values().filter(|p| same_ip(p) && p.peer_id != who.peer_id);
        // Who shares the address of a liar is spared once, as it may be its accomplice; more often only
        // for what it gave.
        let good = others.map(|p| p.down.total()).reduce(u64::saturating_add);
        let lies = self.bans.of_host(who.ip).saturating_add(1);
        let spares = good.is_some_and(|good| lies < CONVICTIONS + good / GOOD_PER_LIE);
        let whole_ip = !who.ip.is_loopback() && !spares;
        self.bans.ban(who, whole_ip);
        log::debug!("{} is proved to have sent false data", who.ip);
        if whole_ip {
            self.candidates.never_ip(who.ip);
        }
        self.event(Event::Banned { ip: who.ip, peer_id: who.peer_id, whole_ip });
        let guilty: Vec<(PeerKey, Option<SocketAddr>)> = self
            .peers
            .iter()
            .filter(|(_, peer)| self.bans.is_banned(peer.identity()))
            .map(|(key, peer)| (*key, peer.dialable))
            .collect();
        for (key, dialable) in guilty {
            if let Some(addr) = dialable {
                self.candidates.never(addr);
            }
            self.close(now, key, CloseReason::Banned);
        }
    }
}
