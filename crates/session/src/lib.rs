#![doc = include_str!("../README.md")]
//!
//! This file owns the list of modules and what of them is public. The crate composes the others; it
//! holds no rule of the protocol, no JSON and no words for a terminal.
// What comes from outside is never used as an index unchecked.
#![warn(clippy::indexing_slicing)]
#![cfg_attr(test, allow(clippy::indexing_slicing, reason = "a test that indexes wrongly fails"))]

mod announce;
mod config;
mod connect;
mod descriptors;
mod dht_task;
mod dialects;
mod driver;
mod durable;
mod error;
mod event;
mod finder;
mod gap;
mod lsd_task;
mod magnet;
mod mail;
mod named;
mod open;
mod prune;
mod resume;
mod session;
mod shared;
mod stall;
mod start;
mod udp;

pub use config::{AddOptions, Config, DEFAULT_PORTS, DhtConfig, Serve};
pub use error::{Error, ErrorKind};
pub use event::{Event, PeerChange, Snapshot, State, TrackerSnapshot};
#[doc(hidden)]
pub use resume::fuzz::any_bytes as fuzz_resume;
pub use session::Session;
pub use stall::Stall;
pub use storage::{Allocation, Backend, Renamed, TorrentId};
pub use swarm::{MetadataProgress, Origin, PeerStats, Source, Stats};
pub use wire::net::Encryption;
