//! Owns what a connection shares with those who talk to it: messages to send, the wish to close, batches on their way
//! back, counters. Never touches the transport.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

use super::{Batch, CloseReason};
use crate::limits::{BATCHES_PER_PEER, MAX_QUEUED};
use crate::message::Message;

/// What one connection has moved so far, as of its last wake-up.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counters {
    /// All bytes read after the handshake.
    pub bytes_in: u64,
    /// The bytes of whole blocks among them.
    pub payload_in: u64,
    /// All bytes written after the handshake.
    pub bytes_out: u64,
    /// The bytes of blocks among them.
    pub payload_out: u64,
    /// Reads that gave bytes.
    pub reads: u64,
    /// Writes that took bytes.
    pub writes: u64,
    /// Messages of unknown kinds, skipped.
    pub skipped: u64,
    /// Keep-alives received.
    pub keep_alives: u64,
}

/// The two ends of a new connection: what others hold, and what [`run`](super::run) needs.
pub fn channel() -> (Handle, Mailbox) {
    let shared = Arc::<Shared>::default();
    let handle = Handle { owner: Arc::new(Owner(shared.clone())) };
    (handle, Mailbox { shared, empty: Vec::new() })
}

/// Speaks to a running connection. Cheap to clone; the connection closes when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct Handle {
    owner: Arc<Owner>,
}

/// A connection's own end of its [`Handle`].
#[derive(Debug)]
pub struct Mailbox {
    shared: Arc<Shared>,
    /// Trades places with the vector of messages to send, so that neither is allocated anew.
    empty: Vec<Message>,
}

/// Closes the connection when the last handle is gone.
#[derive(Debug)]
struct Owner(Arc<Shared>);

#[derive(Debug, Default)]
pub(super) struct Shared(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    outgoing: Vec<Message>,
    /// Bytes of `outgoing` on the wire.
    outgoing_len: usize,
    closed: Option<CloseReason>,
    /// Wakes the connection; taken by whoever does, so that a burst wakes it once.
    waker: Option<Waker>,
    /// How many batches are under way, and the memory of those that came back.
    batches_out: usize,
    spare: Vec<Vec<Message>>,
    /// Whether the connection cannot read on until a batch comes back.
    starved: bool,
    counters: Counters,
}

impl Handle {
    /// Queues `messages`, in order, and leaves the vector empty. Never waits: a peer with too much in its queue is closed
    /// instead. Once the connection is closed, messages vanish.
    pub fn send_all(&self, messages: &mut Vec<Message>) {
        let len: usize = messages.iter().map(Message::encoded_len).sum();
        let shared = &self.owner.0;
        let mut state = shared.lock();
        if state.closed.is_some() {
            drop(state);
            messages.clear();
            return;
        }
        state.outgoing.append(messages);
        state.outgoing_len += len;
        if state.outgoing_len > MAX_QUEUED {
            state.closed = Some(CloseReason::QueueFull);
        }
        wake(state);
    }

    /// Queues one message; see [`send_all`](Self::send_all), which is cheaper for many.
    pub fn send(&self, message: Message) {
        self.send_all(&mut vec![message]);
    }

    /// Closes the connection without sending what is queued.
    pub fn close(&self) {
        self.owner.close();
    }

    /// Whether the connection has ended or is about to.
    pub fn is_closed(&self) -> bool {
        self.owner.0.lock().closed.is_some()
    }

    /// What the connection has moved so far.
    pub fn counters(&self) -> Counters {
        self.owner.0.lock().counters
    }
}

impl Owner {
    fn close(&self) {
        let mut state = self.0.lock();
        state.closed.get_or_insert(CloseReason::Told);
        wake(state);
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.close();
    }
}

impl Mailbox {
    /// What is to be sent, after publishing `counters`. `cx` is woken when there is more, and when a batch comes back
    /// that the connection waits for.
    ///
    /// # Errors
    /// Why the connection is to close.
    pub(super) fn collect(
        &mut self,
        cx: &Context<'_>,
        counters: Counters,
    ) -> Result<Vec<Message>, CloseReason> {
        let mut state = self.shared.lock();
        state.counters = counters;
        if let Some(reason) = state.closed {
            return Err(reason);
        }
        state.waker = Some(cx.waker().clone());
        state.outgoing_len = 0;
        Ok(mem::replace(&mut state.outgoing, mem::take(&mut self.empty)))
    }

    /// Takes back the vector that [`collect`](Self::collect) gave.
    pub(super) fn recycle(&mut self, mut collected: Vec<Message>) {
        collected.clear();
        self.empty = collected;
    }

    /// An empty batch, or `None` if all are under way; then the connection is woken when one comes back.
    /// Publishes `counters` on the way.
    pub(super) fn batch(&self, counters: Counters) -> Option<Batch> {
        let mut state = self.shared.lock();
        state.counters = counters;
        if state.batches_out == BATCHES_PER_PEER {
            state.starved = true;
            return None;
        }
        state.batches_out += 1;
        let messages = state.spare.pop().unwrap_or_default();
        drop(state);
        Some(Batch { messages, drained: 0, dropped: 0, home: Some(self.shared.clone()) })
    }

    /// Takes note that the connection has ended. Messages that were not sent are dropped.
    pub(super) fn close(&mut self, reason: CloseReason, counters: Counters) {
        let mut state = self.shared.lock();
        state.closed.get_or_insert(reason);
        state.counters = counters;
        state.waker = None;
        let unsent = mem::take(&mut state.outgoing);
        drop(state);
        drop(unsent);
    }
}

impl Shared {
    /// A panic elsewhere cannot leave the state half changed, so a poisoned lock is as good as a sound one.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the memory of a batch back.
    pub(super) fn give_back(&self, messages: Vec<Message>) {
        let mut state = self.lock();
        state.batches_out = state.batches_out.saturating_sub(1);
        state.spare.push(messages);
        if mem::take(&mut state.starved) {
            wake(state);
        }
    }
}

/// Wakes the connection, outside of its lock.
fn wake(mut state: MutexGuard<'_, State>) {
    let waker = state.waker.take();
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
}
