//! Takes an announce's request line apart. Owns percent-decoding; never answers.

use std::net::{IpAddr, SocketAddr};

use super::Announce;
use crate::Result;

/// An announce from the path and query of a request that came from `from`.
pub(super) fn announce(path: &str, from: IpAddr) -> Result<Announce> {
    let (resource, query) = path.split_once('?').ok_or("no query")?;
    if !resource.ends_with("/announce") {
        return Err(format!("no such page: {resource}").into());
    }
    let port = number(query, "port")?.ok_or("no port")?;
    Ok(Announce {
        info_hash: twenty(query, "info_hash")?,
        peer_id: twenty(query, "peer_id")?,
        addr: SocketAddr::new(from, u16::try_from(port)?),
        event: String::from_utf8(value(query, "event").unwrap_or_default())?,
        left: number(query, "left")?.ok_or("no left")?,
        uploaded: number(query, "uploaded")?.ok_or("no uploaded")?,
        downloaded: number(query, "downloaded")?.ok_or("no downloaded")?,
        num_want: number(query, "numwant")?.map(u32::try_from).transpose()?,
        query: query.to_owned(),
        user_agent: String::new(),
    })
}

/// The value of a key, percent-decoded; `None` if the key is not there.
fn value(query: &str, key: &str) -> Option<Vec<u8>> {
    let pair = query.split('&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='))?;
    let mut out = Vec::new();
    let mut bytes = pair.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let high = char::from(bytes.next()?).to_digit(16)?;
                let low = char::from(bytes.next()?).to_digit(16)?;
                out.push(u8::try_from(high << 4 | low).ok()?);
            }
            b'+' => out.push(b' '),
            other => out.push(other),
        }
    }
    Some(out)
}

fn twenty(query: &str, key: &str) -> Result<[u8; 20]> {
    let bytes = value(query, key).ok_or_else(|| format!("no {key}"))?;
    bytes.try_into().map_err(|_| format!("{key} is not 20 bytes").into())
}

fn number(query: &str, key: &str) -> Result<Option<u64>> {
    let Some(bytes) = value(query, key) else {
        return Ok(None);
    };
    let text = String::from_utf8(bytes)?;
    text.parse().map(Some).map_err(|_| format!("{key} is not a number").into())
}
