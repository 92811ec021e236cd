//! Which ports of one host were tried and did not answer: nobody makes us scan a victim by naming
//! its ports one by one. It counts only; who is exempt beside this machine is for its caller to say.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::class::{Class, host};
use crate::limits::{AGAIN, MAX_HOSTS, MAX_UNANSWERED, WINDOW};

/// The ports that were tried, of all hosts. Clones count together, so that many torrents of one
/// session do not try many times as many.
#[derive(Clone, Debug, Default)]
pub struct Trials(Arc<Mutex<BTreeMap<IpAddr, Host>>>);

/// Ports of one host without an answer, the oldest first. Of IPv6, a host has many addresses.
#[derive(Debug, Default)]
struct Host(Vec<(SocketAddr, Instant)>);

impl Trials {
    /// Nothing was tried yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether `addr` may be tried now; it counts from here on. On loopback, where whole swarms are
    /// run for tests, nothing counts: only who is there himself, or the user, may name it.
    ///
    /// # Errors
    /// When to ask again, if too many ports of its host have not answered.
    pub fn begin(&self, now: Instant, addr: SocketAddr) -> Result<(), Instant> {
        let addr = SocketAddr::new(addr.ip().to_canonical(), addr.port());
        if Class::of(addr.ip()) == Class::Loopback {
            return Ok(());
        }
        let mut hosts = self.lock();
        let key = host(addr.ip());
        if !hosts.contains_key(&key) && hosts.len() >= MAX_HOSTS {
            make_room(&mut hosts, now);
        }
        let Host(tried) = hosts.entry(key).or_default();
        tried.retain(|(_, at)| now.saturating_duration_since(*at) < WINDOW);
        if tried.iter().any(|(known, _)| *known == addr) {
            return Ok(());
        }
        if tried.len() >= MAX_UNANSWERED {
            return Err(now + AGAIN);
        }
        tried.push((addr, now));
        Ok(())
    }

    /// Somebody who was looked for answered at `addr`, which does not count any more.
    pub fn answered(&self, addr: SocketAddr) {
        let addr = SocketAddr::new(addr.ip().to_canonical(), addr.port());
        let (key, mut hosts) = (host(addr.ip()), self.lock());
        if let Some(Host(tried)) = hosts.get_mut(&key) {
            tried.retain(|(known, _)| *known != addr);
            if tried.is_empty() {
                hosts.remove(&key);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<IpAddr, Host>> {
        // No code that holds the lock can leave the map half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets hosts that were tried long ago, and one more if there are none.
fn make_room(hosts: &mut BTreeMap<IpAddr, Host>, now: Instant) {
    let last = |host: &Host| host.0.last().map(|(_, at)| *at);
    hosts.retain(|_, host| last(host).is_some_and(|at| now.saturating_duration_since(at) < WINDOW));
    if hosts.len() >= MAX_HOSTS
        && let Some(oldest) = hosts.iter().min_by_key(|(_, host)| last(host)).map(|(ip, _)| *ip)
    {
        hosts.remove(&oldest);
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "any instant will do")]
mod tests {
    use std::time::Duration;

    use super::*;

    fn port(port: u16) -> SocketAddr {
        SocketAddr::new([9, 9, 9, 9].into(), port)
    }

    #[test]
    fn a_host_that_does_not_answer_is_tried_at_a_few_ports() {
        let (trials, mut now) = (Trials::new(), Instant::now());
        let tried = |now| (1..1000).filter(|n| trials.begin(now, port(*n)).is_ok()).count();
        assert_eq!(tried(now), MAX_UNANSWERED);
        now += WINDOW / 2;
        assert_eq!(tried(now), MAX_UNANSWERED, "the same ones again, and no others");
        assert_eq!(trials.begin(now, port(999)), Err(now + AGAIN));
        let clone = trials.clone();
        assert!(clone.begin(now, port(998)).is_err(), "clones count together");
        assert!(trials.begin(now, "9.9.9.8:1".parse().unwrap()).is_ok(), "another host");
        now += WINDOW;
        assert!(trials.begin(now, port(999)).is_ok());
    }

    #[test]
    fn many_peers_behind_one_address_are_all_reached() {
        let (trials, now) = (Trials::new(), Instant::now());
        for n in 1..1000 {
            assert!(trials.begin(now, port(n)).is_ok(), "{n}");
            trials.answered(port(n));
        }
    }

    #[test]
    fn the_addresses_of_an_ipv6_host_count_together() {
        let (trials, now) = (Trials::new(), Instant::now());
        let of = |n: u16| SocketAddr::new([0x2606, 0, 0, 1, 0, 0, 0, n].into(), 6881);
        let tried = (1..1000).filter(|n| trials.begin(now, of(*n)).is_ok()).count();
        assert_eq!(tried, MAX_UNANSWERED);
        trials.answered(of(1));
        assert!(trials.begin(now, of(2000)).is_ok());
    }

    #[test]
    fn many_hosts_take_bounded_memory() {
        let (trials, start) = (Trials::new(), Instant::now());
        for n in 0..10_000_u32 {
            let addr = SocketAddr::new((n + (9 << 24)).to_be_bytes().into(), 6881);
            assert!(trials.begin(start + Duration::from_millis(n.into()), addr).is_ok());
        }
        assert_eq!(trials.lock().len(), MAX_HOSTS);
    }
}
