//! The nodes we know, more of them the closer they are to us (BEP 5). Every node here has answered us
//! at least once. Nothing here sends anything; it says whom it would be good to ask.

#![expect(
    clippy::indexing_slicing,
    reason = "a bucket's number comes from `index`, which knows how many there are"
)]

mod bucket;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use crate::addr::{is_local, neighbourhood};
use crate::id::Id;
use crate::limits::{DOUBTFUL_AFTER, K, MAX_SAVED, NEIGHBOURS};

use bucket::Bucket;
pub(crate) use bucket::Node;

/// Nodes by the number of bits their id shares with ours. The last bucket holds all that share as
/// many as its number, or more; it alone is split when it is full.
#[derive(Debug)]
pub(crate) struct Table {
    own: Id,
    buckets: Vec<Bucket>,
}

impl Table {
    pub(crate) fn new(own: Id, now: Instant) -> Self {
        Self { own, buckets: vec![Bucket::new(now)] }
    }

    pub(crate) fn own(&self) -> Id {
        self.own
    }

    /// Takes another id. Nodes that find no place any more are forgotten.
    pub(crate) fn rehome(&mut self, own: Id, now: Instant) {
        let before = std::mem::replace(self, Self::new(own, now));
        for bucket in before.buckets {
            for node in bucket.live.into_iter().chain(bucket.spare) {
                self.insert(node, now);
            }
        }
    }

    /// Nodes that are not bad.
    pub(crate) fn len(&self) -> usize {
        self.good().count()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.good().next().is_none()
    }

    /// The nodes that are not bad.
    pub(crate) fn good(&self) -> impl Iterator<Item = &Node> {
        self.buckets.iter().flat_map(|bucket| &bucket.live).filter(|node| node.is_good())
    }

    fn index(&self, id: Id) -> usize {
        self.own.shared_bits(id).min(self.buckets.len().saturating_sub(1))
    }

    /// A node answered.
    pub(crate) fn replied(&mut self, now: Instant, id: Id, addr: SocketAddr) {
        if id == self.own {
            return;
        }
        let index = self.index(id);
        if self.buckets[index].replied(now, id, addr) {
            return;
        }
        // A node that took a new id since: the old one is nobody.
        self.forget(addr);
        self.insert(Node::new(now, id, addr), now);
    }

    /// A node asked us something, so it lives.
    pub(crate) fn heard(&mut self, now: Instant, id: Id, addr: SocketAddr) {
        let index = self.index(id);
        self.buckets[index].heard(now, id, addr);
    }

    /// A node left a query unanswered. A bad one makes room for one that waits.
    pub(crate) fn failed(&mut self, now: Instant, id: Id, addr: SocketAddr) {
        let index = self.index(id);
        self.buckets[index].failed(now, id, addr);
    }

    /// Whether a node we have not asked yet would be of use here.
    pub(crate) fn wants(&self, id: Id, addr: SocketAddr) -> bool {
        let index = self.index(id);
        let bucket = &self.buckets[index];
        let splits = index + 1 == self.buckets.len() && index + 1 < Id::BITS;
        id != self.own
            && !self.knows_ip(addr)
            && (splits || bucket.has_room())
            && self.has_room_beside(index, addr)
    }

    fn insert(&mut self, node: Node, now: Instant) {
        if self.knows_ip(node.addr) {
            return;
        }
        let mut index = self.index(node.id);
        while self.buckets[index].is_full()
            && index + 1 == self.buckets.len()
            && index + 1 < Id::BITS
        {
            self.split(index, now);
            index = self.index(node.id);
        }
        if self.has_room_beside(index, node.addr) {
            self.buckets[index].insert(node, now);
        }
    }

    /// Parts the last bucket into those that share exactly `index` bits and those that share more.
    fn split(&mut self, index: usize, now: Instant) {
        let own = self.own;
        let mut closer = Bucket::new(now);
        let bucket = &mut self.buckets[index];
        closer.live = bucket.live.extract_if(.., |n| own.shared_bits(n.id) > index).collect();
        closer.spare = bucket.spare.extract_if(.., |n| own.shared_bits(n.id) > index).collect();
        bucket.promote();
        closer.promote();
        self.buckets.push(closer);
    }

