//! Properties of decoder and encoder together, over arbitrary values and arbitrary bytes.
//!
//! Owns the round trips. Never repeats the grammar's examples, which are in `src/tests.rs`.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeMap;

use bencode::{Decoder, Encoder, Kind, Value};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

/// A value as a plain tree, to compare with.
#[derive(Clone, Debug, PartialEq)]
enum Tree {
    Integer(i64),
    String(Vec<u8>),
    List(Vec<Tree>),
    Dict(BTreeMap<Vec<u8>, Tree>),
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(Tree::Integer),
        (0..20_i64).prop_map(Tree::Integer),
        vec(any::<u8>(), 0..30).prop_map(Tree::String),
    ];
    leaf.prop_recursive(5, 60, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Tree::List),
            btree_map(vec(any::<u8>(), 0..4), inner, 0..6).prop_map(Tree::Dict),
        ]
    })
}

/// Bytes that look much like bencode, so that the decoder gets deep into them.
fn nearly_bencode() -> impl Strategy<Value = Vec<u8>> {
    let part = prop::sample::select(vec![
        "d",
        "l",
        "e",
        "i",
        "-",
        "0",
        "1",
        ":",
        "\n",
        "i0e",
        "i-1e",
        "i-0e",
        "i05e",
        "0:",
        "1:a",
        "1:b",
        "01:a",
        "le",
        "de",
        "3:",
        "i9223372036854775808e",
        "99999999999999999999:",
    ]);
    vec(part, 0..24).prop_map(|parts| parts.concat().into_bytes())
}

fn encode(tree: &Tree, out: &mut Encoder<'_>) {
    match tree {
        Tree::Integer(number) => out.int(*number),
        Tree::String(bytes) => out.bytes(bytes),
        Tree::List(items) => out.list(|out| items.iter().for_each(|item| encode(item, out))),
        Tree::Dict(entries) => out.dict(|out| {
            // In reverse, so that the encoder has to sort.
            for (key, value) in entries.iter().rev() {
                match value {
                    Tree::Integer(number) => out.int(key, *number),
                    Tree::String(bytes) => out.bytes(key, bytes),
                    Tree::List(items) => {
                        out.list(key, |out| items.iter().for_each(|item| encode(item, out)));
                    }
                    Tree::Dict(_) => {
                        let bytes = encoded(value);
                        out.value(key, bencode::decode(&bytes).unwrap().root());
                    }
                }
            }
        }),
    }
}

fn encoded(tree: &Tree) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(tree, &mut Encoder::new(&mut bytes));
    bytes
}

/// As a tree; of repeated keys the first counts.
fn read(value: Value<'_>) -> Tree {
    match value.kind() {
        Kind::Integer => Tree::Integer(value.as_int().unwrap()),
        Kind::String => Tree::String(value.as_bytes().unwrap().to_vec()),
        Kind::List => Tree::List(value.list().unwrap().map(read).collect()),
        Kind::Dict => {
            let mut entries = BTreeMap::new();
            for (key, value) in value.dict().unwrap() {
                entries.entry(key.to_vec()).or_insert_with(|| read(value));
            }
            Tree::Dict(entries)
        }
    }
}

/// Every value's span decodes alone to what the value is in its place.
fn check_spans(value: Value<'_>, decoder: Decoder) {
    let alone = decoder.decode(value.raw()).unwrap();
    assert_eq!(alone.root().raw(), value.raw());
    assert_eq!(read(alone.root()), read(value));
    let items = value.list().into_iter().flatten();
    for inner in items.chain(value.dict().into_iter().flatten().map(|(_, value)| value)) {
        assert!(value.span().start < inner.span().start && inner.span().end < value.span().end);
        check_spans(inner, decoder);
    }
}

/// What must hold for any input at all.
fn check_any(input: &[u8]) {
    let strict = bencode::decode(input);
    let lenient = bencode::decode_lenient(input);
    match &strict {
        Ok(document) => {
            assert_eq!(document.len(), input.len());
            assert_eq!(encoded(&read(document.root())), input, "strict takes only the canonical");
            let lenient = lenient.as_ref().unwrap();
            assert!(lenient.oddities().is_empty());
            assert_eq!(read(lenient.root()), read(document.root()));
        }
        Err(error) => {
            assert!(error.offset() <= input.len());
            assert!(!error.to_string().contains('\n'));
        }
    }
    if let Ok(document) = &lenient {
        assert_eq!(strict.is_ok(), document.oddities().is_empty(), "what is odd is reported");
        assert!(document.oddities().is_sorted_by_key(bencode::Oddity::offset));
        check_spans(document.root(), Decoder::new().lenient());
        let mut canonical = Vec::new();
        Encoder::new(&mut canonical).value(document.root());
        assert_eq!(canonical, encoded(&read(document.root())));
    }
    if let Ok(document) = Decoder::new().lenient().decode_prefix(input) {
        let (front, rest) = input.split_at(document.len());
        assert_eq!(document.rest(), rest);
        assert_eq!(document.root().raw(), front);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_encoded_decodes_to_the_same(tree in tree()) {
        let bytes = encoded(&tree);
        let document = bencode::decode(&bytes).unwrap();
        prop_assert_eq!(read(document.root()), tree);
        check_spans(document.root(), Decoder::new());
        check_any(&bytes);
    }

    #[test]
    fn any_bytes_are_safe(input in vec(any::<u8>(), 0..200)) {
        check_any(&input);
    }

    #[test]
    fn nearly_bencode_is_safe(input in nearly_bencode()) {
        check_any(&input);
    }

    #[test]
    fn damage_is_safe(tree in tree(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = encoded(&tree);
        let at = at.index(bytes.len());
        check_any(&bytes[..at]);
        prop_assert!(bencode::decode(&bytes[..at]).is_err(), "no value is the start of another");
        bytes[at] = byte;
        check_any(&bytes);
    }
}
