//! Seeded swarms of every kind, with churn, broken connections, liars, stallers and failing disks:
//! each must complete, and what must hold at every step is checked at every step. Every fourth torrent
//! has padding, anywhere.
//!
//! `SWARM_SEEDS=1000` runs so many of them on all cores, `SWARM_SEED=17` only that one; a failure
//! names its seed.

mod sim;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use metainfo::PieceSet;
use sim::World;
use sim::disk::Liar;
use wire::Reserved;

#[test]
fn every_seeded_swarm_completes() {
    let number = |name| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let seeds: Vec<u64> = match number("SWARM_SEED") {
        Some(seed) => vec![seed],
        // Those that once failed come first.
        None => [415, 416].into_iter().chain(0..number("SWARM_SEEDS").unwrap_or(12)).collect(),
    };
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)).copied() {
            let swarm = std::panic::catch_unwind(|| run(seed));
            assert!(swarm.is_ok(), "swarm of seed {seed} failed; SWARM_SEED={seed} runs it again");
        }
    };
    // Each swarm is a world of its own: how many run beside it changes nothing in it.
    let at_once = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| (0..at_once.min(seeds.len())).for_each(|_| drop(scope.spawn(work))));
}

fn run(seed: u64) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let (nodes, pieces) = (nodes(&mut rng), log_uniform(&mut rng, 8, 512));
    let piece_length = [1_000_u32, 16_384, 40_000][rng.usize(0..3)];
    let mut world = World::new(seed, pieces, piece_length);
    if seed % 4 == 1 {
        // By lots of its own, so that the other seeds stay what they were.
        world.pad(&mut fastrand::Rng::with_seed(!seed));
    }
    let seeds = 1 + nodes / 10;
    let hostile = rng.u32(0..3);
    for n in 0..nodes {
        let mut spec = if n < seeds { world.seed() } else { world.leecher() };
        spec.up = rng.u64(20_000..500_000);
        spec.slots = rng.usize(1..9);
        if n % 4 == 3 {
            spec.reserved = Reserved::NONE;
        }
        if n >= seeds && rng.u32(0..3) == 0 {
            add_some(&mut rng, &mut spec.have);
        }
        spec.disk_fails = (n >= seeds && rng.u32(0..10) == 0).then_some(20);
        if n > seeds && rng.u32(0..10) < hostile {
            spec.lies = Some(Liar { one_in: rng.u32(1..30) });
            spec.have = PieceSet::new_full(pieces);
        } else if n > seeds && rng.u32(0..20) < hostile {
            spec.stalls = true;
        }
        world.add(spec);
    }
    world.introduce_all();
    for _ in 0..rng.u32(0..20) {
        world.pass(Duration::from_millis(rng.u64(100..2_000)));
        match rng.u32(0..3) {
            0 => {
                let node = rng.usize(..world.nodes.len());
                world.cut_one(node);
            }
            1 if world.nodes.len() > 4 => {
                // The first one stays: somebody must have everything.
                let node = rng.usize(1..world.nodes.len());
                world.kill(node);
            }
            _ => {
                let spec = world.leecher();
                let newcomer = world.add(spec);
                let all: Vec<usize> = (0..newcomer).collect();
                world.introduce(newcomer, &all);
            }
        }
    }
    let done = world.run(Duration::from_hours(4), World::all_complete);
    assert!(done, "not complete: {}", world.laggards());
}

/// 2 to 100, the median at 20, log-uniform on either side of it.
fn nodes(rng: &mut fastrand::Rng) -> u32 {
    if rng.bool() { log_uniform(rng, 2, 20) } else { log_uniform(rng, 20, 100) }
}

/// From `least` to `most`, any doubling as likely as another.
fn log_uniform(rng: &mut fastrand::Rng, least: u32, most: u32) -> u32 {
    let (low, high) = (f64::from(least).ln(), f64::from(most).ln());
    let number = (low + rng.f64() * (high - low)).exp().round();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "within the bounds"
    )]
    let number = number as u32;
    number.clamp(least, most)
}

fn add_some(rng: &mut fastrand::Rng, have: &mut PieceSet) {
    for piece in (0..have.len()).filter(|_| rng.bool()) {
        have.insert(metainfo::PieceIndex::new(piece));
    }
}
