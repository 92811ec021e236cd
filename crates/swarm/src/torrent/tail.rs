//! Nobody sits on what is left: what a slow peer holds is taken back when another stands idle that has
//! it, be it requests or a piece that must come whole from one peer. It asks nobody; whoever has a turn
//! next does.

use std::time::{Duration, Instant};

use metainfo::{BLOCK_LEN, Block, PieceIndex};
use wire::Message;

use super::Torrent;
use super::download::request;
use crate::border::PeerKey;
use crate::limits::{HELD_LEFT, HELD_LONG, OWNER_PATIENCE, OWNER_PATIENCE_LAST, WINDOW_MIN};
use crate::partial::Partial;
use crate::peer::Peer;

impl Torrent {
    /// To be called once a second.
    pub(super) fn tail_round(&mut self, now: Instant) {
        for (piece, owner) in self.partials.owned() {
            if self.holds_up(now, piece, owner) {
                self.take_piece(owner, piece);
            }
        }
        if self.peers.values().any(Peer::stands_idle) {
            self.take_held();
        }
    }

    /// Whether the owner of a piece will take more than twice as long for the rest as another peer for
    /// all of it. An owner has some time before it is judged, more each time the piece was taken from
    /// one, so that a piece that all are slow with comes in the end.
    fn holds_up(&mut self, now: Instant, piece: PieceIndex, owner: PeerKey) -> bool {
        let since = self.partials.owned_since(piece, now);
        let Some(partial) = self.partials.get(piece) else { return false };
        let times = u32::try_from(partial.held_up_by().len()).unwrap_or(u32::MAX);
        let patience = OWNER_PATIENCE.saturating_mul(2_u32.saturating_pow(times));
        let patience = patience.min(OWNER_PATIENCE_LAST);
        let had = now.saturating_duration_since(since);
        if had < patience {
            return false;
        }
        let (here, left) = partial.progress();
        let blocks = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let left_takes = had.saturating_mul(blocks(left)) / blocks(here).max(1);
        let others = self.peers.iter().filter(|(key, _)| **key != owner).map(|(_, peer)| peer);
        let better = |peer: &Peer| {
            let has = peer.pieces.contains(piece) && peer.stands_idle();
            let fresh = !partial.held_up_by().contains(&peer.host());
            let bytes = u64::from(BLOCK_LEN).saturating_mul((here + left) as u64);
            let takes = Duration::from_millis(bytes.saturating_mul(1000) / peer.pace().max(1));
            has && fresh && left_takes > takes.saturating_mul(2).saturating_add(OWNER_PATIENCE)
        };
        others.into_iter().any(better)
    }

    /// Takes a piece from its owner; the next to get it is another.
    fn take_piece(&mut self, owner: PeerKey, piece: PieceIndex) {
        let Some(peer) = self.peers.get(&owner) else { return };
        log::debug!("{}: slow with piece {piece}, which is fetched from another peer", peer.addr);
        let host = peer.host();
        let of_piece = |block: &Block| block.piece() == piece;
        let due: Vec<Block> = peer.pipeline.last_first().filter(of_piece).collect();
        for block in due {
            self.take_request(owner, block);
        }
        self.partials.holds_up(piece, host);
        self.restart(piece);
    }

    /// Takes back requests of peers that need too long for all that they were asked for, as far as a
    /// peer that stands idle has the pieces. What they will send soon is left to them.
    fn take_held(&mut self) {
        let idle: Vec<&Peer> = self.peers.values().filter(|peer| peer.stands_idle()).collect();
        let mut taken: Vec<(PeerKey, Block)> = Vec::new();
        for (key, peer) in &self.peers {
            let rate = peer.down.rate();
            let millis = Duration::from_millis(peer.pipeline.millis_left(rate));
            // One that never delivered is judged by its silence.
            let judged = peer.down.total() > 0 && peer.pipeline.len() > WINDOW_MIN;
            if !judged || millis < HELD_LONG {
                continue;
            }
            let soon = rate.saturating_mul(HELD_LEFT.as_secs()) / u64::from(BLOCK_LEN);
            let kept = usize::try_from(soon).unwrap_or(usize::MAX).max(WINDOW_MIN);
            let elsewhere = |block: &Block| {
                let piece = block.piece();
                let whole = self.partials.get(piece).is_some_and(Partial::is_whole);
                !whole && idle.iter().any(|peer| peer.pieces.contains(piece))
            };
            taken.extend(peer.pipeline.beyond(kept).filter(elsewhere).map(|block| (*key, block)));
        }
        for (key, block) in taken {
            self.take_request(key, block);
            self.release(block, key);
        }
    }

    fn take_request(&mut self, key: PeerKey, block: Block) {
        if self.peers.get_mut(&key).is_some_and(|peer| peer.pipeline.cancel(block)) {
            self.send(key, Message::Cancel(request(block)));
        }
    }
}
