//! Owns the pool's tests: the budget holds, and whoever waits gets its turn.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

use super::*;

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Count {
    fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

fn poll(take: &mut Take, count: &Arc<Count>) -> Poll<Payload> {
    Pin::new(take).poll(&mut Context::from_waker(&Waker::from(count.clone())))
}

#[test]
fn the_budget_is_never_exceeded_and_buffers_are_used_again() {
    let pool = Pool::new(3 * BLOCK_LEN);
    let payloads: Vec<_> = (0..3).map(|_| pool.try_take(BLOCK_LEN).unwrap()).collect();
    assert_eq!((pool.in_use(), pool.try_take(1)), (3 * BLOCK_LEN, None));
    let last = payloads[2].as_ptr();
    drop(payloads);
    assert_eq!(pool.in_use(), 0);
    let again = pool.try_take(100).unwrap();
    assert_eq!((again.as_ptr(), again.len()), (last, 100), "the last one back comes first");
    assert_eq!(pool.in_use(), BLOCK_LEN, "a short block costs a whole buffer");
}

#[test]
fn long_blocks_cost_their_length_and_are_not_kept() {
    let pool = Pool::new(0);
    assert_eq!(pool.budget(), MAX_BLOCK_LEN);
    assert_eq!(pool.try_take(MAX_BLOCK_LEN + 1), None);
    let long = pool.try_take(MAX_BLOCK_LEN).unwrap();
    assert_eq!((long.len(), pool.in_use()), (MAX_BLOCK_LEN, MAX_BLOCK_LEN));
    drop(long);
    assert_eq!(pool.in_use(), 0);
    assert!(pool.shared.lock().free.is_empty());
}

#[test]
fn those_who_wait_are_served_in_order() {
    let pool = Pool::new(2 * BLOCK_LEN);
    let held = [pool.try_take(1).unwrap(), pool.try_take(1).unwrap()];
    let counts: [Arc<Count>; 3] = Default::default();
    let mut takes: Vec<_> = (0..3).map(|_| pool.take(BLOCK_LEN)).collect();
    for (take, count) in takes.iter_mut().zip(&counts) {
        assert!(poll(take, count).is_pending());
    }
    let [a, b] = held;
    drop(a);
    assert_eq!(counts.each_ref().map(|c| c.get()), [1, 0, 0]);
    assert!(poll(&mut takes[1], &counts[1]).is_pending(), "not before its turn");
    let Poll::Ready(first) = poll(&mut takes[0], &counts[0]) else { panic!("its turn") };
    drop(b);
    assert_eq!(counts.each_ref().map(|c| c.get()), [1, 1, 0]);
    drop(first);
    let Poll::Ready(_second) = poll(&mut takes[1], &counts[1]) else { panic!("its turn") };
    assert_eq!(counts[2].get(), 1, "there is room for the next as well");
    assert!(poll(&mut takes[2], &counts[2]).is_ready());
}

#[test]
fn one_who_gives_up_passes_its_turn_on() {
    let pool = Pool::new(2 * BLOCK_LEN);
    let held = pool.try_take(MAX_BLOCK_LEN).unwrap();
    let counts: [Arc<Count>; 2] = Default::default();
    let mut long = pool.take(MAX_BLOCK_LEN);
    let mut short = pool.take(1);
    assert!(poll(&mut long, &counts[0]).is_pending());
    assert!(poll(&mut short, &counts[1]).is_pending());
    drop(held);
    drop(long);
    assert_eq!(counts[1].get(), 1);
    assert!(poll(&mut short, &counts[1]).is_ready());
    assert!(pool.shared.lock().waiting.is_empty());
}

#[test]
fn a_share_that_keeps_what_it_gets_leaves_something_to_every_other() {
    let pool = Pool::new(1024 * BLOCK_LEN);
    let all = |share: &Pool| std::iter::from_fn(|| share.try_take(BLOCK_LEN)).collect::<Vec<_>>();
    let shares: Vec<Pool> = (0..4).map(|_| pool.share()).collect();
    let mut held: Vec<Vec<Payload>> = shares.iter().map(all).collect();
    assert!(held[0].len() >= 1024 / 2, "one alone has most of it: {}", held[0].len());
    for (earlier, later) in held.iter().zip(&held[1..]) {
        assert!(later.len() >= earlier.len() / 4, "{} after {}", later.len(), earlier.len());
    }
    // What comes back counts for whoever had it.
    held[0].clear();
    assert!(all(&shares[0]).len() >= 1024 / 3);
    drop(held);
    assert_eq!(pool.in_use(), 0);
}
