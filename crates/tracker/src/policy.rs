//! What a torrent can make us ask: which addresses a tracker URL, a redirect or a changed name may
//! lead to. Decides over addresses that are already resolved; never resolves, never connects.
//!
//! A torrent is a stranger's file. Without rules, its tracker list would let the stranger send
//! requests from inside our network: to the router, to a cloud's metadata service, to whatever
//! listens on loopback. So:
//!
//! - the URL itself may lead to public and private addresses (trackers in local networks are
//!   real), but over HTTP to loopback and link-local ones only with a tracker's path: one that
//!   starts with `/announce` or `/scrape`, or has one plain name before it, a passkey;
//! - user and password are sent to private addresses only with such a path too: a stranger who
//!   knows a router's factory settings must not get in by them;
//! - UDP needs no path: what is sent there before an answer fits BEP 15 is a fixed number;
//! - a redirect may lead to a public address, or to an address that the original URL had itself;
//! - a name that is looked up again may have new public addresses, but no new other ones (DNS
//!   rebinding);
//! - addresses that are no host (unspecified, multicast, broadcast, reserved) are never asked.
//!
//! Whoever connects must use exactly the addresses that were admitted here.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::Url;

use crate::error::{Error, ErrorKind};
use crate::limits::MAX_HOSTS;
use crate::request_url::has_login;

/// Who can be reached at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Anyone on the Internet.
    Global,
    /// Hosts of a private or otherwise special network.
    Private,
    /// This machine or its link: loopback, link-local (where clouds keep their metadata service).
    Local,
    /// No host at all.
    Nobody,
}

/// The rules, and the addresses that tracker names had when they were first looked up.
#[derive(Debug, Default)]
pub struct Policy {
    /// For each host ever admitted, the addresses that are not global and that it may keep using.
    first: BTreeMap<String, Vec<IpAddr>>,
}

impl Policy {
    /// A policy that has seen nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The addresses of `found` that a torrent's own tracker URL may lead to.
    ///
    /// `found` is what the URL's host resolves to now. Errors with [`ErrorKind::Refused`] if
    /// nothing of it may be asked.
    pub fn admit(&mut self, url: &Url, found: &[IpAddr]) -> Result<Vec<IpAddr>, Error> {
        let host = url.host_str().unwrap_or_default().to_ascii_lowercase();
        let special = || found.iter().copied().filter(|ip| reach(*ip) != Reach::Global);
        if !self.first.contains_key(&host) {
            // With a full table nothing new is trusted with an inside address: fail closed.
            if self.first.len() < MAX_HOSTS {
                self.first.insert(host.clone(), special().collect());
            }
        }
        let known = self.first.get(&host).map_or(&[][..], Vec::as_slice);
        let admitted = filter(url, found, known);
        if admitted.is_empty() { Err(refused(url, found, "")) } else { Ok(admitted) }
    }

    /// The addresses of `found` that a redirect may lead to, `origin` being the addresses that
    /// [`Policy::admit`] gave for the URL that the torrent has.
    pub fn admit_redirect(
        &self,
        url: &Url,
        found: &[IpAddr],
        origin: &[IpAddr],
    ) -> Result<Vec<IpAddr>, Error> {
        let admitted = filter(url, found, origin);
        if admitted.is_empty() { Err(refused(url, found, "redirected to ")) } else { Ok(admitted) }
    }
}

/// Keeps what is global, and of the rest what is in `known` and fits the path.
fn filter(url: &Url, found: &[IpAddr], known: &[IpAddr]) -> Vec<IpAddr> {
    let allowed = |ip: IpAddr| match reach(ip) {
        Reach::Global => true,
        Reach::Private => known.contains(&ip) && (!has_login(url) || is_tracker_path(url)),
        Reach::Local => known.contains(&ip) && is_tracker_path(url),
        Reach::Nobody => false,
    };
    found.iter().copied().filter(|ip| allowed(*ip)).collect()
}

/// Whether the path is one that trackers use and other local services do not: `/announce`,
/// `/announce.php`, `/announce/PASSKEY`, `/PASSKEY/announce`. An escape could mean something else
/// to the server than to us, so there must be none. What comes before `/announce` has no dot,
/// and is one name only: `/admin.php/announce` and `/cgi-bin/admin/announce` would run `admin`.
fn is_tracker_path(url: &Url) -> bool {
    if url.scheme() == "udp" {
        return true;
    }
    let path = url.path();
    let is_tracker = |path: &str| path.starts_with("announce") || path.starts_with("scrape");
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    };
    let fits = path.strip_prefix('/').is_some_and(|path| {
        is_tracker(path)
            || path.split_once('/').is_some_and(|(name, rest)| {
                is_name(name) && is_tracker(rest) && !rest.contains('/')
            })
    });
    fits && !path.contains('%') && !path.split('/').any(|segment| segment == "..")
}

fn refused(url: &Url, found: &[IpAddr], how: &str) -> Error {
    let host = url.host_str().unwrap_or_default();
    let why = match found.first().map(|ip| (ip, reach(*ip))) {
        Some((ip, Reach::Local)) if !is_tracker_path(url) => {
            format!(
                "{ip} is this machine or its link, where only /announce, /scrape and \
                 /PASSKEY/announce may be asked"
            )
        }
        Some((ip, Reach::Private)) if has_login(url) && !is_tracker_path(url) => format!(
            "{ip} is a private address, to which user and password are sent only for \
             /announce, /scrape and /PASSKEY/announce"
        ),
        Some((ip, Reach::Nobody)) => format!("{ip} is no host's address"),
        Some((ip, _)) => format!("{ip} is not a public address, nor one that the tracker had"),
        None => "there is no address".to_owned(),
    };
    Error::new(ErrorKind::Refused, format!("refused: {how}{host}: {why}"))
}

/// Classifies an address; IPv6 forms that carry an IPv4 address are judged by that one.
pub(crate) fn reach(ip: IpAddr) -> Reach {
    match ip.to_canonical() {
        IpAddr::V4(ip) => reach_v4(ip),
        IpAddr::V6(ip) => reach_v6(ip),
    }
}

fn reach_v4(ip: Ipv4Addr) -> Reach {
    match ip.octets() {
        [0 | 224..=255, ..] => Reach::Nobody,
        [127, ..] | [169, 254, ..] => Reach::Local,
        // Private use, shared by carriers, protocol assignments, documentation, benchmarks.
        [10, ..]
        | [172, 16..=31, ..]
        | [192, 168, ..]
        | [100, 64..=127, ..]
        | [192, 0, 0 | 2, _]
        | [198, 51, 100, _]
        | [203, 0, 113, _]
        | [198, 18..=19, ..] => Reach::Private,
        _ => Reach::Global,
    }
}

fn reach_v6(ip: Ipv6Addr) -> Reach {
    let embedded = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        reach_v4(Ipv4Addr::new(a, b, c, d))
    };
    match ip.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] | [0xff00..=0xffff, ..] => Reach::Nobody,
        [0, 0, 0, 0, 0, 0, 0, 1] | [0xfe80..=0xfebf, ..] => Reach::Local,
        // NAT64, 6to4 and the old IPv4-compatible form.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..]
        | [0, 0, 0, 0, 0, 0, high, low] => embedded(high, low),
        // Everything that is routed on the Internet lies in 2000::/3.
        [0x2001, 0xdb8, ..] => Reach::Private,
        [0x2000..=0x3fff, ..] => Reach::Global,
        _ => Reach::Private,
    }
}

#[cfg(test)]
mod tests;
