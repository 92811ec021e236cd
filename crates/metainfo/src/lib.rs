#![doc = include_str!("../README.md")]
//!
//! This file owns the list of modules and what of them is public; the rules are in the modules.
//! The crate never does I/O: it is given bytes and gives answers.

mod error;
mod hash;
mod layout;
mod piece_set;

pub use error::{Error, ErrorKind};
pub use hash::{InfoHash, InfoHashV2};
pub use layout::{
    BLOCK_LEN, Block, FileSpan, Layout, MAX_PIECE_LENGTH, MAX_PIECES, MAX_REQUEST_LEN, PieceIndex,
};
pub use piece_set::PieceSet;
