//! Magnets: the metadata comes from peers, what they said before is not lost, and others get it from us.

#![allow(clippy::expect_used, reason = "a test that cannot go on fails")]

mod lab;

use std::time::Duration;

use lab::{BLOCK, Lab, OUR_ID};
use metainfo::{InfoHash, PieceIndex, PieceSet};
use swarm::{Begin, CloseReason, Config, Event, Input, MetadataProgress, PeerKey, limits};
use wire::extension::{Extension, HANDSHAKE_ID, Handshake, Ids, Metadata};
use wire::{Message, Reserved};

const SECOND: Duration = Duration::from_secs(1);

/// Under which number our peers take metadata messages.
const THEIRS: u8 = 3;

fn info(len: usize, seed: u64) -> Vec<u8> {
    let mut info = vec![0; len];
    fastrand::Rng::with_seed(seed).fill(&mut info);
    info
}

fn magnet(info: &[u8]) -> Lab {
    let mut lab = Lab::magnet(InfoHash::of(info), 4, Config::new(OUR_ID));
    lab.reserved = Reserved::NONE.with_extended();
    lab
}

/// A peer's extended handshake.
fn handshake(size: Option<usize>) -> Message {
    let text = format!("d1:md11:ut_metadatai{THEIRS}eee");
    let mut handshake = Handshake::decode(text.as_bytes()).expect("it is one");
    handshake.metadata_size = size.and_then(|size| u32::try_from(size).ok());
    Message::Extended { id: HANDSHAKE_ID, payload: handshake.encode() }
}

/// What a peer sends to us.
fn message(metadata: &Metadata<'_>) -> Message {
    Message::Extended { id: Extension::Metadata.local_id(), payload: metadata.encode() }
}

/// What we sent to a peer: our handshakes, and metadata messages.
fn heard(sent: &[Message]) -> (Vec<Handshake>, Vec<Metadata<'_>>) {
    let (mut handshakes, mut messages) = (Vec::new(), Vec::new());
    for message in sent {
        match message {
            Message::Extended { id: HANDSHAKE_ID, payload } => {
                handshakes.push(Handshake::decode(payload).expect("ours can be read"));
            }
            Message::Extended { id: THEIRS, payload } => {
                let read = Metadata::decode(payload).expect("ours can be read");
                messages.push(read.expect("of a known kind"));
            }
            _ => {}
        }
    }
    (handshakes, messages)
}

/// Answers every request that the peer got from `info`. Gives how many.
fn answer(lab: &mut Lab, peer: PeerKey, info: &[u8]) -> usize {
    let sent = lab.sent(peer);
    let (_, asked) = heard(&sent);
    for ask in &asked {
        let Metadata::Request { piece } = *ask else { panic!("{ask:?}") };
        let data =
            info.chunks(16_384).nth(piece as usize).expect("only what there is, is asked for");
        let total_size = u32::try_from(info.len()).ok();
        lab.say(peer, message(&Metadata::Data { piece, total_size, data }));
    }
    asked.len()
}

fn begin(lab: &mut Lab, have: &[u32]) {
    let layout = lab.layout.clone();
    let mut set = PieceSet::new_empty(layout.piece_count());
    for piece in have {
        set.insert(PieceIndex::new(*piece));
    }
    let begin = Begin { layout, have: set, wanted: None, sequential: false };
    lab.input(Input::Begin(Box::new(begin)));
}

fn bits(bytes: &[u8]) -> Message {
    Message::Bitfield(bytes.into())
}

