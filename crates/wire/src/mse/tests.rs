//! Owns the kit of the encryption tests, and the tests of what both sides say: bytes computed by another program, every
//! way to cut them, pairs that find each other.

mod hostile;

use std::convert::Infallible;

use proptest::prelude::*;

use super::*;
use crate::error::Error;
use crate::limits::MAX_INITIAL_LEN;

/// Computed from the description by a few lines of Python: private keys and pads of 0x11 and 0x22, pads of 5, 7, 3 and 4
/// bytes, the info-hash 00 01 ... 13.
const KEY_A: &str = "7b1f145af048ef3cecf411f3f50cb852f39867d6bcec9bafb535ec10a5dca6e6f5f9018cda9e83318a36ab70b88d2c7151e3c156c5de5264441a262fe971e4bd634a446687c31b7ab663099401178b05770e6153ab608882d92df6c581cdd5341111111111";
const KEY_B: &str = "0c1b742f2c7b50d165de8bfb533513fcc1ce06113d778d03882ae8cb845b694e9df9ac80bfff9395cf1e6e0992da40b1b965dc13d93e83b17c5ce2d045ae8d44191b133654a0eece552c85e4492f882800af95f5c95c556f86c1299be55abfdf22222222222222";
const OFFER: &str = "1f142de777c900952af157662ce67de48b4ab3c8d0aab2e05afa61044162c2f0cd439a2a1a8d96e39045947b758d8a56b9e87808c6b84b3aae36340bde28a9faab9cf1046defd709a7cb";
const CHOICE: &str = "225e3428c437f0db6346a1822020c9eb865c";
const FROM_A: &str = "00729fc565d2";
const FROM_B: &str = "0c79244a6fbb";

const INFO_HASH: [u8; 20] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19];

fn bytes(hex: &str) -> Vec<u8> {
    let digits = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(digits).collect()
}

/// Noise of one byte, with pads of these lengths.
fn noise(byte: u8, first: u16, second: u16) -> Noise {
    let fill = |to: &mut [u8]| {
        to.fill(byte);
        if to.len() == 4 {
            to[..2].copy_from_slice(&first.to_be_bytes());
            to[2..].copy_from_slice(&second.to_be_bytes());
        }
        Ok::<_, Infallible>(())
    };
    Noise::draw(fill).unwrap()
}

fn initiator(allowed: Allowed) -> Initiator {
    Initiator::new(INFO_HASH, allowed, b"initial payload", &noise(0x11, 5, 3))
}

fn responder(allowed: Allowed) -> Responder {
    Responder::new(allowed, noise(0x22, 7, 4))
}

/// Knows one torrent.
fn find(disguised: [u8; 20]) -> Option<[u8; 20]> {
    (disguised == disguise(&INFO_HASH)).then_some(INFO_HASH)
}

/// What the stream goes on with, after `bytes` more.
fn sealed(mut keystream: Keystream, plain: &[u8]) -> Vec<u8> {
    let mut bytes = plain.to_vec();
    keystream.apply(&mut bytes);
    bytes
}

#[test]
fn the_dialing_side_says_what_the_description_says() {
    // The other side chose RC4 though plaintext was offered, which it may.
    let heard = [bytes(KEY_B), bytes(CHOICE), bytes(FROM_B)].concat();
    for cut in 0..=heard.len() {
        let mut side = initiator(Allowed::Both);
        let mut said = side.take_output();
        assert_eq!(said, bytes(KEY_A));
        for portion in [&heard[..cut], &heard[cut..]] {
            side.receive(portion).unwrap();
            said.extend(side.take_output());
        }
        assert_eq!(said, [bytes(KEY_A), bytes(OFFER)].concat());
        let established = side.finish().unwrap();
        assert_eq!((established.method, &established.early[..]), (Method::Rc4, &b"from b"[..]));
        assert_eq!(sealed(established.keystreams.unwrap().outgoing, b"from a"), bytes(FROM_A));
    }
}

