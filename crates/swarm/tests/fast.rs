//! The fast extension: what is said at the beginning, rejects both ways, pieces for the choked, and
//! what a peer can't do with them. Never reads `Torrent`'s insides.

#![allow(clippy::expect_used, reason = "a test that cannot go on fails")]

mod lab;

use std::time::Duration;

use lab::{BLOCK, Lab, OUR_ID};
use metainfo::{Block, PieceIndex};
use swarm::{CloseReason, Config, DiskDone, Input, PeerKey, limits};
use wire::{Message, Request, Reserved};

const SECOND: Duration = Duration::from_secs(1);

fn lab(pieces: u32, complete: bool) -> Lab {
    let mut config = Config::new(OUR_ID);
    config.info_hash = Some([0xaa; 20].into());
    let mut lab = Lab::with(pieces, complete, config);
    lab.reserved = Reserved::NONE.with_fast();
    lab
}

fn request(block: Block) -> Request {
    Request { piece: block.piece().get(), offset: block.offset(), len: block.len() }
}

fn reject(piece: u32, block: u32) -> Message {
    Message::Reject(Request { piece, offset: block * BLOCK, len: BLOCK })
}

fn rejects(lab: &mut Lab, peer: PeerKey) -> Vec<Request> {
    let rejected = |message| match message {
        Message::Reject(request) => Some(request),
        _ => None,
    };
    lab.sent(peer).into_iter().filter_map(rejected).collect()
}

#[test]
fn the_first_word_is_as_short_as_it_can_be() {
    let mut seed = lab(12, true);
    let peer = seed.connect(1);
    assert_eq!(seed.sent(peer)[0], Message::HaveAll);
    let mut leecher = lab(12, false);
    let peer = leecher.connect(1);
    assert_eq!(leecher.sent(peer)[0], Message::HaveNone);
    leecher.reserved = Reserved::NONE;
    let peer = leecher.connect(2);
    assert_eq!(leecher.sent(peer), []);
}

#[test]
fn have_all_and_have_none_are_understood() {
    let mut lab = lab(12, false);
    let (all, none) = (lab.connect(1), lab.connect(2));
    lab.say(all, Message::HaveAll);
    lab.say(none, Message::HaveNone);
    let pieces: Vec<u32> = lab.torrent.peers().iter().map(|peer| peer.pieces).collect();
    assert_eq!(pieces, [12, 0]);
    assert!(lab.sent(all).contains(&Message::Interested));
    lab.say(all, Message::Unchoke);
    assert_eq!(lab.asked(all).len(), limits::WINDOW_FIRST);
    assert_eq!(lab.closes(), []);
}

#[test]
fn each_violation_closes_for_its_own_reason() {
    let bits = || Message::Bitfield(Box::new([0xff, 0]));
    let again =
        |count, message: fn() -> Message| std::iter::repeat_with(message).take(count).collect();
    let cases: Vec<(Vec<Message>, CloseReason)> = vec![
        (vec![Message::HaveAll, Message::HaveAll], CloseReason::BadHaveAll),
        (vec![Message::HaveAll, Message::HaveNone], CloseReason::BadHaveAll),
        (vec![Message::HaveNone, Message::HaveAll], CloseReason::BadHaveAll),
        (vec![bits(), Message::HaveNone], CloseReason::BadHaveAll),
        (vec![bits(), Message::HaveAll], CloseReason::BadHaveAll),
        (vec![Message::Have(1), Message::HaveAll], CloseReason::BadHaveAll),
        (vec![Message::Suggest(12)], CloseReason::HintOutOfRange),
        (vec![Message::AllowedFast(u32::MAX)], CloseReason::HintOutOfRange),
        (again(401, || Message::AllowedFast(3)), CloseReason::HintFlood),
        (again(401, || Message::Suggest(3)), CloseReason::HintFlood),
        (again(21, || reject(3, 1)), CloseReason::RejectFlood),
        (vec![reject(12, 0)], CloseReason::RequestOutOfRange),
    ];
    for (messages, reason) in cases {
        let mut lab = lab(12, false);
        let peer = lab.connect(1);
        let last = messages.len() - 1;
        for (number, message) in messages.into_iter().enumerate() {
            assert_eq!(lab.closes(), [], "{reason:?} before message {number} of {last}");
            lab.say(peer, message);
        }
        assert_eq!(lab.closes(), [(peer, reason)]);
    }
}

