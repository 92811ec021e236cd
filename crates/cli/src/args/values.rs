//! Reading the values of options that are more than words: sizes, dates. Never reads the
//! environment or the clock.

use metainfo::{BLOCK_LEN, MAX_PIECE_LENGTH};

/// A piece length: bytes, or with `K` or `M` in units of 1024, as in `1M`.
pub(super) fn piece_size(text: &str) -> Result<u32, String> {
    let (digits, unit) = match text.as_bytes().last() {
        Some(b'k' | b'K') => (&text[..text.len() - 1], 1 << 10),
        Some(b'm' | b'M') => (&text[..text.len() - 1], 1 << 20),
        _ => (text, 1),
    };
    let bytes = digits.parse::<u32>().ok().and_then(|number| number.checked_mul(unit));
    let fits =
        |bytes: &u32| bytes.is_power_of_two() && (BLOCK_LEN..=MAX_PIECE_LENGTH).contains(bytes);
    bytes.filter(fits).ok_or_else(|| {
        format!("a power of two from 16K to {}M is needed, as in 1M", MAX_PIECE_LENGTH >> 20)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn piece_sizes_are_powers_of_two_with_a_unit() {
        assert_eq!(piece_size("16384"), Ok(16_384));
        assert_eq!(piece_size("16K"), Ok(16_384));
        assert_eq!(piece_size("1m"), Ok(1 << 20));
        for bad in ["", "K", "8K", "17K", "-16K", "4G", "99999999999", "4096M", "1.5M", "é"] {
            assert!(piece_size(bad).is_err(), "{bad}");
        }
    }
}
