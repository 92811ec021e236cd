//! What bytes are that should be a torrent and are none, told by how they begin. Never decides what is
//! a torrent, and quotes nothing of what it looks at.

use std::borrow::Cow;

use metainfo::{MAX_MAGNET_LEN, Magnet};

/// How much is looked at: what tells a page from other XML may stand behind a comment.
const LOOKED_AT: usize = 4096;

/// What only some kinds of file begin with, and what those are called.
const KINDS: [(&[u8], &str); 8] = [
    (b"PK\x03\x04", "a zip archive, not a torrent; unpack it first"),
    (b"Rar!\x1a\x07", "a rar archive, not a torrent; unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive, not a torrent; unpack it first"),
    (b"\xfd7zXZ\0", "compressed with xz, not a torrent; unpack it first"),
    (b"BZh", "compressed with bzip2, not a torrent; unpack it first"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd, not a torrent; unpack it first"),
    (b"%PDF-", "a PDF document, not a torrent"),
    (b"\x89PNG", "a picture, not a torrent"),
];

/// What of a page only a page has.
const OF_A_PAGE: [&str; 5] = ["<!doctype html", "<html", "<head", "<body", "<script"];

/// What the bytes are, in a sentence that follows a file's name; `None` if nothing here knows.
pub(super) fn described(bytes: &[u8]) -> Option<&'static str> {
    if bytes.is_empty() {
        return Some("empty, so not a torrent");
    }
    if let Some((_, what)) = KINDS.iter().find(|(start, _)| bytes.starts_with(start)) {
        return Some(what);
    }
    let start = String::from_utf8_lossy(bytes.get(..LOOKED_AT).unwrap_or(bytes));
    let start = trimmed(&start).to_ascii_lowercase();
    let after =
        |open: char| start.strip_prefix(open).and_then(|rest| rest.trim_start().chars().next());
    if start.is_empty() {
        Some("blank, so not a torrent")
    } else if begins_as_magnet(&start) || magnet(bytes).is_some() {
        Some(
            "holds a magnet URI, where a torrent is needed; pieces-cli magnet resolve gets its torrent",
        )
    } else if start.starts_with('<') && OF_A_PAGE.iter().any(|tag| start.contains(tag)) {
        Some(
            "this is a web page, not a torrent; the link may need a login in a browser, or lead to a \
             page about the torrent",
        )
    } else if start.starts_with("<?xml") || start.starts_with("<rss") {
        Some("this is XML, not a torrent; of a feed, name the link of one of its entries")
    } else if matches!(after('{'), Some('"' | '}')) || matches!(after('['), Some('{' | '"' | ']')) {
        Some("this is JSON, not a torrent; the server may say in it what is wrong")
    } else {
        None
    }
}

/// The text, if it begins as a magnet URI or is an info-hash.
pub(super) fn magnet(bytes: &[u8]) -> Option<Cow<'_, str>> {
    let start = |len: usize| String::from_utf8_lossy(bytes.get(..len).unwrap_or(bytes));
    if begins_as_magnet(&start(LOOKED_AT)) {
        // With more than a URI may have, so that what is too long is refused for that.
        return Some(start(LOOKED_AT + MAX_MAGNET_LEN));
    }
    let is_hash = bytes.len() <= LOOKED_AT && Magnet::of_bare_hash(&start(LOOKED_AT)).is_some();
    is_hash.then(|| start(LOOKED_AT))
}

/// Whether the text means to be a magnet URI.
pub(super) fn begins_as_magnet(text: &str) -> bool {
    let text = trimmed(text).trim_start_matches(['"', '\'', '<']);
    text.get(.."magnet:".len()).is_some_and(|scheme| scheme.eq_ignore_ascii_case("magnet:"))
}

fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_torrent_is_called_by_its_name() {
        let hash = "0123456789abcdef0123456789abcdef01234567";
        for (bytes, words) in [
            (&b""[..], "empty"),
            (b"\r\n \n", "blank"),
            (b"<!DOCTYPE html><html>", "a web page"),
            (b"\xef\xbb\xbf \n<HTML lang=en>", "a web page"),
            (b"<!-- by us -->\n<head>", "a web page"),
            (b"<?xml version='1.0'?><!DOCTYPE html PUBLIC '...'>", "a web page"),
            (b"<?xml version='1.0'?><rss>", "XML"),
            (b"{\"error\": \"login\"}", "JSON"),
            (b"[ {}]", "JSON"),
            (b"PK\x03\x04...", "a zip archive"),
            (b"\xfd7zXZ\0", "xz"),
            (b"%PDF-1.4", "PDF"),
            (b"magnet:?xt=urn:btih:1", "a magnet URI"),
            (hash.as_bytes(), "a magnet URI"),
        ] {
            assert!(described(bytes).is_some_and(|said| said.contains(words)), "{words}");
        }
        for bytes in
            [&b"hello"[..], b"d4:infode", b"le", b"<", b"{", b"[x]", b"magnet", b"\xff\xfe"]
        {
            assert_eq!(described(bytes), None, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn a_text_that_is_a_magnet_is_one() {
        let hash = "d123456789abcdef0123456789abcdef01234567";
        for text in [format!("\u{feff} {hash}\n"), format!("magnet:?xt=urn:btih:{hash}\n")] {
            assert_eq!(magnet(text.as_bytes()).as_deref(), Some(&*text));
        }
        let long = format!("MAGNET:?xt=urn:btih:{hash}&dn={}", "x".repeat(100_000));
        assert!(magnet(long.as_bytes()).is_some_and(|text| Magnet::parse(&text).is_err()));
        assert_eq!(magnet(b"d4:infode"), None);
    }
}
