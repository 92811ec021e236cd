//! Owns the tests of silence and slowness, in virtual time.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::*;
use crate::limits::{BLOCK_LEN, IDLE_DEADLINE, KEEP_ALIVE_AFTER, MESSAGE_DEADLINE};

/// The runtime's timers have a granularity of a millisecond.
fn assert_took(begun: Instant, expected: Duration) {
    let took = begun.elapsed();
    assert!(took >= expected && took < expected + Duration::from_millis(10), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn our_silence_is_broken_by_keep_alives_and_theirs_ends_the_connection() {
    let mut pair = connected(1000, 1000);
    let begun = Instant::now();
    assert_eq!(pair.peer_receives(1).await, [Message::KeepAlive]);
    assert_took(begun, KEEP_ALIVE_AFTER);
    assert_eq!(pair.running.await.unwrap(), CloseReason::Idle);
    assert_took(begun, IDLE_DEADLINE);
}

#[tokio::test(start_paused = true)]
async fn what_we_send_puts_the_keep_alive_off() {
    let mut pair = connected(1000, 1000);
    sleep(KEEP_ALIVE_AFTER / 2).await;
    pair.handle.send(Message::Interested);
    assert_eq!(pair.peer_receives(1).await, [Message::Interested]);
    let begun = Instant::now();
    assert_eq!(pair.peer_receives(1).await, [Message::KeepAlive]);
    assert_took(begun, KEEP_ALIVE_AFTER);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_only_keeps_alive_stays_and_bothers_nobody() {
    let mut pair = connected(1000, 1000);
    for _ in 0..10 {
        sleep(IDLE_DEADLINE.mul_f32(0.99)).await;
        pair.peer_sends(&[Message::KeepAlive]).await;
    }
    pair.peer_sends(&[Message::Unchoke]).await;
    assert_eq!(pair.receive(1).await, [Message::Unchoke]);
    assert_eq!(pair.handle.counters().keep_alives, 10);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_drips_is_not_waited_for() {
    let block = encode(&[block(0, BLOCK_LEN)]);
    let bitfield = encode(&[Message::Bitfield([1; 900].into())]);
    for begin in
        [&block[..13], &block[..5000], &bitfield[..5], &[0, 0, 100, 0, 21], &[0, 0, 40, 0, 20]]
    {
        let mut pair = connected(10_000, 10_000);
        pair.peer.write_all(begin).await.unwrap();
        let begun = Instant::now();
        let drip = async {
            while pair.peer.write_all(&[0]).await.is_ok() {
                sleep(Duration::from_secs(7)).await;
            }
        };
        let (reason, ()) = tokio::join!(pair.running, drip);
        assert_eq!(reason.unwrap(), CloseReason::SlowMessage);
        assert!(begun.elapsed() < MESSAGE_DEADLINE + Duration::from_secs(8));
        assert_eq!(pair.pool.in_use(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn part_of_a_head_is_not_waited_for_either() {
    let mut pair = connected(1000, 1000);
    pair.peer.write_all(&[0, 0, 0]).await.unwrap();
    let begun = Instant::now();
    assert_eq!(pair.running.await.unwrap(), CloseReason::SlowMessage);
    assert_took(begun, MESSAGE_DEADLINE);
}

#[tokio::test(start_paused = true)]
async fn a_slow_peer_that_finishes_each_block_in_time_is_kept() {
    let mut pair = connected(1 << 20, 1 << 20);
    for piece in 0..5 {
        let bytes = encode(&[block(piece, BLOCK_LEN)]);
        // Cut within a block, never between two: some message is always under way.
        let (begin, end) = bytes.split_at(100);
        sleep(MESSAGE_DEADLINE / 2).await;
        pair.peer.write_all(begin).await.unwrap();
        sleep(MESSAGE_DEADLINE.mul_f32(0.99)).await;
        pair.peer.write_all(end).await.unwrap();
        assert_eq!(pair.receive(1).await, [block(piece, BLOCK_LEN)]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_is_closed() {
    let pair = connected(1 << 20, 1000);
    let begun = Instant::now();
    pair.handle.send(block(0, BLOCK_LEN));
    assert_eq!(pair.running.await.unwrap(), CloseReason::SlowReader);
    assert_took(begun, MESSAGE_DEADLINE);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_reads_slowly_is_kept_and_one_that_drips_is_not() {
    for (pause, kept) in [(2, true), (10, false)] {
        let mut pair = connected(1 << 20, 1000);
        pair.handle.send_all(&mut (0..4).map(|piece| block(piece, BLOCK_LEN)).collect());
        let read = async {
            let mut bytes = [0; 1000];
            while pair.peer.read(&mut bytes).await.is_ok_and(|n| n > 0) {
                sleep(Duration::from_secs(pause)).await;
            }
        };
        let _ = tokio::time::timeout(Duration::from_secs(150), read).await;
        if kept {
            assert_eq!(pair.handle.counters().payload_out, 4 * BLOCK_LEN as u64);
            assert!(!pair.handle.is_closed());
        } else {
            assert_eq!(pair.running.await.unwrap(), CloseReason::SlowReader);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn our_own_lack_of_memory_is_not_held_against_the_peer() {
    let mut pair = connected(1 << 20, 1 << 20);
    let mut hogs = Vec::new();
    while let Some(hog) = pair.pool.try_take(1) {
        hogs.push(hog);
    }
    pair.peer_sends(&[block(1, BLOCK_LEN), Message::Choke]).await;
    sleep(2 * MESSAGE_DEADLINE + IDLE_DEADLINE).await;
    pair.handle.send(Message::Interested);
    let received = pair.peer_receives(3).await;
    assert_eq!(received.last(), Some(&Message::Interested), "writing goes on meanwhile");
    assert!(!pair.handle.is_closed());
    drop(hogs);
    assert_eq!(pair.receive(2).await, [block(1, BLOCK_LEN), Message::Choke]);
}
