//! Addresses that are not dialed again: our own for ever, and as many others as are remembered. They
//! take no room of those that may be dialed.

use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;

use crate::limits::MAX_NEVER;

#[derive(Debug, Default)]
pub(super) struct Never {
    own: BTreeSet<SocketAddr>,
    others: BTreeSet<SocketAddr>,
    /// `others`, the oldest first.
    order: VecDeque<SocketAddr>,
}

impl Never {
    pub(super) fn new(own: impl Iterator<Item = SocketAddr>) -> Self {
        Self { own: own.collect(), ..Self::default() }
    }

    pub(super) fn contains(&self, addr: SocketAddr) -> bool {
        self.own.contains(&addr) || self.others.contains(&addr)
    }

    pub(super) fn add(&mut self, addr: SocketAddr) {
        if !self.others.insert(addr) {
            return;
        }
        self.order.push_back(addr);
        if self.order.len() > MAX_NEVER
            && let Some(oldest) = self.order.pop_front()
        {
            self.others.remove(&oldest);
        }
    }
}
