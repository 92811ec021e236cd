//! The packets of BEP 15, with the URL data of BEP 41: to bytes and from bytes. All integers are
//! big-endian. Never sends, never waits, never panics on any bytes.

use crate::message::{Announce, Counts, Event};
use crate::query::num_want;

/// What a connect request starts with instead of a connection id.
const PROTOCOL: u64 = 0x417_2710_1980;

const CONNECT: u32 = 0;
const ANNOUNCE: u32 = 1;
const SCRAPE: u32 = 2;
const ERROR: u32 = 3;

/// BEP 41's option that carries the URL's path and query.
const URL_DATA: u8 = 2;

/// What a tracker sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Packet<'a> {
    Connect { connection: u64 },
    Announce { interval: u32, leechers: u32, seeders: u32, peers: &'a [u8] },
    Scrape { counts: &'a [[u8; 12]] },
    Error { message: &'a [u8] },
}

pub(super) fn connect(transaction: u32) -> Vec<u8> {
    header(PROTOCOL, CONNECT, transaction)
}

/// `path` is the URL's path and query, which says which of its trackers a host is asked for.
pub(super) fn announce(connection: u64, transaction: u32, ask: &Announce, path: &str) -> Vec<u8> {
    let event: u32 = match ask.event {
        Event::Periodic => 0,
        Event::Completed => 1,
        Event::Started => 2,
        Event::Stopped => 3,
    };
    let mut out = header(connection, ANNOUNCE, transaction);
    out.extend(ask.info_hash);
    out.extend(ask.peer_id);
    out.extend(ask.downloaded.to_be_bytes());
    out.extend(ask.left.to_be_bytes());
    out.extend(ask.uploaded.to_be_bytes());
    out.extend(event.to_be_bytes());
    // Our address: the tracker sees it.
    out.extend([0; 4]);
    out.extend(ask.key.to_be_bytes());
    // -1 leaves the number to the tracker.
    out.extend(num_want(ask).unwrap_or(u32::MAX).to_be_bytes());
    out.extend(ask.port.to_be_bytes());
    for part in path.as_bytes().chunks(usize::from(u8::MAX)) {
        out.push(URL_DATA);
        out.push(u8::try_from(part.len()).unwrap_or(u8::MAX));
        out.extend(part);
    }
    out
}

pub(super) fn scrape(connection: u64, transaction: u32, info_hashes: &[[u8; 20]]) -> Vec<u8> {
    let mut out = header(connection, SCRAPE, transaction);
    out.extend(info_hashes.as_flattened());
    out
}

fn header(connection: u64, action: u32, transaction: u32) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    out.extend(connection.to_be_bytes());
    out.extend(action.to_be_bytes());
    out.extend(transaction.to_be_bytes());
    out
}

/// A tracker's packet and its transaction id; `None` if it is none. Bytes beyond what is known
/// are ignored, as BEP 15 asks.
pub(super) fn decode(bytes: &[u8]) -> Option<(u32, Packet<'_>)> {
    let (action, rest) = u32_be(bytes)?;
    let (transaction, rest) = u32_be(rest)?;
    let packet = match action {
        CONNECT => Packet::Connect { connection: u64::from_be_bytes(*rest.first_chunk()?) },
        ANNOUNCE => {
            let (interval, rest) = u32_be(rest)?;
            let (leechers, rest) = u32_be(rest)?;
            let (seeders, peers) = u32_be(rest)?;
            Packet::Announce { interval, leechers, seeders, peers }
        }
        SCRAPE => Packet::Scrape { counts: rest.as_chunks().0 },
        ERROR => Packet::Error { message: rest },
        _ => return None,
    };
    Some((transaction, packet))
}

/// Reads one torrent's counts of a scrape.
pub(super) fn counts(info_hash: [u8; 20], bytes: &[u8; 12]) -> Counts {
    let ([complete, downloaded, incomplete], _) = bytes.as_chunks::<4>() else {
        return Counts { info_hash, ..Counts::default() };
    };
    Counts {
        info_hash,
        complete: u32::from_be_bytes(*complete),
        downloaded: u32::from_be_bytes(*downloaded),
        incomplete: u32::from_be_bytes(*incomplete),
    }
}

fn u32_be(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (head, rest) = bytes.split_first_chunk()?;
    Some((u32::from_be_bytes(*head), rest))
}

#[cfg(test)]
mod tests;
