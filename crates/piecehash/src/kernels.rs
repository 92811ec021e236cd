//! The compression functions, one per set of CPU instructions, and the one place that calls them.
//! They turn chaining values and whole blocks into chaining values, and know nothing of messages.

#![allow(unsafe_code, reason = "calls functions built for CPU features detected at run time")]
#![allow(
    clippy::many_single_char_names,
    clippy::wildcard_imports,
    reason = "the words of a state are called a to h by the standard, and intrinsics are many"
)]
#![allow(
    clippy::large_types_passed_by_value,
    clippy::needless_pass_by_value,
    clippy::needless_range_loop,
    reason = "small arrays and counted loops are what the compiler keeps in registers"
)]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod in_lanes;
#[cfg(target_arch = "x86_64")]
mod sha_ni;

use crate::Block;
use crate::kernel::{Kernel, Kind};

/// Defines the function that advances each state of `$words` words over its run, all runs of the
/// same number of blocks and at most `MAX_LANES` of them, with the given kernel.
macro_rules! dispatch {
    ($name:ident, $words:literal, $portable:path) => {
        pub(crate) fn $name(kernel: Kernel, states: &mut [[u32; $words]], runs: &[&[Block]]) {
            match kernel.0 {
                Kind::Portable => {
                    for (state, run) in states.iter_mut().zip(runs) {
                        $portable(state, run);
                    }
                }
                // SAFETY, here and below: a `Kernel` exists only where its features were detected.
                #[cfg(target_arch = "x86_64")]
                Kind::ShaNi => unsafe { sha_ni::$name(states, runs) },
                #[cfg(target_arch = "x86_64")]
                Kind::Avx2 => {
                    for (states, runs) in states.chunks_mut(8).zip(runs.chunks(8)) {
                        // SAFETY: as above.
                        unsafe { avx2::$name(states, runs) };
                    }
                }
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                Kind::Avx512 => unsafe { avx512::$name(states, runs) },
            }
        }
    };
}

dispatch!(sha1, 5, ::sha1::block_api::compress);
dispatch!(sha256, 8, sha2::block_api::compress256);
