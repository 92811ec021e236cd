//! Bencode, the encoding of BEP 3: bytes to values and values to bytes.
//!
//! Owns the grammar, its limits and the canonical form. Never does I/O and never knows what a
//! torrent or a tracker answer is.
#![doc = include_str!("../README.md")]
// What comes from outside is never used as an index unchecked.
#![warn(clippy::indexing_slicing)]
#![cfg_attr(test, allow(clippy::indexing_slicing, reason = "a test that indexes wrongly fails"))]

mod decoder;
mod encoder;
mod error;
mod tape;
mod token;
mod value;

pub use decoder::{Decoder, decode, decode_lenient};
pub use encoder::{DictEncoder, Encoder, encode_dict};
pub use error::{Error, ErrorKind, Oddity, OddityKind};
pub use tape::Kind;
pub use value::{Dict, Document, List, Value};

#[cfg(test)]
mod tests;
