//! Reads what HTTP trackers answer: bencoded announce and scrape replies (BEP 3, 7, 23, 24, 31,
//! 48). From bytes to plain data within the limits; never does I/O, never panics on any bytes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use bencode::{Decoder, Value};
use egress::{Class, Word, may_contact};

use crate::error::{Error, ErrorKind};
use crate::limits::{DEFAULT_INTERVAL, MAX_INTERVAL, MAX_PEERS, MAX_TRACKER_ID, MIN_INTERVAL};
use crate::message::{Counts, Reply, ScrapeReply};
use crate::text;

/// Reads the body of a reply to an announce.
pub fn parse_announce(body: &[u8]) -> Result<Reply, Error> {
    let document = decode(body)?;
    let root = document.root();
    check_failure(root)?;
    let mut reply = Reply {
        min_interval: seconds(root, "min interval").map(|t| t.min(MAX_INTERVAL)),
        complete: count(root, "complete"),
        incomplete: count(root, "incomplete"),
        warning: root.get("warning message").and_then(Value::as_bytes).map(text::clean),
        tracker_id: root
            .get("tracker id")
            .and_then(Value::as_bytes)
            .filter(|id| id.len() <= MAX_TRACKER_ID)
            .map(<[u8]>::to_vec),
        external_ip: root.get("external ip").and_then(Value::as_bytes).and_then(ip),
        ..Reply::default()
    };
    reply.interval = interval(seconds(root, "interval"), reply.min_interval);
    if let Some(peers) = root.get("peers") {
        read_peers(peers, compact_v4, &mut reply.peers);
    }
    if let Some(peers) = root.get("peers6") {
        read_peers(peers, compact_v6, &mut reply.peers);
    }
    Ok(reply)
}

/// Drops the peers that a tracker of this class may not name.
pub(crate) fn keep_named(reply: &mut Reply, class: Class) {
    let named = reply.peers.len();
    reply.peers.retain(|peer| may_contact(Word::Tracker(class), *peer).is_ok());
    if reply.peers.len() < named {
        let dropped = named.saturating_sub(reply.peers.len());
        log::debug!("{dropped} of {named} peers left out: a tracker may not name them");
    }
}

/// Peers in any of their forms: compact, a list of dictionaries, or what some web frameworks make
/// of such a list, a dictionary of them with numbers as keys.
fn read_peers(
    peers: Value<'_>,
    compact: impl Fn(&[u8], &mut Vec<SocketAddr>),
    to: &mut Vec<SocketAddr>,
) {
    if let Some(bytes) = peers.as_bytes() {
        compact(bytes, to);
    } else if let Some(list) = peers.list() {
        to.extend(list.filter_map(dictionary_peer).filter(is_peer).take(MAX_PEERS));
    } else if let Some(dict) = peers.dict() {
        let values = dict.map(|(_, peer)| peer);
        to.extend(values.filter_map(dictionary_peer).filter(is_peer).take(MAX_PEERS));
    }
}

/// Reads the body of a reply to a scrape; `asked` decides which torrents are kept, and in which
/// order.
pub fn parse_scrape(body: &[u8], asked: &[[u8; 20]]) -> Result<ScrapeReply, Error> {
    let document = decode(body)?;
    let root = document.root();
    check_failure(root)?;
    let files = root.get("files").filter(|files| files.dict().is_some());
    let files = files.ok_or_else(|| malformed("the scrape has no `files`"))?;
    let torrents = asked.iter().filter_map(|hash| {
        let file = files.get(hash)?;
        let number = |key| count(file, key).unwrap_or(0);
        Some(Counts {
            info_hash: *hash,
            complete: number("complete"),
            downloaded: number("downloaded"),
            incomplete: number("incomplete"),
        })
    });
    Ok(ScrapeReply { torrents: torrents.collect() })
}

/// The failure in a body, if it is a tracker's refusal. Some trackers send it with an HTTP status
/// that is an error, and it says more than the status.
pub(crate) fn failure(body: &[u8]) -> Option<Error> {
    check_failure(decode(body).ok()?.root()).err()
}

/// Whether a body is a reply from its beginning to its end.
pub(crate) fn is_whole(body: &[u8]) -> bool {
    decode(body).is_ok()
}

/// The interval to keep: within the limits, and never below the tracker's own minimum.
pub(crate) fn interval(said: Option<Duration>, min: Option<Duration>) -> Duration {
    said.unwrap_or(DEFAULT_INTERVAL).max(min.unwrap_or_default()).clamp(MIN_INTERVAL, MAX_INTERVAL)
}

