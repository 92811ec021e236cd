//! Reading the values of options that are more than words: sizes, rates, times. Never reads the
//! environment or the clock.

use std::net::Ipv6Addr;
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

/// What a unit behind a number stands for. A letter alone is a power of 1024, as is one with `iB`, which
/// is how we print sizes; with `B` it is a power of 1000.
const UNITS: [(char, u64, u64); 4] = [
    ('k', 1 << 10, 1_000),
    ('m', 1 << 20, 1_000_000),
    ('g', 1 << 30, 1_000_000_000),
    ('t', 1 << 40, 1_000_000_000_000),
];

/// A number and what its unit stands for.
fn number_and_unit(text: &str) -> (&str, u64) {
    let (short, decimal) = match (text.strip_suffix("iB"), text.strip_suffix('B')) {
        (Some(short), _) => (short, false),
        (None, Some(short)) => (short, true),
        (None, None) => (text, false),
    };
    let unit = short.chars().next_back().map(|letter| letter.to_ascii_lowercase());
    let unit = UNITS.iter().find(|(letter, ..)| Some(*letter) == unit);
    match unit {
        // A unit is one ASCII letter.
        Some((_, binary, thousands)) => (
            short.get(..short.len() - 1).unwrap_or_default(),
            if decimal { *thousands } else { *binary },
        ),
        // `12B` are bytes, `12iB` is nothing.
        None if decimal => (short, 1),
        None => (text, 1),
    }
}

/// A number of bytes, perhaps with a fraction and a unit, as in `1.5G` or `1GB`. A part of a byte is
/// left out.
fn size(text: &str) -> Option<u64> {
    let (number, unit) = number_and_unit(text);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| {
        let plain =
            !text.is_empty() && text.len() <= 15 && text.bytes().all(|b| b.is_ascii_digit());
        plain.then(|| text.parse::<u64>().ok()).flatten()
    };
    let (whole, part) = (digits(whole)?, digits(fraction)?);
    let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    let part = u128::from(part) * u128::from(unit) / scale;
    whole.checked_mul(unit)?.checked_add(u64::try_from(part).ok()?)
}

/// A piece length: a size that is a power of two, as in `1M`.
pub(super) fn piece_size(text: &str) -> Result<u32, String> {
    let bytes = size(text).and_then(|bytes| u32::try_from(bytes).ok());
    let fits =
        |bytes: &u32| bytes.is_power_of_two() && (BLOCK_LEN..=MAX_PIECE_LENGTH).contains(bytes);
    bytes.filter(fits).ok_or_else(|| {
        format!("a power of two from 16K to {}M is needed, as in 1M", MAX_PIECE_LENGTH >> 20)
    })
}

/// A name or address and a port, as in `dht.example.org:6881` or `[2001:db8::1]:6881`.
pub(super) fn host_port(text: &str) -> Result<String, String> {
    let right = text.rsplit_once(':').is_some_and(|(host, port)| {
        let right = match host.strip_prefix('[') {
            Some(rest) => rest.strip_suffix(']').is_some_and(|ip| ip.parse::<Ipv6Addr>().is_ok()),
            None => !host.is_empty() && !host.contains([':', '/', ' ', '[', ']']),
        };
        right
            && port.bytes().all(|b| b.is_ascii_digit())
            && port.parse::<u16>().is_ok_and(|port| port != 0)
    });
    let port = text.rsplit_once(':').map_or("", |(_, port)| port);
    let is_number = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    if right {
        Ok(text.to_owned())
    } else if is_number && port.parse::<u16>().ok().is_none_or(|port| port == 0) {
        Err("the port is out of range: it is 1 to 65535".into())
    } else {
        Err("a host and a port are needed, as in a.example:6881, 192.0.2.7:6881 or [2001:db8::7]:6881".into())
    }
}

/// Bytes a second, as in `800K` or `1.5MB`; `None` for 0, which is no limit.
pub(super) fn rate(text: &str) -> Result<Limit, String> {
    let rate = size(text.strip_suffix("/s").unwrap_or(text));
    // What rounds down to nothing is not meant to be no limit.
    let rate = rate.filter(|rate| *rate > 0 || text.bytes().all(|b| b == b'0'));
    rate.map(Limit::new)
        .ok_or_else(|| "a rate is needed, as in 800K or 1.5M; 0 for no limit".into())
}