    /// One node an address, so that one host is one voice. In local networks hosts have many.
    fn knows_ip(&self, addr: SocketAddr) -> bool {
        let same = |other: SocketAddr| {
            if is_local(addr.ip()) { other == addr } else { other.ip() == addr.ip() }
        };
        self.buckets.iter().any(|bucket| bucket.all().any(|node| same(node.addr)))
    }

    fn has_room_beside(&self, index: usize, addr: SocketAddr) -> bool {
        let near = neighbourhood(addr.ip());
        let same = |ip: IpAddr| neighbourhood(ip) == near;
        let neighbours = self.buckets[index].all().filter(|node| same(node.addr.ip())).count();
        neighbours < NEIGHBOURS || is_local(addr.ip())
    }

    fn forget(&mut self, addr: SocketAddr) {
        for bucket in &mut self.buckets {
            bucket.forget(addr);
        }
    }

    /// The `most` good nodes closest to `target`, the closest first.
    pub(crate) fn closest(&self, target: Id, most: usize) -> Vec<(Id, SocketAddr)> {
        let mut found: Vec<(Id, SocketAddr)> = Vec::with_capacity(2 * most);
        let home = self.index(target);
        // Whoever is in the target's bucket is closer than whoever shares more bits with us, and they
        // are closer than those that share fewer. Each group is sorted by itself.
        let groups = [&self.buckets[home..=home], &self.buckets[home + 1..]];
        let farther = (0..home).rev().map(|index| &self.buckets[index..=index]);
        for group in groups.into_iter().chain(farther) {
            if found.len() >= most {
                break;
            }
            let start = found.len();
            let good = group.iter().flat_map(|bucket| &bucket.live).filter(|node| node.is_good());
            found.extend(good.map(|node| (node.id, node.addr)));
            found[start..].sort_unstable_by_key(|(id, _)| id.distance(target));
        }
        found.truncate(most);
        found
    }

    /// Nodes of which nothing was heard for long, or that failed, the longest first.
    pub(crate) fn doubtful(&self, now: Instant, most: usize) -> Vec<(Id, SocketAddr)> {
        let mut nodes: Vec<&Node> = self
            .buckets
            .iter()
            .flat_map(|bucket| &bucket.live)
            .filter(|node| node.is_doubtful(now))
            .collect();
        nodes.sort_by_key(|node| node.heard);
        nodes.truncate(most);
        nodes.iter().map(|node| (node.id, node.addr)).collect()
    }

    /// The bucket that has not changed for the longest time, if that is too long; it counts as
    /// changed from now on.
    pub(crate) fn stale(&mut self, now: Instant) -> Option<usize> {
        let stale = |bucket: &Bucket| now.saturating_duration_since(bucket.changed);
        let (index, bucket) = self
            .buckets
            .iter_mut()
            .enumerate()
            .filter(|(_, bucket)| stale(bucket) >= DOUBTFUL_AFTER)
            .min_by_key(|(_, bucket)| bucket.changed)?;
        bucket.changed = now;
        Some(index)
    }

    /// Buckets that could hold more nodes than they do, but for the last, which is never full.
    pub(crate) fn sparse(&self) -> Vec<usize> {
        let last = self.buckets.len() - 1;
        (0..last).filter(|index| self.buckets[*index].live.len() < K).collect()
    }

    /// Nodes worth keeping for the next run: good ones, those close to us first.
    pub(crate) fn to_save(&self) -> Vec<(Id, SocketAddr)> {
        let good = self.buckets.iter().rev().flat_map(|bucket| &bucket.live);
        good.filter(|node| node.is_good())
            .map(|node| (node.id, node.addr))
            .take(MAX_SAVED)
            .collect()
    }
}
