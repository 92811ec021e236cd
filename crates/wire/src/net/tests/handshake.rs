//! Owns the tests of the handshake exchange: in any portions, and never beyond its deadline.

use std::time::Duration;

use tokio::time::Instant;

use super::*;
use crate::error::ErrorKind;
use crate::limits::HANDSHAKE_DEADLINE;

fn trickle(most: usize) -> (Trickle, Trickle) {
    let (a, b) = duplex(1024);
    (Trickle { stream: a, most }, Trickle { stream: b, most })
}

fn kind(reason: CloseReason) -> Option<ErrorKind> {
    match reason {
        CloseReason::Protocol(error) => Some(error.kind()),
        _ => None,
    }
}

#[tokio::test]
async fn both_sides_learn_of_each_other_in_any_portions() {
    for most in [1, 2, 47, 48, 67, 68, 100] {
        let (mut a, mut b) = trickle(most);
        let resolve = |info_hash| (info_hash == [7; 20]).then(|| hello(7, b'b'));
        let (at_a, at_b) =
            tokio::join!(outgoing(&mut a, hello(7, b'a')), incoming(&mut b, resolve));
        assert_eq!((at_a, at_b), (Ok(hello(7, b'b')), Ok(hello(7, b'a'))));
    }
}

#[tokio::test]
async fn what_follows_the_handshake_is_left_to_the_decoder() {
    let (mut a, b) = trickle(1000);
    let mut b = b.stream;
    b.write_all(&hello(7, b'b').encode()).await.unwrap();
    b.write_all(b"next").await.unwrap();
    outgoing(&mut a, hello(7, b'a')).await.unwrap();
    let mut next = [0; 4];
    a.stream.read_exact(&mut next).await.unwrap();
    assert_eq!(&next, b"next");
}

#[tokio::test]
async fn the_torrent_must_be_the_one_that_is_meant() {
    let (mut a, mut b) = trickle(1000);
    b.stream.write_all(&hello(8, b'b').encode()).await.unwrap();
    let reason = outgoing(&mut a, hello(7, b'a')).await.unwrap_err();
    assert_eq!(kind(reason), Some(ErrorKind::WrongInfoHash));

    let reason = incoming(&mut b, |_| None).await.unwrap_err();
    assert_eq!(kind(reason), Some(ErrorKind::WrongInfoHash));
}

#[tokio::test]
async fn another_protocol_is_refused_without_an_answer() {
    let (mut a, mut b) = trickle(1000);
    a.stream.write_all(&[b'G'; 68]).await.unwrap();
    let reason = incoming(&mut b, |_| panic!("names no torrent")).await.unwrap_err();
    assert_eq!(kind(reason), Some(ErrorKind::NotBitTorrent));
    drop(b);
    let mut answer = Vec::new();
    a.stream.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, []);
}

#[tokio::test]
async fn a_peer_may_keep_its_id_back_until_it_has_ours() {
    let (a, mut b) = trickle(1000);
    let mut a = a.stream;
    let bytes = hello(7, b'a').encode();
    let careful = async {
        a.write_all(&bytes[..48]).await.unwrap();
        let mut answer = [0; 68];
        a.read_exact(&mut answer).await.unwrap();
        a.write_all(&bytes[48..]).await.unwrap();
        answer
    };
    let (answer, theirs) = tokio::join!(careful, incoming(&mut b, |_| Some(hello(7, b'b'))));
    assert_eq!((answer, theirs), (hello(7, b'b').encode(), Ok(hello(7, b'a'))));
}

#[tokio::test(start_paused = true)]
async fn a_dripping_handshake_ends_at_the_deadline_all_the_same() {
    for dialed in [true, false] {
        let (mut ours, theirs) = trickle(1000);
        let mut theirs = theirs.stream;
        let drip = tokio::spawn(async move {
            for byte in hello(7, b'a').encode() {
                if theirs.write_all(&[byte]).await.is_err() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(900)).await;
            }
        });
        let begun = Instant::now();
        let result = if dialed {
            outgoing(&mut ours, hello(7, b'b')).await
        } else {
            incoming(&mut ours, |_| Some(hello(7, b'b'))).await
        };
        assert_eq!(result, Err(CloseReason::SlowHandshake));
        assert_eq!(begun.elapsed().as_secs(), HANDSHAKE_DEADLINE.as_secs());
        drop(ours);
        drip.await.unwrap();
    }
}

#[tokio::test]
async fn a_peer_that_leaves_during_the_handshake_is_noticed() {
    let (mut a, b) = trickle(1000);
    drop(b);
    let reason = outgoing(&mut a, hello(7, b'a')).await.unwrap_err();
    assert!(matches!(reason, CloseReason::Io(_)), "{reason}");
    let (mut a, mut b) = trickle(1000);
    b.stream.write_all(&[19]).await.unwrap();
    drop(b);
    assert_eq!(incoming(&mut a, |_| None).await, Err(CloseReason::Peer));
}
