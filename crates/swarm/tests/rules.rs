//! The rules one by one: messages in, messages out.

mod lab;

use std::time::Duration;

use lab::{BLOCK, Lab, OUR_ID};
use metainfo::{PieceIndex, PieceSet};
use swarm::{CloseReason, Config, Control, DiskDone, DiskJob, Event, Input, Limit, limits};
use wire::{Message, Payload, Request};

const SECOND: Duration = Duration::from_secs(1);

fn bits(bytes: &[u8]) -> Message {
    Message::Bitfield(bytes.into())
}

fn request(piece: u32, offset: u32, len: u32) -> Message {
    Message::Request(Request { piece, offset, len })
}

fn piece(piece: u32, offset: u32, len: usize) -> Message {
    Message::Piece { piece, offset, payload: Payload::detached(vec![0; len]) }
}

fn again(count: usize, message: impl Fn() -> Message) -> Vec<Message> {
    std::iter::repeat_with(message).take(count).collect()
}

#[test]
fn each_violation_closes_for_its_own_reason() {
    let storm = (0..200).map(|n| if n % 2 == 0 { Message::Unchoke } else { Message::Choke });
    let cancel = || Message::Cancel(Request { piece: 0, offset: 0, len: BLOCK });
    let cases: Vec<(Vec<Message>, CloseReason)> = vec![
        (vec![bits(&[0])], CloseReason::BadBitfield),
        (vec![bits(&[0; 3])], CloseReason::BadBitfield),
        (vec![bits(&[0, 0x01])], CloseReason::BadBitfield),
        (vec![Message::Have(1), bits(&[0, 0x01])], CloseReason::BadBitfield),
        (again(52, || bits(&[0; 2])), CloseReason::HaveFlood),
        (vec![Message::Have(12)], CloseReason::HaveOutOfRange),
        (vec![Message::Have(u32::MAX)], CloseReason::HaveOutOfRange),
        (vec![request(12, 0, BLOCK)], CloseReason::RequestOutOfRange),
        (vec![request(0, 3 * BLOCK + 1, BLOCK)], CloseReason::RequestOutOfRange),
        (vec![request(0, u32::MAX, BLOCK)], CloseReason::RequestOutOfRange),
        (vec![request(0, 0, 2 * BLOCK + 1)], CloseReason::RequestOutOfRange),
        (vec![request(0, 0, 0)], CloseReason::RequestOutOfRange),
        (
            vec![Message::Cancel(Request { piece: 99, offset: 0, len: 1 })],
            CloseReason::RequestOutOfRange,
        ),
        (vec![piece(12, 0, 9)], CloseReason::PieceOutOfRange),
        (vec![piece(0, 4 * BLOCK, 1)], CloseReason::PieceOutOfRange),
        (vec![piece(0, 0, 0)], CloseReason::PieceOutOfRange),
        (again(17, || piece(0, 0, 5)), CloseReason::Unrequested),
        (again(2_001, || request(0, 0, BLOCK)), CloseReason::RequestFlood),
        (storm.collect(), CloseReason::StateFlood),
        (again(2_002, || Message::Interested), CloseReason::StateFlood),
        (again(2_002, || Message::Have(3)), CloseReason::HaveFlood),
        (again(2_001, || Message::KeepAlive), CloseReason::Chatter),
        (again(2_001, cancel), CloseReason::Chatter),
    ];
    for (messages, reason) in cases {
        let mut lab = Lab::new(12, false);
        let (bad, good) = (lab.connect(2), lab.connect(4));
        let shown = format!("{:?} x {}", messages.last(), messages.len());
        let count = messages.len();
        let mut said = 0;
        for message in messages {
            lab.say(bad, message);
            said += 1;
            if lab.torrent.stats().peers == 1 {
                break;
            }
        }
        assert_eq!(lab.closes(), [(bad, reason)], "{shown}");
        // Not earlier than it should be, but for the storm, which is longer than it need be.
        assert!(said == count || (reason == CloseReason::StateFlood && said > 50), "{shown}");
        assert!(reason.is_violation());
        // Only that peer goes, and what it still says is not heard.
        lab.say(bad, Message::Have(1));
        lab.say(good, Message::Have(1));
        assert_eq!(lab.torrent.stats().peers, 1);
    }
}

