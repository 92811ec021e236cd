//! Hostile peers that speak the fast extension (BEP 6) and break its rules. Each plays one connection
//! that the program made, until the program ends it.

use testkit::message::Message;
use testkit::peer::Peer;
use testkit::torrent::Torrent;

use super::seeds::{FOR_EVER, answer, answer_as, hold};
use crate::Result;

/// The bit of the extension.
const RESERVED: [u8; 8] = [0, 0, 0, 0, 0, 0, 0, 4];
/// Messages of a flood: many times what any limit allows.
const FLOOD: usize = 10_000;
const BLOCK: u32 = 16 << 10;
/// Requests that a peer which rejects them all may hear before it is left alone: a few windows, and more
/// in end-game.
const MOST_ASKED: usize = 500;

const SUGGEST: u8 = 13;
const HAVE_ALL: u8 = 14;
const HAVE_NONE: u8 = 15;
const REJECT: u8 = 16;
const ALLOWED_FAST: u8 = 17;

fn message(id: u8, numbers: &[u32]) -> Message {
    Message::Other { id, body: numbers.iter().flat_map(|number| number.to_be_bytes()).collect() }
}

/// Shakes hands with the extension, says this and waits for the end.
fn says(mut peer: Peer, torrent: &Torrent, messages: &[Message]) -> Result<()> {
    answer_as(&mut peer, torrent, "fast", RESERVED)?;
    peer.send_raw(&messages.iter().flat_map(Message::encode).collect::<Vec<_>>())?;
    hold(peer)
}

pub(super) fn without_the_bit(mut peer: Peer, torrent: &Torrent) -> Result<()> {
    answer(&mut peer, torrent, "not fast")?;
    peer.send(&message(HAVE_ALL, &[]))?;
    hold(peer)
}

pub(super) fn have_all_twice(peer: Peer, torrent: &Torrent) -> Result<()> {
    says(peer, torrent, &[message(HAVE_ALL, &[]), message(HAVE_ALL, &[])])
}

pub(super) fn have_none_twice(peer: Peer, torrent: &Torrent) -> Result<()> {
    says(peer, torrent, &[message(HAVE_NONE, &[]), message(HAVE_NONE, &[])])
}

pub(super) fn have_none_after_a_have(peer: Peer, torrent: &Torrent) -> Result<()> {
    says(peer, torrent, &[Message::Have(0), message(HAVE_NONE, &[])])
}

pub(super) fn have_all_with_a_body(peer: Peer, torrent: &Torrent) -> Result<()> {
    says(peer, torrent, &[message(HAVE_ALL, &[0])])
}

pub(super) fn suggest_out_of_range(peer: Peer, torrent: &Torrent) -> Result<()> {
    says(peer, torrent, &[message(HAVE_ALL, &[]), message(SUGGEST, &[torrent.piece_count()])])
}

pub(super) fn allow_out_of_range(peer: Peer, torrent: &Torrent) -> Result<()> {
    says(peer, torrent, &[message(HAVE_ALL, &[]), message(ALLOWED_FAST, &[u32::MAX])])
}

pub(super) fn suggestions(peer: Peer, torrent: &Torrent) -> Result<()> {
    says(peer, torrent, &vec![message(SUGGEST, &[0]); FLOOD])
}

pub(super) fn allowances(peer: Peer, torrent: &Torrent) -> Result<()> {
    let pieces = (0..torrent.piece_count()).cycle().take(FLOOD);
    says(peer, torrent, &pieces.map(|piece| message(ALLOWED_FAST, &[piece])).collect::<Vec<_>>())
}

pub(super) fn reject_out_of_range(peer: Peer, torrent: &Torrent) -> Result<()> {
    says(peer, torrent, &[message(REJECT, &[torrent.piece_count(), 0, BLOCK])])
}

/// Rejects what nobody asked it for.
pub(super) fn rejects_unasked(peer: Peer, torrent: &Torrent) -> Result<()> {
    says(peer, torrent, &vec![message(REJECT, &[0, 0, BLOCK]); FLOOD])
}

/// Has everything, unchokes and gives nothing. Whoever goes on asking would do nothing else.
pub(super) fn rejects_all(mut peer: Peer, torrent: &Torrent) -> Result<()> {
    answer_as(&mut peer, torrent, "rejects", RESERVED)?;
    peer.set_patience(FOR_EVER)?;
    peer.send(&message(HAVE_ALL, &[]))?;
    peer.send(&Message::Unchoke)?;
    let mut asked = 0;
    loop {
        if let Message::Request { piece, offset, len } = peer.receive()? {
            asked += 1;
            if asked > MOST_ASKED {
                return Err(format!("was asked {asked} times though it rejects").into());
            }
            peer.send(&message(REJECT, &[piece, offset, len]))?;
        }
    }
}
