//! Unpacking what gzip compressed, within a limit: a small file can unfold to any size. Never reads
//! from a file.

use std::io::{self, Read};

use flate2::bufread::GzDecoder;

/// What each part begins with (RFC 1952).
const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Whether the bytes are compressed.
pub(super) fn is(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC)
}

/// What is compressed in `packed`; `None` if it is longer than `limit`. It may be of several parts, one
/// after the other; what follows them is ignored, as gzip itself does.
pub(super) fn unpack(packed: &[u8], limit: usize) -> io::Result<Option<Vec<u8>>> {
    let mut rest = packed;
    let mut bytes = Vec::new();
    while is(rest) {
        let room = limit - bytes.len();
        let most = u64::try_from(room).unwrap_or(u64::MAX).saturating_add(1);
        GzDecoder::new(&mut rest).take(most).read_to_end(&mut bytes)?;
        if bytes.len() > limit {
            return Ok(None);
        }
    }
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn parts_are_joined_and_what_follows_is_ignored() {
        let parts = [packed(b"some "), packed(b""), packed(b"bytes"), vec![0; 9]].concat();
        assert_eq!(unpack(&parts, 10).unwrap().unwrap(), b"some bytes");
        assert!(unpack(&parts, 9).unwrap().is_none());
        assert!(!is(b"d4:info") && !is(b""));
    }

    #[test]
    fn no_more_is_unpacked_than_the_limit() {
        let bomb = packed(&vec![0; 8 << 20]);
        assert!(bomb.len() < 10_000);
        assert!(unpack(&bomb, 1000).unwrap().is_none());
        let many = packed(&[7; 600]).repeat(1000);
        assert!(unpack(&many, 1000).unwrap().is_none());
    }

    #[test]
    fn what_is_cut_or_damaged_is_an_error() {
        let whole = packed(b"d4:infod6:lengthi5eee");
        for end in 2..whole.len() {
            assert!(unpack(&whole[..end], 100).is_err(), "{end}");
        }
        let mut damaged = whole.clone();
        let checksum = damaged.len() - 8;
        damaged[checksum] ^= 1;
        assert!(unpack(&damaged, 100).is_err());
    }
}
