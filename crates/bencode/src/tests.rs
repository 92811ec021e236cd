//! The grammar by example: what is taken, what is refused, where, and in which words.
//!
//! Owns the examples. Never checks round trips, which are `tests/properties.rs`.

use crate::{
    Decoder, Encoder, ErrorKind, Kind, OddityKind, Value, decode, decode_lenient, encode_dict,
};

fn refusal(input: &[u8]) -> (ErrorKind, usize) {
    let error = decode(input).map(|document| document.root().kind()).unwrap_err();
    (error.kind(), error.offset())
}

fn oddities(input: &[u8]) -> Vec<(OddityKind, usize)> {
    let document = decode_lenient(input).unwrap();
    document.oddities().iter().map(|oddity| (oddity.kind(), oddity.offset())).collect()
}

#[test]
fn integers_fill_the_range_of_i64() {
    for number in [0, 1, -1, 10, i64::from(u32::MAX) - 1, i64::from(u32::MAX), i64::MAX, i64::MIN] {
        let input = format!("i{number}e");
        assert_eq!(decode(input.as_bytes()).unwrap().root().as_int(), Some(number));
    }
    for input in [
        &b"i9223372036854775808e"[..],
        b"i-9223372036854775809e",
        b"i18446744073709551616e",
        b"i99999999999999999999999999e",
    ] {
        assert_eq!(refusal(input), (ErrorKind::IntegerOutOfRange, 0));
    }
}

#[test]
fn numbers_of_any_length_keep_their_value_and_their_bytes() {
    for digits in 1..=18 {
        for number in [10_i64.pow(digits - 1), 10_i64.pow(digits) - 1, 123_456_789_012_345_678] {
            let number = number % 10_i64.pow(digits);
            for number in [number, -number] {
                let input = format!("li{number}e3:endei7e");
                let document = Decoder::new().decode_prefix(input.as_bytes()).unwrap();
                let value = document.root().list().unwrap().next().unwrap();
                assert_eq!(value.as_int(), Some(number));
                assert_eq!(value.raw(), format!("i{number}e").as_bytes());
                assert_eq!(document.rest(), b"i7e");
            }
        }
    }
    // Bytes on both sides of the digits, among seven of them.
    for byte in [b'/', b':', b'e', 0, 0x7f, 0x80, 0xff] {
        for place in 1..8 {
            let mut input = *b"i12345678e";
            input[place + 1] = byte;
            match byte {
                b'e' => assert_eq!(refusal(&input), (ErrorKind::TrailingBytes, place + 2)),
                _ => assert_eq!(refusal(&input), (ErrorKind::UnexpectedByte(byte), place + 1)),
            }
        }
    }
}

#[test]
fn input_beyond_the_offsets_is_refused() {
    // Never touched, so it takes no memory.
    let input = vec![0; 1 << 30];
    assert_eq!(refusal(&input), (ErrorKind::InputTooLarge, 0));
    assert_eq!(refusal(&input[1..]), (ErrorKind::UnexpectedByte(0), 0));
}

#[test]
fn keys_of_all_lengths_are_found_and_nothing_else_is() {
    for length in 0..20 {
        let key = "abcdefghijklmnopqrstu"[..length].to_owned();
        let bytes = encode_dict(|d| {
            d.int(&key, 1);
            d.int("z", 2);
        });
        let document = decode(&bytes).unwrap();
        assert_eq!(document.root().get(&key).unwrap().as_int(), Some(1));
        assert_eq!(document.root().get("z").unwrap().as_int(), Some(2));
        for other in ["A", "b", "zz"] {
            assert!(document.root().get(other).is_none());
        }
        for place in 0..length {
            let mut other = key.clone().into_bytes();
            other[place] ^= 1;
            assert!(document.root().get(other).is_none());
        }
    }
    let unsorted = decode_lenient(b"d1:bi1e1:ai2ee").unwrap();
    assert_eq!(unsorted.root().get("a").unwrap().as_int(), Some(2));
}

#[test]
fn malformed_numbers_are_refused_where_they_go_wrong() {
    assert_eq!(refusal(b"ie"), (ErrorKind::UnexpectedByte(b'e'), 1));
    assert_eq!(refusal(b"i-e"), (ErrorKind::UnexpectedByte(b'e'), 2));
    assert_eq!(refusal(b"i+1e"), (ErrorKind::UnexpectedByte(b'+'), 1));
    assert_eq!(refusal(b"i--1e"), (ErrorKind::UnexpectedByte(b'-'), 2));
    assert_eq!(refusal(b"i1.5e"), (ErrorKind::UnexpectedByte(b'.'), 2));
    assert_eq!(refusal(b"i 1e"), (ErrorKind::UnexpectedByte(b' '), 1));
    assert_eq!(refusal(b"i12"), (ErrorKind::UnexpectedEnd, 3));
    assert_eq!(refusal(b"i"), (ErrorKind::UnexpectedEnd, 1));
    assert_eq!(refusal(b"-1:a"), (ErrorKind::UnexpectedByte(b'-'), 0));
}

