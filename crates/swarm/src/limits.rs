//! Every limit of the crate, named and with its reason. It holds numbers only, no behaviour.

use std::time::Duration;

// Connections and addresses.

/// Connections of one torrent. A thousand must work; two hundred keep per-peer work small.
pub const MAX_PEERS: usize = 200;

/// Dials under way at once: more would look like a scan and exhaust a home router's table.
pub const MAX_HALF_OPEN: usize = 100;

/// Known addresses that are kept; a tracker that names 100,000 fills this and no more.
pub const MAX_CANDIDATES: usize = 2_000;

/// First wait before an address is dialed again; doubles with each failure.
pub const RETRY_FIRST: Duration = Duration::from_secs(5);

/// Longest wait before an address is dialed again.
pub const RETRY_LAST: Duration = Duration::from_mins(30);

/// When both ends dial each other at once, the two handshakes are this close in time. Only then
/// may a new connection replace the older one: peer ids are public, and a stranger who shows
/// someone else's must not be able to end that peer's connection.
pub const CROSSING: Duration = Duration::from_secs(10);

/// An address that failed this often in a row, over an hour, is forgotten, unless the user gave it.
pub const MAX_FAILURES: u32 = 10;

/// A peer that moved nothing for this long, either way, may lose its room to a newcomer.
pub const IDLE_ROOM: Duration = Duration::from_mins(1);

/// Bytes in one to two minutes below which a connection counts as idle, a block: less is a trickle that
/// keeps a place and does nothing else.
pub const ROOM_BYTES: u64 = 16 * 1024;

/// When all places are taken, one host's share of them is one in so many: twelve of 200. Nothing is
/// asked of a host's number of connections before.
pub const HOST_ROOM: usize = 16;

/// When all places are taken, one in so many is for peers that we dial and for those of use: strangers
/// who come to us first must not keep us from finding others.
pub const DIALED_ROOM: usize = 4;

/// How long a peer that came to us is taken at its word on where it listens, before that address is
/// dialed all the same if others name it too.
pub const CLAIM_TRUST: Duration = Duration::from_mins(1);

/// Bytes in one to two minutes with which it is believed for longer: it does what it would do there.
pub const CLAIM_BYTES: u64 = 1024 * 1024;

/// How often a peer that we dialed is refused in a row since another connection shows its peer id. After
/// that both are kept for [`TWIN_TRIAL`], and one that moves next to nothing goes.
pub const TWIN_REFUSALS: u32 = 2;

/// How long two connections that show one peer id are compared.
pub const TWIN_TRIAL: Duration = Duration::from_mins(1);

/// When half of the room for known addresses is taken, those of one host, whoever named them.
pub const HOST_CANDIDATES: usize = 16;

/// Addresses of one host that are dialed in their turn; one with more goes after all others.
pub const HOST_FIRST: usize = 4;

/// When all room for known addresses is taken, one in so many is for each source: 250.
pub const SOURCE_CANDIDATES: usize = 8;

/// Addresses that are looked at for one that failed, to make room.
pub const PROBES_FOR_ROOM: usize = 64;

/// One dial in so many goes to the address that has waited for longest, whatever its rank: addresses
/// that never failed may be named without end, and the others would never be tried again.
pub const PATIENT_DIAL: u32 = 4;

/// Addresses that are not dialed again that are remembered; beyond that the oldest is forgotten, and
/// costs one more dial if it is named again.
pub const MAX_NEVER: usize = 512;

/// Known addresses with one IP, of those that nobody vouches for (told by peers, of themselves or of
/// others): enough for those behind one router, too few to hammer one host.
pub const MAX_HEARSAY_PER_IP: usize = 4;

/// Known addresses that peers told us of others: half of all, so that liars leave room.
pub const MAX_HEARSAY: usize = MAX_CANDIDATES / 2;

/// What peers call us that is remembered; two who agree are believed.
pub const MAX_CLAIMS: usize = 16;

/// An address that a peer told us of is forgotten after so many failures in a row.
pub const MAX_HEARSAY_FAILURES: u32 = 3;

