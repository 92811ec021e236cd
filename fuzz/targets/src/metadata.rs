//! A magnet among peers of whom some lie: nobody honest is blamed or closed, only what has the right
//! hash is taken for the metadata, and one honest peer is enough to get it. What goes beside it on
//! the same connections (early haves, peer exchange, requests of others) is played too.

mod lab;

use std::time::Duration;

use metainfo::{Layout, PieceSet};
use swarm::{Begin, Input, PeerKey};
use wire::Message;
use wire::extension::{Contact, ContactFlags, Extension, HANDSHAKE_ID, Metadata, Pex};
use wire::limits::METADATA_PIECE_LEN;

use self::lab::Lab;
use crate::script::Script;

/// Longer scripts only repeat themselves.
const MOST_STEPS: usize = 1_000;

/// Plays the bytes as a script.
pub fn run(data: &[u8]) {
    let mut script = Script(data);
    let mut lab = Lab::new(script.byte());
    script.play(MOST_STEPS, |script| {
        step(&mut lab, script);
        lab.check();
    });
    lab.one_honest_peer_is_enough();
    lab.check();
}

fn step(lab: &mut Lab, script: &mut Script<'_>) {
    match script.below(16) {
        0 => lab.connect(true),
        1 | 2 => lab.connect(false),
        3..=5 => lab.answer_rightly(script.byte()),
        6 => lab.reject(script.byte()),
        7 => lab.pass(Duration::from_millis(u64::from(script.byte()) * 100)),
        8 => lab.pass(Duration::from_secs(u64::from(script.byte()))),
        9 => {
            if let Some(peer) = lab.peer(script.byte()) {
                lab.closed(peer);
            }
        }
        10 => lab.request(script.byte()),
        11 => outside(lab, script),
        _ => {
            if let Some(peer) = lab.liar(script.byte()) {
                lie(lab, script, peer);
            }
        }
    }
}

fn outside(lab: &mut Lab, script: &mut Script<'_>) {
    if script.byte() >= 240 {
        return lab.turn_private();
    }
    if !lab.is_known() {
        return;
    }
    let pieces = 1 + script.number(7) % 8;
    let layout = Layout::new(16_384, &[u64::from(pieces) * 16_384]).expect("a small torrent");
    let have = PieceSet::new_empty(pieces);
    lab.input(Input::Begin(Box::new(Begin { layout, have, wanted: None, sequential: false })));
}

fn lie(lab: &mut Lab, script: &mut Script<'_>, peer: PeerKey) {
    let right = lab.len();
    match script.below(12) {
        0..=2 => {
            let len = match script.byte() {
                0..128 => right,
                128..192 => right.saturating_add_signed(i32::from(script.byte()) - 128),
                192..224 => swarm::limits::MAX_METADATA_LEN - u32::from(script.byte()),
                _ => script.number(u32::MAX),
            };
            lab.offer(peer, len.max(1), script.byte().is_multiple_of(2));
        }
        3..=5 => {
            let total = match script.byte() {
                0..200 => None,
                200..230 => Some(right),
                _ => Some(script.number(right)),
            };
            lab.answer_falsely(peer, total, script.byte());
        }
        6 => {
            let (piece, len) = (script.number(8), script.below(256).max(1));
            let data = vec![script.byte(); len.min(METADATA_PIECE_LEN)];
            let message = Metadata::Data { piece, total_size: Some(right), data: &data };
            lab.extended(peer, Extension::Metadata.local_id(), message.encode());
        }
        7 => {
            let message = Metadata::Reject { piece: script.number(8) };
            lab.extended(peer, Extension::Metadata.local_id(), message.encode());
        }
        8 => {
            let (id, len) = (script.byte() % 4, script.below(200));
            let id = if id == HANDSHAKE_ID { 4 } else { id };
            lab.extended(peer, id, script.take(len).into());
        }
        9 => {
            let contact = |script: &mut Script<'_>| Contact {
                addr: Lab::anywhere(script.byte()),
                flags: ContactFlags(script.byte()),
            };
            let added = (0..script.below(60)).map(|_| contact(script)).collect();
            let pex = Pex { added, dropped: vec![Lab::anywhere(script.byte())] };
            lab.extended(peer, Extension::Pex.local_id(), pex.encode());
        }
        _ => {
            let message = early(script);
            lab.say(peer, message);
        }
    }
}

/// What a peer may say of its pieces before anybody here knows how many there are.
fn early(script: &mut Script<'_>) -> Message {
    match script.below(10) {
        0 => Message::Have(script.number(8)),
        1 => {
            let len = script.below(8);
            Message::Bitfield(script.take(len).into())
        }
        2 => Message::HaveAll,
        3 => Message::HaveNone,
        4 => Message::AllowedFast(script.number(8)),
        5 => Message::Suggest(script.number(8)),
        6 => Message::Unchoke,
        7 => Message::Interested,
        8 => Message::Request(wire::Request { piece: script.number(8), offset: 0, len: 16_384 }),
        _ => Message::Choke,
    }
}
