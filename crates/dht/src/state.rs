//! What is kept between two runs: our ids, and nodes that were there. Plain data and its bytes; who
//! keeps them where is the driver's business.

use std::fmt;
use std::net::SocketAddr;

use bencode::{Decoder, Value, encode_dict};

use crate::addr::{self, Family};
use crate::id::Id;
use crate::limits::{MAX_SAVED, MAX_STATE};

/// Raised when the meaning of the bytes changes; others are not read.
const VERSION: i64 = 1;

/// What a node knew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Our id in each network.
    pub ids: Vec<(Family, Id)>,
    /// Nodes that were good.
    pub nodes: Vec<(Id, SocketAddr)>,
}

/// Bytes that are no state of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadState(&'static str);

impl fmt::Display for BadState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not the state of a DHT node: {}", self.0)
    }
}

impl std::error::Error for BadState {}

const FAMILIES: [(Family, &str, &str); 2] =
    [(Family::V4, "id", "nodes"), (Family::V6, "id6", "nodes6")];

impl State {
    /// The state as bytes: a bencoded dictionary.
    pub fn to_bytes(&self) -> Vec<u8> {
        encode_dict(|dict| {
            dict.int("version", VERSION);
            for (family, id, nodes) in FAMILIES {
                if let Some((_, own)) = self.ids.iter().find(|(of, _)| *of == family) {
                    dict.bytes(id, own.0);
                }
                let mut compact = Vec::new();
                let known = self.nodes.iter().filter(|(_, addr)| Family::of(addr) == family);
                for (id, addr) in known.take(MAX_SAVED) {
                    compact.extend_from_slice(&id.0);
                    addr::encode(addr, &mut compact);
                }
                dict.bytes(nodes, compact);
            }
        })
    }

    /// The state that these bytes are.
    ///
    /// # Errors
    /// When they are something else, or were damaged.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BadState> {
        if bytes.len() > MAX_STATE {
            return Err(BadState("too long"));
        }
        let decoder = Decoder::new().max_depth(2).max_tokens(32);
        let document = decoder.decode(bytes).map_err(|_| BadState("no bencode"))?;
        let root = document.root();
        if root.get("version").and_then(Value::as_int) != Some(VERSION) {
            return Err(BadState("of another version"));
        }
        let mut state = Self::default();
        for (family, id, nodes) in FAMILIES {
            if let Some(own) = root.get(id) {
                let own = own.as_bytes().and_then(Id::from_slice).ok_or(BadState("no id"))?;
                state.ids.push((family, own));
            }
            let compact = root.get(nodes).and_then(Value::as_bytes).unwrap_or_default();
            let chunks = compact.chunks_exact(family.node_len());
            if !chunks.remainder().is_empty() {
                return Err(BadState("nodes of a wrong length"));
            }
            state.nodes.extend(chunks.take(MAX_SAVED).filter_map(|chunk| {
                let (id, compact) = chunk.split_at_checked(Id::LEN)?;
                Some((Id::from_slice(id)?, addr::decode(compact)?))
            }));
        }
        Ok(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_back_and_damage_is_told() {
        let nodes = vec![
            (Id([1; 20]), "1.2.3.4:5".parse().unwrap()),
            (Id([2; 20]), "[2001:db8::7]:6881".parse().unwrap()),
        ];
        let ids = vec![(Family::V4, Id([3; 20])), (Family::V6, Id([4; 20]))];
        let state = State { ids, nodes };
        let bytes = state.to_bytes();
        assert_eq!(State::from_bytes(&bytes), Ok(state));
        for end in 0..bytes.len() {
            assert!(State::from_bytes(&bytes[..end]).is_err());
        }
        assert!(State::from_bytes(&vec![b'i'; MAX_STATE + 1]).is_err());
        assert_eq!(State::from_bytes(b"d7:versioni2ee"), Err(BadState("of another version")));
        assert_eq!(State::from_bytes(b"d7:versioni1ee"), Ok(State::default()));
    }
}
