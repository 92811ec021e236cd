//! What a peer's message means: each number is checked against the torrent's geometry before it is
//! used, and each message that brings nothing costs the peer some patience. It picks no blocks.

use std::time::Instant;

use metainfo::PieceSet;
use wire::{Message, Request};

use super::Torrent;
use crate::border::PeerKey;
use crate::close::CloseReason;
use crate::limits::{HAVE_LEN, cost};
use crate::metadata::Early;
use crate::pieces::Pieces;

impl Torrent {
    pub(super) fn message(&mut self, now: Instant, key: PeerKey, message: Message) {
        if let Err(reason) = self.take_message(now, key, message) {
            self.close(now, key, reason);
        }
    }

    fn take_message(
        &mut self,
        now: Instant,
        key: PeerKey,
        message: Message,
    ) -> Result<(), CloseReason> {
        // Messages of a connection that was closed may still be on their way here.
        let Some(peer) = self.peers.get_mut(&key) else { return Ok(()) };
        let first = !peer.spoke;
        if is_fast(&message) && peer.fast.is_none() {
            return Err(CloseReason::NotFast);
        }
        peer.spoke |= !matches!(message, Message::KeepAlive | Message::Extended { .. });
        match message {
            Message::Choke => {
                self.charge(now, key, cost::STATE_CHANGE, CloseReason::StateFlood)?;
                self.choked(key);
            }
            Message::Unchoke => {
                self.charge(now, key, cost::STATE_CHANGE, CloseReason::StateFlood)?;
                if let Some(peer) = self.peers.get_mut(&key) {
                    peer.peer_choking = false;
                }
                self.want_refill(key);
            }
            Message::Interested => {
                self.peer_interest(now, key, true)?;
            }
            Message::NotInterested => {
                self.peer_interest(now, key, false)?;
            }
            Message::Have(piece) if !self.begun => self.early(now, key, |e| e.have(piece))?,
            Message::Bitfield(bits) if !self.begun => {
                self.early(now, key, |e| e.bitfield(&bits))?;
            }
            Message::HaveAll if !self.begun => self.early(now, key, Early::have_all)?,
            Message::HaveNone if !self.begun => self.early(now, key, Early::have_none)?,
            // Of pieces that nobody can ask for yet.
            Message::Suggest(_) | Message::AllowedFast(_) if !self.begun => {
                self.charge(now, key, cost::HINT, CloseReason::HintFlood)?;
            }
            Message::Have(piece) => self.peer_has(now, key, piece)?,
            Message::Bitfield(bits) if first => {
                self.bitfield(key, &bits)?;
                self.told(now, key);
            }
            Message::HaveAll => self.have_all(now, key)?,
            Message::HaveNone => self.have_none(now, key)?,
            Message::Suggest(piece) => self.suggested(now, key, piece)?,
            Message::AllowedFast(piece) => self.allowed_fast(now, key, piece)?,
            Message::Reject(request) => self.rejected(now, key, request)?,
            Message::Bitfield(bits) => self.late_bitfield(now, key, &bits)?,
            Message::Request(request) => self.request(now, key, request)?,
            Message::Cancel(Request { piece, offset, len }) => {
                let block = self.layout.range(piece, offset, len);
                self.cancelled(key, block.ok_or(CloseReason::RequestOutOfRange)?);
                self.charge(now, key, cost::CANCEL, CloseReason::Chatter)?;
            }
            Message::Piece { piece, offset, payload } => {
                self.block(now, key, piece, offset, payload)?;
            }
            Message::Extended { id, payload } => self.extended(now, key, id, &payload)?,
            // Keep-alives, and messages of extensions that are not ours.
            _ => self.charge(now, key, cost::KEEP_ALIVE, CloseReason::Chatter)?,
        }
        Ok(())
    }

    /// Takes the cost of a message that brought nothing off the peer's patience.
    pub(super) fn charge(
        &mut self,
        now: Instant,
        key: PeerKey,
        cost: u64,
        reason: CloseReason,
    ) -> Result<(), CloseReason> {
        let peer = self.peers.get_mut(&key);
        let patient = peer.is_none_or(|peer| peer.patience.take(now, cost));
        if patient { Ok(()) } else { Err(reason) }
    }

