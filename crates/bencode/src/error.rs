//! What can be wrong with bytes that should be bencode, and where.
//!
//! Owns the error of the decoder, the oddities it may let pass, and their wording. Never quotes
//! input beyond the one byte at fault.

use std::fmt;

/// Why bytes are not the bencode that was asked for.
///
/// Its [`Display`](fmt::Display) is one line with the offset and what was expected there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    offset: usize,
    expected: &'static str,
}

/// The kinds of [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The input ends inside a value, or is empty.
    UnexpectedEnd,
    /// This byte cannot stand here.
    UnexpectedByte(u8),
    /// A string's length says more bytes than are left.
    StringTooLong,
    /// Readable, but not canonical; a [lenient](crate::Decoder::lenient) decoder lets it pass.
    NotCanonical(OddityKind),
    /// An integer outside the range of `i64`.
    IntegerOutOfRange,
    /// Bytes after the value that are more than a newline.
    TrailingBytes,
    /// Lists and dictionaries nested deeper than [`Decoder::max_depth`](crate::Decoder::max_depth).
    TooDeep,
    /// More tokens than [`Decoder::max_tokens`](crate::Decoder::max_tokens).
    TooManyTokens,
    /// 1 GiB or more of input: the tape's offsets have 30 bits.
    InputTooLarge,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, offset: usize, expected: &'static str) -> Self {
        Self { kind, offset, expected }
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Where it went wrong: bytes from the start of the input.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// What should have stood at [`offset`](Self::offset), in words.
    pub fn expected(&self) -> &'static str {
        self.expected
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bencode, byte {}: ", self.offset)?;
        match self.kind {
            ErrorKind::UnexpectedEnd => f.write_str("the input ends")?,
            ErrorKind::UnexpectedByte(byte) => write!(f, "found '{}'", byte.escape_ascii())?,
            ErrorKind::StringTooLong => f.write_str("the string is longer than the input")?,
            ErrorKind::NotCanonical(oddity) => write!(f, "{oddity}")?,
            ErrorKind::IntegerOutOfRange => f.write_str("the integer does not fit 64 bits")?,
            ErrorKind::TrailingBytes => f.write_str("bytes after the value")?,
            ErrorKind::TooDeep => f.write_str("nested too deep")?,
            ErrorKind::TooManyTokens => f.write_str("too many values")?,
            ErrorKind::InputTooLarge => f.write_str("the input is too large")?,
        }
        write!(f, ", expected {}", self.expected)
    }
}

impl std::error::Error for Error {}

/// Something readable that is not canonical: the lenient decoder lets it pass and reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Oddity {
    pub(crate) kind: OddityKind,
    pub(crate) offset: usize,
}

/// The kinds of [`Oddity`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OddityKind {
    /// A dictionary key that sorts before the key ahead of it.
    UnsortedKey,
    /// A dictionary key equal to the one ahead of it. (With others between, it is unsorted.)
    DuplicateKey,
    /// An integer or a string's length with a leading zero, or `-0`.
    NeedlessZero,
    /// A newline after the value: LF or CRLF.
    TrailingNewline,
}

impl Oddity {
    /// What is odd.
    pub fn kind(&self) -> OddityKind {
        self.kind
    }

    /// Where: bytes from the start of the input, to the start of the key, number or newline.
    pub fn offset(&self) -> usize {
        self.offset
    }
}

impl fmt::Display for Oddity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.kind, self.offset)
    }
}

impl fmt::Display for OddityKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnsortedKey => "dictionary key out of order",
            Self::DuplicateKey => "dictionary key repeated",
            Self::NeedlessZero => "needless zero in a number",
            Self::TrailingNewline => "newline after the value",
        })
    }
}
