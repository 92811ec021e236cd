//! Decides which kernel serves how many messages, by timing each of them once per process: which is
//! ahead differs from one generation of CPUs to the next. Never changes a digest, only its cost.

use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::{Algorithm, Block, Kernel, MAX_LANES};

/// Blocks per message in a trial: enough to outweigh the clock and the call.
const TRIAL_BLOCKS: usize = 16;

/// Trials of each kernel with each number of messages; the fastest counts, so that a trial which
/// the operating system interrupted does not. All of them take about a millisecond.
const TRIALS: usize = 5;

/// More messages in flight must shorten the time of each at least to this: they cost the caller
/// memory, and small differences are chance.
const WORTH_MORE_LANES: f64 = 0.97;

/// The kernel to use for each number of messages in flight.
pub(crate) struct Plan {
    /// `kernels[n - 1]` serves `n` messages.
    kernels: [Kernel; MAX_LANES],
    lanes: usize,
}

impl Plan {
    /// Uses one kernel for everything.
    pub(crate) fn only(kernel: Kernel) -> Self {
        Self { kernels: [kernel; MAX_LANES], lanes: kernel.width() }
    }

    /// The forced kernel if there is one, otherwise what is fastest here and now.
    pub(crate) fn measured<A: Algorithm>() -> Self {
        if let Some(kernel) = Kernel::forced() {
            return Self::only(kernel);
        }
        let available = Kernel::available();
        let mut plan = Self::only(Kernel::single());
        let mut best_pace = f64::INFINITY;
        for (kernel, count) in plan.kernels.iter_mut().zip(1..) {
            let timed = available.iter().map(|&kernel| (time_of::<A>(kernel, count), kernel));
            let Some((time, fastest)) = timed.min_by_key(|&(time, _)| time) else { continue };
            *kernel = fastest;
            let pace = time.as_secs_f64() / f64::from(count);
            if pace < best_pace * WORTH_MORE_LANES {
                plan.lanes = count as usize;
                best_pace = pace;
            }
        }
        plan
    }

    /// How many messages at once bring out the most bytes per second.
    pub(crate) fn lanes(&self) -> usize {
        self.lanes
    }

    /// The kernel for `count` messages.
    pub(crate) fn kernel(&self, count: usize) -> Kernel {
        self.kernels[count.clamp(1, MAX_LANES) - 1]
    }
}

/// How long the kernel takes for a trial with so many messages.
fn time_of<A: Algorithm>(kernel: Kernel, count: u32) -> Duration {
    let blocks: [Block; TRIAL_BLOCKS] = [[0x5a; 64]; TRIAL_BLOCKS];
    let runs: [&[Block]; MAX_LANES] = [&blocks; MAX_LANES];
    let mut states = [A::INITIAL; MAX_LANES];
    let count = count as usize;
    let mut trial = || {
        let start = Instant::now();
        A::compress(kernel, black_box(&mut states[..count]), black_box(&runs[..count]));
        start.elapsed()
    };
    (0..TRIALS).map(|_| trial()).min().unwrap_or(Duration::MAX)
}
