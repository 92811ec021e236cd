//! Who is dialed, how often, and who never.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use egress::Trials;

use super::Candidates;
use crate::border::Source;
use crate::limits::{
    CLAIM_TRUST, HOST_CANDIDATES, MAX_CANDIDATES, MAX_FAILURES, MAX_NEVER, PATIENT_DIAL,
    RETRY_FIRST, RETRY_LAST, SOURCE_CANDIDATES,
};
use crate::ourselves::Ourselves;

fn addr(n: u16) -> SocketAddr {
    let [a, b] = n.to_be_bytes();
    SocketAddr::from(([10, 0, a, b], 6881))
}

struct Lab {
    candidates: Candidates,
    now: Instant,
    rng: fastrand::Rng,
    us: Ourselves,
    trials: Trials,
}

impl Lab {
    fn new(own: &[SocketAddr]) -> Self {
        let rng = fastrand::Rng::with_seed(1);
        let us = Ourselves::new(own, None);
        Self {
            candidates: Candidates::new(own),
            now: Instant::now(),
            rng,
            us,
            trials: Trials::new(),
        }
    }

    fn found(&mut self, addr: SocketAddr, source: Source) {
        self.candidates.found(addr, source, self.now, &mut self.rng);
    }

    fn gone(&mut self, addr: SocketAddr, useful: bool) {
        self.candidates.gone(addr, useful, self.now, &mut self.rng);
    }

    fn dial(&mut self) -> Option<SocketAddr> {
        self.candidates.dial(self.now, &self.us, &self.trials)
    }
}

#[test]
fn each_address_is_dialed_once_and_our_own_never() {
    let own = addr(9);
    let mut lab = Lab::new(&[own]);
    let mapped: SocketAddr = "[::ffff:10.0.0.1]:6881".parse().expect("an address");
    let nowhere: SocketAddr = "0.0.0.0:6881".parse().expect("an address");
    let no_port: SocketAddr = "10.0.0.5:0".parse().expect("an address");
    for known in [addr(1), mapped, own, nowhere, no_port, addr(1)] {
        lab.found(known, Source::Tracker);
    }
    assert_eq!(lab.dial(), Some(addr(1)));
    assert_eq!(lab.dial(), None);
    assert_eq!(lab.candidates.half_open(), 1);
    lab.candidates.connected(addr(1));
    assert_eq!(lab.candidates.half_open(), 0);
    lab.found(addr(1), Source::Tracker);
    assert_eq!(lab.dial(), None);
}

#[test]
fn failures_are_waited_out_ever_longer_and_then_forgotten() {
    let mut lab = Lab::new(&[]);
    lab.found(addr(1), Source::Tracker);
    let mut wait = RETRY_FIRST;
    for _ in 0..MAX_FAILURES {
        assert_eq!(lab.dial(), Some(addr(1)));
        lab.gone(addr(1), false);
        let next = lab.candidates.next_turn().expect("a next time") - lab.now;
        assert!(next >= wait && next <= wait + wait / 4, "{next:?} for {wait:?}");
        assert_eq!(lab.dial(), None);
        lab.now += next;
        wait = (wait * 2).min(RETRY_LAST);
    }
    assert_eq!(lab.dial(), Some(addr(1)));
    lab.gone(addr(1), false);
    assert_eq!((lab.candidates.len(), lab.candidates.half_open()), (0, 0));
    assert_eq!(lab.candidates.next_turn(), None);
}

#[test]
fn a_useful_peer_is_tried_again_soon_and_a_given_one_is_kept() {
    let mut lab = Lab::new(&[]);
    lab.found(addr(1), Source::Given);
    for round in 0..3 * MAX_FAILURES {
        assert_eq!(lab.dial(), Some(addr(1)));
        lab.candidates.connected(addr(1));
        lab.gone(addr(1), round == 5);
        let next = lab.candidates.next_turn().expect("a next time");
        if round == 5 {
            assert!(next - lab.now < 2 * RETRY_FIRST);
        }
        lab.now = next;
    }
}

