//! Bencode as an indented tree for people: text quoted and escaped, binary as its length and first
//! bytes, lists numbered.

use std::io::{self, Write};

use ::bencode::{Kind, Value};

use super::json::hex;
use crate::text;

/// Bytes of a binary string that are shown.
const MAX_HEX: usize = 20;
/// Characters of a text that are shown.
const MAX_TEXT: usize = 1000;

/// Writes the tree of `root`.
pub(super) fn write(root: Value<'_>, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "{}", label(root))?;
    inside(root, 1, out)
}

/// What a value is, on one line.
fn label(value: Value<'_>) -> String {
    let some = |what: &str, count: usize| match count {
        0 => format!("empty {what}"),
        1 => format!("{what} of 1"),
        n => format!("{what} of {n}"),
    };
    match value.kind() {
        Kind::Integer => value.as_int().unwrap_or_default().to_string(),
        Kind::List => some("list", value.list().into_iter().flatten().count()),
        Kind::Dict => some("dict", value.dict().into_iter().flatten().count()),
        Kind::String => string(value.as_bytes().unwrap_or_default()),
    }
}

/// The lines of what is in a list or dictionary. Not deeper than the decoder lets values be.
fn inside(value: Value<'_>, depth: usize, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out)?;
    let indent = depth * 2;
    for (number, item) in value.list().into_iter().flatten().enumerate() {
        write!(out, "{:indent$}{number}: {}", "", label(item))?;
        inside(item, depth + 1, out)?;
    }
    for (key, item) in value.dict().into_iter().flatten() {
        write!(out, "{:indent$}{}: {}", "", name(key), label(item))?;
        inside(item, depth + 1, out)?;
    }
    Ok(())
}

/// A key: as it is where that is plain, else as any string.
fn name(key: &[u8]) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b" -_.".contains(byte);
    match std::str::from_utf8(key) {
        Ok(text) if !key.is_empty() && key.iter().all(plain) && text.trim() == text => text.into(),
        _ => string(key),
    }
}

/// A string in quotes, or what can be told of one that is no text.
fn string(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.chars().nth(MAX_TEXT).is_none() => {
            format!("\"{}\"", quoted(&metainfo::hide_login(text)))
        }
        Ok(text) => {
            let text = metainfo::hide_login(text);
            let start: String = text.chars().take(MAX_TEXT).collect();
            format!("\"{}\"... ({} bytes)", quoted(&start), bytes.len())
        }
        Err(_) => {
            let start = bytes.get(..MAX_HEX).unwrap_or(bytes);
            let dots = if start.len() < bytes.len() { "..." } else { "" };
            format!("<{}: {}{dots}>", text::count(bytes.len(), "byte"), hex(start))
        }
    }
}

fn quoted(text: &str) -> String {
    text::escape(&text.replace('\\', "\\\\").replace('"', "\\\"")).into_owned()
}

#[cfg(test)]
mod tests {
    use ::bencode::Decoder;

    use super::*;

    fn tree(input: &[u8]) -> String {
        let mut out = Vec::new();
        let document = Decoder::new().lenient().decode(input).unwrap();
        write(document.root(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_tree_is_readable() {
        let input = b"d4:infod4:name3:\"\x1ba6:pieces21:\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\
            \xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xffe4:listli-1elee0:dee";
        let shown = tree(input);
        let expected = "dict of 3\n  info: dict of 2\n    name: \"\\\"\\u{1b}a\"\n    pieces: <21 bytes: \
            ffffffffffffffffffffffffffffffffffffffff...>\n  list: list of 2\n    0: -1\n    \
            1: empty list\n  \"\": empty dict\n";
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_long_text_is_cut() {
        let text = "é".repeat(1001);
        let shown = tree(format!("{}:{text}", text.len()).as_bytes());
        assert!(shown.ends_with("é\"... (2002 bytes)\n"), "{shown}");
    }
}
