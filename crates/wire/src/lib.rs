//! Owns the shape of what two BitTorrent peers say to each other: names, handshake, messages, and a codec without
//! I/O. Never decides what to ask for or whom to serve, and never knows what a piece number means.
#![doc = include_str!("../README.md")]

mod error;
mod handshake;
pub mod limits;
mod message;
mod payload;
mod peer_id;
mod pool;

pub use error::{Error, ErrorKind};
pub use handshake::{HANDSHAKE_LEN, Handshake};
pub use message::{Message, Request};
pub use payload::Payload;
pub use peer_id::PeerId;
pub use pool::{Pool, Take};
