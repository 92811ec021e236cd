//! Peers that others announced to us, so that we can name them. Bounded in every direction; when
//! there is no room, what is farthest from our id goes, since nobody looks for it here.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Instant;

use crate::addr::Family;
use crate::id::{Distance, Id};
use crate::limits::{
    MAX_STORED, MAX_STORED_PEERS, MAX_STORED_PER_IP, MAX_STORED_TORRENTS, PEER_LIFE,
};
use crate::random::Random;

/// Peers of one torrent and family, with the time of their announce.
type Peers = BTreeMap<SocketAddr, Instant>;

/// Announced peers by torrent. The torrents are ordered by their distance from our id.
#[derive(Debug)]
pub(crate) struct Store {
    own: Id,
    torrents: BTreeMap<(Distance, Family), Peers>,
    peers: usize,
}

impl Store {
    pub(crate) fn new(own: Id) -> Self {
        Self { own, torrents: BTreeMap::new(), peers: 0 }
    }

    /// Peers of all torrents.
    pub(crate) fn len(&self) -> usize {
        self.peers
    }

    /// Remembers that somebody at `addr` has the torrent.
    pub(crate) fn add(&mut self, now: Instant, info_hash: Id, addr: SocketAddr) {
        let key = self.key(info_hash, Family::of(&addr));
        let peers = self.torrents.entry(key).or_default();
        let before = peers.len();
        if !peers.contains_key(&addr) {
            if peers.len() >= MAX_STORED_PEERS {
                peers.retain(|_, at| is_fresh(now, *at));
            }
            let same_ip = peers.keys().filter(|other| other.ip() == addr.ip()).count();
            let oldest = peers
                .iter()
                .filter(|(other, _)| same_ip < MAX_STORED_PER_IP || other.ip() == addr.ip())
                .min_by_key(|(_, at)| **at)
                .map(|(other, _)| *other);
            if peers.len() >= MAX_STORED_PEERS || same_ip >= MAX_STORED_PER_IP {
                oldest.and_then(|oldest| peers.remove(&oldest));
            }
        }
        peers.insert(addr, now);
        self.peers = (self.peers + peers.len()).saturating_sub(before);
        self.make_room(now);
    }

    /// Up to `most` peers of the torrent, at random if there are more.
    pub(crate) fn peers(
        &self,
        now: Instant,
        info_hash: Id,
        family: Family,
        most: usize,
        random: &mut Random,
    ) -> Vec<SocketAddr> {
        let Some(peers) = self.torrents.get(&self.key(info_hash, family)) else {
            return Vec::new();
        };
        let fresh = peers.iter().filter(|(_, at)| is_fresh(now, **at));
        let mut some: Vec<SocketAddr> = fresh.map(|(addr, _)| *addr).collect();
        if some.len() > most {
            for at in 0..most {
                let other = at + random.below(some.len() - at);
                some.swap(at, other);
            }
            some.truncate(most);
        }
        some
    }

    /// Forgets who did not announce again.
    pub(crate) fn expire(&mut self, now: Instant) {
        self.torrents.retain(|_, peers| {
            peers.retain(|_, at| is_fresh(now, *at));
            !peers.is_empty()
        });
        self.peers = self.torrents.values().map(BTreeMap::len).sum();
    }

    fn key(&self, info_hash: Id, family: Family) -> (Distance, Family) {
        (self.own.distance(info_hash), family)
    }

    fn make_room(&mut self, now: Instant) {
        let too_many =
            |store: &Self| store.torrents.len() > MAX_STORED_TORRENTS || store.peers > MAX_STORED;
        if too_many(self) {
            self.expire(now);
        }
        while too_many(self) {
            let Some((_, peers)) = self.torrents.pop_last() else { return };
            self.peers = self.peers.saturating_sub(peers.len());
        }
    }
}

fn is_fresh(now: Instant, at: Instant) -> bool {
    now.saturating_duration_since(at) < PEER_LIFE
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "any instant will do")]
mod tests {
    use super::*;

    fn addr(n: u32) -> SocketAddr {
        SocketAddr::from(((0x0800_0000 + n).to_be_bytes(), 7))
    }

    fn all(store: &Store, now: Instant, info_hash: Id) -> Vec<SocketAddr> {
        store.peers(now, info_hash, Family::V4, usize::MAX, &mut Random::new([0; 32]))
    }

    #[test]
    fn peers_are_forgotten_after_half_an_hour() {
        let (now, mut store) = (Instant::now(), Store::new(Id([0; 20])));
        store.add(now, Id([1; 20]), addr(1));
        assert_eq!(all(&store, now, Id([1; 20])), [addr(1)]);
        assert_eq!(all(&store, now, Id([2; 20])), []);
        assert_eq!(all(&store, now + PEER_LIFE, Id([1; 20])), []);
        store.expire(now + PEER_LIFE);
        assert_eq!(store.len(), 0);
    }

    #[test]
    fn one_address_has_a_few_ports_and_the_latest_win() {
        let (now, mut store) = (Instant::now(), Store::new(Id([0; 20])));
        for port in 1..=100 {
            let later = now + std::time::Duration::from_millis(u64::from(port));
            store.add(later, Id([1; 20]), SocketAddr::from(([9, 9, 9, 9], port)));
        }
        let ports: Vec<u16> = all(&store, now, Id([1; 20])).iter().map(SocketAddr::port).collect();
        assert_eq!(ports, [97, 98, 99, 100]);
        assert_eq!(store.len(), 4);
    }

    #[test]
    fn memory_is_bounded_and_close_torrents_stay() {
        let (now, mut store) = (Instant::now(), Store::new(Id([0; 20])));
        for n in 0..2 * u32::try_from(MAX_STORED_PEERS).unwrap() {
            store.add(now, Id([0; 20]), addr(n));
        }
        assert_eq!(all(&store, now, Id([0; 20])).len(), MAX_STORED_PEERS);
        let mut random = Random::new([7; 32]);
        for n in 0..3 * u32::try_from(MAX_STORED_TORRENTS).unwrap() {
            store.add(now, Id(random.bytes()), addr(n));
        }
        assert!(store.torrents.len() <= MAX_STORED_TORRENTS && store.len() <= MAX_STORED);
        assert_eq!(all(&store, now, Id([0; 20])).len(), MAX_STORED_PEERS);
        let counted: usize = store.torrents.values().map(BTreeMap::len).sum();
        assert_eq!(counted, store.len());
        let some = store.peers(now, Id([0; 20]), Family::V4, 10, &mut random);
        assert_eq!(some.iter().collect::<std::collections::BTreeSet<_>>().len(), 10);
    }
}
