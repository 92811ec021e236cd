//! Info-hashes: the names torrents go by, as bytes and as hex.
//! This file never looks for the info dictionary that one is of.

use std::fmt;
use std::str::FromStr;

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};

use crate::error::{Error, ErrorKind};

/// The SHA-1 of a version 1 (or hybrid) torrent's info dictionary (BEP 3).
///
/// Shown as 40 lower-case hex digits; parsed from 40 hex digits of either case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InfoHash([u8; 20]);

/// The SHA-256 of a version 2 (or hybrid) torrent's info dictionary (BEP 52).
///
/// Shown as 64 lower-case hex digits; parsed from 64 hex digits of either case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InfoHashV2([u8; 32]);

impl InfoHash {
    /// The info-hash of these bytes of an info dictionary.
    pub fn of(info: &[u8]) -> Self {
        Self(sha1_smol::Sha1::from(info).digest().bytes())
    }

    /// The 20 bytes, as they go into a handshake.
    pub fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }
}

impl InfoHashV2 {
    /// All 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first 20 bytes: what a handshake, a tracker and the DHT are given for a v2 torrent.
    pub fn truncated(&self) -> [u8; 20] {
        let mut short = [0; 20];
        for (to, from) in short.iter_mut().zip(self.0) {
            *to = from;
        }
        short
    }
}

impl From<[u8; 20]> for InfoHash {
    fn from(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }
}

impl From<[u8; 32]> for InfoHashV2 {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for InfoHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Display for InfoHashV2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for InfoHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InfoHash({self})")
    }
}

impl fmt::Debug for InfoHashV2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InfoHashV2({self})")
    }
}

impl FromStr for InfoHash {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        from_hex(text).map(Self)
    }
}

impl FromStr for InfoHashV2 {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        from_hex(text).map(Self)
    }
}

/// Exactly `N` bytes from `2 * N` hex digits.
fn from_hex<const N: usize>(text: &str) -> Result<[u8; N], Error> {
    HEXLOWER_PERMISSIVE
        .decode(text.as_bytes())
        .ok()
        .and_then(|bytes| <[u8; N]>::try_from(bytes).ok())
        .ok_or_else(|| {
            Error::new(ErrorKind::BadHash, format!("an info-hash here is {} hex digits", N * 2))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_both_ways() {
        let text = "0123456789abcdef0123456789ABCDEF01234567";
        let hash: InfoHash = text.parse().unwrap();
        assert_eq!(hash.to_string(), text.to_lowercase());
        assert_eq!(hash.as_bytes()[..3], [0x01, 0x23, 0x45]);
        let long: InfoHashV2 = "ab".repeat(32).parse().unwrap();
        assert_eq!(long.to_string(), "ab".repeat(32));
        assert_eq!(long.truncated(), [0xab; 20]);
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "0123", &"0".repeat(39), &"0".repeat(41), &"g".repeat(40), &"é".repeat(20)]
        {
            let error = text.parse::<InfoHash>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::BadHash);
            assert_eq!(error.to_string(), "an info-hash here is 40 hex digits");
        }
        assert!("0".repeat(40).parse::<InfoHashV2>().is_err());
    }
}
