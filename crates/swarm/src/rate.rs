//! Measures bytes a second from bytes and ticks. It never asks what time it is.

use std::time::Duration;

/// After so many ticks without a byte a rate is told as 0. Smoothing alone would tell of a stream for a
/// minute after its end; a slow but steady stream has a block more often than this.
const STILL_AFTER: u8 = 8;

/// A smoothed rate and a total.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Meter {
    total: u64,
    /// The total at the last tick.
    ticked: u64,
    /// The total at the last choke round.
    marked: u64,
    rate: u64,
    /// The ticks in a row that nothing came in.
    still: u8,
}

impl Meter {
    pub(crate) fn add(&mut self, bytes: u64) {
        self.total = self.total.saturating_add(bytes);
    }

    /// Takes in what came during the last `elapsed`. Each new second weighs a quarter, except that
    /// the first bytes after nothing count in full.
    pub(crate) fn tick(&mut self, elapsed: Duration) {
        let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
        let sample = self.total.saturating_sub(self.ticked).saturating_mul(1000) / millis;
        self.ticked = self.total;
        self.still = if sample > 0 { 0 } else { self.still.saturating_add(1) };
        self.rate =
            if self.rate == 0 { sample } else { self.rate - self.rate.div_ceil(4) + sample / 4 };
    }

    /// Forgets the rate: there is nothing left that bytes could come from.
    pub(crate) fn stop(&mut self) {
        self.rate = 0;
        self.ticked = self.total;
    }

    /// Bytes since the last mark, which this sets anew.
    pub(crate) fn mark(&mut self) -> u64 {
        let since = self.since_mark();
        self.marked = self.total;
        since
    }

    /// Bytes since the last mark.
    pub(crate) fn since_mark(&self) -> u64 {
        self.total.saturating_sub(self.marked)
    }

    /// Bytes a second.
    pub(crate) fn rate(&self) -> u64 {
        self.rate
    }

    /// The rate to tell people of: 0 soon after the last byte.
    pub(crate) fn told(&self) -> u64 {
        if self.still < STILL_AFTER { self.rate } else { 0 }
    }

    pub(crate) fn total(&self) -> u64 {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn settles_at_a_steady_rate_and_falls_to_zero() {
        let mut meter = Meter::default();
        for _ in 0..40 {
            meter.add(1_000_000);
            meter.tick(SECOND);
        }
        assert!(meter.rate().abs_diff(1_000_000) < 1_000, "{}", meter.rate());
        for _ in 0..80 {
            meter.tick(SECOND);
        }
        assert_eq!(meter.rate(), 0);
        assert_eq!(meter.total(), 40_000_000);
    }

    #[test]
    fn what_is_told_is_0_within_seconds_of_the_last_byte() {
        let mut meter = Meter::default();
        meter.add(100_000_000);
        meter.tick(SECOND);
        assert_eq!(meter.told(), 100_000_000);
        for _ in 0..STILL_AFTER {
            assert!(meter.told() > 0);
            meter.tick(SECOND);
        }
        assert_eq!(meter.told(), 0);
        // A block now and then is smoothed, and no stream at its full rate.
        meter.add(16_384);
        meter.tick(SECOND);
        assert!(meter.told() > 0 && meter.told() < 100_000_000);
        meter.stop();
        assert_eq!((meter.rate(), meter.total()), (0, 100_016_384));
    }

    #[test]
    fn a_late_tick_does_not_inflate_the_rate() {
        let mut meter = Meter::default();
        meter.add(10_000);
        meter.tick(10 * SECOND);
        assert_eq!(meter.rate(), 1_000);
    }

    #[test]
    fn marks_are_independent_of_ticks() {
        let mut meter = Meter::default();
        meter.add(5);
        meter.tick(SECOND);
        meter.add(6);
        assert_eq!(meter.mark(), 11);
        assert_eq!(meter.since_mark(), 0);
    }
}
