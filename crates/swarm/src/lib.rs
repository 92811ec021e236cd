#![doc = include_str!("../README.md")]
//!
//! # How it is put together
//!
//! This file only names the modules. [`Torrent`] owns all state of one torrent and is the only
//! thing that decides; what it may not do is wait. Inputs ([`Input`]) change state at once; what
//! follows from them is put in a queue of [`Action`]s, and what is better done once for many inputs
//! (filling request windows, serving, dialing) is done when that queue is asked for.
//!
//! Follow one block. The choker of a peer unchokes us; the peer gets a turn. The torrent takes a
//! block of a begun piece that the peer has, or lets the picker begin the rarest one; the block is
//! noted as asked of this peer, in the begun piece and in the peer's pipeline, and a request goes
//! out. The block comes: its numbers are checked against the layout, the pipeline says that it was
//! due, the begun piece that it is needed, and it goes to the disk. The last block of a piece is
//! followed by a check. A good piece is told to everybody who lacks it; a bad one is evidence.
//!
//! | module | owns |
//! |---|---|
//! | `border`, `close`, `stats` | the words exchanged with the driver |
//! | `limits` | every number, with its reason |
//! | `torrent` | who applies which rule when; its parts: connections, messages, extended and fast messages, peer exchange, metadata, download, end-game, verification, upload, how pieces spread |
//! | `peer`, `pieces`, `extended`, `fast`, `pex` | what is known of one connection |
//! | `picker` | pieces nobody was asked for, by rarity |
//! | `partial` | begun pieces, block by block |
//! | `requests` | what one peer owes us, and how much to ask ahead |
//! | `uploads`, `upload_queue` | what we owe one peer, and which of it goes first |
//! | `choker` | who gets a slot |
//! | `bans` | evidence, convictions |
//! | `metadata` | fetching the metadata of a magnet and giving it to others; what peers say before it is known |
//! | `candidates`, `priority`, `ourselves` | addresses, when to dial them, and whom first |
//! | `host`, `worth` | whose share of a scarce place is used, and what a connection was worth lately |
//! | `accounts` | what each host was given without having earned it |
//! | `rate`, `bucket`, `limit` | measuring and limiting |
//!
//! Memory is bounded: what a peer may make us keep (queues, late requests, known addresses,
//! evidence) has a limit each, and blocks on their way in or out are bounded by request windows and
//! upload buffers. No table here is hashed with a random seed, so that nothing depends on it.
// What comes from outside is never used as an index unchecked.
#![warn(clippy::indexing_slicing)]
#![cfg_attr(test, allow(clippy::indexing_slicing, reason = "a test that indexes wrongly fails"))]
#![cfg_attr(
    test,
    allow(clippy::disallowed_methods, reason = "virtual time has to begin somewhere")
)]

mod accounts;
mod bans;
mod border;
mod bucket;
mod candidates;
mod choker;
mod close;
mod extended;
mod fast;
mod host;
mod limit;
pub mod limits;
mod metadata;
mod ourselves;
mod partial;
mod peer;
mod pex;
mod picker;
mod pieces;
mod priority;
mod rate;
mod requests;
mod stats;
mod torrent;
mod upload_queue;
mod uploads;
mod worth;

pub use border::{
    Action, Begin, Checked, Config, Control, DiskDone, DiskJob, Event, Input, Origin, PeerKey,
    Phase, Source,
};
pub use close::CloseReason;
pub use host::host;
pub use limit::Limit;
pub use metadata::Progress as MetadataProgress;
pub use stats::{PeerStats, Stats};
pub use torrent::Torrent;