#[test]
fn a_flood_of_requests_holds_no_more_than_its_queue_and_buffer() {
    let mut lab = Lab::new(12, true);
    let peer = lab.taker(2);
    // More than the queue and all patience together.
    for n in 0..6_000 {
        lab.request(peer, n % 12, 0, 2 * BLOCK);
        let stats = lab.torrent.stats();
        assert!(stats.upload_buffered <= limits::UPLOAD_BUFFER);
        let queued = lab.torrent.peers().first().map_or(0, |peer| peer.queued);
        assert!(queued <= limits::MAX_QUEUE + 32);
    }
    assert_eq!(lab.closes(), [(peer, CloseReason::RequestFlood)]);
}

#[test]
fn a_bitfield_in_mid_conversation_must_be_worth_its_bytes() {
    // 100 bytes, as many as of eleven haves.
    for (news, kept) in [(1, 52), (11, 52), (12, 66)] {
        let mut lab = Lab::new(800, false);
        let peer = lab.connect(2);
        let mut set = PieceSet::new_empty(800);
        let mut said = 0;
        while lab.torrent.stats().peers == 1 && set.count() + news < 800 {
            (0..news).for_each(|_| assert!(set.insert(PieceIndex::new(set.count()))));
            lab.say(peer, Message::Bitfield(set.as_bytes().into()));
            said += 1;
        }
        assert_eq!(said, kept, "{news}");
        assert_eq!(lab.closes().is_empty(), news == 12);
    }
}

#[test]
fn patience_comes_back() {
    let mut lab = Lab::new(12, false);
    let peer = lab.connect(2);
    for _ in 0..600 {
        // A choke round of some other client every second is odd but no storm.
        lab.pass(4 * SECOND);
        lab.say(peer, Message::Unchoke);
        lab.say(peer, Message::Choke);
        lab.say(peer, Message::KeepAlive);
    }
    assert_eq!(lab.closes(), []);
}

#[test]
fn changes_of_interest_that_pieces_cause_are_free() {
    let mut lab = Lab::new(10_000, true);
    let peer = lab.connect(2);
    for piece in 0..10_000 {
        lab.say(peer, Message::Interested);
        lab.say(peer, Message::NotInterested);
        lab.say(peer, Message::Have(piece));
    }
    // A seed is let go for that alone.
    assert_eq!(lab.closes(), [(peer, CloseReason::BothSeeds)]);
    // And they make no storm of our own.
    assert_eq!(lab.sent(peer).iter().filter(|m| **m == Message::Unchoke).count(), 1);
}

#[test]
fn changes_of_interest_without_end_close_the_peer() {
    let mut lab = Lab::new(12, true);
    let peer = lab.connect(2);
    // What our pieces pay for, and all patience.
    for _ in 0..limits::INTEREST_PER_PIECE * 12 + limits::PATIENCE {
        assert_eq!(lab.torrent.stats().peers, 1);
        lab.say(peer, Message::Interested);
        lab.say(peer, Message::NotInterested);
        if lab.torrent.stats().peers == 0 {
            break;
        }
    }
    assert_eq!(lab.closes(), [(peer, CloseReason::StateFlood)]);
}

#[test]
fn interest_follows_what_we_lack() {
    let mut lab = Lab::new(2, false);
    let peer = lab.connect(2);
    lab.say(peer, bits(&[0]));
    assert_eq!(lab.sent(peer), []);
    lab.say(peer, Message::Have(1));
    lab.say(peer, Message::Have(1));
    assert_eq!(lab.sent(peer), [Message::Interested]);
    lab.say(peer, Message::Unchoke);
    let asked = lab.asked(peer);
    assert_eq!(asked.len(), 4);
    for block in asked {
        lab.give(peer, block);
    }
    lab.checked(1, true);
    assert_eq!(lab.sent(peer), [Message::NotInterested]);
}

