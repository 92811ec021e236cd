//! Whether two connections with one peer id lead to one peer, and which of them is kept. Peer ids are
//! public and not unique: clients with a fixed one exist, and a stranger may show any. So an id alone
//! neither keeps a peer out nor ends the connection of another; what ties two connections together is
//! that their addresses can be those of one peer, too.

use std::time::Instant;

use super::Torrent;
use crate::border::{Origin, PeerKey};
use crate::limits::{CROSSING, IDLE_ROOM};
use crate::peer::Peer;

/// What a new connection is to those that exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Twin {
    /// Its peer is not connected otherwise, as far as can be told.
    None,
    /// Its peer is connected, and that connection is kept.
    Older,
    /// Its peer is connected, and the new connection takes the place of this one.
    Newer(PeerKey),
}

impl Torrent {
    /// Looks for another connection to the same peer.
    pub(super) fn twin(&self, now: Instant, new: &Peer) -> Twin {
        let same_id = self.peers.iter().filter(|(_, peer)| peer.peer_id == new.peer_id);
        let mut replaced = Twin::None;
        for (key, older) in same_id {
            match self.compare(now, new, *key, older) {
                Twin::None => {}
                Twin::Older => return Twin::Older,
                Twin::Newer(key) => replaced = Twin::Newer(key),
            }
        }
        replaced
    }

    /// Two connections that show one peer id.
    fn compare(&self, now: Instant, new: &Peer, key: PeerKey, older: &Peer) -> Twin {
        let (old_ip, new_ip) = (older.addr.ip().to_canonical(), new.addr.ip().to_canonical());
        // When both ends dial each other at once, each may see the other connection first, so both
        // keep the one that was dialed by the end with the greater peer id.
        let crossing =
            older.origin != new.origin && now.saturating_duration_since(older.since) < CROSSING;
        let ours_wins = self.config.peer_id > new.peer_id;
        let new_wins = ours_wins == (new.origin == Origin::Dialed);
        if old_ip == new_ip {
            let two_ports = matches!((older.dialable, new.dialable), (Some(a), Some(b)) if a != b);
            return match (two_ports, crossing && new_wins) {
                (true, _) => Twin::None,
                (false, true) => Twin::Newer(key),
                (false, false) => Twin::Older,
            };
        }
        // A peer is found by IPv4 and by IPv6, but not by two addresses of one family.
        if old_ip.is_ipv4() == new_ip.is_ipv4() {
            return Twin::None;
        }
        if crossing {
            return if new_wins { Twin::None } else { Twin::Older };
        }
        // The end that dialed twice closes the second; the other one, which may have seen them in
        // another order, does not, so that never both are closed. And who only shows the id and then
        // does nothing keeps no other peer out.
        let dialed = new.origin == Origin::Dialed || older.origin == Origin::Dialed;
        let idle = now.saturating_duration_since(older.last_payload) >= IDLE_ROOM;
        if dialed && !idle { Twin::Older } else { Twin::None }
    }
}
