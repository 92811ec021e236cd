//! How fast the data of one seed reaches a whole swarm, whose uplinks are all that limits it: the
//! time of the last peer over the time that the uplinks need at best. A mean over some runs, since
//! one run alone depends on who met whom first.
//!
//! `SPREAD_RUNS=50 cargo test --release -p pieces-swarm --test spread -- --nocapture` shows more.

#![allow(clippy::print_stdout, reason = "the figures are what it is run for")]

mod sim;

use std::ops::Range;
use std::time::Duration;

use sim::{Spec, World};

const MIB: u64 = 1024 * 1024;
const SEED_UP: u64 = 2 * MIB;

/// When each leecher was done, in seconds, and how many copies the seed gave.
struct Run {
    done: Vec<f64>,
    copies: f64,
}

/// 48 MiB in pieces of 256 KiB; every peer knows every other one.
fn run(seed: u64, ups: &[u64], latency: Range<u64>) -> Run {
    let mut world = World::new(seed, 192, 256 * 1024);
    world.latency = latency;
    let fast = |spec, up| Spec { up: 125_000_000, upload_limit: Some(up), ..spec };
    let spec = fast(world.seed(), SEED_UP);
    world.add(spec);
    for up in ups {
        let spec = fast(world.leecher(), *up);
        world.add(spec);
    }
    world.introduce_all();
    let mut done = vec![None; ups.len()];
    while done.iter().any(Option::is_none) {
        world.pass(Duration::from_millis(20));
        assert!(world.now < Duration::from_mins(5), "{}", world.laggards());
        for (done, node) in done.iter_mut().zip(1..) {
            if done.is_none() && world.is_complete(node) {
                *done = Some(world.now.as_secs_f64());
            }
        }
    }
    let uploaded = world.nodes[0].torrent.stats().uploaded;
    #[expect(clippy::cast_precision_loss, reason = "a few bits less do not matter")]
    let copies = uploaded as f64 / world.layout.total_len() as f64;
    Run { done: done.into_iter().flatten().collect(), copies }
}

/// The seed has to send everything once, and all uplinks together everything as often as there are
/// leechers.
fn bound(ups: &[u64]) -> f64 {
    let total = 192.0 * 256.0 * 1024.0;
    let sum = SEED_UP + ups.iter().sum::<u64>();
    #[expect(clippy::cast_precision_loss, reason = "a few bits less do not matter")]
    let (seed, all) = (total / SEED_UP as f64, total * ups.len() as f64 / sum as f64);
    seed.max(all)
}

/// Runs a swarm a few times. The mean of the last one's time over the bound is at most `reach`.
fn spreads(name: &str, ups: &[u64], latency: &Range<u64>, reach: f64) -> Vec<Run> {
    let number = std::env::var("SPREAD_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(4);
    let runs: Vec<Run> = (0..number).map(|seed| run(seed, ups, latency.clone())).collect();
    let last = |run: &Run| run.done.iter().copied().fold(0.0, f64::max) / bound(ups);
    let ratios: Vec<f64> = runs.iter().map(last).collect();
    let mean = mean(ratios.iter().copied());
    let copies = self::mean(runs.iter().map(|run| run.copies));
    println!("{name}: {mean:.3} of the bound, {copies:.3} copies by the seed, each {ratios:.2?}");
    assert!(mean <= reach, "{name}: {mean}");
    runs
}

fn mean(numbers: impl ExactSizeIterator<Item = f64>) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "few")]
    let count = numbers.len() as f64;
    numbers.sum::<f64>() / count
}

#[test]
fn eight_peers_are_done_when_the_seed_has_sent_one_copy() {
    spreads("8 peers", &[2 * MIB; 8], &(0..1), 1.10);
}

#[test]
fn a_round_trip_of_50_ms_costs_little() {
    spreads("8 peers, 50 ms", &[2 * MIB; 8], &(25..26), 1.10);
}

#[test]
fn twenty_peers_are_more_than_the_seed_has_slots_and_little_later() {
    spreads("20 peers", &[2 * MIB; 20], &(0..1), 1.20);
}

#[test]
fn with_unequal_uplinks_the_fast_ones_carry_the_slow() {
    let ups = [1, 2, 4, 8, 1, 2, 4, 8].map(|half| half * MIB / 2);
    let runs = spreads("8 peers, 0.5 to 4 MiB/s", &ups, &(0..1), 1.35);
    // Who gives more is done no later: nearly all end together, so this is a mean, with 5% to spare.
    let done = |up: u64| {
        let of = |run: &Run| {
            let same = run.done.iter().zip(ups).filter(|(_, its)| *its == up);
            mean(same.map(|(done, _)| *done).collect::<Vec<_>>().into_iter())
        };
        mean(runs.iter().map(of))
    };
    let (slowest, fastest) = (done(MIB / 2), done(4 * MIB));
    println!("0.5 MiB/s: {slowest:.1} s, 4 MiB/s: {fastest:.1} s");
    assert!(fastest < 1.05 * slowest, "{fastest} s and {slowest} s");
}
