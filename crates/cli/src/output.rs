//! Writing results to stdout. A reader that went away (`| head`) ends the command quietly; any
//! other failure is reported; for one that is slow it waits until the user wants to leave.

use std::fmt::Write as _;
use std::io::{self, BufWriter, Write};

use jiff::Timestamp;
use serde::Serialize;

use crate::exit::{Code, Failure};
use crate::outlet;
use crate::signals::AtOnce;

/// The version of every JSON shape that docs/json.md describes. Keys may be added under the same
/// number; one that changes its meaning or goes away raises it.
pub(crate) const JSON_FORMAT: u32 = 1;

/// Writes text to stdout through `write`.
pub(crate) fn text(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    // What was said so far is read before.
    outlet::stderr().settle();
    let _waits_for_its_reader = AtOnce::begin(Code::Unfinished);
    let mut out = BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure::stdout(&error)),
        Ok(()) => Ok(()),
    }
}

/// Writes `value` as one indented JSON document.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Failure> {
    let json = serde_json::to_string_pretty(value);
    text(|out| writeln!(out, "{}", safe_json(&json?)))
}

/// What the line of each event has.
#[derive(Serialize)]
struct Line<'a, F> {
    format: u32,
    time: String,
    torrent: Option<&'a str>,
    #[serde(flatten)]
    fact: F,
}

/// One event of the torrent with this info-hash, if it is of one, as a line without its end; `fact` is an
/// object that names its kind as `event`.
pub(crate) fn event(torrent: Option<&str>, fact: &impl Serialize) -> String {
    let time = format!("{:.3}", Timestamp::now());
    let line = serde_json::to_string(&Line { format: JSON_FORMAT, time, torrent, fact });
    // Only maps whose keys are no text, and writers, can fail.
    safe_json(&line.unwrap_or_default())
}

/// The same JSON with every character escaped that would control a terminal or turn the direction of
/// text: JSON itself asks for that only below U+0020. Outside of strings there are none.
pub(crate) fn safe_json(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    let mut units = [0; 2];
    for c in json.chars() {
        if c == '\n' || !metainfo::is_unprintable(c) {
            safe.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut units) {
            // Writing to a String can't fail.
            let _ = write!(safe, "\\u{unit:04x}");
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_says_the_same_without_controls() {
        let words = "a\u{1b}[2J\u{9b}31m\u{7f}\u{202e}\u{2028}\nünï😀\\";
        let value = serde_json::json!({ words: [words] });
        for json in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
            let safe = safe_json(&json);
            assert_eq!(serde_json::from_str::<serde_json::Value>(&safe).unwrap(), value);
            assert!(safe.chars().all(|c| c == '\n' || !metainfo::is_unprintable(c)), "{safe:?}");
            assert!(safe.contains("ünï😀"));
        }
    }
}
