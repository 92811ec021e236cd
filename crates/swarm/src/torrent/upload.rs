//! Serving: requests are kept while we unchoke, read as far as the peer's buffer allows, and sent.
//! It also carries out what the choker decides. Who deserves a slot is not decided here.

use std::collections::BTreeSet;
use std::time::Instant;

use metainfo::Block;
use wire::{Message, Payload, Request};

use super::Torrent;
use crate::border::{Action, DiskJob, PeerKey};
use crate::choker::Contender;
use crate::close::CloseReason;
use crate::limits::{
    ALLOWED_FAST, INTEREST_PER_PIECE, UNREAD_MOST, UPLOAD_BUFFER_ALL, UPLOAD_SCARCE, cost,
};
use crate::peer::Peer;

impl Torrent {
    pub(super) fn request(
        &mut self,
        now: Instant,
        key: PeerKey,
        request: Request,
    ) -> Result<(), CloseReason> {
        let Request { piece, offset, len } = request;
        let block = self.layout.range(piece, offset, len).ok_or(CloseReason::RequestOutOfRange)?;
        let Some(peer) = self.peers.get_mut(&key) else { return Ok(()) };
        let granted =
            |peer: &Peer| peer.fast.as_ref().is_some_and(|fast| fast.grants(block.piece()));
        let begins = || peer.pieces.count(self.layout.piece_count()) as usize <= ALLOWED_FAST;
        let (host, len) = (peer.host(), u64::from(block.len()));
        let have = self.have.contains(block.piece());
        if !have
            || (peer.am_choking
                && !(granted(peer) && begins() && self.accounts.give_fast(now, host, len)))
            || !peer.uploads.queue.push(now, block)
        {
            self.reject(key, block);
            return self.charge(now, key, cost::REQUEST_DROPPED, CloseReason::RequestFlood);
        }
        self.want_service(key);
        Ok(())
    }

    pub(super) fn cancelled(&mut self, key: PeerKey, block: Block) {
        if self.peers.get_mut(&key).is_some_and(|peer| peer.uploads.cancel(block)) {
            self.reject(key, block);
        }
    }

    fn want_service(&mut self, key: PeerKey) {
        if let Some(peer) = self.peers.get_mut(&key)
            && peer.uploads.is_ready()
            && !std::mem::replace(&mut peer.wants_service, true)
        {
            self.services.push_back(key);
        }
    }

    /// Reads blocks for all peers that wait for it, as far as the limit and the buffers allow. Peers
    /// take turns; under a limit, who asks for what fewest others have goes first.
    pub(super) fn serve_round(&mut self, now: Instant) {
        while !self.services.is_empty() {
            let full = self.upload_buffered >= UPLOAD_BUFFER_ALL;
            if full || self.upload_limit.as_ref().is_some_and(|limit| !limit.is_open(now)) {
                return;
            }
            let Some(key) = self.next_service(now) else { return };
            let Some(peer) = self.peers.get_mut(&key) else { continue };
            peer.wants_service = false;
            let Some((_, block)) = peer.uploads.next(now) else { continue };
            let (piece, len) = (block.piece(), u64::from(block.len()));
            let begins = peer.uploads.start(block, u64::from(self.layout.piece_len(piece)));
            self.upload_buffered += len;
            if let Some(limit) = &self.upload_limit {
                limit.spend(len);
            }
            self.actions.push_back(Action::Disk(DiskJob::Read { peer: key, block }));
            if begins {
                self.one_more_copy(piece);
            }
            self.want_service(key);
        }
    }

