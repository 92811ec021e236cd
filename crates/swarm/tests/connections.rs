//! Who is connected to, who is let in, and who has to leave without having done wrong.

mod lab;

use std::time::Duration;

use lab::{Lab, OUR_ID};
use swarm::{CloseReason, Config, Control, Input, Origin, limits};
use wire::{Message, PeerId};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn ourselves_are_recognised_and_not_dialed_again() {
    let mut lab = Lab::new(4, false);
    lab.found(7..8);
    assert_eq!(lab.dials(), [Lab::addr(7)]);
    let us = lab.connect_as(7, OUR_ID, Origin::Dialed);
    assert_eq!(lab.closes(), [(us, CloseReason::Ourselves)]);
    lab.found(7..8);
    lab.pass(100_000 * SECOND);
    assert_eq!(lab.dials(), []);
}

#[test]
fn one_connection_a_peer_id() {
    let mut lab = Lab::new(4, false);
    let first = lab.connect(2);
    let second = lab.connect(2);
    assert_eq!(lab.closes(), [(second, CloseReason::Duplicate)]);
    // Long after, a crossing dial is no reason either: somebody may show another's id.
    lab.pass(60 * SECOND);
    let third = lab.connect_as(2, Lab::id(2), Origin::Dialed);
    assert_eq!(lab.closes(), [(third, CloseReason::Duplicate)]);
    // Nor from elsewhere.
    let fourth = lab.connect_as(9, Lab::id(2), Origin::Dialed);
    assert_eq!(lab.closes(), [(fourth, CloseReason::Duplicate)]);
    lab.say(first, Message::Have(1));
    assert_eq!(lab.torrent.stats().peers, 1);
}

#[test]
fn when_both_dial_at_once_both_ends_keep_the_same_connection() {
    for (smaller_sees, greater_sees) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let (smaller, greater) = (PeerId([1; 20]), PeerId([200; 20]));
        // Connection 0 was dialed by the smaller end, connection 1 by the greater one.
        let kept = |own: PeerId, other: PeerId, first: usize| {
            let mut lab = Lab::with(4, false, Config::new(own));
            let order = if first == 0 { [0, 1] } else { [1, 0] };
            for connection in order {
                let ours = (connection == 0) == (own < other);
                let origin = if ours { Origin::Dialed } else { Origin::Incoming };
                lab.connect_as(2, other, origin);
            }
            let closed = lab.closes();
            let [(closed, CloseReason::Duplicate)] = closed[..] else { panic!("{closed:?}") };
            let closed = order[usize::try_from(closed.0).expect("small") - 1];
            1 - closed
        };
        let kept = [kept(smaller, greater, smaller_sees), kept(greater, smaller, greater_sees)];
        assert_eq!(kept, [1, 1]);
    }
}

#[test]
fn pausing_closes_everything_and_resuming_dials_again() {
    let mut lab = Lab::new(4, false);
    lab.found(2..5);
    assert_eq!(lab.dials().len(), 3);
    let peer = lab.connect_as(2, Lab::id(2), Origin::Dialed);
    lab.input(Input::Control(Control::Pause));
    assert_eq!(lab.closes(), [(peer, CloseReason::Paused)]);
    let refused = lab.connect(8);
    assert_eq!(lab.closes(), [(refused, CloseReason::Paused)]);
    lab.pass(1_000 * SECOND);
    assert_eq!(lab.dials(), []);
    lab.input(Input::Control(Control::Resume));
    lab.pass(SECOND);
    assert_eq!(lab.dials(), [Lab::addr(2)]);
}

#[test]
fn dials_are_bounded_and_failures_wait() {
    let mut lab = Lab::new(4, false);
    lab.found(1..250);
    assert_eq!(lab.dials().len(), limits::MAX_HALF_OPEN);
    lab.pass(10 * SECOND);
    assert_eq!(lab.dials(), []);
    lab.input(Input::DialFailed { addr: Lab::addr(1) });
    lab.input(Input::DialFailed { addr: Lab::addr(1) });
    assert!(lab.dials().len() <= 1);
}

#[test]
fn a_newcomer_gets_the_room_of_an_idle_peer_but_not_of_a_fresh_one() {
    let mut config = Config::new(OUR_ID);
    config.max_peers = 2;
    let mut lab = Lab::with(4, true, config);
    let (idle, wanting) = (lab.connect(2), lab.taker(4));
    let early = lab.connect(6);
    assert_eq!(lab.closes(), [(early, CloseReason::TooManyPeers)]);
    lab.pass(61 * SECOND);
    lab.connect(8);
    assert_eq!(lab.closes(), [(idle, CloseReason::Idle)]);
    lab.say(wanting, Message::NotInterested);
    assert_eq!(lab.torrent.stats().peers, 2);
}

#[test]
fn at_rest_nothing_ticks() {
    let mut lab = Lab::new(4, true);
    assert_eq!(lab.torrent.poll_timeout(), None);
    let peer = lab.connect(2);
    assert!(lab.torrent.poll_timeout().is_some());
    lab.input(Input::Closed { peer });
    assert_eq!(lab.torrent.poll_timeout(), None);
}
