//! What a session and each of its torrents are told at the start. Plain data, with defaults.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use wire::net::Encryption;

/// What a session is told at the start.
#[derive(Clone, Debug)]
pub struct Config {
    /// TCP ports to try for the listener, in order; `0..=0` takes any free one.
    pub ports: RangeInclusive<u16>,
    /// Local address of the listener, of outgoing connections and of tracker connections.
    /// `None`: every address of the machine.
    pub bind: Option<IpAddr>,
    /// Which connections are encrypted, in both directions.
    pub encryption: Encryption,
    /// Connections a torrent holds at the most.
    pub max_peers: usize,
    /// Payload bytes a second that all torrents together ask of peers; `None` is no limit.
    pub download_limit: Option<u64>,
    /// Payload bytes a second that all torrents together serve; `None` is no limit.
    pub upload_limit: Option<u64>,
    /// Whether peers tell each other of peers (BEP 11). Never for private torrents.
    pub pex: bool,
    /// How long trackers are given to hear `stopped` when the session ends.
    pub goodbye: Duration,
    /// How reads reach the disk.
    pub backend: storage::Backend,
    /// The folder that resume state is kept in; `None` keeps none, and every start hashes what is
    /// on disk.
    pub state_dir: Option<PathBuf>,
    /// Whether stopping waits until everything is synced to disk.
    pub sync_on_stop: bool,
    /// Whether and how to find peers in the DHT (BEP 5); `None` does not.
    pub dht: Option<DhtConfig>,
    /// Whether to find peers in the local network by multicast (BEP 14).
    pub lsd: bool,
    /// Seed of every random choice but the keys of encrypted connections; `None` takes one from the
    /// operating system.
    pub seed: Option<u64>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            ports: DEFAULT_PORTS,
            bind: None,
            encryption: Encryption::default(),
            max_peers: DEFAULT_MAX_PEERS,
            download_limit: None,
            upload_limit: None,
            pex: true,
            goodbye: GOODBYE,
            backend: storage::Backend::default(),
            state_dir: None,
            sync_on_stop: false,
            dht: None,
            lsd: false,
            seed: None,
        }
    }
}

/// How to take part in the DHT.
#[derive(Clone, Debug)]
pub struct DhtConfig {
    /// Nodes to ask when no other is known, as `host:port`. None are asked while others answer.
    pub bootstrap: Vec<String>,
}

impl Default for DhtConfig {
    fn default() -> Self {
        Self { bootstrap: BOOTSTRAP.iter().map(|name| (*name).to_owned()).collect() }
    }
}

/// Nodes that their operators offer for this.
const BOOTSTRAP: [&str; 3] =
    ["dht.libtorrent.org:25401", "dht.transmissionbt.com:6881", "router.bittorrent.com:6881"];

/// The ports BEP 3 names.
pub const DEFAULT_PORTS: RangeInclusive<u16> = 6881..=6889;

/// Enough to find the fast peers of a swarm; more cost haves without adding speed.
const DEFAULT_MAX_PEERS: usize = 200;

/// A tracker that has not answered in this time is not waited for: leaving takes less than 5 s.
const GOODBYE: Duration = Duration::from_secs(3);

/// What a torrent is told when it is added.
#[derive(Clone, Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is an order of its own")]
pub struct AddOptions {
    /// The folder that holds the torrent's files.
    pub dir: PathBuf,
    /// Peers to connect to besides those that trackers name.
    pub peers: Vec<SocketAddr>,
    /// More of them, as `host:port`. Each name is looked up once, and all its addresses are tried.
    pub named_peers: Vec<String>,
    /// Peers that a magnet names (`x.pe`), as `host:port`.
    pub magnet_peers: Vec<String>,
    /// The files to fetch, by index; `None` is all of them. Of a file that is not among them nothing
    /// is stored but the bytes of pieces that belong to one that is.
    pub files: Option<BTreeSet<usize>>,
    /// Fetch pieces from the first to the last, and not the rarest first.
    pub sequential: bool,
    /// Hash everything that is on disk, whatever the resume state claims.
    pub verify: bool,
    /// Serve what is there, fetch nothing and touch nothing on disk.
    pub serve: Option<Serve>,
    /// Files that are not overwritten, whatever the torrent calls its own: its `.torrent` file. A
    /// torrent that would is refused.
    pub keep: storage::Keep,
    /// Follow symbolic links on disk wherever they lead, out of `dir` too: for data of the user's own.
    pub follow_links: bool,
    /// Overwrite files that were there before and are not the torrent's: cut those that are longer, and
    /// replace what holds something else. Without it such a torrent is refused before anything is
    /// written.
    pub overwrite: bool,
    /// How the room for the files is taken.
    pub allocation: storage::Allocation,
}

/// How much has to be there of a torrent that is only served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Serve {
    /// Every piece that is wanted.
    Whole,
    /// Any of them.
    Parts,
}
