//! Hostile peers in the handshake of message stream encryption, on either side of it. Each plays one
//! connection until the program ends it. None of them gets as far as a secret.

use std::net::SocketAddr;

use testkit::peer::{Handshake, Peer};
use testkit::torrent::Torrent;

use crate::Result;

/// Bytes of a public key.
const KEY: usize = 96;
/// More than the pad behind the key and the hash that ends it may have together.
const TOO_MUCH: usize = 1000;

/// A public key, which is any number, and more bytes, which are none that can be expected.
fn noise(more: usize) -> Vec<u8> {
    let mut bytes = vec![0; KEY + more];
    fastrand::fill(&mut bytes);
    // Neither the beginning of a plaintext handshake nor a key outside the group.
    bytes[0] = 0x7f;
    bytes
}

/// Says this before it has heard anything, as the side that came.
fn comes_with(addr: SocketAddr, bytes: &[u8]) -> Result<()> {
    let mut peer = Peer::dial_raw(addr)?;
    peer.send_raw(bytes)?;
    peer.expect_close()
}

/// Says this as the side that was dialed.
fn answers_with(mut peer: Peer, bytes: &[u8]) -> Result<()> {
    peer.send_raw(bytes)?;
    peer.expect_close()
}

pub(super) fn comes_with_noise(addr: SocketAddr, _: &Torrent) -> Result<()> {
    comes_with(addr, &noise(TOO_MUCH))
}

pub(super) fn comes_halfway(addr: SocketAddr, _: &Torrent) -> Result<()> {
    comes_with(addr, &noise(0))
}

/// With this key everybody knows the secret.
pub(super) fn comes_with_no_key(addr: SocketAddr, _: &Torrent) -> Result<()> {
    comes_with(addr, &[0; KEY])
}

pub(super) fn answers_with_noise(peer: Peer, _: &Torrent) -> Result<()> {
    answers_with(peer, &noise(TOO_MUCH))
}

pub(super) fn answers_halfway(peer: Peer, _: &Torrent) -> Result<()> {
    answers_with(peer, &noise(0))
}

pub(super) fn answers_with_no_key(peer: Peer, _: &Torrent) -> Result<()> {
    answers_with(peer, &[0; KEY])
}

/// As those do who take no part in encryption.
pub(super) fn answers_in_the_clear(peer: Peer, torrent: &Torrent) -> Result<()> {
    let ours = Handshake::new(torrent.info_hash(), "clear").encode();
    answers_with(peer, &ours)
}
