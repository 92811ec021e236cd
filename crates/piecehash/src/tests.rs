//! Every kernel of this machine against independent implementations.

use proptest::collection::vec;
use proptest::prelude::*;
use sha2::Digest as _;

use crate::{Kernel, Sha1, Sha256, sha1, sha1_many, sha256, sha256_many};

fn reference_sha1(message: &[u8]) -> [u8; 20] {
    sha1_smol::Sha1::from(message).digest().bytes()
}

fn reference_sha256(message: &[u8]) -> [u8; 32] {
    sha2::Sha256::digest(message).into()
}

fn hex(digest: &[u8]) -> String {
    digest.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

/// Bytes that differ everywhere, so that a lane or a word out of place shows.
fn bytes(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    (0..len).map(|_| next()).collect()
}

/// Cuts at the given places, wherever they fall.
fn cut<'a>(message: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (message.len() + 1)).collect();
    cuts.sort_unstable();
    cuts.push(message.len());
    let mut start = 0;
    cuts.iter().map(|&end| &message[std::mem::replace(&mut start, end)..end]).collect()
}

fn check_all_kernels(messages: &[Vec<&[u8]>]) {
    let whole: Vec<Vec<u8>> = messages.iter().map(|message| message.concat()).collect();
    let sha1s: Vec<_> = whole.iter().map(|message| reference_sha1(message)).collect();
    let sha256s: Vec<_> = whole.iter().map(|message| reference_sha256(message)).collect();
    for kernel in Kernel::available() {
        assert_eq!(kernel.sha1_many(messages), sha1s, "SHA-1 by {kernel}");
        assert_eq!(kernel.sha256_many(messages), sha256s, "SHA-256 by {kernel}");
    }
    assert_eq!(sha1_many(messages), sha1s);
    assert_eq!(sha256_many(messages), sha256s);
}

#[test]
fn prints_the_kernels_this_machine_runs() {
    let names: Vec<_> = Kernel::available().iter().map(|kernel| kernel.name()).collect();
    println!("kernels tested on this machine: {}", names.join(", "));
    println!("SHA-1: {} lanes, by {}", crate::lanes(), crate::sha1_kernel(crate::lanes()));
    let lanes = crate::sha256_lanes();
    println!("SHA-256: {lanes} lanes, by {}", crate::sha256_kernel(lanes));
    assert_eq!(names[0], "portable");
    for kernel in Kernel::available() {
        assert_eq!(Kernel::named(kernel.name()), Some(kernel));
    }
    assert_eq!(Kernel::named("abacus"), None);
}

#[test]
fn nist_vectors() {
    let two_blocks = b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq".as_slice();
    let million = vec![b'a'; 1_000_000];
    let messages = [vec![b"".as_slice()], vec![b"abc"], vec![two_blocks], vec![&million]];
    let sha1s = [
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "a9993e364706816aba3e25717850c26c9cd0d89d",
        "84983e441c3bd26ebaae4aa1f95129e5e54670f1",
        "34aa973cd4c4daa4f61eeb2bdbad27316534016f",
    ];
    let sha256s = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
    ];
    for kernel in Kernel::available() {
        assert_eq!(kernel.sha1_many(&messages).map_hex(), sha1s, "{kernel}");
        assert_eq!(kernel.sha256_many(&messages).map_hex(), sha256s, "{kernel}");
    }
    for (message, (sha1_hex, sha256_hex)) in messages.iter().zip(sha1s.iter().zip(sha256s)) {
        assert_eq!(hex(&sha1(message)), *sha1_hex);
        assert_eq!(hex(&sha256(message)), sha256_hex);
    }
}

trait MapHex {
    fn map_hex(&self) -> Vec<String>;
}

impl<D: AsRef<[u8]>> MapHex for Vec<D> {
    fn map_hex(&self) -> Vec<String> {
        self.iter().map(|digest| hex(digest.as_ref())).collect()
    }
}

#[test]
fn every_length_around_a_block_in_every_lane() {
    let lengths = [0, 1, 54, 55, 56, 57, 62, 63, 64, 65, 118, 119, 120, 127, 128, 129, 191, 1000];
    let messages: Vec<_> = (0..40).map(|i| bytes(i as u64, lengths[i % lengths.len()])).collect();
    for count in 0..messages.len() {
        let messages: Vec<_> = messages[..count].iter().map(|m| vec![m.as_slice()]).collect();
        check_all_kernels(&messages);
    }
}

#[test]
fn no_messages_and_no_segments() {
    check_all_kernels(&[]);
    check_all_kernels(&[vec![], vec![b"", b""], vec![b"", b"a", b""]]);
    assert_eq!(sha1(&[]), reference_sha1(b""));
    assert_eq!(Sha1::new().finish(), reference_sha1(b""));
    assert_eq!(Sha256::new().finish(), reference_sha256(b""));
}

#[test]
fn whole_pieces_in_sixteen_kib_segments() {
    let pieces: Vec<_> = (0..21_u16).map(|i| bytes(i.into(), 64 * 1024 - usize::from(i))).collect();
    let messages: Vec<Vec<&[u8]>> =
        pieces.iter().map(|piece| piece.chunks(16 * 1024).collect()).collect();
    check_all_kernels(&messages);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_messages_cut_anywhere(
        shapes in vec((any::<u64>(), 0..700_usize, vec(any::<usize>(), 0..6)), 0..40)
    ) {
        let whole: Vec<_> = shapes.iter().map(|&(seed, len, _)| bytes(seed, len)).collect();
        let messages: Vec<_> =
            whole.iter().zip(&shapes).map(|(message, (.., cuts))| cut(message, cuts)).collect();
        check_all_kernels(&messages);
    }

    #[test]
    fn streams_fed_together_window_by_window(
        windows in vec(vec((any::<u64>(), 0..300_usize), 20), 0..8)
    ) {
        let mut whole = vec![Vec::new(); 20];
        let mut sha1s = vec![Sha1::new(); 20];
        let mut sha256s = vec![Sha256::new(); 20];
        for window in &windows {
            let parts: Vec<_> = window.iter().map(|&(seed, len)| bytes(seed, len)).collect();
            Sha1::update_many(sha1s.iter_mut().zip(parts.iter().map(Vec::as_slice)));
            Sha256::update_many(sha256s.iter_mut().zip(parts.iter().map(Vec::as_slice)));
            for (message, part) in whole.iter_mut().zip(parts) {
                message.extend(part);
            }
        }
        for ((message, sha1), sha256) in whole.iter().zip(sha1s).zip(sha256s) {
            prop_assert_eq!(sha1.finish(), reference_sha1(message));
            prop_assert_eq!(sha256.finish(), reference_sha256(message));
        }
    }

    #[test]
    fn one_stream_fed_in_parts(seed: u64, len in 0..2000_usize, cuts in vec(any::<usize>(), 0..9)) {
        let message = bytes(seed, len);
        let (mut sha1, mut sha256) = (Sha1::new(), Sha256::default());
        for part in cut(&message, &cuts) {
            sha1.update(part);
            sha256.update(part);
        }
        prop_assert_eq!(sha1.finish(), reference_sha1(&message));
        prop_assert_eq!(sha256.finish(), reference_sha256(&message));
    }
}
