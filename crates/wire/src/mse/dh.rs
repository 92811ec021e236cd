//! Owns the key exchange: 768-bit Diffie-Hellman over the one group that is used. Never hashes what comes out.

use crypto_bigint::modular::ConstMontyParams;
use crypto_bigint::{U192, U768, const_monty_form, const_monty_params};

/// Bytes of a public key, and of the secret.
pub(super) const PUBLIC_LEN: usize = 96;

/// Bytes of a private key: 160 bits, beyond which nothing is gained with this group.
pub(super) const PRIVATE_LEN: usize = 20;

const PRIVATE_BITS: u32 = 160;

const PRIME: &str = "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a08798e3404ddef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a63a36210000000000090563";

const_monty_params!(Prime, U768, PRIME, "The group's prime.");
const_monty_form!(Element, Prime, "A number of the group.");

/// A public key, or a secret, as it is sent and hashed: big-endian, zeros in front.
pub(super) type Bytes = [u8; PUBLIC_LEN];

/// One side's private key.
pub(super) struct Private(U192);

impl Private {
    /// Of random bytes. The top bit is set, so that no exponent is small.
    pub(super) fn new(random: &[u8; PRIVATE_LEN]) -> Self {
        let mut bytes = [0; U192::BYTES];
        if let Some((_, low)) = bytes.split_last_chunk_mut() {
            *low = *random;
            low[0] |= 0x80;
        }
        Self(U192::from_be_slice(&bytes))
    }

    /// What the other side is to get.
    pub(super) fn public(&self) -> Bytes {
        self.raise(&U768::from(2_u8))
    }

    /// The secret that both sides have; `None` if the peer's key is one of those (0, 1, -1) that leave anybody only two
    /// secrets to guess, or is not in the group.
    pub(super) fn secret(&self, theirs: &Bytes) -> Option<Bytes> {
        let theirs = U768::from_be_slice(theirs);
        let prime = U768::from_be_hex(PRIME);
        let proper = theirs > U768::ONE && theirs < prime.wrapping_sub(&U768::ONE);
        proper.then(|| self.raise(&theirs))
    }

    fn raise(&self, base: &U768) -> Bytes {
        let power = Element::new(base).pow_bounded_exp(&self.0, PRIVATE_BITS);
        let mut bytes = [0; PUBLIC_LEN];
        bytes.copy_from_slice(power.retrieve().to_be_bytes().as_ref());
        bytes
    }
}
