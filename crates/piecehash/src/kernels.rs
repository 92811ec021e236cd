//! The compression functions, one per set of CPU instructions, and the one place that calls them.
//! They turn chaining values and whole blocks into chaining values, and know nothing of messages.

#![allow(
    unsafe_code,
    reason = "calling code built for CPU features that were detected at run time"
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

/// Advances each SHA-1 state over its run, all of the same number of blocks.
pub(crate) fn sha1(kernel: Kernel, states: &mut [[u32; 5]], runs: &[&[Block]]) {
    // SAFETY, for all kernels: a `Kernel` exists only where the features it needs were detected.
    match kernel.0 {
        Kind::Portable => {
            for (state, run) in states.iter_mut().zip(runs) {
                ::sha1::block_api::compress(state, run);
            }
        }
        #[cfg(target_arch = "x86_64")]
        Kind::ShaNi => in_groups::<1, _>(
            states,
            runs,
            |s, r| unsafe { sha_ni::sha1(s, r) },
            |s, r| unsafe { sha_ni::sha1(s, r) },
        ),
        #[cfg(target_arch = "x86_64")]
        Kind::ShaNi2 => in_groups::<2, _>(
            states,
            runs,
            |s, r| unsafe { sha_ni::sha1(s, r) },
            |s, r| unsafe { sha_ni::sha1(s, r) },
        ),
        #[cfg(target_arch = "x86_64")]
        Kind::ShaNi3 => in_groups::<3, _>(
            states,
            runs,
            |s, r| unsafe { sha_ni::sha1(s, r) },
            |s, r| unsafe { sha_ni::sha1(s, r) },
        ),
        #[cfg(target_arch = "x86_64")]
        Kind::ShaNi4 => in_groups::<4, _>(
            states,
            runs,
            |s, r| unsafe { sha_ni::sha1(s, r) },
            |s, r| unsafe { sha_ni::sha1(s, r) },
        ),
        #[cfg(target_arch = "x86_64")]
        Kind::Avx2 => {
            for (states, runs) in states.chunks_mut(8).zip(runs.chunks(8)) {
                unsafe { avx2::sha1(states, runs) };
            }
        }
        #[cfg(target_arch = "x86_64")]
        Kind::Avx512 => unsafe { avx512::sha1(states, runs) },
    }
}

/// Advances each SHA-256 state over its run, all of the same number of blocks.
pub(crate) fn sha256(kernel: Kernel, states: &mut [[u32; 8]], runs: &[&[Block]]) {
    // SAFETY, for all kernels: a `Kernel` exists only where the features it needs were detected.
    match kernel.0 {
        Kind::Portable => {
            for (state, run) in states.iter_mut().zip(runs) {
                sha2::block_api::compress256(state, run);
            }
        }
        #[cfg(target_arch = "x86_64")]
        Kind::ShaNi => in_groups::<1, _>(
            states,
            runs,
            |s, r| unsafe { sha_ni::sha256(s, r) },
            |s, r| unsafe { sha_ni::sha256(s, r) },
        ),
        #[cfg(target_arch = "x86_64")]
        Kind::ShaNi2 => in_groups::<2, _>(
            states,
            runs,
            |s, r| unsafe { sha_ni::sha256(s, r) },
            |s, r| unsafe { sha_ni::sha256(s, r) },
        ),
        #[cfg(target_arch = "x86_64")]
        Kind::ShaNi3 => in_groups::<3, _>(
            states,
            runs,
            |s, r| unsafe { sha_ni::sha256(s, r) },
            |s, r| unsafe { sha_ni::sha256(s, r) },
        ),
        #[cfg(target_arch = "x86_64")]
        Kind::ShaNi4 => in_groups::<4, _>(
            states,
            runs,
            |s, r| unsafe { sha_ni::sha256(s, r) },
            |s, r| unsafe { sha_ni::sha256(s, r) },
        ),
        #[cfg(target_arch = "x86_64")]
        Kind::Avx2 => {
            for (states, runs) in states.chunks_mut(8).zip(runs.chunks(8)) {
                unsafe { avx2::sha256(states, runs) };
            }
        }
        #[cfg(target_arch = "x86_64")]
        Kind::Avx512 => unsafe { avx512::sha256(states, runs) },
    }
}

fn in_groups<const N: usize, const W: usize>(
    states: &mut [[u32; W]],
    runs: &[&[Block]],
    kernel: impl Fn(&mut [[u32; W]; N], [&[Block]; N]),
    single: impl Fn(&mut [[u32; W]; 1], [&[Block]; 1]),
) {
    let (groups, rest) = states.as_chunks_mut::<N>();
    let (run_groups, rest_runs) = runs.as_chunks::<N>();
    for (states, runs) in groups.iter_mut().zip(run_groups) {
        kernel(states, *runs);
    }
    for (state, run) in rest.as_chunks_mut().0.iter_mut().zip(rest_runs.as_chunks().0) {
        single(state, *run);
    }
}
