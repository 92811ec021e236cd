//! Every limit of the crate, named and with its reason. It holds numbers only, no behaviour.

use std::time::Duration;

// Datagrams.

/// The longest datagram that is read. Honest ones are below 1,500 bytes, or they would be split.
pub const MAX_DATAGRAM: usize = 2_048;

/// The longest datagram that is written (BEP 32): fits the smallest IPv6 packet with room to spare.
pub const MAX_SENT: usize = 1_024;

/// Values nested in each other: the message, its arguments, a list in them. One more for strangers'
/// extensions.
pub const MAX_DEPTH: usize = 5;

/// Values in one datagram: an answer with 100 peers has some 130.
pub const MAX_VALUES: usize = 512;

/// The longest transaction id that is echoed. Two to four bytes are usual.
pub const MAX_TRANSACTION: usize = 32;

/// The longest token that is kept and shown again. Four to twenty bytes are usual.
pub const MAX_TOKEN: usize = 64;

/// Nodes taken from one reply: twice what an honest one names.
pub const MAX_NODES: usize = 16;

/// Peers taken from one reply: more do not fit a datagram.
pub const MAX_PEERS: usize = 200;

// Nodes.

/// Nodes of a bucket, nodes named in a reply, and nodes that are announced to: Kademlia's k (BEP 5).
pub const K: usize = 8;

/// Nodes a full bucket keeps for when one of its own dies.
pub const SPARES: usize = 8;

/// Nodes of one bucket in one neighbourhood (a /24): nobody fills a bucket from his own rack.
pub const NEIGHBOURS: usize = 2;

/// A node that was silent for so long is doubtful, and a bucket that did not change for so long is
/// refreshed (BEP 5).
pub const DOUBTFUL_AFTER: Duration = Duration::from_mins(15);

/// Queries in a row that a node may leave unanswered before it counts as bad. One datagram in a
/// hundred is lost by nobody's fault.
pub const MAX_FAILURES: u8 = 2;

/// Fewer good nodes than this, and the bootstrap nodes are asked again.
pub const FEW_NODES: usize = 4;

/// How often the table is looked after.
pub const UPKEEP: Duration = Duration::from_mins(1);

/// Doubtful nodes that are pinged at one time.
pub const PINGS: usize = 4;

/// Addresses that wait to be asked who they are. More come by themselves.
pub const MAX_PROBES: usize = 256;

/// Addresses that are asked who they are at one time.
pub const PROBING: usize = 8;

/// First wait before bootstrap nodes are asked again; doubles each time.
pub const BOOTSTRAP_FIRST: Duration = Duration::from_secs(10);

/// Longest wait before bootstrap nodes are asked again.
pub const BOOTSTRAP_LAST: Duration = Duration::from_mins(10);

/// How long the nodes of the last run are given before bootstrap nodes are bothered.
pub const SAVED_CHANCE: Duration = Duration::from_secs(6);

/// Bootstrap nodes that are asked at one time.
pub const MAX_BOOTSTRAP: usize = 16;

// Queries and lookups.

/// A query that has no answer by then gets none.
pub const TIMEOUT: Duration = Duration::from_secs(5);

/// A query that has no answer by then does not hold up its lookup any more.
pub const SLOW_AFTER: Duration = Duration::from_secs(1);

/// Queries of one lookup on their way at once: Kademlia's alpha. More is faster and ruder.
pub const ALPHA: usize = 4;

/// Queries a lookup makes at the most: an honest one needs about 20 in a network of ten million.
pub const MAX_ASKED: usize = 120;

/// Of those, queries to nodes whose id their address does not allow.
pub const MAX_ASKED_UNFIT: usize = 40;

/// Nodes a lookup remembers.
pub const MAX_CANDIDATES: usize = 300;

/// Lookups at one time before a search has to wait. Four queries each make 64 on their way at the most.
pub const LOOKUPS: usize = 16;

/// Peers a search hands out at the most: more than a torrent connects to.
pub const MAX_FOUND: usize = 1_000;

/// How often a torrent is searched for and announced when all goes well: an announce is good for
/// half an hour.
pub const SEARCH_EVERY: Duration = Duration::from_mins(15);

/// First wait after a search that found no peer or few nodes; doubles each time.
pub const SEARCH_AGAIN: Duration = Duration::from_secs(15);

/// Torrents that can be searched for.
pub const MAX_TORRENTS: usize = 10_000;

// What others store here.

/// How long an announced peer is remembered: two turns of a client that announces every 15 minutes.
pub const PEER_LIFE: Duration = Duration::from_mins(30);

/// Torrents that peers are remembered of. Those closest to our id stay.
pub const MAX_STORED_TORRENTS: usize = 2_000;

/// Peers remembered of one torrent and family.
pub const MAX_STORED_PEERS: usize = 200;

/// Peers remembered over all torrents: some 5 MB.
pub const MAX_STORED: usize = 50_000;

/// Peers of one torrent at one address: a few clients behind one router.
pub const MAX_STORED_PER_IP: usize = 4;

/// Peers in one reply: fits [`MAX_SENT`] beside eight nodes of each family.
pub const REPLY_PEERS_V4: usize = 40;

/// The same for IPv6, whose addresses are longer.
pub const REPLY_PEERS_V6: usize = 16;

/// How long a token's secret is used; the one before it is accepted too (BEP 5).
pub const TOKEN_TURN: Duration = Duration::from_mins(5);

/// Bytes of our tokens: nobody guesses eight in ten minutes.
pub const TOKEN_LEN: usize = 8;

// What strangers can make us send.

/// Bytes a second that go to one host in answers. An answer may be ten times its query; whoever
/// forges a victim's address gets no more than this to it.
pub const REPLY_RATE: u64 = 4_096;

/// Bytes of answers to one host in one burst: a client with many torrents that has just started.
pub const REPLY_BURST: u64 = 16_384;

/// Bytes a second that go to all hosts in answers: a well-known node needs a quarter.
pub const REPLY_RATE_ALL: u64 = 65_536;

/// Bytes of answers to all hosts in one burst.
pub const REPLY_BURST_ALL: u64 = 262_144;

/// Hosts that are told apart for this. If there are more, newcomers get no answer for a while.
pub const MAX_HOSTS: usize = 4_096;

// Our own address.

/// Nodes whose opinion about our address is remembered, the latest.
pub const MAX_VOTES: usize = 32;

/// Nodes that have to agree before it is believed, and more than half of all.
pub const VOTES: usize = 6;

// State.

/// Nodes of a family that are kept between two runs.
pub const MAX_SAVED: usize = 200;

/// The longest state that is read.
pub const MAX_STATE: usize = 64 * 1024;
