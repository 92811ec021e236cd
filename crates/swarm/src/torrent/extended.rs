//! Extended messages (BEP 10): our handshake, what follows from a peer's, and to whom each of the
//! others goes. What is in them is read by `wire`.

use std::net::SocketAddr;
use std::time::Instant;

use egress::{Word, may_contact};
use wire::Message;
use wire::extension::{Extension, HANDSHAKE_ID, Handshake, Ids, Metadata};

use super::Torrent;
use crate::border::PeerKey;
use crate::close::CloseReason;
use crate::limits::{MAX_QUEUE, cost};

impl Torrent {
    /// Tells the peer what we speak and how we are, if it takes extended messages.
    pub(super) fn send_extended_handshake(&mut self, key: PeerKey) {
        let Some(peer) = self.peers.get(&key).filter(|peer| peer.extended.is_some()) else {
            return;
        };
        let mut ids = Ids::local([Extension::Metadata]);
        ids.offer(Extension::Pex, self.config.pex);
        let handshake = Handshake {
            ids,
            client: self.config.client.clone(),
            port: self.config.listen_port,
            max_requests: u32::try_from(MAX_QUEUE).ok(),
            metadata_size: self.info.as_ref().and_then(|info| u32::try_from(info.len()).ok()),
            your_ip: Some(peer.addr.ip()),
            upload_only: self.is_complete().then_some(true),
            ..Handshake::default()
        };
        self.send(key, Message::Extended { id: HANDSHAKE_ID, payload: handshake.encode() });
    }

    pub(super) fn extended(
        &mut self,
        now: Instant,
        key: PeerKey,
        id: u8,
        payload: &[u8],
    ) -> Result<(), CloseReason> {
        let spoken = self.peers.get(&key).is_some_and(|peer| peer.extended.is_some());
        if !spoken {
            return self.charge(now, key, cost::KEEP_ALIVE, CloseReason::Chatter);
        }
        if id == HANDSHAKE_ID {
            return self.extended_handshake(now, key, payload);
        }
        match Extension::of_local_id(id) {
            Some(Extension::Pex) => self.pex(now, key, payload),
            Some(Extension::Metadata) => match Metadata::decode(payload) {
                Ok(Some(message)) => self.metadata_message(now, key, message),
                Ok(None) => self.charge(now, key, cost::KEEP_ALIVE, CloseReason::Chatter),
                Err(_) => self.unreadable(now, key),
            },
            // Not offered yet, so nobody has a reason to send one.
            Some(Extension::DontHave) | None => {
                self.charge(now, key, cost::KEEP_ALIVE, CloseReason::Chatter)
            }
        }
    }

    fn extended_handshake(
        &mut self,
        now: Instant,
        key: PeerKey,
        payload: &[u8],
    ) -> Result<(), CloseReason> {
        let Ok(handshake) = Handshake::decode(payload) else { return self.unreadable(now, key) };
        self.charge(now, key, cost::EXTENDED, CloseReason::Chatter)?;
        let Some(peer) = self.peers.get_mut(&key) else { return Ok(()) };
        let listens = handshake.port;
        if let Some(ip) = handshake.your_ip {
            self.us.called(ip, peer.addr.ip());
        }
        if let Some(extended) = &mut peer.extended {
            extended.update(handshake);
            if extended.ids.get(Extension::Pex).is_some() {
                extended.exchange.start(now);
            }
            peer.pipeline.set_limit(extended.max_requests);
        }
        self.metadata_offered(key);
        let unknown = self.peers.get(&key).filter(|peer| peer.dialable.is_none());
        let listens = unknown.zip(listens);
        let listens = listens.map(|(peer, port)| SocketAddr::new(peer.addr.ip(), port));
        let may_be = |addr: &SocketAddr| may_contact(Word::Itself, *addr).is_ok();
        if let Some(addr) = listens.filter(|addr| self.may_know(*addr) && may_be(addr))
            && self.candidates.came(addr, now, &mut self.rng)
            && let Some(peer) = self.peers.get_mut(&key)
        {
            peer.dialable = Some(addr);
        }
        self.not_two_seeds(key)
    }

    /// An extended message that makes no sense: clients have bugs, but not that many.
    pub(super) fn unreadable(&mut self, now: Instant, key: PeerKey) -> Result<(), CloseReason> {
        self.charge(now, key, cost::UNREADABLE, CloseReason::Unreadable)
    }

    /// We want nothing any more, though we lack pieces: peers that can't tell from our haves are told.
    pub(super) fn tell_upload_only(&mut self) {
        if self.have.is_full() {
            return;
        }
        let keys: Vec<PeerKey> = self.peers.keys().copied().collect();
        for key in keys {
            self.send_extended_handshake(key);
        }
    }
}
