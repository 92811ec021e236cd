//! The window's growth, silences, and what counts as late.

use std::time::{Duration, Instant};

use metainfo::{Block, Layout, PieceIndex};

use super::{Arrival, Pipeline};
use crate::limits::{SNUB_AFTER, STALE_AFTER, WINDOW_FIRST, WINDOW_MAX, WINDOW_MIN};

const BLOCK: u64 = metainfo::BLOCK_LEN as u64;

fn blocks() -> Vec<Block> {
    let layout = Layout::new(1 << 24, &[1 << 24]).expect("a small torrent");
    layout.blocks(PieceIndex::new(0)).collect()
}

fn fill(pipeline: &mut Pipeline, now: Instant, blocks: &mut impl Iterator<Item = Block>) {
    while pipeline.room() > 0 {
        pipeline.ask(now, blocks.next().expect("enough blocks"));
    }
}

#[test]
fn slow_start_doubles_a_round_trip_and_ends_at_the_rate() {
    let now = Instant::now();
    let mut pipeline = Pipeline::new(now);
    let all = blocks();
    let mut source = all.iter().copied().cycle();
    for round in 0..4 {
        fill(&mut pipeline, now, &mut source);
        assert_eq!(pipeline.len(), WINDOW_FIRST << round);
        for block in pipeline.last_first().collect::<Vec<_>>() {
            assert_eq!(pipeline.arrived(now, block), Arrival::Due);
        }
    }
    // The rate no longer grows: three seconds of it from now on.
    pipeline.tick(now, 10 * BLOCK);
    pipeline.tick(now, 10 * BLOCK);
    assert_eq!(pipeline.room(), 30);
    pipeline.tick(now, 1);
    assert_eq!(pipeline.room(), WINDOW_MIN);
    pipeline.tick(now, u64::MAX);
    assert_eq!(pipeline.room(), WINDOW_MAX);
}

#[test]
fn a_silent_peer_is_snubbed_until_it_speaks() {
    let start = Instant::now();
    let mut pipeline = Pipeline::new(start);
    let mut source = blocks().into_iter();
    let asked = start + Duration::from_secs(100);
    fill(&mut pipeline, asked, &mut source);
    // Silence counts from the first request on, not from the time when nothing was due.
    assert!(!pipeline.snub(asked + SNUB_AFTER / 2));
    assert!(!pipeline.is_stale(asked + STALE_AFTER / 2));
    assert!(pipeline.is_stale(asked + STALE_AFTER));
    assert!(pipeline.snub(asked + SNUB_AFTER));
    let owed = pipeline.give_up();
    assert_eq!(owed.len(), WINDOW_FIRST);
    assert_eq!(pipeline.room(), 1);
    pipeline.tick(Instant::now(), 100 * BLOCK);
    assert_eq!(pipeline.room(), 1, "a rate from before does not open the window");
    assert_eq!(pipeline.arrived(asked + SNUB_AFTER, owed[0]), Arrival::Late);
    assert!(pipeline.is_snubbed(), "what was taken back may be of no use any more");
    pipeline.delivers(asked + SNUB_AFTER);
    assert!(!pipeline.is_snubbed());
    assert_eq!(pipeline.room(), WINDOW_MIN);
}

#[test]
fn each_request_excuses_one_block() {
    let now = Instant::now();
    let mut pipeline = Pipeline::new(now);
    let block = blocks()[3];
    assert_eq!(pipeline.arrived(now, block), Arrival::Unrequested);
    pipeline.ask(now, block);
    assert!(pipeline.cancel(block));
    assert!(!pipeline.cancel(block));
    pipeline.ask(now, block);
    assert_eq!(pipeline.arrived(now, block), Arrival::Due);
    assert_eq!(pipeline.arrived(now, block), Arrival::Late);
    assert_eq!(pipeline.arrived(now, block), Arrival::Unrequested);
}

#[test]
fn what_was_passed_over_for_long_is_not_on_its_way() {
    let now = Instant::now();
    let mut pipeline = Pipeline::new(now);
    let all = blocks();
    let (kept, others) = (all[0], &all[1..]);
    let stale = |pipeline: &Pipeline| pipeline.stale(now).collect::<Vec<_>>();
    pipeline.ask(now, kept);
    // As many as may be asked ahead can come first in another order; more cannot.
    for turn in 0..=WINDOW_MAX {
        assert_eq!(stale(&pipeline), [], "after {turn} others");
        let other = others[turn % others.len()];
        pipeline.ask(now, other);
        assert_eq!(pipeline.arrived(now, other), Arrival::Due);
    }
    pipeline.ask(now, others[0]);
    assert_eq!(stale(&pipeline), [kept], "not the one that was asked just now");
    assert!(!pipeline.is_stale(now), "it is not silent");
    assert_eq!(stale(&pipeline).len() + 1, pipeline.len());
    let silent: Vec<Block> = pipeline.stale(now + STALE_AFTER).collect();
    assert_eq!(silent, [others[0], kept]);
    assert_eq!(pipeline.arrived(now, kept), Arrival::Due);
    assert_eq!(stale(&pipeline), []);
}
