//! The limits on what a tracker can make us do, each with its reason. Constants only.

use std::time::Duration;

/// Most bytes of a reply's body, counted after decompression. A hundred thousand compact peers fit.
pub const MAX_BODY: usize = 1024 * 1024;
/// Most bytes of a reply's HTTP header.
pub const MAX_HEADER: usize = 16 * 1024;
/// Redirects followed for one request.
pub const MAX_REDIRECTS: usize = 5;
/// Peers taken from one reply, for each address family. Trackers give 50 to 200; more than this
/// is a way to aim many clients at a victim.
pub const MAX_PEERS: usize = 1_000;
/// Characters kept of a tracker's failure reason or warning: a few lines of a terminal.
pub const MAX_TEXT: usize = 300;
/// Bytes of a tracker id that we keep and send back.
pub const MAX_TRACKER_ID: usize = 256;
/// Bytes of a URL, a redirect's included: what web servers commonly accept.
pub const MAX_URL: usize = 8 * 1024;
/// Torrents in one scrape: what fits a UDP packet of 1,500 bytes (BEP 15), and a URL.
pub const MAX_SCRAPE: usize = 70;
/// Trackers of one torrent that are ever asked; the rest of a longer list is ignored.
pub const MAX_TRACKERS: usize = 200;
/// Addresses of one tracker that are tried for one request.
pub const MAX_ADDRESSES: usize = 4;
/// Name look-ups under way at once. The system's resolver cannot be interrupted, so one that
/// hangs keeps a thread; this bounds those.
pub const MAX_LOOKUPS: usize = 64;
/// Of these, how many are for names that were found before: names whose servers never answer must not
/// keep known trackers from being asked.
pub const KNOWN_LOOKUPS: usize = 16;
/// Names that were found before that are remembered.
pub const MAX_KNOWN_NAMES: usize = 1_024;
/// How long a request to a host that did not answer before may have a thread that others wait for. A
/// tracker that lives answers within a second or two.
pub const SLOW_AFTER: Duration = Duration::from_secs(3);
/// Threads beside the others for requests that take longer, for each of those. They only wait for their
/// deadlines.
pub const SLOW_THREADS: usize = 3;
/// Hosts whose behaviour is remembered.
pub const MAX_HOSTS: usize = 4_096;

/// What `interval` is when a reply has none: the field's usual half hour.
pub const DEFAULT_INTERVAL: Duration = Duration::from_mins(30);
/// The shortest interval that is believed.
pub const MIN_INTERVAL: Duration = Duration::from_secs(30);
/// The longest interval that is believed: a longer one would lose us the swarm.
pub const MAX_INTERVAL: Duration = Duration::from_hours(24);
/// What `min interval` is when a reply has none: asking for more peers waits at least this long.
pub const DEFAULT_MIN_INTERVAL: Duration = Duration::from_mins(5);

/// How long a silent tracker holds up the next one of its tier and the next tier.
pub const PATIENCE: Duration = Duration::from_secs(2);
/// What each further silent tracker holds it up, at least. It is half of what the one before did, so
/// that twenty of them cost seconds, not a minute.
pub const PATIENCE_LEAST: Duration = Duration::from_millis(250);
/// Announces of one torrent that were made within [`FRESH`] and are under way.
pub const MAX_PARALLEL: usize = 16;
/// An announce that takes longer does not keep others from being made.
pub const FRESH: Duration = Duration::from_secs(4);
