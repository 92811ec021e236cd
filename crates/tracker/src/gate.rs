//! The way out: looks a host up, asks the policy, and gives the addresses that may be connected.
//! Never connects.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use egress::Trials;
use url::Url;

use crate::error::{Error, ErrorKind};
use crate::limits::MAX_ADDRESSES;
use crate::lookup::Lookup;
use crate::policy::{self, Policy};

#[derive(Debug)]
pub(crate) struct Gate {
    lookup: Lookup,
    policy: Mutex<Policy>,
    /// The ports of all trackers together: a list of trackers can name every port of one host.
    trials: Trials,
    bind: Option<IpAddr>,
}

impl Gate {
    pub(crate) fn new(lookup: Lookup, bind: Option<IpAddr>) -> Self {
        Self { lookup, policy: Mutex::new(Policy::new()), trials: Trials::new(), bind }
    }

    /// To be told which addresses answered.
    pub(crate) fn trials(&self) -> &Trials {
        &self.trials
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
        let reachable = !ips.is_empty();
        let now = Instant::now();
        ips.retain(|ip| self.trials.begin(now, policy::at(url, *ip)).is_ok());
        if reachable && ips.is_empty() {
            let host = url.host_str().unwrap_or_default();
            let why = format!("refused: {host}: too many of its other ports did not answer");
            return Err(Error::new(ErrorKind::Refused, why));
        }
        if ips.is_empty() {
            let family = if self.bind.is_some_and(|ip| ip.is_ipv4()) { "IPv4" } else { "IPv6" };
            let host = url.host_str().unwrap_or_default();
            let why = format!("{host} has no {family} address, which we are bound to");
            return Err(Error::new(ErrorKind::Connect, why));
        }
        Ok(ips)
    }
}
