//! Scenarios in virtual time: what a swarm of these torrents does as a whole. A failure prints the
//! seed; run it again with `SIM_TRACE=1` to keep every action.

mod sim;

use std::time::Duration;

use metainfo::{PieceIndex, PieceSet};
use sim::World;
use sim::disk::Liar;
use swarm::{CloseReason, Event};

const MINUTE: Duration = Duration::from_mins(1);
const BLOCK: u32 = metainfo::BLOCK_LEN;

fn one_seed(world: &mut World, leechers: usize) {
    let seed = world.seed();
    world.add(seed);
    for _ in 0..leechers {
        let leecher = world.leecher();
        world.add(leecher);
    }
    world.introduce_all();
}

#[test]
fn a_leecher_gets_everything_from_a_seed_and_both_let_go() {
    let mut world = World::new(1, 40, 3 * BLOCK);
    one_seed(&mut world, 1);
    assert!(world.run(MINUTE, World::all_complete));
    world.pass(Duration::from_secs(1));
    let leecher = &world.nodes[1];
    assert!(leecher.events.iter().any(|(_, event)| *event == Event::Completed));
    let stats = leecher.torrent.stats();
    assert_eq!((stats.left, stats.wasted_blocks), (0, 0));
    assert_eq!(stats.downloaded, world.layout.total_len());
    assert!(leecher.closes.iter().any(|(_, reason)| *reason == CloseReason::BothSeeds));
    assert_eq!(stats.peers, 0);
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let trace = |seed| {
        let mut world = World::new(seed, 60, 2 * BLOCK);
        world.trace = Some(String::new());
        one_seed(&mut world, 6);
        assert!(world.run(5 * MINUTE, World::all_complete));
        world.trace.take()
    };
    assert!(trace(7) == trace(7));
    assert!(trace(7) != trace(8));
}

#[test]
fn a_rare_piece_spreads_first() {
    // Four common holders have all but piece 5; one slow holder has only that.
    let mut world = World::new(3, 64, BLOCK);
    let rare = PieceIndex::new(5);
    let mut most = PieceSet::new_full(64);
    most.remove(rare);
    let mut only = PieceSet::new_empty(64);
    only.insert(rare);
    for _ in 0..4 {
        let spec = sim::Spec { have: most.clone(), up: 50_000, ..world.leecher() };
        world.add(spec);
    }
    let spec = sim::Spec { have: only, up: 50_000, ..world.leecher() };
    world.add(spec);
    let newcomer = world.leecher();
    let newcomer = world.add(newcomer);
    world.introduce(newcomer, &[0, 1, 2, 3, 4]);
    assert!(world.run(10 * MINUTE, |w| w.nodes[newcomer].torrent.have().contains(rare)));
    let before = world.nodes[newcomer].torrent.have().count();
    assert!(before <= 8, "{before} pieces before the rare one");
}

#[test]
fn everybody_completes_when_the_seed_leaves_after_one_copy() {
    let mut world = World::new(4, 500, 2 * BLOCK);
    one_seed(&mut world, 10);
    let copy = |w: &World| {
        let held = |p| w.nodes[1..].iter().any(|n| n.torrent.have().contains(p));
        w.layout.pieces().all(held)
    };
    assert!(world.run(10 * MINUTE, copy));
    let given = world.nodes[0].torrent.stats().uploaded;
    world.kill(0);
    assert!(world.run(10 * MINUTE, World::all_complete));
    // Rarest first: the seed gave little more than one copy before there was one.
    assert!(given < world.layout.total_len() * 2, "{given}");
}

