//! Asking for blocks and taking them in. Pieces that are begun come first, then the rarest; a
//! block that is due from a peer that can't give it any more goes back at once.
//! It doesn't judge pieces.

use std::time::Instant;

use metainfo::{Block, PieceIndex};
use wire::{Message, Payload, Request};

use super::Torrent;
use crate::border::{Action, DiskJob, PeerKey};
use crate::close::CloseReason;
use crate::limits::{LIMITED_TURN, MAX_UNREQUESTED};
use crate::partial::{Partial, Received};
use crate::peer::Peer;
use crate::requests::Arrival;

impl Torrent {
    /// The peer gets a turn in the next round of asking.
    pub(super) fn want_refill(&mut self, key: PeerKey) {
        if let Some(peer) = self.peers.get_mut(&key)
            && peer.can_be_asked()
            && !std::mem::replace(&mut peer.wants_refill, true)
        {
            self.refills.push_back(key);
        }
    }

    /// Fills the request windows of all peers that wait for it, as far as the limit allows.
    pub(super) fn refill_round(&mut self, now: Instant) {
        if std::mem::take(&mut self.refill_all) {
            for (key, peer) in &mut self.peers {
                if peer.can_be_asked() && !std::mem::replace(&mut peer.wants_refill, true) {
                    self.refills.push_back(*key);
                }
            }
        }
        if self.halted || self.is_complete() {
            self.drop_refills();
            return;
        }
        while let Some(key) = self.refills.front().copied() {
            if self.download_limit.as_ref().is_some_and(|limit| !limit.is_open(now)) {
                return;
            }
            self.refills.pop_front();
            let Some(peer) = self.peers.get_mut(&key) else { continue };
            peer.wants_refill = false;
            self.refill(now, key);
        }
    }

    fn drop_refills(&mut self) {
        for key in self.refills.drain(..) {
            if let Some(peer) = self.peers.get_mut(&key) {
                peer.wants_refill = false;
            }
        }
    }

    fn refill(&mut self, now: Instant, key: PeerKey) {
        let Some(peer) = self.peers.get(&key) else { return };
        if !peer.can_be_asked() {
            return;
        }
        let (mut room, choking) = (peer.pipeline.room(), peer.peer_choking);
        // Under a limit, peers share it in small turns; else the first would use it all up.
        let limited = self.download_limit.is_some();
        let turn = if limited { room.min(LIMITED_TURN) } else { room };
        let mut open_at = 0;
        for _ in 0..turn {
            if self.download_limit.as_ref().is_some_and(|limit| !limit.is_open(now)) {
                break;
            }
            let block = if choking {
                self.allowed_block(key)
            } else {
                let block = self.sole_block(key).or_else(|| self.next_open(key, &mut open_at));
                let block = block.or_else(|| {
                    self.begin_piece(key)?;
                    self.next_open(key, &mut open_at)
                });
                block.or_else(|| self.end_game_block(now, key))
            };
            let Some(block) = block else { return };
            self.ask(now, key, block);
            room -= 1;
        }
        if limited && room > 0 {
            self.want_refill(key);
        }
    }

    /// A block of a piece that is begun. `at`: open pieces before it have nothing for this peer.
    fn next_open(&mut self, key: PeerKey, at: &mut usize) -> Option<Block> {
        let peer = self.peers.get(&key)?;
        while let Some(piece) = self.partials.open().get(*at).copied() {
            let partial = self.partials.get(piece)?;
            let ownerless = partial.is_whole() && partial.owner().is_none();
            let open = partial.open_to(key) && (!ownerless || self.best_owner(peer, piece));
            if open && peer.pieces.contains(piece) {
                return self.partials.ask(piece, key);
            }
            *at += 1;
        }
        None
    }

    /// A piece that must come whole from one peer goes to one that delivers, if there is any: one
    /// that only promised would hold it up until it is snubbed. Whose host held this piece up before
    /// gets it last.
    fn best_owner(&self, me: &Peer, piece: PieceIndex) -> bool {
        let held_up = self.partials.get(piece).map_or(&[][..], Partial::held_up_by);
        let rank = |peer: &Peer| (!held_up.contains(&peer.host()), peer.standing());
        let better = |peer: &&Peer| !peer.peer_choking && rank(peer) > rank(me);
        !self.peers.values().filter(better).any(|peer| peer.pieces.contains(piece))
    }

    fn begin_piece(&mut self, key: PeerKey) -> Option<PieceIndex> {
        let suggested = self.suggested_piece(key);
        let (peer, picker) = (self.peers.get_mut(&key)?, self.picker.as_mut()?);
        let pick = || picker.pick(&peer.pieces, &mut peer.cursor, &mut self.rng);
        let piece = suggested.or_else(pick)?;
        picker.take(piece);
        self.partials.begin(piece, false);
        Some(piece)
    }

