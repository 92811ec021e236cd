//! Which piece length a new torrent gets when nobody chose one.
//! It never looks at anything but the total length.

use crate::layout::{BLOCK_LEN, MAX_PIECE_LENGTH, MAX_PIECES};

/// The largest piece length that is chosen for the sake of a short torrent file.
const MAX_CHOSEN: u64 = 16 * 1024 * 1024;

/// The piece length for this many bytes, as libtorrent chooses it: the smallest power of two whose
/// hundredth square is not below the total, so that the hashes grow with the square root of
/// the content.
///
/// | total up to | piece length |
/// |---|---|
/// | 2.6 MB | 16 KiB |
/// | 10.7 MB | 32 KiB |
/// | 42.9 MB | 64 KiB |
/// | 172 MB | 128 KiB |
/// | 687 MB | 256 KiB |
/// | 2.75 GB | 512 KiB |
/// | 11.0 GB | 1 MiB |
/// | 44.0 GB | 2 MiB |
/// | 176 GB | 4 MiB |
/// | 704 GB | 8 MiB |
/// | more | 16 MiB |
///
/// Beyond 32 TiB pieces grow further, to stay within [`MAX_PIECES`].
pub fn default_piece_length(total: u64) -> u32 {
    let mut length = u64::from(BLOCK_LEN);
    while length < MAX_CHOSEN && (length * length + 50) / 100 < total {
        length *= 2;
    }
    while length < u64::from(MAX_PIECE_LENGTH) && total.div_ceil(length) > u64::from(MAX_PIECES) {
        length *= 2;
    }
    u32::try_from(length).unwrap_or(MAX_PIECE_LENGTH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_are_libtorrents() {
        let steps = [
            2_684_355,
            10_737_418,
            42_949_673,
            171_798_692,
            687_194_767,
            2_748_779_069,
            10_995_116_278,
            43_980_465_111,
            175_921_860_444,
            703_687_441_777,
        ];
        for (step, power) in steps.into_iter().zip(14..) {
            assert_eq!(default_piece_length(step), 1 << power);
            assert_eq!(default_piece_length(step + 1), 1 << (power + 1));
        }
        assert_eq!(default_piece_length(0), 16_384);
        assert_eq!(default_piece_length(1 << 45), 1 << 24);
        assert_eq!(default_piece_length((1 << 45) + 1), 1 << 25);
        assert_eq!(default_piece_length(u64::MAX), MAX_PIECE_LENGTH);
    }
}
