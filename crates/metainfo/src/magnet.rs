//! Magnet URIs: what one says, and how one is written (BEP 9, BEP 53). Taking one apart is `parse`.
//! It never resolves, connects or decides anything; addresses stay text.

mod parse;

use std::fmt;
use std::ops::RangeInclusive;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::create::outer;
use crate::error::{Error, ErrorKind};
use crate::hash::{InfoHash, InfoHashV2};
use crate::metainfo::Metainfo;

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
    /// What of the URI was left out, and why: safe to show, at most about a hundred lines. It is no
    /// part of the URI, and [`Display`](fmt::Display) does not write it.
    pub warnings: Vec<String>,
}

impl Magnet {
    /// Takes a magnet URI apart; blanks, quotes or brackets may stand around it. An info-hash alone, as
    /// 40 hex digits or 32 letters of base32, is the URI that names it and nothing else; so are 64 hex
    /// digits, of version 2.
    ///
    /// A part that makes no sense is left out with a [warning](Self::warnings), and parameters that
    /// nobody here knows are skipped.
    ///
    /// # Errors
    /// [`ErrorKind::Magnet`] when there is no parameter that names a torrent, and when it is too long.
    pub fn parse(uri: &str) -> Result<Self, Error> {
        parse::uri(uri)
    }

    /// The URI of a bare info-hash, if the text is one; see [`parse`](Self::parse).
    pub fn of_bare_hash(text: &str) -> Option<Self> {
        parse::bare_hash(text)
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
            warnings: Vec::new(),
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
        let refused =
            |why: &dyn fmt::Display| Error::new(ErrorKind::Bencode, format!("metadata: {why}"));
        let document = bencode::decode_lenient(info).map_err(|error| refused(&error))?;
        if !document.rest().is_empty() {
            // The hash is over them too, and they have no place in a torrent file.
            return Err(refused(&"bytes after the info dictionary"));
        }
        let tiers: Vec<Vec<String>> = self.trackers.iter().map(|url| vec![url.clone()]).collect();
        Ok(bencode::encode_dict(|torrent| {
            outer::trackers(torrent, &tiers);
            outer::web_seeds(torrent, &self.web_seeds);
            torrent.verbatim("info", document.root());
        }))
    }
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
