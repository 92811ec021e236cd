//! Writing the keys beside `info`, for new and for edited torrents.
//! It never touches `info`.

use std::net::Ipv6Addr;

use bencode::DictEncoder;

use super::Extras;
use crate::error::{Error, ErrorKind};
use crate::login::hide_login;
use crate::path::sanitise_for_terminal;

/// `announce`, and `announce-list` when there is more than one URL.
pub(crate) fn trackers(torrent: &mut DictEncoder<'_>, tiers: &[Vec<String>]) {
    let Some(first) = tiers.iter().flatten().next() else { return };
    torrent.bytes("announce", first);
    if tiers.iter().flatten().nth(1).is_some() {
        torrent.list("announce-list", |list| {
            for tier in tiers.iter().filter(|tier| !tier.is_empty()) {
                list.list(|urls| tier.iter().for_each(|url| urls.bytes(url)));
            }
        });
    }
}

/// `url-list`: a string for one URL, else a list.
pub(crate) fn web_seeds(torrent: &mut DictEncoder<'_>, seeds: &[String]) {
    match seeds {
        [] => {}
        [one] => torrent.bytes("url-list", one),
        many => torrent.list("url-list", |list| many.iter().for_each(|url| list.bytes(url))),
    }
}

/// Comment, date and program.
pub(super) fn remarks(torrent: &mut DictEncoder<'_>, extras: &Extras) {
    if let Some(comment) = &extras.comment {
        torrent.bytes("comment", comment);
    }
    if let Some(created_by) = &extras.created_by {
        torrent.bytes("created by", created_by);
    }
    if let Some(date) = extras.creation_date {
        torrent.int("creation date", date);
    }
}

/// Whether all URLs are such as clients can use.
pub(crate) fn check_urls(tiers: &[Vec<String>], web_seeds: &[String]) -> Result<(), Error> {
    for url in tiers.iter().flatten() {
        check_url("tracker", url, &["http", "https", "udp"])?;
    }
    for url in web_seeds {
        check_url("web seed", url, &["http", "https", "ftp"])?;
    }
    Ok(())
}

fn check_url(what: &str, url: &str, schemes: &[&str]) -> Result<(), Error> {
    let fits = url.split_once("://").is_some_and(|(scheme, rest)| {
        schemes.iter().any(|known| scheme.eq_ignore_ascii_case(known))
            && names_a_host(rest)
            && !url.contains(|c: char| c.is_control() || c.is_whitespace())
    });
    if fits {
        return Ok(());
    }
    let url = hide_login(url);
    let shown = sanitise_for_terminal(&url);
    let schemes = schemes.join(", ");
    Err(Error::new(
        ErrorKind::BadValue,
        format!("{what} \"{shown}\" is not a URL of {schemes} with a host, and a port up to 65535"),
    ))
}

/// Whether what follows the `//` of a URL begins with a host, and a port that can be one.
fn names_a_host(rest: &str) -> bool {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let place = authority.rsplit_once('@').map_or(authority, |(_login, place)| place);
    let literal = place.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let (host, port) =
        literal.unwrap_or_else(|| place.split_at(place.find(':').unwrap_or(place.len())));
    let host_fits = if literal.is_some() {
        host.parse::<Ipv6Addr>().is_ok()
    } else {
        // What no host has; a blank may be escaped by now.
        !host.is_empty() && !host.contains(['%', '\\', '<', '>', '^', '|', '[', ']'])
    };
    let port_fits = match port.strip_prefix(':') {
        None => port.is_empty(),
        // An empty port is the scheme's own.
        Some("") => true,
        Some(digits) => {
            digits.bytes().all(|b| b.is_ascii_digit())
                && digits.parse::<u16>().is_ok_and(|port| port > 0)
        }
    };
    host_fits && port_fits
}