#[test]
fn strings_end_within_the_input() {
    assert_eq!(refusal(b"4:spa"), (ErrorKind::StringTooLong, 0));
    assert_eq!(refusal(b"18446744073709551615:a"), (ErrorKind::StringTooLong, 0));
    assert_eq!(refusal(b"99999999999999999999999:a"), (ErrorKind::StringTooLong, 0));
    assert_eq!(refusal(b"4"), (ErrorKind::UnexpectedEnd, 1));
    assert_eq!(refusal(b"4spam"), (ErrorKind::UnexpectedByte(b's'), 1));
    assert_eq!(refusal(b"l4:spame5:"), (ErrorKind::TrailingBytes, 8));
}

#[test]
fn structure_is_checked() {
    assert_eq!(refusal(b""), (ErrorKind::UnexpectedEnd, 0));
    assert_eq!(refusal(b"e"), (ErrorKind::UnexpectedByte(b'e'), 0));
    assert_eq!(refusal(b"x"), (ErrorKind::UnexpectedByte(b'x'), 0));
    assert_eq!(refusal(b"l"), (ErrorKind::UnexpectedEnd, 1));
    assert_eq!(refusal(b"d"), (ErrorKind::UnexpectedEnd, 1));
    assert_eq!(refusal(b"di1e1:ae"), (ErrorKind::UnexpectedByte(b'i'), 1));
    assert_eq!(refusal(b"dlee"), (ErrorKind::UnexpectedByte(b'l'), 1));
    assert_eq!(refusal(b"d1:ae"), (ErrorKind::UnexpectedByte(b'e'), 4));
    assert_eq!(refusal(b"d1:a"), (ErrorKind::UnexpectedEnd, 4));
    assert_eq!(refusal(b"lee"), (ErrorKind::TrailingBytes, 2));
}

#[test]
fn errors_say_what_was_expected() {
    let words = |input: &[u8]| decode(input).unwrap_err().to_string();
    assert_eq!(words(b"d1:ae"), "bencode, byte 4: found 'e', expected a value for the key");
    assert_eq!(words(b"l\n"), "bencode, byte 1: found '\\n', expected a value or 'e'");
    assert_eq!(
        words(b"3"),
        "bencode, byte 1: the input ends, expected ':' after a string's length"
    );
    assert_eq!(
        words(b"i03e"),
        "bencode, byte 0: needless zero in a number, expected the canonical form"
    );
}

#[test]
fn the_strict_decoder_takes_only_the_canonical_form() {
    for (input, oddity, offset) in [
        (&b"i03e"[..], OddityKind::NeedlessZero, 0),
        (b"i-03e", OddityKind::NeedlessZero, 0),
        (b"i-0e", OddityKind::NeedlessZero, 0),
        (b"i00e", OddityKind::NeedlessZero, 0),
        (b"l04:spame", OddityKind::NeedlessZero, 1),
        (b"00:", OddityKind::NeedlessZero, 0),
        (b"d1:bi0e1:ai0ee", OddityKind::UnsortedKey, 7),
        (b"d2:aai0e1:ai0ee", OddityKind::UnsortedKey, 8),
        (b"d1:ai0e1:ai1ee", OddityKind::DuplicateKey, 7),
        (b"le\n", OddityKind::TrailingNewline, 2),
        (b"le\r\n", OddityKind::TrailingNewline, 2),
    ] {
        assert_eq!(refusal(input), (ErrorKind::NotCanonical(oddity), offset));
        assert_eq!(oddities(input), [(oddity, offset)]);
    }
}

#[test]
fn the_lenient_decoder_reads_numbers_with_needless_zeros() {
    let document = decode_lenient(b"li-0ei007ei-012e003:abce").unwrap();
    let items: Vec<_> = document.root().list().unwrap().collect();
    assert_eq!(items[0].as_int(), Some(0));
    assert_eq!(items[1].as_int(), Some(7));
    assert_eq!(items[2].as_int(), Some(-12));
    assert_eq!(items[3].as_bytes(), Some(&b"abc"[..]));
    let zeros = [b"i", &b"0".repeat(50)[..], b"5e"].concat();
    assert_eq!(decode_lenient(&zeros).unwrap().root().as_int(), Some(5));
}

