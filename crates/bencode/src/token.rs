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

/// `<length>:<bytes>`; gives the bytes.
#[inline]
pub(crate) fn string(input: &[u8]) -> Parsed<'_, &[u8]> {
    let (rest, digits) = terminated(
        context("a digit of a string's length", natural),
        context("':' after a string's length", tag(&b":"[..])),
    )
    .parse(input)?;
    let length = fold(digits).and_then(|length| usize::try_from(length).ok());
    match length.and_then(|length| rest.split_at_checked(length)) {
        Some((bytes, rest)) => Ok((rest, bytes)),
        None => Err(Fault::failure(ErrorKind::StringTooLong, input, "as many bytes as it says")),
    }
}

/// `i<number>e`; gives the number.
#[inline]
pub(crate) fn integer(input: &[u8]) -> Parsed<'_, i64> {
    let number = (opt(tag(&b"-"[..])), context("a digit of an integer", natural));
    let (rest, (minus, digits)) =
        delimited(tag(&b"i"[..]), number, context("'e' at the end of an integer", tag(&b"e"[..])))
            .parse(input)?;
    let number = fold(digits).and_then(|magnitude| match minus {
        None => i64::try_from(magnitude).ok(),
        Some(_) => 0_i64.checked_sub_unsigned(magnitude),
    });
    match number {
        Some(0) if minus.is_some() => {
            Err(Fault::failure(ErrorKind::LeadingZero, &input[1..], "0 without a sign"))
        }
        Some(number) => Ok((rest, number)),
        None => Err(Fault::failure(
            ErrorKind::IntegerOutOfRange,
            input,
            "-9223372036854775808 to 9223372036854775807",
        )),
    }
}

/// Decimal digits without a leading zero.
#[inline]
fn natural(input: &[u8]) -> Parsed<'_, &[u8]> {
    let (rest, digits) = take_while1(|byte: u8| byte.is_ascii_digit()).parse(input)?;
    if digits.len() > 1 && digits[0] == b'0' {
        return Err(Fault::failure(
            ErrorKind::LeadingZero,
            input,
            "a number without leading zeros",
        ));
    }
    Ok((rest, digits))
}

/// The number that decimal digits spell, unless it exceeds 64 bits.
#[inline]
fn fold(digits: &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for digit in digits {
        number = number.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
    }
    Some(number)
}
