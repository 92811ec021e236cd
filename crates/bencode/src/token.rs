//! The two tokens that have an inside, as nom parsers: integers and strings.
//!
//! Owns their grammar and range. Never looks at what a token stands in: nesting is the decoder's.

use nom::bytes::complete::{tag, take_while1};
use nom::combinator::opt;
use nom::error::{ContextError, ErrorKind as NomKind, ParseError, context};
use nom::sequence::{delimited, terminated};
use nom::{IResult, Parser};

use crate::ErrorKind;

/// A token that failed: like [`crate::Error`], with the bytes left instead of the offset, which
/// only the decoder knows.
pub(crate) struct Fault {
    pub(crate) kind: ErrorKind,
    pub(crate) left: usize,
    pub(crate) expected: &'static str,
}

impl Fault {
    fn failure(kind: ErrorKind, at: &[u8], expected: &'static str) -> nom::Err<Self> {
        nom::Err::Failure(Self { kind, left: at.len(), expected })
    }
}

impl ParseError<&[u8]> for Fault {
    fn from_error_kind(at: &[u8], _: NomKind) -> Self {
        let kind = at.first().map_or(ErrorKind::UnexpectedEnd, |&b| ErrorKind::UnexpectedByte(b));
        Self { kind, left: at.len(), expected: "" }
    }

    fn append(_: &[u8], _: NomKind, other: Self) -> Self {
        other
    }
}

impl ContextError<&[u8]> for Fault {
    fn add_context(_: &[u8], expected: &'static str, other: Self) -> Self {
        Self { expected, ..other }
    }
}

type Parsed<'a, T> = IResult<&'a [u8], T, Fault>;

/// A token's content, and whether its number was written without needless zeros.
pub(crate) struct Token<T> {
    pub(crate) content: T,
    pub(crate) plain: bool,
}

/// `<length>:<bytes>`; gives the bytes.
#[inline]
pub(crate) fn string(input: &[u8]) -> Parsed<'_, Token<&[u8]>> {
    let (rest, digits) = terminated(
        context("a digit of a string's length", digits),
        context("':' after a string's length", tag(&b":"[..])),
    )
    .parse(input)?;
    let length = number(digits).and_then(|length| usize::try_from(length).ok());
    match length.and_then(|length| rest.split_at_checked(length)) {
        Some((content, rest)) => Ok((rest, Token { content, plain: is_plain(digits) })),
        None => Err(Fault::failure(ErrorKind::StringTooLong, input, "as many bytes as it says")),
    }
}

/// `i<number>e`; gives the number.
#[inline]
pub(crate) fn integer(input: &[u8]) -> Parsed<'_, Token<i64>> {
    let (rest, (minus, digits)) = delimited(
        context("an integer", tag(&b"i"[..])),
        (opt(tag(&b"-"[..])), context("a digit of an integer", digits)),
        context("'e' at the end of an integer", tag(&b"e"[..])),
    )
    .parse(input)?;
    let content = number(digits).and_then(|magnitude| match minus {
        None => i64::try_from(magnitude).ok(),
        Some(_) => 0_i64.checked_sub_unsigned(magnitude),
    });
    match content {
        Some(content) => {
            let plain = is_plain(digits) && (content != 0 || minus.is_none());
            Ok((rest, Token { content, plain }))
        }
        None => Err(Fault::failure(
            ErrorKind::IntegerOutOfRange,
            input,
            "-9223372036854775808 to 9223372036854775807",
        )),
    }
}

/// One decimal digit or more.
#[inline]
fn digits(input: &[u8]) -> Parsed<'_, &[u8]> {
    take_while1(|byte: u8| byte.is_ascii_digit()).parse(input)
}

#[inline]
fn is_plain(digits: &[u8]) -> bool {
    digits.len() == 1 || digits.first() != Some(&b'0')
}

/// The number that decimal digits spell, unless it exceeds 64 bits.
#[inline]
fn number(digits: &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for digit in digits {
        number = number.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
    }
    Some(number)
}
