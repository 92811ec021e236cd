//! Every limit of the crate, named and with its reason. It holds numbers only, no behaviour.

use std::time::Duration;

/// The longest datagram that is read; BEP 14 allows 1,400 bytes.
pub const MAX_DATAGRAM: usize = 1_500;

/// Info-hashes in a datagram we write: with 52 bytes each, below the 1,400 of BEP 14.
pub const MAX_HASHES: usize = 20;

/// Info-hashes that are read of one datagram.
pub const MAX_READ: usize = 32;

/// Up to so many torrents have a datagram each, which older clients understand; more share.
pub const ALONE: usize = 5;

/// How often a torrent is announced (BEP 14).
pub const ANNOUNCE_EVERY: Duration = Duration::from_mins(5);

/// Time between two rounds of announces at the least (BEP 14).
pub const PAUSE: Duration = Duration::from_mins(1);

/// How long the first round waits, so that torrents that are added together are announced together.
pub const GATHER: Duration = Duration::from_millis(500);

/// Datagrams of others that are read a second: a large office that wakes up.
pub const PER_SECOND: u32 = 50;

/// Torrents that are announced.
pub const MAX_TORRENTS: usize = 1_000;
