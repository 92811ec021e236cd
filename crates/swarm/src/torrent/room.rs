//! Whose place among the connections a newcomer gets when all are taken: by usefulness in bytes and
//! time, never by arrival. Each address has a share, which bites only now; some places are for peers
//! that we dial. It closes nothing.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Instant;

use super::Torrent;
use crate::border::{Origin, PeerKey, Source};
use crate::close::CloseReason;
use crate::limits::{DIALED_ROOM, HOST_ROOM, ROOM_BYTES};
use crate::peer::Peer;

/// Connections of each host.
type Hosts = BTreeMap<IpAddr, usize>;

/// How useful a peer is, the least useful first: what it gave lately and took lately, in steps that a
/// trickle does not climb; how many others its host has here; whether either end wants anything; what
/// moved ever; since when it is here.
type Use = (u64, u64, Reverse<usize>, bool, u64, Instant);

impl Torrent {
    /// The peer whose place this newcomer gets, and why; `None` if it gets none.
    pub(super) fn who_yields(&self, now: Instant, new: &Peer) -> Option<(PeerKey, CloseReason)> {
        let hosts = self.hosts();
        let count = |host: IpAddr| hosts.get(&host).copied().unwrap_or(0);
        let (host, share) = (new.host(), self.host_share());
        let own = count(host);
        if own < share
            && let Some((crowd, most)) = hosts.iter().max_by_key(|(_, count)| **count)
            && *most > share.max(own + 1)
            && let Some(key) = self.least_useful(&hosts, |peer| peer.host() == *crowd)
        {
            return Some((key, CloseReason::OverShare));
        }
        let dialed = new.origin == Origin::Dialed;
        let reserve = self.config.max_peers / DIALED_ROOM;
        let of_reserve = self.peers.values().filter(|peer| is_kept(peer)).count() <= reserve;
        // Who fills its share already displaces none but its own.
        let within = |peer: &Peer| own < share || peer.host() == host;
        let reserved = |peer: &Peer| !dialed && of_reserve && is_kept(peer);
        let idle = |peer: &Peer| peer.is_idle(now) && within(peer) && !reserved(peer);
        if let Some(key) = self.least_useful(&hosts, idle) {
            return Some((key, CloseReason::Idle));
        }
        let of_user = |peer: &Peer| peer.source == Source::Given;
        let key = if dialed && of_user(new) {
            self.least_useful(&hosts, |peer| !of_user(peer))
        } else if dialed && of_reserve {
            self.least_useful(&hosts, |peer| !is_kept(peer))
        } else {
            None
        };
        key.map(|key| (key, CloseReason::Reserved))
    }

    /// How many places a peer that we dial would get, though all are taken: never more than are
    /// reserved for such peers, so that dialing alone does not turn over all connections.
    pub(super) fn room_for_dials(&mut self, now: Instant) -> usize {
        if self.peers.len() < self.config.max_peers || !self.candidates.has_due(now) {
            return 0;
        }
        let (share, reserve) = (self.host_share(), self.config.max_peers / DIALED_ROOM);
        let over: usize = self.hosts().values().map(|count| count.saturating_sub(share)).sum();
        let idle = self.peers.values().filter(|peer| peer.is_idle(now)).count();
        let kept = self.peers.values().filter(|peer| is_kept(peer)).count();
        let unkept = (self.peers.len() - kept).min(reserve.saturating_sub(kept));
        let room = over.max(idle).max(unkept).min(reserve);
        // The user's own always find one.
        room.max(usize::from(self.candidates.has_due_of_user(now)))
    }

    fn hosts(&self) -> Hosts {
        let mut hosts = Hosts::new();
        for peer in self.peers.values() {
            *hosts.entry(peer.host()).or_default() += 1;
        }
        hosts
    }

    fn host_share(&self) -> usize {
        (self.config.max_peers / HOST_ROOM).max(1)
    }

    fn least_useful(&self, hosts: &Hosts, of: impl Fn(&Peer) -> bool) -> Option<PeerKey> {
        let peers = self.peers.iter().filter(|(_, peer)| of(peer));
        peers.min_by_key(|(_, peer)| usefulness(hosts, peer)).map(|(key, _)| *key)
    }
}

fn usefulness(hosts: &Hosts, peer: &Peer) -> Use {
    let others = hosts.get(&peer.host()).copied().unwrap_or(0);
    let wanted = peer.peer_interested || peer.am_interested;
    let ever = (peer.down.total() + peer.up.total()) / ROOM_BYTES;
    let (gave, took) = (peer.gave_lately() / ROOM_BYTES, peer.took_lately() / ROOM_BYTES);
    (gave, took, Reverse(others), wanted, ever, peer.since)
}

/// Whether it is one of those that places are reserved for: we dialed it, or it is of use.
fn is_kept(peer: &Peer) -> bool {
    peer.origin == Origin::Dialed || peer.moved_lately() >= ROOM_BYTES
}
