//! The rules that make pieces spread, one by one: what is served first, what is asked of whom first,
//! and what moves to another peer.

#![allow(clippy::expect_used, reason = "a test that cannot go on fails")]

mod lab;

use std::time::Duration;

use lab::{BLOCK, Lab};
use swarm::{Control, Input, Limit, PeerKey, limits};
use wire::{Message, Request};

const SECOND: Duration = Duration::from_secs(1);

fn limited(pieces: u32, blocks_a_second: u64) -> Lab {
    let mut lab = Lab::new(pieces, true);
    let upload = Some(Limit::new(blocks_a_second * u64::from(BLOCK)));
    lab.input(Input::Control(Control::Limits { download: None, upload }));
    lab
}

fn ask(lab: &mut Lab, peer: PeerKey, piece: u32) {
    (0..4).for_each(|number| lab.request(peer, piece, number * BLOCK, BLOCK));
}

/// Serves for a while what is read, and gives the pieces of the blocks in the order they were read.
fn serve(lab: &mut Lab, peer_of: impl Fn(u32) -> PeerKey, tenths: u32) -> Vec<u32> {
    let mut served = Vec::new();
    for _ in 0..tenths {
        lab.pass(SECOND / 10);
        for block in lab.reads() {
            let peer = peer_of(block.piece().get());
            lab.read(peer, block);
            lab.input(Input::Drained { peer, bytes: BLOCK });
            served.push(block.piece().get());
        }
    }
    served
}

#[test]
fn under_a_limit_what_no_other_peer_has_or_is_sent_goes_first() {
    let mut lab = limited(8, 20);
    let (first, second, third) = (lab.taker(2), lab.taker(4), lab.taker(6));
    lab.say(third, Message::Have(2));
    ask(&mut lab, first, 0);
    for piece in [2, 0, 1] {
        ask(&mut lab, second, piece);
    }
    // Piece 0 is being sent to the first peer and the third one has piece 2, so of what the second
    // asks for, piece 1 comes first.
    let mut order = serve(&mut lab, |_| first, 20);
    order.dedup();
    assert_eq!(order, [0, 1, 2, 0]);
}

#[test]
fn a_deferred_request_is_served_well_before_its_peer_takes_us_for_silent() {
    let mut lab = limited(400, 8);
    let (patient, greedy) = (lab.taker(2), lab.taker(4));
    let other = lab.taker(6);
    lab.say(other, Message::Have(0));
    ask(&mut lab, patient, 0);
    let mut waited = Duration::ZERO;
    for piece in 1.. {
        // More than the limit lets through, all of it rarer.
        ask(&mut lab, greedy, piece);
        waited += SECOND / 10;
        if serve(&mut lab, |piece| if piece == 0 { patient } else { greedy }, 1).contains(&0) {
            break;
        }
    }
    assert!(waited > SECOND, "it was not deferred: {waited:?}");
    assert!(waited < limits::DEFER_LAST + SECOND, "{waited:?}");
    assert!(limits::DEFER_LAST + SECOND < limits::SNUB_AFTER);
}

#[test]
fn among_equals_who_gives_us_more_is_served_first() {
    let mut lab = Lab::new(800, false);
    let source = lab.giver(6, &[0, 1]);
    for block in lab.asked(source) {
        lab.give(source, block);
    }
    (0..2).for_each(|piece| lab.checked(piece, true));
    // The generous one has the rest, and sends what it is asked for.
    let rest: Vec<u32> = (2..800).collect();
    let (idle, generous) = (lab.connect(2), lab.giver(4, &rest));
    lab.input(Input::Closed { peer: source });
    for _ in 0..10 {
        for block in lab.asked(generous) {
            lab.give(generous, block);
        }
        lab.pass(SECOND);
    }
    let upload = Some(Limit::new(8 * u64::from(BLOCK)));
    lab.input(Input::Control(Control::Limits { download: None, upload }));
    for peer in [idle, generous] {
        lab.say(peer, Message::Interested);
    }
    ask(&mut lab, idle, 0);
    ask(&mut lab, generous, 1);
    lab.jobs();
    let mut order = serve(&mut lab, |piece| if piece == 0 { idle } else { generous }, 20);
    order.dedup();
    assert_eq!(order, [1, 0], "asked in the other order");
}

#[test]
fn requests_that_wait_move_to_a_peer_that_got_the_piece() {
    let mut lab = Lab::new(2, false);
    let slow = lab.giver(2, &[0, 1]);
    let asked = lab.asked(slow);
    assert_eq!(asked.len(), limits::WINDOW_FIRST);
    let piece = asked[0].piece().get();
    // One that chokes us can't be asked; one that comes to have the piece is.
    let choking = lab.connect(4);
    lab.say(choking, Message::Have(piece));
    assert_eq!(lab.asked(choking), []);
    let newcomer = lab.giver(6, &[]);
    lab.say(newcomer, Message::Have(piece));
    let moved = lab.asked(newcomer);
    let of_piece: Vec<_> = asked.iter().copied().filter(|b| b.piece().get() == piece).collect();
    assert_eq!(moved, of_piece[limits::MOVE_NOT_FIRST..]);
    let cancels: Vec<Message> = moved
        .iter()
        .map(|block| Request { piece, offset: block.offset(), len: block.len() })
        .map(Message::Cancel)
        .collect();
    let sent = lab.sent(slow);
    assert_eq!(sent.iter().filter(|m| cancels.contains(m)).count(), cancels.len(), "{sent:?}");
    // Each block comes once, and the piece is whole.
    for block in &of_piece[..limits::MOVE_NOT_FIRST] {
        lab.give(slow, *block);
    }
    for block in moved {
        lab.give(newcomer, block);
    }
    lab.checked(piece, true);
    assert_eq!(lab.torrent.stats().wasted_blocks, 0);
}

#[test]
fn requests_do_not_move_away_from_a_peer_that_is_faster_or_sends_the_piece_already() {
    let mut lab = Lab::new(40, false);
    let all: Vec<u32> = (0..40).collect();
    let fast = lab.giver(2, &all);
    let newcomer = lab.giver(4, &[]);
    let asked = lab.asked(fast);
    let begun = asked[0].piece();
    lab.give(fast, asked[0]);
    lab.say(newcomer, Message::Have(begun.get()));
    assert!(lab.asked(newcomer).iter().all(|block| block.piece() != begun), "it sends it already");

    // What is left is a moment's work for it.
    let mut given = 1;
    while given < 120 {
        let asked = lab.asked(fast);
        given += asked.len();
        for block in asked {
            lab.give(fast, block);
        }
    }
    let waits = lab.asked(fast);
    lab.pass(SECOND);
    let last = waits.last().expect("one waits").piece();
    lab.say(newcomer, Message::Have(last.get()));
    assert!(lab.asked(newcomer).iter().all(|block| block.piece() != last), "it is fast");
}

#[test]
fn what_only_one_peer_has_is_asked_of_it_before_begun_pieces_that_others_have() {
    let mut lab = Lab::new(12, false);
    let all: Vec<u32> = (0..12).collect();
    let other = lab.giver(4, &[0, 1, 2]);
    // Half of a piece that both have is asked for, and then given back.
    let asked = lab.asked(other);
    let begun = asked[0].piece().get();
    let seed = lab.giver(2, &all);
    let first: Vec<u32> = lab.asked(seed).iter().map(|block| block.piece().get()).collect();
    assert_eq!(first.len(), limits::WINDOW_FIRST);
    assert!(first.iter().all(|piece| *piece > 2), "{first:?}, though {begun} is begun");
}
