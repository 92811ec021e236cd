//! The keys beside `info`: trackers, web seeds, remarks.
//! A torrent is never refused for them: none of them changes what is downloaded. What is of the
//! wrong type is left out with a warning that names the key.

use std::borrow::Cow;
use std::collections::BTreeSet;

use bencode::Value;
use percent_encoding::{AsciiSet, percent_encode};

use crate::fields::Fields;
use crate::login::hide_login;
use crate::path::sanitise_for_terminal;
use crate::warnings::Warnings;

/// What stands beside `info`.
pub(super) struct Outer {
    pub(super) tiers: Vec<Vec<String>>,
    pub(super) web_seeds: Vec<String>,
    pub(super) comment: Option<String>,
    pub(super) created_by: Option<String>,
    pub(super) creation_date: Option<i64>,
    pub(super) encoding: Option<String>,
}

pub(super) fn read(top: Fields<'_>, warnings: &mut Warnings) -> Outer {
    let mut reader = Reader { top, warnings };
    Outer {
        tiers: reader.tiers(),
        web_seeds: reader.web_seeds(),
        comment: reader.string("comment.utf-8").or_else(|| reader.string("comment")),
        created_by: reader.string("created by"),
        creation_date: reader.typed("creation date", "an integer", Value::as_int),
        encoding: reader.string("encoding"),
    }
}

/// Text for people; what is not UTF-8 is replaced.
pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

struct Reader<'t, 'w> {
    top: Fields<'t>,
    warnings: &'w mut Warnings,
}

impl<'t> Reader<'t, '_> {
    fn typed<T>(
        &mut self,
        key: &str,
        name: &str,
        read: impl FnOnce(Value<'t>) -> Option<T>,
    ) -> Option<T> {
        self.top.optional(key, name, self.warnings, read)
    }

    fn string(&mut self, key: &str) -> Option<String> {
        self.typed(key, "a string", Value::as_bytes).map(text).filter(|text| !text.is_empty())
    }

    /// `announce-list`, or `announce` when the list has no URL.
    fn tiers(&mut self) -> Vec<Vec<String>> {
        let mut seen = BTreeSet::new();
        let mut tiers = Vec::new();
        for tier in self.typed("announce-list", "a list", Value::list).into_iter().flatten() {
            // Some torrents list URLs where tiers are due: each is a tier then.
            let mut urls = Vec::new();
            let entries: Vec<Value<'t>> = tier.list().map_or_else(|| vec![tier], Iterator::collect);
            for entry in entries {
                let url = self.url("announce-list", entry);
                urls.extend(url.filter(|url| seen.insert(url.clone())));
            }
            if !urls.is_empty() {
                tiers.push(urls);
            }
        }
        if tiers.is_empty() {
            let single = self.top.get("announce").and_then(|value| self.url("announce", value));
            tiers.extend(single.map(|url| vec![url]));
        }
        tiers
    }

    /// `url-list`: one URL or a list of them.
    fn web_seeds(&mut self) -> Vec<String> {
        let Some(value) = self.top.get("url-list") else { return Vec::new() };
        let entries: Vec<Value<'t>> = value.list().map_or_else(|| vec![value], Iterator::collect);
        let mut seeds = Vec::new();
        let mut seen = BTreeSet::new();
        for entry in entries {
            let url = self.url("url-list", entry);
            seeds.extend(url.filter(|url| seen.insert(url.clone())));
        }
        seeds
    }

    /// A URL without the space around it; `None` if it is empty or not text. In one that is not
    /// UTF-8, bytes beyond ASCII are escaped, so that its server gets them as they are.
    fn url(&mut self, key: &str, value: Value<'t>) -> Option<String> {
        let Some(bytes) = value.as_bytes() else {
            self.warnings.add(|| format!("{key}: an entry was ignored, not a URL"));
            return None;
        };
        let url = match std::str::from_utf8(bytes) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => percent_encode(bytes, &AsciiSet::EMPTY).into(),
        };
        let url = url.trim();
        if url.contains(char::is_control) {
            let url = hide_login(url);
            let shown = sanitise_for_terminal(&url);
            self.warnings.add(|| format!("{key}: ignored, control characters in \"{shown}\""));
            return None;
        }
        (!url.is_empty()).then(|| url.to_owned())
    }
}
