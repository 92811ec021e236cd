//! Owns the tests of who has to give its place among incoming handshakes to whom.

use std::future::pending;

use tokio::time::{advance, timeout};

use super::*;

/// So short that nobody who waits for it has lost patience.
const AT_ONCE: Duration = Duration::from_millis(1);

fn ip(last: u8) -> IpAddr {
    [10, 0, 0, last].into()
}

/// A stranger from this address who says nothing, in a place of his own.
async fn stranger(under_way: &mut UnderWay, places: &Places, last: u8) {
    let place = timeout(AT_ONCE, under_way.place(places)).await.expect("a place is free");
    let task = tokio::spawn(async move {
        let _place = place;
        pending::<()>().await;
    });
    under_way.0.push(Incoming::new(ip(last), task));
}

#[tokio::test(start_paused = true)]
async fn whoever_was_silent_for_long_gives_way_at_once() {
    let places = Places::for_test(3);
    let mut under_way = UnderWay::default();
    for last in 1..=3 {
        stranger(&mut under_way, &places, last).await;
    }
    let young = timeout(AT_ONCE, under_way.place(&places)).await;
    assert!(young.is_err(), "a round trip must be given to everybody");
    assert_eq!(under_way.count(), 3);

    advance(PLACE_PATIENCE).await;
    for last in 4..=6 {
        // Not one a second: as many as come.
        stranger(&mut under_way, &places, last).await;
    }
    let left: Vec<IpAddr> = under_way.0.iter().map(|incoming| incoming.ip).collect();
    assert_eq!(left, [4, 5, 6].map(ip), "the oldest go first");
}

#[tokio::test(start_paused = true)]
async fn who_has_most_handshakes_gives_way_first() {
    let places = Places::for_test(3);
    let mut under_way = UnderWay::default();
    for last in [1, 2, 2] {
        stranger(&mut under_way, &places, last).await;
    }
    advance(PLACE_PATIENCE).await;
    stranger(&mut under_way, &places, 3).await;
    let left: Vec<IpAddr> = under_way.0.iter().map(|incoming| incoming.ip).collect();
    assert_eq!(left, [1, 2, 3].map(ip));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_shook_hands_keeps_its_place() {
    let places = Places::for_test(1);
    let mut under_way = UnderWay::default();
    let connected = under_way.place(&places).await;
    assert!(connected.is_some());
    assert!(timeout(10 * PLACE_PATIENCE, under_way.place(&places)).await.is_err());
    drop(connected);
    assert!(timeout(AT_ONCE, under_way.place(&places)).await.is_ok_and(|place| place.is_some()));
}

#[tokio::test(start_paused = true)]
async fn at_the_end_of_the_session_nobody_waits() {
    let places = Places::for_test(0);
    places.close();
    assert!(UnderWay::default().place(&places).await.is_none());
}
