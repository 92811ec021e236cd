//! Where a URL may lead: names are looked up here, and only addresses that may be contacted are given
//! on, so that what was checked is what is connected. The first server is the user's word; where it
//! redirects to is the server's, which names nothing nearer than itself.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use egress::{Class, Word, may_contact};
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// Shared by the requests that one URL leads to.
#[derive(Clone, Debug, Default)]
pub(super) struct Admitted(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// The user's server was asked.
    redirected: bool,
    /// Its class; `None` as long as it was not looked up here, as behind a proxy.
    first: Option<Class>,
    /// Why nothing may be asked.
    refusal: Option<String>,
}

impl Admitted {
    /// From here on it is the server's word. Errors if it is a bare address that may not be asked,
    /// which a proxy would not have us look up.
    pub(super) fn redirected(&self, host: &str, port: Option<u16>) -> Result<(), String> {
        self.state().redirected = true;
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        match bare.parse::<IpAddr>() {
            Ok(ip) => self.keep(vec![SocketAddr::new(ip, port.unwrap_or_default())]).map(drop),
            Err(_) => Ok(()),
        }
    }

    /// Why the last request was refused, if it was.
    pub(super) fn refusal(&self) -> Option<String> {
        self.state().refusal.take()
    }

    /// Those of the addresses that may be contacted; at least one.
    fn keep(&self, found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, String> {
        let mut state = self.state();
        let first = state.first.unwrap_or(Class::Global);
        let word = if state.redirected { Word::Redirect(first) } else { Word::User };
        let mut why = None;
        let mut kept = found;
        kept.retain(|addr| match may_contact(word, *addr) {
            Ok(()) => true,
            Err(refusal) => {
                why.get_or_insert_with(|| format!("{}: {refusal}", addr.ip()));
                false
            }
        });
        if !state.redirected {
            // Of several the farthest: anybody's name may lead to an address of ours, too.
            state.first = kept.iter().map(|addr| Class::of(addr.ip())).min();
        }
        match why.filter(|_| kept.is_empty()) {
            Some(why) if state.redirected => Err(format!("a redirect that may not lead to {why}")),
            Some(why) => Err(why),
            None => Ok(kept),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code that holds the lock can leave the state half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Resolver for Admitted {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = DefaultResolver::default().resolve(uri, config, timeout)?;
        let kept = self.keep(found.iter().copied().collect()).map_err(|why| {
            self.state().refusal = Some(why);
            ureq::Error::HostNotFound
        })?;
        let mut addrs = self.empty();
        for addr in kept {
            // As many as were found, at the most.
            let _ = addrs.try_push(addr);
        }
        if addrs.is_empty() { Err(ureq::Error::HostNotFound) } else { Ok(addrs) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addrs(list: &[&str]) -> Vec<SocketAddr> {
        list.iter().map(|addr| addr.parse().unwrap()).collect()
    }

    /// What is kept of where a redirect leads, after the user's own server had these addresses.
    fn redirect(first: &[&str], to: &[&str]) -> Vec<SocketAddr> {
        let admitted = Admitted::default();
        assert_eq!(admitted.keep(addrs(first)).unwrap(), addrs(first), "the user's word");
        admitted.redirected("name.example", Some(80)).unwrap();
        admitted.keep(addrs(to)).unwrap_or_default()
    }

    #[test]
    fn the_url_that_the_user_names_may_lead_anywhere_but_nowhere() {
        for url in ["127.0.0.1:80", "192.168.1.1:22", "9.9.9.9:25"] {
            assert!(Admitted::default().keep(addrs(&[url])).is_ok(), "{url}");
        }
        let why = Admitted::default().keep(addrs(&["0.0.0.0:80"])).unwrap_err();
        assert_eq!(why, "0.0.0.0: no host has such an address");
    }

    #[test]
    fn a_redirect_leads_no_nearer_than_the_first_server_is() {
        let near =
            ["127.0.0.1:80", "10.0.0.1:80", "169.254.169.254:80", "[::1]:80", "[fd00::1]:80"];
        assert_eq!(redirect(&["9.9.9.9:80"], &near), []);
        let mixed = ["127.0.0.1:80", "8.8.8.8:80"];
        assert_eq!(redirect(&["9.9.9.9:80"], &mixed), addrs(&["8.8.8.8:80"]));
        assert_eq!(redirect(&["127.0.0.1:80", "9.9.9.9:80"], &near), [], "its own and one of ours");
        let lan = ["10.0.0.2:80", "127.0.0.1:80"];
        assert_eq!(redirect(&["192.168.1.1:80"], &lan), addrs(&["10.0.0.2:80"]));
        assert_eq!(redirect(&["127.0.0.1:80"], &lan), addrs(&lan));
        assert_eq!(redirect(&["9.9.9.9:80"], &["8.8.8.8:25"]), [], "a mail server");
    }

    #[test]
    fn a_redirect_to_a_bare_address_is_refused_even_where_a_proxy_would_look_it_up() {
        let admitted = Admitted::default();
        for host in ["127.0.0.1", "[::1]", "[::ffff:10.0.0.1]", "169.254.169.254"] {
            let why = admitted.redirected(host, Some(80)).unwrap_err();
            assert!(why.starts_with("a redirect that may not lead to "), "{why}");
        }
        assert_eq!(admitted.redirected("9.9.9.9", Some(443)), Ok(()));
    }

    #[test]
    fn a_name_that_moves_inside_between_two_requests_is_refused() {
        let admitted = Admitted::default();
        admitted.keep(addrs(&["9.9.9.9:80"])).unwrap();
        admitted.redirected("the-same.example", Some(80)).unwrap();
        assert!(admitted.keep(addrs(&["127.0.0.1:80"])).is_err());
    }
}
