//! Why a connection is closed: one word for each rule a peer can break and each choice we make.
//! It only names; the rules are where they are applied.

use std::fmt;

/// Why [`Action::Close`](crate::Action::Close) was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum CloseReason {
    /// It shows our own peer id.
    Ourselves,
    /// Another connection to the same peer id is kept.
    Duplicate,
    /// It was proved to have sent false data, now or earlier.
    Banned,
    /// There is no room for another peer.
    TooManyPeers,
    /// Its host came too often lately, or broke the protocol too often.
    TooOften,
    /// Its room was given to a newcomer, since nothing had moved on it for long.
    Idle,
    /// Its host had more than its share of the places when all were taken.
    OverShare,
    /// Its place was needed for a peer that we dialed.
    Reserved,
    /// It left unread what it had asked for, and others needed the memory.
    SlowReader,
    /// Neither end wants anything of the other: both have every piece, or all they want.
    BothSeeds,
    /// The torrent was paused.
    Paused,
    /// The torrent is private, and no tracker named the peer.
    NotOfTracker,
    /// A bitfield of the wrong length or with spare bits set.
    BadBitfield,
    /// A `have` of a piece that does not exist.
    HaveOutOfRange,
    /// A request or cancel outside the torrent or longer than 32 KiB.
    RequestOutOfRange,
    /// A block outside the torrent.
    PieceOutOfRange,
    /// Too many blocks that nobody asked it for.
    Unrequested,
    /// Far more requests than its queue holds.
    RequestFlood,
    /// Choke and unchoke, interested and not interested, without end.
    StateFlood,
    /// The same `have` again and again.
    HaveFlood,
    /// Keep-alives or cancels without end.
    Chatter,
    /// Peer exchange far more often than once a minute.
    PexFlood,
    /// A message of the fast extension on a connection that does not speak it.
    NotFast,
    /// It says that it has everything, or nothing, after it has said otherwise.
    BadHaveAll,
    /// A suggestion, or an allowed-fast piece, that does not exist.
    HintOutOfRange,
    /// Too many suggestions or allowed-fast pieces.
    HintFlood,
    /// Rejects of what was not requested, again and again.
    RejectFlood,
    /// A piece of the metadata that does not fit the length it claimed.
    MetadataMisfit,
    /// There is no room for what it has while the number of pieces is not known.
    TooEarly,
    /// Extended messages that can't be read, again and again.
    Unreadable,
}

impl CloseReason {
    /// True if the peer broke the protocol; false if we merely chose not to keep it.
    pub fn is_violation(self) -> bool {
        !matches!(
            self,
            Self::Ourselves
                | Self::Duplicate
                | Self::Banned
                | Self::TooManyPeers
                | Self::TooOften
                | Self::Idle
                | Self::OverShare
                | Self::Reserved
                | Self::SlowReader
                | Self::BothSeeds
                | Self::Paused
                | Self::NotOfTracker
                | Self::TooEarly
        )
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ourselves => "the peer is ourselves",
            Self::Duplicate => "already connected to this peer id",
            Self::Banned => "banned for false data",
            Self::TooManyPeers => "no room for another peer",
            Self::TooOften => "its address came too often lately",
            Self::Idle => "idle for long, its room was needed",
            Self::OverShare => "its address had more than its share of the places",
            Self::Reserved => "its place was needed for a peer that was dialed",
            Self::SlowReader => "it read next to nothing of what it asked for",
            Self::BothSeeds => "neither end wants a piece of the other",
            Self::Paused => "the torrent was stopped here",
            Self::NotOfTracker => "the torrent is private, and no tracker named this peer",
            Self::BadBitfield => "bitfield of the wrong length or with spare bits set",
            Self::HaveOutOfRange => "have of a piece that does not exist",
            Self::RequestOutOfRange => "request outside the torrent or over 32 KiB",
            Self::PieceOutOfRange => "block outside the torrent",
            Self::Unrequested => "too many blocks that were not requested",
            Self::RequestFlood => "far more requests than its queue holds",
            Self::StateFlood => "choke or interest changed too often",
            Self::HaveFlood => "the same have too often",
            Self::MetadataMisfit => "metadata that does not fit the length it claimed",
            Self::TooEarly => "no room for its bitfield before the metadata is known",
            Self::Chatter => "too many keep-alives or cancels",
            Self::PexFlood => "peer exchange far more often than once a minute",
            Self::NotFast => "fast message, though the handshakes did not agree on them",
            Self::BadHaveAll => "have all or have none after other words on its pieces",
            Self::HintOutOfRange => "suggestion of a piece that does not exist",
            Self::HintFlood => "too many suggestions",
            Self::RejectFlood => "too many rejects of what was not requested",
            Self::Unreadable => "too many extended messages that can't be read",
        })
    }
}
