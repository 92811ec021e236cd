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

/// What the value that comes next stands in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Around {
    /// Nothing: it is the outermost.
    Nothing,
    List,
    /// A dictionary, behind a key.
    Dict,
}

impl Around {
    /// What may come where a value may.
    fn expected(self) -> &'static str {
        match self {
            Self::Nothing => "a value",
            Self::List => "a value or 'e'",
            Self::Dict => "a value for the key",
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
        let input = self.input;
        let mut rest = input;
        let mut around = Around::Nothing;
        // How many lists and dictionaries are open, and where the innermost of them is on the tape.
        let (mut depth, mut innermost) = (0, 0);
        // The last key of the innermost dictionary, which the next one has to follow.
        let mut key: Option<&'a [u8]> = None;
        loop {
            let at = rest;
            if around != Around::Nothing
                && let [b'e', after @ ..] = at
            {
                rest = after;
                let (ended, length) = (innermost, tape.len());
                let token = tape.get_mut(ended);
                innermost = token.end as usize;
                (token.end, token.link) = (narrow(offset(input, rest)), narrow(length));
                depth -= 1;
                if depth == 0 {
                    return Ok(());
                }
                (around, key) = match tape.get(innermost).kind() {
                    Kind::Dict => {
                        (Around::Dict, ended.checked_sub(1).map(|i| self.content(tape, i)))
                    }
                    _ => (Around::List, None),
                };
                continue;
            }
            if around == Around::Dict {
                let [b'0'..=b'9', ..] = at else {
                    return Err(Fault::unexpected(at, "a key or 'e'"));
                };
                let content = self.string(&mut rest, tape)?;
                if key.is_some_and(|before| !precedes(before, content)) {
                    self.misplaced(at, key == Some(content))?;
                }
                key = Some(content);
            }
            let at = rest;
            match at {
                [b'0'..=b'9', ..] => {
                    self.string(&mut rest, tape)?;
                }
                [b'i', ..] => {
                    let (after, Numbered { content, plain }) = integer(at)?;
                    rest = after;
                    if !plain {
                        self.odd(OddityKind::NeedlessZero, at)?;
                    }
                    self.push(tape, Token::integer(offset(input, at), content), at)?;
                }
                [byte @ (b'l' | b'd'), after @ ..] => {
                    rest = after;
                    if depth >= self.decoder.max_depth {
                        return Err(Fault::new(ErrorKind::TooDeep, at, "fewer around it"));
                    }
                    let kind;
                    (kind, around) = match byte {
                        b'l' => (Kind::List, Around::List),
                        _ => (Kind::Dict, Around::Dict),
                    };
                    let token = Token::new(kind, offset(input, at), innermost, 0);
                    (depth, innermost, key) = (depth + 1, tape.len(), None);
                    self.push(tape, token, at)?;
                    continue;
                }
                _ => return Err(Fault::unexpected(at, around.expected())),
            }
            if depth == 0 {
                return Ok(());
            }
        }
    }

    /// Puts the string at the front of `rest` on the tape and goes past it.
    #[allow(clippy::inline_always, reason = "its result would pass through memory, at 10 ns a key")]
    #[inline(always)]
    fn string(&mut self, rest: &mut &'a [u8], tape: &mut Tape) -> Result<&'a [u8], Fault> {
        let at = *rest;
        let (after, Numbered { content, plain }) = string(at)?;
        *rest = after;
        if !plain {
            self.odd(OddityKind::NeedlessZero, at)?;
        }
        let end = offset(self.input, after);
        let token = Token::new(Kind::String, offset(self.input, at), end, end - content.len());
        self.push(tape, token, at)?;
        Ok(content)
    }

    /// Puts the token that begins at `at` on the tape.
    #[inline]
    fn push(&self, tape: &mut Tape, token: Token, at: &[u8]) -> Result<(), Fault> {
        let (tokens, most) = (tape.len(), self.decoder.max_tokens);
        if tokens >= most {
            return Err(Fault::new(ErrorKind::TooManyTokens, at, "a smaller value"));
        }
        let done = offset(self.input, at);
        tape.push(token, || room(tokens, done, self.input.len()).min(most - tokens));
        Ok(())
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
