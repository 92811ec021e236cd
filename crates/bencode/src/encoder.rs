//! From values to bytes, in canonical form by construction.
//!
//! Owns the order and uniqueness of written keys. Never fails and never recurses into a decoded
//! value.

#![allow(clippy::indexing_slicing, reason = "only places in what was just written here")]

use std::io::Write as _;
use std::ops::Range;

use crate::Value;

/// The encoding of one dictionary.
///
/// ```
/// let bytes = bencode::encode_dict(|d| {
///     d.bytes("spam", "eggs");
///     d.bytes("cow", "moo");
/// });
/// assert_eq!(bytes, b"d3:cow3:moo4:spam4:eggse");
/// ```
pub fn encode_dict(fill: impl FnOnce(&mut DictEncoder<'_>)) -> Vec<u8> {
    let mut out = Vec::new();
    Encoder::new(&mut out).dict(fill);
    out
}

/// Appends values to a buffer, one after another; inside [`list`](Self::list), to the list.
#[derive(Debug)]
pub struct Encoder<'o> {
    out: &'o mut Vec<u8>,
}

impl<'o> Encoder<'o> {
    /// An encoder that appends to `out`.
    pub fn new(out: &'o mut Vec<u8>) -> Self {
        Self { out }
    }

    /// Appends an integer.
    pub fn int(&mut self, number: i64) {
        put(self.out, format_args!("i{number}e"));
    }

    /// Appends a string.
    pub fn bytes(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        put(self.out, format_args!("{}:", bytes.len()));
        self.out.extend_from_slice(bytes);
    }

    /// Appends a list of what `fill` appends.
    pub fn list(&mut self, fill: impl FnOnce(&mut Encoder<'_>)) {
        self.out.push(b'l');
        fill(&mut Encoder { out: self.out });
        self.out.push(b'e');
    }

    /// Appends a dictionary of the entries that `fill` sets.
    pub fn dict(&mut self, fill: impl FnOnce(&mut DictEncoder<'_>)) {
        self.out.push(b'd');
        let start = self.out.len();
        let mut dict = DictEncoder { out: self.out, entries: Vec::new() };
        fill(&mut dict);
        let entries = dict.entries;
        sort_entries(self.out, start, &entries);
        self.out.push(b'e');
    }

    /// Appends a decoded value: its original bytes if they are canonical, else its canonical form
    /// (keys sorted; of repeated keys the first).
    pub fn value(&mut self, value: Value<'_>) {
        // A stack of what is still to be written, last first.
        let mut steps = vec![Step::Value(value)];
        while let Some(step) = steps.pop() {
            match step {
                Step::End => self.out.push(b'e'),
                Step::Key(key) => self.bytes(key),
                Step::Value(value) if value.is_canonical() => self.verbatim(value),
                Step::Value(value) => self.odd(value, &mut steps),
            }
        }
    }

    /// Appends a value that is not canonical; of a list or dictionary the start, and puts the rest
    /// on the stack.
    fn odd<'t>(&mut self, value: Value<'t>, steps: &mut Vec<Step<'t>>) {
        if let Some(number) = value.as_int() {
            self.int(number);
        } else if let Some(bytes) = value.as_bytes() {
            self.bytes(bytes);
        } else if let Some(dict) = value.dict() {
            self.out.push(b'd');
            let mut entries: Vec<_> = dict.collect();
            entries.sort_by_key(|(key, _)| *key);
            entries.dedup_by_key(|(key, _)| *key);
            steps.push(Step::End);
            for (key, value) in entries.into_iter().rev() {
                steps.extend([Step::Value(value), Step::Key(key)]);
            }
        } else {
            self.out.push(b'l');
            steps.push(Step::End);
            let first = steps.len();
            steps.extend(value.list().into_iter().flatten().map(Step::Value));
            steps[first..].reverse();
        }
    }

    /// Appends the original bytes of a decoded value, canonical or not: the `info` of a torrent
    /// must keep its hash.
    pub fn verbatim(&mut self, value: Value<'_>) {
        self.out.extend_from_slice(value.raw());
    }
}

enum Step<'t> {
    Value(Value<'t>),
    Key(&'t [u8]),
    End,
}

/// Sets the entries of a dictionary, in any order.
///
/// They are sorted when the dictionary ends, which costs next to nothing if they come sorted. As in
/// decoding, of repeated keys the first counts.
#[derive(Debug)]
pub struct DictEncoder<'o> {
    out: &'o mut Vec<u8>,
    entries: Vec<Entry>,
}

/// Where an entry stands in the buffer; it ends where the next one starts.
#[derive(Debug)]
struct Entry {
    start: usize,
    key: Range<usize>,
}

impl DictEncoder<'_> {
    /// Begins an entry whose value is what is appended next.
    fn key(&mut self, key: impl AsRef<[u8]>) -> Encoder<'_> {
        let start = self.out.len();
        let key = key.as_ref();
        let mut encoder = Encoder { out: self.out };
        encoder.bytes(key);
        let end = encoder.out.len();
        self.entries.push(Entry { start, key: end - key.len()..end });
        encoder
    }

    /// Sets `key` to an integer.
    pub fn int(&mut self, key: impl AsRef<[u8]>, number: i64) {
        self.key(key).int(number);
    }

    /// Sets `key` to a string.
    pub fn bytes(&mut self, key: impl AsRef<[u8]>, bytes: impl AsRef<[u8]>) {
        self.key(key).bytes(bytes);
    }

    /// Sets `key` to a list of what `fill` appends.
    pub fn list(&mut self, key: impl AsRef<[u8]>, fill: impl FnOnce(&mut Encoder<'_>)) {
        self.key(key).list(fill);
    }

    /// Sets `key` to a dictionary of the entries that `fill` sets.
    pub fn dict(&mut self, key: impl AsRef<[u8]>, fill: impl FnOnce(&mut DictEncoder<'_>)) {
        self.key(key).dict(fill);
    }

    /// Sets `key` to a decoded value, in canonical form.
    pub fn value(&mut self, key: impl AsRef<[u8]>, value: Value<'_>) {
        self.key(key).value(value);
    }

    /// Sets `key` to the original bytes of a decoded value.
    pub fn verbatim(&mut self, key: impl AsRef<[u8]>, value: Value<'_>) {
        self.key(key).verbatim(value);
    }
}

/// Makes the entries from `start` to the end of `out` sorted and unique.
fn sort_entries(out: &mut Vec<u8>, start: usize, entries: &[Entry]) {
    if entries.is_sorted_by(|a, b| out[a.key.clone()] < out[b.key.clone()]) {
        return;
    }
    let ends = entries.iter().skip(1).map(|entry| entry.start).chain([out.len()]);
    let mut parts: Vec<(&[u8], &[u8])> = entries
        .iter()
        .zip(ends)
        .map(|(entry, end)| (&out[entry.key.clone()], &out[entry.start..end]))
        .collect();
    parts.sort_by_key(|(key, _)| *key);
    parts.dedup_by_key(|(key, _)| *key);
    let sorted: Vec<u8> = parts.into_iter().flat_map(|(_, entry)| entry).copied().collect();
    out.truncate(start);
    out.extend_from_slice(&sorted);
}

fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // Writing to a Vec cannot fail.
    let _ = out.write_fmt(text);
}