#[test]
fn the_metadata_comes_and_what_peers_said_before_is_not_lost() {
    let info = info(40_000, 1);
    let mut lab = magnet(&info);
    let nothing = MetadataProgress::default();
    assert_eq!(lab.torrent.stats().metadata, Some(nothing));
    let (seed, partial, plain) = (lab.connect(2), lab.connect(4), lab.connect(6));
    lab.say(seed, bits(&[0xf0]));
    lab.say(seed, Message::Unchoke);
    lab.say(seed, handshake(Some(info.len())));
    lab.say(partial, Message::Have(3));
    lab.say(partial, handshake(None));
    lab.say(plain, Message::Have(1));
    assert!(lab.dials().is_empty() && lab.closes().is_empty());
    assert_eq!(
        lab.torrent.stats().metadata,
        Some(MetadataProgress { sources: 1, bytes: 0, len: 40_000 })
    );
    assert_eq!(answer(&mut lab, seed, &info), 3);
    let events = lab.events();
    let [Event::Metadata { info: came }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(came[..], info);
    assert_eq!(lab.torrent.stats().metadata, None);
    // Everybody who may want it hears that we have it now.
    let sent = lab.sent(partial);
    let sizes: Vec<_> = heard(&sent).0.iter().map(|handshake| handshake.metadata_size).collect();
    assert_eq!(sizes, [None, Some(40_000)]);
    // Nothing is asked for, or said to be wanted, before the files are open.
    assert!(!lab.sent(seed).contains(&Message::Interested));
    begin(&mut lab, &[]);
    assert!(lab.closes().is_empty());
    let pieces = |lab: &Lab| lab.torrent.peers().iter().map(|peer| peer.pieces).collect::<Vec<_>>();
    assert_eq!(pieces(&lab), [4, 1, 1]);
    assert!(lab.sent(partial).contains(&Message::Interested));
    // It was unchoked long ago.
    assert_eq!(lab.asked(seed).len(), limits::WINDOW_FIRST);
    assert_eq!(lab.torrent.stats().left, u64::from(16 * BLOCK));
    // What it said before counts: this is its first bitfield no more.
    lab.say(partial, bits(&[0x30]));
    assert_eq!(pieces(&lab), [4, 2, 1]);
}

#[test]
fn three_of_four_peers_that_lie_are_banned_and_the_fourth_is_believed() {
    let truth = info(100_000, 2);
    let mut lab = magnet(&truth);
    let lies: Vec<Vec<u8>> = (10..13).map(|seed| info(100_000, seed)).collect();
    let peers: Vec<PeerKey> = [2, 4, 6, 8].into_iter().map(|number| lab.connect(number)).collect();
    for peer in &peers {
        lab.say(*peer, handshake(Some(100_000)));
    }
    let mut events = Vec::new();
    for _ in 0..20 {
        for (peer, given) in peers.iter().zip(lies.iter().chain([&truth])) {
            answer(&mut lab, *peer, given);
        }
        events.extend(lab.events());
        if lab.torrent.stats().metadata.is_none() {
            break;
        }
    }
    assert!(
        matches!(&events[..], [.., Event::Metadata { info }] if info[..] == truth),
        "{events:?}"
    );
    let closes = lab.closes();
    assert_eq!(closes.len(), 3);
    assert!(closes.iter().all(|(peer, why)| *peer != peers[3] && *why == CloseReason::Banned));
    let banned = events.iter().filter(|event| matches!(event, Event::Banned { .. })).count();
    assert_eq!(banned, 3);
}

#[test]
fn metadata_is_refused_while_unknown_then_given_at_a_pace() {
    let info = info(1_000_000, 3);
    let mut lab = magnet(&info);
    let (seed, taker) = (lab.connect(2), lab.connect(4));
    lab.say(taker, handshake(None));
    lab.say(taker, message(&Metadata::Request { piece: 0 }));
    assert_eq!(heard(&lab.sent(taker)).1, [Metadata::Reject { piece: 0 }]);
    lab.say(seed, handshake(Some(info.len())));
    while answer(&mut lab, seed, &info) > 0 {}
    assert!(lab.torrent.stats().metadata.is_none());
    begin(&mut lab, &[]);
    for piece in [0, 61, 62, u32::MAX] {
        lab.say(taker, message(&Metadata::Request { piece }));
    }
    let sent = lab.sent(taker);
    let data = |piece: u32| Metadata::Data {
        piece,
        total_size: Some(1_000_000),
        data: info.chunks(16_384).nth(piece as usize).unwrap(),
    };
    let mut given = heard(&sent).1;
    given.sort_by_key(|message| matches!(message, Metadata::Reject { .. }));
    assert_eq!(
        given,
        [data(0), data(61), Metadata::Reject { piece: 62 }, Metadata::Reject { piece: u32::MAX }]
    );
    for piece in 0..62 {
        lab.say(taker, message(&Metadata::Request { piece }));
    }
    let burst = heard(&lab.sent(taker)).1.len();
    assert_eq!(burst, 15, "16 at once, of which 2 were taken, one of them short");
    lab.pass(2 * SECOND);
    let more = heard(&lab.sent(taker)).1.len();
    assert!((15..=17).contains(&more), "{more}");
    lab.pass(10 * SECOND);
    assert_eq!(heard(&lab.sent(taker)).1.len() + burst + more, 62);
    assert!(lab.closes().is_empty());
}

#[test]
fn without_the_metadata_nothing_of_the_pieces_is_believed_beyond_its_limit() {
    let info = info(20_000, 4);
    let mut lab = magnet(&info);
    let numbers = [2, 4, 6, 8];
    let [fits, long, beyond, spare] = numbers.map(|number| lab.connect(number));
    lab.say(fits, bits(&[0x90]));
    lab.say(long, bits(&[0x90, 0]));
    lab.say(beyond, Message::Have(4));
    lab.say(spare, bits(&[0x98]));
    let flood = lab.connect(10);
    for _ in 0..2_002 {
        lab.say(flood, Message::Have(1));
    }
    assert_eq!(lab.closes(), [(flood, CloseReason::HaveFlood)]);
    let impossible = lab.connect(12);
    lab.say(impossible, Message::Have(u32::MAX));
    assert_eq!(lab.closes(), [(impossible, CloseReason::HaveOutOfRange)]);
    begin(&mut lab, &[]);
    assert_eq!(
        lab.closes(),
        [
            (long, CloseReason::BadBitfield),
            (beyond, CloseReason::HaveOutOfRange),
            (spare, CloseReason::BadBitfield)
        ]
    );
    assert!(lab.sent(fits).contains(&Message::Interested));
}

#[test]
fn bitfields_of_a_size_nobody_can_check_have_a_budget() {
    let mut lab = magnet(&info(20_000, 5));
    let longest = 2_097_152 / 8;
    let held = limits::EARLY_BUDGET / longest;
    for number in 1..101 {
        let peer =
            lab.connect_as(number, wire::PeerId([100 + number; 20]), swarm::Origin::Incoming);
        lab.say(peer, bits(&vec![0xff; longest]));
    }
    let closes = lab.closes();
    assert_eq!(closes.len(), 100 - held);
    assert!(closes.iter().all(|(_, why)| *why == CloseReason::TooEarly && !why.is_violation()));
}

#[test]
fn strangers_who_say_much_of_their_pieces_keep_no_newcomer_out() {
    let longest = vec![0xff; metainfo::MAX_PIECES as usize / 8];
    let says = |much: bool| {
        if much { bits(&longest) } else { Message::Have(metainfo::MAX_PIECES - 1) }
    };
    for much in [false, true] {
        let mut lab = magnet(&info(20_000, 6));
        for number in 0..100 {
            let id = wire::PeerId([100 + number; 20]);
            let peer = lab.connect_as(number, id, swarm::Origin::Incoming);
            lab.say(peer, says(much));
        }
        lab.closes();
        for number in 100..180 {
            let id = wire::PeerId([50 + number; 20]);
            let honest = lab.connect_as(number, id, swarm::Origin::Incoming);
            lab.say(honest, bits(&[0xff; 125]));
            assert!(lab.closes().iter().all(|(closed, _)| *closed != honest), "{number}");
        }
    }
}

#[test]
fn pieces_that_are_here_already_are_told_and_only_the_others_fetched() {
    let info = info(20_000, 6);
    let mut lab = magnet(&info);
    let (seed, leecher) = (lab.connect(2), lab.connect(4));
    lab.say(seed, bits(&[0xf0]));
    lab.say(seed, handshake(Some(info.len())));
    answer(&mut lab, seed, &info);
    assert!(matches!(lab.events()[..], [Event::Metadata { .. }]));
    begin(&mut lab, &[0, 1]);
    assert_eq!(lab.torrent.stats().left, u64::from(8 * BLOCK));
    assert!(lab.sent(leecher).contains(&bits(&[0xc0])));
    // A second answer changes nothing.
    begin(&mut lab, &[]);
    assert_eq!(lab.torrent.stats().left, u64::from(8 * BLOCK));
}

#[test]
fn when_all_is_here_already_two_seeds_part() {
    let mut lab = magnet(&info(20_000, 7));
    let (seed, leecher) = (lab.connect(2), lab.connect(4));
    lab.say(seed, bits(&[0xf0]));
    assert!(lab.closes().is_empty(), "nobody knows yet that it is one");
    begin(&mut lab, &[0, 1, 2, 3]);
    assert_eq!(lab.closes(), [(seed, CloseReason::BothSeeds)]);
    assert!(lab.sent(leecher).contains(&bits(&[0xf0])));
}

#[test]
fn data_that_nobody_asked_for_or_that_does_not_fit_ends_the_connection() {
    let info = info(20_000, 8);
    let mut lab = magnet(&info);
    let (stranger, seed) = (lab.connect(2), lab.connect(4));
    let data = message(&Metadata::Data { piece: 0, total_size: None, data: &info[..16_384] });
    let Message::Extended { id, payload } = data else { panic!() };
    for _ in 0..21 {
        lab.say(stranger, Message::Extended { id, payload: payload.clone() });
    }
    assert_eq!(lab.closes(), [(stranger, CloseReason::Unrequested)]);
    lab.say(seed, handshake(Some(20_000)));
    lab.say(seed, message(&Metadata::Data { piece: 0, total_size: Some(9), data: &info[..9] }));
    assert_eq!(lab.closes(), [(seed, CloseReason::MetadataMisfit)]);
}

#[test]
fn a_torrent_from_a_file_offers_its_metadata_at_once() {
    let info = info(20_000, 9);
    let config = Config { info: Some(info.clone().into()), ..Config::new(OUR_ID) };
    let mut lab = Lab::with(4, false, config);
    lab.reserved = Reserved::NONE.with_extended();
    let peer = lab.connect(2);
    let sent = lab.sent(peer);
    let ours = heard(&sent).0.pop().expect("a handshake");
    assert_eq!(ours.metadata_size, Some(20_000));
    assert_eq!(
        ours.ids.get(Extension::Metadata),
        Ids::local([Extension::Metadata]).get(Extension::Metadata)
    );
    // Who takes no metadata messages gets none.
    lab.say(peer, message(&Metadata::Request { piece: 1 }));
    assert!(heard(&lab.sent(peer)).1.is_empty());
    lab.say(peer, handshake(None));
    lab.say(peer, message(&Metadata::Request { piece: 1 }));
    let data = Metadata::Data { piece: 1, total_size: Some(20_000), data: &info[16_384..] };
    assert_eq!(heard(&lab.sent(peer)).1, [data]);
}