#[test]
fn a_hundred_thousand_addresses_take_bounded_room() {
    let mut lab = Lab::new(&[]);
    for n in 0..50_000 {
        lab.found(addr(n), Source::Tracker);
    }
    assert_eq!(lab.candidates.len(), MAX_CANDIDATES);
    lab.found(addr(60_000), Source::Given);
    assert_eq!(lab.candidates.len(), MAX_CANDIDATES + 1, "what the user gives always fits");
}

#[test]
fn never_means_never() {
    let mut lab = Lab::new(&[]);
    for n in 1..=3 {
        lab.found(addr(n), Source::Tracker);
    }
    let dialing = lab.dial().expect("one");
    lab.candidates.never(dialing);
    assert_eq!(lab.candidates.half_open(), 0);
    lab.gone(dialing, true);
    lab.candidates.never_ip(addr(2).ip());
    lab.candidates.never_ip(addr(1).ip());
    lab.candidates.never_ip(addr(3).ip());
    lab.now += Duration::from_secs(100_000);
    assert_eq!(lab.dial(), None);
}

#[test]
fn addresses_where_nobody_is_make_room_for_others() {
    let mut lab = Lab::new(&[]);
    let given = addr(0);
    lab.found(given, Source::Given);
    let many = u16::try_from(MAX_CANDIDATES).expect("few");
    for n in 1..=many {
        lab.found(addr(n), Source::Tracker);
    }
    assert_eq!(lab.candidates.len(), MAX_CANDIDATES);
    let failed = [lab.dial(), lab.dial(), lab.dial()].map(|dialed| dialed.expect("someone"));
    lab.found(addr(many + 1), Source::Tracker);
    assert_eq!(lab.candidates.len(), MAX_CANDIDATES, "nobody has failed yet");
    for addr in failed {
        lab.gone(addr, false);
    }
    let known = |lab: &Lab, addr| lab.candidates.known.contains_key(&addr);
    let forgotten = |lab: &Lab| failed.iter().filter(|addr| !known(lab, **addr)).count();
    let room = failed.iter().filter(|addr| **addr != given).count();
    for n in 1..=4 {
        lab.found(addr(many + 10 + n), Source::Tracker);
        assert_eq!(known(&lab, addr(many + 10 + n)), usize::from(n) <= room);
        assert_eq!(forgotten(&lab), room.min(n.into()));
    }
    assert!(known(&lab, given));
    assert_eq!(lab.candidates.len(), MAX_CANDIDATES);
}

#[test]
fn of_those_whose_turn_has_come_the_best_is_dialed_first() {
    let own: SocketAddr = "123.213.32.10:6881".parse().expect("an address");
    let mut lab = Lab::new(&[own]);
    let at = |text: &str| text.parse::<SocketAddr>().expect("an address");
    let given = at("1.1.1.1:1");
    lab.found(addr(1), Source::Tracker);
    assert_eq!(lab.dial(), Some(addr(1)));
    lab.gone(addr(1), false);
    lab.now += RETRY_FIRST * 2;
    lab.found(at("9.8.7.6:1"), Source::Pex);
    for known in (2..50).map(addr) {
        lab.found(known, Source::Tracker);
    }
    lab.found(given, Source::Given);
    let order: Vec<SocketAddr> = std::iter::from_fn(|| lab.dial()).collect();
    assert_eq!(order[0], given);
    // Every fourth dial, of which the first was made above, goes by time alone.
    assert_eq!(order[2], addr(1));
    let patient = |place: usize| (place + 2).is_multiple_of(PATIENT_DIAL as usize);
    let ranked: Vec<SocketAddr> =
        (0..).zip(&order).skip(1).filter(|(at, _)| !patient(*at)).map(|(_, addr)| *addr).collect();
    let of_peers = at("9.8.7.6:1");
    let tracked: Vec<&SocketAddr> = ranked.iter().filter(|addr| **addr != of_peers).collect();
    let priorities: Vec<u32> =
        tracked.iter().map(|theirs| crate::priority::priority(own, **theirs)).collect();
    assert!(ranked.iter().all(|addr| *addr != of_peers) || ranked.last() == Some(&of_peers));
    assert!(priorities.is_sorted_by(|a, b| a >= b), "{priorities:?}");
    assert!(priorities.first() > priorities.last());
}