// Peer exchange (BEP 11).

/// When a peer is first told of others: by then those that came at the same time are connected.
pub const PEX_FIRST: Duration = Duration::from_secs(3);

/// How often a peer is told of others, at most (BEP 11).
pub const PEX_EVERY: Duration = Duration::from_mins(1);

/// When to look again after there was nothing to tell.
pub const PEX_AGAIN: Duration = Duration::from_secs(5);

/// What comes sooner after the message before is not looked at: BEP 11's minute, with grace for
/// messages that waited on their way.
pub const PEX_EARLIEST: Duration = Duration::from_secs(45);

/// Contacts in one message, told or looked at (BEP 11).
pub const PEX_CONTACTS: usize = 50;

/// The same for the first message, which may be longer.
pub const PEX_CONTACTS_FIRST: usize = 100;

/// New contacts that one connection may bring in all.
pub const PEX_HEARD: usize = 500;

// Requests.

/// Requests to a peer before anything is known of its rate. Slow start doubles it a round trip.
pub const WINDOW_FIRST: usize = 8;

/// Least requests to a peer that delivers: one on its way, one behind it.
pub const WINDOW_MIN: usize = 2;

/// Most requests to a peer: 8 MiB in flight, below the 512 that common clients queue.
pub const WINDOW_MAX: usize = 500;

/// Seconds of data that are asked for ahead: covers a slow round trip and a busy peer.
pub const QUEUE_SECONDS: u64 = 3;

/// A peer that owes blocks and sent none for this long is snubbed: its blocks are asked of
/// others. Late ones are still welcome, so a slow honest peer loses nothing.
pub const SNUB_AFTER: Duration = Duration::from_secs(20);

/// In end-game, a peer that owes blocks and sent none for this long does not count as one that
/// is about to send them.
pub const STALE_AFTER: Duration = Duration::from_secs(3);

/// Blocks that end-game may receive twice, at most, in one torrent: 512 KiB.
pub const END_GAME_WASTE: u64 = 32;

/// How many of them one peer may cause. What it causes beyond that is not counted, and whatever is due
/// from it is asked of others freely: else a peer that sends what was taken back would end end-game.
pub const END_GAME_SHARE: u64 = 8;

/// When a peer stands idle, another that needs this long for all that it was asked for gives up what
/// the idle one has: requests ahead are for three seconds ([`QUEUE_SECONDS`]).
pub const HELD_LONG: Duration = Duration::from_secs(30);

/// What it will send within this long is left to it.
pub const HELD_LEFT: Duration = Duration::from_secs(10);

/// How long a peer may take for a piece that must come whole from it before it is compared with peers
/// that stand idle. Doubles each time the piece is taken from one.
pub const OWNER_PATIENCE: Duration = Duration::from_secs(10);

/// The longest such time.
pub const OWNER_PATIENCE_LAST: Duration = Duration::from_mins(5);

/// How long a cancelled request may still turn into a wasted block, for the sum above.
pub const CANCEL_SETTLES: Duration = Duration::from_secs(5);

/// Requests to a peer that were cancelled, choked or expired and may still be answered.
pub const LATE_KEPT: usize = 2 * WINDOW_MAX;

/// While the download limit holds requests back, blocks that a peer is asked for in one turn.
pub const LIMITED_TURN: usize = 4;

/// How long a peer that rejects a request while it does not choke us is not asked again. Doubles each
/// time until it sends a block; without it, both ends would do nothing else.
pub const REJECT_REST_FIRST: Duration = Duration::from_secs(1);

/// The longest such rest.
pub const REJECT_REST_LAST: Duration = Duration::from_secs(64);

/// Requests to a peer that are not moved to another that got the piece, the first asked: they are
/// likely to be on their way.
pub const MOVE_NOT_FIRST: usize = 2;

/// Requests move only from a peer that needs this long for all it was asked for, in milliseconds: a
/// faster one is done sooner than another can begin.
pub const MOVE_FROM_SLOW: u64 = 1_000;

