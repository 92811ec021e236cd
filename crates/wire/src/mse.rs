//! Owns message stream encryption (MSE, also called PE): the handshake of both sides without I/O, and the cipher that may
//! follow it. Never reads a socket, draws a random number or decides which peers to encrypt for.
//!
//! It hides from a network what passes through it, and which torrent it is about, as long as the network does not know the
//! info-hash and does not take part. It proves nobody's identity and guards against nobody who does.
//!
//! Who dials makes an [`Initiator`], who is dialed a [`Responder`]. Both are driven alike: hand over what was read by
//! `receive`, send what `take_output` gives, until `is_done`; then [`Established`] says how the stream goes on.
//!
//! ```text
//! 1  dialer -> dialed   Ya, pad A
//! 2  dialed -> dialer   Yb, pad B
//! 3  dialer -> dialed   SHA1("req1" S), SHA1("req2" T) xor SHA1("req3" S),
//!                       RC4[ 8 zeros, methods offered, length and pad C, length and initial payload ]
//! 4  dialed -> dialer   RC4[ 8 zeros, method chosen, length and pad D ], and then either side in that method
//! ```
//!
//! S is the secret that both compute from the public keys Y (Diffie-Hellman), T the info-hash. Each direction has an RC4
//! key of its own, made of S and T, whose first 1,024 bytes are not used. Where a pad ends shows only by what follows it.

mod dh;
mod initiator;
mod input;
mod keys;
mod responder;

pub use initiator::Initiator;
pub use keys::{Keystream, disguise};
pub use responder::Responder;

use crate::limits::MAX_PAD_LEN;

/// The random bytes that one side of one handshake needs. Each handshake needs its own.
#[derive(Clone)]
pub struct Noise {
    private: [u8; dh::PRIVATE_LEN],
    /// The pad behind our public key.
    pad: [u8; MAX_PAD_LEN],
    pad_len: usize,
    /// How long our other pad is; it holds zeros, which the cipher hides.
    second_pad: u16,
}

impl Noise {
    /// Draws it from `fill`, which should be a source that nobody can predict.
    ///
    /// # Errors
    /// Those of `fill`.
    pub fn draw<E>(mut fill: impl FnMut(&mut [u8]) -> Result<(), E>) -> Result<Self, E> {
        let (mut private, mut lens, mut pad) = ([0; dh::PRIVATE_LEN], [0; 4], [0; MAX_PAD_LEN]);
        fill(&mut private)?;
        fill(&mut lens)?;
        fill(&mut pad)?;
        let [a, b, c, d] = lens;
        let [first, second] = [[a, b], [c, d]]
            .map(|bytes| usize::from(u16::from_be_bytes(bytes)) % (MAX_PAD_LEN + 1));
        let second_pad = u16::try_from(second).unwrap_or_default();
        Ok(Self { private, pad, pad_len: first, second_pad })
    }

    fn pad(&self) -> &[u8] {
        self.pad.get(..self.pad_len).unwrap_or_default()
    }
}

/// The eight zeros that show, once encrypted, where a pad ends and that both have the same key.
const ZEROS: [u8; 8] = [0; 8];

/// How the bytes after the handshake are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// As they are: only the handshake was hidden.
    Plaintext,
    /// Encrypted by RC4, in both directions.
    Rc4,
}

impl Method {
    /// Its bit on the wire.
    fn bit(self) -> u32 {
        match self {
            Self::Plaintext => 1,
            Self::Rc4 => 2,
        }
    }
}

/// What a side agrees to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowed {
    /// Nothing but [`Method::Rc4`].
    Rc4,
    /// Both methods. Who may choose takes [`Method::Plaintext`], since it costs nothing.
    Both,
}

impl Allowed {
    fn bits(self) -> u32 {
        match self {
            Self::Rc4 => Method::Rc4.bit(),
            Self::Both => Method::Rc4.bit() | Method::Plaintext.bit(),
        }
    }

    /// The method to use of those that the peer offers, if there is one. Bits that nobody has defined mean nothing.
    fn choose(self, offered: u32) -> Option<Method> {
        let common = self.bits() & offered;
        [Method::Plaintext, Method::Rc4].into_iter().find(|method| common & method.bit() != 0)
    }
}

/// Methods, and the length of a pad, as they stand behind the zeros.
fn fields([a, b, c, d, pad @ ..]: [u8; 6]) -> (u32, usize) {
    (u32::from_be_bytes([a, b, c, d]), u16::from_be_bytes(pad).into())
}

/// How the stream goes on after the handshake.
pub struct Established {
    /// How both sides send from here on.
    pub method: Method,
    /// Bytes of the peer that are here already, decrypted: its initial payload, and what was read beyond the handshake.
    pub early: Vec<u8>,
    /// With [`Method::Rc4`]: what decrypts the peer's further bytes, and what encrypts ours.
    pub keystreams: Option<Keystreams>,
}

/// The ciphers of both directions.
pub struct Keystreams {
    /// Decrypts what the peer sends.
    pub incoming: Keystream,
    /// Encrypts what we send.
    pub outgoing: Keystream,
}

impl Keystreams {
    /// Ends a handshake in which `rest` was read beyond its last byte.
    fn establish(mut self, method: Method, mut early: Vec<u8>, mut rest: Vec<u8>) -> Established {
        if method == Method::Rc4 {
            self.incoming.apply(&mut rest);
        }
        early.append(&mut rest);
        Established { method, early, keystreams: (method == Method::Rc4).then_some(self) }
    }
}

#[cfg(test)]
mod tests;