#[test]
fn the_dialed_side_says_what_the_description_says() {
    let heard = [bytes(KEY_A), bytes(OFFER), bytes(FROM_A)].concat();
    for cut in 0..=heard.len() {
        let mut side = responder(Allowed::Rc4);
        let mut said = Vec::new();
        for portion in [&heard[..cut], &heard[cut..]] {
            side.receive(portion, find).unwrap();
            said.extend(side.take_output());
        }
        assert_eq!(said, [bytes(KEY_B), bytes(CHOICE)].concat());
        assert_eq!(side.info_hash(), Some(INFO_HASH));
        let established = side.finish().unwrap();
        assert_eq!(established.method, Method::Rc4);
        assert_eq!(established.early, b"initial payloadfrom a");
        assert_eq!(sealed(established.keystreams.unwrap().outgoing, b"from b"), bytes(FROM_B));
    }
}

#[test]
fn the_dialed_side_is_silent_until_it_has_a_whole_key() {
    let mut side = responder(Allowed::Both);
    for byte in &bytes(KEY_A)[..95] {
        side.receive(&[*byte], find).unwrap();
        assert!(side.take_output().is_empty());
    }
    side.receive(&bytes(KEY_A)[95..96], find).unwrap();
    assert_eq!(side.take_output(), bytes(KEY_B));
}

/// Hands `from` over in portions of `portion` bytes.
fn hand_over(
    from: &[u8],
    portion: usize,
    to: impl FnMut(&[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    from.chunks(portion).try_for_each(to)
}

/// A private key, the lengths of both pads.
fn any_noise() -> impl Strategy<Value = ([u8; 20], u16, u16)> {
    (any::<[u8; 20]>(), 0..=512_u16, 0..=512_u16)
}

fn drawn((key, first, second): ([u8; 20], u16, u16)) -> Noise {
    let fill = |to: &mut [u8]| {
        match to.len() {
            20 => to.copy_from_slice(&key),
            4 => to.copy_from_slice(&[first.to_be_bytes(), second.to_be_bytes()].concat()),
            _ => to.fill(key[0]),
        }
        Ok::<_, Infallible>(())
    };
    Noise::draw(fill).unwrap()
}

fn any_allowed() -> impl Strategy<Value = Allowed> {
    prop_oneof![Just(Allowed::Rc4), Just(Allowed::Both)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_two_sides_understand_each_other(
        noises in [any_noise(), any_noise()],
        allowed in [any_allowed(), any_allowed()],
        portion in 1..700_usize,
        initial_len in prop_oneof![Just(0), Just(68), 0..=MAX_INITIAL_LEN],
        early in prop::collection::vec(any::<u8>(), 0..3000),
    ) {
        let initial: Vec<u8> = (0..initial_len).map(|i| i as u8).collect();
        let [noise_a, noise_b] = noises.map(drawn);
        let mut a = Initiator::new(INFO_HASH, allowed[0], &initial, &noise_a);
        let mut b = Responder::new(allowed[1], noise_b);
        while !b.is_done() {
            let said = a.take_output();
            hand_over(&said, portion, |bytes| b.receive(bytes, find)).unwrap();
            if b.is_done() {
                break;
            }
            let said = b.take_output();
            hand_over(&said, portion, |bytes| a.receive(bytes)).unwrap();
        }
        // What b says first in the stream travels with the end of its handshake.
        let mut said = b.take_output();
        let at_b = b.finish().unwrap();
        let expected = if allowed.contains(&Allowed::Rc4) { Method::Rc4 } else { Method::Plaintext };
        prop_assert_eq!(at_b.method, expected);
        prop_assert_eq!(at_b.early, initial);
        prop_assert_eq!(at_b.keystreams.is_some(), expected == Method::Rc4);
        match at_b.keystreams {
            Some(keystreams) => said.extend(sealed(keystreams.outgoing, &early)),
            None => said.extend(&early),
        }
        hand_over(&said, portion, |bytes| a.receive(bytes)).unwrap();
        prop_assert!(a.is_done());
        let at_a = a.finish().unwrap();
        prop_assert_eq!(at_a.method, expected);
        prop_assert_eq!(at_a.early, early);
    }
}
