//! Owns the tests of peers that mean ill: whatever they send, it is an error or it waits, and little of it is kept.

use super::*;
use crate::error::ErrorKind;
use crate::limits::MAX_PAD_LEN;
use crate::mse::dh::Private;
use crate::mse::keys::Secret;

/// The dialing side's keystreams and secret, as the known keys make them.
fn known() -> (Secret, Keystreams) {
    let theirs = *bytes(KEY_B).first_chunk().unwrap();
    let secret = Secret(Private::new(&[0x11; 20]).secret(&theirs).unwrap());
    let keystreams = secret.keystreams(&INFO_HASH, true);
    (secret, keystreams)
}

/// What a dialed side answers to a key, a pad, the right hashes, and then `plain`, encrypted.
fn dialed(allowed: Allowed, pad: usize, plain: &[u8]) -> Result<Responder, ErrorKind> {
    let (secret, keystreams) = known();
    let mut said = bytes(KEY_A)[..96].to_vec();
    said.resize(said.len() + pad, 9);
    said.extend(secret.sync());
    said.extend(secret.mask(disguise(&INFO_HASH)));
    said.extend(sealed(keystreams.outgoing, plain));
    let mut side = responder(allowed);
    side.receive(&said, find).map_err(|error| error.kind()).map(|()| side)
}

/// What a dialing side makes of a key, a pad, and then `plain`, encrypted.
fn dialing(allowed: Allowed, pad: usize, plain: &[u8]) -> Result<Initiator, ErrorKind> {
    let (_, keystreams) = known();
    let mut said = bytes(KEY_B)[..96].to_vec();
    said.resize(said.len() + pad, 9);
    said.extend(sealed(keystreams.incoming, plain));
    let mut side = initiator(allowed);
    side.receive(&said).map_err(|error| error.kind()).map(|()| side)
}

/// Zeros, methods, a pad's length.
fn fields(methods: u32, pad: u16) -> Vec<u8> {
    [&[0; 8][..], &methods.to_be_bytes(), &pad.to_be_bytes()].concat()
}

#[test]
fn pads_are_as_long_as_allowed_and_no_longer() {
    let offer = |pad: usize| [fields(2, pad as u16), vec![0; pad], vec![0, 0]].concat();
    let choice = |pad: usize| [fields(2, pad as u16), vec![0; pad]].concat();
    for first in [0, MAX_PAD_LEN] {
        for second in [0, MAX_PAD_LEN] {
            assert!(dialed(Allowed::Rc4, first, &offer(second)).unwrap().is_done());
            assert!(dialing(Allowed::Rc4, first, &choice(second)).unwrap().is_done());
        }
        for second in [MAX_PAD_LEN + 1, usize::from(u16::MAX)] {
            let refused = Some(ErrorKind::BadEncryption);
            assert_eq!(dialed(Allowed::Rc4, first, &offer(second)).err(), refused);
            assert_eq!(dialing(Allowed::Rc4, first, &choice(second)).err(), refused);
        }
    }
    let refused = Some(ErrorKind::BadEncryption);
    assert_eq!(dialed(Allowed::Rc4, MAX_PAD_LEN + 1, &offer(0)).err(), refused);
    assert_eq!(dialing(Allowed::Rc4, MAX_PAD_LEN + 1, &choice(0)).err(), refused);
}

#[test]
fn a_mark_that_does_not_come_is_not_waited_for() {
    for portion in [1, 7, 1000] {
        let mut dialed = responder(Allowed::Both);
        let mut dialing = initiator(Allowed::Both);
        let endless = |key: &str| [bytes(key), vec![7; 1000]].concat();
        let read = |key: &str, side: &mut dyn FnMut(&[u8]) -> Result<(), Error>| {
            let stream = endless(key);
            let mut portions = stream.chunks(portion);
            let read = portions.position(|bytes| side(bytes).is_err());
            (read.expect("an error") + 1) * portion
        };
        // A key, the longest pad, and a mark's length (20 and 8), rounded up to a portion.
        let most = 96 + MAX_PAD_LEN + portion;
        assert!(read(KEY_A, &mut |bytes| dialed.receive(bytes, find)) <= most + 20);
        assert!(read(KEY_B, &mut |bytes| dialing.receive(bytes)) <= most + 8);
        // And it stays an error.
        assert!(dialed.receive(&[], find).is_err() && dialing.receive(&[]).is_err());
        assert!(!dialed.is_done() && dialed.finish().is_none());
        assert!(!dialing.is_done() && dialing.finish().is_none());
    }
}

#[test]
fn keys_that_keep_no_secret_are_refused() {
    let (zero, mut one, all) = ([0; 96], [0; 96], [0xff; 96]);
    one[95] = 1;
    // The prime ends in 63, so 62 makes it -1.
    let prime = "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a08798e3404ddef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a63a362100000000000905";
    let minus_one = bytes(&format!("{prime}62"));
    let prime = bytes(&format!("{prime}63"));
    for key in [&zero[..], &one, &all, &minus_one, &prime] {
        let refused = responder(Allowed::Both).receive(key, find).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::BadEncryption);
        let refused = initiator(Allowed::Both).receive(key).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::BadEncryption);
    }
}

