//! Who is connected to, who is let in, and who has to leave without having done wrong.

#![allow(clippy::expect_used, reason = "a test that cannot go on fails")]

mod lab;

use std::time::Duration;

use lab::{Lab, OUR_ID};
use swarm::{CloseReason, Config, Control, Input, Origin, PeerKey, limits};
use wire::{Message, PeerId};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn the_rates_end_with_the_last_peer_and_the_next_one_starts_anew() {
    let mut lab = Lab::new(4, false);
    let peer = lab.giver(2, &[0, 1, 2, 3]);
    for block in lab.asked(peer) {
        lab.give(peer, block);
    }
    lab.pass(SECOND);
    assert!(lab.torrent.stats().download_rate > 0);
    lab.input(Input::Closed { peer });
    lab.pass(2 * SECOND);
    assert_eq!(lab.torrent.stats().download_rate, 0);
    lab.connect(4);
    lab.pass(SECOND);
    assert_eq!(lab.torrent.stats().download_rate, 0);
}

#[test]
fn a_peer_that_stays_without_giving_has_no_rate_within_seconds() {
    let mut lab = Lab::new(4, false);
    let peer = lab.giver(2, &[0, 1, 2, 3]);
    for block in lab.asked(peer) {
        lab.give(peer, block);
    }
    lab.pass(SECOND);
    lab.say(peer, Message::Choke);
    lab.pass(9 * SECOND);
    let stats = lab.torrent.stats();
    assert_eq!((stats.peers, stats.download_rate), (1, 0));
}

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
    // Long after, one that we dialed there is compared with it: either may show another's id.
    lab.pass(60 * SECOND);
    let third = lab.connect_as(2, Lab::id(2), Origin::Dialed);
    assert_eq!(lab.closes(), []);
    lab.pass(limits::TWIN_TRIAL + SECOND);
    assert_eq!(lab.closes(), [(first, CloseReason::Duplicate)], "the greater id dialed the other");
    lab.say(third, Message::Have(1));
    assert_eq!(lab.torrent.stats().peers, 1);
}

fn connect_at(lab: &mut Lab, key: u64, addr: &str, origin: Origin) -> PeerKey {
    let (peer, addr) = (PeerKey(key), addr.parse().expect("an address"));
    let (peer_id, reserved) = (PeerId([7; 20]), lab.reserved);
    lab.input(Input::Connected { peer, addr, origin, peer_id, reserved });
    peer
}

#[test]
fn one_peer_id_at_two_addresses_is_two_peers() {
    // Hosts of one family, and ports of one host that were both dialed.
    for second in ["10.0.0.2:7000", "10.0.0.1:7001"] {
        let mut lab = Lab::new(4, false);
        let first = connect_at(&mut lab, 101, "10.0.0.1:7000", Origin::Dialed);
        let second = connect_at(&mut lab, 102, second, Origin::Dialed);
        assert_eq!(lab.closes(), []);
        lab.input(Input::Closed { peer: first });
        lab.say(second, Message::Have(1));
        assert_eq!(lab.torrent.stats().peers, 1);
    }
    // One that came from the first one's host is the same one, as far as is known.
    let mut lab = Lab::new(4, false);
    connect_at(&mut lab, 101, "10.0.0.1:7000", Origin::Dialed);
    lab.pass(limits::CROSSING);
    let again = connect_at(&mut lab, 102, "10.0.0.1:50000", Origin::Incoming);
    assert_eq!(lab.closes(), [(again, CloseReason::Duplicate)]);
}

#[test]
fn a_peer_that_is_dialed_by_both_families_is_connected_once() {
    for (first, second) in [("10.0.0.1:7000", "[2001:db8::1]:7000"), ("[::1]:7", "127.0.0.1:7")] {
        let mut lab = Lab::new(4, false);
        connect_at(&mut lab, 101, first, Origin::Dialed);
        let second = connect_at(&mut lab, 102, second, Origin::Dialed);
        assert_eq!(lab.closes(), [(second, CloseReason::Duplicate)]);
    }
    // The end that was dialed leaves that to the other: it may have seen them in another order.
    let mut lab = Lab::new(4, false);
    connect_at(&mut lab, 101, "10.0.0.1:50000", Origin::Incoming);
    connect_at(&mut lab, 102, "[2001:db8::1]:50000", Origin::Incoming);
    assert_eq!(lab.closes(), []);
}

#[test]
fn when_both_dial_by_different_families_at_least_one_connection_is_kept() {
    let addrs =
        [("10.0.0.1:7000", "[2001:db8::1]:50000"), ("[2001:db8::1]:7000", "10.0.0.1:50000")];
    for (dialed, came) in addrs {
        // What each of the two ends closes, whichever connection it sees first: the one that the
        // smaller id dialed, or none.
        for (own, smaller) in [(PeerId([1; 20]), true), (PeerId([200; 20]), false)] {
            for dialed_first in [true, false] {
                let mut lab = Lab::with(4, false, Config::new(own));
                let mut both = [(101, dialed, Origin::Dialed), (102, came, Origin::Incoming)];
                if !dialed_first {
                    both.reverse();
                }
                for (key, addr, origin) in both {
                    connect_at(&mut lab, key, addr, origin);
                }
                let by_smaller = PeerKey(if smaller { 101 } else { 102 });
                let closed = lab.closes();
                assert!(closed.iter().all(|(key, _)| *key == by_smaller), "{closed:?}");
                assert!(closed.len() <= 1);
            }
        }
    }
}

#[test]
fn who_shows_the_id_of_another_keeps_it_neither_out_nor_ends_its_connection() {
    for stranger in ["10.0.0.66:50000", "[2001:db8::66]:50000"] {
        let mut lab = Lab::new(4, false);
        connect_at(&mut lab, 101, stranger, Origin::Incoming);
        lab.pass(limits::CROSSING);
        let honest = connect_at(&mut lab, 102, "10.0.0.1:7000", Origin::Dialed);
        let mut closed = lab.closes();
        if !closed.is_empty() {
            // By the other family it could be the same peer, until it is seen to do nothing.
            lab.pass(limits::IDLE_ROOM);
            connect_at(&mut lab, 103, "10.0.0.1:7000", Origin::Dialed);
            closed = lab.closes();
        }
        assert_eq!(closed, [], "{honest:?}");
        // And the other way round.
        let mut lab = Lab::new(4, false);
        let honest = connect_at(&mut lab, 101, "10.0.0.1:7000", Origin::Dialed);
        connect_at(&mut lab, 102, stranger, Origin::Incoming);
        assert!(lab.closes().iter().all(|(closed, _)| *closed != honest));
    }
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
