//! Owns the 68 bytes that open a connection (BEP 3). Never reads or writes a socket.

use crate::error::{Error, ErrorKind};
use crate::peer_id::PeerId;
use crate::reserved::Reserved;

/// The length of an encoded handshake in bytes.
pub const HANDSHAKE_LEN: usize = 68;

/// What every handshake begins with: the length of the protocol's name, and the name.
pub(crate) const PROTOCOL: &[u8; 20] = b"\x13BitTorrent protocol";

/// What each side says first (BEP 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handshake {
    /// Which protocol extensions the sender speaks.
    pub reserved: Reserved,
    /// The torrent that is meant: SHA-1 of its info dictionary, or the first 20 bytes of its SHA-256 (BEP 52).
    pub info_hash: [u8; 20],
    /// Who speaks.
    pub peer_id: PeerId,
}

impl Handshake {
    /// The bytes to send.
    pub fn encode(&self) -> [u8; HANDSHAKE_LEN] {
        let mut bytes = [0; HANDSHAKE_LEN];
        let mut rest = bytes.as_mut_slice();
        for part in
            [PROTOCOL.as_slice(), &self.reserved.0, &self.info_hash, self.peer_id.as_bytes()]
        {
            let (here, after) = rest.split_at_mut(part.len());
            here.copy_from_slice(part);
            rest = after;
        }
        bytes
    }

    /// What a peer sent.
    ///
    /// # Errors
    /// [`ErrorKind::NotBitTorrent`] if it does not begin with the protocol's name.
    pub fn decode(bytes: &[u8; HANDSHAKE_LEN]) -> Result<Self, Error> {
        if !bytes.starts_with(PROTOCOL) {
            return Err(Error::handshake(ErrorKind::NotBitTorrent));
        }
        let mut handshake =
            Self { reserved: Reserved::NONE, info_hash: [0; 20], peer_id: PeerId([0; 20]) };
        handshake.reserved.0.copy_from_slice(&bytes[20..28]);
        handshake.info_hash.copy_from_slice(&bytes[28..48]);
        handshake.peer_id.0.copy_from_slice(&bytes[48..68]);
        Ok(handshake)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Handshake {
        Handshake {
            reserved: Reserved([0, 0, 0, 0, 0, 0x10, 0, 5]),
            info_hash: std::array::from_fn(|i| i as u8),
            peer_id: PeerId(*b"-PC0100-abcdefghijkl"),
        }
    }

    #[test]
    fn layout_is_that_of_bep_3() {
        let bytes = sample().encode();
        assert_eq!(bytes[0], 19);
        assert_eq!(&bytes[1..20], b"BitTorrent protocol");
        assert_eq!(bytes[20..28], sample().reserved.0);
        assert_eq!(bytes[28..48], sample().info_hash);
        assert_eq!(&bytes[48..], b"-PC0100-abcdefghijkl");
        assert_eq!(Handshake::decode(&bytes), Ok(sample()));
    }

    #[test]
    fn another_protocol_is_refused_at_every_byte_of_its_name() {
        for at in 0..20 {
            let mut bytes = sample().encode();
            bytes[at] ^= 1;
            let refused = Handshake::decode(&bytes).map_err(|e| e.kind());
            assert_eq!(refused, Err(ErrorKind::NotBitTorrent), "byte {at}");
        }
    }
}
