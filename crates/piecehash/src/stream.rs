//! One message on its way through a hash: the chaining value, the bytes that do not fill a block
//! yet, and the padding at the end. Hands out runs of whole blocks; never compresses them itself.

use std::slice;

use crate::{Algorithm, Block};

/// The part of a hash that outlives the buffers it was fed from.
pub(crate) struct Stream<A: Algorithm> {
    state: A::State,
    /// Bytes left over from inputs that did not end on a block boundary.
    carry: Block,
    /// How many bytes of `carry` count.
    filled: usize,
    /// Bytes of message seen so far, modulo 2^64 as the padding rule has it.
    length: u64,
}

impl<A: Algorithm> Stream<A> {
    pub(crate) fn new() -> Self {
        Self { state: A::INITIAL, carry: [0; 64], filled: 0, length: 0 }
    }

    /// The chaining value; the digest once a [`Job`] that closes the message has run.
    pub(crate) fn state(&self) -> A::State {
        self.state
    }
}

impl<A: Algorithm> Clone for Stream<A> {
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}

/// What is still to be written behind the last byte of the message.
#[derive(Clone, Copy)]
enum Padding {
    /// Nothing: more bytes may follow later, or all is written.
    None,
    /// The end mark, zeros, and the length if the block has room for it.
    Mark,
    /// A block of zeros and the length, since the block of the end mark had no room.
    Length,
}

/// A stream together with the bytes to feed it now.
pub(crate) struct Job<'a, A: Algorithm> {
    stream: &'a mut Stream<A>,
    /// What is left of the segment being read.
    input: &'a [u8],
    rest: slice::Iter<'a, &'a [u8]>,
    padding: Padding,
}

impl<'a, A: Algorithm> Job<'a, A> {
    /// Feeds one slice and leaves the message open.
    pub(crate) fn update(stream: &'a mut Stream<A>, input: &'a [u8]) -> Self {
        let mut job = Self { stream, input: &[], rest: [].iter(), padding: Padding::None };
        job.open(input);
        job
    }

    /// Feeds the segments, then closes the message.
    pub(crate) fn close(stream: &'a mut Stream<A>, segments: &'a [&'a [u8]]) -> Self {
        Self { stream, input: &[], rest: segments.iter(), padding: Padding::Mark }
    }

    fn open(&mut self, segment: &'a [u8]) {
        self.stream.length = self.stream.length.wrapping_add(segment.len() as u64);
        self.input = segment;
    }

    /// Gets at least one whole block ready for [`run`](Self::run); false when none is left.
    pub(crate) fn prepare(&mut self) -> bool {
        loop {
            if self.carried() || (self.stream.filled == 0 && self.input.len() >= 64) {
                return true;
            }
            if !self.input.is_empty() {
                self.carry_over();
            } else if let Some(segment) = self.rest.next() {
                self.open(segment);
            } else {
                match self.padding {
                    Padding::None => return false,
                    Padding::Mark => self.pad(0x80),
                    Padding::Length => self.pad(0),
                }
            }
        }
    }

    /// The blocks to compress next: straight from the caller's bytes wherever a whole block lies
    /// within one segment.
    pub(crate) fn run(&self) -> &[Block] {
        if self.carried() { slice::from_ref(&self.stream.carry) } else { self.input.as_chunks().0 }
    }

    /// Takes note that the first `blocks` blocks of [`run`](Self::run) led to `state`.
    pub(crate) fn advance(&mut self, state: A::State, blocks: usize) {
        self.stream.state = state;
        if self.carried() {
            self.stream.filled = 0;
        } else {
            self.input = self.input.get(blocks * 64..).unwrap_or_default();
        }
    }

    pub(crate) fn state(&self) -> A::State {
        self.stream.state
    }

    fn carried(&self) -> bool {
        self.stream.filled == 64
    }

    /// Moves bytes from the input to the carry until one is empty or the other is full.
    fn carry_over(&mut self) {
        let (_, room) = self.stream.carry.split_at_mut(self.stream.filled);
        let (taken, rest) = self.input.split_at(room.len().min(self.input.len()));
        room[..taken.len()].copy_from_slice(taken);
        self.stream.filled += taken.len();
        self.input = rest;
    }

    /// Completes the block in the carry with `first`, zeros, and the length if it fits.
    fn pad(&mut self, first: u8) {
        let (_, room) = self.stream.carry.split_at_mut(self.stream.filled);
        room.fill(0);
        // `prepare` never pads a full carry, so there is room for at least one byte.
        room[0] = first;
        // The end mark and the eight bytes of the length; without the mark it always fits.
        self.padding = if first != 0 && room.len() < 9 {
            Padding::Length
        } else {
            let bits = self.stream.length.wrapping_mul(8);
            self.stream.carry[56..].copy_from_slice(&bits.to_be_bytes());
            Padding::None
        };
        self.stream.filled = 64;
    }
}
