//! What the integration tests and `cargo xtask` share: torrents made from a seed, a local HTTP
//! tracker, a scripted peer, and running programs whose output can be awaited.
//!
//! It owns an opinion of its own on every format it touches: it never uses a crate of this
//! workspace, so that a mistake in `bencode`, `metainfo` or `wire` cannot hide by being made on both
//! sides of a test. It never sleeps where an event can be awaited, never uses a fixed port and never
//! leaves the machine.

pub mod binary;
pub mod cli;
pub mod extended;
pub mod message;
pub mod peer;
pub mod process;
pub mod seed;
pub mod terminal;
pub mod torrent;
pub mod tracker;
pub mod unread;

use std::time::Duration;

/// What went wrong, in words: nobody handles a failed test by its kind.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// The result of everything here that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// How long a test waits for anything on a machine that may be busy. Passing tests never wait it out.
pub const PATIENCE: Duration = Duration::from_mins(1);
