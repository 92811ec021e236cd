//! Owns the send queue's tests: what is written is what was pushed, however little each write takes.

use proptest::prelude::*;

use super::*;
use crate::pool::Pool;

fn piece(piece: u32, len: usize) -> Message {
    Message::Piece { piece, offset: 0, payload: Payload::detached(vec![piece as u8; len]) }
}

/// Writes up to `n` bytes to `out`, and gives the block bytes among them.
fn write(queue: &mut SendQueue, n: usize, out: &mut Vec<u8>) -> usize {
    let mut slices = [IoSlice::new(&[]); MAX_SLICES];
    let count = queue.slices(&mut slices);
    let before = out.len();
    for slice in &slices[..count] {
        assert!(!slice.is_empty());
        let room = n - (out.len() - before);
        out.extend(slice.iter().take(room));
    }
    let written = out.len() - before;
    queue.advance(written)
}

fn write_all(queue: &mut SendQueue, n: usize) -> (Vec<u8>, usize) {
    let (mut out, mut drained) = (Vec::new(), 0);
    while !queue.is_empty() {
        drained += write(queue, n, &mut out);
    }
    assert_eq!(queue.bytes(), 0);
    (out, drained)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_partial_writes_give_the_same_stream(
        script in proptest::collection::vec((0..5_u8, 1..3000_usize, 1..5000_usize), 1..60),
    ) {
        let (mut queue, mut out, mut expected) = (SendQueue::new(), Vec::new(), Vec::new());
        let (mut drained, mut pushed) = (0, 0);
        for (number, (kind, len, to_write)) in (0..).zip(script) {
            let message = match kind {
                0 => { pushed += len; piece(number, len) }
                1 => Message::Bitfield(vec![number as u8; len].into()),
                2 => Message::KeepAlive,
                3 => Message::Extended { id: 1, payload: vec![number as u8; len].into() },
                _ => Message::Have(number),
            };
            message.encode(&mut expected);
            queue.push(message);
            prop_assert_eq!(queue.bytes(), expected.len() - out.len());
            drained += write(&mut queue, to_write, &mut out);
        }
        let (rest, rest_drained) = write_all(&mut queue, 1000);
        out.extend(rest);
        prop_assert_eq!(out, expected);
        prop_assert_eq!(drained + rest_drained, pushed);
    }
}

#[test]
fn one_write_carries_many_messages_without_copying_a_block() {
    // With a message before them and one after, all that one write takes.
    const BLOCKS: u32 = MAX_SLICES as u32 / 2 - 1;
    let pool = Pool::new(1 << 20);
    let mut queue = SendQueue::new();
    queue.push(Message::Unchoke);
    let mut at = Vec::new();
    for piece in 0..BLOCKS {
        let payload = pool.try_take(16384).unwrap();
        at.push(payload.as_ptr());
        queue.push(Message::Piece { piece, offset: 0, payload });
    }
    queue.push(Message::Have(1));
    let mut slices = [IoSlice::new(&[]); MAX_SLICES];
    let count = queue.slices(&mut slices);
    assert_eq!(count, MAX_SLICES);
    let blocks: Vec<_> = slices.iter().filter(|s| s.len() == 16384).map(|s| s.as_ptr()).collect();
    assert_eq!(blocks, at);

    // Two blocks and a half: what left is back in its pool.
    assert_eq!(queue.advance(5 + 2 * (13 + 16384) + 13 + 100), 2 * 16384 + 100);
    assert_eq!(pool.in_use(), (BLOCKS as usize - 2) * 16384);
}

#[test]
fn cancel_removes_a_block_whose_writing_has_not_begun() {
    let mut queue = SendQueue::new();
    for number in 0..3 {
        queue.push(piece(number, 50));
    }
    let mut out = Vec::new();
    write(&mut queue, 1, &mut out);
    let request = |piece| Request { piece, offset: 0, len: 50 };
    assert_eq!(queue.cancel(request(0)), 0, "its first byte has left");
    assert_eq!(queue.cancel(Request { len: 49, ..request(1) }), 0);
    assert_eq!(queue.cancel(request(1)), 50);
    assert_eq!(queue.cancel(request(1)), 0);
    out.extend(write_all(&mut queue, 7).0);

    let mut expected = Vec::new();
    piece(0, 50).encode(&mut expected);
    piece(2, 50).encode(&mut expected);
    assert_eq!(out, expected);
}

#[test]
fn choke_removes_the_blocks_before_it_and_nothing_else() {
    let mut queue = SendQueue::new();
    let mut out = Vec::new();
    queue.push(piece(0, 50));
    queue.push(piece(1, 60));
    queue.push(Message::Have(9));
    queue.push(piece(2, 70));
    write(&mut queue, 20, &mut out);
    assert_eq!(queue.push(Message::Choke), 130);
    assert_eq!(queue.push(Message::Unchoke), 0);
    queue.push(piece(3, 10));
    out.extend(write_all(&mut queue, 5).0);

    let mut expected = Vec::new();
    for message in [piece(0, 50), Message::Have(9), Message::Choke, Message::Unchoke, piece(3, 10)]
    {
        message.encode(&mut expected);
    }
    assert_eq!(out, expected);
}

#[test]
fn with_the_fast_extension_what_is_taken_out_is_rejected() {
    let mut queue = SendQueue::new();
    queue.set_fast();
    let mut out = Vec::new();
    for number in 0..4 {
        queue.push(piece(number, 50));
    }
    write(&mut queue, 20, &mut out);
    let request = |piece| Request { piece, offset: 0, len: 50 };
    assert_eq!(queue.cancel(request(2)), 50);
    assert_eq!(queue.cancel(request(0)), 0, "its first byte has left, so it answers itself");
    assert_eq!(queue.push(Message::Choke), 100);
    out.extend(write_all(&mut queue, 7).0);

    let mut expected = Vec::new();
    let answers = [1, 3].map(|piece| Message::Reject(request(piece)));
    for message in
        [piece(0, 50), Message::Reject(request(2)), Message::Choke].into_iter().chain(answers)
    {
        message.encode(&mut expected);
    }
    assert_eq!(out, expected);
}

#[test]
fn a_large_message_leaves_no_large_buffer_behind() {
    let mut queue = SendQueue::new();
    queue.push(Message::Bitfield(vec![0; 200_000].into()));
    write_all(&mut queue, 10_000);
    assert!(queue.control.capacity() <= 2 * KEPT_LEN, "{}", queue.control.capacity());
}
