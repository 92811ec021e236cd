//! The decoded document: a flat tape of tokens, and `Value`, the cursor into it.
//!
//! Owns reading. Never copies or changes the input, and allocates nothing.

#![allow(clippy::indexing_slicing, reason = "the tape was made of this very input")]

use std::fmt;
use std::ops::Range;

use crate::Oddity;
use crate::tape::{Kind, Tape, Token};

/// A decoded value with the bytes it was decoded from.
pub struct Document<'a> {
    pub(crate) input: &'a [u8],
    /// Not empty once it was decoded: the root is token 0.
    pub(crate) tape: Tape,
    pub(crate) oddities: Vec<Oddity>,
}

#[allow(clippy::len_without_is_empty, reason = "no value takes 0 bytes")]
impl<'a> Document<'a> {
    /// One that a decoder fills.
    #[inline]
    pub(crate) fn begin(input: &'a [u8]) -> Self {
        Self { input, tape: Tape::new(), oddities: Vec::new() }
    }

    /// The outermost value.
    #[inline]
    pub fn root(&self) -> Value<'_> {
        Value { document: self, index: 0 }
    }

    /// How many bytes of the input the value took.
    #[inline]
    pub fn len(&self) -> usize {
        self.root().span().end
    }

    /// The input after the value.
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        &self.input[self.len()..]
    }

    /// What a lenient decoder let pass, in the order of the input; empty if all was canonical.
    pub fn oddities(&self) -> &[Oddity] {
        &self.oddities
    }
}

impl fmt::Debug for Document<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document")
            .field("root", &self.root())
            .field("tokens", &self.tape.len())
            .field("oddities", &self.oddities)
            .finish_non_exhaustive()
    }
}

/// A value of a [`Document`]: a cursor, cheap to copy.
#[derive(Clone, Copy)]
pub struct Value<'t> {
    document: &'t Document<'t>,
    index: u32,
}

impl<'t> Value<'t> {
    #[inline]
    fn token(self) -> Token {
        self.document.tape.get(self.index as usize)
    }

    /// The value after this one and all inside it.
    #[inline]
    fn next(self) -> u32 {
        let token = self.token();
        match token.kind() {
            Kind::Integer | Kind::String => self.index + 1,
            Kind::List | Kind::Dict => token.link,
        }
    }

    /// Which of the four it is.
    #[inline]
    pub fn kind(self) -> Kind {
        self.token().kind()
    }

    /// The number, if it is an integer.
    #[inline]
    pub fn as_int(self) -> Option<i64> {
        (self.kind() == Kind::Integer).then(|| self.token().number())
    }

    /// The content, if it is a string.
    #[inline]
    pub fn as_bytes(self) -> Option<&'t [u8]> {
        (self.kind() == Kind::String).then(|| self.content())
    }

    /// The content, if it is a string of UTF-8.
    pub fn as_str(self) -> Option<&'t str> {
        std::str::from_utf8(self.as_bytes()?).ok()
    }

    #[inline]
    fn content(self) -> &'t [u8] {
        let token = self.token();
        &self.document.input[token.link as usize..token.end as usize]
    }

    /// The values in it, if it is a list.
    #[inline]
    pub fn list(self) -> Option<List<'t>> {
        (self.kind() == Kind::List).then(|| List { next: self.first(), end: self.token().link })
    }

    /// The keys and values in it, in the order of the input, if it is a dictionary.
    #[inline]
    pub fn dict(self) -> Option<Dict<'t>> {
        (self.kind() == Kind::Dict).then(|| Dict { next: self.first(), end: self.token().link })
    }

    #[inline]
    fn first(self) -> Self {
        Self { index: self.index + 1, ..self }
    }

    /// The value of `key`, if it is a dictionary that has one; of repeated keys the first counts.
    #[inline]
    pub fn get(self, key: impl AsRef<[u8]>) -> Option<Value<'t>> {
        let key = key.as_ref();
        let sorted = self.document.oddities.is_empty();
        for (found, value) in self.dict()? {
            if same(found, key) {
                return Some(value);
            }
            if sorted && found.first() > key.first() {
                break;
            }
        }
        None
    }

    /// Where its encoding stands in the input.
    #[inline]
    pub fn span(self) -> Range<usize> {
        let token = self.token();
        let start = token.start();
        let end = match token.kind() {
            // Its token keeps the number instead. The decoder has seen the `e`.
            Kind::Integer => {
                start + self.document.input[start..].iter().take_while(|b| **b != b'e').count() + 1
            }
            Kind::String | Kind::List | Kind::Dict => token.end as usize,
        };
        start..end
    }

    /// Its encoding, the very bytes of the input.
    #[inline]
    pub fn raw(self) -> &'t [u8] {
        &self.document.input[self.span()]
    }

    /// Whether the encoding is the only one this value has. Always so after strict decoding.
    pub fn is_canonical(self) -> bool {
        let span = self.span();
        let oddities = &self.document.oddities;
        let first = oddities.partition_point(|oddity| oddity.offset() < span.start);
        oddities.get(first).is_none_or(|oddity| oddity.offset() >= span.end)
    }
}

/// Whether two keys are equal. Nearly all that are looked up have 4 to 16 bytes, which are two overlapping
/// words of each: no call for those.
#[inline]
fn same(a: &[u8], b: &[u8]) -> bool {
    fn ends<const N: usize>(key: &[u8]) -> Option<(&[u8; N], &[u8; N])> {
        Some((key.first_chunk()?, key.last_chunk()?))
    }
    a.len() == b.len()
        && match a.len() {
            4..8 => ends::<4>(a) == ends(b),
            8..=16 => ends::<8>(a) == ends(b),
            _ => a == b,
        }
}

/// Kind and span only: a tree may be large and deep.
impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at {:?}", self.kind(), self.span())
    }
}

/// The values of a list; from [`Value::list`].
#[derive(Clone, Debug)]
pub struct List<'t> {
    next: Value<'t>,
    end: u32,
}

impl<'t> Iterator for List<'t> {
    type Item = Value<'t>;

    #[inline]
    fn next(&mut self) -> Option<Value<'t>> {
        if self.next.index >= self.end {
            return None;
        }
        let value = self.next;
        self.next.index = value.next();
        Some(value)
    }
}

/// The keys and values of a dictionary; from [`Value::dict`].
#[derive(Clone, Debug)]
pub struct Dict<'t> {
    next: Value<'t>,
    end: u32,
}

impl<'t> Iterator for Dict<'t> {
    type Item = (&'t [u8], Value<'t>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.next.index >= self.end {
            return None;
        }
        let value = self.next.first();
        let key = self.next.content();
        self.next.index = value.next();
        Some((key, value))
    }
}
