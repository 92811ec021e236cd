//! What a torrent can make us ask: which addresses a tracker URL, a redirect or a changed name may
//! lead to. Decides over addresses that are already resolved; never resolves, never connects. Who may
//! name which address at all is for `egress` to say; what is added here is what a tracker's URL is.
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
//! - addresses that are no host, and ports of other services (mail, names), are never asked.
//!
//! Whoever connects must use exactly the addresses that were admitted here.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use egress::{Class, Refusal, Word, may_contact};
use url::Url;

use crate::error::{Error, ErrorKind};
use crate::limits::MAX_HOSTS;
use crate::request_url::has_login;

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
        let special = || found.iter().copied().filter(|ip| Class::of(*ip) != Class::Global);
        if !self.first.contains_key(&host) {
            // With a full table nothing new is trusted with an inside address: fail closed.
            if self.first.len() < MAX_HOSTS {
                self.first.insert(host.clone(), special().collect());
            }
        }
        let known = self.first.get(&host).map_or(&[][..], Vec::as_slice);
        let admitted = filter(Word::Torrent, url, found, known);
        if admitted.is_empty() { Err(refused(Word::Torrent, url, found, "")) } else { Ok(admitted) }
    }

    /// The addresses of `found` that a redirect may lead to, `origin` being the addresses that
    /// [`Policy::admit`] gave for the URL that the torrent has.
    pub fn admit_redirect(
        &self,
        url: &Url,
        found: &[IpAddr],
        origin: &[IpAddr],
    ) -> Result<Vec<IpAddr>, Error> {
        let word = Word::Redirect(farthest(origin));
        let admitted = filter(word, url, found, origin);
        if admitted.is_empty() {
            Err(refused(word, url, found, "redirected to "))
        } else {
            Ok(admitted)
        }
    }
}

/// The class of a host with these addresses: that of the farthest, or anybody's server could have
/// one of ours beside its own.
pub(crate) fn farthest(ips: &[IpAddr]) -> Class {
    ips.iter().map(|ip| Class::of(*ip)).min().unwrap_or(Class::Global)
}

/// Keeps what is global, and of the rest what is in `known` and fits the path.
fn filter(word: Word, url: &Url, found: &[IpAddr], known: &[IpAddr]) -> Vec<IpAddr> {
    let allowed = |ip: IpAddr| {
        may_contact(word, at(url, ip)).is_ok()
            && match Class::of(ip) {
                Class::Global => true,
                Class::Loopback | Class::LinkLocal => known.contains(&ip) && is_tracker_path(url),
                _ => known.contains(&ip) && (!has_login(url) || is_tracker_path(url)),
            }
    };
    found.iter().copied().filter(|ip| allowed(*ip)).collect()
}

/// Where the URL leads at that address.
pub(crate) fn at(url: &Url, ip: IpAddr) -> SocketAddr {
    SocketAddr::new(ip, url.port_or_known_default().unwrap_or_default())
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

fn refused(word: Word, url: &Url, found: &[IpAddr], how: &str) -> Error {
    let host = url.host_str().unwrap_or_default();
    let refusal = |ip: IpAddr| may_contact(word, at(url, ip)).err();
    let why = match found.first().map(|ip| (ip, Class::of(*ip), refusal(*ip))) {
        Some((ip, _, Some(Refusal::NoHost))) => format!("{ip} is no host's address"),
        Some((_, _, Some(why @ (Refusal::NoPort | Refusal::Service(_))))) => why.to_string(),
        Some((ip, Class::Loopback | Class::LinkLocal, _)) if !is_tracker_path(url) => {
            format!(
                "{ip} is this machine or its link, where only /announce, /scrape and \
                 /PASSKEY/announce may be asked"
            )
        }
        Some((ip, Class::Private | Class::Shared, _))
            if has_login(url) && !is_tracker_path(url) =>
        {
            format!(
                "{ip} is a private address, to which user and password are sent only for \
                 /announce, /scrape and /PASSKEY/announce"
            )
        }
        Some((ip, ..)) => format!("{ip} is not a public address, nor one that the tracker had"),
        None => "there is no address".to_owned(),
    };
    Error::new(ErrorKind::Refused, format!("refused: {how}{host}: {why}"))
}

#[cfg(test)]
mod tests;
