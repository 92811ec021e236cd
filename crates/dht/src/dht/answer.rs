//! What others ask of us. Every answer passes the gate, and nothing is answered that is not a query,
//! so no two nodes can be made to talk to each other for ever.

use std::net::SocketAddr;
use std::time::Instant;

use super::Dht;
use crate::addr::{Family, is_local};
use crate::id::Id;
use crate::limits::{K, REPLY_PEERS_V4, REPLY_PEERS_V6};
use crate::message::{Ask, Body, Message, Query, Reply, Want, code};

impl Dht {
    pub(super) fn query(
        &mut self,
        now: Instant,
        from: SocketAddr,
        transaction: Vec<u8>,
        query: Query,
        read_only: bool,
    ) {
        let family = Family::of(&from);
        let Some(own) = self.id(family) else { return };
        // Who cannot be reached says so by silence (BEP 43), and we do not talk to ourselves.
        if self.config.read_only || query.id == own {
            return;
        }
        if !self.gate.is_open(now, from.ip()) {
            self.unanswered += 1;
            return;
        }
        let mut reply = Reply { id: own, ..Reply::default() };
        match query.ask {
            Ask::Ping => {}
            Ask::FindNode { target } => reply.nodes = self.nodes_for(from, target, query.want),
            Ask::GetPeers { info_hash } => {
                let most = match family {
                    Family::V4 => REPLY_PEERS_V4,
                    Family::V6 => REPLY_PEERS_V6,
                };
                reply.nodes = self.nodes_for(from, info_hash, query.want);
                reply.peers = self.store.peers(now, info_hash, family, most, &mut self.random);
                reply.token = Some(self.tokens.give(now, &from, info_hash).to_vec());
            }
            Ask::AnnouncePeer { info_hash, port, token } => {
                if !self.tokens.is_good(now, &from, info_hash, &token) {
                    self.refuse(now, from, transaction, code::PROTOCOL, "bad token");
                    return;
                }
                let peer = SocketAddr::new(from.ip(), port.unwrap_or(from.port()));
                self.store.add(now, info_hash, peer);
                self.found_here(info_hash, vec![peer]);
            }
        }
        self.answered += 1;
        self.answer(now, from, transaction, Body::Reply(reply));
        let Some(side) = self.side_mut(family) else { return };
        side.table.heard(now, query.id, from);
        if !read_only && side.table.wants(query.id, from) {
            side.probe_later(from);
        }
    }

    /// Tells that a query cannot be answered.
    pub(super) fn refuse(
        &mut self,
        now: Instant,
        from: SocketAddr,
        transaction: Vec<u8>,
        code: i64,
        words: &str,
    ) {
        if !self.config.read_only && self.gate.is_open(now, from.ip()) {
            self.answer(now, from, transaction, Body::Error(code, words.to_owned()));
        }
    }

    fn answer(&mut self, now: Instant, to: SocketAddr, transaction: Vec<u8>, body: Body) {
        let message = Message { transaction, read_only: false, seen: Some(to), body };
        let len = self.send(to, &message);
        self.gate.spend(now, to.ip(), len);
    }

    /// The nodes we name to somebody. Our local network is nobody's business outside.
    fn nodes_for(&self, from: SocketAddr, target: Id, want: Want) -> Vec<(Id, SocketAddr)> {
        let named = want.v4 || want.v6;
        let wanted = |family: Family| match family {
            _ if !named => family == Family::of(&from),
            Family::V4 => want.v4,
            Family::V6 => want.v6,
        };
        let may_know = |addr: &SocketAddr| is_local(from.ip()) || !is_local(addr.ip());
        self.sides
            .iter()
            .filter(|side| wanted(side.family))
            .flat_map(|side| side.table.closest(target, K))
            .filter(|(_, addr)| may_know(addr) && *addr != from)
            .collect()
    }
}
