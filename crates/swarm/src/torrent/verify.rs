//! What follows when a piece was checked: it is ours and told to all, or somebody sent false data.
//! It never looks at bytes; the disk does.

use std::time::Instant;

use metainfo::PieceIndex;
use wire::Message;

use super::Torrent;
use crate::border::{Event, PeerKey};
use crate::close::CloseReason;
use crate::picker::Picker;

impl Torrent {
    pub(super) fn piece_good(&mut self, now: Instant, piece: PieceIndex, digests: &[[u8; 20]]) {
        if self.partials.remove(piece).is_none() || !self.have.insert(piece) {
            return;
        }
        let bytes = self.piece_bytes(piece);
        self.missing = self.missing.saturating_sub(bytes);
        self.left = self.left.saturating_sub(bytes);
        self.settled.insert(piece);
        self.event(Event::PieceVerified { piece });
        if self.bans.has_evidence(piece) {
            log::debug!("piece {piece} is good, after copies that were not");
        }
        for who in self.bans.verified(piece, digests) {
            self.convict(now, who);
        }
        if self.is_complete() {
            self.complete(now);
        }
        self.tell_all(piece);
    }

    fn complete(&mut self, now: Instant) {
        self.picker = None;
        self.event(Event::Completed);
        let seeds: Vec<PeerKey> = self
            .peers
            .iter()
            .filter(|(_, peer)| peer.wants_nothing())
            .map(|(key, _)| *key)
            .collect();
        for key in seeds {
            self.close(now, key, CloseReason::BothSeeds);
        }
        self.tell_upload_only();
    }

    /// Those who lack the piece are told; those who have it may have nothing for us any more.
    fn tell_all(&mut self, piece: PieceIndex) {
        let mut uninteresting = Vec::new();
        for (key, peer) in &mut self.peers {
            if peer.pieces.contains(piece) {
                peer.wanted = peer.wanted.saturating_sub(1);
                if peer.wanted == 0 {
                    uninteresting.push(*key);
                }
            } else {
                let message = Message::Have(piece.get());
                self.actions.push_back(crate::Action::Send { peer: *key, message });
            }
        }
        for key in uninteresting {
            self.update_interest(key);
        }
    }

    pub(super) fn piece_bad(&mut self, now: Instant, piece: PieceIndex, digests: Vec<[u8; 20]>) {
        let Some(partial) = self.partials.remove(piece) else { return };
        self.failed_pieces += 1;
        log::debug!(
            "piece {piece} failed its hash, of blocks from {} peers",
            partial.sources.len()
        );
        self.event(Event::PieceFailed { piece, sources: partial.sources.len() });
        let origins = partial.origins();
        let guilty = self.bans.failed(piece, digests, origins, partial.sources);
        self.begin_again(piece);
        if let Some(guilty) = guilty {
            self.convict(now, guilty);
        }
    }

    /// Its blocks were changed on disk: it is fetched again, and what is known of its peers stays.
    pub(super) fn piece_changed(&mut self, piece: PieceIndex) {
        if self.partials.remove(piece).is_some() {
            log::debug!("piece {piece} was changed on disk by another program");
            self.begin_again(piece);
        }
    }

    pub(super) fn write_failed(&mut self, piece: PieceIndex) {
        if self.partials.remove(piece).is_some() {
            self.halted = true;
            self.begin_again(piece);
        }
    }

    /// The piece has to be fetched again: at once and from one peer if somebody's guilt hangs on
    /// it, else when its turn comes.
    fn begin_again(&mut self, piece: PieceIndex) {
        if self.bans.has_evidence(piece) {
            self.partials.begin(piece, true);
        } else if let Some(picker) = &mut self.picker {
            picker.put_back(piece);
        }
        self.refill_all = true;
    }

    /// A piece that we had is gone from the disk.
    pub(super) fn lost(&mut self, piece: PieceIndex) {
        if !self.have.remove(piece) {
            return;
        }
        self.missing += self.piece_bytes(piece);
        let keys: Vec<PeerKey> = self.peers.keys().copied().collect();
        for key in keys {
            let forgotten = self.peers.get_mut(&key).map(|peer| peer.uploads.forget(piece));
            for block in forgotten.into_iter().flatten() {
                self.reject(key, block);
            }
        }
        let unwanted = self.config.wanted.as_ref().is_some_and(|wanted| !wanted.contains(piece));
        if unwanted || self.piece_bytes(piece) == 0 {
            return;
        }
        self.left += self.piece_bytes(piece);
        self.settled.remove(piece);
        if let Some(picker) = &mut self.picker {
            picker.put_back(piece);
        } else {
            self.picker = Some(Picker::new(&self.settled, self.config.sequential));
            let keys: Vec<PeerKey> = self.peers.keys().copied().collect();
            for key in keys {
                self.count(key);
            }
        }
        let holders: Vec<PeerKey> = self
            .peers
            .iter_mut()
            .filter(|(_, peer)| peer.pieces.contains(piece))
            .map(|(key, peer)| {
                peer.wanted += 1;
                *key
            })
            .collect();
        for key in holders {
            self.update_interest(key);
        }
        self.refill_all = true;
    }
}
