//! Decides which kernel serves how many messages at once, by measuring the kernels once per
//! process. Never changes a digest: every kernel computes the same one.

use crate::{Kernel, MAX_LANES};

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

    /// How many messages at once bring out the most bytes per second.
    pub(crate) fn lanes(&self) -> usize {
        self.lanes
    }

    /// The kernel for `count` messages.
    pub(crate) fn kernel(&self, count: usize) -> Kernel {
        self.kernels[count.clamp(1, MAX_LANES) - 1]
    }
}
