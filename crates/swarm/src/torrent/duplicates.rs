//! Whether two connections with one peer id lead to one peer, and which of them is kept. Peer ids are
//! public and not unique: clients with a fixed one exist, and a stranger may show any. So an id alone
//! neither keeps a peer out nor ends the connection of another; what ties two connections together is
//! that their addresses can be those of one peer, too. Where a peer that we dialed would be kept out by
//! one that only came to us, or again and again, both are kept for a while, and bytes decide.

use std::time::Instant;

use super::Torrent;
use crate::border::{Origin, PeerKey};
use crate::close::CloseReason;
use crate::limits::{CROSSING, ROOM_BYTES, TWIN_REFUSALS, TWIN_TRIAL};
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
    /// It cannot be told: both are kept until it can.
    Both(PeerKey),
}

/// Two connections that show one peer id, since the second came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trial {
    pub(super) older: PeerKey,
    pub(super) newer: PeerKey,
    pub(super) since: Instant,
}

impl Torrent {
    /// Looks for another connection to the same peer.
    pub(super) fn twin(&self, now: Instant, new: &Peer) -> Twin {
        let same_id = self.peers.iter().filter(|(_, peer)| peer.peer_id == new.peer_id);
        let mut found = Twin::None;
        for (key, older) in same_id {
            match self.compare(now, new, *key, older) {
                Twin::None => {}
                Twin::Older => return Twin::Older,
                other => found = other,
            }
        }
        found
    }

    /// Two connections that show one peer id.
    fn compare(&self, now: Instant, new: &Peer, key: PeerKey, older: &Peer) -> Twin {
        let (old_ip, new_ip) = (older.addr.ip().to_canonical(), new.addr.ip().to_canonical());
        // When both ends dial each other at once, each may see the other connection first, so both
        // keep the one that was dialed by the end with the greater peer id, unless blocks came by the
        // other already: those are no accident of a moment.
        let age = now.saturating_duration_since(older.since);
        let crossing = older.origin != new.origin && age < CROSSING && older.moved_lately() == 0;
        let ours_wins = self.config.peer_id > new.peer_id;
        let new_wins = ours_wins == (new.origin == Origin::Dialed);
        // At the far end of a dialed connection is who listens there. Who came to us may be anybody
        // behind the same address, or, by the other family, anywhere.
        let proven = new.origin == Origin::Dialed && older.origin == Origin::Incoming;
        let refused = [new, older].iter().any(|peer| {
            let failures = self.candidates.failures(peer.addr);
            peer.origin == Origin::Dialed && failures >= TWIN_REFUSALS
        });
        let in_doubt = refused || (proven && !crossing);
        if old_ip == new_ip {
            let two_ports = matches!((older.dialable, new.dialable), (Some(a), Some(b)) if a != b);
            return match () {
                () if two_ports => Twin::None,
                () if in_doubt => Twin::Both(key),
                () if older.is_idle(now) || (crossing && new_wins) => Twin::Newer(key),
                () => Twin::Older,
            };
        }
        // A peer is found by IPv4 and by IPv6, but not by two addresses of one family.
        if old_ip.is_ipv4() == new_ip.is_ipv4() {
            return Twin::None;
        }
        if in_doubt {
            return Twin::Both(key);
        }
        if crossing {
            return if new_wins { Twin::None } else { Twin::Older };
        }
        // The end that dialed twice closes the second; the other one, which may have seen them in
        // another order, does not, so that never both are closed. And who only shows the id and then
        // does next to nothing keeps no other peer out.
        let dialed = [new, older].iter().any(|peer| peer.origin == Origin::Dialed);
        if dialed && !older.is_idle(now) { Twin::Older } else { Twin::None }
    }

    /// Compares those that were kept for long enough. Both stay where both are of use: then they are
    /// worth two places, whoever they are. Else the one that moves next to nothing goes, and of two
    /// such ones the one that was dialed by the end with the smaller peer id, as both ends know.
    pub(super) fn end_trials(&mut self, now: Instant) {
        let over = |trial: &Trial| now.saturating_duration_since(trial.since) >= TWIN_TRIAL;
        let ended: Vec<Trial> = self.trials.extract_if(.., |trial| over(trial)).collect();
        for Trial { older, newer, .. } in ended {
            let (Some(first), Some(second)) = (self.peers.get(&older), self.peers.get(&newer))
            else {
                continue;
            };
            let ours_wins = self.config.peer_id > second.peer_id;
            let loser = match [first, second].map(|peer| peer.moved_lately() >= ROOM_BYTES) {
                [true, true] => continue,
                [false, true] => older,
                [false, false] if ours_wins == (second.origin == Origin::Dialed) => older,
                [_, false] => newer,
            };
            self.close(now, loser, CloseReason::Duplicate);
        }
    }
}
