//! Padding (BEP 47): never asked for, never counted, served to those who ask, and never in the way.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod lab;

use lab::{BLOCK, Lab};
use metainfo::{Layout, PieceIndex, PieceSet};
use swarm::{Checked, Config, DiskDone, DiskJob, Event, Input, Phase, Torrent};
use wire::{Message, Payload};

/// Pieces of four blocks: one with 5,000 bytes of content, then one of padding alone, then one whose
/// first block and a half are padding, and a last one that is content.
fn layout() -> Layout {
    let block = u64::from(BLOCK);
    let lengths = [5_000, 4 * block - 5_000 + 4 * block + block + 1_000, 7 * block - 1_000];
    Layout::new(4 * BLOCK, &lengths).unwrap().with_padding(|file| file == 1)
}

/// A torrent of that layout that has these pieces.
fn lab(have: &[u32], config: Config) -> Lab {
    let layout = layout();
    let mut set = PieceSet::new_empty(4);
    for piece in have {
        set.insert(PieceIndex::new(*piece));
    }
    let mut lab = Lab::with(4, false, config.clone());
    lab.torrent = Torrent::new(config, Phase::Pieces(layout.clone(), set), 1);
    lab.layout = layout;
    lab
}

fn good(lab: &mut Lab, piece: u32) {
    let outcome = Checked::Good { blocks: Vec::new() };
    lab.input(Input::Disk(DiskDone::Checked { piece: PieceIndex::new(piece), outcome }));
}

#[test]
fn only_content_is_asked_for_and_counted() {
    let mut lab = lab(&[1], Config::new(lab::OUR_ID));
    let content = 5_000 + 7 * u64::from(BLOCK) - 1_000;
    assert_eq!((lab.torrent.stats().left, lab.torrent.stats().missing), (content, content));
    let seed = lab.giver(2, &[0, 1, 2, 3]);
    let mut asked: Vec<_> = lab.asked(seed);
    let ranges: Vec<_> = {
        asked.sort();
        asked.iter().map(|block| (block.piece().get(), block.offset(), block.len())).collect()
    };
    assert_eq!(
        ranges,
        [
            (0, 0, 5_000),
            (2, BLOCK + 1_000, BLOCK - 1_000),
            (2, 2 * BLOCK, BLOCK),
            (2, 3 * BLOCK, BLOCK),
            (3, 0, BLOCK),
            (3, BLOCK, BLOCK),
            (3, 2 * BLOCK, BLOCK),
            (3, 3 * BLOCK, BLOCK),
        ]
    );
    for block in asked {
        lab.give(seed, block);
    }
    let checks = lab.jobs().into_iter().filter(|job| matches!(job, DiskJob::Check { .. })).count();
    assert_eq!(checks, 3, "each piece is whole with its content");
    for piece in [0, 2, 3] {
        good(&mut lab, piece);
    }
    let stats = lab.torrent.stats();
    assert_eq!((stats.downloaded, stats.left, stats.wasted), (content, 0, 0));
    assert!(lab.events().contains(&Event::Completed));
    assert!(lab.torrent.have().is_full());
}

#[test]
fn a_piece_with_padding_goes_back_when_its_peer_does() {
    let mut lab = lab(&[1, 3], Config::new(lab::OUR_ID));
    let first = lab.giver(2, &[2]);
    assert_eq!(lab.asked(first).len(), 3);
    lab.say(first, Message::Choke);
    // Untouched again, it is picked and not resumed.
    assert_eq!(lab.torrent.stats().partial_pieces, 0);
    let second = lab.giver(4, &[2]);
    assert_eq!(lab.asked(second).len(), 3);
}

#[test]
fn a_piece_with_padding_that_failed_is_fetched_whole_and_convicts_the_liar() {
    let mut lab = lab(&[0, 1, 3], Config::new(lab::OUR_ID));
    let liar = lab.giver(2, &[2]);
    let asked = lab.asked(liar);
    lab.give(liar, asked[0]);
    lab.say(liar, Message::Choke);
    let honest = lab.giver(4, &[2]);
    for block in lab.asked(honest) {
        lab.give(honest, block);
    }
    let digests = |first: u8| {
        let content = [[first; 20], [2; 20], [3; 20]];
        [&[[0; 20]][..], &content].concat()
    };
    let piece = PieceIndex::new(2);
    let outcome = Checked::Bad { blocks: digests(9) };
    lab.input(Input::Disk(DiskDone::Checked { piece, outcome }));
    // One that never sends is not asked; the liar chokes us.
    let again = lab.asked(honest);
    assert_eq!(again.len(), 3);
    for block in again {
        lab.give(honest, block);
    }
    let outcome = Checked::Good { blocks: digests(1) };
    lab.input(Input::Disk(DiskDone::Checked { piece, outcome }));
    let banned: Vec<_> = lab
        .events()
        .into_iter()
        .filter_map(|event| match event {
            Event::Banned { peer_id, .. } => Some(peer_id),
            _ => None,
        })
        .collect();
    assert_eq!(banned, [Lab::id(2)]);
}

#[test]
fn padding_without_the_hash_of_zeros_is_not_had_and_holds_nothing_up() {
    // The driver did not find piece 1 to be zeros.
    let mut lab = lab(&[0, 2], Config::new(lab::OUR_ID));
    let seed = lab.giver(2, &[0, 1, 2, 3]);
    let asked = lab.asked(seed);
    assert!(asked.iter().all(|block| block.piece().get() == 3), "{asked:?}");
    for block in asked {
        lab.give(seed, block);
    }
    good(&mut lab, 3);
    assert!(lab.events().contains(&Event::Completed));
    assert!(!lab.torrent.have().contains(PieceIndex::new(1)), "not claimed");
    assert_eq!(lab.torrent.stats().missing, 0);
    lab.input(Input::Disk(DiskDone::Lost { piece: PieceIndex::new(1) }));
    assert_eq!(lab.torrent.stats().left, 0);
}

#[test]
fn a_peer_that_asks_for_padding_gets_it_and_it_is_not_counted() {
    let mut lab = lab(&[0, 1, 2, 3], Config::new(lab::OUR_ID));
    let peer = lab.taker(2);
    // A whole block, of which 5,000 bytes are content, and one that is padding alone.
    for (piece, content) in [(0, 5_000), (1, 0)] {
        lab.request(peer, piece, 0, BLOCK);
        let [block] = lab.reads()[..] else { panic!("one read") };
        let before = lab.torrent.stats().uploaded;
        lab.input(Input::Disk(DiskDone::Read {
            peer,
            block,
            payload: Payload::detached(vec![0; block.len() as usize]),
        }));
        let sent = lab.sent(peer);
        assert!(sent.iter().any(|message| matches!(message, Message::Piece { .. })), "{sent:?}");
        lab.input(Input::Drained { peer, bytes: BLOCK });
        assert_eq!(lab.torrent.stats().uploaded - before, content);
        assert_eq!(lab.torrent.stats().upload_buffered, 0);
    }
}
