//! SHA-256 as callers see it: of one message, of many, and of streams fed window by window.

use std::sync::OnceLock;

use crate::stream::{Job, Stream};
use crate::{Algorithm, Block, Kernel, kernels, plan::Plan, schedule};

/// SHA-256 for [`Algorithm`].
#[derive(Clone, Copy)]
struct Core;

impl Algorithm for Core {
    type State = [u32; 8];
    const INITIAL: Self::State = [
        0x6a09_e667,
        0xbb67_ae85,
        0x3c6e_f372,
        0xa54f_f53a,
        0x510e_527f,
        0x9b05_688c,
        0x1f83_d9ab,
        0x5be0_cd19,
    ];

    fn compress(kernel: Kernel, states: &mut [Self::State], runs: &[&[Block]]) {
        kernels::sha256(kernel, states, runs);
    }

    fn plan() -> &'static Plan {
        static PLAN: OnceLock<Plan> = OnceLock::new();
        PLAN.get_or_init(Plan::measured::<Self>)
    }
}

/// The SHA-256 of one message, given as the slices it lies in.
pub fn sha256(segments: &[&[u8]]) -> [u8; 32] {
    let mut stream = Stream::<Core>::new();
    schedule::run_one(Job::close(&mut stream, segments));
    digest(stream.state())
}

/// The SHA-256 of each of many messages, in their order.
///
/// A message is a list of the slices it lies in. The messages may differ in length: a lane whose
/// message ends takes the next one, so more messages than [`sha256_lanes()`] are welcome.
pub fn sha256_many<'a, M: AsRef<[&'a [u8]]>>(messages: &[M]) -> Vec<[u8; 32]> {
    many(Core::plan(), messages)
}

/// How many messages at once make [`sha256_many`] and [`Sha256::update_many`] fastest on this machine.
pub fn sha256_lanes() -> usize {
    Core::plan().lanes()
}

/// The kernel that serves so many messages at once, as measured on this machine or as forced.
pub fn sha256_kernel(messages: usize) -> Kernel {
    Core::plan().kernel(messages)
}

impl Kernel {
    /// Like [`sha256_many`], but with this kernel whatever the number of messages.
    pub fn sha256_many<'a, M: AsRef<[&'a [u8]]>>(self, messages: &[M]) -> Vec<[u8; 32]> {
        many(&Plan::only(self), messages)
    }
}

fn many<'a, M: AsRef<[&'a [u8]]>>(plan: &Plan, messages: &[M]) -> Vec<[u8; 32]> {
    let mut streams = vec![Stream::<Core>::new(); messages.len()];
    let jobs = streams.iter_mut().zip(messages);
    schedule::run(plan, jobs.map(|(stream, message)| Job::close(stream, message.as_ref())));
    streams.iter().map(|stream| digest(stream.state())).collect()
}

fn digest(state: [u32; 8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (bytes, word) in bytes.as_chunks_mut().0.iter_mut().zip(state) {
        *bytes = word.to_be_bytes();
    }
    bytes
}

/// A SHA-256 fed slice by slice. Takes about a hundred bytes, whatever it has been fed.
#[derive(Clone)]
pub struct Sha256(Stream<Core>);

impl Sha256 {
    /// The hash of an empty message, ready to be fed.
    pub fn new() -> Self {
        Self(Stream::new())
    }

    /// Appends `bytes` to the message.
    pub fn update(&mut self, bytes: &[u8]) {
        schedule::run_one(Job::update(&mut self.0, bytes));
    }

    /// Appends bytes to several messages, side by side in lanes.
    ///
    /// Give [`sha256_lanes()`] or more pairs at a time, with windows of some KiB or more (a multiple of
    /// 64 bytes saves a copy of the odd end): one piece per stream, window after window.
    pub fn update_many<'a>(pairs: impl IntoIterator<Item = (&'a mut Self, &'a [u8])>) {
        let jobs = pairs.into_iter().map(|(hash, bytes)| Job::update(&mut hash.0, bytes));
        schedule::run(Core::plan(), jobs);
    }

    /// The digest of all bytes appended so far.
    pub fn finish(mut self) -> [u8; 32] {
        schedule::run_one(Job::close(&mut self.0, &[]));
        digest(self.0.state())
    }
}

impl Default for Sha256 {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sha256").finish_non_exhaustive()
    }
}