#[test]
fn a_hearsay_address_takes_back_what_it_took() {
    let mut lab = Lab::new(&[]);
    for round in 0..3 {
        for n in 0..2_000 {
            lab.found(addr(n), Source::Pex);
        }
        assert_eq!(lab.candidates.len(), crate::limits::MAX_HEARSAY, "{round}");
        lab.candidates.forget(|source| source == Source::Pex);
        assert_eq!(lab.candidates.len(), 0);
    }
}

#[test]
fn of_several_sources_the_best_counts() {
    let mut lab = Lab::new(&[]);
    lab.found(addr(1), Source::Pex);
    lab.found(addr(2), Source::Dht);
    assert_eq!(lab.dial(), Some(addr(2)));
    lab.found(addr(3), Source::Local);
    lab.found(addr(1), Source::Tracker);
    lab.found(addr(1), Source::Dht);
    assert_eq!(lab.candidates.source(addr(1)), Some(Source::Tracker));
    assert_eq!(lab.dial(), Some(addr(1)), "its turn had come when the tracker named it");
    lab.gone(addr(1), false);
    lab.candidates.forget(|source| !source.is_of_private());
    assert_eq!(lab.candidates.source(addr(3)), None);
    assert!(lab.candidates.is_of_private(addr(1).ip()));
    assert_eq!(lab.candidates.source(addr(2)), Some(Source::Dht), "it is being dialed");
}

#[test]
fn addresses_that_are_never_dialed_again_take_no_room() {
    let mut lab = Lab::new(&[]);
    let many = u16::try_from(2 * MAX_CANDIDATES).expect("few");
    // Each of them shows our own peer id, or is banned.
    for n in 0..many {
        lab.found(addr(n), Source::Tracker);
        let dialed = lab.dial().expect("there is room");
        lab.candidates.connected(dialed);
        lab.candidates.never(dialed);
    }
    assert_eq!(lab.candidates.len(), 0);
    lab.found(addr(many - 1), Source::Tracker);
    assert_eq!(lab.dial(), None, "the latest are remembered");
    lab.found(addr(many + 1), Source::Tracker);
    assert_eq!(lab.dial(), Some(addr(many + 1)));
    assert!(usize::from(many) > MAX_NEVER);
}

#[test]
fn a_source_that_fills_the_table_leaves_room_to_the_others() {
    let mut lab = Lab::new(&[]);
    for n in 0..5_000 {
        lab.found(addr(n), Source::Tracker);
    }
    let share = MAX_CANDIDATES / SOURCE_CANDIDATES;
    for n in 5_000..6_000 {
        lab.found(addr(n), Source::Dht);
    }
    assert_eq!(lab.candidates.len(), MAX_CANDIDATES);
    let of_dht = (5_000..6_000).filter(|n| lab.candidates.known.contains_key(&addr(*n))).count();
    assert_eq!(of_dht, share);
}

#[test]
fn one_host_does_not_fill_the_table() {
    let mut lab = Lab::new(&[]);
    let hosts =
        ["10.1.1.1", "2606:db8:1:2::1"].map(|ip| ip.parse::<std::net::IpAddr>().expect("one"));
    for host in hosts {
        for port in 1..5_000 {
            lab.found(SocketAddr::new(host, port), Source::Tracker);
        }
    }
    // All addresses of a /64 are one host.
    for n in 0..5_000_u16 {
        let ip = std::net::Ipv6Addr::new(0x2606, 0xdb8, 9, 9, 0, 0, 0, n);
        lab.found(SocketAddr::new(ip.into(), 6881), Source::Tracker);
    }
    let half = MAX_CANDIDATES / 2;
    assert_eq!(lab.candidates.len(), half + 2 * HOST_CANDIDATES);
    let others = u16::try_from(half / 2).expect("few");
    for n in 0..others {
        lab.found(addr(n), Source::Tracker);
    }
    assert_eq!(lab.candidates.len(), half + 2 * HOST_CANDIDATES + half / 2);
    // And they are dialed before the many of one host.
    let first: Vec<SocketAddr> = (0..others).filter_map(|_| lab.dial()).collect();
    let of_hosts = first.iter().filter(|addr| hosts.contains(&addr.ip())).count();
    assert!(of_hosts <= first.len() / 3, "{of_hosts}");
}

