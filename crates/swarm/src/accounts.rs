//! What each host was given without having earned it: metadata, blocks while it is choked, greetings.
//! The counters belong to the host (an IPv4 address, or a /64 of IPv6) and not to a connection, so that
//! connecting again begins nothing anew. It sends nothing.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Instant;

use crate::bucket::Bucket;
use crate::limits::{
    ALLOWED_FAST_AGAIN, ALLOWED_FAST_ALL, ALLOWED_FAST_BYTES, ALLOWED_FAST_RATE_ALL,
    GREETING_BURST, GREETING_RATE, MAX_ACCOUNTS, METADATA_AGAIN, METADATA_BURST_ALL,
    METADATA_RATE_ALL, METADATA_SHARE, METADATA_TIMES,
};

/// The counters of all hosts.
#[derive(Debug)]
pub(crate) struct Accounts {
    hosts: BTreeMap<IpAddr, Account>,
    /// What all hosts together are given.
    metadata: Bucket,
    fast: Bucket,
}

/// Those of one host.
#[derive(Debug)]
struct Account {
    used: Instant,
    /// Bytes of metadata; `None` before the first.
    metadata: Option<Bucket>,
    /// Bytes of blocks while choked.
    fast: Bucket,
    /// Bytes of greetings.
    greetings: Bucket,
}

impl Account {
    fn new(now: Instant) -> Self {
        Self {
            used: now,
            metadata: None,
            fast: Bucket::new(
                per_second(ALLOWED_FAST_BYTES, ALLOWED_FAST_AGAIN),
                ALLOWED_FAST_BYTES,
            ),
            greetings: Bucket::new(GREETING_RATE, GREETING_BURST),
        }
    }
}

impl Default for Accounts {
    fn default() -> Self {
        Self {
            hosts: BTreeMap::new(),
            metadata: Bucket::new(METADATA_RATE_ALL, METADATA_BURST_ALL),
            fast: Bucket::new(ALLOWED_FAST_RATE_ALL, ALLOWED_FAST_ALL),
        }
    }
}

impl Accounts {
    /// Whether a choked peer of this host may be given blocks now.
    pub(crate) fn may_have_fast(&mut self, now: Instant, host: IpAddr) -> bool {
        self.fast.is_open(now) && self.of(now, host).fast.is_open(now)
    }

    /// A choked peer of this host is given so many bytes of a block, if that may be.
    pub(crate) fn give_fast(&mut self, now: Instant, host: IpAddr, bytes: u64) -> bool {
        let give = self.may_have_fast(now, host);
        if give {
            self.fast.spend(bytes);
            self.of(now, host).fast.spend(bytes);
        }
        give
    }

    /// Whether this host may ask for more of the metadata, which is of `len` bytes.
    pub(crate) fn may_ask(&mut self, now: Instant, host: IpAddr, len: u64) -> bool {
        let most = len.saturating_mul(METADATA_TIMES).max(METADATA_SHARE);
        let share = || Bucket::new(per_second(most / METADATA_TIMES, METADATA_AGAIN), most);
        self.of(now, host).metadata.get_or_insert_with(share).is_open(now)
    }

    /// A peer of this host is given so many bytes of the metadata, if all hosts together may have
    /// more now.
    pub(crate) fn give_metadata(&mut self, now: Instant, host: IpAddr, bytes: u64) -> bool {
        let give = self.metadata.take(now, bytes);
        if give && let Some(share) = &mut self.of(now, host).metadata {
            share.spend(bytes);
        }
        give
    }

    /// When there is metadata to give again, as known after none was given.
    pub(crate) fn metadata_at(&self) -> Option<Instant> {
        self.metadata.ready_at()
    }

    /// Whether a new connection of this host is welcome.
    pub(crate) fn may_come(&mut self, now: Instant, host: IpAddr) -> bool {
        self.of(now, host).greetings.is_open(now)
    }

    /// A connection of this host cost so many bytes.
    pub(crate) fn came(&mut self, now: Instant, host: IpAddr, bytes: u64) {
        self.of(now, host).greetings.spend(bytes);
    }

