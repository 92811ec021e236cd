//! The words of the conversation: what a caller asks a tracker ([`Announce`], [`Scrape`]) and what
//! the tracker says ([`Reply`], [`ScrapeReply`]). Plain data; never encodes, sends or schedules.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Why an announce is made (BEP 3 `event`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Event {
    /// The regular announce every `interval`; it has no `event` on the wire.
    #[default]
    Periodic,
    /// The first announce of a run to this tracker.
    Started,
    /// The download became complete during this run.
    Completed,
    /// The last announce of a run. It asks for no peers.
    Stopped,
}

/// One announce to one tracker.
///
/// The counters are the caller's, taken at the moment of the announce: `left` is what is really
/// missing now, not what was missing when the torrent started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announce {
    /// The tracker's URL as the torrent has it: `http`, `https` or `udp`. Its own query is kept.
    pub url: String,
    /// The torrent.
    pub info_hash: [u8; 20],
    /// Us.
    pub peer_id: [u8; 20],
    /// The TCP port we listen on.
    pub port: u16,
    /// Bytes of payload sent since `started`.
    pub uploaded: u64,
    /// Bytes of payload received since `started`.
    pub downloaded: u64,
    /// Bytes still missing.
    pub left: u64,
    /// Why this announce is made.
    pub event: Event,
    /// How many peers we would like; `None` leaves it to the tracker. Always 0 for `stopped`.
    pub num_want: Option<u32>,
    /// A number that stays the same for the run and lets the tracker recognise us when our
    /// address changes.
    pub key: u32,
    /// What the tracker gave as `tracker id` earlier, handed back unchanged.
    pub tracker_id: Option<Vec<u8>>,
}

/// A tracker's answer to an [`Announce`].
///
/// Times are already clamped to the limits named in [`limits`](crate::limits), peers are free of
/// addresses nobody can connect to (port 0, unspecified, multicast), and text is free of control
/// characters, so that it may be shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// When to announce again.
    pub interval: Duration,
    /// Never announce earlier than this, if the tracker said so.
    pub min_interval: Option<Duration>,
    /// Peers of the swarm, IPv4 and IPv6, in the tracker's order.
    pub peers: Vec<SocketAddr>,
    /// Peers that have everything.
    pub complete: Option<u32>,
    /// Peers that still miss something.
    pub incomplete: Option<u32>,
    /// The tracker's warning; the announce succeeded nevertheless.
    pub warning: Option<String>,
    /// To be sent back with the next announce to this tracker.
    pub tracker_id: Option<Vec<u8>>,
    /// Our address as the tracker sees it (BEP 24).
    pub external_ip: Option<IpAddr>,
}

/// A question for the counts of some torrents (BEP 48), without taking part in their swarms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scrape {
    /// The tracker's *announce* URL; where it scrapes is derived from it.
    pub url: String,
    /// The torrents, at most [`limits::MAX_SCRAPE`](crate::limits::MAX_SCRAPE).
    pub info_hashes: Vec<[u8; 20]>,
}

/// A tracker's answer to a [`Scrape`]: the torrents it knows, in the order they were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScrapeReply {
    /// One entry for each torrent that the tracker answered for.
    pub torrents: Vec<Counts>,
}

/// What a tracker counts for one torrent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// The torrent.
    pub info_hash: [u8; 20],
    /// Peers that have everything (seeds).
    pub complete: u32,
    /// How often a download was completed, ever.
    pub downloaded: u32,
    /// Peers that still miss something (leechers).
    pub incomplete: u32,
}
