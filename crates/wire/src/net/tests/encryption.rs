//! Owns the tests of encrypted connections: each pair of wishes, in any portions, and peers that do not play along.

use std::convert::Infallible;
use std::task::Waker;
use std::time::Duration;

use tokio::time::Instant;

use super::*;
use crate::error::ErrorKind;
use crate::limits::{BLOCK_LEN, HANDSHAKE_DEADLINE, MESSAGE_DEADLINE, SEALED_LEN};
use crate::mse::{Allowed, Initiator, Method, Noise, disguise};

fn noise(byte: u8) -> Noise {
    let fill = |to: &mut [u8]| {
        to.fill(byte);
        Ok::<_, Infallible>(())
    };
    Noise::draw(fill).unwrap()
}

fn trickle(most: usize, capacity: usize) -> (Trickle, Trickle) {
    let (a, b) = duplex(capacity);
    (Trickle { stream: a, most }, Trickle { stream: b, most })
}

/// Knows torrent 7.
fn find(disguised: [u8; 20]) -> Option<[u8; 20]> {
    (disguised == disguise(&[7; 20])).then_some([7; 20])
}

/// What a dialed end makes of `transport`.
async fn dialed<T: Transport>(
    transport: T,
    encryption: Encryption,
) -> Result<(Stream<T>, Handshake), CloseReason> {
    let resolve = |info_hash| (info_hash == [7; 20]).then(|| hello(7, b'b'));
    incoming_either(transport, encryption, || Ok(noise(5)), find, resolve).await
}

/// Two ends of an encrypted connection, after their handshakes.
async fn pair(
    most: usize,
    capacity: usize,
    dials: Allowed,
    takes: Encryption,
) -> (Stream<Trickle>, Stream<Trickle>) {
    let (a, b) = trickle(most, capacity);
    let noise = noise(9);
    let (at_a, at_b) =
        tokio::join!(outgoing_encrypted(a, hello(7, b'a'), dials, &noise), dialed(b, takes));
    let ((a, theirs_a), (b, theirs_b)) = (at_a.unwrap(), at_b.unwrap());
    assert_eq!((theirs_a, theirs_b), (hello(7, b'b'), hello(7, b'a')));
    assert_eq!(a.method(), b.method());
    (a, b)
}

fn kind<T>(result: Result<T, CloseReason>) -> Option<ErrorKind> {
    match result.err() {
        Some(CloseReason::Protocol(error)) => Some(error.kind()),
        _ => None,
    }
}

/// Starts a connection; gives what speaks to it and what it says.
fn running(
    transport: impl Transport + 'static,
) -> (Handle, UnboundedReceiver<Batch>, JoinHandle<CloseReason>) {
    let (handle, mailbox) = channel();
    let (sender, batches) = unbounded_channel();
    let sink =
        move |batch| sender.send(batch).map_or(ControlFlow::Break(()), ControlFlow::Continue);
    let config = Config::new(Pool::new(8 << 20));
    (handle, batches, tokio::spawn(run(transport, mailbox, sink, config)))
}

#[tokio::test]
async fn what_flows_is_what_was_sent_in_any_portions() {
    let both = (Allowed::Both, Encryption::Prefer, Method::Plaintext);
    let dialing = (Allowed::Rc4, Encryption::Prefer, Method::Rc4);
    let dialed = (Allowed::Both, Encryption::Require, Method::Rc4);
    for (dials, takes, method) in [both, dialing, dialed] {
        for (most, capacity) in [(1, 100), (13, 2000), (1000, 700), (1 << 20, 1 << 20)] {
            let (a, b) = pair(most, capacity, dials, takes).await;
            assert_eq!(a.method(), Some(method));
            let (to_b, mut from_b, _a) = running(a);
            let (to_a, mut from_a, _b) = running(b);
            let messages: Vec<_> =
                (0..6).map(|piece| block(piece, BLOCK_LEN - piece as usize)).collect();
            let copy = || {
                let mut copy = vec![Message::Unchoke];
                copy.extend((0..6).map(|piece| block(piece, BLOCK_LEN - piece as usize)));
                copy
            };
            to_b.send_all(&mut copy());
            to_a.send_all(&mut copy());
            for batches in [&mut from_b, &mut from_a] {
                let mut received = Vec::new();
                while received.len() < messages.len() + 1 {
                    received.append(&mut batches.recv().await.unwrap().messages);
                }
                assert_eq!(received[1..], messages);
            }
        }
    }
}

#[tokio::test]
async fn a_peer_in_plain_is_taken_unless_encryption_is_required() {
    for (takes, expected) in [
        (Encryption::Off, None),
        (Encryption::Prefer, None),
        (Encryption::Require, Some(ErrorKind::Unencrypted)),
    ] {
        let (mut a, b) = trickle(1000, 1000);
        let (at_a, at_b) = tokio::join!(outgoing(&mut a, hello(7, b'a')), dialed(b, takes));
        assert_eq!(at_a.is_ok(), expected.is_none());
        match at_b {
            Ok((stream, theirs)) => assert_eq!((stream.method(), theirs), (None, hello(7, b'a'))),
            refused => assert_eq!(kind(refused), expected),
        }
    }
}

