//! Owns what is to be sent to one peer: small messages as bytes, blocks as the payloads they came in. Never writes a
//! socket, and never decides who gets what.

use std::collections::VecDeque;
use std::io::IoSlice;

use crate::message::{Head, Message, Request};
use crate::payload::Payload;

/// The most slices offered for one write. Two make a block, so one write carries a megabyte of usual blocks, which is
/// all that `swarm` lets wait for one peer.
pub const MAX_SLICES: usize = 128;

/// Bytes of an empty queue's memory that are kept for the next messages. What a rare large one needed is given back, so
/// that a thousand idle peers stay small.
const KEPT_LEN: usize = 4096;

/// Messages waiting to be written to one peer, in order.
///
/// [`slices`](Self::slices) gives them to a vectored write without copying any block; [`advance`](Self::advance) takes
/// note of what was written and returns each payload to its pool as it leaves.
#[derive(Default)]
pub struct SendQueue {
    /// The encoded bytes of all control segments, in order.
    control: VecDeque<u8>,
    segments: VecDeque<Segment>,
    bytes: usize,
    /// Blocks that are taken out are rejected.
    rejects: bool,
}

enum Segment {
    /// The next so many bytes of `control`.
    Control(usize),
    Block {
        request: Request,
        head: Head,
        payload: Payload,
        /// How much of head and payload was written.
        sent: usize,
    },
}

/// Blocks that were taken out unsent.
#[derive(Default)]
struct Removed {
    /// Without the heads.
    bytes: usize,
    /// What they were to answer, if that is of interest.
    requests: Vec<Request>,
}

impl SendQueue {
    /// An empty queue.
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on each block that is taken out unsent is rejected, as every request of a peer that speaks the fast
    /// extension gets an answer (BEP 6).
    pub fn set_fast(&mut self) {
        self.rejects = true;
    }

    /// Bytes waiting, message heads included.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// Puts `message` at the end. A choke takes all blocks before it out of the queue, save one that is partly written:
    /// a choked peer must not get them; with the [fast extension](Self::set_fast) their rejects follow the choke. Gives
    /// the number of block bytes taken out.
    pub fn push(&mut self, message: Message) -> usize {
        let head = message.head();
        let mut removed = Removed::default();
        match message {
            Message::Piece { piece, offset, payload } => {
                let len = u32::try_from(payload.len()).unwrap_or(u32::MAX);
                self.bytes += head.as_bytes().len() + payload.len();
                let request = Request { piece, offset, len };
                self.segments.push_back(Segment::Block { request, head, payload, sent: 0 });
            }
            other => {
                if other == Message::Choke {
                    removed = self.remove_blocks(|_| true);
                }
                self.push_control(head.as_bytes());
                self.push_control(other.body());
            }
        }
        self.reject(removed)
    }

    /// Takes a block that the peer cancelled out of the queue, unless its writing has begun; with the [fast
    /// extension](Self::set_fast) it is rejected. Gives the number of block bytes taken out.
    pub fn cancel(&mut self, request: Request) -> usize {
        let removed = self.remove_blocks(|queued| queued == request);
        self.reject(removed)
    }

    /// Fills `out` with what is to be written next and says how many slices that is.
    pub fn slices<'a>(&'a self, out: &mut [IoSlice<'a>]) -> usize {
        let (first, second) = self.control.as_slices();
        let mut control = [first, second];
        let mut parts = self.segments.iter().flat_map(|segment| match segment {
            Segment::Control(len) => {
                let [a, b] = &mut control;
                let from_a = split_off_front(a, *len);
                [from_a, split_off_front(b, *len - from_a.len())]
            }
            Segment::Block { head, payload, sent, .. } => {
                let head = head.as_bytes();
                let of_payload = sent.saturating_sub(head.len());
                [
                    head.get(*sent..).unwrap_or_default(),
                    payload.get(of_payload..).unwrap_or_default(),
                ]
            }
        });
        let mut filled = 0;
        let mut parts = parts.by_ref().filter(|part| !part.is_empty());
        for (slot, part) in out.iter_mut().zip(&mut parts) {
            *slot = IoSlice::new(part);
            filled += 1;
        }
        filled
    }

    /// Takes note that the first `n` bytes of [`slices`](Self::slices) were written. Gives the number of block bytes
    /// among them.
    pub fn advance(&mut self, n: usize) -> usize {
        debug_assert!(n <= self.bytes, "more than there was");
        let mut left = n.min(self.bytes);
        self.bytes -= left;
        let mut drained = 0;
        while left > 0 {
            let Some(segment) = self.segments.front_mut() else { break };
            let done = match segment {
                Segment::Control(len) => {
                    let now = left.min(*len);
                    self.control.drain(..now);
                    *len -= now;
                    left -= now;
                    *len == 0
                }
                Segment::Block { head, payload, sent, .. } => {
                    let head_len = head.as_bytes().len();
                    let total = head_len + payload.len();
                    let now = left.min(total - *sent);
                    let payload_before = sent.saturating_sub(head_len);
                    *sent += now;
                    left -= now;
                    drained += sent.saturating_sub(head_len) - payload_before;
                    *sent == total
                }
            };
            if done {
                self.segments.pop_front();
            }
        }
        if self.segments.is_empty() {
            self.control.shrink_to(KEPT_LEN);
            self.segments.shrink_to(KEPT_LEN / size_of::<Segment>());
        }
        drained
    }

    fn push_control(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len();
        self.control.extend(bytes);
        if let Some(Segment::Control(len)) = self.segments.back_mut() {
            *len += bytes.len();
        } else {
            self.segments.push_back(Segment::Control(bytes.len()));
        }
    }

    /// Removes the blocks that nothing was written of and that `which` names.
    fn remove_blocks(&mut self, which: impl Fn(Request) -> bool) -> Removed {
        let mut removed = Removed::default();
        let (bytes, rejects) = (&mut self.bytes, self.rejects);
        self.segments.retain(|segment| match segment {
            Segment::Block { request, head, payload, sent: 0 } if which(*request) => {
                *bytes -= head.as_bytes().len() + payload.len();
                removed.bytes += payload.len();
                if rejects {
                    removed.requests.push(*request);
                }
                false
            }
            _ => true,
        });
        removed
    }

    /// Answers the requests whose blocks were removed, and gives the bytes of those.
    fn reject(&mut self, removed: Removed) -> usize {
        for request in removed.requests {
            self.push_control(Message::Reject(request).head().as_bytes());
        }
        removed.bytes
    }
}

/// Cuts up to `len` bytes off the front of `bytes` and gives them.
fn split_off_front<'a>(bytes: &mut &'a [u8], len: usize) -> &'a [u8] {
    let (front, rest) = bytes.split_at(len.min(bytes.len()));
    *bytes = rest;
    front
}

#[cfg(test)]
mod tests;