#[test]
fn its_messages_are_for_those_who_agreed_on_them() {
    let messages: [fn() -> Message; 5] = [
        || Message::HaveAll,
        || Message::HaveNone,
        || Message::Suggest(0),
        || reject(0, 0),
        || Message::AllowedFast(0),
    ];
    for message in messages {
        let mut lab = lab(12, false);
        lab.reserved = Reserved::NONE.with_extended();
        let peer = lab.connect(1);
        lab.say(peer, message());
        assert_eq!(lab.closes(), [(peer, CloseReason::NotFast)]);
    }
}

#[test]
fn a_rejected_block_goes_elsewhere_at_once_and_not_back() {
    let mut lab = lab(1, false);
    let (first, second) = (lab.giver(1, &[0]), lab.giver(2, &[0]));
    let asked = lab.asked(first);
    assert_eq!((asked.len(), lab.asked(second).len()), (4, 0));
    lab.say(first, Message::Reject(request(asked[3])));
    assert_eq!(lab.asked(second), [asked[3]]);
    assert_eq!(lab.asked(first), [], "it is not asked while it rejects");
    // Its rest over, the peer is asked again, for what is left by then.
    lab.say(second, Message::Choke);
    lab.say(second, Message::Reject(request(asked[3])));
    lab.pass(SECOND);
    assert_eq!(lab.asked(first), [asked[3]]);
}

#[test]
fn who_only_rejects_is_asked_less_and_less() {
    let mut lab = lab(1, false);
    let peer = lab.giver(1, &[0]);
    let mut asked = 0;
    for _ in 0..600 {
        for block in lab.asked(peer) {
            asked += 1;
            lab.say(peer, Message::Reject(request(block)));
        }
        lab.pass(SECOND);
    }
    assert!((20..100).contains(&asked), "{asked} requests in ten minutes");
    assert_eq!(lab.closes(), []);
}

#[test]
fn a_choke_does_not_take_requests_back_but_rejects_do() {
    let mut lab = lab(1, false);
    let (first, second) = (lab.giver(1, &[0]), lab.giver(2, &[0]));
    let asked = lab.asked(first);
    lab.say(first, Message::Choke);
    assert_eq!(lab.asked(second), [], "the answers are still to come");
    lab.give(first, asked[0]);
    for block in &asked[1..] {
        lab.say(first, Message::Reject(request(*block)));
    }
    let mut elsewhere = lab.asked(second);
    elsewhere.sort_unstable();
    assert_eq!(elsewhere, asked[1..]);
    // Unchoked, it may be asked at once: a reject that follows a choke is no refusal.
    lab.input(Input::Closed { peer: second });
    lab.say(first, Message::Unchoke);
    assert_eq!(lab.asked(first).len(), 3);
}

#[test]
fn who_chokes_and_never_answers_is_given_up() {
    let mut lab = lab(1, false);
    let (first, second) = (lab.giver(1, &[0]), lab.giver(2, &[0]));
    assert_eq!(lab.asked(first).len(), 4);
    lab.say(first, Message::Choke);
    lab.pass(limits::SNUB_AFTER + SECOND);
    assert_eq!(lab.asked(second).len(), 4);
}

#[test]
fn what_we_will_not_answer_is_rejected() {
    let mut lab = lab(12, true);
    let peer = lab.connect(1);
    lab.say(peer, Message::Bitfield(Box::new([0, 0])));
    let granted = granted(&mut lab, peer);
    let other = (0..12).find(|piece| !granted.contains(piece)).expect("not all twelve");
    lab.request(peer, other, 0, BLOCK);
    let choked = Request { piece: other, offset: 0, len: BLOCK };
    assert!(rejects(&mut lab, peer).contains(&choked), "choked");

    lab.say(peer, Message::Interested);
    let block = |offset| Request { piece: other, offset, len: BLOCK };
    for n in 0..3 {
        lab.say(peer, Message::Request(block(n * BLOCK)));
    }
    lab.say(peer, Message::Cancel(block(2 * BLOCK)));
    assert_eq!(rejects(&mut lab, peer), [block(2 * BLOCK)], "cancelled");
    let reads = lab.reads();
    lab.input(Input::Disk(DiskDone::ReadFailed { peer, block: reads[0] }));
    assert_eq!(lab.sent(peer), [Message::Reject(block(0))], "and no choke");
}

