//! Magnet URIs, taken apart and put together (BEP 9, BEP 53).
//! It never resolves, connects or decides anything; addresses stay text.

use std::fmt;
use std::ops::RangeInclusive;

use data_encoding::BASE32;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::create::outer;
use crate::error::{Error, ErrorKind};
use crate::hash::{InfoHash, InfoHashV2};
use crate::metainfo::Metainfo;
use crate::path::sanitise_for_terminal;

#[cfg(test)]
mod tests;

/// The longest URI that is read: 64 KiB, room for hundreds of trackers.
pub const MAX_MAGNET_LEN: usize = 64 * 1024;

/// What stays readable in a value: all that has no meaning of its own in a query.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A `urn:btmh:` is a multihash: code 0x12 (SHA-256), length 0x20.
const SHA256_MULTIHASH: &str = "1220";

/// A magnet URI: a torrent by its info-hash, and hints where to find it.
///
/// ```
/// use metainfo::Magnet;
///
/// let uri = "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567\
///            &dn=some%20name&tr=http%3A%2F%2Ft%2Fannounce&x.pe=127.0.0.1:6881&so=0,4-6";
/// let magnet = Magnet::parse(uri)?;
/// assert_eq!(magnet.name.as_deref(), Some("some name"));
/// assert_eq!(magnet.trackers, ["http://t/announce"]);
/// assert_eq!(magnet.select, [0..=0, 4..=6]);
/// assert_eq!(magnet.to_string().parse::<Magnet>()?, magnet);
/// # Ok::<(), metainfo::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Magnet {
    /// `xt=urn:btih:`, in hex or base32. This one or the next is there.
    pub info_hash: Option<InfoHash>,
    /// `xt=urn:btmh:`, a SHA-256 multihash (BEP 52).
    pub info_hash_v2: Option<InfoHashV2>,
    /// `dn`: what to call it until the torrent is there. Not made safe to show.
    pub name: Option<String>,
    /// `tr`: announce URLs, in order. Not made safe to show.
    pub trackers: Vec<String>,
    /// `ws`: URLs of web seeds. Not made safe to show.
    pub web_seeds: Vec<String>,
    /// `x.pe`: peers as `host:port`, `1.2.3.4:port` or `[v6]:port`.
    pub peers: Vec<String>,
    /// `so`: the files to fetch, by index counted from 0; empty means all (BEP 53).
    pub select: Vec<RangeInclusive<u32>>,
}

impl Magnet {
    /// Takes a magnet URI apart. Parameters that nobody here knows are skipped.
    ///
    /// # Errors
    /// [`ErrorKind::Magnet`], naming the parameter at fault; also when no parameter names a
    /// torrent.
    pub fn parse(uri: &str) -> Result<Self, Error> {
        if uri.len() > MAX_MAGNET_LEN {
            return Err(fault(format!("longer than {MAX_MAGNET_LEN} bytes")));
        }
        let query = uri
            .get(.."magnet:?".len())
            .filter(|scheme| scheme.eq_ignore_ascii_case("magnet:?"))
            .and_then(|scheme| uri.strip_prefix(scheme))
            .ok_or_else(|| fault("does not begin with \"magnet:?\""))?;
        let mut magnet = Self::default();
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            // Several of a kind may be numbered: `tr.1`, `xt.2`.
            let key = key.trim_end_matches(|c: char| c.is_ascii_digit());
            let value = decode(value)?;
            match key.strip_suffix('.').unwrap_or(key).to_ascii_lowercase().as_str() {
                "xt" => magnet.topic(&value)?,
                "dn" if !value.is_empty() => magnet.name = Some(value),
                "tr" if !value.is_empty() => add(&mut magnet.trackers, value),
                "ws" if !value.is_empty() => add(&mut magnet.web_seeds, value),
                "x.pe" => add(&mut magnet.peers, peer(value)?),
                "so" => magnet.select.append(&mut selection(&value)?),
                _ => {}
            }
        }
        if magnet.info_hash.is_none() && magnet.info_hash_v2.is_none() {
            return Err(fault("no parameter \"xt=urn:btih:\" or \"xt=urn:btmh:\" names a torrent"));
        }
        Ok(magnet)
    }

    /// The URI of a torrent, with its trackers and web seeds.
    pub fn of(torrent: &Metainfo) -> Self {
        Self {
            info_hash: torrent.info_hash(),
            info_hash_v2: torrent.info_hash_v2(),
            name: Some(torrent.name().to_owned()),
            trackers: torrent.tiers().concat(),
            web_seeds: torrent.web_seeds().to_vec(),
            peers: Vec::new(),
            select: Vec::new(),
        }
    }

    /// The torrent file that this URI and the bytes of an info dictionary make, each tracker in a tier
    /// of its own. The dictionary comes from strangers, so it is held against the info-hash first.
    ///
    /// # Errors
    /// [`ErrorKind::BadHash`] when it is not the info dictionary of this torrent,
    /// [`ErrorKind::Bencode`] when it is, but nothing that can stand in a torrent file.
    pub fn torrent_file(&self, info: &[u8]) -> Result<Vec<u8>, Error> {
        if self.info_hash != Some(InfoHash::of(info)) {
            return Err(Error::new(ErrorKind::BadHash, "the metadata has another info-hash"));
        }
        let document = bencode::decode_lenient(info)
            .map_err(|error| Error::new(ErrorKind::Bencode, format!("metadata: {error}")))?;
        let tiers: Vec<Vec<String>> = self.trackers.iter().map(|url| vec![url.clone()]).collect();
        Ok(bencode::encode_dict(|torrent| {
            outer::trackers(torrent, &tiers);
            outer::web_seeds(torrent, &self.web_seeds);
            torrent.verbatim("info", document.root());
        }))
    }

    /// One `xt`. Topics of other networks are skipped.
    fn topic(&mut self, urn: &str) -> Result<(), Error> {
        if let Some(hash) = strip_prefix(urn, "urn:btih:") {
            set(&mut self.info_hash, btih(hash)?)
        } else if let Some(hash) = strip_prefix(urn, "urn:btmh:") {
            set(&mut self.info_hash_v2, btmh(hash)?)
        } else {
            Ok(())
        }
    }
}

