//! Bencode: what the strict decoder takes is canonical to the byte, what the lenient one takes can
//! be written canonically, and every value knows where it stands.

use bencode::{Decoder, Encoder, ErrorKind, Value};

/// Decodes strictly, leniently and as a prefix, and compares.
pub fn run(data: &[u8]) {
    let strict = bencode::decode(data);
    let lenient = bencode::decode_lenient(data);
    if let Ok(document) = &strict {
        assert_eq!(document.root().raw(), data, "nothing beside the value");
        assert_eq!(encoded(document.root()), data, "the strict decoder takes canonical bytes only");
        let lenient = lenient.as_ref().expect("lenient takes all that strict takes");
        assert!(lenient.oddities().is_empty(), "canonical bytes are not odd");
    }
    if let Ok(document) = &lenient {
        walk(document.root(), data);
        let canonical = encoded(document.root());
        let again = bencode::decode(&canonical).expect("what the encoder wrote is canonical");
        assert_eq!(encoded(again.root()), canonical);
        assert_eq!(strict.is_ok(), document.oddities().is_empty());
    }
    if let Ok(document) = Decoder::new().lenient().decode_prefix(data) {
        let (value, rest) = data.split_at(document.len());
        assert_eq!(document.root().raw(), value);
        assert_eq!(document.rest(), rest);
        bencode::decode_lenient(value).expect("a prefix that is a value");
    }
    // Limits bite before anything is built.
    if let Err(error) = Decoder::new().lenient().max_depth(2).max_tokens(5).decode(data) {
        assert!(error.offset() <= data.len());
        assert!(!error.to_string().contains(char::is_control));
    }
    if let Err(error) = &strict
        && error.kind() == ErrorKind::TooDeep
    {
        assert!(data.len() > Decoder::DEFAULT_MAX_DEPTH);
    }
}

fn encoded(value: Value<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    Encoder::new(&mut out).value(value);
    out
}

/// Every value below `root` is where it says, and is of exactly one kind.
fn walk(root: Value<'_>, data: &[u8]) {
    let mut open = vec![root];
    while let Some(value) = open.pop() {
        let span = value.span();
        assert_eq!(data.get(span.clone()), Some(value.raw()));
        let kinds = [value.as_int().is_some(), value.as_bytes().is_some()];
        let nested = [value.list().is_some(), value.dict().is_some()];
        assert_eq!(kinds.iter().chain(&nested).filter(|is| **is).count(), 1);
        let mut at = span.start;
        let mut inside = |part: Value<'_>| {
            assert!(part.span().start > at && part.span().end < span.end, "inside, in order");
            at = part.span().end - 1;
        };
        for item in value.list().into_iter().flatten() {
            inside(item);
            open.push(item);
        }
        for (key, item) in value.dict().into_iter().flatten() {
            inside(item);
            // Of repeated keys the first counts.
            assert!(value.get(key).is_some_and(|first| first.span().start <= item.span().start));
            open.push(item);
        }
    }
}
