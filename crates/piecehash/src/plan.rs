//! Decides which kernel serves how many messages, by trying each of them once per process: which is
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

    /// The forced kernel if there is one, otherwise what is fastest here.
    pub(crate) fn measured<A: Algorithm>() -> Self {
        if let Some(kernel) = Kernel::forced() {
            return Self::only(kernel);
        }
        let trial = Trial::<A>::new();
        let mut usable = Kernel::available();
        usable.retain(|&kernel| trial.is_right(kernel));
        let mut plan = Self::only(Kernel::PORTABLE);
        let mut best_pace = f64::INFINITY;
        for (chosen, count) in plan.kernels.iter_mut().zip(1_u32..) {
            let timed = usable.iter().map(|&kernel| (trial.time(kernel, count as usize), kernel));
            let Some((time, kernel)) = timed.min_by_key(|&(time, _)| time) else { continue };
            *chosen = kernel;
            // Nobody is asked for a number of messages that leaves lanes idle or takes two turns.
            let pace = time.as_secs_f64() / f64::from(count);
            if kernel.width() == count as usize && pace < best_pace * WORTH_MORE_LANES {
                plan.lanes = kernel.width();
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

/// Something to hash in every lane, and what the portable kernel makes of it.
struct Trial<A: Algorithm> {
    data: [[Block; TRIAL_BLOCKS]; MAX_LANES],
    expected: [A::State; MAX_LANES],
}

impl<A: Algorithm> Trial<A> {
    fn new() -> Self {
        // Consecutive bytes modulo a prime: no two lanes and no two blocks are alike.
        let mut bytes = (0..251).cycle();
        let mut data = [[[0; 64]; TRIAL_BLOCKS]; MAX_LANES];
        data.as_flattened_mut().as_flattened_mut().fill_with(|| bytes.next().unwrap_or(0));
        let mut trial = Self { data, expected: [A::INITIAL; MAX_LANES] };
        trial.expected = trial.run(Kernel::PORTABLE, MAX_LANES);
        trial
    }

    /// Whether the kernel computes what the portable one does. Tests see to that wherever they
    /// run; this is for the CPU that they have not met.
    fn is_right(&self, kernel: Kernel) -> bool {
        self.run(kernel, MAX_LANES) == self.expected
    }

    fn time(&self, kernel: Kernel, count: usize) -> Duration {
        let once = || {
            let start = Instant::now();
            black_box(self.run(black_box(kernel), count));
            start.elapsed()
        };
        (0..TRIALS).map(|_| once()).min().unwrap_or(Duration::MAX)
    }

    fn run(&self, kernel: Kernel, count: usize) -> [A::State; MAX_LANES] {
        let mut states = [A::INITIAL; MAX_LANES];
        let runs = self.data.each_ref().map(<[Block; TRIAL_BLOCKS]>::as_slice);
        A::compress(kernel, &mut states[..count], &runs[..count]);
        states
    }
}
