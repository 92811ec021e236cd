//! From a message to a datagram. Never longer than [`MAX_SENT`](crate::limits::MAX_SENT), given as
//! many nodes and peers as the limits name.

use bencode::{DictEncoder, encode_dict};

use super::{Ask, Body, Message, Query, Reply};
use crate::addr::{self, Family};

/// Who we are, as clients tell each other: two letters and a version.
const VERSION: &[u8] = b"PC\x00\x01";

impl Message {
    /// The datagram.
    pub fn encode(&self) -> Vec<u8> {
        encode_dict(|message| {
            match &self.body {
                Body::Query(query) => {
                    message.dict("a", |arguments| query.arguments(arguments));
                    message.bytes("q", query.ask.name());
                }
                Body::Reply(reply) => message.dict("r", |values| reply.values(values)),
                Body::Error(code, words) => message.list("e", |list| {
                    list.int(*code);
                    list.bytes(words);
                }),
            }
            if let Some(seen) = &self.seen {
                let mut compact = Vec::with_capacity(Family::V6.compact_len());
                addr::encode(seen, &mut compact);
                message.bytes("ip", compact);
            }
            if self.read_only {
                message.int("ro", 1);
            }
            message.bytes("t", &self.transaction);
            message.bytes("v", VERSION);
            message.bytes(
                "y",
                match &self.body {
                    Body::Query(_) => "q",
                    Body::Reply(_) => "r",
                    Body::Error(..) => "e",
                },
            );
        })
    }
}

impl Ask {
    /// What it is called.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::FindNode { .. } => "find_node",
            Self::GetPeers { .. } => "get_peers",
            Self::AnnouncePeer { .. } => "announce_peer",
        }
    }
}

impl Query {
    fn arguments(&self, arguments: &mut DictEncoder<'_>) {
        arguments.bytes("id", self.id.0);
        match &self.ask {
            Ask::Ping => {}
            Ask::FindNode { target } => arguments.bytes("target", target.0),
            Ask::GetPeers { info_hash } => arguments.bytes("info_hash", info_hash.0),
            Ask::AnnouncePeer { info_hash, port, token } => {
                arguments.int("implied_port", i64::from(port.is_none()));
                arguments.bytes("info_hash", info_hash.0);
                arguments.int("port", i64::from(port.unwrap_or(1)));
                arguments.bytes("token", token);
            }
        }
        if self.want.v4 || self.want.v6 {
            arguments.list("want", |list| {
                if self.want.v4 {
                    list.bytes("n4");
                }
                if self.want.v6 {
                    list.bytes("n6");
                }
            });
        }
    }
}

impl Reply {
    fn values(&self, values: &mut DictEncoder<'_>) {
        values.bytes("id", self.id.0);
        for (key, family) in [("nodes", Family::V4), ("nodes6", Family::V6)] {
            let nodes = self.nodes.iter().filter(|(_, addr)| Family::of(addr) == family);
            let mut compact = Vec::new();
            for (id, addr) in nodes {
                compact.extend_from_slice(&id.0);
                addr::encode(addr, &mut compact);
            }
            if !compact.is_empty() {
                values.bytes(key, compact);
            }
        }
        if let Some(token) = &self.token {
            values.bytes("token", token);
        }
        if !self.peers.is_empty() {
            values.list("values", |list| {
                for peer in &self.peers {
                    let mut compact = Vec::with_capacity(Family::V6.compact_len());
                    addr::encode(peer, &mut compact);
                    list.bytes(compact);
                }
            });
        }
    }
}