fn fault(what: impl fmt::Display) -> Error {
    Error::new(ErrorKind::Magnet, format!("magnet URI: {what}"))
}

/// Percent-decoded text; `+` is a space, as forms write it.
fn decode(value: &str) -> Result<String, Error> {
    let spaced = value.replace('+', " ");
    let text = percent_decode_str(&spaced).decode_utf8();
    text.map(|text| text.trim().to_owned())
        .map_err(|_| fault(format_args!("\"{}\" is not UTF-8", sanitise_for_terminal(value))))
}

/// Without a prefix in any case.
fn strip_prefix<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let start = text.get(..prefix.len())?;
    if start.eq_ignore_ascii_case(prefix) { text.get(prefix.len()..) } else { None }
}

fn add(list: &mut Vec<String>, value: String) {
    if !list.contains(&value) {
        list.push(value);
    }
}

fn set<H: PartialEq>(slot: &mut Option<H>, hash: H) -> Result<(), Error> {
    match slot {
        Some(other) if *other != hash => Err(fault("it names two different torrents")),
        _ => {
            *slot = Some(hash);
            Ok(())
        }
    }
}

fn btih(text: &str) -> Result<InfoHash, Error> {
    let bytes: Option<[u8; 20]> = match text.len() {
        40 => text.parse::<InfoHash>().ok().map(|hash| *hash.as_bytes()),
        32 => BASE32
            .decode(text.to_ascii_uppercase().as_bytes())
            .ok()
            .and_then(|bytes| bytes.try_into().ok()),
        _ => None,
    };
    bytes
        .map(InfoHash::from)
        .ok_or_else(|| fault("xt: a btih is 40 hex digits or 32 letters of base32"))
}

fn btmh(text: &str) -> Result<InfoHashV2, Error> {
    text.strip_prefix(SHA256_MULTIHASH)
        .and_then(|digest| digest.parse().ok())
        .ok_or_else(|| fault("xt: a btmh is \"1220\" and 64 hex digits"))
}

/// A peer's address, checked for shape only.
fn peer(text: String) -> Result<String, Error> {
    let fits = text.rsplit_once(':').is_some_and(|(host, port)| {
        let literal = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host_fits = match literal {
            Some(v6) => v6.parse::<std::net::Ipv6Addr>().is_ok(),
            None => {
                !host.is_empty()
                    && host.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '.' | '_'))
            }
        };
        host_fits && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    if fits {
        return Ok(text);
    }
    let shown = sanitise_for_terminal(&text);
    Err(fault(format_args!("x.pe: \"{shown}\" is not host:port")))
}

/// `0,2,4-6`
fn selection(text: &str) -> Result<Vec<RangeInclusive<u32>>, Error> {
    text.split(',')
        .map(|part| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let range = number(first).zip(number(last)).filter(|(first, last)| first <= last);
            range.map(|(first, last)| first..=last).ok_or_else(|| {
                let shown = sanitise_for_terminal(part);
                fault(format_args!("so: \"{shown}\" is not a file number or a range of them"))
            })
        })
        .collect()
}

/// Digits only: `parse` alone would take a sign too.
fn number(text: &str) -> Option<u32> {
    text.chars().all(|c| c.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

impl std::str::FromStr for Magnet {
    type Err = Error;

    fn from_str(uri: &str) -> Result<Self, Error> {
        Self::parse(uri)
    }
}

impl fmt::Display for Magnet {
    /// The URI. Everything but letters, digits and `-._~` is escaped in values, so it is safe to
    /// show and to paste.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "magnet:?";
        let mut parameter = |f: &mut fmt::Formatter<'_>, key: &str, value: &dyn fmt::Display| {
            let before = std::mem::replace(&mut separator, "&");
            write!(f, "{before}{key}={value}")
        };
        if let Some(hash) = self.info_hash {
            parameter(f, "xt", &format_args!("urn:btih:{hash}"))?;
        }
        if let Some(hash) = self.info_hash_v2 {
            parameter(f, "xt", &format_args!("urn:btmh:{SHA256_MULTIHASH}{hash}"))?;
        }
        let texts = self.name.iter().map(|name| ("dn", name));
        let texts = texts.chain(self.trackers.iter().map(|url| ("tr", url)));
        let texts = texts.chain(self.web_seeds.iter().map(|url| ("ws", url)));
        for (key, text) in texts {
            parameter(f, key, &utf8_percent_encode(text, ESCAPED))?;
        }
        for peer in &self.peers {
            // Colons and brackets mean nothing in a query and are easier to read.
            parameter(f, "x.pe", &utf8_percent_encode(peer, ADDRESS))?;
        }
        if !self.select.is_empty() {
            parameter(f, "so", &Selection(&self.select))?;
        }
        Ok(())
    }
}

/// As [`ESCAPED`], but addresses stay as they are.
const ADDRESS: &AsciiSet = &ESCAPED.remove(b':').remove(b'[').remove(b']');

struct Selection<'m>(&'m [RangeInclusive<u32>]);

impl fmt::Display for Selection<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, range) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            if range.start() == range.end() {
                write!(f, "{comma}{}", range.start())?;
            } else {
                write!(f, "{comma}{}-{}", range.start(), range.end())?;
            }
        }
        Ok(())
    }
}
