//! Owns the numbers that bound what a peer can make us do, each with its reason. Never applies them itself.

/// Bytes of a pooled buffer: the 16 KiB block that every client requests (BEP 3).
pub const BLOCK_LEN: usize = 16 * 1024;

/// The longest block payload accepted or served, in bytes. We ask for 16 KiB; some clients ask for 32 KiB.
pub const MAX_BLOCK_LEN: usize = 32 * 1024;

/// The longest message of any kind, in bytes after the length prefix. Nothing that real clients send comes near it; what
/// claims more is not a peer worth reading further.
pub const MAX_MESSAGE_LEN: u32 = 1024 * 1024;

/// The longest bitfield, in bytes, while the torrent's own size is unknown: one bit for each of 2,097,152 pieces.
pub const MAX_BITFIELD_LEN: usize = 2_097_152 / 8;
