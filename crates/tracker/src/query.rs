//! From a tracker's URL and a question to the URL that is requested (BEP 3, 7, 23, 48).
//! Only builds URLs; never sends them.

use std::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use url::Url;

use crate::error::{Error, ErrorKind};
use crate::limits::{MAX_SCRAPE, MAX_URL};
use crate::message::{Announce, Event, Scrape};

/// Everything but RFC 3986's unreserved characters is escaped: trackers compare info-hashes after
/// decoding, and no server reads these differently.
const BINARY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// How a tracker is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// HTTP or HTTPS.
    Http,
    /// BEP 15.
    Udp,
}

/// Parses a tracker's URL: an absolute `http`, `https` or `udp` URL with a host.
pub(crate) fn parse(text: &str) -> Result<(Scheme, Url), Error> {
    let bad = |why: &str| {
        let text = crate::text::clean(text.as_bytes());
        Error::new(ErrorKind::Url, format!("not a tracker's URL: {text}: {why}"))
    };
    if text.len() > MAX_URL {
        return Err(bad("too long"));
    }
    let mut url = Url::parse(text.trim()).map_err(|e| bad(&e.to_string()))?;
    let scheme = match url.scheme() {
        "http" | "https" => Scheme::Http,
        "udp" => Scheme::Udp,
        _ => return Err(bad("only http, https and udp trackers are supported")),
    };
    if url.host_str().is_none_or(str::is_empty) {
        return Err(bad("it has no host"));
    }
    if scheme == Scheme::Udp && url.port().is_none() {
        return Err(bad("a udp tracker needs a port"));
    }
    if url.port() == Some(0) {
        return Err(bad("port 0"));
    }
    url.set_fragment(None);
    Ok((scheme, url))
}

/// The URL to request for an announce: the tracker's own query stays as it is, ours follows.
/// `ip` is never sent: a tracker knows the address we come from, and nobody else's is our business.
pub(crate) fn announce(url: &Url, ask: &Announce) -> Url {
    let mut query = own_query(url);
    let hash = percent_encode(&ask.info_hash, BINARY);
    let id = percent_encode(&ask.peer_id, BINARY);
    // Writing to a String does not fail.
    let _ = write!(
        query,
        "info_hash={hash}&peer_id={id}&port={}&uploaded={}&downloaded={}&left={}&compact=1&key={:08X}",
        ask.port, ask.uploaded, ask.downloaded, ask.left, ask.key,
    );
    let event = match ask.event {
        Event::Periodic => "",
        Event::Started => "&event=started",
        Event::Completed => "&event=completed",
        Event::Stopped => "&event=stopped",
    };
    query.push_str(event);
    if let Some(n) = num_want(ask) {
        let _ = write!(query, "&numwant={n}");
    }
    if let Some(id) = &ask.tracker_id {
        let _ = write!(query, "&trackerid={}", percent_encode(id, BINARY));
    }
    with_query(url, &query)
}

/// Peers to ask for: none when leaving.
pub(crate) fn num_want(ask: &Announce) -> Option<u32> {
    if ask.event == Event::Stopped { Some(0) } else { ask.num_want }
}

/// The URL to request for a scrape. BEP 48: possible only if the last part of the announce URL's
/// path starts with `announce`, which `scrape` then replaces.
pub(crate) fn scrape(url: &Url, ask: &Scrape) -> Result<Url, Error> {
    let unsupported = |why: &str| Error::new(ErrorKind::Unsupported, why);
    let (folder, last) = url.path().rsplit_once('/').unwrap_or(("", url.path()));
    let Some(rest) = last.strip_prefix("announce") else {
        return Err(unsupported("this tracker has no scrape: its URL does not end in /announce"));
    };
    check_scrape(ask)?;
    let mut url = url.clone();
    let path = format!("{folder}/scrape{rest}");
    url.set_path(&path);
    let mut query = own_query(&url);
    for (n, hash) in ask.info_hashes.iter().enumerate() {
        let and = if n == 0 { "" } else { "&" };
        let _ = write!(query, "{and}info_hash={}", percent_encode(hash, BINARY));
    }
    Ok(with_query(&url, &query))
}

/// A scrape names at least one torrent (without any, a tracker would list all it has) and no more
/// than fit.
pub(crate) fn check_scrape(ask: &Scrape) -> Result<(), Error> {
    if ask.info_hashes.is_empty() || ask.info_hashes.len() > MAX_SCRAPE {
        let n = ask.info_hashes.len();
        let message = format!("a scrape asks for 1 to {MAX_SCRAPE} torrents, not {n}");
        return Err(Error::new(ErrorKind::Unsupported, message));
    }
    Ok(())
}

/// What BEP 41 sends of a URL: its path and query, if it has any.
pub(crate) fn path_and_query(url: &Url) -> String {
    match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    }
}

fn own_query(url: &Url) -> String {
    match url.query() {
        Some(q) if !q.is_empty() => format!("{}&", q.trim_end_matches('&')),
        _ => String::new(),
    }
}

fn with_query(url: &Url, query: &str) -> Url {
    let mut url = url.clone();
    // What we add is ASCII and escaped already, and set_query leaves escapes alone.
    url.set_query(Some(query));
    url
}

#[cfg(test)]
mod tests;
