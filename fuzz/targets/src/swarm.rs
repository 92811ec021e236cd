//! One torrent among peers that say anything in any order, a disk that answers late or not well, and
//! time that jumps. What it does must stay within the protocol, its contract with the disk and its
//! own counters, after every step.

mod lab;
#[path = "../../../crates/swarm/tests/sim/talk.rs"]
#[allow(dead_code, reason = "the simulated swarms ask it more")]
mod talk;

use std::time::Duration;

use metainfo::PieceSet;
use swarm::{Control, DiskDone, Input, Limit, Origin, Source};
use wire::{Message, Payload, PeerId, Request, Reserved};

use self::lab::Lab;
use crate::script::Script;

/// Longer scripts only repeat themselves.
const MOST_STEPS: usize = 2_000;

/// Plays the bytes as a script.
pub fn run(data: &[u8]) {
    let mut script = Script(data);
    let mut lab = Lab::new(script.byte(), script.byte());
    script.play(MOST_STEPS, |script| {
        step(&mut lab, script);
        lab.check();
    });
}

fn step(lab: &mut Lab, script: &mut Script<'_>) {
    match script.below(16) {
        0 => connect(lab, script),
        1 => {
            if let Some(addr) = lab.dials.pop_front() {
                lab.input(Input::DialFailed { addr });
            }
        }
        2 => {
            if let Some(peer) = lab.peer(script.byte()) {
                lab.closed(peer);
            }
        }
        3 => lab.disk(script.byte()),
        4 => lab.drain(script.byte()),
        5 => lab.pass(Duration::from_millis(u64::from(script.byte()) * 100)),
        6 => lab.pass(Duration::from_secs(u64::from(script.byte()))),
        7 => outside(lab, script),
        // A peer that does as it is told, so that scripts get somewhere.
        8 | 9 => lab.obey(script.byte(), script.byte()),
        14 => {
            if let Some(peer) = lab.peer(script.byte()) {
                let message = newer(lab, script);
                lab.say(peer, message);
            }
        }
        // One that says that it will not.
        15 => {
            if let Some((peer, request)) = lab.owed(script.byte()) {
                lab.say(peer, Message::Reject(request));
            }
        }
        _ => {
            if let Some(peer) = lab.peer(script.byte()) {
                let message = message(lab, script);
                lab.say(peer, message);
            }
        }
    }
}

fn connect(lab: &mut Lab, script: &mut Script<'_>) {
    let id = PeerId([script.byte() % 8; 20]);
    let reserved = match script.byte() {
        even if even.is_multiple_of(2) => Reserved::NONE,
        odd if odd % 4 == 1 => Reserved::NONE.with_extended().with_fast(),
        _ => Reserved::NONE.with_fast(),
    };
    let dialed = (!script.byte().is_multiple_of(3)).then(|| lab.dials.pop_front()).flatten();
    let (addr, origin) = match dialed {
        Some(addr) => (addr, Origin::Dialed),
        None => (Lab::addr(script.byte()), Origin::Incoming),
    };
    lab.connect(addr, origin, id, reserved);
}

fn outside(lab: &mut Lab, script: &mut Script<'_>) {
    let input = match script.below(7) {
        0 => {
            let addrs = (0..script.below(20)).map(|_| Lab::addr(script.byte())).collect();
            Input::Found { addrs, source: Source::Tracker }
        }
        1 => Input::Found { addrs: vec![Lab::addr(script.byte())], source: Source::Given },
        2 => Input::Control(Control::Pause),
        3 => {
            let mut limit = || match script.byte() {
                0 => None,
                rate => Some(Limit::new(u64::from(rate) * 1_000)),
            };
            Input::Control(Control::Limits { download: limit(), upload: limit() })
        }
        4 => {
            let piece = metainfo::PieceIndex::new(script.number(lab.layout.piece_count()));
            if !lab.lose(piece) {
                return;
            }
            Input::Disk(DiskDone::Lost { piece })
        }
        _ => Input::Control(Control::Resume),
    };
    lab.input(input);
}

fn message(lab: &Lab, script: &mut Script<'_>) -> Message {
    let pieces = lab.layout.piece_count();
    let request = |script: &mut Script<'_>| {
        let (piece, block) = (script.number(pieces), script.number(4));
        let offset = block.saturating_mul(metainfo::BLOCK_LEN);
        let len = match script.byte() {
            0 => script.number(40_000),
            _ => metainfo::BLOCK_LEN,
        };
        Request { piece, offset, len }
    };
    match script.below(14) {
        0 => Message::KeepAlive,
        1 => Message::Choke,
        2 | 3 => Message::Unchoke,
        4 => Message::Interested,
        5 => Message::NotInterested,
        6 => Message::Have(script.number(pieces)),
        7 => Message::Bitfield(PieceSet::new_full(pieces).as_bytes().into()),
        8 => {
            let len = script.below(4);
            Message::Bitfield(script.take(len).into())
        }
        9 | 10 => Message::Request(request(script)),
        11 => Message::Cancel(request(script)),
        12 => {
            let Request { piece, offset, len } = request(script);
            let len = len.clamp(1, metainfo::MAX_REQUEST_LEN) as usize;
            let payload = Payload::detached(vec![script.byte(); len]);
            Message::Piece { piece, offset, payload }
        }
        _ => Message::Port(u16::from(script.byte())),
    }
}

/// What only some peers may say.
fn newer(lab: &Lab, script: &mut Script<'_>) -> Message {
    let pieces = lab.layout.piece_count();
    match script.below(8) {
        0 => Message::HaveAll,
        1 => Message::HaveNone,
        2 => Message::Suggest(script.number(pieces)),
        3 | 4 => Message::AllowedFast(script.number(pieces)),
        5 => {
            let offset = script.number(4).saturating_mul(metainfo::BLOCK_LEN);
            let (piece, len) = (script.number(pieces), metainfo::BLOCK_LEN);
            Message::Reject(Request { piece, offset, len })
        }
        _ => {
            let (id, len) = (script.byte() % 8, script.below(64));
            Message::Extended { id, payload: script.take(len).into() }
        }
    }
}
