//! A tracker client, blocking on threads of its own: announces and scrapes over HTTP, HTTPS and
//! UDP, and the schedule of one torrent over its tiers.
//!
//! Owns everything between "these trackers, these counters" and "these peers, ask again then".
//! Never uses an async runtime, never connects to peers, never decides what a torrent needs.
#![doc = include_str!("../README.md")]
// What comes from outside is never used as an index unchecked.
#![warn(clippy::indexing_slicing)]
#![cfg_attr(test, allow(clippy::indexing_slicing, reason = "a test that indexes wrongly fails"))]

mod client;
mod content_coding;
mod error;
mod explain;
mod gate;
mod http;
pub mod limits;
mod lookup;
mod message;
mod policy;
mod pool;
mod query;
mod reply;
pub mod request_url;
mod shortage;
#[cfg(test)]
mod testkit;
mod text;
mod tiers;
mod udp;

pub use client::{Client, Config};
pub use error::{Error, ErrorKind};
pub use explain::explain;
pub use message::{Announce, Counts, Event, Reply, Scrape, ScrapeReply};
pub use policy::Policy;
pub use reply::{parse_announce, parse_scrape};
pub use shortage::Shortage;
pub use tiers::{Ask, Status, Tiers};
#[doc(hidden)]
pub use udp::fuzz::conversations as fuzz_udp;
