//! Owns the memory budget for blocks: hands out buffers, takes them back, lets callers wait for one. Never allocates
//! beyond the budget, and knows nothing of peers or of any async runtime.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::limits::{BLOCK_LEN, MAX_BLOCK_LEN};
use crate::payload::Payload;

/// Buffers for blocks within a budget of memory. Cheap to clone; all clones are the same pool.
///
/// Buffers are 16 KiB and used again, the last one returned first since it is likely still in the processor's cache. A
/// longer block (up to [`MAX_BLOCK_LEN`]) gets a buffer of its own length that is freed after use. A shorter one counts
/// as 16 KiB.
#[derive(Clone)]
pub struct Pool {
    shared: Arc<Shared>,
    /// Bytes handed out through this share and not yet returned.
    mine: Option<Arc<AtomicUsize>>,
}

struct Shared {
    budget: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Bytes handed out and not yet returned.
    in_use: usize,
    free: Vec<Box<[u8]>>,
    /// Those who wait, first come first served.
    waiting: VecDeque<Waiting>,
    next_ticket: u64,
}

struct Waiting {
    ticket: u64,
    charge: usize,
    waker: Waker,
}

/// The pool that a payload returns to, and the share that it came from.
pub(crate) struct Home(Arc<Shared>, Option<Arc<AtomicUsize>>);

/// A share may have so many times what is free: one alone two thirds, and however many there are, each
/// further one finds something.
const OF_FREE: usize = 2;

impl Pool {
    /// A pool that never has more than `budget` bytes out. A budget under [`MAX_BLOCK_LEN`] counts as that, since such a
    /// pool could not serve every block.
    pub fn new(budget: usize) -> Self {
        let budget = budget.max(MAX_BLOCK_LEN);
        Self { shared: Arc::new(Shared { budget, state: Mutex::default() }), mine: None }
    }

    /// A share of the same pool. What it gives by [`try_take`](Self::try_take) stays below twice what is
    /// free, so that one share which keeps all it gets leaves something to every other.
    #[must_use]
    pub fn share(&self) -> Self {
        Self { shared: self.shared.clone(), mine: Some(Arc::default()) }
    }

    /// A payload of `len` bytes of arbitrary content, or `None` if the budget is used up or `len` exceeds
    /// [`MAX_BLOCK_LEN`].
    pub fn try_take(&self, len: usize) -> Option<Payload> {
        let mut state = self.shared.lock();
        let charge = charge(len)?;
        let free = self.shared.budget.saturating_sub(state.in_use);
        let mine = self.mine.as_ref().map_or(0, |mine| mine.load(Ordering::Relaxed));
        if mine > free.saturating_mul(OF_FREE) {
            return None;
        }
        let buffer = state.reserve(charge, self.shared.budget)?;
        drop(state);
        Some(self.payload(buffer, charge, len))
    }

    /// Waits for a payload of `len` bytes, in the order of the calls. A `len` above [`MAX_BLOCK_LEN`] counts as that.
    pub fn take(&self, len: usize) -> Take {
        Take { pool: self.clone(), len: len.min(MAX_BLOCK_LEN), ticket: None }
    }

    /// Bytes handed out and not yet returned.
    pub fn in_use(&self) -> usize {
        self.shared.lock().in_use
    }

    /// Bytes that may be out at once.
    pub fn budget(&self) -> usize {
        self.shared.budget
    }

    /// Allocates outside of the lock if no used buffer was at hand.
    fn payload(&self, buffer: Option<Box<[u8]>>, charge: usize, len: usize) -> Payload {
        let buffer = buffer.unwrap_or_else(|| vec![0; charge].into_boxed_slice());
        if let Some(mine) = &self.mine {
            mine.fetch_add(buffer.len(), Ordering::Relaxed);
        }
        Payload::pooled(buffer, len, Home(self.shared.clone(), self.mine.clone()))
    }
}

/// What a block of `len` bytes costs of the budget: the length of its buffer.
fn charge(len: usize) -> Option<usize> {
    (len <= MAX_BLOCK_LEN).then_some(len.max(BLOCK_LEN))
}

impl Shared {
    /// A panic elsewhere cannot leave the numbers half changed, so a poisoned lock is as good as a sound one.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Counts `charge` as in use if it fits, and gives a used buffer if there is one.
    #[expect(clippy::option_option, reason = "whether it fits, and whether a buffer was at hand")]
    fn reserve(&mut self, charge: usize, budget: usize) -> Option<Option<Box<[u8]>>> {
        if charge > budget.saturating_sub(self.in_use) {
            return None;
        }
        self.in_use += charge;
        Some(if charge == BLOCK_LEN { self.free.pop() } else { None })
    }

    /// The first in line, if what it waits for fits now.
    fn next_to_wake(&self, budget: usize) -> Option<Waker> {
        let room = budget.saturating_sub(self.in_use);
        self.waiting.front().filter(|first| first.charge <= room).map(|first| first.waker.clone())
    }
}

impl Home {
    pub(crate) fn give_back(self, buffer: Box<[u8]>) {
        if let Some(mine) = &self.1 {
            mine.fetch_sub(buffer.len(), Ordering::Relaxed);
        }
        let mut state = self.0.lock();
        state.in_use = state.in_use.saturating_sub(buffer.len());
        let too_long_to_keep = if buffer.len() == BLOCK_LEN {
            state.free.push(buffer);
            None
        } else {
            Some(buffer)
        };
        let waker = state.next_to_wake(self.0.budget);
        drop(state);
        drop(too_long_to_keep);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// The future of [`Pool::take`]. It keeps its place in the line until it is done or dropped.
#[must_use = "a future does nothing unless it is awaited"]
pub struct Take {
    pool: Pool,
    len: usize,
    ticket: Option<u64>,
}

impl Future for Take {
    type Output = Payload;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Payload> {
        let pool = self.pool.clone();
        let budget = pool.shared.budget;
        let charge = self.len.max(BLOCK_LEN);
        let mut state = pool.shared.lock();
        let position = self.ticket.and_then(|t| state.waiting.iter().position(|w| w.ticket == t));
        let first = position.map_or(state.waiting.is_empty(), |p| p == 0);
        if first && let Some(buffer) = state.reserve(charge, budget) {
            if let Some(position) = position {
                state.waiting.remove(position);
            }
            self.ticket = None;
            let next = state.next_to_wake(budget);
            drop(state);
            if let Some(waker) = next {
                waker.wake();
            }
            return Poll::Ready(pool.payload(buffer, charge, self.len));
        }
        if let Some(waiting) = position.and_then(|p| state.waiting.get_mut(p)) {
            waiting.waker.clone_from(cx.waker());
        } else {
            let ticket = state.next_ticket;
            state.next_ticket = ticket.wrapping_add(1);
            state.waiting.push_back(Waiting { ticket, charge, waker: cx.waker().clone() });
            self.ticket = Some(ticket);
        }
        Poll::Pending
    }
}

impl Drop for Take {
    /// Leaves the line, and passes on a wake-up that may have been meant for it.
    fn drop(&mut self) {
        let Some(ticket) = self.ticket else { return };
        let mut state = self.pool.shared.lock();
        state.waiting.retain(|w| w.ticket != ticket);
        let next = state.next_to_wake(self.pool.shared.budget);
        drop(state);
        if let Some(waker) = next {
            waker.wake();
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pool({} of {} bytes in use)", self.in_use(), self.budget())
    }
}

#[cfg(test)]
mod tests;