#[test]
fn a_new_peer_gets_the_bitfield_and_haves_go_to_those_who_lack_the_piece() {
    let mut lab = Lab::new(4, false);
    let (giver, other) = (lab.giver(2, &[0]), lab.connect(4));
    assert_eq!(lab.sent(other), [], "nothing to say without a piece");
    let asked = lab.asked(giver);
    for block in asked {
        lab.give(giver, block);
    }
    lab.checked(0, true);
    assert_eq!(lab.events(), [Event::PieceVerified { piece: PieceIndex::new(0) }]);
    assert_eq!(lab.sent(other), [Message::Have(0)]);
    assert!(!lab.sent(giver).contains(&Message::Have(0)));
    let late = lab.connect(6);
    assert_eq!(lab.sent(late), [bits(&[0x80])]);
}

#[test]
fn blocks_of_a_choking_or_closed_peer_are_asked_of_others_at_once() {
    for close in [false, true] {
        let mut lab = Lab::new(1, false);
        let (first, second) = (lab.giver(2, &[0]), lab.giver(4, &[0]));
        let asked = lab.asked(first);
        assert_eq!(asked.len(), 4);
        assert_eq!(lab.asked(second), []);
        if close {
            lab.input(Input::Closed { peer: first });
        } else {
            lab.say(first, Message::Choke);
        }
        assert_eq!(lab.asked(second), asked);
        if !close {
            // The first one's answer crossed its choke: welcome, and the other is told.
            lab.give(first, asked[0]);
            let cancel = Request { piece: 0, offset: 0, len: BLOCK };
            assert_eq!(lab.sent(second), [Message::Cancel(cancel)]);
            lab.give(second, asked[0]);
            let stats = lab.torrent.stats();
            assert_eq!((stats.wasted_blocks, stats.downloaded), (1, 2 * u64::from(BLOCK)));
            assert_eq!(lab.closes(), []);
        }
    }
}

#[test]
fn a_silent_peer_is_snubbed_and_its_blocks_are_asked_of_others() {
    let mut lab = Lab::new(9, false);
    let silent = lab.giver(2, &[0, 1]);
    assert_eq!(lab.asked(silent).len(), limits::WINDOW_FIRST);
    let steady = lab.giver(4, &[0, 1, 2, 3, 4, 5, 6, 7, 8]);
    for _ in 0..19 {
        let asked = lab.asked(steady);
        assert!(asked.iter().all(|block| block.piece().get() > 1));
        if let Some(block) = asked.first() {
            lab.give(steady, *block);
        }
        lab.pass(SECOND);
    }
    lab.pass(2 * SECOND);
    assert!(lab.torrent.peers().iter().any(|peer| peer.snubbed && peer.requested <= 1));
    lab.pass(SECOND);
    for _ in 0..40 {
        let asked = lab.asked(steady);
        if asked.iter().any(|block| block.piece().get() <= 1) {
            return;
        }
        for block in asked {
            lab.give(steady, block);
        }
    }
    panic!("nobody else was asked");
}

#[test]
fn begun_pieces_come_first() {
    let mut lab = Lab::new(64, false);
    let all: Vec<u32> = (0..64).collect();
    let peers = [lab.giver(2, &all), lab.giver(4, &all), lab.giver(6, &all)];
    for round in 0..20_usize {
        for peer in peers {
            for block in lab.asked(peer).into_iter().take(1 + round % 3) {
                lab.give(peer, block);
            }
        }
        let stats = lab.torrent.stats();
        let full = stats.blocks_requested / 4;
        assert!(stats.partial_pieces <= full + 4 * peers.len() + 20, "{stats:?}");
    }
    lab.input(Input::Closed { peer: peers[0] });
    // What it owed is asked of the others before anything new is begun.
    let before = lab.torrent.stats().partial_pieces;
    for block in lab.asked(peers[1]) {
        lab.give(peers[1], block);
    }
    assert!(lab.torrent.stats().partial_pieces <= before + 1);
}

