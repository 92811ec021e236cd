//! Owns the 20 bytes by which a client names itself. Never judges who a peer is: ids are claims.

use std::fmt;

/// A peer id (BEP 3, BEP 20): 20 bytes chosen by the client that carries it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub [u8; 20]);

impl PeerId {
    /// A peer id in the usual form of BEP 20: eight bytes for the client and its version (as in `-PC0100-`), then
    /// twelve that the caller drew at random.
    pub fn new(client: [u8; 8], random: [u8; 12]) -> Self {
        let mut bytes = [0; 20];
        let (head, tail) = bytes.split_at_mut(client.len());
        head.copy_from_slice(&client);
        tail.copy_from_slice(&random);
        Self(bytes)
    }

    /// The raw bytes.
    pub fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }
}

impl fmt::Display for PeerId {
    /// Printable ASCII as it is and everything else as `\xNN`, so that an id is safe on a terminal and in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.escape_ascii().fmt(f)
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::PeerId;

    #[test]
    fn shows_nothing_raw() {
        let id = PeerId::new(*b"-PC0100-", *b"abc\x1b[2J\x00\xff\n\"\\");
        let shown = id.to_string();
        assert!(shown.starts_with("-PC0100-abc\\x1b[2J\\x00\\xff\\n"), "{shown}");
        assert!(shown.bytes().all(|b| (0x20..0x7f).contains(&b)), "{shown}");
    }
}
