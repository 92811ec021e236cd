//! The fast extension (BEP 6): whole statements on what a peer has, rejects that send a block
//! elsewhere at once, hints, and pieces that are given to choked beginners.

use std::time::Instant;

use metainfo::{Block, PieceIndex};
use wire::{Message, Request};

use super::Torrent;
use crate::border::PeerKey;
use crate::close::CloseReason;
use crate::fast::{Fast, allowed_set};
use crate::limits::{ALLOWED_FAST, ALLOWED_FAST_BYTES, cost};
use crate::pieces::Pieces;
use crate::requests::Arrival;

impl Torrent {
    pub(super) fn have_all(&mut self, now: Instant, key: PeerKey) -> Result<(), CloseReason> {
        self.may_begin(key)?;
        self.begins_with(key, Pieces::All)?;
        self.told(now, key);
        Ok(())
    }

    pub(super) fn have_none(&mut self, now: Instant, key: PeerKey) -> Result<(), CloseReason> {
        self.may_begin(key)?;
        self.told(now, key);
        Ok(())
    }

    /// A whole statement stands at the beginning, where nothing contradicts it.
    fn may_begin(&self, key: PeerKey) -> Result<(), CloseReason> {
        let begins = self.peers.get(&key).is_none_or(|peer| {
            let told = peer.fast.as_ref().is_some_and(|fast| fast.told);
            !told && matches!(peer.pieces, Pieces::Nothing)
        });
        if begins { Ok(()) } else { Err(CloseReason::BadHaveAll) }
    }

    /// The peer has said what it has. One that has little is granted a few pieces of ours.
    pub(super) fn told(&mut self, now: Instant, key: PeerKey) {
        let pieces = self.layout.piece_count();
        let Some(peer) = self.peers.get_mut(&key) else { return };
        let begins = peer.pieces.count(pieces) as usize <= ALLOWED_FAST && !peer.is_upload_only();
        let (ip, host) = (peer.addr.ip(), peer.host());
        let (Some(fast), Some(info_hash)) = (&mut peer.fast, self.config.info_hash) else { return };
        fast.told = true;
        if !begins || fast.is_granted() || self.have.is_empty() {
            return;
        }
        if !self.accounts.may_have_fast(now, host) {
            return;
        }
        let affordable = ALLOWED_FAST_BYTES / u64::from(self.layout.piece_length()).max(1);
        let count = ALLOWED_FAST.min(usize::try_from(affordable).unwrap_or(ALLOWED_FAST));
        let mut set = allowed_set(ip, info_hash, pieces, count);
        set.retain(|piece| self.have.contains(*piece) && !peer.pieces.contains(*piece));
        fast.grant(set.clone());
        for piece in set {
            self.send(key, Message::AllowedFast(piece.get()));
        }
    }

    /// The peer suggests a piece, which it may have in memory or want to see spread: the next one we
    /// begin with it, if it has it. In sequence the reader's order goes first.
    pub(super) fn suggested(
        &mut self,
        now: Instant,
        key: PeerKey,
        piece: u32,
    ) -> Result<(), CloseReason> {
        let piece = self.layout.piece(piece).ok_or(CloseReason::HintOutOfRange)?;
        let sequential = self.config.sequential;
        if let Some(fast) = self.fast(key).filter(|_| !sequential) {
            fast.suggested = Some(piece);
        }
        self.charge(now, key, cost::HINT, CloseReason::HintFlood)
    }

    /// The peer allows us a piece while it chokes us.
    pub(super) fn allowed_fast(
        &mut self,
        now: Instant,
        key: PeerKey,
        piece: u32,
    ) -> Result<(), CloseReason> {
        let piece = self.layout.piece(piece).ok_or(CloseReason::HintOutOfRange)?;
        if self.fast(key).is_some_and(|fast| fast.allow(piece)) {
            self.want_refill(key);
        }
        self.charge(now, key, cost::HINT, CloseReason::HintFlood)
    }

    /// The peer will not answer a request, so the block goes elsewhere at once.
    pub(super) fn rejected(
        &mut self,
        now: Instant,
        key: PeerKey,
        request: Request,
    ) -> Result<(), CloseReason> {
        let Request { piece, offset, len } = request;
        let block = self.layout.range(piece, offset, len).ok_or(CloseReason::RequestOutOfRange)?;
        let Some(peer) = self.peers.get_mut(&key) else { return Ok(()) };
        match peer.pipeline.rejected(block) {
            Arrival::Due => {}
            Arrival::Late => return Ok(()),
            Arrival::Unrequested => {
                return self.charge(now, key, cost::REJECT_UNASKED, CloseReason::RejectFlood);
            }
        }
        if !peer.peer_choking {
            peer.pipeline.rest(now);
        } else if let Some(fast) = &mut peer.fast {
            fast.disallow(block.piece());
        }
        self.refund_download(u64::from(block.len()));
        self.release(block, key);
        // A piece that must come whole from this peer would wait for what does not come.
        for piece in self.partials.owned_by(key) {
            if piece == block.piece() {
                self.restart(piece);
            }
        }
        self.refill_all = true;
        Ok(())
    }

    /// A block for a peer that chokes us, of the pieces it allows us.
    pub(super) fn allowed_block(&mut self, key: PeerKey) -> Option<Block> {
        let peer = self.peers.get(&key)?;
        let picker = self.picker.as_mut()?;
        for piece in peer.allowed_fast().iter().copied().filter(|p| peer.pieces.contains(*p)) {
            if picker.is_listed(piece) {
                picker.take(piece);
                self.partials.begin(piece, false);
            }
            let open = self.partials.get(piece).is_some_and(|partial| !partial.is_whole());
            if let Some(block) = open.then(|| self.partials.ask(piece, key)).flatten() {
                return Some(block);
            }
        }
        None
    }

    /// The suggested piece, if it can be begun with this peer. A suggestion is good once.
    pub(super) fn suggested_piece(&mut self, key: PeerKey) -> Option<PieceIndex> {
        let peer = self.peers.get_mut(&key)?;
        let piece = peer.fast.as_mut()?.suggested.take()?;
        let listed = self.picker.as_ref().is_some_and(|picker| picker.is_listed(piece));
        (listed && peer.pieces.contains(piece)).then_some(piece)
    }

    /// Tells the peer that its request gets no block, if it can be told.
    pub(super) fn reject(&mut self, key: PeerKey, block: Block) {
        if self.fast(key).is_some() {
            let (piece, offset, len) = (block.piece().get(), block.offset(), block.len());
            self.send(key, Message::Reject(Request { piece, offset, len }));
        }
    }

    fn fast(&mut self, key: PeerKey) -> Option<&mut Fast> {
        self.peers.get_mut(&key)?.fast.as_deref_mut()
    }
}
