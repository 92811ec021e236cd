//! What a scripted leecher does in several tests: it hears what a peer has, and fetches all of it.

use testkit::message::Message;
use testkit::peer::Peer;
use testkit::torrent::Torrent;

/// The bitfield that the peer sends.
pub(crate) fn bitfield(peer: &mut Peer) -> Vec<u8> {
    let bits = peer.expect(|message| match message {
        Message::Bitfield(bits) => Some(bits.clone()),
        _ => None,
    });
    bits.unwrap()
}

/// Waits to be unchoked, asks for every block of the torrent, one after the other, and compares it.
pub(crate) fn fetch_every_block(peer: &mut Peer, torrent: &Torrent) {
    peer.send(&Message::Interested).unwrap();
    peer.expect(|message| (*message == Message::Unchoke).then_some(())).unwrap();
    for piece in 0..torrent.piece_count() {
        for (number, block) in (0_u32..).zip(torrent.piece(piece).chunks(16 << 10)) {
            let (offset, len) = (number * (16 << 10), u32::try_from(block.len()).unwrap());
            peer.send(&Message::Request { piece, offset, len }).unwrap();
            let data = peer.expect(|message| match message {
                Message::Piece { piece: p, offset: o, data } if (*p, *o) == (piece, offset) => {
                    Some(data.clone())
                }
                _ => None,
            });
            assert!(data.unwrap() == block, "piece {piece}, offset {offset}");
        }
    }
}
