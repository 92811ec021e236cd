//! From a URL's host to addresses, within a deadline. Never decides whether they may be asked.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use crossbeam_channel::{RecvTimeoutError, bounded};
use url::{Host, Url};

use crate::error::{Error, ErrorKind};
use crate::limits::{KNOWN_LOOKUPS, MAX_KNOWN_NAMES, MAX_LOOKUPS};
use crate::shortage::Shortage;

type Resolve = dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync;

/// The system's resolver behind a deadline.
pub(crate) struct Lookup {
    resolve: Arc<Resolve>,
    under_way: Arc<AtomicUsize>,
    /// Names that were found before.
    known: Mutex<BTreeSet<String>>,
}

impl Lookup {
    pub(crate) fn system(shortage: Shortage) -> Self {
        let once = |host: &str| Ok((host, 0).to_socket_addrs()?.map(|addr| addr.ip()).collect());
        Self::with(move |host| shortage.look_up(|| once(host)))
    }

    pub(crate) fn with(
        resolve: impl Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static,
    ) -> Self {
        let (resolve, under_way) = (Arc::new(resolve), Arc::default());
        Self { resolve, under_way, known: Mutex::default() }
    }

    /// The addresses of the URL's host, at least one.
    pub(crate) fn addresses(&self, url: &Url, deadline: Instant) -> Result<Vec<IpAddr>, Error> {
        let name = match url.host() {
            Some(Host::Ipv4(ip)) => return Ok(vec![ip.into()]),
            Some(Host::Ipv6(ip)) => return Ok(vec![ip.into()]),
            // The url crate reads addresses in http URLs only.
            Some(Host::Domain(name)) => match name.parse() {
                Ok(ip) => return Ok(vec![ip]),
                Err(_) => name,
            },
            None => return Err(Error::new(ErrorKind::Url, "the URL has no host")),
        };
        let error =
            |kind, why: &str| Err(Error::new(kind, format!("cannot look up {name}: {why}")));
        // A look-up cannot be interrupted, so it gets a thread that may outlive our patience.
        let most =
            if self.known().contains(name) { MAX_LOOKUPS } else { MAX_LOOKUPS - KNOWN_LOOKUPS };
        if self.under_way.fetch_add(1, Ordering::Relaxed) >= most {
            self.under_way.fetch_sub(1, Ordering::Relaxed);
            return error(ErrorKind::Resolve, "too many look-ups hang already");
        }
        let (answer, answered) = bounded(1);
        let (resolve, under_way) = (Arc::clone(&self.resolve), Arc::clone(&self.under_way));
        let owned = name.to_owned();
        let spawned = thread::Builder::new().name("tracker-lookup".into()).spawn(move || {
            let _ = answer.send(resolve(&owned));
            under_way.fetch_sub(1, Ordering::Relaxed);
        });
        if let Err(e) = spawned {
            self.under_way.fetch_sub(1, Ordering::Relaxed);
            return error(ErrorKind::Resolve, &e.to_string());
        }
        match answered.recv_deadline(deadline) {
            Ok(Ok(found)) if found.is_empty() => error(ErrorKind::Resolve, "it has no address"),
            Ok(Ok(found)) => {
                let mut known = self.known();
                if known.len() < MAX_KNOWN_NAMES {
                    known.insert(name.to_owned());
                }
                Ok(found)
            }
            Ok(Err(e)) => error(ErrorKind::Resolve, &e.to_string()),
            Err(RecvTimeoutError::Timeout) => error(ErrorKind::Timeout, "no answer in time"),
            Err(RecvTimeoutError::Disconnected) => error(ErrorKind::Resolve, "the look-up died"),
        }
    }

    fn known(&self) -> MutexGuard<'_, BTreeSet<String>> {
        // A set of names cannot be left half changed by a panic.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookup").field("under_way", &self.under_way).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::time::Duration;

    use super::*;

    #[test]
    fn names_that_hang_leave_room_for_names_that_were_found_before() {
        let hung = Arc::new(Barrier::new(MAX_LOOKUPS - KNOWN_LOOKUPS + 1));
        let lookup = Lookup::with({
            let hung = Arc::clone(&hung);
            move |name| {
                if name != "known.example" {
                    hung.wait();
                }
                Ok(vec![IpAddr::from([10, 0, 0, 1])])
            }
        });
        let ask = |name: &str, patience| {
            let url = Url::parse(&format!("http://{name}/announce")).unwrap();
            lookup.addresses(&url, Instant::now() + patience)
        };
        let long = Duration::from_secs(20);
        ask("known.example", long).unwrap();
        let mut hanging = 0;
        for n in 0..MAX_LOOKUPS {
            let error = ask(&format!("n{n}.example"), Duration::from_millis(1)).unwrap_err();
            hanging += usize::from(error.kind() == ErrorKind::Timeout);
        }
        assert_eq!(hanging, MAX_LOOKUPS - KNOWN_LOOKUPS);
        ask("known.example", long).unwrap();
        hung.wait();
    }
}