#[test]
fn a_free_rider_starves_but_the_optimistic_slot_lets_it_in() {
    let mut world = World::new(5, 1_600, 4 * BLOCK);
    let mut half = [PieceSet::new_empty(1_600), PieceSet::new_empty(1_600)];
    world.layout.pieces().for_each(|p| {
        half[p.as_usize() % 2].insert(p);
    });
    // Sixteen that have one half each and trade; fewer slots than there are contributors.
    for n in 0..16 {
        let have = half[n % 2].clone();
        let spec = sim::Spec { have, up: 60_000, slots: 4, ..world.leecher() };
        world.add(spec);
    }
    let rider = sim::Spec { slots: 0, stalls: true, up: 1, ..world.leecher() };
    let rider = world.add(rider);
    world.introduce_all();
    // Partners take a few optimistic turns to find each other.
    world.pass(4 * MINUTE);
    let downloaded = |w: &World| -> Vec<u64> {
        w.nodes.iter().map(|node| node.torrent.stats().downloaded).collect()
    };
    let before = downloaded(&world);
    world.pass(6 * MINUTE);
    let got: Vec<u64> =
        downloaded(&world).iter().zip(before).map(|(now, then)| now - then).collect();
    let fair = got[..16].iter().sum::<u64>() / 16;
    assert!(got[rider] > 0, "never let in");
    assert!(got[rider] * 2 < fair, "the rider got {}, the others {fair}", got[rider]);
}

#[test]
fn a_seed_serves_everybody_in_turn() {
    let mut world = World::new(6, 4_000, 4 * BLOCK);
    let seed = sim::Spec { slots: 2, up: 500_000, ..world.seed() };
    world.add(seed);
    for _ in 0..9 {
        // They know only the seed and have no slots for each other.
        let spec = sim::Spec { slots: 0, ..world.leecher() };
        let leecher = world.add(spec);
        world.introduce(leecher, &[0]);
    }
    world.pass(5 * MINUTE);
    let got: Vec<u64> = (1..10).map(|n| world.nodes[n].torrent.stats().downloaded).collect();
    let (least, most) = (got.iter().min().expect("nine"), got.iter().max().expect("nine"));
    assert!(*least > 0 && *most < 3 * *least, "{got:?}");
}

#[test]
fn end_game_finishes_with_bounded_waste() {
    for seed in 0..8 {
        let mut world = World::new(100 + seed, 60, 4 * BLOCK);
        for up in [800_000, 400_000, 100_000, 20_000, 8_000] {
            let spec = sim::Spec { up, ..world.seed() };
            world.add(spec);
        }
        let leecher = world.leecher();
        let leecher = world.add(leecher);
        world.introduce(leecher, &[0, 1, 2, 3, 4]);
        assert!(world.run(MINUTE, |w| w.is_complete(leecher)), "seed {seed}");
        let took = world.now;
        world.pass(MINUTE);
        let stats = world.nodes[leecher].torrent.stats();
        assert!(stats.wasted_blocks <= 32, "seed {seed}: {} blocks in vain", stats.wasted_blocks);
        assert!(world.nodes[leecher].watch.cancels > 0, "seed {seed}: no end-game at all");
        // 3.9 MB at 1.3 MB/s; the slow ones alone would hold it up for a minute.
        assert!(took < Duration::from_secs(12), "seed {seed}: {took:?}");
    }
}

#[test]
fn peers_that_stall_do_not_hold_up_the_end() {
    let mut world = World::new(9, 60, 4 * BLOCK);
    for n in 0..4 {
        let spec = sim::Spec { stalls: n < 3, ..world.seed() };
        world.add(spec);
    }
    let leecher = world.leecher();
    let leecher = world.add(leecher);
    world.introduce(leecher, &[0, 1, 2, 3]);
    assert!(world.run(Duration::from_secs(15), |w| w.is_complete(leecher)), "{:?}", world.now);
}

fn liars(world: &mut World, one_in: u32) {
    let seed = world.seed();
    world.add(seed);
    for _ in 0..4 {
        let liar = sim::Spec { lies: Some(Liar { one_in }), ..world.seed() };
        world.add(liar);
    }
    let leecher = world.leecher();
    let leecher = world.add(leecher);
    world.introduce(leecher, &[0, 1, 2, 3, 4]);
    // The simulation itself asserts that nobody honest is ever banned.
    assert!(world.run(20 * MINUTE, |w| w.is_complete(leecher)), "{:?}", world.now);
}

