#![doc = include_str!("../README.md")]
//!
//! This file owns the list of modules and what of them is public; the rules are in the modules.
//! The crate never does I/O: it is given bytes and gives answers.

// What comes from outside is never used as an index unchecked.
#![warn(clippy::indexing_slicing)]
#![cfg_attr(test, allow(clippy::indexing_slicing, reason = "a test that indexes wrongly fails"))]

mod create;
mod edit;
mod error;
mod fields;
mod file;
mod hash;
mod layout;
mod links;
mod login;
mod magnet;
mod merkle;
mod metainfo;
mod path;
mod paths;
mod piece_set;
mod read;
mod warnings;

pub use create::{Extras, NewFile, Plan, default_piece_length};
pub use edit::{Edit, Edited};
pub use error::{Error, ErrorKind};
pub use file::{File, FileKind};
pub use hash::{InfoHash, InfoHashV2};
pub use layout::{
    BLOCK_LEN, Block, FileSpan, Layout, MAX_PIECE_LENGTH, MAX_PIECES, MAX_REQUEST_LEN, PieceIndex,
};
pub use login::{hide_login, without_login};
pub use magnet::{MAX_MAGNET_LEN, Magnet};
pub use merkle::merkle_root;
pub use metainfo::{Expected, MAX_TORRENT_LEN, Metainfo, Version};
pub use path::{
    MAX_COMPONENT_LEN, is_unprintable, sanitise_for_terminal, sanitise_name, shorten_name,
};
pub use paths::{SameName, separate_paths};
pub use piece_set::PieceSet;
