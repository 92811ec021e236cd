//! Owns the tests of what flows through a connection, and of what bounds it.

use std::collections::{BTreeSet, VecDeque};

use super::*;
use crate::limits::{
    BATCHES_PER_PEER, BLOCK_LEN, BLOCKS_PER_BATCH, MAX_QUEUED, MESSAGES_PER_BATCH, USELESS_BURST,
};

fn conversation() -> Vec<Message> {
    let request = Request { piece: 1, offset: 0, len: 16384 };
    vec![
        Message::Bitfield(Box::new([0xfe; 300])),
        Message::Unchoke,
        block(1, BLOCK_LEN),
        Message::Have(4),
        Message::Request(request),
        block(2, 1000),
        Message::Cancel(request),
    ]
}

#[tokio::test]
async fn both_directions_in_any_portions() {
    for most in [1, 13, 1000, 1 << 20] {
        let mut pair = connected(most, 100_000);
        pair.peer_sends(&conversation()).await;
        assert_eq!(pair.receive(conversation().len()).await, conversation());
        pair.handle.send_all(&mut conversation());
        assert_eq!(pair.peer_receives(conversation().len()).await, conversation());
        drop(pair.peer);
        let mut drained = 0;
        while let Some(batch) = pair.batches.recv().await {
            drained += batch.drained;
        }
        assert_eq!(drained, 17384);
        assert_eq!(pair.running.await.unwrap(), CloseReason::Peer);
        let counters = pair.handle.counters();
        let len = encode(&conversation()).len() as u64;
        assert_eq!((counters.bytes_in, counters.bytes_out), (len, len));
        assert_eq!((counters.payload_in, counters.payload_out), (17384, 17384));
        assert_eq!(pair.pool.in_use(), 0);
    }
}

#[tokio::test]
async fn drained_bytes_are_told_of_with_and_without_messages() {
    let mut pair = connected(5000, 1 << 20);
    pair.handle.send(block(0, BLOCK_LEN));
    let mut drained = 0;
    while drained < BLOCK_LEN as u32 {
        let batch = pair.batches.recv().await.unwrap();
        assert!(batch.messages.is_empty() && batch.drained > 0);
        drained += batch.drained;
    }
    assert_eq!(drained, BLOCK_LEN as u32);
}

#[tokio::test]
async fn a_cancel_and_a_choke_take_blocks_out_of_the_queue() {
    let mut pair = connected(1 << 20, 1000);
    // The first block fills the stream, so the others wait.
    pair.handle.send_all(&mut (0..4).map(|piece| block(piece, BLOCK_LEN)).collect());
    let first = pair.batches.recv().await.unwrap();
    assert_eq!((first.drained, first.dropped), (987, 0));
    let cancel = || Message::Cancel(Request { piece: 2, offset: 0, len: BLOCK_LEN as u32 });
    pair.peer_sends(&[cancel()]).await;
    let second = pair.batches.recv().await.unwrap();
    assert_eq!((&second.messages, second.dropped), (&vec![cancel()], BLOCK_LEN as u32));
    drop((first, second));
    pair.handle.send(Message::Choke);
    let third = pair.batches.recv().await.unwrap();
    assert_eq!(third.dropped, 2 * BLOCK_LEN as u32);
    assert_eq!(pair.peer_receives(2).await, [block(0, BLOCK_LEN), Message::Choke]);
}

#[tokio::test]
async fn a_flood_waits_until_batches_come_back() {
    let mut pair = connected(1 << 20, 1 << 20);
    let total = 5 * MESSAGES_PER_BATCH;
    let flood: Vec<_> = (0..total as u32).map(Message::Have).collect();
    pair.peer_sends(&flood).await;
    let mut held = Vec::new();
    for _ in 0..BATCHES_PER_PEER {
        held.push(pair.batches.recv().await.unwrap());
    }
    // Everything else that can run, runs: nothing more may come.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(pair.batches.try_recv().is_err(), "no batch beyond those under way");
    let mut received: Vec<_> = held.iter_mut().flat_map(|batch| batch.messages.drain(..)).collect();
    assert!(received.len() <= BATCHES_PER_PEER * MESSAGES_PER_BATCH);
    drop(held);
    received.extend(pair.receive(total - received.len()).await);
    assert_eq!(received, flood);
}

#[tokio::test]
async fn tiny_blocks_take_a_small_share_of_the_memory() {
    let mut pair = connected(1 << 20, 1 << 20);
    pair.peer_sends(&(0..1000).map(|piece| block(piece, 1)).collect::<Vec<_>>()).await;
    let held = [pair.batches.recv().await.unwrap(), pair.batches.recv().await.unwrap()];
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(held.iter().all(|batch| batch.messages.len() == BLOCKS_PER_BATCH));
    assert!(pair.pool.in_use() <= (2 * BLOCKS_PER_BATCH + 1) * BLOCK_LEN);
}

