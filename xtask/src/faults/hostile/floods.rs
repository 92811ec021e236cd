//! Hostile peers that say something wrong, or far too much, right after the handshake. Each plays
//! one connection that the program made, until the program ends it.

use std::thread;
use std::time::Duration;

use testkit::message::Message;
use testkit::peer::{Handshake, Peer};
use testkit::torrent::Torrent;

use super::seeds::{answer, hold};
use crate::Result;

/// Messages of a flood: many times what any limit allows.
const FLOOD: usize = 50_000;
/// Blocks of a flood.
const BLOCKS: u32 = 100;
const BLOCK: u32 = 16 << 10;

/// Shakes hands, sends these bytes and waits for the end.
fn says(mut peer: Peer, torrent: &Torrent, bytes: &[u8]) -> Result<()> {
    answer(&mut peer, torrent, "says")?;
    peer.send_raw(bytes)?;
    hold(peer)
}

/// Shakes hands and says these messages over and over.
fn repeats(mut peer: Peer, torrent: &Torrent, messages: &[Message]) -> Result<()> {
    answer(&mut peer, torrent, "repeats")?;
    peer.send(&Message::Bitfield(torrent.full_bitfield()))?;
    let once: Vec<u8> = messages.iter().flat_map(Message::encode).collect();
    let many = once.repeat(100);
    for _ in 0..FLOOD / 100 {
        peer.send_raw(&many)?;
    }
    hold(peer)
}

pub(super) fn giant(peer: Peer, torrent: &Torrent) -> Result<()> {
    says(peer, torrent, &[0xff; 5])
}

pub(super) fn too_long(peer: Peer, torrent: &Torrent) -> Result<()> {
    says(peer, torrent, &[0, 0x10, 0, 1, 200])
}

pub(super) fn choke_with_body(peer: Peer, torrent: &Torrent) -> Result<()> {
    says(peer, torrent, &[0, 0, 0, 2, 0, 0])
}

pub(super) fn empty_block(peer: Peer, torrent: &Torrent) -> Result<()> {
    says(peer, torrent, &Message::Piece { piece: 0, offset: 0, data: Vec::new() }.encode())
}

pub(super) fn truncated(mut peer: Peer, torrent: &Torrent) -> Result<()> {
    answer(&mut peer, torrent, "truncated")?;
    let data = vec![0; BLOCK as usize];
    let message = Message::Piece { piece: 0, offset: 0, data }.encode();
    peer.send_raw(&message[..message.len() / 2])
}

pub(super) fn dripped(mut peer: Peer, torrent: &Torrent) -> Result<()> {
    answer(&mut peer, torrent, "dripped")?;
    let data = vec![0; BLOCK as usize];
    for byte in (Message::Piece { piece: 0, offset: 0, data }).encode() {
        peer.send_raw(&[byte])?;
        thread::sleep(Duration::from_millis(500));
    }
    hold(peer)
}

pub(super) fn long_bitfield(peer: Peer, torrent: &Torrent) -> Result<()> {
    let bits = vec![0; torrent.full_bitfield().len() + 1];
    says(peer, torrent, &Message::Bitfield(bits).encode())
}

pub(super) fn short_bitfield(peer: Peer, torrent: &Torrent) -> Result<()> {
    says(peer, torrent, &Message::Bitfield(vec![0xff]).encode())
}

pub(super) fn spare_bits(peer: Peer, torrent: &Torrent) -> Result<()> {
    let bits = vec![0xff; torrent.full_bitfield().len()];
    says(peer, torrent, &Message::Bitfield(bits).encode())
}

pub(super) fn have_out_of_range(peer: Peer, torrent: &Torrent) -> Result<()> {
    says(peer, torrent, &Message::Have(torrent.piece_count()).encode())
}

pub(super) fn request_out_of_range(peer: Peer, torrent: &Torrent) -> Result<()> {
    let piece = torrent.piece_count();
    says(peer, torrent, &Message::Request { piece, offset: 0, len: BLOCK }.encode())
}

pub(super) fn request_too_long(peer: Peer, torrent: &Torrent) -> Result<()> {
    says(peer, torrent, &Message::Request { piece: 0, offset: 0, len: 2 * BLOCK + 1 }.encode())
}

pub(super) fn block_out_of_range(peer: Peer, torrent: &Torrent) -> Result<()> {
    let (piece, data) = (torrent.piece_count(), vec![0; BLOCK as usize]);
    says(peer, torrent, &Message::Piece { piece, offset: 0, data }.encode())
}

pub(super) fn keep_alives(peer: Peer, torrent: &Torrent) -> Result<()> {
    repeats(peer, torrent, &[Message::KeepAlive])
}

pub(super) fn unknown(peer: Peer, torrent: &Torrent) -> Result<()> {
    repeats(peer, torrent, &[Message::Other { id: 200, body: vec![0; 100] }])
}

pub(super) fn choke_storm(peer: Peer, torrent: &Torrent) -> Result<()> {
    repeats(peer, torrent, &[Message::Unchoke, Message::Choke])
}

pub(super) fn interest_storm(peer: Peer, torrent: &Torrent) -> Result<()> {
    repeats(peer, torrent, &[Message::Interested, Message::NotInterested])
}

pub(super) fn haves(peer: Peer, torrent: &Torrent) -> Result<()> {
    repeats(peer, torrent, &[Message::Have(0)])
}

pub(super) fn cancels(peer: Peer, torrent: &Torrent) -> Result<()> {
    repeats(peer, torrent, &[Message::Cancel { piece: 0, offset: 0, len: BLOCK }])
}

pub(super) fn unrequested(peer: Peer, torrent: &Torrent) -> Result<()> {
    says(peer, torrent, &blocks(torrent))
}

/// Blocks in the same breath as the handshake, before anybody can have asked for any.
pub(super) fn early(mut peer: Peer, torrent: &Torrent) -> Result<()> {
    let ours = Handshake::new(torrent.info_hash(), "early").encode();
    peer.send_raw(&[&ours[..], &blocks(torrent)].concat())?;
    peer.read_handshake()?;
    hold(peer)
}

/// True blocks of the torrent, that nobody asked for.
fn blocks(torrent: &Torrent) -> Vec<u8> {
    let block = |piece| {
        let data = torrent.block(piece, 0, BLOCK).unwrap_or_default().to_vec();
        Message::Piece { piece, offset: 0, data }.encode()
    };
    (0..BLOCKS).flat_map(block).collect()
}