#[test]
fn in_sequence_pieces_are_begun_from_the_first() {
    let mut config = swarm::Config::new(lab::OUR_ID);
    config.sequential = true;
    let mut lab = Lab::with(200, false, config);
    let some = lab.giver(2, &[150, 70, 9, 3]);
    let all: Vec<u32> = (0..200).collect();
    let seed = lab.giver(4, &all);
    let mut begun: [Vec<u32>; 2] = [Vec::new(), Vec::new()];
    for _ in 0..200 {
        for (peer, begun) in [some, seed].into_iter().zip(&mut begun) {
            for block in lab.asked(peer) {
                begun.push(block.piece().get());
                lab.give(peer, block);
            }
        }
        let done: Vec<u32> = (lab.jobs().iter())
            .filter_map(|job| match job {
                DiskJob::Check { piece, .. } => Some(piece.get()),
                _ => None,
            })
            .collect();
        for piece in done {
            lab.checked(piece, true);
        }
    }
    assert!(lab.torrent.have().is_full());
    for mut begun in begun {
        begun.dedup();
        assert!(begun.is_sorted(), "{begun:?}");
    }
}

#[test]
fn only_wanted_pieces_are_fetched() {
    let mut wanted = PieceSet::new_empty(4);
    wanted.insert(PieceIndex::new(1));
    let mut config = swarm::Config::new(lab::OUR_ID);
    config.wanted = Some(wanted);
    let mut lab = Lab::with(4, false, config);
    let piece_len = 4 * u64::from(BLOCK);
    let stats = lab.torrent.stats();
    assert_eq!((stats.left, stats.missing), (piece_len, 4 * piece_len));

    let useless = lab.giver(2, &[0, 2, 3]);
    assert!(!lab.sent(useless).contains(&Message::Interested));
    let seed = lab.giver(4, &[0, 1, 2, 3]);
    let asked = lab.asked(seed);
    assert_eq!(asked.len(), 4);
    assert!(asked.iter().all(|block| block.piece().get() == 1), "{asked:?}");
    for block in asked {
        lab.give(seed, block);
    }
    lab.checked(1, true);

    assert!(lab.events().contains(&Event::Completed));
    assert_eq!(lab.closes(), [(seed, CloseReason::BothSeeds)]);
    let stats = lab.torrent.stats();
    assert_eq!((stats.left, stats.missing, stats.pieces_have), (0, 3 * piece_len, 1));
    // Who lacks the piece is still served.
    assert!(lab.sent(useless).contains(&Message::Have(1)));
    lab.input(Input::Disk(DiskDone::Lost { piece: PieceIndex::new(1) }));
    assert_eq!(lab.torrent.stats().left, piece_len);
}

#[test]
fn uploads_are_read_as_far_as_the_buffer_goes_and_choking_forgets_them() {
    let mut lab = Lab::new(40, true);
    let peer = lab.taker(2);
    for piece in 0..25 {
        for number in 0..4 {
            lab.request(peer, piece, number * BLOCK, BLOCK);
        }
    }
    let reads = lab.reads();
    assert_eq!(reads.len(), 64, "1 MiB");
    for block in &reads {
        lab.read(peer, *block);
    }
    assert_eq!(lab.sent(peer).len(), 64);
    assert_eq!(lab.reads(), []);
    lab.input(Input::Drained { peer, bytes: 10 * BLOCK });
    assert_eq!(lab.reads().len(), 10);
    assert_eq!(lab.torrent.stats().uploaded, u64::from(10 * BLOCK));
    lab.input(Input::Dropped { peer, bytes: 2 * BLOCK });
    let next = lab.reads();
    assert_eq!(next.len(), 2);
    assert_eq!(lab.torrent.stats().uploaded, u64::from(10 * BLOCK));
    // Cancelled while it is read: not sent.
    let [block, other] = next[..] else { panic!("{next:?}") };
    let (piece, offset) = (block.piece().get(), block.offset());
    lab.say(peer, Message::Cancel(Request { piece, offset, len: BLOCK }));
    lab.read(peer, block);
    assert_eq!(lab.sent(peer), []);
    // Unreadable: there is no other answer than a choke, which forgets all.
    lab.input(Input::Disk(DiskDone::ReadFailed { peer, block: other }));
    assert_eq!(lab.sent(peer)[0], Message::Choke);
    assert_eq!(lab.torrent.peers()[0].queued, 10 + 1, "only what is being read");
}

