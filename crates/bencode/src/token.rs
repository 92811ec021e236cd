//! The two tokens that have an inside, as nom parsers: integers and strings.
//!
//! Owns their grammar and range. Never looks at what a token stands in: nesting is the decoder's.

use nom::IResult;
use nom::error::{ErrorKind as NomKind, ParseError};

use crate::{Error, ErrorKind};

/// A token that failed: like [`crate::Error`], with the bytes left instead of the offset, which
/// only the decoder knows.
pub(crate) struct Fault {
    kind: ErrorKind,
    left: usize,
    expected: &'static str,
}

impl Fault {
    #[cold]
    pub(crate) fn new(kind: ErrorKind, at: &[u8], expected: &'static str) -> Self {
        Self { kind, left: at.len(), expected }
    }

    #[cold]
    pub(crate) fn unexpected(at: &[u8], expected: &'static str) -> Self {
        let kind = at.first().map_or(ErrorKind::UnexpectedEnd, |&b| ErrorKind::UnexpectedByte(b));
        Self::new(kind, at, expected)
    }

    pub(crate) fn locate(self, input: &[u8]) -> Error {
        Error::new(self.kind, input.len() - self.left, self.expected)
    }
}

impl From<nom::Err<Fault>> for Fault {
    #[cold]
    fn from(error: nom::Err<Fault>) -> Self {
        match error {
            nom::Err::Error(fault) | nom::Err::Failure(fault) => fault,
            // The parsers are nom's "complete" ones, which end in an error instead.
            nom::Err::Incomplete(_) => Self::unexpected(&[], "more bytes"),
        }
    }
}

impl ParseError<&[u8]> for Fault {
    fn from_error_kind(at: &[u8], _: NomKind) -> Self {
        Self::unexpected(at, "")
    }

    fn append(_: &[u8], _: NomKind, other: Self) -> Self {
        other
    }
}

type Parsed<'a, T> = IResult<&'a [u8], T, Fault>;

/// A token's content, and whether its number does without needless zeros.
pub(crate) struct Numbered<T> {
    pub(crate) content: T,
    pub(crate) plain: bool,
}

/// `<length>:<bytes>`; gives the bytes.
#[inline]
pub(crate) fn string(input: &[u8]) -> Parsed<'_, Numbered<&[u8]>> {
    // One digit, as nearly every key has: no loop, and nothing to be found wrong.
    let (rest, length) = if let [digit @ b'0'..=b'9', b':', rest @ ..] = input {
        (rest, Numbered { content: Some(u64::from(digit - b'0')), plain: true })
    } else {
        let (rest, length) = natural(input)?;
        (ending(rest, b':', "':' after a string's length")?, length)
    };
    let size = length.content.and_then(|length| usize::try_from(length).ok());
    match size.and_then(|size| rest.split_at_checked(size)) {
        Some((content, rest)) => Ok((rest, Numbered { content, plain: length.plain })),
        None => Err(nom::Err::Failure(Fault::new(
            ErrorKind::StringTooLong,
            input,
            "as many bytes as it says",
        ))),
    }
}

/// What follows the byte that ends a number. (nom's own `char` reads UTF-8, and is not inlined.)
#[inline]
fn ending<'a>(
    input: &'a [u8],
    end: u8,
    expected: &'static str,
) -> Result<&'a [u8], nom::Err<Fault>> {
    match input.split_first() {
        Some((byte, rest)) if *byte == end => Ok(rest),
        _ => Err(nom::Err::Error(Fault::unexpected(input, expected))),
    }
}

/// `i<number>e`; gives the number.
#[inline]
pub(crate) fn integer(input: &[u8]) -> Parsed<'_, Numbered<i64>> {
    let rest = ending(input, b'i', "'i'")?;
    let (minus, rest) = match rest {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, rest),
    };
    let (rest, magnitude) = natural(rest)?;
    let rest = ending(rest, b'e', "'e' after an integer")?;
    let number = magnitude.content.and_then(|magnitude| {
        if minus { 0_i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
    });
    match number {
        Some(content) => {
            let plain = magnitude.plain && !(minus && content == 0);
            Ok((rest, Numbered { content, plain }))
        }
        None => Err(nom::Err::Failure(Fault::new(
            ErrorKind::IntegerOutOfRange,
            input,
            "-9223372036854775808 to 9223372036854775807",
        ))),
    }
}

/// One decimal digit or more; gives the number, or `None` if it exceeds 64 bits.
///
/// nom's own number parsers can tell neither leading zeros nor how they failed.
#[inline]
fn natural(input: &[u8]) -> Parsed<'_, Numbered<Option<u64>>> {
    let mut number = 0_u64;
    let mut rest = input;
    while let Some((eight, after)) = rest.split_first_chunk() {
        let Some(eight) = eight_digits(*eight) else { break };
        number = number.wrapping_mul(100_000_000).wrapping_add(eight);
        rest = after;
    }
    while let [byte @ b'0'..=b'9', after @ ..] = rest {
        // Up to 19 digits cannot wrap; more are counted again below.
        number = number.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
        rest = after;
    }
    match input.split_at_checked(input.len() - rest.len()) {
        Some((digits @ [first, after @ ..], rest)) => {
            let content = if digits.len() <= 19 { Some(number) } else { checked(digits) };
            Ok((rest, Numbered { content, plain: after.is_empty() || *first != b'0' }))
        }
        _ => Err(nom::Err::Error(Fault::unexpected(input, "a digit"))),
    }
}

/// The number that these bytes spell, if all of them are digits: lengths of files and of hashes often
/// have as many. The digits are added up side by side, pairs of them, then pairs of pairs.
#[inline]
fn eight_digits(bytes: [u8; 8]) -> Option<u64> {
    let word = u64::from_le_bytes(bytes);
    let high_halves = 0xf0f0_f0f0_f0f0_f0f0;
    let digits = 0x3030_3030_3030_3030;
    // Only digits keep their upper half with 6 added to them.
    if word & high_halves != digits || word.wrapping_add(digits / 8) & high_halves != digits {
        return None;
    }
    let ones = word - digits;
    let pairs = (ones * 10 + (ones >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    Some((fours * 10_000 + (fours >> 32)) & 0xffff_ffff)
}

/// The number that digits spell, unless it exceeds 64 bits.
#[cold]
fn checked(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0_u64, |number, digit| {
        number.checked_mul(10)?.checked_add(u64::from(digit.wrapping_sub(b'0')))
    })
}