    fn ask(&mut self, now: Instant, key: PeerKey, block: Block) {
        if let Some(limit) = &self.download_limit {
            limit.spend(u64::from(block.len()));
        }
        if let Some(peer) = self.peers.get_mut(&key) {
            peer.pipeline.ask(now, block);
        }
        self.send(key, Message::Request(request(block)));
    }

    /// So many bytes that the download limit let pass do not come.
    pub(super) fn refund_download(&self, bytes: u64) {
        if let Some(limit) = self.download_limit.as_ref().filter(|_| bytes > 0) {
            limit.refund(bytes);
        }
    }

    /// Takes back all that the peer owes us, to ask it of others.
    pub(super) fn give_up_requests(&mut self, key: PeerKey) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        let mut unused = 0;
        for block in peer.pipeline.give_up() {
            unused += u64::from(block.len());
            self.release(block, key);
            self.refill_all = true;
        }
        self.refund_download(unused);
        for piece in self.partials.owned_by(key) {
            self.restart(piece);
        }
    }

    /// A piece that must come from one peer loses that peer: it is fetched again from the start.
    pub(super) fn restart(&mut self, piece: PieceIndex) {
        self.partials.restart(piece);
        self.actions.push_back(Action::Disk(DiskJob::Discard { piece }));
        self.refill_all = true;
    }

    /// The block is not due from this peer any more. A piece of which nothing is here or due is not
    /// begun any more.
    pub(super) fn release(&mut self, block: Block, key: PeerKey) {
        let heir = self.end_game.released(block, key);
        self.partials.release(block, key, heir);
        let piece = block.piece();
        if let (true, Some(picker)) = (self.partials.is_untouched(piece), &mut self.picker) {
            self.partials.remove(piece);
            picker.put_back(piece);
        }
    }

    /// A block came.
    pub(super) fn block(
        &mut self,
        now: Instant,
        key: PeerKey,
        piece: u32,
        offset: u32,
        payload: Payload,
    ) -> Result<(), CloseReason> {
        let len = u32::try_from(payload.len()).map_err(|_| CloseReason::PieceOutOfRange)?;
        let block = self.layout.range(piece, offset, len).ok_or(CloseReason::PieceOutOfRange)?;
        let Some(peer) = self.peers.get_mut(&key) else { return Ok(()) };
        self.down.add(u64::from(len));
        let arrival = peer.pipeline.arrived(now, block);
        if arrival != Arrival::Due
            && let Some(limit) = &self.download_limit
        {
            // It was not asked for, or what was let pass for it came back.
            limit.charge(now, u64::from(len));
        }
        if arrival == Arrival::Unrequested {
            peer.unrequested += 1;
            let too_many = peer.unrequested > MAX_UNREQUESTED;
            self.waste(block);
            return if too_many { Err(CloseReason::Unrequested) } else { Ok(()) };
        }
        peer.down.add(u64::from(len));
        peer.last_payload = now;
        let from = peer.identity();
        match self.partials.receive(block, key, from) {
            Received::Useless => {
                self.waste(block);
                self.end_game_waste(key);
            }
            Received::Needed { asked, complete } => {
                if arrival == Arrival::Late
                    && let Some(peer) = self.peers.get_mut(&key)
                {
                    peer.pipeline.delivers(now);
                }
                let others = self.end_game.arrived(block).into_iter().chain(asked);
                for other in others.filter(|other| *other != key) {
                    self.cancel(now, other, block);
                }
                self.actions.push_back(Action::Disk(DiskJob::Write { block, payload }));
                if complete {
                    let piece = block.piece();
                    let digests = self.bans.has_evidence(piece);
                    self.actions.push_back(Action::Disk(DiskJob::Check { piece, digests }));
                }
            }
        }
        self.want_refill(key);
        Ok(())
    }

    /// Tells another peer that its block is not needed any more.
    fn cancel(&mut self, now: Instant, key: PeerKey, block: Block) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        let likely_lost = !peer.pipeline.is_stale(now);
        if peer.pipeline.cancel(block) {
            if likely_lost {
                self.end_game.cancelled(now);
            }
            self.refund_download(u64::from(block.len()));
            self.send(key, Message::Cancel(request(block)));
            self.want_refill(key);
        }
    }

    fn waste(&mut self, block: Block) {
        self.wasted.add(u64::from(block.len()));
        self.wasted_blocks += 1;
    }
}

pub(super) fn request(block: Block) -> Request {
    Request { piece: block.piece().get(), offset: block.offset(), len: block.len() }
}
