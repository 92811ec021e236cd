//! Compressed bodies beyond what ureq takes off (gzip that is labelled as such): gzip and deflate
//! under any label or none, as some trackers send them whatever was asked for. Never does I/O.

use std::io::Read;

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use crate::limits::MAX_BODY;

/// What `body` is without its compression, cut after one byte more than [`MAX_BODY`]. `coding` is
/// its `Content-Encoding`, which ureq leaves in place when it has acted on it. What cannot be
/// decompressed stays as it is.
pub(crate) fn decode(body: Vec<u8>, coding: &[u8]) -> Vec<u8> {
    // No reply begins like this: dictionaries begin with a `d`.
    let plain = match &body[..] {
        [0x1f, 0x8b, ..] => read(MultiGzDecoder::new(&body[..])),
        [first, second, ..] if is_zlib(*first, *second) => read(ZlibDecoder::new(&body[..])),
        [first, ..] if *first != b'd' && coding.eq_ignore_ascii_case(b"deflate") => {
            read(DeflateDecoder::new(&body[..]))
        }
        _ => None,
    };
    plain.unwrap_or(body)
}

/// What `from` gives, as far as it goes; `None` if that is nothing.
fn read(from: impl Read) -> Option<Vec<u8>> {
    let mut plain = Vec::new();
    let end = from.take(MAX_BODY as u64 + 1).read_to_end(&mut plain);
    // A stream without its checksum has brought all of its bytes nevertheless.
    (end.is_ok() || !plain.is_empty()).then_some(plain)
}

/// Whether two bytes are the header of a zlib stream (RFC 1950).
fn is_zlib(first: u8, second: u8) -> bool {
    first & 0x0f == 8 && u16::from_be_bytes([first, second]).is_multiple_of(31)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    const PLAIN: &[u8] = b"d8:intervali600ee";

    #[test]
    fn gzip_and_deflate_are_read_under_any_label() {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(PLAIN).unwrap();
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
        zlib.write_all(PLAIN).unwrap();
        let mut deflate = DeflateEncoder::new(Vec::new(), Compression::best());
        deflate.write_all(PLAIN).unwrap();
        let (gzip, zlib) = (gzip.finish().unwrap(), zlib.finish().unwrap());
        let deflate = deflate.finish().unwrap();
        for label in [&b"gzip"[..], b"x-gzip", b"deflate", b"identity", b""] {
            assert_eq!(decode(gzip.clone(), label), PLAIN);
            assert_eq!(decode(zlib.clone(), label), PLAIN);
            assert_eq!(decode(PLAIN.to_vec(), label), PLAIN);
        }
        assert_eq!(decode(deflate, b"Deflate"), PLAIN);
        let cut = gzip[..gzip.len() - 8].to_vec();
        assert_eq!(decode(cut, b""), PLAIN);
    }

    #[test]
    fn what_is_not_compressed_stays_and_what_unfolds_is_cut() {
        for body in [&b""[..], b"d", b"\x1f\x8b", b"<html>", b"\x78\x9c"] {
            assert_eq!(decode(body.to_vec(), b"deflate"), body);
        }
        let mut bomb = ZlibEncoder::new(Vec::new(), Compression::best());
        bomb.write_all(&vec![0; 8 * MAX_BODY]).unwrap();
        assert_eq!(decode(bomb.finish().unwrap(), b"").len(), MAX_BODY + 1);
    }
}
