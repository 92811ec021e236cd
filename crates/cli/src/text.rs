//! How figures and strangers' words are written for people: sizes, times, escaped text. Never
//! writes to a stream itself.

use std::borrow::Cow;
use std::fmt::Display;
use std::path::Path;
use std::time::Duration;

use session::Source;

/// Text that someone else wrote, safe for a terminal: control and bidi characters are escaped.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    metainfo::sanitise_for_terminal(text)
}

/// A name or path of a torrent, safe for a terminal: bytes that are not UTF-8 are escaped too.
pub(crate) fn name(bytes: &[u8]) -> Cow<'_, str> {
    metainfo::sanitise_name(bytes)
}

/// A URL, safe for a terminal, its user and password hidden.
pub(crate) fn url(url: &str) -> String {
    escape(&metainfo::hide_login(url)).into_owned()
}

/// A path on disk, safe for a terminal.
pub(crate) fn path(path: &Path) -> String {
    name(path.as_os_str().as_encoded_bytes()).into_owned()
}

/// So many of a kind: `1 file`, `3 files`.
pub(crate) fn count<N: Copy + Display + PartialEq + From<u8>>(n: N, kind: &str) -> String {
    let plural = if n == N::from(1) { "" } else { "s" };
    format!("{n} {kind}{plural}")
}

/// `n` bytes with a binary unit and three significant digits: `1.21 GiB`.
pub(crate) fn bytes(n: u64) -> String {
    let (mut unit, larger) = ("KiB", ["MiB", "GiB", "TiB", "PiB", "EiB"]);
    if n < 1024 {
        return format!("{n} B");
    }
    // Three digits are shown, far fewer than a float holds.
    #[allow(clippy::cast_precision_loss, reason = "see above")]
    let mut scaled = n as f64 / 1024.0;
    // A value that would round up to 1000 of a unit is shown as one of the next.
    for next in larger {
        if scaled >= 999.5 {
            scaled /= 1024.0;
            unit = next;
        }
    }
    let digits = [99.95, 9.995].iter().filter(|&&limit| scaled < limit).count();
    format!("{scaled:.digits$} {unit}")
}

/// Where a peer came from, in one word.
pub(crate) fn source(source: Source) -> &'static str {
    match source {
        Source::Given => "given",
        Source::Tracker => "tracker",
        Source::Local => "lsd",
        Source::Magnet => "magnet",
        Source::Dht => "dht",
        Source::Incoming => "incoming",
        Source::Pex => "pex",
        _ => "other",
    }
}

/// A rate in bytes a second: `12.3 MiB/s`.
pub(crate) fn rate(bytes_per_second: u64) -> String {
    format!("{}/s", bytes(bytes_per_second))
}

/// A duration with its two largest units: `2m05s`, `3h20m`, `4d06h`.
pub(crate) fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    if days > 0 {
        format!("{days}d{hours:02}h")
    } else if hours > 0 {
        format!("{hours}h{minutes:02}m")
    } else if minutes > 0 {
        format!("{minutes}m{:02}s", seconds % 60)
    } else {
        format!("{seconds}s")
    }
}

/// Seconds since 1970 as a date and time in UTC, or as the number itself if no calendar has it.
pub(crate) fn date(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds)
        .map_or_else(|_| seconds.to_string(), |time| time.strftime("%F %T UTC").to_string())
}

/// What storage says, with the option that helps.
pub(crate) fn storage(error: &storage::Error) -> String {
    match error.kind() {
        storage::ErrorKind::LinkOut => format!("{error}; --follow-links follows it"),
        storage::ErrorKind::Occupied => {
            format!("{error}; --force overwrites, or choose another folder (-d)")
        }
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_keep_three_digits() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1024), "1.00 KiB");
        assert_eq!(bytes(135_168), "132 KiB");
        assert_eq!(bytes(1_023_999), "0.98 MiB");
        assert_eq!(bytes(1 << 30), "1.00 GiB");
        assert_eq!(bytes(u64::MAX), "16.0 EiB");
    }

    #[test]
    fn durations_keep_two_units() {
        assert_eq!(duration(Duration::from_secs(9)), "9s");
        assert_eq!(duration(Duration::from_secs(125)), "2m05s");
        assert_eq!(duration(Duration::from_mins(200)), "3h20m");
        assert_eq!(duration(Duration::from_secs(370_000)), "4d06h");
    }
}
