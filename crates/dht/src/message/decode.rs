//! From a datagram to a message, under limits. What is optional may be missing, what is there has to
//! be right, and what is unknown is ignored.

use std::fmt;

use bencode::{Decoder, Value};

use super::{Ask, Body, Message, Query, Reply, Want, code};
use crate::addr::{self, Family};
use crate::id::Id;
use crate::limits::{
    MAX_DATAGRAM, MAX_DEPTH, MAX_NODES, MAX_PEERS, MAX_TOKEN, MAX_TRANSACTION, MAX_VALUES,
};

/// Why a datagram is no message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// What is wrong with it, for the log.
    pub why: &'static str,
    /// If it is a query all the same: its transaction, and the code of the refusal it deserves.
    pub refusal: Option<(Vec<u8>, i64)>,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.why)
    }
}

impl std::error::Error for Malformed {}

/// No answer is due: nobody can tell what this is.
fn garbage(why: &'static str) -> Malformed {
    Malformed { why, refusal: None }
}

impl Message {
    /// What a datagram says.
    ///
    /// # Errors
    /// When it is too long, is no bencode, lacks what its kind needs, or has something of the wrong
    /// kind or length.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        if bytes.len() > MAX_DATAGRAM {
            return Err(garbage("too long"));
        }
        // Real clients write keys in any order.
        let decoder = Decoder::new().lenient().max_depth(MAX_DEPTH).max_tokens(MAX_VALUES);
        let document = decoder.decode(bytes).map_err(|_| garbage("no bencode"))?;
        let root = document.root();
        let transaction = root.get("t").and_then(Value::as_bytes).ok_or(garbage("no id"))?;
        if transaction.len() > MAX_TRANSACTION {
            return Err(garbage("a transaction id that is too long"));
        }
        let body = match root.get("y").and_then(Value::as_bytes) {
            Some(b"q") => query(root).map(Body::Query).map_err(|(why, code)| Malformed {
                why,
                refusal: Some((transaction.to_owned(), code)),
            })?,
            Some(b"r") => Body::Reply(reply(root).map_err(garbage)?),
            Some(b"e") => error(root),
            _ => return Err(garbage("neither query nor answer")),
        };
        Ok(Self {
            transaction: transaction.to_owned(),
            read_only: root.get("ro").and_then(Value::as_int) == Some(1),
            seen: root.get("ip").and_then(Value::as_bytes).and_then(addr::decode),
            body,
        })
    }
}

fn id(dict: Value<'_>, key: &str) -> Option<Id> {
    dict.get(key).and_then(Value::as_bytes).and_then(Id::from_slice)
}

fn query(root: Value<'_>) -> Result<Query, (&'static str, i64)> {
    let wrong = |why| (why, code::PROTOCOL);
    let arguments = root.get("a").ok_or(wrong("a query without arguments"))?;
    let asking = id(arguments, "id").ok_or(wrong("a query without the node's id"))?;
    let info_hash = || id(arguments, "info_hash").ok_or(wrong("a query without info_hash"));
    let ask = match root.get("q").and_then(Value::as_bytes) {
        Some(b"ping") => Ask::Ping,
        Some(b"find_node") => {
            let target = id(arguments, "target").ok_or(wrong("a query without target"))?;
            Ask::FindNode { target }
        }
        Some(b"get_peers") => Ask::GetPeers { info_hash: info_hash()? },
        Some(b"announce_peer") => {
            let token = arguments.get("token").and_then(Value::as_bytes);
            let token = token.filter(|token| token.len() <= MAX_TOKEN);
            let token = token.ok_or(wrong("an announce without a token"))?.to_owned();
            Ask::AnnouncePeer { info_hash: info_hash()?, port: port(arguments)?, token }
        }
        // A query of the future that names an id is answered with nodes, so that its lookup can go
        // on to who understands it.
        _ => match id(arguments, "target").or(id(arguments, "info_hash")) {
            Some(target) => Ask::FindNode { target },
            None => return Err(("an unknown query", code::UNKNOWN)),
        },
    };
    Ok(Query { id: asking, want: want(arguments), ask })
}

/// The announced port; `None` if the sender's is meant.
fn port(arguments: Value<'_>) -> Result<Option<u16>, (&'static str, i64)> {
    let number = |key| arguments.get(key).and_then(Value::as_int);
    if number("implied_port").is_some_and(|implied| implied != 0) {
        return Ok(None);
    }
    let port = number("port").and_then(|port| u16::try_from(port).ok()).filter(|port| *port != 0);
    port.map(Some).ok_or(("an announce without a port", code::PROTOCOL))
}

fn want(arguments: Value<'_>) -> Want {
    let mut want = Want::default();
    for value in arguments.get("want").and_then(Value::list).into_iter().flatten() {
        match value.as_bytes() {
            Some(b"n4") => want.v4 = true,
            Some(b"n6") => want.v6 = true,
            _ => {}
        }
    }
    want
}

fn reply(root: Value<'_>) -> Result<Reply, &'static str> {
    let values = root.get("r").ok_or("an answer without values")?;
    let answering = id(values, "id").ok_or("an answer without the node's id")?;
    let mut nodes = Vec::new();
    for (key, family) in [("nodes", Family::V4), ("nodes6", Family::V6)] {
        let Some(value) = values.get(key) else { continue };
        let compact = value.as_bytes().ok_or("nodes that are no string")?;
        let chunks = compact.chunks_exact(family.node_len());
        if !chunks.remainder().is_empty() {
            return Err("nodes of a wrong length");
        }
        nodes.extend(chunks.take(MAX_NODES).filter_map(|chunk| {
            let (id, compact) = chunk.split_at_checked(Id::LEN)?;
            Some((Id::from_slice(id)?, addr::decode(compact)?))
        }));
    }
    let mut peers = Vec::new();
    if let Some(list) = values.get("values") {
        let list = list.list().ok_or("peers that are no list")?;
        // Those of a length we do not know are somebody else's extension.
        peers.extend(list.filter_map(|peer| addr::decode(peer.as_bytes()?)).take(MAX_PEERS));
    }
    let token = values.get("token").and_then(Value::as_bytes);
    let token = token.filter(|token| token.len() <= MAX_TOKEN).map(<[u8]>::to_owned);
    Ok(Reply { id: answering, nodes, peers, token })
}

/// Errors are told to nobody but the log, so they are read as far as they can be.
fn error(root: Value<'_>) -> Body {
    let mut list = root.get("e").and_then(Value::list).into_iter().flatten();
    let code = list.next().and_then(Value::as_int).unwrap_or(0);
    let words = list.next().and_then(Value::as_bytes).unwrap_or_default();
    Body::Error(code, String::from_utf8_lossy(words).into_owned())
}
