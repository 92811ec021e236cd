//! A token bucket: what a speed limit and the patience with a chatty peer have in common.
//! It never waits; it says when there will be enough.

use std::time::{Duration, Instant};

/// Tokens that come back at a steady rate, up to a capacity.
///
/// The last taker may go into debt, so a block longer than the capacity still passes once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    per_second: u64,
    capacity: u64,
    /// Negative: debt.
    level: i64,
    /// When the level was right; `None` before the first use.
    filled: Option<Instant>,
}

impl Bucket {
    /// A full bucket.
    pub(crate) fn new(per_second: u64, capacity: u64) -> Self {
        Self { per_second, capacity, level: signed(capacity), filled: None }
    }

    /// A speed limit in bytes a second: bursts of a quarter of a second. A limit of 0 lets nothing
    /// pass.
    pub(crate) fn limit(per_second: u64) -> Self {
        Self { level: 0, ..Self::new(per_second, per_second.div_ceil(4)) }
    }

    pub(crate) fn per_second(&self) -> u64 {
        self.per_second
    }

    /// Takes `tokens` if there are any at all.
    pub(crate) fn take(&mut self, now: Instant, tokens: u64) -> bool {
        let open = self.is_open(now);
        if open {
            self.spend(tokens);
        }
        open
    }

    /// True if `take` would succeed.
    pub(crate) fn is_open(&mut self, now: Instant) -> bool {
        self.fill(now);
        self.level > 0
    }

    /// Takes `tokens`, into debt if need be.
    pub(crate) fn spend(&mut self, tokens: u64) {
        self.level = self.level.saturating_sub(signed(tokens));
    }

    /// Puts back `tokens` that were taken and not used: up to what comes back in a second, since unused
    /// ones are noticed once a second, or to the capacity if that is more.
    pub(crate) fn refund(&mut self, tokens: u64) {
        let most = signed(self.capacity.max(self.per_second)).max(self.level);
        self.level = self.level.saturating_add(signed(tokens)).min(most);
    }

    /// When the next `take` will succeed; `None` if it does already or never will.
    pub(crate) fn ready_at(&self) -> Option<Instant> {
        if self.level > 0 || self.per_second == 0 {
            return None;
        }
        let missing = self.level.unsigned_abs().saturating_add(1);
        let nanos = u128::from(missing) * 1_000_000_000 / u128::from(self.per_second) + 1;
        let wait = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        self.filled?.checked_add(wait)
    }

    fn fill(&mut self, now: Instant) {
        let filled = *self.filled.get_or_insert(now);
        let elapsed = now.saturating_duration_since(filled).as_nanos();
        let earned = elapsed.saturating_mul(u128::from(self.per_second)) / 1_000_000_000;
        // Less than a token: leave the time on the clock, so that slow rates are not rounded away.
        if earned > 0 {
            let earned = i64::try_from(earned).unwrap_or(i64::MAX);
            // What was put back may be more than the capacity.
            let most = signed(self.capacity).max(self.level);
            self.level = self.level.saturating_add(earned).min(most);
            self.filled = Some(now);
        }
    }
}

fn signed(tokens: u64) -> i64 {
    i64::try_from(tokens).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_the_rate_and_says_when_there_is_more() {
        let start = Instant::now();
        let mut bucket = Bucket::limit(100_000);
        let (mut now, mut passed) = (start, 0);
        while now < start + Duration::from_secs(10) {
            while bucket.take(now, 16_384) {
                passed += 16_384;
            }
            now = bucket.ready_at().expect("in debt, and used before");
        }
        assert!((950_000..1_050_000).contains(&passed), "{passed}");
    }

    #[test]
    fn a_rate_of_zero_never_opens() {
        let start = Instant::now();
        let mut bucket = Bucket::limit(0);
        assert!(!bucket.take(start + Duration::from_secs(100), 1));
        assert_eq!(bucket.ready_at(), None);
    }

    #[test]
    fn slow_rates_are_not_rounded_away() {
        let start = Instant::now();
        let mut bucket = Bucket::new(1, 1);
        assert!(bucket.take(start, 1));
        let opened = (1..=100)
            .filter(|tenth| bucket.take(start + Duration::from_millis(100 * tenth), 1))
            .count();
        assert_eq!(opened, 10);
    }
}
