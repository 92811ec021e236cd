//! Owns a connection's clock: when to send a keep-alive, and when a peer has been too slow. Never moves a byte.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::{Instant, Sleep, sleep_until};

use super::CloseReason;
use crate::limits::{BLOCK_LEN, IDLE_DEADLINE, KEEP_ALIVE_AFTER, MESSAGE_DEADLINE};

/// One timer for all deadlines of a connection. It is set to the earliest, and moved only when it fires or something
/// earlier comes up, so a busy connection does not pay for it.
pub(super) struct Deadlines {
    timer: Pin<Box<Sleep>>,
    /// When the peer last sent something, and when we did.
    heard: Instant,
    spoke: Instant,
    /// Since when the message that is arriving has been, and how many were whole before it.
    arriving: Option<(Instant, u64)>,
    /// Since when the peer is expected to take bytes from us, and at which count of bytes it will have taken enough.
    leaving: Option<(Instant, u64)>,
}

/// What is due.
pub(super) enum Due {
    KeepAlive,
    Close(CloseReason),
}

impl Deadlines {
    pub(super) fn new(now: Instant) -> Self {
        let timer = Box::pin(sleep_until(now + KEEP_ALIVE_AFTER));
        Self { timer, heard: now, spoke: now, arriving: None, leaving: None }
    }

    /// Takes note that the peer sent bytes, that `whole` messages of it are whole by now, and whether another has begun.
    pub(super) fn read(&mut self, now: Instant, whole: u64, mid_message: bool) {
        self.heard = now;
        self.arriving = match self.arriving {
            _ if !mid_message => None,
            Some((since, before)) if before == whole => Some((since, before)),
            _ => Some((now, whole)),
        };
    }

    /// Takes note that we sent bytes.
    pub(super) fn wrote(&mut self, now: Instant) {
        self.spoke = now;
    }

    /// Takes note of how much still waits for the peer, which has taken `bytes_out` so far. It owes us the next block's
    /// worth.
    pub(super) fn waiting(&mut self, now: Instant, bytes_out: u64, queued: usize) {
        self.leaving = match self.leaving {
            _ if queued == 0 => None,
            Some((since, enough)) if bytes_out < enough => Some((since, enough)),
            _ => Some((now, bytes_out.saturating_add(queued.min(BLOCK_LEN) as u64))),
        };
    }

    /// Whether something is due. `held` says that it is we who do not read now, which is not counted against the peer.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, held: bool) -> Poll<Due> {
        loop {
            let earliest = self.earliest();
            if earliest < self.timer.deadline() {
                self.timer.as_mut().reset(earliest);
            }
            if self.timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            let now = Instant::now();
            if held {
                self.heard = now;
                self.arriving = self.arriving.map(|(_, whole)| (now, whole));
            }
            if let Some(reason) = self.overdue(now) {
                return Poll::Ready(Due::Close(reason));
            }
            let keep_alive = self.keep_alive_at().is_some_and(|at| at <= now);
            if keep_alive {
                self.spoke = now;
            }
            let next = self.earliest();
            self.timer.as_mut().reset(next);
            if keep_alive {
                return Poll::Ready(Due::KeepAlive);
            }
        }
    }

    /// A keep-alive is of no use behind other things that wait.
    fn keep_alive_at(&self) -> Option<Instant> {
        self.leaving.is_none().then(|| self.spoke + KEEP_ALIVE_AFTER)
    }

    fn closes_at(&self) -> [(Option<Instant>, CloseReason); 3] {
        let message_deadline =
            |since: Option<(Instant, u64)>| since.map(|(at, _)| at + MESSAGE_DEADLINE);
        [
            (Some(self.heard + IDLE_DEADLINE), CloseReason::Idle),
            (message_deadline(self.arriving), CloseReason::SlowMessage),
            (message_deadline(self.leaving), CloseReason::SlowReader),
        ]
    }

    fn overdue(&self, now: Instant) -> Option<CloseReason> {
        let mut closes = self.closes_at().into_iter();
        closes.find(|(at, _)| at.is_some_and(|at| at <= now)).map(|(_, reason)| reason)
    }

    fn earliest(&self) -> Instant {
        let closes = self.closes_at().into_iter().filter_map(|(at, _)| at);
        closes.chain(self.keep_alive_at()).min().unwrap_or(self.heard + IDLE_DEADLINE)
    }
}
