//! The time before the pieces of a magnet are known, and its end; and giving the metadata to others. Which
//! peer is asked for what, and who lied, is decided in `metadata`.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use wire::Message;
use wire::extension::{Extension, Metadata};

use super::Torrent;
use crate::border::{Begin, Event, PeerKey};
use crate::close::CloseReason;
use crate::limit::Limit;
use crate::limits::{EARLY_BUDGET, cost};
use crate::metadata::{Early, Fetch, Outcome, Serving};
use crate::partial::Identity;
use crate::peer::Peer;
use crate::pieces::Pieces;

impl Torrent {
    /// Notes what a peer says of its pieces before their number is known.
    pub(super) fn early(
        &mut self,
        now: Instant,
        key: PeerKey,
        note: impl FnOnce(&mut Early) -> Result<bool, CloseReason>,
    ) -> Result<(), CloseReason> {
        let Some(peer) = self.peers.get_mut(&key) else { return Ok(()) };
        if !note(&mut peer.early)? {
            return self.charge(now, key, cost::HAVE_AGAIN, CloseReason::HaveFlood);
        }
        let all: usize = self.peers.values().map(|peer| peer.early.len()).sum();
        if all <= EARLY_BUDGET {
            return Ok(());
        }
        let Some(most) = self.says_most() else { return Ok(()) };
        if most == key {
            return Err(CloseReason::TooEarly);
        }
        self.close(now, most, CloseReason::TooEarly);
        Ok(())
    }

    /// Who takes most of the room for what peers have: of the host that takes most, the peer that does,
    /// and of equals the one that is here for longest. So those that say much keep nobody out who says
    /// little, nor do those who came first.
    fn says_most(&self) -> Option<PeerKey> {
        let mut hosts: BTreeMap<IpAddr, usize> = BTreeMap::new();
        for peer in self.peers.values() {
            *hosts.entry(peer.host()).or_default() += peer.early.len();
        }
        let room = |peer: &Peer| {
            let of_host = hosts.get(&peer.host()).copied().unwrap_or(0);
            (of_host, peer.early.len(), Reverse(peer.since))
        };
        self.peers.iter().max_by_key(|(_, peer)| room(peer)).map(|(key, _)| *key)
    }

    /// The files are open: what peers said early is judged, and the download begins.
    pub(super) fn begin(&mut self, now: Instant, begin: Begin) {
        if self.begun {
            return;
        }
        let Begin { layout, have, wanted, sequential } = begin;
        self.fetch = None;
        (self.config.wanted, self.config.sequential) = (wanted, sequential);
        let pieces = layout.piece_count();
        self.set_pieces(layout, have);
        let keys: Vec<PeerKey> = self.peers.keys().copied().collect();
        for key in keys {
            let Some(peer) = self.peers.get_mut(&key) else { continue };
            let early = std::mem::take(&mut peer.early);
            let told = early.is_told();
            let early = early.judge(pieces);
            if !self.have.is_empty() {
                // Later than a bitfield usually comes, which clients in use put up with.
                self.send(key, Message::Bitfield(self.have.as_bytes().into()));
            }
            let begins = early.map(Pieces::from_set);
            match begins.and_then(|pieces| self.begins_with(key, pieces)) {
                Ok(()) if told => self.told(now, key),
                Ok(()) => {}
                Err(reason) => self.close(now, key, reason),
            }
        }
        self.refill_all = true;
    }

    /// A peer may have said just now that it has the metadata.
    pub(super) fn metadata_offered(&mut self, key: PeerKey) {
        let (Some(fetch), Some(peer)) = (&mut self.fetch, self.peers.get(&key)) else { return };
        let Some(extended) = &peer.extended else { return };
        if let (Some(len), Some(_)) =
            (extended.metadata_size, extended.ids.get(Extension::Metadata))
        {
            fetch.offered(key, peer.identity(), len);
        }
    }

    /// A message of the metadata exchange.
    pub(super) fn metadata_message(
        &mut self,
        now: Instant,
        key: PeerKey,
        message: Metadata<'_>,
    ) -> Result<(), CloseReason> {
        match message {
            Metadata::Request { piece } => self.metadata_request(now, key, piece),
            Metadata::Reject { piece } => {
                let fetch = self.fetch.as_mut();
                if fetch.is_some_and(|fetch| fetch.rejected(now, key, piece)) {
                    return Ok(());
                }
                // It may have crossed the end of the fetch.
                self.charge(now, key, cost::KEEP_ALIVE, CloseReason::Chatter)
            }
            Metadata::Data { piece, total_size, data } => {
                let outcome = match &mut self.fetch {
                    Some(fetch) => fetch.data(key, piece, total_size, data),
                    None => Outcome::Unrequested,
                };
                if let (Outcome::Kept | Outcome::Right(..), Some(peer)) =
                    (&outcome, self.peers.get_mut(&key))
                {
                    peer.helped = peer.helped.saturating_add(data.len() as u64);
                }
                self.metadata_came(now, key, outcome)
            }
        }
    }

