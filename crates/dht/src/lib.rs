#![doc = include_str!("../README.md")]
//!
//! # How it is put together
//!
//! This file only names the modules. [`Dht`] owns all state of one node, for IPv4 and for IPv6, and
//! is the only thing that decides; what it may not do is wait. Inputs change state at once, what
//! follows from them is put in a queue of [`Action`]s.
//!
//! Follow one search. A torrent joins; the routing table names the nodes closest to its info-hash;
//! the lookup asks a few of them at a time. Each reply names nodes that are closer still, and
//! perhaps peers, which are handed out as found. When the closest nodes that live have all answered,
//! the lookup is over, and they are told that we have the torrent, each with the token it gave.
//!
//! | module | owns |
//! |---|---|
//! | `border` | the words exchanged with the driver |
//! | `limits` | every number, with its reason |
//! | `dht` | who applies which rule when; its parts: answering, replies, searches, upkeep |
//! | `message` | KRPC: what a datagram says, and how it is written |
//! | `id`, `secure` | distances; ids tied to addresses (BEP 42) |
//! | `addr` | addresses in compact form, and which of them may be asked |
//! | `table` | the nodes we know, by distance |
//! | `lookup` | one walk towards a target |
//! | `store` | peers that others announced to us |
//! | `token`, `random` | what nobody may guess |
//! | `gate` | how much a stranger can make us send |
//! | `votes` | our own address, as others see it |
//! | `state` | what is kept between two runs |
// What comes from outside is never used as an index unchecked.
#![warn(clippy::indexing_slicing)]
#![cfg_attr(test, allow(clippy::indexing_slicing, reason = "a test that indexes wrongly fails"))]

mod addr;
mod border;
mod dht;
mod gate;
mod id;
pub mod limits;
mod lookup;
pub mod message;
mod random;
mod secure;
mod state;
mod store;
mod table;
mod token;
mod votes;

pub use addr::Family;
pub use border::{Action, Config, Event, Input, Stats};
pub use dht::Dht;
pub use id::{Distance, Id};
pub use secure::{fits, id_for};
pub use state::{BadState, State};
