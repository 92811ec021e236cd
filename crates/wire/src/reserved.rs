//! Owns the eight bytes of a handshake by which each side says which extensions it speaks. Never decides which to speak.

use std::fmt;

/// The reserved bytes of a handshake (BEP 3), as they are on the wire. An extension is spoken on a connection if both
/// sides have set its bit; bits that are not named here are kept as they came.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Reserved(pub [u8; 8]);

/// The extension protocol (BEP 10): bit 20 from the right.
const EXTENDED: Bit = Bit { byte: 5, mask: 0x10 };
/// The fast extension (BEP 6).
const FAST: Bit = Bit { byte: 7, mask: 0x04 };
/// A DHT node, whose port a `port` message tells (BEP 5).
const DHT: Bit = Bit { byte: 7, mask: 0x01 };

#[derive(Clone, Copy)]
struct Bit {
    byte: usize,
    mask: u8,
}

impl Reserved {
    /// No extension at all.
    pub const NONE: Self = Self([0; 8]);

    /// These bytes, and the bit of the extension protocol (BEP 10).
    #[must_use]
    pub const fn with_extended(self) -> Self {
        self.with(EXTENDED)
    }

    /// Whether extended messages are spoken (BEP 10).
    pub const fn has_extended(self) -> bool {
        self.has(EXTENDED)
    }

    /// These bytes, and the bit of the fast extension (BEP 6).
    #[must_use]
    pub const fn with_fast(self) -> Self {
        self.with(FAST)
    }

    /// Whether the fast extension is spoken (BEP 6).
    pub const fn has_fast(self) -> bool {
        self.has(FAST)
    }

    /// These bytes, and the bit of the DHT (BEP 5).
    #[must_use]
    pub const fn with_dht(self) -> Self {
        self.with(DHT)
    }

    /// Whether there is a DHT node beside the client (BEP 5).
    pub const fn has_dht(self) -> bool {
        self.has(DHT)
    }

    #[allow(clippy::indexing_slicing, reason = "the bits are constants of this file")]
    const fn with(mut self, bit: Bit) -> Self {
        self.0[bit.byte] |= bit.mask;
        self
    }

    #[allow(clippy::indexing_slicing, reason = "the bits are constants of this file")]
    const fn has(self, bit: Bit) -> bool {
        self.0[bit.byte] & bit.mask != 0
    }
}

impl fmt::Debug for Reserved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reserved({:016x})", u64::from_be_bytes(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::Reserved;

    #[test]
    fn each_bit_is_where_its_bep_says_and_touches_no_other() {
        assert_eq!(Reserved::NONE.with_extended(), Reserved([0, 0, 0, 0, 0, 0x10, 0, 0]));
        assert_eq!(Reserved::NONE.with_fast(), Reserved([0, 0, 0, 0, 0, 0, 0, 4]));
        assert_eq!(Reserved::NONE.with_dht(), Reserved([0, 0, 0, 0, 0, 0, 0, 1]));
        // libtorrent 2.0 and transmission 3.00.
        for bytes in [[0, 0, 0, 0, 0, 0x10, 0, 0x05], [0, 0, 0, 0, 0, 0x10, 0, 0x04]] {
            let theirs = Reserved(bytes);
            assert!(theirs.has_extended() && theirs.has_fast());
            assert_eq!(theirs.has_dht(), bytes[7] == 5);
        }
        let all_else = Reserved([0xff, 0xff, 0xff, 0xff, 0xff, 0xef, 0xff, 0xfa]);
        assert!(!all_else.has_extended() && !all_else.has_fast() && !all_else.has_dht());
        assert_eq!(all_else.with_extended().with_fast().with_dht(), Reserved([0xff; 8]));
    }
}