    fn metadata_came(
        &mut self,
        now: Instant,
        key: PeerKey,
        outcome: Outcome,
    ) -> Result<(), CloseReason> {
        match outcome {
            Outcome::Kept => {}
            Outcome::Unrequested => {
                return self.charge(now, key, cost::METADATA_UNREQUESTED, CloseReason::Unrequested);
            }
            Outcome::Misfit => return Err(CloseReason::MetadataMisfit),
            Outcome::Wrong(guilty) => self.convict_all(now, guilty),
            Outcome::Right(info, guilty) => {
                self.fetch = None;
                let info: Arc<[u8]> = info.into();
                self.info = Some(info.clone());
                self.convict_all(now, guilty);
                self.event(Event::Metadata { info });
                // Now others may have it from us.
                let keys: Vec<PeerKey> = self.peers.keys().copied().collect();
                for key in keys {
                    self.send_extended_handshake(key);
                }
            }
        }
        Ok(())
    }

    fn convict_all(&mut self, now: Instant, guilty: Vec<Identity>) {
        for who in guilty {
            self.convict(now, who);
        }
    }

    fn metadata_request(
        &mut self,
        now: Instant,
        key: PeerKey,
        piece: u32,
    ) -> Result<(), CloseReason> {
        let Some(peer) = self.peers.get_mut(&key) else { return Ok(()) };
        if let Some(info) = &self.info {
            let host = peer.host();
            let serving = peer.serving.get_or_insert_with(Box::<Serving>::default);
            let len = info.len() as u64;
            if self.accounts.may_ask(now, host, len) && serving.push(info, piece) {
                self.metadata_wanted.insert(key);
                return Ok(());
            }
        }
        self.send_metadata(key, &Metadata::Reject { piece });
        self.charge(now, key, cost::REQUEST_DROPPED, CloseReason::RequestFlood)
    }

    /// Asks for pieces of the metadata that are missing.
    pub(super) fn fetch_metadata(&mut self, now: Instant) {
        while let Some((key, piece)) = self.fetch.as_mut().and_then(|fetch| fetch.poll(now)) {
            self.send_metadata(key, &Metadata::Request { piece });
        }
    }

    /// Gives pieces of the metadata to those who wait, as fast as each host may have them and as the
    /// upload limit allows.
    pub(super) fn serve_metadata(&mut self, now: Instant) {
        let Some(info) = self.info.clone() else { return };
        let total_size = u32::try_from(info.len()).ok();
        let waiting: Vec<PeerKey> = self.metadata_wanted.iter().copied().collect();
        for key in waiting {
            while let Some(peer) = self.peers.get_mut(&key)
                && let host = peer.host()
                && let Some(serving) = &mut peer.serving
                && let Some((piece, data)) = serving.next(now, &info)
            {
                if !self.accounts.may_ask(now, host, info.len() as u64) {
                    // Others of its host were given their share since it asked.
                    serving.refused();
                    self.send_metadata(key, &Metadata::Reject { piece });
                    continue;
                }
                let open = self.upload_limit.as_ref().is_none_or(|limit| limit.is_open(now));
                if !open || !self.accounts.give_metadata(now, host, data.len() as u64) {
                    break;
                }
                serving.given(data.len());
                self.send_metadata(key, &Metadata::Data { piece, total_size, data });
                self.settle(now);
            }
            let serving = self.peers.get(&key).and_then(|peer| peer.serving.as_ref());
            if serving.is_none_or(|serving| serving.is_idle()) {
                self.metadata_wanted.remove(&key);
            }
        }
    }

    /// When [`fetch_metadata`](Self::fetch_metadata) or [`serve_metadata`](Self::serve_metadata) may
    /// have something to do.
    pub(super) fn metadata_timeout(&self) -> Option<Instant> {
        let serving = |key| self.peers.get(key)?.serving.as_ref()?.poll_timeout();
        let limit = self.upload_limit.as_ref().and_then(Limit::ready_at);
        let all = self.accounts.metadata_at().max(limit);
        let served = self.metadata_wanted.iter().filter_map(|key| serving(key).max(all)).min();
        let fetched = self.fetch.as_ref().and_then(Fetch::poll_timeout);
        fetched.into_iter().chain(served).min()
    }

    /// Sends a message of the metadata exchange, if the peer takes them.
    fn send_metadata(&mut self, key: PeerKey, message: &Metadata<'_>) {
        let extended = self.peers.get(&key).and_then(|peer| peer.extended.as_ref());
        if let Some(id) = extended.and_then(|extended| extended.ids.get(Extension::Metadata)) {
            self.send(key, Message::Extended { id, payload: message.encode() });
        }
    }
}
