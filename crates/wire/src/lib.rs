//! Owns the shape of what two BitTorrent peers say to each other: names, handshake, messages, and a codec without
//! I/O. Never decides what to ask for or whom to serve, and never knows what a piece number means.
#![doc = include_str!("../README.md")]
// What comes from outside is never used as an index unchecked.
#![warn(clippy::indexing_slicing)]
#![cfg_attr(test, allow(clippy::indexing_slicing, reason = "a test that indexes wrongly fails"))]
#![cfg_attr(
    test,
    allow(clippy::cast_possible_truncation, reason = "tests make bytes of small counters")
)]

mod decoder;
mod error;
pub mod extension;
mod handshake;
pub mod limits;
mod message;
#[cfg(feature = "mse")]
pub mod mse;
#[cfg(feature = "net")]
pub mod net;
mod payload;
mod peer_id;
mod pool;
mod reserved;
mod send_queue;

pub use decoder::{Decoder, MAX_READ_SLICES};
pub use error::{Error, ErrorKind};
pub use handshake::{HANDSHAKE_LEN, Handshake};
pub use message::{Message, Request};
pub use payload::Payload;
pub use peer_id::PeerId;
pub use pool::{Pool, Take};
pub use reserved::Reserved;
pub use send_queue::{MAX_SLICES, SendQueue};
