//! Owns the numbers that bound what a peer can make us do, each with its reason. Never applies them itself.

use std::time::Duration;

/// Bytes of a pooled buffer: the 16 KiB block that every client requests (BEP 3).
pub const BLOCK_LEN: usize = 16 * 1024;

/// The longest block payload accepted or served, in bytes. We ask for 16 KiB; some clients ask for 32 KiB.
pub const MAX_BLOCK_LEN: usize = 32 * 1024;

/// The longest message of any kind, in bytes after the length prefix. Nothing that real clients send comes near it; what
/// claims more is not a peer worth reading further.
pub const MAX_MESSAGE_LEN: u32 = 1024 * 1024;

/// The longest bitfield, in bytes, while the torrent's own size is unknown: one bit for each of 2,097,152 pieces.
pub const MAX_BITFIELD_LEN: usize = 2_097_152 / 8;

/// The longest extended handshake, in bytes (BEP 10). Clients send a few hundred; room for a dictionary of extensions
/// that nobody has thought of yet.
pub const MAX_EXTENDED_HANDSHAKE_LEN: usize = 16 * 1024;

/// The length in bytes of every piece of the metadata but the last (BEP 9).
pub const METADATA_PIECE_LEN: usize = 16 * 1024;

/// The longest `ut_metadata` message, in bytes: a piece of the metadata and the dictionary before it.
pub const MAX_METADATA_MESSAGE_LEN: usize = METADATA_PIECE_LEN + 1024;

/// The longest `ut_pex` message, in bytes: more than 2,000 IPv4 contacts, where 50 are usual and 200 the most that common
/// clients send at first (BEP 11).
pub const MAX_PEX_LEN: usize = 16 * 1024;

/// The most contacts of one `ut_pex` message that are taken as added, and as dropped. BEP 11 asks for no more than 50,
/// except in the first message.
pub const MAX_PEX_CONTACTS: usize = 200;

/// The longest client name and version that is kept of an extended handshake, in characters.
pub const MAX_CLIENT_LEN: usize = 64;

/// How long a connection may take to be made. A host that is there answers within a round trip or two.
pub const CONNECT_DEADLINE: Duration = Duration::from_secs(10);

/// How long the whole handshake may take from its first moment, however it drips: 136 bytes and one round trip.
pub const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);

/// After how long a silence of ours we send a keep-alive: well before the two minutes after which peers give up on us
/// (BEP 3).
pub const KEEP_ALIVE_AFTER: Duration = Duration::from_secs(100);

/// After how long a silence a peer is closed: it missed a keep-alive, with a minute of grace.
pub const IDLE_DEADLINE: Duration = Duration::from_mins(3);

/// How long a message that began to arrive may take to be whole, and how long a peer may take to accept the next block
/// of what waits for it. A block a minute is slower than any link in use; below that a peer only holds our memory.
pub const MESSAGE_DEADLINE: Duration = Duration::from_mins(1);

/// The most bytes that may wait to be sent to one peer: twice the upload buffer of 1 MiB, so that a bitfield and many
/// haves fit beside it. A peer whose queue grows beyond does not read, and is closed.
pub const MAX_QUEUED: usize = 2 * 1024 * 1024;

/// How many reads one peer gets before the others have their turn. Most turns end with a full batch before that.
pub const READS_PER_TURN: usize = 16;

/// The most blocks that one read takes beside the one that is arriving. With eight blocks a read, what the reads cost
/// besides the copying is next to nothing.
pub const BLOCKS_AHEAD: usize = 7;

/// How many vectored writes one peer gets before the others have their turn: all that may be queued, or 256 KiB
/// of an encrypted stream, which takes more time a byte.
pub const WRITES_PER_TURN: usize = 4;

/// The most messages in one batch. It bounds what a flood of small messages makes us hold.
pub const MESSAGES_PER_BATCH: usize = 256;

/// The most blocks in one batch. An honest turn has fewer; it bounds how much of the memory for blocks one peer can fill
/// with blocks of a single byte.
pub const BLOCKS_PER_BATCH: usize = 32;

/// How many batches of one peer may be under way. One is being handled while the next one fills.
pub const BATCHES_PER_PEER: usize = 2;

/// How many keep-alives and unknown messages a peer may send at once ...
pub const USELESS_BURST: u64 = 1000;

/// ... and how many more each second. Extensions that we do not know send a few a minute; a peer beyond this only keeps
/// us busy.
pub const USELESS_PER_SECOND: u64 = 10;

/// The longest pad in an encryption handshake, in bytes: what its description allows.
pub const MAX_PAD_LEN: usize = 512;

/// The longest payload that may come within an encryption handshake, in bytes. Clients put their 68 bytes of handshake
/// there; this leaves room for the messages after it.
pub const MAX_INITIAL_LEN: usize = 4096;

/// The most bytes of one connection that are encrypted and not written: what one write of an encrypted stream carries.
/// Four blocks, so that few system calls are made and the bytes are still in the cache when the kernel copies them.
pub const SEALED_LEN: usize = 64 * 1024;

/// How much of that memory a connection keeps while nothing waits in it: room for small messages, not for blocks.
pub const SEALED_KEPT: usize = 1024;
