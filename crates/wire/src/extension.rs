//! Owns the extension protocol (BEP 10): which extended messages we take, under which numbers, how long each may be, and
//! how their payloads are read and written. Never decides when one is sent or believed.
//!
//! A payload is a stranger's: reading one never panics, keeps no more than the limits allow, and takes a field that
//! makes no sense as one that is not there.
//!
//! ```
//! use wire::Message;
//! use wire::extension::{Extension, Handshake, Metadata};
//!
//! // A peer says that it takes `ut_metadata` messages as number 3 ...
//! let theirs = Handshake::decode(b"d1:md11:ut_metadatai3ee13:metadata_sizei31235e1:v3:abce")?;
//! assert_eq!(theirs.metadata_size, Some(31235));
//!
//! // ... so that is the number to ask it with.
//! let id = theirs.ids.get(Extension::Metadata).unwrap();
//! let ask = Message::Extended { id, payload: Metadata::Request { piece: 0 }.encode() };
//!
//! // Its answer comes under the number that we gave it.
//! assert_eq!(Extension::of_local_id(1), Some(Extension::Metadata));
//! let answer = Metadata::decode(b"d8:msg_typei2e5:piecei0ee")?;
//! assert_eq!(answer, Some(Metadata::Reject { piece: 0 }));
//! # assert!(ask.encoded_len() > 0);
//! # Ok::<(), wire::extension::Error>(())
//! ```

mod dont_have;
mod error;
mod fields;
mod handshake;
mod ids;
mod metadata;
mod pex;

pub use dont_have::DontHave;
pub use error::Error;
pub use handshake::Handshake;
pub use ids::{Extension, HANDSHAKE_ID, Ids, max_len};
pub use metadata::Metadata;
pub use pex::{Contact, ContactFlags, Pex};

#[cfg(test)]
mod tests;