    /// The peer chokes us: what it owed us will not come, and is asked of others; with the fast
    /// extension it answers each request still.
    fn choked(&mut self, key: PeerKey) {
        if let Some(peer) = self.peers.get_mut(&key)
            && !std::mem::replace(&mut peer.peer_choking, true)
            && peer.fast.is_none()
        {
            self.give_up_requests(key);
        }
    }

    fn peer_has(&mut self, now: Instant, key: PeerKey, piece: u32) -> Result<(), CloseReason> {
        let piece = self.layout.piece(piece).ok_or(CloseReason::HaveOutOfRange)?;
        let Some(peer) = self.peers.get_mut(&key) else { return Ok(()) };
        if !peer.pieces.insert(piece, self.layout.piece_count()) {
            return self.charge(now, key, cost::HAVE_AGAIN, CloseReason::HaveFlood);
        }
        peer.uploads.queue.announced(piece);
        if let Some(picker) = &mut self.picker {
            picker.add(piece);
        }
        if !self.settled.contains(piece) {
            peer.wanted += 1;
            peer.cursor.wake(piece);
            self.update_interest(key);
            self.move_requests(now, key, piece);
            self.want_refill(key);
        }
        self.not_two_seeds(key)
    }

    fn bitfield(&mut self, key: PeerKey, bits: &[u8]) -> Result<(), CloseReason> {
        let set = PieceSet::from_wire(bits, self.layout.piece_count())
            .map_err(|_| CloseReason::BadBitfield)?;
        self.begins_with(key, Pieces::from_set(set))
    }

    /// The first word on what a peer has.
    pub(super) fn begins_with(&mut self, key: PeerKey, pieces: Pieces) -> Result<(), CloseReason> {
        let Some(peer) = self.peers.get_mut(&key) else { return Ok(()) };
        peer.pieces = pieces;
        peer.wanted = peer.pieces.missing_from(&self.settled);
        self.count(key);
        self.update_interest(key);
        self.not_two_seeds(key)
    }

    /// A bitfield in the middle of a conversation stands for the haves it is made of: aria2 sends one
    /// where that is shorter than many haves. What it does not name is not taken back.
    fn late_bitfield(
        &mut self,
        now: Instant,
        key: PeerKey,
        bits: &[u8],
    ) -> Result<(), CloseReason> {
        let set = PieceSet::from_wire(bits, self.layout.piece_count())
            .map_err(|_| CloseReason::BadBitfield)?;
        let Some(peer) = self.peers.get(&key) else { return Ok(()) };
        let new: Vec<_> = set.iter().filter(|piece| !peer.pieces.contains(*piece)).collect();
        if new.len() * HAVE_LEN < bits.len() {
            self.charge(now, key, cost::BITFIELD_AGAIN, CloseReason::HaveFlood)?;
        }
        new.into_iter().try_for_each(|piece| self.peer_has(now, key, piece.get()))
    }

    /// A peer that has everything, or wants nothing, and we, who want nothing more, have nothing to say
    /// to each other.
    pub(super) fn not_two_seeds(&self, key: PeerKey) -> Result<(), CloseReason> {
        match self.peers.get(&key) {
            Some(peer) if peer.wants_nothing() && self.is_complete() => Err(CloseReason::BothSeeds),
            _ => Ok(()),
        }
    }

    /// Tells the peer whether we want anything it has, if that changed.
    pub(super) fn update_interest(&mut self, key: PeerKey) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        let interested = peer.wanted > 0;
        if std::mem::replace(&mut peer.am_interested, interested) != interested {
            let message = if interested { Message::Interested } else { Message::NotInterested };
            self.send(key, message);
        }
    }
}

/// Whether only peers that speak the fast extension may send it (BEP 6).
fn is_fast(message: &Message) -> bool {
    matches!(
        message,
        Message::HaveAll
            | Message::HaveNone
            | Message::Suggest(_)
            | Message::Reject(_)
            | Message::AllowedFast(_)
    )
}
