//! The table against what it promises: closest nodes, room for the near, no room for one owner's many.
#![allow(clippy::disallowed_methods, reason = "any instant will do")]

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::limits::SPARES;
use crate::random::Random;

/// Nodes of many networks whose addresses allow their ids.
fn node(random: &mut Random) -> (Id, SocketAddr) {
    let [a, b, c, d, ..] = random.bytes();
    let addr = SocketAddr::from(([20 + a % 100, b, c, d], 6881));
    (crate::id_for(addr.ip(), random.bytes()), addr)
}

fn full(seed: u8, nodes: usize, now: Instant) -> (Table, Vec<(Id, SocketAddr)>) {
    let mut random = Random::new([seed; 32]);
    let mut table = Table::new(Id(random.bytes()), now);
    let all: Vec<_> = (0..nodes).map(|_| node(&mut random)).collect();
    for (id, addr) in &all {
        table.replied(now, *id, *addr);
    }
    (table, all)
}

proptest! {
    #[test]
    fn closest_is_what_sorting_all_gives(seed: u8, nodes in 0..400_usize, target: [u8; 20]) {
        let (table, _) = full(seed, nodes, Instant::now());
        let mut all: Vec<_> = table.good().map(|node| (node.id, node.addr)).collect();
        all.sort_by_key(|(id, _)| id.distance(Id(target)));
        all.truncate(K);
        prop_assert_eq!(table.closest(Id(target), K), all);
    }

    #[test]
    fn the_nearest_nodes_are_all_kept(seed: u8, nodes in 8..400_usize) {
        let (table, all) = full(seed, nodes, Instant::now());
        let kept: Vec<Id> = table.good().map(|node| node.id).collect();
        let last = table.buckets.len() - 1;
        for (id, _) in all.iter().filter(|(id, _)| table.own.shared_bits(*id) >= last) {
            prop_assert!(kept.contains(id));
        }
        for (index, bucket) in table.buckets.iter().enumerate() {
            prop_assert!(bucket.live.len() <= K && bucket.spare.len() <= SPARES);
            for node in bucket.all() {
                prop_assert_eq!(table.index(node.id), index);
            }
        }
    }
}

#[test]
fn a_dead_node_makes_room_for_one_in_reserve() {
    let now = Instant::now();
    let (mut table, all) = full(3, 400, now);
    let before = table.len();
    assert!(!table.buckets[0].spare.is_empty());
    let (id, addr) = (table.buckets[0].live[0].id, table.buckets[0].live[0].addr);
    table.failed(now, id, addr);
    assert!(table.buckets[0].live.iter().any(|node| node.id == id), "one loss is an accident");
    table.failed(now, id, addr);
    assert!(table.buckets[0].live.iter().all(|node| node.id != id));
    assert_eq!(table.len(), before);
    assert!(all.len() > before);
}

#[test]
fn one_owner_gets_few_places() {
    let now = Instant::now();
    let mut table = Table::new(Id([0; 20]), now);
    let id = |n: u8| Id([128 + n; 20]);
    for n in 0..10 {
        table.replied(now, id(n), SocketAddr::from(([8, 8, 8, 8], 1_000 + u16::from(n))));
    }
    assert_eq!(table.len(), 1, "one node an address");
    for n in 10..20 {
        table.replied(now, id(n), SocketAddr::from(([8, 8, 8, n], 1)));
    }
    assert_eq!(table.len(), NEIGHBOURS);
    for n in 20..30 {
        table.replied(now, id(n), SocketAddr::from(([192, 168, 0, 1], 1_000 + u16::from(n))));
    }
    assert_eq!(table.len(), K, "at home hosts may have many");
}

#[test]
fn a_living_node_keeps_its_id_and_a_new_id_replaces_the_old() {
    let now = Instant::now();
    let mut table = Table::new(Id([0; 20]), now);
    let (one, other): (SocketAddr, SocketAddr) =
        (SocketAddr::from(([8, 8, 8, 8], 1)), SocketAddr::from(([9, 9, 9, 9], 1)));
    table.replied(now, Id([7; 20]), one);
    table.replied(now, Id([7; 20]), other);
    assert_eq!(table.closest(Id([7; 20]), K), [(Id([7; 20]), one)]);
    table.replied(now, Id([8; 20]), one);
    assert_eq!(table.closest(Id([7; 20]), K), [(Id([8; 20]), one)]);
    table.failed(now, Id([8; 20]), one);
    table.replied(now, Id([8; 20]), other);
    assert_eq!(table.closest(Id([7; 20]), K), [(Id([8; 20]), other)]);
}

#[test]
fn ids_that_addresses_allow_displace_others() {
    let now = Instant::now();
    let mut table = Table::new(Id([0; 20]), now);
    for n in 0..16 {
        let addr = SocketAddr::from(([30 + n, 1, 1, 1], 1));
        // A second bucket exists from the ninth on, so that the first is full for good.
        table.replied(now, Id([if n < 8 { 0x80 } else { 0x40 } + n; 20]), addr);
    }
    let fit = SocketAddr::from(([200, 1, 1, 1], 1));
    let id =
        (0..=255).map(|n| crate::id_for(fit.ip(), [n; 20])).find(|id| id.0[0] >= 0x80).unwrap();
    table.replied(now, id, fit);
    assert!(table.buckets[0].live.iter().any(|node| node.id == id));
    assert_eq!(table.buckets[0].spare.len(), 1);
}

#[test]
fn what_is_old_is_looked_after() {
    let now = Instant::now();
    let (mut table, _) = full(5, 100, now);
    assert_eq!(table.doubtful(now, 9), []);
    assert_eq!(table.stale(now), None);
    let later = now + DOUBTFUL_AFTER;
    assert_eq!(table.doubtful(later, 9).len(), 9);
    let buckets = table.buckets.len();
    let stale: Vec<usize> = std::iter::from_fn(|| table.stale(later)).collect();
    assert_eq!(stale, (0..buckets).collect::<Vec<_>>());
    let (id, addr) = table.closest(table.own, 1)[0];
    table.heard(later, id, addr);
    assert!(!table.doubtful(later + Duration::from_secs(1), 200).contains(&(id, addr)));
}

#[test]
fn a_new_id_keeps_the_nodes_that_fit() {
    let now = Instant::now();
    let (mut table, all) = full(9, 300, now);
    table.rehome(Id([0xee; 20]), now);
    assert_eq!(table.own(), Id([0xee; 20]));
    assert!(table.len() > 20);
    let mut closest = all;
    closest.sort_by_key(|(id, _)| id.distance(Id([0xee; 20])));
    assert!(table.closest(Id([0xee; 20]), K).iter().all(|node| closest.contains(node)));
}
