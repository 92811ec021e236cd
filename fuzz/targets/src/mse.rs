//! The encryption handshake: two sides between which somebody changes, cuts and inserts bytes. Where
//! nobody does they agree; otherwise each waits, gives an error that stays, or has a key of the torrent
//! that was named.

use std::convert::Infallible;

use wire::mse::{Allowed, Initiator, Noise, Responder, disguise};

use crate::script::Script;

const INFO_HASH: [u8; 20] = [7; 20];

/// Reads the bytes as two sides' wishes, and what is done to each of the four flights between them.
pub fn run(data: &[u8]) {
    let mut script = Script(data);
    let mut allowed = || [Allowed::Both, Allowed::Rc4][script.below(2)];
    let (dials, takes) = (allowed(), allowed());
    let mut initiator = Initiator::new(INFO_HASH, dials, b"payload", &noise(&mut script));
    let mut responder = Responder::new(takes, noise(&mut script));
    let find = |named| (named == disguise(&INFO_HASH)).then_some(INFO_HASH);
    let mut touched = false;
    for _ in 0..2 {
        let said = disturb(initiator.take_output(), &mut script, &mut touched);
        let cut = script.below(256).min(said.len());
        let (first, rest) = said.split_at(cut);
        if responder.receive(first, find).and_then(|()| responder.receive(rest, find)).is_err() {
            assert!(touched && !responder.is_done() && responder.receive(&[], find).is_err());
        }
        let said = disturb(responder.take_output(), &mut script, &mut touched);
        let cut = script.below(256).min(said.len());
        let (first, rest) = said.split_at(cut);
        if initiator.receive(first).and_then(|()| initiator.receive(rest)).is_err() {
            assert!(touched && !initiator.is_done() && initiator.receive(&[]).is_err());
        }
    }
    assert!(responder.info_hash().is_none_or(|named| named == INFO_HASH));
    let methods = [initiator.finish(), responder.finish()].map(|end| end.map(|end| end.method));
    if !touched {
        assert!(methods[0].is_some() && methods[0] == methods[1]);
    }
}

fn noise(script: &mut Script<'_>) -> Noise {
    let fill = |to: &mut [u8]| {
        to.fill(script.byte());
        Ok::<_, Infallible>(())
    };
    let Ok(noise) = Noise::draw(fill);
    noise
}

/// Lets `bytes` pass, or changes one, or cuts some off, or adds some.
fn disturb(mut bytes: Vec<u8>, script: &mut Script<'_>, touched: &mut bool) -> Vec<u8> {
    let how = script.below(4);
    if how == 0 || bytes.is_empty() {
        return bytes;
    }
    *touched = true;
    let at = (script.below(256) * 256 + script.below(256)) % bytes.len();
    match how {
        1 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= script.byte()),
        2 => bytes.truncate(at),
        _ => drop(bytes.splice(at..at, vec![script.byte(); script.below(256) * 4])),
    }
    bytes
}
