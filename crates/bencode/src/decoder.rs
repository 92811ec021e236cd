//! From bytes to a tape of tokens, under limits.
//!
//! Owns nesting, the order of keys, what may follow the value, and the limits. Never recurses: each
//! open list or dictionary knows the one around it, so input cannot deepen any stack.

use crate::tape::{Kind, TOO_LARGE, Tape, Token, narrow};
use crate::token::{Fault, Numbered, integer, string};
use crate::value::Document;
use crate::{Error, ErrorKind, Oddity, OddityKind};

/// Decodes exactly one canonical value: `Decoder::new().decode(input)`.
#[inline]
pub fn decode(input: &[u8]) -> Result<Document<'_>, Error> {
    Decoder::new().decode(input)
}

/// Decodes one value as real torrents and trackers write it:
/// `Decoder::new().lenient().decode(input)`.
pub fn decode_lenient(input: &[u8]) -> Result<Document<'_>, Error> {
    Decoder::new().lenient().decode(input)
}

/// How to decode: strictly or leniently, and within which limits.
///
/// The strict decoder takes the canonical form only: dictionary keys sorted as raw bytes and
/// unique, no needless zeros, nothing after the value. The lenient one takes all that real clients
/// read ([`OddityKind`](crate::OddityKind)) and reports it as [`Document::oddities`]. Both
/// take integers in the range of `i64` only, which no number in a torrent or tracker answer needs
/// to exceed.
#[derive(Clone, Copy, Debug)]
pub struct Decoder {
    lenient: bool,
    max_depth: usize,
    max_tokens: usize,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// The default of [`max_depth`](Self::max_depth).
    pub const DEFAULT_MAX_DEPTH: usize = 100;
    /// The default of [`max_tokens`](Self::max_tokens): some 600,000 files of a torrent, and at
    /// most 48 MB of tape.
    pub const DEFAULT_MAX_TOKENS: usize = 4_000_000;

    /// A strict decoder with the default limits.
    pub const fn new() -> Self {
        Self {
            lenient: false,
            max_depth: Self::DEFAULT_MAX_DEPTH,
            max_tokens: Self::DEFAULT_MAX_TOKENS,
        }
    }

    /// Reads unsorted and repeated keys, needless zeros and one newline after the value too, and
    /// reports them.
    pub const fn lenient(self) -> Self {
        Self { lenient: true, ..self }
    }

    /// How many lists and dictionaries may be open at once; 0 allows integers and strings only.
    pub const fn max_depth(self, max_depth: usize) -> Self {
        Self { max_depth, ..self }
    }

    /// How many tokens the value may have: every integer, string, key, list and dictionary is one,
    /// and takes 12 bytes of memory.
    pub const fn max_tokens(self, max_tokens: usize) -> Self {
        Self { max_tokens, ..self }
    }

    /// Decodes a value that is all of `input` (but for the newline a lenient decoder lets pass).
    #[inline]
    pub fn decode(self, input: &[u8]) -> Result<Document<'_>, Error> {
        let mut document = Document::begin(input);
        self.fill(&mut document)?;
        if !document.rest().is_empty() {
            self.trailing(&mut document)?;
        }
        Ok(document)
    }

    /// Judges what follows the value.
    #[cold]
    fn trailing(self, document: &mut Document<'_>) -> Result<(), Error> {
        let end = document.len();
        let kind = match document.rest() {
            b"\n" | b"\r\n" if self.lenient => {
                document.oddities.push(Oddity { kind: OddityKind::TrailingNewline, offset: end });
                return Ok(());
            }
            b"\n" | b"\r\n" => ErrorKind::NotCanonical(OddityKind::TrailingNewline),
            _ => ErrorKind::TrailingBytes,
        };
        Err(Error::new(kind, end, "the end of the input"))
    }

    /// Decodes the value at the front of `input`; [`Document::len`] says how many bytes it took
    /// and [`Document::rest`] is what follows it (BEP 9 sends a piece after a dictionary).
    #[inline]
    pub fn decode_prefix(self, input: &[u8]) -> Result<Document<'_>, Error> {
        let mut document = Document::begin(input);
        self.fill(&mut document)?;
        Ok(document)
    }

    /// Reads the value at the front of the document's input. (The document is filled in place: to move
    /// it out of one result into another takes longer than three tokens.)
    #[inline]
    fn fill(self, document: &mut Document<'_>) -> Result<(), Error> {
        let Document { input, tape, oddities } = document;
        if input.len() >= TOO_LARGE {
            return Err(Error::new(ErrorKind::InputTooLarge, 0, "less than 1 GiB"));
        }
        let mut run = Run { decoder: self, input, oddities };
        run.fill(tape).map_err(|fault| fault.locate(input))
    }
}

/// What may come next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    /// The outermost value.
    Root,
    /// A value of a list, or the list's end.
    Item,
    /// A key of a dictionary, or the dictionary's end.
    Key,
    /// The value of the key that came last.
    Value,
    /// Nothing: the outermost value is complete.
    Done,
}

impl Next {
    /// What may come after the value that may come now.
    #[inline]
    fn after_value(self) -> Self {
        match self {
            Next::Root => Next::Done,
            Next::Value => Next::Key,
            Next::Item | Next::Key | Next::Done => self,
        }
    }

