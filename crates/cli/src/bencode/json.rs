//! Bencode as JSON: for reading with tools, not for turning back. Strings that are not UTF-8 become
//! objects; of repeated keys the first counts.

use std::collections::BTreeSet;
use std::fmt::Write;

use ::bencode::Value;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::output;

/// The whole answer.
#[derive(Serialize)]
pub(super) struct Document<'t> {
    format: u32,
    value: Json<'t>,
}

impl<'t> Document<'t> {
    pub(super) fn new(root: Value<'t>) -> Self {
        Self { format: output::JSON_FORMAT, value: Json(root) }
    }
}

struct Json<'t>(Value<'t>);

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Self(value) = self;
        if let Some(number) = value.as_int() {
            return to.serialize_i64(number);
        }
        if let Some(list) = value.list() {
            return to.collect_seq(list.map(Json));
        }
        if let Some(dict) = value.dict() {
            let mut map = to.serialize_map(None)?;
            let mut seen = BTreeSet::new();
            for (key, value) in dict.filter(|(key, _)| seen.insert(*key)) {
                match std::str::from_utf8(key) {
                    Ok(key) => map.serialize_entry(key, &Json(value))?,
                    Err(_) => map.serialize_entry(&format!("0x{}", hex(key)), &Json(value))?,
                }
            }
            return map.end();
        }
        let bytes = value.as_bytes().unwrap_or_default();
        match std::str::from_utf8(bytes) {
            Ok(text) => to.serialize_str(&metainfo::hide_login(text)),
            Err(_) => Binary { binary_length: bytes.len(), hex: hex(bytes) }.serialize(to),
        }
    }
}

#[derive(Serialize)]
struct Binary {
    binary_length: usize,
    hex: String,
}

/// Lower hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        // Writing to a String does not fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
