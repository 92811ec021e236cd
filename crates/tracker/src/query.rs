//! From a tracker's URL and a question to the URL that is requested (BEP 3, 7, 23, 48).
//! Only builds URLs; never sends them.

use std::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use url::Url;

use crate::error::{Error, ErrorKind};
use crate::limits::{MAX_SCRAPE, MAX_URL};
use crate::message::{Announce, Event, Scrape};
use crate::request_url;

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
    // Without the text: its caller names the tracker, and it may hold a password.
    let bad = |why: &str| Error::new(ErrorKind::Url, format!("not a tracker's URL: {why}"));
    if text.len() > MAX_URL {
        return Err(bad("too long"));
    }
    let mut url = request_url::read(text).map_err(|e| bad(&e.to_string()))?;
    let scheme = match url.scheme() {
        "http" | "https" => Scheme::Http,
        "udp" => Scheme::Udp,
        _ => return Err(bad("only http, https and udp trackers are supported")),
    };
    if scheme == Scheme::Udp {
        url = udp(text.trim()).map_err(|e| bad(&e.to_string()))?;
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(bad("it has no host"));
    }
    if url.port() == Some(0) {
        return Err(bad("port 0"));
    }
    url.set_fragment(None);
    Ok((scheme, url))
}

/// Reads a `udp` URL by the rules for `http`, which know international names, blanks and
/// backslashes; the standard leaves the names of other schemes as they are. User and password are
/// dropped, as nothing in BEP 15 takes them, and a port that is missing is 80, as for `http`.
fn udp(text: &str) -> Result<Url, url::ParseError> {
    let after = text.split_once(':').map_or(text, |(_, after)| after);
    let http = Url::parse(&format!("http:{after}"))?;
    let host = http.host_str().unwrap_or_default();
    let port = http.port_or_known_default().unwrap_or(80);
    let path = match path_and_query(&http) {
        path if path == "/" => String::new(),
        path => path,
    };
    Url::parse(&format!("udp://{host}:{port}{path}"))
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

/// The URL to request for a scrape. BEP 48: possible only if a part of the announce URL's path
/// starts with `announce`, which `scrape` then replaces. BEP 48 wants that to be the last part;
/// in `/announce/PASSKEY`, which is as common, it is not.
pub(crate) fn scrape(url: &Url, ask: &Scrape) -> Result<Url, Error> {
    let unsupported = |why: &str| Error::new(ErrorKind::Unsupported, why);
    let Some((folder, rest)) = url.path().rsplit_once("/announce") else {
        return Err(unsupported("this tracker has no scrape: its URL's path has no /announce"));
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
