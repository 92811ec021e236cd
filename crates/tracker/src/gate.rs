//! The way out: looks a host up, asks the policy, and gives the addresses that may be connected.
//! Never connects.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use url::Url;

use crate::error::{Error, ErrorKind};
use crate::limits::MAX_ADDRESSES;
use crate::lookup::Lookup;
use crate::policy::Policy;

#[derive(Debug)]
pub(crate) struct Gate {
    lookup: Lookup,
    policy: Mutex<Policy>,
    bind: Option<IpAddr>,
}

impl Gate {
    pub(crate) fn new(lookup: Lookup, bind: Option<IpAddr>) -> Self {
        Self { lookup, policy: Mutex::new(Policy::new()), bind }
    }

    /// Where the URL that a torrent has may lead.
    pub(crate) fn first(&self, url: &Url, deadline: Instant) -> Result<Vec<IpAddr>, Error> {
        let found = self.lookup.addresses(url, deadline)?;
        // A table of addresses cannot be left half changed by a panic.
        let mut policy = self.policy.lock().unwrap_or_else(PoisonError::into_inner);
        let admitted = policy.admit(url, &found)?;
        drop(policy);
        self.usable(url, admitted)
    }

    /// Where a redirect may lead, `origin` being what [`Gate::first`] gave.
    pub(crate) fn redirected(
        &self,
        url: &Url,
        origin: &[IpAddr],
        deadline: Instant,
    ) -> Result<Vec<IpAddr>, Error> {
        let found = self.lookup.addresses(url, deadline)?;
        let policy = self.policy.lock().unwrap_or_else(PoisonError::into_inner);
        let admitted = policy.admit_redirect(url, &found, origin)?;
        drop(policy);
        self.usable(url, admitted)
    }

    /// Drops what our own address cannot reach, and what is too much.
    fn usable(&self, url: &Url, mut ips: Vec<IpAddr>) -> Result<Vec<IpAddr>, Error> {
        if let Some(own) = self.bind {
            ips.retain(|ip| ip.is_ipv4() == own.is_ipv4());
        }
        ips.truncate(MAX_ADDRESSES);
        if ips.is_empty() {
            let family = if self.bind.is_some_and(|ip| ip.is_ipv4()) { "IPv4" } else { "IPv6" };
            let host = url.host_str().unwrap_or_default();
            let why = format!("{host} has no {family} address, which we are bound to");
            return Err(Error::new(ErrorKind::Connect, why));
        }
        Ok(ips)
    }
}