/// Appends peers of 6 bytes each (BEP 23); an incomplete one at the end is dropped.
pub(crate) fn compact_v4(bytes: &[u8], peers: &mut Vec<SocketAddr>) {
    let (chunks, _) = bytes.as_chunks::<6>();
    let all = chunks.iter().map(|[a, b, c, d, p, q]| {
        SocketAddr::from((Ipv4Addr::new(*a, *b, *c, *d), u16::from_be_bytes([*p, *q])))
    });
    peers.extend(all.filter(is_peer).take(MAX_PEERS));
}

/// Appends peers of 18 bytes each (BEP 7).
pub(crate) fn compact_v6(bytes: &[u8], peers: &mut Vec<SocketAddr>) {
    let (chunks, _) = bytes.as_chunks::<18>();
    let all = chunks.iter().filter_map(|chunk| {
        let (ip, port) = chunk.split_first_chunk::<16>()?;
        let port = u16::from_be_bytes(port.try_into().ok()?);
        Some(SocketAddr::from((Ipv6Addr::from(*ip).to_canonical(), port)))
    });
    peers.extend(all.filter(is_peer).take(MAX_PEERS));
}

fn decode(body: &[u8]) -> Result<bencode::Document<'_>, Error> {
    // What is around the value is ignored: trackers are web pages, and some begin with a byte
    // order mark or end in blank lines.
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii_start();
    if body.is_empty() {
        return Err(malformed("the reply is empty"));
    }
    let document = Decoder::new().lenient().decode_prefix(body).map_err(|error| {
        let start = text::clean(body.get(..40).unwrap_or(body));
        malformed(&if body.starts_with(b"<") {
            format!("the reply is a web page and not a tracker's; it begins with: {start}")
        } else {
            format!("the reply is not bencoded ({error}); it begins with: {start}")
        })
    })?;
    if document.root().dict().is_none() {
        return Err(malformed("the reply is bencoded, but not a dictionary"));
    }
    Ok(document)
}

fn check_failure(root: Value<'_>) -> Result<(), Error> {
    let Some(reason) = root.get("failure reason").and_then(Value::as_bytes) else { return Ok(()) };
    // BEP 31: minutes, or the word "never".
    let retry_in = root.get("retry in").and_then(|value| match value.as_bytes() {
        Some(b"never") => Some(Duration::MAX),
        _ => number(value)?.try_into().ok().map(minutes),
    });
    Err(Error::failure(reason, retry_in))
}

fn minutes(n: u64) -> Duration {
    Duration::from_secs(n.saturating_mul(60)).min(MAX_INTERVAL)
}

fn seconds(root: Value<'_>, key: &str) -> Option<Duration> {
    let n = u64::try_from(number(root.get(key)?)?).ok()?;
    Some(Duration::from_secs(n))
}

/// An integer, or a string of its digits, as some languages make no difference.
fn number(value: Value<'_>) -> Option<i64> {
    value.as_int().or_else(|| value.as_str()?.trim().parse().ok())
}

fn count(root: Value<'_>, key: &str) -> Option<u32> {
    let n = number(root.get(key)?)?;
    // A count beyond u32 is nonsense, but a large one all the same; a negative one is unknown.
    (n >= 0).then(|| u32::try_from(n).unwrap_or(u32::MAX))
}

/// BEP 3's first form: a dictionary with `ip` as text and `port`. An `ip` that is a host's name is
/// dropped; a tracker must not make us look up names.
fn dictionary_peer(peer: Value<'_>) -> Option<SocketAddr> {
    let ip = peer.get("ip")?.as_str()?.trim();
    let bare = ip.strip_prefix('[').and_then(|ip| ip.strip_suffix(']')).unwrap_or(ip);
    let ip: IpAddr = bare.parse().ok()?;
    let port = number(peer.get("port")?)?.try_into().ok()?;
    Some(SocketAddr::new(ip.to_canonical(), port))
}

fn is_peer(addr: &SocketAddr) -> bool {
    let ip = addr.ip();
    let broadcast = ip == IpAddr::V4(Ipv4Addr::BROADCAST);
    addr.port() != 0 && !ip.is_unspecified() && !ip.is_multicast() && !broadcast
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(IpAddr::from(v4));
    }
    Some(IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?).to_canonical())
}

fn malformed(message: &str) -> Error {
    Error::new(ErrorKind::Malformed, message)
}

#[cfg(test)]
mod tests;
