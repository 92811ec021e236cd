//! KRPC, the language of the DHT (BEP 5, 32, 42, 43): what a datagram says. How it is read and
//! written is in the modules below; what follows from it is not decided here.

mod decode;
mod encode;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;

use crate::id::Id;

pub use decode::Malformed;

/// One datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What the asking node calls this exchange; echoed in the answer.
    pub transaction: Vec<u8>,
    /// The sender answers no queries (BEP 43).
    pub read_only: bool,
    /// The receiver's address as the sender sees it (BEP 42).
    pub seen: Option<SocketAddr>,
    /// What it is about.
    pub body: Body,
}

/// A question, an answer, or a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// A question.
    Query(Query),
    /// An answer.
    Reply(Reply),
    /// A refusal: a code of BEP 5, and words.
    Error(i64, String),
}

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// The asking node.
    pub id: Id,
    /// Which nodes the reply should name (BEP 32).
    pub want: Want,
    /// What is asked.
    pub ask: Ask,
}

/// The families of nodes that a query asks for; none stands for that of the query.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Want {
    /// `n4`.
    pub v4: bool,
    /// `n6`.
    pub v6: bool,
}

/// The four questions of BEP 5.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Are you there?
    Ping,
    /// Which nodes are closest to an id?
    FindNode {
        /// The id.
        target: Id,
    },
    /// Who has a torrent?
    GetPeers {
        /// The torrent.
        info_hash: Id,
    },
    /// Remember that I have a torrent.
    AnnouncePeer {
        /// The torrent.
        info_hash: Id,
        /// Where I take connections; `None` is the port that this comes from.
        port: Option<u16>,
        /// What you gave me when I asked who has it.
        token: Vec<u8>,
    },
}

/// An answer. Which of these are there depends on the question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// The answering node.
    pub id: Id,
    /// Nodes close to what was asked for, in no order; of both families.
    pub nodes: Vec<(Id, SocketAddr)>,
    /// Peers that have the torrent.
    pub peers: Vec<SocketAddr>,
    /// What has to be shown when announcing to this node.
    pub token: Option<Vec<u8>>,
}

/// The codes of BEP 5 that we send.
pub mod code {
    /// A query that is not as it should be, or a token that is not ours.
    pub const PROTOCOL: i64 = 203;
    /// A question we do not know.
    pub const UNKNOWN: i64 = 204;
}
