#![doc = include_str!("../README.md")]
//!
//! This file only names the modules: `message` is what a datagram says, `lsd` when to send one and
//! what to believe, `limits` every number with its reason.
// What comes from outside is never used as an index unchecked.
#![warn(clippy::indexing_slicing)]
#![cfg_attr(test, allow(clippy::indexing_slicing, reason = "a test that indexes wrongly fails"))]

pub mod limits;
mod lsd;
mod message;

pub use lsd::{Action, Input, Lsd};
pub use message::{Announce, Family};
