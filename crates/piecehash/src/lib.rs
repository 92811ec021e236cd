//! Digests of many pieces at once, at the speed of the hardware: SHA-1 for v1 pieces (BEP 3) and
//! SHA-256 for the 16 KiB leaves of v2 (BEP 52).
//!
//! This crate owns the choice of the instructions to hash with and the art of keeping all their
//! lanes busy. It never reads a file, never starts a thread and never judges a digest; the caller
//! brings the bytes and compares the result.
//!
#![doc = include_str!("../README.md")]

mod kernel;
mod kernels;
mod plan;
mod schedule;
mod sha1;
mod sha256;
mod stream;

pub use kernel::Kernel;
pub use sha1::{Sha1, lanes, sha1, sha1_kernel, sha1_many};
pub use sha256::{Sha256, sha256, sha256_kernel, sha256_lanes, sha256_many};

/// What every kernel eats: 64 bytes, for SHA-1 and SHA-256 alike.
type Block = [u8; 64];

/// The most messages any kernel works on at once.
const MAX_LANES: usize = 16;

/// What differs between SHA-1 and SHA-256 as far as feeding them goes.
trait Algorithm {
    /// The chaining value: five or eight words.
    type State: Copy + PartialEq;
    /// The chaining value of an empty message.
    const INITIAL: Self::State;

    /// Advances `states[i]` over `runs[i]` with the given kernel. All runs have the same number of
    /// blocks; there are at most [`MAX_LANES`] of them.
    fn compress(kernel: Kernel, states: &mut [Self::State], runs: &[&[Block]]);

    /// Which kernel serves how many messages on this machine.
    fn plan() -> &'static plan::Plan;
}

#[cfg(test)]
mod tests;
