//! Every limit of the crate, named and with its reason. It holds numbers only, no behaviour.

use std::time::Duration;

/// Connections of one torrent. A thousand must work; two hundred keep per-peer work small.
pub const MAX_PEERS: usize = 200;

/// Dials under way at once: more would look like a scan and exhaust a home router's table.
pub const MAX_HALF_OPEN: usize = 100;

/// Known addresses that are kept; a tracker that names 100,000 fills this and no more.
pub const MAX_CANDIDATES: usize = 2_000;

/// Peers that are unchoked by merit. With too many, each gets too little to be worth reciprocating.
pub const UNCHOKE_SLOTS: usize = 8;