#[test]
fn an_unknown_torrent_is_refused_before_anything_is_decrypted() {
    let (secret, _) = known();
    let mut side = responder(Allowed::Both);
    let hashes = [secret.sync(), secret.mask(disguise(&[9; 20]))].concat();
    side.receive(&bytes(KEY_A), find).unwrap();
    let refused = side.receive(&hashes, find).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::WrongInfoHash);
    assert_eq!(side.info_hash(), None);
}

#[test]
fn a_single_wrong_bit_in_the_zeros_is_refused() {
    for bit in 0..64 {
        let mut offer = [fields(3, 0), vec![0, 0]].concat();
        offer[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(dialed(Allowed::Both, 0, &offer).err(), Some(ErrorKind::BadEncryption));
        // The dialing side takes it for a pad, and finds no mark.
        let mut choice = [fields(1, 0), vec![0; 600]].concat();
        choice[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(dialing(Allowed::Both, 0, &choice).err(), Some(ErrorKind::BadEncryption));
    }
}

#[test]
fn methods_are_agreed_to_or_refused() {
    let offer = |methods| [fields(methods, 0), vec![0, 0]].concat();
    let taken = |allowed, methods: u32| {
        let side = dialed(allowed, 0, &offer(methods))?;
        Ok(side.finish().expect("all of it was sent").method)
    };
    let none = Err(ErrorKind::NoCommonMethod);
    for (allowed, methods, expected) in [
        (Allowed::Both, 0, none),
        (Allowed::Both, 1, Ok(Method::Plaintext)),
        (Allowed::Both, 2, Ok(Method::Rc4)),
        (Allowed::Both, 3, Ok(Method::Plaintext)),
        (Allowed::Both, 0xffff_fffe, Ok(Method::Rc4)),
        (Allowed::Both, 4, none),
        (Allowed::Rc4, 1, none),
        (Allowed::Rc4, 3, Ok(Method::Rc4)),
    ] {
        assert_eq!(taken(allowed, methods), expected, "{allowed:?} {methods}");
    }
    let chosen = |allowed, methods: u32| {
        let side = dialing(allowed, 0, &fields(methods, 0))?;
        Ok(side.finish().expect("all of it was sent").method)
    };
    for (allowed, methods, expected) in [
        (Allowed::Both, 0, none),
        (Allowed::Both, 1, Ok(Method::Plaintext)),
        (Allowed::Both, 2, Ok(Method::Rc4)),
        (Allowed::Both, 3, none),
        (Allowed::Both, 6, none),
        (Allowed::Rc4, 1, none),
        (Allowed::Rc4, 2, Ok(Method::Rc4)),
    ] {
        assert_eq!(chosen(allowed, methods), expected, "{allowed:?} {methods}");
    }
}

#[test]
fn an_initial_payload_beyond_the_limit_is_refused_before_it_comes() {
    let offer = |len: usize| [fields(3, 0), (len as u16).to_be_bytes().to_vec()].concat();
    for len in [MAX_INITIAL_LEN + 1, usize::from(u16::MAX)] {
        assert_eq!(dialed(Allowed::Both, 0, &offer(len)).err(), Some(ErrorKind::BadEncryption));
    }
    assert!(!dialed(Allowed::Both, 0, &offer(MAX_INITIAL_LEN)).unwrap().is_done());
    // And ours never is.
    let mut side = Initiator::new(INFO_HASH, Allowed::Both, &vec![1; 70_000], &noise(0x11, 5, 3));
    side.take_output();
    side.receive(&bytes(KEY_B)).unwrap();
    assert_eq!(side.take_output().len(), 20 + 20 + 8 + 4 + 2 + 3 + 2 + MAX_INITIAL_LEN);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn garbage_ends_in_an_error_or_waits(
        garbage in prop::collection::vec(any::<u8>(), 0..2000),
        portion in 1..700_usize,
    ) {
        let mut dialed = responder(Allowed::Both);
        let first = hand_over(&garbage, portion, |bytes| dialed.receive(bytes, find));
        let mut dialing = initiator(Allowed::Both);
        let second = hand_over(&garbage, portion, |bytes| dialing.receive(bytes));
        prop_assert!(!dialed.is_done() && !dialing.is_done());
        // More than a key, a pad, a mark and a portion are never waited for.
        if garbage.len() > 96 + MAX_PAD_LEN + 20 + portion {
            prop_assert!(first.is_err() && second.is_err());
        }
    }

    #[test]
    fn a_flipped_byte_in_hashes_and_zeros_is_noticed(at in 0..74_usize, flip in 1..=255_u8) {
        let mut offer = bytes(OFFER);
        offer[at] ^= flip;
        let mut side = responder(Allowed::Both);
        side.receive(&bytes(KEY_A), find).unwrap();
        let result = side.receive(&offer, find);
        // Hash of the secret: becomes part of the pad. Name of the torrent, zeros: noticed. Else: other methods, lengths
        // or payload, which the protocol cannot notice.
        if (20..48).contains(&at) {
            prop_assert!(result.is_err());
        }
        if at < 20 {
            prop_assert!(!side.is_done());
        }
    }
}
