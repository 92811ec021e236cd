//! One bucket: up to eight nodes in use, and some that wait for one of them to die. Nothing here
//! knows our own id.

use std::net::SocketAddr;
use std::time::Instant;

use crate::id::Id;
use crate::limits::{DOUBTFUL_AFTER, K, MAX_FAILURES, SPARES};
use crate::secure;

/// A node that has answered us.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(super) id: Id,
    pub(super) addr: SocketAddr,
    /// When it last answered or asked.
    pub(super) heard: Instant,
    /// Queries it left unanswered since it last answered.
    failures: u8,
    /// Its address allows its id.
    fits: bool,
}

impl Node {
    pub(super) fn new(now: Instant, id: Id, addr: SocketAddr) -> Self {
        Self { id, addr, heard: now, failures: 0, fits: secure::fits(id, addr.ip()) }
    }

    pub(super) fn is_good(&self) -> bool {
        self.failures < MAX_FAILURES
    }

    pub(super) fn is_doubtful(&self, now: Instant) -> bool {
        self.failures > 0 || now.saturating_duration_since(self.heard) >= DOUBTFUL_AFTER
    }
}

/// A part of the table.
#[derive(Debug)]
pub(super) struct Bucket {
    /// In use; the longest known first.
    pub(super) live: Vec<Node>,
    /// In reserve, the latest last.
    pub(super) spare: Vec<Node>,
    /// When a node last came or answered.
    pub(super) changed: Instant,
}

impl Bucket {
    pub(super) fn new(now: Instant) -> Self {
        Self { live: Vec::new(), spare: Vec::new(), changed: now }
    }

    pub(super) fn is_full(&self) -> bool {
        self.live.len() >= K && self.live.iter().all(Node::is_good)
    }

    /// Whether one more would be kept, in use or in reserve.
    pub(super) fn has_room(&self) -> bool {
        !self.is_full() || self.spare.len() < SPARES
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Node> {
        self.live.iter().chain(&self.spare)
    }

    fn find(&mut self, id: Id, addr: SocketAddr) -> Option<&mut Node> {
        let mut all = self.live.iter_mut().chain(&mut self.spare);
        all.find(|node| node.id == id && node.addr == addr)
    }

    /// Notes an answer; false if the node is not here. One that shows another's id is not believed as
    /// long as that other answers.
    pub(super) fn replied(&mut self, now: Instant, id: Id, addr: SocketAddr) -> bool {
        if let Some(node) = self.find(id, addr) {
            node.heard = now;
            node.failures = 0;
            self.changed = now;
            return true;
        }
        let taken = self.all().any(|node| node.id == id && node.failures == 0);
        if !taken {
            self.live.retain(|node| node.id != id);
            self.spare.retain(|node| node.id != id);
        }
        taken
    }

    pub(super) fn heard(&mut self, now: Instant, id: Id, addr: SocketAddr) {
        if let Some(node) = self.find(id, addr) {
            node.heard = now;
        }
    }

    pub(super) fn failed(&mut self, now: Instant, id: Id, addr: SocketAddr) {
        if let Some(node) = self.find(id, addr) {
            node.failures = node.failures.saturating_add(1);
        }
        self.spare.retain(|node| node.failures == 0);
        if self.live.iter().any(|node| !node.is_good()) && !self.spare.is_empty() {
            self.live.retain(Node::is_good);
            self.promote();
            self.changed = now;
        }
    }

    pub(super) fn forget(&mut self, addr: SocketAddr) {
        self.live.retain(|node| node.addr != addr);
        self.spare.retain(|node| node.addr != addr);
        self.promote();
    }

    /// Takes a node in: into use if there is room, or if it takes the place of a bad one or of one
    /// whose address does not allow its id; else in reserve.
    pub(super) fn insert(&mut self, node: Node, now: Instant) {
        if self.live.len() < K {
            self.live.push(node);
        } else if let Some(bad) = self.live.iter().position(|other| !other.is_good()) {
            self.live.remove(bad);
            self.live.push(node);
        } else if let Some(unfit) =
            self.live.iter_mut().find(|other| !other.fits).filter(|_| node.fits)
        {
            let unfit = std::mem::replace(unfit, node);
            self.reserve(unfit);
        } else {
            self.reserve(node);
            return;
        }
        self.changed = now;
    }

    /// The latest are the likeliest to live; the oldest goes.
    fn reserve(&mut self, node: Node) {
        if self.spare.len() >= SPARES {
            self.spare.remove(0);
        }
        self.spare.push(node);
    }

    /// Fills places in use from the reserve, the latest first.
    pub(super) fn promote(&mut self) {
        while self.live.len() < K {
            let Some(node) = self.spare.pop() else { return };
            self.live.push(node);
        }
    }
}
