//! Reads what HTTP trackers answer: bencoded announce and scrape replies (BEP 3, 7, 23, 24, 31,
//! 48). From bytes to plain data within the limits; never does I/O, never panics on any bytes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use bencode::{Decoder, Value};

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
        if let Some(compact) = peers.as_bytes() {
            compact_v4(compact, &mut reply.peers);
        } else if let Some(list) = peers.list() {
            reply.peers.extend(list.filter_map(dictionary_peer).filter(is_peer).take(MAX_PEERS));
        }
    }
    if let Some(compact) = root.get("peers6").and_then(Value::as_bytes) {
        compact_v6(compact, &mut reply.peers);
    }
    Ok(reply)
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
    // What follows the value is ignored: trackers are web pages, and some end in blank lines.
    let document = Decoder::new().lenient().decode_prefix(body).map_err(|error| {
        let start = body.get(..40).unwrap_or(body);
        let start = text::clean(start);
        malformed(&format!("the reply is not bencoded ({error}); it begins with: {start}"))
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
        Some(digits) => std::str::from_utf8(digits).ok()?.parse().ok().map(minutes),
        None => value.as_int()?.try_into().ok().map(minutes),
    });
    Err(Error::failure(reason, retry_in))
}

fn minutes(n: u64) -> Duration {
    Duration::from_secs(n.saturating_mul(60)).min(MAX_INTERVAL)
}

fn seconds(root: Value<'_>, key: &str) -> Option<Duration> {
    let n = u64::try_from(root.get(key)?.as_int()?).ok()?;
    Some(Duration::from_secs(n))
}

fn count(root: Value<'_>, key: &str) -> Option<u32> {
    let n = root.get(key)?.as_int()?;
    // A count beyond u32 is nonsense, but a large one all the same; a negative one is unknown.
    (n >= 0).then(|| u32::try_from(n).unwrap_or(u32::MAX))
}

/// BEP 3's first form: a dictionary with `ip` as text and `port`. An `ip` that is a host's name is
/// dropped; a tracker must not make us look up names.
fn dictionary_peer(peer: Value<'_>) -> Option<SocketAddr> {
    let ip: IpAddr = peer.get("ip")?.as_str()?.parse().ok()?;
    let port = peer.get("port")?.as_int()?.try_into().ok()?;
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
