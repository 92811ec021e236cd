//! Taking a magnet URI apart. Real ones are copied out of web pages and chats, so one bad part never
//! costs the others: it is left out with a warning, and only a URI that names no torrent is refused.

use std::borrow::Cow;
use std::fmt;
use std::net::Ipv6Addr;
use std::ops::RangeInclusive;

use data_encoding::BASE32;
use percent_encoding::percent_decode_str;

use super::{MAX_MAGNET_LEN, Magnet, SHA256_MULTIHASH};
use crate::error::{Error, ErrorKind};
use crate::hash::{InfoHash, InfoHashV2};
use crate::login::hide_login;
use crate::path::{is_unprintable, sanitise_name, truncate};
use crate::warnings::Warnings;

const BTIH: &str = "urn:btih:";
const BTMH: &str = "urn:btmh:";
const BAD_BTIH: &str = "a btih is 40 hex digits or 32 letters of base32";
const BAD_BTMH: &str = "a btmh is \"1220\" and 64 hex digits";

/// How HTML writes `&`. Who copies a link out of the source of a page has these for it.
const ESCAPED_AMPERSANDS: [&str; 3] = ["amp;", "#38;", "#x26;"];

/// Bytes of a part that a warning quotes.
const MAX_QUOTED: usize = 80;

/// Reads a URI, or a bare info-hash.
pub(super) fn uri(text: &str) -> Result<Magnet, Error> {
    let text = unwrapped(text);
    if text.len() > MAX_MAGNET_LEN {
        return Err(fault(format_args!("longer than {MAX_MAGNET_LEN} bytes")));
    }
    let Some(query) = query(text) else {
        return bare_hash(text).ok_or_else(|| {
            fault("does not begin with \"magnet:?\", and is no info-hash of 40 or 64 hex digits")
        });
    };
    let mut reader = Reader::default();
    for parameter in query.split('&') {
        reader.parameter(parameter);
    }
    reader.finish()
}

/// Reads an info-hash that stands alone: of version 1 as in a URI, of version 2 also without the code of
/// its hash function.
pub(super) fn bare_hash(text: &str) -> Option<Magnet> {
    let text = unwrapped(text);
    let info_hash = btih(text);
    let info_hash_v2 = btmh(text).or_else(|| text.parse().ok());
    let is_one = info_hash.is_some() || info_hash_v2.is_some();
    is_one.then(|| Magnet { info_hash, info_hash_v2, ..Magnet::default() })
}

/// Without what may stand around a link in a text: blanks, a byte order mark, quotes, brackets.
fn unwrapped(text: &str) -> &str {
    let trim =
        |text| str::trim_matches(text, |c: char| c.is_whitespace() || c == '\u{feff}' || c == '\0');
    let text = trim(text);
    let pairs = [('"', '"'), ('\'', '\''), ('<', '>')];
    let inside = pairs.iter().find_map(|(open, close)| {
        text.strip_prefix(*open).and_then(|text| text.strip_suffix(*close))
    });
    inside.map_or(text, trim)
}

/// What follows `magnet:?`, in any case; the question mark may be missing, or slashes before it.
fn query(text: &str) -> Option<&str> {
    let rest = without_prefix(text, "magnet:")?;
    let rest = rest.trim_start_matches('/');
    Some(rest.strip_prefix('?').unwrap_or(rest))
}

fn fault(what: impl fmt::Display) -> Error {
    Error::new(ErrorKind::Magnet, format!("magnet URI: {what}"))
}

/// A magnet that is being read.
#[derive(Default)]
struct Reader {
    magnet: Magnet,
    warnings: Warnings,
    /// What is wrong with the first `xt` that is broken.
    broken: Option<&'static str>,
}

impl Reader {
    fn parameter(&mut self, parameter: &str) {
        let mut parameter = parameter.trim_start();
        while let Some(rest) =
            ESCAPED_AMPERSANDS.iter().find_map(|escape| without_prefix(parameter, escape))
        {
            parameter = rest;
        }
        let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        // Several of a kind may be numbered: `tr.1`, `xt.2`.
        let key = key.trim().trim_end_matches(|c: char| c.is_ascii_digit());
        match key.strip_suffix('.').unwrap_or(key).to_ascii_lowercase().as_str() {
            "xt" => self.topic(&decoded(value)),
            "dn" => self.name(&decoded(value)),
            "tr" => {
                let url = self.url("tr", &decoded(value));
                add(&mut self.magnet.trackers, url);
            }
            "ws" => {
                let url = self.url("ws", &decoded(value));
                add(&mut self.magnet.web_seeds, url);
            }
            "x.pe" => {
                let peer = self.peer(&decoded(value));
                add(&mut self.magnet.peers, peer);
            }
            "so" => self.selection(&decoded(value)),
            _ => {}
        }
    }

    fn finish(self) -> Result<Magnet, Error> {
        let Self { mut magnet, warnings, broken } = self;
        if magnet.info_hash.is_none() && magnet.info_hash_v2.is_none() {
            return Err(match broken {
                Some(what) => fault(format_args!("xt: {what}")),
                None => fault("no parameter \"xt=urn:btih:\" or \"xt=urn:btmh:\" names a torrent"),
            });
        }
        magnet.warnings = warnings.finish();
        Ok(magnet)
    }

    fn ignored(&mut self, key: &str, value: &[u8], why: &str) {
        self.warnings.add(|| format!("magnet URI: {key}: \"{}\" is ignored, {why}", quoted(value)));
    }