/// Begun pieces with free blocks, for each connected peer, up to which a piece that only one peer has
/// is begun with it before those are finished.
pub const OPEN_PER_PEER: usize = 2;

/// Pieces that a peer may allow us fast. BEP 6 speaks of ten.
pub const MAX_ALLOWED_FAST: usize = 32;

// Uploading.

/// Pieces that a peer with few pieces may request while it is choked (BEP 6), so that it has
/// something to trade.
pub const ALLOWED_FAST: usize = 10;

/// Payload bytes that the peers of one host are given that way: a second or two of a home uplink.
pub const ALLOWED_FAST_BYTES: u64 = 4 * 1024 * 1024;

/// How long until a host may have as much again: by then an honest one has something to trade.
pub const ALLOWED_FAST_AGAIN: Duration = Duration::from_hours(1);

/// Payload bytes that all hosts together are given that way at once: those of eight beginners ...
pub const ALLOWED_FAST_ALL: u64 = 8 * ALLOWED_FAST_BYTES;

/// ... and how many more each second, so that many addresses do not make a free upload.
pub const ALLOWED_FAST_RATE_ALL: u64 = 256 * 1024;

/// Peers that are unchoked by merit. With too many, each gets too little to be worth reciprocating.
pub const UNCHOKE_SLOTS: usize = 8;

/// How often the choker decides (BEP 3): long enough for TCP to reach its speed.
pub const CHOKE_ROUND: Duration = Duration::from_secs(10);

/// How long the optimistic slot stays with a peer (BEP 3): three rounds.
pub const OPTIMISTIC_TURN: Duration = Duration::from_secs(30);

/// How long a peer keeps a slot that goes by turns: when we seed, and among those that give
/// nothing.
pub const SLOT_TURN: Duration = Duration::from_secs(30);

/// Hosts whose last turn at an upload slot is remembered, so that who returns does not go first.
pub const MAX_HOST_TURNS: usize = 1_024;

/// Requests of one peer that are kept, waiting: 24 KiB of memory. A peer that can't know our limit
/// asks for what it expects to get in ten seconds (transmission, 602 requests in one burst), and
/// BEP 3 has no word to refuse one, so dropping honest requests would leave both ends waiting.
pub const MAX_QUEUE: usize = 2_000;

/// A request that waited this long counts as one of a piece that no other peer has: by then the piece
/// could have come from another peer instead.
pub const DEFER_MOST: Duration = Duration::from_secs(4);

/// A request that waited this long goes before everything that has not: far below the time after which
/// we, and others, take a peer for silent ([`SNUB_AFTER`]).
pub const DEFER_LAST: Duration = Duration::from_secs(12);

/// Peers whose rates to us differ by less, in bytes a second, take turns when we serve them.
pub const GIVES_ALIKE: u64 = 256 * 1024;

/// How long the number of a piece's copies is taken to be right: at a home uplink, less than the time
/// of a piece.
pub const COPIES_HOLD: Duration = Duration::from_millis(100);

/// Pieces among one peer's requests that the next one is chosen of, the first asked for. An honest
/// peer asks for few at a time.
pub const RANKED_PIECES: usize = 64;

/// Pieces that a peer was sent something of and has not announced that are remembered: what it may
/// have begun with us at one time.
pub const GIVEN_KEPT: usize = 64;

/// Payload bytes of one peer that are being read or wait in its socket's queue.
pub const UPLOAD_BUFFER: u64 = 1024 * 1024;

/// The least that it is under an upload limit, where it is a second's worth: two of the longest requests.
pub const UPLOAD_BUFFER_LEAST: u64 = 64 * 1024;

/// The same for all peers of the torrent.
pub const UPLOAD_BUFFER_ALL: u64 = 64 * 1024 * 1024;

/// Once so much waits for all peers, one that leaves [`UNREAD_MOST`] unread and has read less than
/// [`ROOM_BYTES`] in one to two minutes is closed: a quarter of what a session keeps for all torrents.
pub const UPLOAD_SCARCE: u64 = 4 * 1024 * 1024;