    fn of(&mut self, now: Instant, host: IpAddr) -> &mut Account {
        if self.hosts.len() >= MAX_ACCOUNTS && !self.hosts.contains_key(&host) {
            // What has not been used for longest is fullest again.
            let oldest = self.hosts.iter().min_by_key(|(_, account)| account.used);
            if let Some(oldest) = oldest.map(|(host, _)| *host) {
                self.hosts.remove(&oldest);
            }
        }
        let account = self.hosts.entry(host).or_insert_with(|| Account::new(now));
        account.used = now;
        account
    }
}

/// The rate at which `bytes` come back in that time.
fn per_second(bytes: u64, time: std::time::Duration) -> u64 {
    (bytes / time.as_secs().max(1)).max(1)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LEN: u64 = 10_000_000;

    fn host(n: u32) -> IpAddr {
        IpAddr::from(n.to_be_bytes())
    }

    #[test]
    fn a_host_is_given_the_metadata_a_few_times_however_often_it_comes() {
        let (mut accounts, mut now, mut given) = (Accounts::default(), Instant::now(), 0);
        for _ in 0..60 {
            now += Duration::from_secs(1);
            // Each time by another connection, for all it matters here.
            while accounts.may_ask(now, host(1), LEN)
                && accounts.give_metadata(now, host(1), 16_384)
            {
                given += 16_384;
            }
        }
        assert!((METADATA_TIMES * LEN..(METADATA_TIMES + 1) * LEN).contains(&given), "{given}");
        assert!(!accounts.may_ask(now, host(1), LEN));
        now += METADATA_AGAIN;
        assert!(accounts.may_ask(now, host(1), LEN), "later it may have it again");
        assert!(accounts.may_ask(now, host(2), LEN), "another host may at any time");
    }

    #[test]
    fn all_hosts_together_are_given_metadata_at_a_rate() {
        let (mut accounts, start) = (Accounts::default(), Instant::now());
        let mut given = 0;
        for n in 0..10_000_u32 {
            let now = start + Duration::from_millis(u64::from(n));
            let more = accounts.may_ask(now, host(n), 16_384);
            given += u64::from(more && accounts.give_metadata(now, host(n), 16_384)) * 16_384;
        }
        let most = METADATA_BURST_ALL + 10 * METADATA_RATE_ALL;
        assert!(given <= most + 16_384 && given > most / 2, "{given}");
        assert!(accounts.metadata_at() > Some(start));
    }

    #[test]
    fn peers_behind_one_router_all_get_metadata_of_a_usual_size() {
        let (mut accounts, now) = (Accounts::default(), Instant::now());
        for n in 0..40 {
            assert!(accounts.may_ask(now, host(1), 100_000), "{n}");
            assert!(accounts.give_metadata(now, host(1), 100_000), "{n}");
        }
    }

    #[test]
    fn choked_peers_of_one_host_share_what_is_allowed_them() {
        let (mut accounts, mut now) = (Accounts::default(), Instant::now());
        let blocks = |accounts: &mut Accounts, now| {
            let given = (0..1_000).filter(|_| accounts.give_fast(now, host(1), 16_384));
            given.count() as u64 * 16_384
        };
        assert_eq!(blocks(&mut accounts, now), ALLOWED_FAST_BYTES);
        now += ALLOWED_FAST_AGAIN / 4;
        assert!(blocks(&mut accounts, now).abs_diff(ALLOWED_FAST_BYTES / 4) <= 32_768);
        let all: u64 =
            (2..1_000).map(|n| u64::from(accounts.give_fast(now, host(n), 1 << 20))).sum();
        assert!(all << 20 <= ALLOWED_FAST_ALL, "{all} MiB");
    }

    #[test]
    fn many_hosts_take_bounded_memory() {
        let (mut accounts, now) = (Accounts::default(), Instant::now());
        for n in 0..10_000 {
            accounts.came(now + Duration::from_millis(n.into()), host(n), 1);
        }
        assert_eq!(accounts.hosts.len(), MAX_ACCOUNTS);
    }
}
