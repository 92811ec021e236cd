//! From bytes to a tape of tokens, under limits.
//!
//! Owns nesting, the order of keys, what may follow the value, and the limits. Never recurses:
//! open lists and dictionaries stand on a stack of its own, so input cannot deepen the call stack.

use crate::token::{Fault, integer, string};
use crate::value::{Document, Token};
use crate::{Error, ErrorKind, Oddity, OddityKind};

/// Decodes exactly one canonical value: `Decoder::new().decode(input)`.
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
    pub fn decode(self, input: &[u8]) -> Result<Document<'_>, Error> {
        let mut document = self.decode_prefix(input)?;
        let end = document.len();
        match document.rest() {
            b"" => {}
            b"\n" | b"\r\n" => {
                self.tolerate(OddityKind::TrailingNewline, end, &mut document.oddities)?;
            }
            _ => return Err(Error::new(ErrorKind::TrailingBytes, end, "the end of the input")),
        }
        Ok(document)
    }

    /// Decodes the value at the front of `input`; [`Document::len`] says how many bytes it took
    /// and [`Document::rest`] is what follows it (BEP 9 sends a piece after a dictionary).
    pub fn decode_prefix(self, input: &[u8]) -> Result<Document<'_>, Error> {
        if u32::try_from(input.len()).is_err() {
            return Err(Error::new(ErrorKind::InputTooLarge, 0, "less than 4 GiB"));
        }
        let mut run = Run {
            decoder: self,
            input,
            rest: input,
            tape: Vec::with_capacity(self.max_tokens.min(input.len() / 16 + 8)),
            open: Vec::with_capacity(self.max_depth.min(8)),
            oddities: Vec::new(),
        };
        run.document()?;
        Ok(Document { input, tape: run.tape, oddities: run.oddities })
    }

    /// Refuses or reports something that is not canonical.
    #[cold]
    fn tolerate(
        self,
        kind: OddityKind,
        offset: usize,
        oddities: &mut Vec<Oddity>,
    ) -> Result<(), Error> {
        if !self.lenient {
            return Err(Error::new(ErrorKind::NotCanonical(kind), offset, "the canonical form"));
        }
        oddities.push(Oddity { kind, offset });
        Ok(())
    }
}

/// A list or dictionary whose end has not come yet.
struct Open<'a> {
    /// Where it is on the tape.
    token: usize,
    /// `None` in a list, else the latest key.
    key: Option<Key<'a>>,
}

/// The latest key of an open dictionary.
#[derive(Clone, Copy)]
enum Key<'a> {
    None,
    Some(&'a [u8]),
}

/// One run of a decoder over its input.
struct Run<'a> {
    decoder: Decoder,
    input: &'a [u8],
    rest: &'a [u8],
    tape: Vec<Token>,
    open: Vec<Open<'a>>,
    oddities: Vec<Oddity>,
}

impl<'a> Run<'a> {
    fn document(&mut self) -> Result<(), Error> {
        self.value("a value")?;
        while let Some(open) = self.open.last() {
            if self.rest.first() == Some(&b'e') {
                let token = open.token;
                self.close(token);
            } else if let Some(previous) = open.key {
                self.key(previous)?;
                self.value("a value for the key")?;
            } else {
                self.value("a value or 'e'")?;
            }
        }
        Ok(())
    }

    /// Puts the value at the front of the rest on the tape; of a list or dictionary, its opening.
    fn value(&mut self, expected: &'static str) -> Result<(), Error> {
        match self.rest.first() {
            Some(b'0'..=b'9') => self.string().map(drop),
            Some(b'i') => self.integer(),
            Some(b'l') => self.begin(None),
            Some(b'd') => self.begin(Some(Key::None)),
            Some(&byte) => Err(self.error(ErrorKind::UnexpectedByte(byte), expected)),
            None => Err(self.error(ErrorKind::UnexpectedEnd, expected)),
        }
    }

    fn integer(&mut self) -> Result<(), Error> {
        let (rest, number) = integer(self.rest).map_err(|fault| self.fault(fault))?;
        let (start, end) = (self.offset(self.rest), self.offset(rest));
        self.rest = rest;
        if !number.plain {
            self.odd(OddityKind::NeedlessZero, start)?;
        }
        self.push(Token::new(start, end, 0))
    }

    fn string(&mut self) -> Result<&'a [u8], Error> {
        let (rest, string) = string(self.rest).map_err(|fault| self.fault(fault))?;
        let (start, end) = (self.offset(self.rest), self.offset(rest));
        self.rest = rest;
        if !string.plain {
            self.odd(OddityKind::NeedlessZero, start)?;
        }
        self.push(Token::new(start, end, end - string.content.len()))?;
        Ok(string.content)
    }

    fn key(&mut self, previous: Key<'a>) -> Result<(), Error> {
        let offset = self.offset(self.rest);
        match self.rest.first() {
            Some(b'0'..=b'9') => {}
            Some(&b) => return Err(self.error(ErrorKind::UnexpectedByte(b), "a key or 'e'")),
            None => return Err(self.error(ErrorKind::UnexpectedEnd, "a key or 'e'")),
        }
        let key = self.string()?;
        if let Key::Some(previous) = previous
            && previous >= key
        {
            let repeated = previous == key;
            let kind = if repeated { OddityKind::DuplicateKey } else { OddityKind::UnsortedKey };
            self.odd(kind, offset)?;
        }
        if let Some(open) = self.open.last_mut() {
            open.key = Some(Key::Some(key));
        }
        Ok(())
    }

    fn odd(&mut self, kind: OddityKind, offset: usize) -> Result<(), Error> {
        self.decoder.tolerate(kind, offset, &mut self.oddities)
    }

    fn begin(&mut self, key: Option<Key<'a>>) -> Result<(), Error> {
        if self.open.len() >= self.decoder.max_depth {
            return Err(self.error(ErrorKind::TooDeep, "fewer lists and dictionaries around it"));
        }
        let start = self.offset(self.rest);
        self.open.push(Open { token: self.tape.len(), key });
        self.rest = &self.rest[1..];
        self.push(Token::new(start, start, 0))
    }

    fn close(&mut self, token: usize) {
        self.open.pop();
        self.rest = &self.rest[1..];
        let (end, next) = (self.offset(self.rest), self.tape.len());
        self.tape[token].close(end, next);
    }

    fn push(&mut self, token: Token) -> Result<(), Error> {
        if self.tape.len() >= self.decoder.max_tokens {
            return Err(Error::new(ErrorKind::TooManyTokens, token.start(), "a smaller value"));
        }
        self.tape.push(token);
        Ok(())
    }

    fn offset(&self, rest: &[u8]) -> usize {
        self.input.len() - rest.len()
    }

    #[cold]
    fn error(&self, kind: ErrorKind, expected: &'static str) -> Error {
        Error::new(kind, self.offset(self.rest), expected)
    }

    #[cold]
    fn fault(&self, fault: nom::Err<Fault>) -> Error {
        match fault {
            nom::Err::Error(fault) | nom::Err::Failure(fault) => {
                Error::new(fault.kind, self.input.len() - fault.left, fault.expected)
            }
            // The parsers are nom's "complete" ones, which end in an error instead.
            nom::Err::Incomplete(_) => self.error(ErrorKind::UnexpectedEnd, "more bytes"),
        }
    }
}
