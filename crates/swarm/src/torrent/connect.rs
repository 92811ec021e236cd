//! Peers that come and go: one connection a peer, never ourselves, nobody who is banned, and
//! room for those who are useful. It neither asks nor serves.

use std::net::SocketAddr;
use std::time::Instant;

use metainfo::PieceSet;
use wire::Message;

use super::Torrent;
use super::duplicates::Twin;
use crate::border::{Action, Event, Origin, PeerKey};
use crate::close::CloseReason;
use crate::limits::IDLE_ROOM;
use crate::partial::Identity;
use crate::peer::Peer;
use crate::pieces::Pieces;

impl Torrent {
    pub(super) fn connected(&mut self, now: Instant, key: PeerKey, peer: Peer) {
        let Peer { addr, origin, .. } = peer;
        if origin == Origin::Dialed {
            self.candidates.connected(addr);
        }
        if let Some(reason) = self.refusal(now, &peer) {
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
    fn refusal(&mut self, now: Instant, peer: &Peer) -> Option<CloseReason> {
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
        match self.twin(now, peer) {
            Twin::None => {}
            Twin::Older => return Some(CloseReason::Duplicate),
            Twin::Newer(older) => self.close(now, older, CloseReason::Duplicate),
        }
        if self.peers.len() >= self.config.max_peers {
            let Some(idle) = self.idlest(now) else { return Some(CloseReason::TooManyPeers) };
            self.close(now, idle, CloseReason::Idle);
        }
        None
    }

    /// The peer whose room a newcomer may have: silent for long, and rather one that nobody wants
    /// anything of.
    fn idlest(&self, now: Instant) -> Option<PeerKey> {
        let idle = |peer: &Peer| now.saturating_duration_since(peer.last_payload) >= IDLE_ROOM;
        self.peers
            .iter()
            .filter(|(_, peer)| idle(peer))
            .min_by_key(|(_, p)| (p.peer_interested || p.am_interested, p.last_payload))
            .map(|(key, _)| *key)
    }

    pub(super) fn may_dial(&self) -> bool {
        let half_open = self.candidates.half_open();
        !self.paused
            && half_open < self.config.max_half_open
            && self.peers.len() + half_open < self.config.max_peers
    }

    /// Closes a connection for a reason, and forgets it.
    pub(super) fn close(&mut self, now: Instant, key: PeerKey, reason: CloseReason) {
        if let Some(peer) = self.peers.get(&key) {
            log::debug!("closing {} {}: {reason}", peer.addr, peer.peer_id);
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
        if let Some(addr) = peer.dialable {
            let useful = peer.down.total() + peer.up.total() > 0;
            self.candidates.gone(addr, useful, now, &mut self.rng);
        }
        self.fill_slots = true;
        if self.peers.is_empty() {
            self.ticked = None;
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
        let shared = self.peers.values().any(|p| same_ip(p) && p.peer_id != who.peer_id);
        let whole_ip = !who.ip.is_loopback() && !shared;
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