#[test]
fn one_that_failed_is_tried_again_however_many_others_are_named() {
    let mut lab = Lab::new(&[]);
    let given = SocketAddr::from(([10, 3, 0, 1], 1));
    lab.found(given, Source::Given);
    lab.found(addr(0), Source::Tracker);
    for honest in [given, addr(0)] {
        assert_eq!(lab.dial(), Some(honest));
        lab.gone(honest, false);
    }
    let mut again = Vec::new();
    for n in 1..60_u16 {
        lab.now += Duration::from_secs(1);
        for m in 0..10 {
            lab.found(addr(100 + 10 * n + m), Source::Tracker);
            let dialed = lab.dial().expect("one of many");
            if dialed == given || dialed == addr(0) {
                again.push(dialed);
            }
            lab.gone(dialed, false);
        }
    }
    for honest in [given, addr(0)] {
        assert!(again.iter().filter(|dialed| **dialed == honest).count() >= 2, "{again:?}");
    }
}

#[test]
fn whoever_says_that_it_listens_there_holds_up_nobody_for_long() {
    let mut lab = Lab::new(&[]);
    let rng = &mut lab.rng.clone();
    lab.found(addr(1), Source::Tracker);
    assert!(lab.candidates.came(addr(1), lab.now, rng));
    let start = lab.now;
    let dialed = loop {
        lab.now += Duration::from_secs(1);
        // It goes and comes again, all the time.
        lab.candidates.left(addr(1), false, lab.now, rng);
        lab.candidates.came(addr(1), lab.now, rng);
        if let Some(dialed) = lab.dial() {
            break dialed;
        }
        assert!(lab.now - start <= CLAIM_TRUST + Duration::from_secs(1));
    };
    assert_eq!(dialed, addr(1));
    assert_eq!(lab.candidates.failures(addr(1)), 0, "that was no failure of its own");
}

/// A port of one host that is no host's of a peer.
fn victim(port: u16) -> SocketAddr {
    SocketAddr::from(([9, 9, 9, 9], port))
}

#[test]
fn a_victims_ports_are_not_scanned_whoever_names_them() {
    let sources = [Source::Tracker, Source::Dht, Source::Magnet, Source::Local];
    for source in sources {
        let mut lab = Lab::new(&[]);
        let mut dialed = BTreeSet::new();
        for minute in 0..50 {
            for port in 0..200 {
                let addr = victim(1_024 + 200 * minute + port);
                lab.found(if source == Source::Local { near(addr) } else { addr }, source);
            }
            while let Some(addr) = lab.dial() {
                dialed.insert(addr);
                lab.gone(addr, false);
            }
            lab.now += Duration::from_mins(1);
        }
        assert_eq!(dialed.len(), egress::limits::MAX_UNANSWERED, "{source:?}");
    }
}

fn near(addr: SocketAddr) -> SocketAddr {
    SocketAddr::from(([192, 168, 1, 9], addr.port()))
}

#[test]
fn all_peers_behind_one_address_are_dialed_if_they_answer() {
    let mut lab = Lab::new(&[]);
    let all = u16::try_from(HOST_CANDIDATES).expect("few");
    for port in 0..all {
        lab.found(victim(2_100 + port), Source::Tracker);
    }
    let mut dialed = 0;
    for _ in 0..30 {
        while let Some(addr) = lab.dial() {
            dialed += 1;
            lab.trials.answered(addr);
            lab.candidates.connected(addr);
        }
        lab.now += egress::limits::AGAIN;
    }
    assert_eq!(dialed, HOST_CANDIDATES);
    const { assert!(HOST_CANDIDATES > egress::limits::MAX_UNANSWERED) };
}

#[test]
fn what_the_user_named_is_dialed_at_any_port() {
    let mut lab = Lab::new(&[]);
    for port in 1..100 {
        lab.found(victim(port), Source::Given);
    }
    assert_eq!(std::iter::from_fn(|| lab.dial()).count(), 99);
}

#[test]
fn no_source_brings_the_port_of_another_service() {
    let mut lab = Lab::new(&[]);
    for source in [Source::Tracker, Source::Dht, Source::Pex, Source::Magnet] {
        lab.found(victim(25), source);
        lab.found("203.0.113.7:6881".parse().unwrap(), source);
    }
    assert_eq!(lab.dial(), None);
}
