//! What is left at the end is not held up by peers that sit on it beside one that stands idle.

#![allow(clippy::expect_used, reason = "a test that cannot go on fails")]

mod lab;

use std::collections::VecDeque;
use std::time::Duration;

use lab::{BLOCK, Lab};
use metainfo::{Block, PieceIndex};
use swarm::{Checked, DiskDone, DiskJob, Input, PeerKey};
use wire::{Message, Request};

const SECOND: Duration = Duration::from_secs(1);

/// A scripted peer: what it was asked for, and what was taken back.
struct Script {
    peer: PeerKey,
    due: VecDeque<Block>,
    cancelled: VecDeque<Block>,
}

impl Script {
    fn new(peer: PeerKey) -> Self {
        Self { peer, due: VecDeque::new(), cancelled: VecDeque::new() }
    }

    fn listen(&mut self, lab: &mut Lab) {
        let layout = lab.layout.clone();
        let block = |r: Request| layout.range(r.piece, r.offset, r.len).expect("a block");
        for message in lab.sent(self.peer) {
            match message {
                Message::Request(r) => self.due.push_back(block(r)),
                Message::Cancel(r) => {
                    self.due.retain(|due| *due != block(r));
                    self.cancelled.push_back(block(r));
                }
                _ => {}
            }
        }
    }

    /// Sends so many of what is due.
    fn give(&mut self, lab: &mut Lab, count: usize) {
        self.listen(lab);
        for _ in 0..count {
            let Some(block) = self.due.pop_front() else { return };
            lab.give(self.peer, block);
            self.listen(lab);
        }
    }
}

/// Answers the checks of whole pieces: all good but those of `bad`.
fn check(lab: &mut Lab, bad: &mut Vec<u32>) {
    for job in lab.jobs() {
        if let DiskJob::Check { piece, .. } = job {
            let at = bad.iter().position(|bad| *bad == piece.get());
            // Of a copy that is wrong no block tells by itself who lied.
            let blocks = vec![[1; 20]; 4];
            let outcome = match at.map(|at| bad.remove(at)) {
                Some(_) => Checked::Bad { blocks },
                None => Checked::Good { blocks },
            };
            lab.input(Input::Disk(DiskDone::Checked { piece, outcome }));
        }
    }
}

fn all(pieces: u32) -> Vec<u32> {
    (0..pieces).collect()
}

#[test]
fn a_peer_that_holds_requests_and_sends_only_what_was_taken_back_holds_up_nothing() {
    // What it does each third second, with nothing: send what was taken back, or one that is due.
    for drips in [false, true] {
        let pieces = 160;
        let mut lab = Lab::new(pieces, false);
        let mut holder = Script::new(lab.giver(2, &all(pieces)));
        // It is fast until it was asked for much.
        while holder.due.len() < 250 {
            holder.give(&mut lab, 8);
            check(&mut lab, &mut Vec::new());
        }
        let mut seed = Script::new(lab.giver(4, &all(pieces)));
        let mut seconds = 0;
        while lab.torrent.stats().left > 0 {
            seconds += 1;
            assert!(seconds < 240, "drips {drips}: {:?}", lab.torrent.stats());
            seed.give(&mut lab, 4);
            holder.listen(&mut lab);
            if seconds % 2 == 0 {
                match holder.cancelled.pop_front() {
                    Some(block) => lab.give(holder.peer, block),
                    None if drips => holder.give(&mut lab, 1),
                    None => {}
                }
            }
            check(&mut lab, &mut Vec::new());
            lab.pass(SECOND);
        }
        // The seed alone needs 100 s for all.
        assert!(seconds < 130, "drips {drips}: {seconds} s");
    }
}

#[test]
fn a_peer_that_no_other_choice_depends_on_does_not_put_off_the_end() {
    // One that chokes us says that it has a piece that nobody else has, so that something is always
    // left to begin.
    let pieces = 60;
    let mut lab = Lab::new(pieces + 1, false);
    let promised = lab.connect(6);
    let mut only = metainfo::PieceSet::new_empty(pieces + 1);
    only.insert(PieceIndex::new(pieces));
    lab.say(promised, Message::Bitfield(only.as_bytes().into()));
    let mut holder = Script::new(lab.giver(2, &all(pieces)));
    while holder.due.len() < 100 {
        holder.give(&mut lab, 8);
        check(&mut lab, &mut Vec::new());
    }
    let mut seed = Script::new(lab.giver(4, &all(pieces)));
    for second in 0..100 {
        seed.give(&mut lab, 4);
        if second % 15 == 0 {
            holder.give(&mut lab, 1);
        }
        check(&mut lab, &mut Vec::new());
        lab.pass(SECOND);
    }
    let left = lab.torrent.stats().left / u64::from(BLOCK);
    assert!(left <= 4 + 2, "{left} blocks");
}

#[test]
fn the_only_source_of_a_spoiled_piece_does_not_drip_beside_one_that_stands_idle() {
    let pieces = 6;
    let mut lab = Lab::new(pieces, false);
    let mut accomplice = Script::new(lab.giver(2, &all(pieces)));
    let mut seed = Script::new(lab.giver(4, &all(pieces)));
    // All but the last piece, which both gave to and which fails.
    let mut bad = vec![5];
    let mut owner = None;
    let mut seconds = 0;
    while lab.torrent.stats().left > 0 {
        seconds += 1;
        assert!(seconds < 120, "{:?}", lab.torrent.stats());
        accomplice.listen(&mut lab);
        seed.listen(&mut lab);
        let spoiled = lab.torrent.stats().failed_pieces > 0;
        let has = |script: &Script| script.due.iter().any(|block| block.piece().get() == 5);
        if spoiled && owner.is_none() && (has(&accomplice) || has(&seed)) {
            owner = Some(has(&accomplice));
        }
        // Whoever has the piece to itself first turns out to be the accomplice.
        let (dripper, other) = match owner {
            Some(false) => (&mut seed, &mut accomplice),
            _ => (&mut accomplice, &mut seed),
        };
        dripper.give(&mut lab, usize::from(owner.is_none() || seconds % 19 == 0));
        other.give(&mut lab, 1);
        check(&mut lab, &mut bad);
        lab.pass(SECOND);
    }
    assert!(owner.is_some(), "no piece had to come whole from one peer");
    assert!(seconds < 60, "{seconds} s");
}

#[test]
fn what_a_peer_sends_twice_does_not_use_up_what_end_game_may_waste() {
    let pieces = 120;
    let mut lab = Lab::new(pieces, false);
    let mut holder = Script::new(lab.giver(2, &all(pieces)));
    while holder.due.len() < 150 {
        holder.give(&mut lab, 8);
        check(&mut lab, &mut Vec::new());
    }
    let mut seed = Script::new(lab.giver(4, &all(pieces)));
    let mut seconds = 0;
    while lab.torrent.stats().left > 0 {
        seconds += 1;
        assert!(seconds < 240, "{:?}", lab.torrent.stats());
        seed.give(&mut lab, 8);
        // It answers what is due a little, so that it is not silent, and all that was taken back.
        holder.give(&mut lab, usize::from(seconds % 2 == 0));
        while let Some(block) = holder.cancelled.pop_front() {
            lab.give(holder.peer, block);
            holder.listen(&mut lab);
        }
        check(&mut lab, &mut Vec::new());
        lab.pass(SECOND);
    }
    assert!(seconds < 60, "{seconds} s");
}