    fn expected(self) -> &'static str {
        match self {
            Next::Root => "a value",
            Next::Item => "a value or 'e'",
            Next::Key => "a key or 'e'",
            Next::Value => "a value for the key",
            Next::Done => "nothing",
        }
    }
}

/// One run of a decoder over its input.
struct Run<'a, 'o> {
    decoder: Decoder,
    input: &'a [u8],
    oddities: &'o mut Vec<Oddity>,
}

impl<'a> Run<'a, '_> {
    /// Puts the tokens of the value at the front of the input on the tape.
    ///
    /// What changes with every token is a local variable, so that it can live in a register.
    fn fill(&mut self, tape: &mut Tape) -> Result<(), Fault> {
        let Decoder { max_depth, max_tokens, .. } = self.decoder;
        let input = self.input;
        let mut next = Next::Root;
        // How many lists and dictionaries are open, and where the innermost of them is on the tape.
        let (mut depth, mut innermost) = (0, 0);
        // The last key of the innermost dictionary, which the next one has to follow.
        let mut key: Option<&'a [u8]> = None;
        let mut rest = input;
        loop {
            let at = rest;
            let start = offset(input, at);
            let token = match (at, next) {
                (_, Next::Done) => return Ok(()),
                ([b'0'..=b'9', ..], _) => {
                    let (after, Numbered { content, plain }) = string(at)?;
                    rest = after;
                    if !plain {
                        self.odd(OddityKind::NeedlessZero, at)?;
                    }
                    if next == Next::Key {
                        if key.is_some_and(|before| !precedes(before, content)) {
                            self.misplaced(at, key == Some(content))?;
                        }
                        key = Some(content);
                        next = Next::Value;
                    } else {
                        next = next.after_value();
                    }
                    let end = offset(input, rest);
                    Token::new(Kind::String, start, end, end - content.len())
                }
                ([b'e', after @ ..], Next::Item | Next::Key) => {
                    rest = after;
                    let (ended, length) = (innermost, tape.len());
                    let token = tape.get_mut(ended);
                    innermost = token.end as usize;
                    (token.end, token.link) = (narrow(offset(input, rest)), narrow(length));
                    depth -= 1;
                    (next, key) = match tape.get(innermost).kind() {
                        _ if depth == 0 => (Next::Done, None),
                        Kind::Dict => {
                            (Next::Key, ended.checked_sub(1).map(|i| self.content(tape, i)))
                        }
                        _ => (Next::Item, None),
                    };
                    continue;
                }
                (_, Next::Key) => return Err(Fault::unexpected(at, next.expected())),
                ([b'i', ..], _) => {
                    let (after, Numbered { content, plain }) = integer(at)?;
                    rest = after;
                    if !plain {
                        self.odd(OddityKind::NeedlessZero, at)?;
                    }
                    next = next.after_value();
                    Token::integer(start, content)
                }
                ([byte @ (b'l' | b'd'), after @ ..], _) => {
                    rest = after;
                    if depth >= max_depth {
                        return Err(Fault::new(ErrorKind::TooDeep, at, "fewer around it"));
                    }
                    let is_list = *byte == b'l';
                    let kind = if is_list { Kind::List } else { Kind::Dict };
                    (next, key) = (if is_list { Next::Item } else { Next::Key }, None);
                    let token = Token::new(kind, start, innermost, 0);
                    (depth, innermost) = (depth + 1, tape.len());
                    token
                }
                _ => return Err(Fault::unexpected(at, next.expected())),
            };
            if tape.len() >= max_tokens {
                return Err(Fault::new(ErrorKind::TooManyTokens, at, "a smaller value"));
            }
            let tokens = tape.len();
            tape.push(token, || room(tokens, start, input.len()).min(max_tokens - tokens));
        }
    }

    /// The string at `index` of the tape.
    fn content(&self, tape: &Tape, index: usize) -> &'a [u8] {
        let token = tape.get(index);
        self.input.get(token.link as usize..token.end as usize).unwrap_or_default()
    }

    #[cold]
    fn misplaced(&mut self, at: &[u8], repeated: bool) -> Result<(), Fault> {
        let kind = if repeated { OddityKind::DuplicateKey } else { OddityKind::UnsortedKey };
        self.odd(kind, at)
    }

    /// Refuses or reports something that is not canonical.
    #[cold]
    fn odd(&mut self, kind: OddityKind, at: &[u8]) -> Result<(), Fault> {
        if !self.decoder.lenient {
            return Err(Fault::new(ErrorKind::NotCanonical(kind), at, "the canonical form"));
        }
        self.oddities.push(Oddity { kind, offset: offset(self.input, at) });
        Ok(())
    }
}

/// For how many more tokens to make room: as many as the rest of the input has if it is like what came
/// before, at least as many again. A list of files is long and even, so one allocation serves it.
#[cold]
fn room(tokens: usize, done: usize, all: usize) -> usize {
    let per_token = (done / tokens.max(1)).max(1);
    let like_before = (all - done) / per_token;
    (like_before + like_before / 8).max(tokens)
}

/// Whether the keys stand in this order. Most differ in their first bytes already.
#[inline]
fn precedes(before: &[u8], key: &[u8]) -> bool {
    match (before.first(), key.first()) {
        (Some(first), Some(other)) if first != other => first < other,
        _ => before < key,
    }
}

#[inline]
fn offset(input: &[u8], at: &[u8]) -> usize {
    input.len() - at.len()
}