#[test]
fn a_choke_is_followed_by_the_rejects_of_all_that_waits() {
    let mut config = Config::new(OUR_ID);
    config.unchoke_slots = 1;
    let mut lab = Lab::with(12, true, config);
    lab.reserved = Reserved::NONE.with_fast();
    let peers: Vec<PeerKey> = (1..6).map(|number| lab.connect(number)).collect();
    for peer in &peers {
        lab.say(*peer, Message::Interested);
    }
    let unchoked =
        lab.torrent.peers().into_iter().find(|peer| !peer.am_choking).expect("a slot").peer;
    // More than the buffer of one peer: some are being read, some wait.
    for n in 0..48 {
        lab.request(unchoked, n / 4, n % 4 * BLOCK, BLOCK);
    }
    lab.sent(unchoked);
    lab.pass(Duration::from_mins(1));
    let sent = lab.sent(unchoked);
    let choke = sent.iter().position(|message| *message == Message::Choke).expect("a choke");
    let rejects = sent.iter().skip(choke + 1).filter(|m| matches!(m, Message::Reject(_))).count();
    assert_eq!((choke, rejects), (0, 48));
}

/// The pieces that we granted the peer.
fn granted(lab: &mut Lab, peer: PeerKey) -> Vec<u32> {
    let piece = |message| match message {
        Message::AllowedFast(piece) => Some(piece),
        _ => None,
    };
    lab.sent(peer).into_iter().filter_map(piece).collect()
}

#[test]
fn a_beginner_is_granted_pieces_once_and_served_while_choked() {
    let mut lab = lab(100, true);
    let peer = lab.connect(1);
    lab.say(peer, Message::HaveNone);
    let pieces = granted(&mut lab, peer);
    assert_eq!(pieces.len(), limits::ALLOWED_FAST);
    for offset in 0..4 {
        lab.request(peer, pieces[0], offset * BLOCK, BLOCK);
    }
    assert_eq!(lab.reads().len(), 4);
    // What all granted pieces weigh is given, and no more.
    for _ in 0..100 {
        for piece in &pieces {
            lab.request(peer, *piece, 0, BLOCK);
            for block in lab.reads() {
                lab.read(peer, block);
                lab.input(Input::Drained { peer, bytes: block.len() });
            }
        }
    }
    let given = lab.torrent.peers()[0].uploaded;
    assert!(given <= limits::ALLOWED_FAST_BYTES, "{given}");
    assert!(given > limits::ALLOWED_FAST_BYTES / 2, "{given}");
    assert_eq!(lab.closes(), [], "a second of an honest peer's patience");

    // Who has more than a few pieces is no beginner, neither at first nor later.
    let peer = lab.connect(2);
    lab.say(peer, Message::HaveNone);
    let pieces = granted(&mut lab, peer);
    for piece in 0..11 {
        lab.say(peer, Message::Have(piece));
    }
    lab.request(peer, pieces[0], 0, BLOCK);
    assert_eq!(rejects(&mut lab, peer).len(), 1);
    let peer = lab.connect(3);
    lab.say(peer, Message::Bitfield(vec![0xff; 12].into_iter().chain([0xf0]).collect()));
    assert_eq!(granted(&mut lab, peer), []);
}

#[test]
fn pieces_that_are_allowed_us_are_requested_while_choked() {
    let mut lab = lab(8, false);
    let peer = lab.connect(1);
    lab.say(peer, Message::HaveAll);
    lab.say(peer, Message::AllowedFast(5));
    let asked = lab.asked(peer);
    let blocks: Vec<Block> = lab.layout.blocks(PieceIndex::new(5)).collect();
    assert_eq!(asked, blocks);
    // It thinks better of it: not asked for that piece again before it unchokes.
    lab.say(peer, Message::Reject(request(blocks[3])));
    lab.pass(10 * SECOND);
    assert_eq!(lab.asked(peer), []);
    lab.say(peer, Message::Unchoke);
    assert!(lab.asked(peer).contains(&blocks[3]));

    // A piece that it lacks is of no use.
    let peer = lab.connect(2);
    lab.say(peer, Message::HaveNone);
    lab.say(peer, Message::AllowedFast(7));
    lab.say(peer, Message::Have(1));
    assert_eq!(lab.asked(peer), []);
}

#[test]
fn a_suggestion_is_begun_next() {
    for suggested in [3, 40, 60] {
        let mut lab = lab(100, false);
        let peer = lab.connect(1);
        lab.say(peer, Message::HaveAll);
        lab.say(peer, Message::Suggest(suggested));
        lab.say(peer, Message::Unchoke);
        let asked = lab.asked(peer);
        assert_eq!(asked[0].piece().get(), suggested);
        assert_ne!(asked[4].piece().get(), suggested);
    }
}