#[test]
fn the_upload_buffers_of_all_peers_have_a_bound_together() {
    let mut config = Config::new(OUR_ID);
    config.unchoke_slots = 80;
    let mut lab = Lab::with(20, true, config);
    let peers: Vec<_> = (2..72).map(|number| lab.taker(number)).collect();
    for peer in &peers {
        for piece in 0..17 {
            (0..4).for_each(|number| lab.request(*peer, piece, number * BLOCK, BLOCK));
        }
    }
    let reads = lab.reads().len() as u64;
    assert_eq!(reads * u64::from(BLOCK), limits::UPLOAD_BUFFER_ALL, "though 70 peers want 1 MiB");
    assert_eq!(lab.torrent.stats().upload_buffered, limits::UPLOAD_BUFFER_ALL);
    lab.input(Input::Closed { peer: peers[0] });
    assert_eq!(lab.reads().len(), 64, "what one peer held, another gets");
}

#[test]
fn requests_while_choked_or_for_pieces_we_lack_are_not_served() {
    let mut lab = Lab::new(4, false);
    let peer = lab.connect(2);
    lab.request(peer, 0, 0, BLOCK);
    lab.say(peer, Message::Interested);
    assert_eq!(lab.sent(peer), [Message::Unchoke]);
    lab.request(peer, 0, 0, BLOCK);
    assert_eq!((lab.reads(), lab.closes()), (vec![], vec![]));
}

#[test]
fn speed_limits_hold() {
    let limit = 5 * u64::from(BLOCK);
    let mut lab = Lab::new(2_000, false);
    lab.input(Input::Control(Control::Limits { download: Some(Limit::new(limit)), upload: None }));
    let all: Vec<u32> = (0..2_000).collect();
    let peers = [lab.giver(2, &all), lab.giver(4, &all)];
    let mut got = [0_u64; 2];
    for _ in 0..300 {
        for (peer, got) in peers.iter().zip(&mut got) {
            for block in lab.asked(*peer) {
                *got += u64::from(block.len());
                lab.give(*peer, block);
            }
        }
        lab.pass(SECOND / 10);
    }
    let total = got[0] + got[1];
    assert!(total.abs_diff(30 * limit) < 2 * limit, "{got:?}");
    assert!(got[0].abs_diff(got[1]) < total / 4, "{got:?}");

    let mut lab = Lab::new(100, true);
    lab.input(Input::Control(Control::Limits { download: None, upload: Some(Limit::new(limit)) }));
    let peer = lab.taker(2);
    let mut served = 0;
    for n in 0..300 {
        lab.request(peer, n % 100, 0, BLOCK);
        lab.pass(SECOND / 10);
        for block in lab.reads() {
            served += u64::from(BLOCK);
            lab.read(peer, block);
            lab.input(Input::Drained { peer, bytes: BLOCK });
        }
    }
    assert!(served.abs_diff(30 * limit) < 2 * limit, "{served}");
}

#[test]
fn torrents_keep_a_limit_together() {
    let rate = 20 * u64::from(BLOCK);
    let limit = Limit::new(rate);
    let all: Vec<u32> = (0..2_000).collect();
    let mut labs = [Lab::new(2_000, false), Lab::new(2_000, false)];
    let start = labs[0].now;
    let peers = labs.each_mut().map(|lab| {
        lab.now = start;
        let (download, upload) = (Some(limit.clone()), None);
        lab.input(Input::Control(Control::Limits { download, upload }));
        lab.giver(2, &all)
    });
    let mut got = [0_u64; 2];
    for n in 0..1_000 {
        // Whose timer goes off first is chance.
        for at in if n % 2 == 0 { [0, 1] } else { [1, 0] } {
            labs[at].pass(SECOND / 100);
            for block in labs[at].asked(peers[at]) {
                got[at] += u64::from(block.len());
                labs[at].give(peers[at], block);
            }
        }
    }
    let total = got[0] + got[1];
    assert!(total.abs_diff(10 * rate) < rate / 2, "{got:?}");
    assert!(got[0].abs_diff(got[1]) < total / 4, "{got:?}");
}

