//! Reading the values of options that are more than words: sizes, rates, times. Never reads the
//! environment or the clock.

use std::net::SocketAddr;
use std::time::Duration;

use metainfo::{BLOCK_LEN, MAX_PIECE_LENGTH};

/// Which connections are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Encryption {
    /// None
    Off,
    /// Those of peers that want it
    Prefer,
    /// All
    Require,
}

impl From<Encryption> for session::Encryption {
    fn from(encryption: Encryption) -> Self {
        match encryption {
            Encryption::Off => Self::Off,
            Encryption::Prefer => Self::Prefer,
            Encryption::Require => Self::Require,
        }
    }
}

/// A number and the power of 1024 that is behind it: `K`, `M` or `G`, also written as we print them, as
/// in `1MiB`.
fn binary(text: &str) -> (&str, u64) {
    let short = text.strip_suffix("iB").unwrap_or(text);
    let units = [(['k', 'K'], 1 << 10), (['m', 'M'], 1 << 20), (['g', 'G'], 1 << 30)];
    let found =
        units.into_iter().find_map(|(letter, unit)| Some((short.strip_suffix(letter)?, unit)));
    found.unwrap_or((text, 1))
}

/// A piece length: bytes, or with `K`, `M` or `G` in units of 1024, as in `1M`.
pub(super) fn piece_size(text: &str) -> Result<u32, String> {
    let (digits, unit) = binary(text);
    let bytes = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    let bytes = bytes.and_then(|bytes| u32::try_from(bytes).ok());
    let fits =
        |bytes: &u32| bytes.is_power_of_two() && (BLOCK_LEN..=MAX_PIECE_LENGTH).contains(bytes);
    bytes.filter(fits).ok_or_else(|| {
        format!("a power of two from 16K to {}M is needed, as in 1M", MAX_PIECE_LENGTH >> 20)
    })
}

/// A name or address and a port, as in `dht.example.org:6881` or `[2001:db8::1]:6881`.
pub(super) fn host_port(text: &str) -> Result<String, String> {
    let parts = text.rsplit_once(':');
    let right = parts.is_some_and(|(host, port)| {
        let bracketed = host.starts_with('[') && host.ends_with(']');
        let host = !host.is_empty() && (bracketed || !host.contains(':'));
        host && port.parse::<u16>().is_ok_and(|port| port != 0)
    });
    if right {
        Ok(text.to_owned())
    } else {
        Err("a host and a port are needed, as in a.example:6881".into())
    }
}

/// Bytes a second: a number, perhaps with a fraction, and `K`, `M` or `G` for powers of 1024.
pub(super) fn rate(text: &str) -> Result<u64, String> {
    let (number, unit) = binary(text);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| {
        let plain = !text.is_empty() && text.len() <= 9 && text.bytes().all(|b| b.is_ascii_digit());
        plain.then(|| text.parse::<u64>().ok()).flatten()
    };
    let parts = digits(whole).zip(digits(fraction)).and_then(|(whole, part)| {
        let scale = 10_u64.pow(u32::try_from(fraction.len()).ok()?);
        whole.checked_mul(unit)?.checked_add(part * unit / scale)
    });
    parts.filter(|rate| *rate > 0).ok_or_else(|| "a rate is needed, as in 800K or 1.5M".into())
}

/// A time: seconds, or a whole number of minutes, hours or days as in `30m`, `2h`, `1d`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = match text.as_bytes().last() {
        Some(b's') => (&text[..text.len() - 1], 1),
        Some(b'm') => (&text[..text.len() - 1], 60),
        Some(b'h') => (&text[..text.len() - 1], 3_600),
        Some(b'd') => (&text[..text.len() - 1], 86_400),
        _ => (text, 1),
    };
    let seconds = number.parse::<u32>().ok().map(|number| u64::from(number) * unit);
    seconds.map(Duration::from_secs).ok_or_else(|| "a time is needed, as in 90, 30m or 2h".into())
}

/// A share ratio: a number from 0 up.
pub(super) fn ratio(text: &str) -> Result<f64, String> {
    let ratio = text.parse::<f64>().ok().filter(|ratio| ratio.is_finite() && *ratio >= 0.0);
    ratio.ok_or_else(|| "a number is needed, as in 1.5".into())
}

/// The address of a peer: an IP and a port that can be connected to.
pub(super) fn peer(text: &str) -> Result<SocketAddr, String> {
    let addr = text.parse::<SocketAddr>().ok().filter(|addr| addr.port() != 0);
    addr.ok_or_else(|| "an address is needed, as in 192.0.2.7:6881 or [2001:db8::7]:6881".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_fractions_and_units() {
        assert_eq!(rate("1"), Ok(1));
        assert_eq!(rate("800K"), Ok(800 << 10));
        assert_eq!(rate("1.5M"), Ok(3 << 19));
        assert_eq!(rate("0.25g"), Ok(1 << 28));
        assert_eq!(rate("1.5MiB"), rate("1.5M"));
        for bad in [
            "",
            "0",
            "K",
            "iB",
            "1iB",
            "1MB",
            ".5M",
            "1.",
            "1.5.5",
            "-1",
            "+1",
            "1e3",
            "1T",
            "9999999999G",
            "é",
        ] {
            assert!(rate(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn times_have_units() {
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("2h"), Ok(Duration::from_hours(2)));
        for bad in ["", "m", "1.5h", "-1", "1y", "é"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
        assert!(ratio("-1").is_err() && ratio("nan").is_err() && ratio("1.5") == Ok(1.5));
    }

    #[test]
    fn peers_are_addresses_with_a_port() {
        assert_eq!(peer("1.2.3.4:5"), Ok(SocketAddr::from(([1, 2, 3, 4], 5))));
        assert!(peer("[::1]:6881").is_ok_and(|addr| addr.is_ipv6()));
        for bad in ["", "1.2.3.4", "1.2.3.4:0", "1.2.3.4:65536", "::1:80", "localhost:80"] {
            assert!(peer(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn piece_sizes_are_powers_of_two_with_a_unit() {
        assert_eq!(piece_size("16384"), Ok(16_384));
        assert_eq!(piece_size("16K"), Ok(16_384));
        assert_eq!(piece_size("1m"), Ok(1 << 20));
        assert_eq!(piece_size("4MiB"), Ok(4 << 20));
        assert_eq!(piece_size("1G"), Ok(MAX_PIECE_LENGTH));
        for bad in ["", "K", "8K", "17K", "-16K", "4G", "99999999999", "4096M", "1.5M", "éiB"] {
            assert!(piece_size(bad).is_err(), "{bad}");
        }
    }
}