/// A number that bounds something, where 0 stands for no bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit(Option<u64>);

impl Limit {
    fn new(number: u64) -> Self {
        Self((number > 0).then_some(number))
    }

    /// The bound, if there is one.
    pub(crate) fn get(self) -> Option<u64> {
        self.0
    }
}

/// The units of times, the longest first.
const TIMES: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// A time: seconds, or whole numbers of days, hours, minutes and seconds in this order, as in `1h30m`,
/// `90m` or `2d`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let seconds = match text.parse::<u32>() {
        Ok(seconds) if !text.starts_with('+') => Some(u64::from(seconds)),
        _ => in_units(text),
    };
    seconds
        .map(Duration::from_secs)
        .ok_or_else(|| "a time is needed, as in 90, 30m, 1h30m or 2d".into())
}

/// Seconds of a time that is written with units.
fn in_units(text: &str) -> Option<u64> {
    let (mut rest, mut seconds) = (text, 0_u64);
    for (unit, length) in TIMES {
        let Some((number, after)) = rest.split_once(unit) else { continue };
        let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
        let number = number.parse::<u32>().ok().filter(|_| digits)?;
        // Neither overflows: each product is below 2 to the 49th.
        seconds += u64::from(number) * length;
        rest = after;
    }
    (rest.is_empty() && !text.is_empty()).then_some(seconds)
}

/// A share ratio: a number from 0 up.
pub(super) fn ratio(text: &str) -> Result<f64, String> {
    let ratio = text.parse::<f64>().ok().filter(|ratio| ratio.is_finite() && *ratio >= 0.0);
    ratio.ok_or_else(|| "a number is needed, as in 1.5".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_fractions_and_units_of_1024_or_1000_and_0_is_no_limit() {
        let is = |text, bytes| assert_eq!(rate(text), Ok(Limit(Some(bytes))), "{text}");
        is("1", 1);
        is("12B", 12);
        is("800K", 800 << 10);
        is("1.5M", 3 << 19);
        is("1.5MiB", 3 << 19);
        is("1.5MiB/s", 3 << 19);
        is("1.5MB", 1_500_000);
        is("1kB", 1_000);
        is("0.25g", 1 << 28);
        is("1.5G", 3 << 29);
        is("1T", 1 << 40);
        is("2TB", 2_000_000_000_000);
        assert_eq!(rate("0"), Ok(Limit(None)));
        for bad in [
            "",
            "K",
            "iB",
            "B",
            "1iB",
            ".5M",
            "1.",
            "1.5.5",
            "-1",
            "+1",
            "1e3",
            "1P",
            "0.1",
            "1 M",
            "9999999999999999G",
            "é",
            "éiB",
            "éB",
        ] {
            assert!(rate(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn times_are_seconds_or_numbers_with_units_in_their_order() {
        let is =
            |text, seconds| assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        is("90", 90);
        is("0", 0);
        is("2h", 7_200);
        is("90m", 5_400);
        is("1h30m", 5_400);
        is("2d", 172_800);
        is("1d2h3m4s", 93_784);
        is("4294967295d", 4_294_967_295 * 86_400);
        for bad in
            ["", "m", "1.5h", "-1", "+1", "1y", "é", "30m1h", "1h30", "1h1h", "1hm", "4294967296d"]
        {
            assert!(duration(bad).is_err(), "{bad}");
        }
        assert!(ratio("-1").is_err() && ratio("nan").is_err() && ratio("1.5") == Ok(1.5));
    }

    #[test]
    fn a_host_is_a_name_or_an_address_and_has_a_port() {
        for good in ["1.2.3.4:5", "[::1]:6881", "localhost:80", "a.example:65535"] {
            assert_eq!(host_port(good).as_deref(), Ok(good));
        }
        for bad in ["a:0", "a:65536", "[::1]:99999999999"] {
            assert!(host_port(bad).unwrap_err().starts_with("the port is out of range"), "{bad}");
        }
        for bad in [
            "",
            "1.2.3.4",
            "1.2.3.4:0",
            "1.2.3.4:65536",
            "::1:80",
            "[::1]",
            "[a.example]:80",
            ":80",
            "a:+1",
            "a b:1",
        ] {
            assert!(host_port(bad).is_err(), "{bad}");
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