#[test]
fn a_full_disk_halts_requests_until_resumed() {
    let mut lab = Lab::new(4, false);
    let peer = lab.giver(2, &[0, 1, 2, 3]);
    let asked = lab.asked(peer);
    let piece = asked[0].piece();
    for block in &asked[..4] {
        lab.give(peer, *block);
    }
    let more = lab.asked(peer);
    lab.input(Input::Disk(DiskDone::WriteFailed { piece }));
    for block in asked[4..].iter().chain(&more) {
        lab.give(peer, *block);
    }
    lab.pass(5 * SECOND);
    assert_eq!(lab.asked(peer), []);
    lab.input(Input::Control(Control::Resume));
    assert!(!lab.asked(peer).is_empty());
    assert_eq!(lab.torrent.stats().bans, 0);
}

#[test]
fn a_lost_piece_is_not_served_and_is_fetched_again() {
    let mut lab = Lab::new(4, true);
    let peer = lab.taker(2);
    let piece = PieceIndex::new(2);
    lab.input(Input::Disk(DiskDone::Lost { piece }));
    assert_eq!(lab.torrent.stats().left, u64::from(4 * BLOCK));
    lab.request(peer, 2, 0, BLOCK);
    assert_eq!(lab.reads(), []);
    lab.say(peer, Message::Have(2));
    lab.say(peer, Message::Unchoke);
    let asked = lab.asked(peer);
    assert_eq!(asked.len(), 4);
    for block in asked {
        lab.give(peer, block);
    }
    lab.checked(2, true);
    assert!(lab.events().contains(&Event::Completed));
}

#[test]
fn requests_that_wait_are_forgotten_with_the_piece_that_is_lost() {
    let mut lab = Lab::new(4, true);
    let peer = lab.taker(2);
    // An upload limit that is spent lets no more through for the moment.
    let upload = Some(swarm::Limit::new(1_000));
    lab.input(Input::Control(Control::Limits { download: None, upload }));
    for piece in [0, 2, 2, 3] {
        lab.request(peer, piece, 0, BLOCK);
    }
    lab.input(Input::Disk(DiskDone::Lost { piece: PieceIndex::new(2) }));
    lab.pass(Duration::from_mins(2));
    let read: Vec<u32> = lab.reads().iter().map(|block| block.piece().get()).collect();
    assert_eq!(read, [0, 3]);
}

#[test]
fn a_failed_piece_of_several_peers_is_fetched_whole_from_one() {
    let mut lab = Lab::new(1, false);
    let (first, second) = (lab.giver(2, &[0]), lab.giver(4, &[0]));
    let asked = lab.asked(first);
    lab.give(first, asked[0]);
    lab.say(first, Message::Choke);
    for block in lab.asked(second) {
        lab.give(second, block);
    }
    assert!(matches!(lab.jobs().last(), Some(DiskJob::Check { digests: false, .. })));
    lab.say(first, Message::Unchoke);
    lab.checked(0, false);
    assert_eq!(lab.events(), [Event::PieceFailed { piece: PieceIndex::new(0), sources: 2 }]);
    let (by_first, by_second) = (lab.asked(first), lab.asked(second));
    let (owner, other) = if by_first.is_empty() { (second, first) } else { (first, second) };
    assert_eq!(by_first.len() + by_second.len(), 4);
    // The owner goes away in the middle: from scratch with the other.
    lab.give(owner, asked[0]);
    lab.jobs();
    lab.input(Input::Closed { peer: owner });
    assert!(matches!(lab.jobs()[..], [DiskJob::Discard { .. }]));
    let again = lab.asked(other);
    assert_eq!(again.len(), 4);
    for block in again {
        lab.give(other, block);
    }
    assert!(matches!(lab.jobs().last(), Some(DiskJob::Check { digests: true, .. })));
    // The digests of the good copy differ from all of the bad one: both had lied.
    lab.checked(0, true);
    let banned = lab.events().into_iter().filter(|e| matches!(e, Event::Banned { .. })).count();
    assert_eq!(banned, 2);
}
