//! Owns what touches sockets and the clock: making a connection, the handshake, and the task that runs one peer. Never
//! decides what is requested or served, and never reads a message's meaning beyond cancel, choke and keep-alive.
//!
//! A connection is one call of [`run`]. It owns the transport and both directions of the codec. What the peer sent
//! leaves it in [`Batch`]es through a sink, one batch a wake-up; what the peer is to get enters through a [`Handle`], many
//! messages a call. Neither side ever waits for the other:
//!
//! - at most [`BATCHES_PER_PEER`](crate::limits::BATCHES_PER_PEER) batches of one peer are under way. A batch's memory
//!   comes back when it is dropped, and reading pauses until then, so a flood costs its sender time and us nothing;
//! - blocks live within the budget of the [`Pool`](crate::Pool). While it is used up, reading pauses, writing goes on;
//! - a peer that does not read is closed once too much waits for it, or too long.
//!
//! Whoever makes the socket sets `TCP_NODELAY`: [`connect`] does, for accepted sockets it is the listener's task. Without
//! it small messages wait for acknowledgements.

mod batch;
mod close;
mod connect;
mod connection;
mod deadlines;
mod encryption;
mod handshake;
mod mailbox;
mod stream;
mod transport;

pub use batch::Batch;
pub use close::CloseReason;
pub use connect::connect;
pub use connection::{Config, run};
pub use encryption::{Encryption, incoming_either, outgoing_encrypted};
pub use handshake::{incoming, outgoing};
pub use mailbox::{Counters, Handle, Mailbox, channel};
pub use stream::Stream;
pub use transport::Transport;

#[cfg(test)]
mod tests;