    /// The disk read a block for a peer, or failed to.
    pub(super) fn read(&mut self, key: PeerKey, block: Block, payload: Option<Payload>) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        let before = peer.uploads.in_flight();
        let wanted = peer.uploads.read(block, payload.is_some());
        let freed = before - peer.uploads.in_flight();
        self.upload_buffered = self.upload_buffered.saturating_sub(freed);
        if let Some(limit) = self.upload_limit.as_ref().filter(|_| freed > 0) {
            limit.refund(freed);
        }
        if let (true, Some(payload)) = (wanted, payload) {
            if self.layout.has_padding() {
                let padding = self.layout.padding_in(block).map(|part| part.len() as u64).sum();
                peer.uploads.queued_padding(padding);
            }
            let (piece, offset) = (block.piece().get(), block.offset());
            self.send(key, Message::Piece { piece, offset, payload });
        } else if wanted {
            self.reject(key, block);
        }
        self.want_service(key);
    }

    /// So many bytes that the upload limit let pass are not sent.
    pub(super) fn refund_upload(&self, bytes: u64) {
        if let Some(limit) = self.upload_limit.as_ref().filter(|_| bytes > 0) {
            limit.refund(bytes);
        }
    }

    /// Bytes reached a peer's socket. Zeros that the peer could have known are not counted as given.
    pub(super) fn drained(&mut self, now: Instant, key: PeerKey, bytes: u32) {
        let counted = self.freed(key, bytes);
        self.up.add(counted);
        if let Some(peer) = self.peers.get_mut(&key) {
            peer.up.add(counted);
            peer.last_payload = now;
        }
    }

    /// Closes peers that hold memory which others need and read next to nothing of it for long. To be
    /// called once a second.
    pub(super) fn close_slow_readers(&mut self, now: Instant) {
        if self.upload_buffered < UPLOAD_SCARCE {
            return;
        }
        let holds = |peer: &Peer| peer.is_idle(now) && peer.uploads.unread() >= UNREAD_MOST;
        let slow: Vec<PeerKey> =
            self.peers.iter().filter(|(_, peer)| holds(peer)).map(|(key, _)| *key).collect();
        for key in slow {
            self.close(now, key, CloseReason::SlowReader);
        }
    }

    /// Bytes left a peer's queue. Gives how many were known to be in it, without padding.
    pub(super) fn freed(&mut self, key: PeerKey, bytes: u32) -> u64 {
        let Some(peer) = self.peers.get_mut(&key) else { return 0 };
        let counted = peer.uploads.drained(u64::from(bytes));
        self.upload_buffered = self.upload_buffered.saturating_sub(counted);
        let counted = peer.uploads.without_padding(counted);
        self.want_service(key);
        counted
    }

    /// Interest really changes as often as pieces come, which may be very often; saying the same
    /// again, or changing it without any piece to cause that, is chatter. An unchoked peer that loses interest keeps its slot until the next round,
    /// so that this makes no chokes and unchokes.
    pub(super) fn peer_interest(
        &mut self,
        now: Instant,
        key: PeerKey,
        interested: bool,
    ) -> Result<(), CloseReason> {
        let Some(peer) = self.peers.get_mut(&key) else { return Ok(()) };
        if std::mem::replace(&mut peer.peer_interested, interested) == interested {
            return self.charge(now, key, cost::INTEREST_AGAIN, CloseReason::StateFlood);
        }
        self.fill_slots |= interested;
        peer.interest_changes += 1;
        let theirs = peer.pieces.count(self.layout.piece_count());
        let pieces = u64::from(theirs) + u64::from(self.have.count());
        if peer.interest_changes > pieces * INTEREST_PER_PIECE {
            return self.charge(now, key, cost::INTEREST_AGAIN, CloseReason::StateFlood);
        }
        Ok(())
    }

    /// Gives slots that are free to peers that want something, without waiting for the next round.
    pub(super) fn fill_slots(&mut self, now: Instant) {
        let taken = self.peers.values().filter(|peer| !peer.am_choking).count();
        let slots = self.config.unchoke_slots + usize::from(self.is_complete());
        let free = slots.saturating_sub(taken);
        if free == 0 {
            return;
        }
        let mut contenders = self.contenders(|_| 0);
        self.choker.rank(now, &mut contenders);
        let waiting = contenders.into_iter().filter(|c| !c.unchoked);
        waiting.take(free).for_each(|c| self.unchoke(now, c.peer));
    }

    /// Those that want something of us, and what each gave.
    fn contenders(&mut self, gave: impl Fn(&mut Peer) -> u64) -> Vec<Contender> {
        let mut contenders = Vec::new();
        for (key, peer) in &mut self.peers {
            let gave = gave(peer);
            if peer.wants_upload() {
                contenders.push(Contender {
                    peer: *key,
                    host: peer.host(),
                    gave,
                    unchoked: !peer.am_choking,
                    turned: peer.turned,
                    tried: peer.tried,
                    lot: self.rng.u32(..),
                });
            }
        }
        contenders
    }

    /// The choker decides anew.
    pub(super) fn choke_round(&mut self, now: Instant) {
        let seeding = self.is_complete();
        let contenders = self.contenders(|peer| {
            let gave = peer.down.mark();
            if seeding { 0 } else { gave }
        });
        let before = self.choker.optimistic();
        let slots = self.config.unchoke_slots;
        let unchoked: BTreeSet<PeerKey> = self.choker.round(now, slots, seeding, contenders);
        let optimistic = self.choker.optimistic();
        if let Some(peer) = optimistic.and_then(|key| self.peers.get_mut(&key))
            && before != optimistic
        {
            peer.tried = Some(now);
            self.choker.tried(now, peer.host());
        }
        let choked: Vec<PeerKey> =
            self.peers.keys().filter(|key| !unchoked.contains(key)).copied().collect();
        for key in choked {
            self.choke(now, key);
        }
        for key in unchoked {
            self.unchoke(now, key);
        }
    }

    /// Chokes the peer, if it isn't: its requests are forgotten (BEP 3), or rejected but for those of
    /// pieces that it is granted (BEP 6).
    pub(super) fn choke(&mut self, now: Instant, key: PeerKey) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        if !std::mem::replace(&mut peer.am_choking, true) {
            peer.turned = Some(now);
            self.choker.turned(now, peer.host());
            let fast = peer.fast.as_deref();
            let kept = |piece| fast.is_some_and(|fast| fast.grants(piece));
            let dropped = peer.uploads.clear(kept);
            self.send(key, Message::Choke);
            for block in dropped {
                self.reject(key, block);
            }
        }
    }

    fn unchoke(&mut self, now: Instant, key: PeerKey) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        if std::mem::replace(&mut peer.am_choking, false) {
            peer.turned = Some(now);
            self.choker.turned(now, peer.host());
            self.send(key, Message::Unchoke);
        }
    }
}
