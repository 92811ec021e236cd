//! Who gets a slot, round after round.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::{Choker, Contender};
use crate::border::PeerKey;
use crate::limits::{CHOKE_ROUND, MAX_HOST_TURNS, OPTIMISTIC_TURN};

fn host(n: u64) -> IpAddr {
    let [.., a, b] = n.to_be_bytes();
    [10, 0, a, b].into()
}

/// Runs rounds over peers that give constant amounts; counts the rounds each was unchoked.
fn rounds(count: u32, slots: usize, seeding: bool, gives: &[u64]) -> Vec<u32> {
    let mut choker = Choker::default();
    let mut now = Instant::now();
    let mut peers: Vec<Contender> = (0..)
        .zip(gives)
        .map(|(n, gave)| Contender {
            peer: PeerKey(n),
            host: host(n),
            gave: *gave,
            unchoked: false,
            turned: None,
            tried: None,
            lot: u32::try_from(n).expect("few") * 7919 % 101,
        })
        .collect();
    let mut served: BTreeMap<PeerKey, u32> = BTreeMap::new();
    for _ in 0..count {
        let before = choker.optimistic();
        let unchoked = choker.round(now, slots, seeding, peers.clone());
        assert!(unchoked.len() <= slots + 1);
        for contender in &mut peers {
            let serve = unchoked.contains(&contender.peer);
            if serve != contender.unchoked {
                contender.unchoked = serve;
                contender.turned = Some(now);
            }
            if choker.optimistic() == Some(contender.peer) && before != choker.optimistic() {
                contender.tried = Some(now);
            }
            *served.entry(contender.peer).or_default() += u32::from(serve);
        }
        now += CHOKE_ROUND;
    }
    served.into_values().collect()
}

#[test]
fn those_who_give_most_are_served_always() {
    let served = rounds(60, 2, false, &[10, 500, 20, 400, 0]);
    assert_eq!((served[1], served[3]), (60, 60));
    // The optimistic slot goes round among the other three.
    for peer in [0, 2, 4] {
        assert!((18..=24).contains(&served[peer]), "{served:?}");
    }
}

#[test]
fn the_optimistic_slot_lasts_three_rounds() {
    assert_eq!(OPTIMISTIC_TURN, 3 * CHOKE_ROUND);
    let served = rounds(3, 1, false, &[9, 0, 0]);
    assert_eq!(served.iter().filter(|rounds| **rounds == 3).count(), 2, "{served:?}");
    let served = rounds(6, 1, false, &[9, 0, 0]);
    assert_eq!(served, [6, 3, 3]);
}

#[test]
fn a_seed_serves_in_turn() {
    let served = rounds(90, 2, true, &[0; 9]);
    // Three slots for nine: a third of the time each.
    assert!(served.iter().all(|rounds| *rounds == 30), "{served:?}");
}

#[test]
fn spare_slots_serve_those_who_give_nothing() {
    assert_eq!(rounds(5, 4, false, &[0, 0, 3]), [5, 5, 5]);
    let served = rounds(40, 2, false, &[7, 0, 0, 0]);
    assert_eq!(served[0], 40);
    assert!(served[1..].iter().all(|rounds| (24..=30).contains(rounds)), "{served:?}");
}

#[test]
fn nobody_to_serve() {
    let mut choker = Choker::default();
    let now = Instant::now() + Duration::from_secs(1);
    assert!(choker.round(now, 8, false, Vec::new()).is_empty());
    assert_eq!(choker.optimistic(), None);
}

/// Runs rounds of three honest peers, and of strangers that come anew to each round from these hosts.
/// Gives how often an honest peer had a slot, and how many slots there were.
fn returning(seeding: bool, hosts: &[IpAddr]) -> (usize, usize) {
    let mut choker = Choker::default();
    let mut now = Instant::now();
    let contender = |peer, host| Contender {
        peer: PeerKey(peer),
        host,
        gave: 0,
        unchoked: false,
        turned: None,
        tried: None,
        lot: u32::try_from(peer * 7919 % 101).expect("small"),
    };
    let mut honest: Vec<Contender> = (0..3).map(|n| contender(n, host(n))).collect();
    let (mut served, mut slots) = (0, 0);
    for round in 0..60 {
        let strangers = hosts.iter().enumerate().map(|(n, host)| {
            contender(1_000 + round * 1_000 + u64::try_from(n).expect("few"), *host)
        });
        let all: Vec<Contender> = honest.iter().copied().chain(strangers).collect();
        let before = choker.optimistic();
        let unchoked = choker.round(now, 2, seeding, all.clone());
        for c in all.iter().filter(|c| unchoked.contains(&c.peer)) {
            choker.turned(now, c.host);
            if choker.optimistic() == Some(c.peer) && before != choker.optimistic() {
                choker.tried(now, c.host);
            }
        }
        for peer in &mut honest {
            let serve = unchoked.contains(&peer.peer);
            served += usize::from(serve);
            if serve != peer.unchoked {
                (peer.unchoked, peer.turned) = (serve, Some(now));
            }
            if choker.optimistic() == Some(peer.peer) && before != choker.optimistic() {
                peer.tried = Some(now);
            }
        }
        slots += unchoked.len();
        now += CHOKE_ROUND;
    }
    (served, slots)
}

#[test]
fn who_returns_with_a_fresh_id_does_not_go_first() {
    for seeding in [true, false] {
        // All of one address, and of a few.
        for hosts in [vec![host(9); 50], (0..50).map(|n| host(9 + n % 3)).collect()] {
            let (served, slots) = returning(seeding, &hosts);
            assert!(served * 2 > slots * 3 / 4, "{seeding}: {served} of {slots}");
        }
    }
}

#[test]
fn the_turns_of_hosts_are_remembered_within_bounds() {
    let mut choker = Choker::default();
    let start = Instant::now();
    for n in 0..5_000_u64 {
        choker.turned(start + Duration::from_secs(n), host(n));
    }
    assert_eq!(choker.hosts.len(), MAX_HOST_TURNS);
    assert!(choker.hosts.contains_key(&host(4_999)));
}
