//! How much strangers can make us send: bytes a second, to each host and to all. Never waits; what
//! is too much is not sent.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::addr;
use crate::limits::{MAX_HOSTS, REPLY_BURST, REPLY_BURST_ALL, REPLY_RATE, REPLY_RATE_ALL};

/// How often hosts that owe nothing are forgotten: it looks at all of them.
const SWEEP: Duration = Duration::from_secs(1);

/// Bytes that come back at a steady rate.
#[derive(Clone, Copy, Debug)]
struct Allowance {
    rate: u64,
    burst: u64,
    left: i64,
    at: Instant,
}

impl Allowance {
    fn full(rate: u64, burst: u64, now: Instant) -> Self {
        Self { rate, burst, left: signed(burst), at: now }
    }

    fn refill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.at).as_millis();
        let back = passed.saturating_mul(u128::from(self.rate)) / 1_000;
        if back > 0 {
            let back = i64::try_from(back).unwrap_or(i64::MAX);
            self.left = self.left.saturating_add(back).min(signed(self.burst));
            self.at = now;
        }
    }

    fn is_full(&self) -> bool {
        self.left >= signed(self.burst)
    }
}

/// The allowances of all hosts.
#[derive(Debug)]
pub(crate) struct Gate {
    all: Allowance,
    each: BTreeMap<IpAddr, Allowance>,
    swept: Instant,
}

impl Gate {
    pub(crate) fn new(now: Instant) -> Self {
        let all = Allowance::full(REPLY_RATE_ALL, REPLY_BURST_ALL, now);
        Self { all, each: BTreeMap::new(), swept: now }
    }

    /// Whether a query from `ip` may be answered now.
    pub(crate) fn is_open(&mut self, now: Instant, ip: IpAddr) -> bool {
        self.all.refill(now);
        if self.all.left <= 0 {
            return false;
        }
        if let Some(allowance) = self.each.get_mut(&addr::host(ip)) {
            allowance.refill(now);
            return allowance.left > 0;
        }
        if self.each.len() >= MAX_HOSTS && now.saturating_duration_since(self.swept) >= SWEEP {
            self.swept = now;
            self.each.retain(|_, allowance| {
                allowance.refill(now);
                !allowance.is_full()
            });
        }
        self.each.len() < MAX_HOSTS
    }

    /// Counts an answer; the last one may go into debt.
    pub(crate) fn spend(&mut self, now: Instant, ip: IpAddr, bytes: usize) {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.all.left = self.all.left.saturating_sub(bytes);
        let full = Allowance::full(REPLY_RATE, REPLY_BURST, now);
        let allowance = self.each.entry(addr::host(ip)).or_insert(full);
        allowance.left = allowance.left.saturating_sub(bytes);
    }
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPLY: usize = 1_000;

    /// Answers to `ip` in `seconds`, asked for a thousand times a second.
    fn answers(gate: &mut Gate, start: Instant, seconds: u32, ip: impl Fn(u32) -> IpAddr) -> usize {
        let mut count = 0;
        for n in 0..seconds * 1_000 {
            let (now, ip) = (start + Duration::from_millis(u64::from(n)), ip(n));
            if gate.is_open(now, ip) {
                gate.spend(now, ip, REPLY);
                count += 1;
            }
        }
        count
    }

    #[test]
    #[allow(clippy::disallowed_methods, reason = "any instant will do")]
    fn a_flood_through_us_is_a_trickle() {
        let now = Instant::now();
        let mut gate = Gate::new(now);
        let one = answers(&mut gate, now, 60, |_| [1, 2, 3, 4].into());
        let allowed = u64::from(60_u32) * REPLY_RATE + REPLY_BURST;
        assert!((one * REPLY) as u64 <= allowed + REPLY as u64, "{one} answers");
        assert!(
            gate.is_open(now + Duration::from_mins(1), [1, 2, 3, 5].into()),
            "others are served"
        );
    }

    #[test]
    #[allow(clippy::disallowed_methods, reason = "any instant will do")]
    fn many_hosts_share_one_limit_and_bounded_memory() {
        let now = Instant::now();
        let mut gate = Gate::new(now);
        let all = answers(&mut gate, now, 30, |n| n.to_be_bytes().into());
        let allowed = u64::from(30_u32) * REPLY_RATE_ALL + REPLY_BURST_ALL;
        assert!((all * REPLY) as u64 <= allowed + REPLY as u64, "{all} answers");
        assert!(gate.each.len() <= MAX_HOSTS);
    }
}
