//! Owns the parcel in which a peer's messages travel to whoever decides. Never looks into them.

use std::sync::Arc;

use super::mailbox::Shared;
use crate::message::Message;

/// What happened on one connection since the batch before: one wake-up's worth.
///
/// Dropping it gives its memory back to the connection, which reads on only when one of its few batches is free. So take
/// the messages out, handle them, and drop the rest soon.
#[derive(Debug, Default)]
pub struct Batch {
    /// The peer's messages, in order. Keep-alives are not among them.
    pub messages: Vec<Message>,
    /// Block bytes that reached the socket.
    pub drained: u32,
    /// Block bytes that were taken out of the queue unsent, because the peer cancelled them or we choked it.
    pub dropped: u32,
    pub(super) home: Option<Arc<Shared>>,
}

impl Batch {
    /// Whether nothing happened.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.drained == 0 && self.dropped == 0
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        if let Some(home) = self.home.take() {
            let mut messages = std::mem::take(&mut self.messages);
            messages.clear();
            home.give_back(messages);
        }
    }
}