#[tokio::test]
async fn an_encrypted_peer_is_refused_where_encryption_is_off() {
    let (a, b) = trickle(1000, 1000);
    let noise = noise(9);
    let dial = outgoing_encrypted(a, hello(7, b'a'), Allowed::Both, &noise);
    let (at_a, at_b) = tokio::join!(dial, dialed(b, Encryption::Off));
    assert_eq!(kind(at_b), Some(ErrorKind::NotBitTorrent));
    assert!(matches!(at_a.err(), Some(CloseReason::Peer | CloseReason::Io(_))));
}

#[tokio::test]
async fn a_peer_that_answers_in_plain_is_not_waited_for() {
    let (a, mut b) = trickle(1000, 1000);
    b.stream.write_all(&hello(7, b'b').encode()).await.unwrap();
    let noise = noise(9);
    let dial = outgoing_encrypted(a, hello(7, b'a'), Allowed::Both, &noise).await;
    assert_eq!(kind(dial), Some(ErrorKind::Unencrypted));
}

#[tokio::test]
async fn one_torrent_cannot_be_named_by_another_ones_key() {
    let (mut a, b) = trickle(1000, 5000);
    let mut side = Initiator::new([7; 20], Allowed::Both, &hello(8, b'a').encode(), &noise(9));
    let resolve = |_| Some(hello(8, b'b'));
    let answer = incoming_either(b, Encryption::Prefer, || Ok(noise(5)), find, resolve);
    let dial = async {
        a.stream.write_all(&side.take_output()).await.unwrap();
        while !side.is_done() {
            let mut bytes = [0; 1000];
            let read = a.stream.read(&mut bytes).await.unwrap();
            side.receive(&bytes[..read]).unwrap();
            a.stream.write_all(&side.take_output()).await.unwrap();
        }
    };
    let (at_b, ()) = tokio::join!(answer, dial);
    assert_eq!(kind(at_b), Some(ErrorKind::WrongInfoHash));
}

#[tokio::test]
async fn a_torrent_that_is_not_here_is_refused() {
    let (a, b) = trickle(1000, 5000);
    let noise = noise(9);
    let dial = outgoing_encrypted(a, hello(8, b'a'), Allowed::Both, &noise);
    let (at_a, at_b) = tokio::join!(dial, dialed(b, Encryption::Prefer));
    assert_eq!(kind(at_b), Some(ErrorKind::WrongInfoHash));
    assert_eq!(at_a.err(), Some(CloseReason::Peer));
}

#[tokio::test(start_paused = true)]
async fn a_dripping_handshake_ends_at_the_deadline_all_the_same() {
    for dials in [true, false] {
        let (ours, theirs) = trickle(1000, 5000);
        let mut theirs = theirs.stream;
        let drip = tokio::spawn(async move {
            // A key of 96 bytes, and then a pad that is never too long.
            while theirs.write_all(&[3; 8]).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(900)).await;
            }
        });
        let begun = Instant::now();
        let noise = noise(9);
        let reason = if dials {
            outgoing_encrypted(ours, hello(7, b'a'), Allowed::Both, &noise).await.err()
        } else {
            dialed(ours, Encryption::Prefer).await.err()
        };
        assert_eq!(reason, Some(CloseReason::SlowHandshake));
        assert_eq!(begun.elapsed().as_secs(), HANDSHAKE_DEADLINE.as_secs());
        drip.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_encrypted_and_not_taken_still_counts_against_a_slow_reader() {
    // The stream takes a few bytes; the block fits into the buffer of what is encrypted, so the queue is empty.
    let (a, _b) = pair(1 << 20, 1000, Allowed::Rc4, Encryption::Require).await;
    let (handle, mut batches, running) = running(a);
    handle.send(block(0, BLOCK_LEN));
    assert_eq!(batches.recv().await.unwrap().drained, BLOCK_LEN as u32);
    let begun = Instant::now();
    assert_eq!(running.await.unwrap(), CloseReason::SlowReader);
    assert!(begun.elapsed() >= MESSAGE_DEADLINE);
}

#[tokio::test]
async fn no_more_is_encrypted_ahead_than_its_limit() {
    let (mut a, _b) = pair(1 << 20, 1000, Allowed::Rc4, Encryption::Require).await;
    let bytes = vec![1; 3 * SEALED_LEN];
    let mut cx = Context::from_waker(Waker::noop());
    let mut write = || a.poll_write_vectored(&mut cx, &[IoSlice::new(&bytes)]);
    assert!(matches!(write(), Poll::Ready(Ok(SEALED_LEN))));
    assert!(write().is_pending());
    assert!(a.unsent() > 0 && a.unsent() < SEALED_LEN);
}
