//! The limits on what strangers can make us contact, each with its reason. Constants only.

use std::time::Duration;

/// Ports of one host that were tried and did not answer, within [`WINDOW`]. Ports that answered do
/// not count, so many peers behind one NAT are all reached; a host that never answers is tried at a
/// few ports only, however many are named.
pub const MAX_UNANSWERED: usize = 8;

/// How long a port that did not answer counts: longer than a tracker's usual half hour, so that a
/// second announce does not begin a second scan.
pub const WINDOW: Duration = Duration::from_hours(1);

/// When to ask again for a port that was held back: the ports tried before have answered by then, if
/// they ever do.
pub const AGAIN: Duration = Duration::from_secs(10);

/// Hosts whose tried ports are remembered: half a megabyte. Beyond that the oldest is forgotten.
pub const MAX_HOSTS: usize = 4_096;
