//! Owns the reading of dictionary fields that may be missing or nonsense, and of addresses in compact form. Never keeps
//! what it read.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bencode::{Decoder, Document, Value};

use super::Error;

/// How deep lists and dictionaries of a payload may nest: handshakes nest two, and unknown fields may hold a little more.
const MAX_DEPTH: usize = 16;

/// How many values a payload may have: an extended handshake of 200 extensions passes. 12 KiB while it is read.
const MAX_VALUES: usize = 1_000;

/// The dictionary at the front of `payload`, and what follows it. Keys out of order pass: clients in use send them.
pub(super) fn dictionary<'a>(
    message: &'static str,
    payload: &'a [u8],
) -> Result<Document<'a>, Error> {
    let decoder = Decoder::new().lenient().max_depth(MAX_DEPTH).max_tokens(MAX_VALUES);
    let document =
        decoder.decode_prefix(payload).map_err(|error| Error::bencode(message, error))?;
    if document.root().dict().is_none() {
        return Err(Error::lacks(message, "dictionary"));
    }
    Ok(document)
}

/// The integer of `key`, if it is one and in the range of its use.
pub(super) fn number<T: TryFrom<i64>>(dictionary: Value<'_>, key: &str) -> Option<T> {
    T::try_from(dictionary.get(key)?.as_int()?).ok()
}

/// The string of `key`; empty if it is not there or something else.
pub(super) fn bytes<'t>(dictionary: Value<'t>, key: &str) -> &'t [u8] {
    dictionary.get(key).and_then(Value::as_bytes).unwrap_or_default()
}

/// The address of 4 or 16 bytes; an IPv4 address in IPv6 clothes is the IPv4 address.
pub(super) fn ip(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(v4).into());
    }
    let v6 = <[u8; 16]>::try_from(bytes).ok()?;
    Some(Ipv6Addr::from(v6).to_canonical())
}

/// Addresses in compact form: `N` bytes each, the last two of which are the port. Trailing bytes are no address.
pub(super) fn contacts<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = SocketAddr> {
    let (chunks, _) = bytes.as_chunks::<N>();
    chunks.iter().filter_map(|chunk| {
        let (host, port) = chunk.split_last_chunk::<2>()?;
        Some(SocketAddr::new(ip(host)?, u16::from_be_bytes(*port)))
    })
}

/// Appends an address in compact form, without a port.
pub(super) fn put_ip(out: &mut Vec<u8>, ip: IpAddr) {
    match ip.to_canonical() {
        IpAddr::V4(v4) => out.extend(v4.octets()),
        IpAddr::V6(v6) => out.extend(v6.octets()),
    }
}