/// See [`UPLOAD_SCARCE`].
pub const UNREAD_MOST: u64 = 64 * 1024;

// Metadata (BEP 9).

/// Most bytes of metadata that are fetched: room for the hashes of some 800,000 pieces.
pub const MAX_METADATA_LEN: u32 = 16 * 1024 * 1024;

/// Bytes of all copies that are being fetched, as claimed: one of the largest beside one of any other
/// length, so that a false claim alone keeps nobody out.
pub const METADATA_BUDGET: u32 = 2 * MAX_METADATA_LEN;

/// Pieces of 16 KiB that one peer is asked for at once. Some clients refuse more than a few.
pub const METADATA_WINDOW: usize = 4;

/// A request that was not answered for this long goes elsewhere. Its peer may still answer.
pub const METADATA_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a peer that refused or was silent is not asked. It doubles with each time in a row.
pub const METADATA_REST_FIRST: Duration = Duration::from_secs(10);

/// The longest such rest.
pub const METADATA_REST_LAST: Duration = Duration::from_mins(5);

/// How long a copy may take before others that wait for room go first.
pub const METADATA_TURN: Duration = Duration::from_secs(30);

/// A copy that got one in so many of its pieces in its turn has another one at once: it will be whole in
/// a few minutes, and would have to begin anew.
pub const METADATA_FAIR: usize = 8;

/// How often a peer may claim another length than before.
pub const METADATA_CHANGES: u32 = 2;

/// Hosts whose turns are counted.
pub const METADATA_HOSTS: usize = 1_024;

/// Wrong copies that are remembered until the right one convicts who took part.
pub const METADATA_EVIDENCE: usize = 4;

/// Bytes of bitfields that all peers together may have us keep while the number of pieces is not known:
/// those of 64 peers of the largest torrent, of thousands of a usual one.
pub const EARLY_BUDGET: usize = 16 * 1024 * 1024;

/// Bytes of the metadata that one peer is given at once ...
pub const METADATA_BURST: u64 = 256 * 1024;

/// ... and how many more each second. What waits in its socket's queue is not known here, so this keeps
/// a slow reader's queue from growing beyond what a connection may hold.
pub const METADATA_RATE: u64 = 128 * 1024;

/// Requests for metadata of one peer that wait: all pieces of the longest metadata.
pub const METADATA_QUEUE: usize = 1024;

/// How often one host is given all of the metadata. Once is enough for each of a few behind one router;
/// a peer that found a liar among its sources asks again.
pub const METADATA_TIMES: u64 = 4;

/// Bytes of the metadata that one host is given at least, if that is more: forty peers behind one router
/// get what a usual torrent has.
pub const METADATA_SHARE: u64 = 4 * 1024 * 1024;

/// How long until a host may have it once more.
pub const METADATA_AGAIN: Duration = Duration::from_mins(10);

/// Bytes of the metadata that all hosts together are given at once ...
pub const METADATA_BURST_ALL: u64 = 32 * 1024 * 1024;

/// ... and how many more each second: twenty newcomers a second to a usual torrent.
pub const METADATA_RATE_ALL: u64 = 2 * 1024 * 1024;

// What a host gets without having earned it.

/// Hosts whose share is remembered: a megabyte or two. Beyond that the one that was not seen for longest
/// begins anew.
pub const MAX_ACCOUNTS: usize = 4_096;

/// Bytes of greetings (bitfields, extended handshakes) that one host is sent at once, by however many
/// connections: the largest bitfield sixteen times ...
pub const GREETING_BURST: u64 = 4 * 1024 * 1024;

/// ... and how many more each second. A host beyond that is not welcome for a while.
pub const GREETING_RATE: u64 = 64 * 1024;

/// Bytes of a greeting besides the bitfield.
pub const GREETING_LEN: u64 = 256;

/// What a connection that broke the protocol costs its host of that: more than all rejects that it could
/// provoke before it was closed.
pub const VIOLATION_COST: u64 = 64 * 1024;

