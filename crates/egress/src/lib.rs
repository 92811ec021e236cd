//! Which address may be contacted on whose word. One function, [`may_contact`], decides that for
//! every supplier of addresses; [`Trials`] bounds how many ports of one host are tried.
//!
//! Never does I/O and never looks a name up: it judges addresses that are known, and what it
//! admitted is what has to be connected to.
#![doc = include_str!("../README.md")]
// What comes from outside is never used as an index unchecked.
#![warn(clippy::indexing_slicing)]
#![cfg_attr(test, allow(clippy::indexing_slicing, reason = "a test that indexes wrongly fails"))]

mod class;
pub mod limits;
mod policy;
mod services;
mod trials;

pub use class::{Class, host};
pub use policy::{Refusal, Word, may_contact};
pub use services::is_service;
pub use trials::Trials;