    /// One `xt`. The first of each kind counts; topics of other networks are skipped.
    fn topic(&mut self, value: &[u8]) {
        let urn = String::from_utf8_lossy(value);
        if let Some(hash) = without_prefix(&urn, BTIH) {
            match (btih(hash), self.magnet.info_hash) {
                (None, _) => self.broken_topic(value, BAD_BTIH),
                (found, None) => self.magnet.info_hash = found,
                (found, first) if found != first => self.second_topic(value),
                _ => {}
            }
        } else if let Some(hash) = without_prefix(&urn, BTMH) {
            match (btmh(hash), self.magnet.info_hash_v2) {
                (None, _) => self.broken_topic(value, BAD_BTMH),
                (found, None) => self.magnet.info_hash_v2 = found,
                (found, first) if found != first => self.second_topic(value),
                _ => {}
            }
        }
    }

    fn broken_topic(&mut self, value: &[u8], what: &'static str) {
        self.broken.get_or_insert(what);
        self.ignored("xt", value, what);
    }

    fn second_topic(&mut self, value: &[u8]) {
        self.ignored("xt", value, "the torrent that was named first counts");
    }

    /// `dn`. What is not UTF-8 is better than no name at all.
    fn name(&mut self, value: &[u8]) {
        match std::str::from_utf8(value) {
            Ok("") => {}
            Ok(name) => self.magnet.name = Some(name.to_owned()),
            Err(_) => {
                self.warnings.add(|| format!("magnet URI: dn: \"{}\" is not UTF-8", quoted(value)));
                // Blanks around it that are not ASCII's were not seen among bytes.
                let name = || String::from_utf8_lossy(value).trim().to_owned();
                self.magnet.name.get_or_insert_with(name);
            }
        }
    }

    /// `tr` and `ws`.
    fn url(&mut self, key: &str, value: &[u8]) -> Option<String> {
        match std::str::from_utf8(value) {
            Ok("") => None,
            Ok(url) if !url.contains(is_unprintable) && is_url(url) => Some(url.to_owned()),
            _ => {
                // Only what has a login is shown without the bytes that are not UTF-8.
                let text = String::from_utf8_lossy(value);
                let hidden = match hide_login(&text) {
                    Cow::Owned(hidden) => Some(hidden),
                    Cow::Borrowed(_) => None,
                };
                self.ignored(key, hidden.as_ref().map_or(value, String::as_bytes), "not a URL");
                None
            }
        }
    }

    /// `x.pe`, checked for shape only.
    fn peer(&mut self, value: &[u8]) -> Option<String> {
        let peer = std::str::from_utf8(value).ok().filter(|text| is_host_and_port(text));
        if peer.is_none() {
            self.ignored("x.pe", value, "not host:port");
        }
        peer.map(str::to_owned)
    }

    /// `so`, as in `0,2,4-6`.
    fn selection(&mut self, value: &[u8]) {
        let parts = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        for part in parts.filter(|part| !part.is_empty()) {
            match range(part) {
                Some(range) => self.magnet.select.push(range),
                None => self.ignored("so", part, "not a file number or a range of them"),
            }
        }
    }
}

fn add(list: &mut Vec<String>, value: Option<String>) {
    if let Some(value) = value.filter(|value| !list.contains(value)) {
        list.push(value);
    }
}

/// Percent-decoded, without the blanks around it; `+` is a space, as forms write it.
fn decoded(value: &str) -> Vec<u8> {
    let spaced = value.replace('+', " ");
    let bytes: Cow<'_, [u8]> = percent_decode_str(&spaced).into();
    match std::str::from_utf8(&bytes) {
        Ok(text) => text.trim().into(),
        Err(_) => bytes.trim_ascii().to_vec(),
    }
}

/// Part of a URI, safe to show and not too long for that.
fn quoted(value: &[u8]) -> String {
    let start = truncate(value, MAX_QUOTED);
    let dots = if start.len() < value.len() { "…" } else { "" };
    format!("{}{dots}", sanitise_name(start))
}

/// Without a prefix in any case.
fn without_prefix<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

fn btih(text: &str) -> Option<InfoHash> {
    match text.len() {
        40 => text.parse().ok(),
        32 => {
            let bytes = BASE32.decode(text.to_ascii_uppercase().as_bytes()).ok()?;
            Some(<[u8; 20]>::try_from(bytes).ok()?.into())
        }
        _ => None,
    }
}

fn btmh(text: &str) -> Option<InfoHashV2> {
    text.strip_prefix(SHA256_MULTIHASH)?.parse().ok()
}

/// Whether it has the shape of a URL that names a host: what has not, no program can ask.
fn is_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    // Readers of URLs are lenient about slashes.
    let host = rest.trim_start_matches(['/', '\\']);
    is_scheme && host.len() < rest.len() && host.starts_with(|c| !matches!(c, '?' | '#'))
}

fn is_host_and_port(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| {
        let literal = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host_fits = match literal {
            Some(v6) => v6.parse::<Ipv6Addr>().is_ok(),
            None => {
                !host.is_empty()
                    && host.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '.' | '_'))
            }
        };
        host_fits && port.parse::<u16>().is_ok_and(|port| port > 0)
    })
}

/// `2` or `4-6`.
fn range(part: &[u8]) -> Option<RangeInclusive<u32>> {
    let text = std::str::from_utf8(part).ok()?;
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (number(first)?, number(last)?);
    (first <= last).then_some(first..=last)
}

/// Digits only: `parse` alone would take a sign too.
fn number(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}