/// Convictions of one host after which all of it is banned, whoever shares its address: one more
/// connection of an accomplice saves a liar once.
pub const CONVICTIONS: u64 = 2;

/// Bytes that others of the host gave for which one more is forgiven: who is of use is not banned for
/// liars behind the same router, and an accomplice has to give far more than a lie costs.
pub const GOOD_PER_LIE: u64 = 4 * 1024 * 1024;

// Patience with strangers.

/// Blocks that a connection may send unasked before it is closed: a crossing message is an
/// accident, a stream of them is not.
pub const MAX_UNREQUESTED: u32 = 16;

/// Credit of a connection for messages that bring nothing, see [`crate::limits::cost`].
pub const PATIENCE: u64 = 2_000;

/// How much of that credit comes back a second.
pub const PATIENCE_PER_SECOND: u64 = 20;

/// Changes of a peer's interest that each piece it has and each piece we have pay for. A piece that
/// either end gains can give interest or take it away, so twice is honest; the rest is room for
/// clients that think twice. Beyond that a change has no cause.
pub const INTEREST_PER_PIECE: u64 = 4;

/// Bytes of a `have` on the wire. A bitfield in mid-conversation is honest where it is shorter than
/// the haves it stands for.
pub const HAVE_LEN: usize = 9;

/// What a message that brings nothing costs of [`PATIENCE`].
pub mod cost {
    /// A keep-alive: 2,000 at once, then 20 a second.
    pub const KEEP_ALIVE: u64 = 1;
    /// A `have` that says nothing new.
    pub const HAVE_AGAIN: u64 = 1;
    /// A bitfield that says less than as many bytes of haves would: 50 at once, then one in two
    /// seconds. Each makes us look at every piece.
    pub const BITFIELD_AGAIN: u64 = 40;
    /// Taking back a request: end-game sends many, honestly.
    pub const CANCEL: u64 = 1;
    /// A request while choked (it crosses our choke), of a piece we lack, or beyond
    /// [`super::MAX_QUEUE`]: dropped.
    pub const REQUEST_DROPPED: u64 = 1;
    /// Interested or not interested, though nothing changed, or more often than pieces came
    /// ([`super::INTEREST_PER_PIECE`]).
    pub const INTEREST_AGAIN: u64 = 1;
    /// A suggestion or an allowed-fast piece: 400 at once, then four a second.
    pub const HINT: u64 = 5;
    /// A reject of what was not requested: 20 at once, then one in five seconds. Since requests that
    /// were taken back long ago are forgotten, an honest peer may send a few.
    pub const REJECT_UNASKED: u64 = 100;
    /// A peer exchange message that comes too soon: ten at once, then one in ten seconds.
    pub const PEX_EARLY: u64 = 200;
    /// A piece of the metadata that nobody asked for, or not any more: 20 at once, then one in five
    /// seconds. A few cross the end of a fetch.
    pub const METADATA_UNREQUESTED: u64 = 100;
    /// An extended handshake: two or three are usual, 100 at once, then one a second.
    pub const EXTENDED: u64 = 20;
    /// An extended message that can't be read: 20 at once, then one in five seconds.
    pub const UNREADABLE: u64 = 100;
    /// Choke, unchoke: 50 at once, then one in two seconds. Each can
    /// make us send a whole window of requests.
    pub const STATE_CHANGE: u64 = 40;
}

// Convictions.

/// Failed copies of one piece that are remembered. Each refetch convicts its single source, so
/// more would mean that this many liars took turns at one piece.
pub const EVIDENCE_PER_PIECE: usize = 8;

// Picking.

/// Pieces of equal rarity that are tried before the next rarity is.
pub const PROBES_PER_RARITY: usize = 64;

/// Pieces that are tried by rarity before any piece that the peer has will do.
pub const PROBES: usize = 512;

/// How often rates are measured, windows adjusted and silences noticed.
pub const TICK: Duration = Duration::from_secs(1);