fn bans(world: &World) -> usize {
    let banned = |(_, event): &&(_, Event)| matches!(event, Event::Banned { .. });
    world.nodes[5].events.iter().filter(banned).count()
}

#[test]
fn liars_among_honest_are_banned() {
    for seed in 0..20 {
        let mut world = World::new(200 + seed, 80, 4 * BLOCK);
        liars(&mut world, 1);
        assert_eq!(bans(&world), 4, "seed {seed}");
    }
}

#[test]
fn rare_lies_convict_too() {
    for seed in 0..5 {
        let mut world = World::new(300 + seed, 500, 4 * BLOCK);
        liars(&mut world, 100);
        assert!(bans(&world) >= 3, "seed {seed}: {}", bans(&world));
    }
}

#[test]
fn liars_on_a_shared_address_are_banned_one_by_one() {
    let mut world = World::new(400, 80, 4 * BLOCK);
    let here = Some(std::net::IpAddr::from([127, 0, 0, 1]));
    for n in 0..4 {
        let lies = (n > 0).then_some(Liar { one_in: 1 });
        let spec = sim::Spec { lies, ip: here, ..world.seed() };
        world.add(spec);
    }
    let leecher = sim::Spec { ip: here, ..world.leecher() };
    let leecher = world.add(leecher);
    world.introduce(leecher, &[0, 1, 2, 3]);
    assert!(world.run(10 * MINUTE, |w| w.is_complete(leecher)));
    let events = &world.nodes[leecher].events;
    let banned: Vec<bool> = events
        .iter()
        .filter_map(|(_, event)| match event {
            Event::Banned { whole_ip, .. } => Some(*whole_ip),
            _ => None,
        })
        .collect();
    assert_eq!(banned, [false; 3]);
}

#[test]
fn two_peers_with_one_peer_id_and_half_of_the_pieces_each_are_both_used() {
    let loopback = Some(std::net::IpAddr::from([127, 0, 0, 1]));
    // Hosts of their own, and ports of one host.
    for ip in [None, loopback] {
        let mut world = World::new(11, 64, 2 * BLOCK);
        for half in 0..2 {
            let mut have = PieceSet::new_empty(64);
            world.layout.pieces().filter(|p| p.get() % 2 == half).for_each(|piece| {
                have.insert(piece);
            });
            let peer_id = Some(wire::PeerId([9; 20]));
            let spec = sim::Spec { have, ip, peer_id, ..world.leecher() };
            world.add(spec);
        }
        let leecher = world.leecher();
        let leecher = world.add(leecher);
        world.introduce(leecher, &[0, 1]);
        assert!(world.run(MINUTE, |w| w.is_complete(leecher)), "{}", world.laggards());
    }
}

#[test]
fn churn_of_a_hundred_peers_over_a_thousand_pieces_completes() {
    let mut world = World::new(10, 1_000, 1_024);
    let seed = sim::Spec { up: 200_000, ..world.seed() };
    world.add(seed);
    for _ in 0..60 {
        let spec = sim::Spec { up: 50_000, max_peers: 30, ..world.leecher() };
        world.add(spec);
    }
    world.introduce_all();
    for n in 0..40 {
        world.pass(Duration::from_millis(500));
        // One goes, another comes; connections break.
        world.kill(1 + n);
        let spec = sim::Spec { up: 50_000, max_peers: 30, ..world.leecher() };
        let newcomer = world.add(spec);
        let some: Vec<usize> = (0..20).map(|_| world.rng.usize(..newcomer)).collect();
        world.introduce(newcomer, &some);
        world.introduce(newcomer, &[0]);
        for _ in 0..3 {
            let node = world.rng.usize(..newcomer);
            world.cut_one(node);
        }
    }
    assert_eq!(world.nodes.len(), 101);
    assert!(world.run(30 * MINUTE, World::all_complete), "{:?}", world.now);
}