#[tokio::test]
async fn a_peer_that_says_nothing_over_and_over_is_closed() {
    let unknown = [0, 0, 0, 2, 99, 0].repeat(USELESS_BURST as usize + 11);
    let keep_alive = [0; 4].repeat(USELESS_BURST as usize + 11);
    for flood in [unknown, keep_alive] {
        let mut pair = connected(1 << 20, 1 << 20);
        pair.peer.write_all(&flood).await.unwrap();
        assert_eq!(pair.running.await.unwrap(), CloseReason::Useless);
    }
}

#[tokio::test]
async fn batches_are_used_again() {
    let mut pair = connected(1 << 20, 1 << 20);
    let mut places = BTreeSet::new();
    for piece in 0..100 {
        pair.peer_sends(&[Message::Have(piece)]).await;
        let batch = pair.batches.recv().await.unwrap();
        assert_eq!(batch.messages, [Message::Have(piece)]);
        places.insert(batch.messages.as_ptr() as usize);
    }
    assert!(places.len() <= BATCHES_PER_PEER, "{places:?}");
}

#[tokio::test]
async fn a_queue_beyond_its_cap_closes_the_peer() {
    // All at once, before the connection has run.
    let pair = connected(1000, 1000);
    let mut blocks: Vec<_> =
        (0..=(MAX_QUEUED / BLOCK_LEN) as u32).map(|piece| block(piece, BLOCK_LEN)).collect();
    pair.handle.send_all(&mut blocks);
    assert!(blocks.is_empty());
    assert_eq!(pair.running.await.unwrap(), CloseReason::QueueFull);

    // Block by block.
    let pair = connected(1000, 1000);
    let mut sent = 0;
    while !pair.handle.is_closed() {
        pair.handle.send(block(0, BLOCK_LEN));
        sent += 1;
        tokio::task::yield_now().await;
    }
    assert_eq!(pair.running.await.unwrap(), CloseReason::QueueFull);
    assert_eq!(sent, MAX_QUEUED / BLOCK_LEN);
}

#[tokio::test]
async fn what_came_before_the_end_is_delivered() {
    let mut pair = connected(1000, 1000);
    pair.peer_sends(&[Message::Have(1)]).await;
    drop(pair.peer);
    assert_eq!(pair.batches.recv().await.unwrap().messages, [Message::Have(1)]);
    assert_eq!(pair.running.await.unwrap(), CloseReason::Peer);

    let mut pair = connected(1000, 1000);
    let mut bytes = encode(&[Message::Have(1)]);
    bytes.extend([0, 0, 0, 9, 4]);
    pair.peer.write_all(&bytes).await.unwrap();
    assert_eq!(pair.batches.recv().await.unwrap().messages, [Message::Have(1)]);
    let reason = pair.running.await.unwrap();
    assert_eq!(reason.to_string(), "the peer announced a have message of the wrong length 9");
}

#[tokio::test]
async fn it_ends_when_told_and_when_nobody_is_left() {
    let pair = connected(1000, 1000);
    pair.handle.close();
    assert_eq!(pair.running.await.unwrap(), CloseReason::Told);
    pair.handle.send(block(0, 10));

    let pair = connected(1000, 1000);
    let clone = pair.handle.clone();
    drop(pair.handle);
    tokio::task::yield_now().await;
    assert!(!pair.running.is_finished());
    drop(clone);
    assert_eq!(pair.running.await.unwrap(), CloseReason::Told);

    let mut pair = connected(1000, 1000);
    drop(pair.batches);
    pair.peer.write_all(&encode(&[Message::Unchoke])).await.unwrap();
    assert_eq!(pair.running.await.unwrap(), CloseReason::Told);
}

#[tokio::test]
async fn memory_that_runs_out_only_delays() {
    let mut pair = connected(1 << 20, 4 << 20);
    let blocks = 3 * pair.pool.budget() / BLOCK_LEN;
    let stream: Vec<_> = (0..blocks as u32).map(|piece| block(piece, BLOCK_LEN)).collect();
    let bytes = encode(&stream);
    pair.peer.write_all(&bytes).await.unwrap();
    let (mut kept, mut seen) = (VecDeque::new(), 0);
    while seen < blocks {
        // Blocks are kept until no more can come, and then given back one at a time.
        while pair.pool.in_use() < pair.pool.budget() && seen + kept.len() < blocks {
            kept.extend(pair.batches.recv().await.unwrap().messages.drain(..));
        }
        assert!(pair.pool.in_use() <= pair.pool.budget());
        if let Some(message) = kept.pop_front() {
            assert_eq!(message, stream[seen]);
            seen += 1;
        } else {
            kept.extend(pair.batches.recv().await.unwrap().messages.drain(..));
        }
    }
    assert_eq!(pair.pool.in_use(), 0);
}

/// Beside this, the decoder's staging area and the timer, an idle connection owns nothing.
#[tokio::test]
async fn an_idle_connection_is_small() {
    let (stream, _peer) = duplex(1);
    let (_handle, mailbox) = channel();
    let sink = |_| ControlFlow::Continue(());
    let running = run(Trickle { stream, most: 1 }, mailbox, sink, Config::new(Pool::new(0)));
    assert!(size_of_val(&running) < 2048, "{} bytes", size_of_val(&running));
}