#[test]
fn the_lenient_decoder_takes_no_other_bytes_after_the_value() {
    for input in [&b"le\n\n"[..], b"le ", b"le\0", b"le\r", b"lee", b"lele"] {
        let error = decode_lenient(input).map(drop).unwrap_err();
        assert_eq!((error.kind(), error.offset()), (ErrorKind::TrailingBytes, 2));
    }
}

#[test]
fn of_repeated_keys_the_first_counts() {
    let document = decode_lenient(b"d1:ai1e1:bi2e1:ai3ee").unwrap();
    assert_eq!(document.root().get("a").unwrap().as_int(), Some(1));
    let mut canonical = Vec::new();
    Encoder::new(&mut canonical).value(document.root());
    assert_eq!(canonical, b"d1:ai1e1:bi2ee");
    let written = encode_dict(|d| {
        d.int("b", 2);
        d.int("a", 1);
        d.int("a", 3);
    });
    assert_eq!(written, canonical);
}

#[test]
fn a_value_knows_its_bytes() {
    let input = b"d4:infod6:lengthi5e4:name1:xe4:tail2:eee";
    let document = decode(input).unwrap();
    let info = document.root().get("info").unwrap();
    assert_eq!(info.raw(), b"d6:lengthi5e4:name1:xe");
    assert_eq!(&input[info.span()], info.raw());
    assert_eq!(document.root().get("tail").unwrap().as_bytes(), Some(&b"ee"[..]));
    assert_eq!(document.root().get("length").map(Value::kind), None);
    assert_eq!(format!("{info:?}"), "Dict at 7..29");
}

#[test]
fn accessors_of_another_kind_say_none() {
    for (input, kind) in [
        (&b"i1e"[..], Kind::Integer),
        (b"1:e", Kind::String),
        (b"le", Kind::List),
        (b"de", Kind::Dict),
    ] {
        let document = decode(input).unwrap();
        let value = document.root();
        assert_eq!(value.kind(), kind);
        assert_eq!(value.as_int().is_some(), kind == Kind::Integer);
        assert_eq!(value.as_bytes().is_some(), kind == Kind::String);
        assert_eq!(value.as_str().is_some(), kind == Kind::String);
        assert_eq!(value.list().is_some(), kind == Kind::List);
        assert_eq!(value.dict().is_some(), kind == Kind::Dict);
        assert!(value.get("a").is_none());
    }
    assert_eq!(decode(b"1:\xff").unwrap().root().as_str(), None);
}

#[test]
fn depth_is_limited_without_recursion() {
    let nested = |depth: usize| [b"l".repeat(depth), b"e".repeat(depth)].concat();
    assert!(decode(&nested(100)).is_ok());
    assert_eq!(refusal(&nested(101)), (ErrorKind::TooDeep, 100));
    let shallow = Decoder::new().max_depth(0);
    assert!(shallow.decode(b"i1e").is_ok());
    assert!(shallow.decode(b"de").is_err());

    // Far deeper than any call stack, on request: decoded, odd at the bottom, encoded again.
    let depth = 1_000_000;
    let deep = [b"l".repeat(depth), b"i00e".to_vec(), b"e".repeat(depth)].concat();
    let document = Decoder::new().lenient().max_depth(depth).decode(&deep).unwrap();
    let mut canonical = Vec::new();
    Encoder::new(&mut canonical).value(document.root());
    assert_eq!(canonical.len(), deep.len() - 1);
}

#[test]
fn tokens_are_limited() {
    let decoder = Decoder::new().max_tokens(4);
    assert!(decoder.decode(b"d1:ali1eee").is_ok());
    let error = decoder.decode(b"d1:ali1ei2eee").map(drop).unwrap_err();
    assert_eq!((error.kind(), error.offset()), (ErrorKind::TooManyTokens, 8));
}

#[test]
fn verbatim_keeps_what_is_odd() {
    let document = decode_lenient(b"d4:infod1:bi1e1:ai2eee").unwrap();
    let info = document.root().get("info").unwrap();
    assert!(!info.is_canonical() && info.get("b").unwrap().is_canonical());
    assert_eq!(encode_dict(|d| d.verbatim("info", info)), document.root().raw());
    assert_eq!(encode_dict(|d| d.value("info", info)), b"d4:infod1:ai2e1:bi1eee");
}

#[test]
fn values_follow_each_other_in_one_buffer() {
    let mut out = b"before ".to_vec();
    let mut encoder = Encoder::new(&mut out);
    encoder.dict(|d| d.int("piece", 0));
    encoder.bytes("");
    encoder.list(|l| l.list(|_| ()));
    assert_eq!(out, b"before d5:piecei0ee0:llee");
}
