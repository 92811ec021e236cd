//! Owns what is made of the secret and the info-hash: the hashes that are sent, and the cipher. Never sees a message.

use rc4::{KeyInit, Rc4, StreamCipher};
use sha1_smol::Sha1;

use super::Keystreams;
use super::dh;

/// How much of each keystream is not used: its beginning says too much about the key.
const DISCARDED: usize = 1024;

/// The form in which the dialed side is told the info-hash: not itself, so that who does not know it learns nothing.
/// Whoever has many torrents keeps this of each, to look them up by it.
pub fn disguise(info_hash: &[u8; 20]) -> [u8; 20] {
    hash(&[b"req2", info_hash])
}

/// The secret of both sides.
pub(super) struct Secret(pub(super) dh::Bytes);

impl Secret {
    /// What the dialing side sends right behind its pad.
    pub(super) fn sync(&self) -> [u8; 20] {
        hash(&[b"req1", &self.0])
    }

    /// Puts the mask over a [`disguise`], or takes it off.
    pub(super) fn mask(&self, disguise: [u8; 20]) -> [u8; 20] {
        let mut masked = hash(&[b"req3", &self.0]);
        masked.iter_mut().zip(disguise).for_each(|(byte, other)| *byte ^= other);
        masked
    }

    /// The ciphers as the dialing or the dialed side sees them.
    pub(super) fn keystreams(&self, info_hash: &[u8; 20], dialing: bool) -> Keystreams {
        let keystream = |name: &[u8]| Keystream::new(&hash(&[name, &self.0, info_hash]));
        let (to_dialed, to_dialing) = (keystream(b"keyA"), keystream(b"keyB"));
        if dialing {
            Keystreams { incoming: to_dialing, outgoing: to_dialed }
        } else {
            Keystreams { incoming: to_dialed, outgoing: to_dialing }
        }
    }
}

/// RC4 in one direction. Encrypting and decrypting are the same.
pub struct Keystream(Rc4);

impl Keystream {
    fn new(key: &[u8; 20]) -> Self {
        // A key of 1 to 256 bytes is what RC4 takes.
        let Ok(mut cipher) = Rc4::new_from_slice(key) else { unreachable!("20 bytes are a key") };
        cipher.apply_keystream(&mut [0; DISCARDED]);
        Self(cipher)
    }

    /// Encrypts or decrypts the next bytes of the stream in place.
    pub fn apply(&mut self, bytes: &mut [u8]) {
        self.0.apply_keystream(bytes);
    }
}

fn hash(parts: &[&[u8]]) -> [u8; 20] {
    let mut sha1 = Sha1::new();
    for part in parts {
        sha1.update(part);
    }
    sha1.digest().bytes()
}
