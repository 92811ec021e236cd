//! Ids of nodes and of torrents, and the distance between them. Nothing here knows an address.

use std::fmt;

/// A node's id or a torrent's info-hash: both live in one space (BEP 5).
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(pub [u8; 20]);

/// How far two ids are apart: their exclusive or, read as a number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Distance([u8; 20]);

impl Id {
    /// Bytes of an id.
    pub const LEN: usize = 20;

    /// Bits of an id.
    pub const BITS: usize = 160;

    /// An id of these bytes; `None` unless there are 20.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// How far `other` is.
    pub fn distance(self, other: Self) -> Distance {
        let mut distance = self.0;
        distance.iter_mut().zip(other.0).for_each(|(byte, theirs)| *byte ^= theirs);
        Distance(distance)
    }

    /// How many leading bits both ids have in common: 0 to 160.
    pub fn shared_bits(self, other: Self) -> usize {
        self.distance(other).leading_zeros()
    }

    /// An id that shares exactly the first `bits` bits with this one, and has the rest from
    /// `random`. With 160 bits or more it is this one.
    pub(crate) fn sharing(self, bits: usize, random: [u8; 20]) -> Self {
        let mut id = random;
        for bit in 0..=bits {
            let (at, mask) = (bit / 8, 0x80 >> (bit % 8));
            let (Some(ours), Some(byte)) = (self.0.get(at), id.get_mut(at)) else { break };
            let wanted = if bit == bits { !ours } else { *ours };
            *byte = (*byte & !mask) | (wanted & mask);
        }
        Self(id)
    }
}

impl Distance {
    /// Leading bits that are zero: 0 to 160.
    pub fn leading_zeros(self) -> usize {
        let whole = self.0.iter().take_while(|byte| **byte == 0).count();
        let rest = self.0.get(whole).map_or(0, |byte| byte.leading_zeros() as usize);
        whole * 8 + rest
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_is_the_exclusive_or() {
        let (a, b) = (Id([0x0f; 20]), Id([0xff; 20]));
        assert_eq!(a.distance(b), Distance([0xf0; 20]));
        assert_eq!(a.distance(a), Distance([0; 20]));
        assert!(a.distance(b) > a.distance(a));
        assert_eq!(a.shared_bits(a), 160);
        assert_eq!(a.shared_bits(b), 0);
    }

    #[test]
    fn an_id_can_be_made_to_share_any_number_of_bits() {
        let own = Id([0xa5; 20]);
        for bits in 0..Id::BITS {
            for random in [[0; 20], [0xff; 20], [0x3c; 20]] {
                assert_eq!(own.shared_bits(own.sharing(bits, random)), bits);
            }
        }
        assert_eq!(own.sharing(Id::BITS, [0; 20]), own);
    }
}
