//! Hostile peers that look like seeds: they answer requests, but not as they should. Each plays one
//! connection that the program made, until the program ends it.

use std::time::Duration;

use testkit::message::Message;
use testkit::peer::{Handshake, Peer};
use testkit::torrent::Torrent;

use crate::Result;

/// Longer than the program has patience with anybody.
pub(super) const FOR_EVER: Duration = Duration::from_mins(5);

/// Shakes hands as the one that was dialed, under a name that nobody else has.
pub(super) fn answer(peer: &mut Peer, torrent: &Torrent, name: &str) -> Result<()> {
    answer_as(peer, torrent, name, [0; 8])
}

/// The same with the bits of extensions.
pub(super) fn answer_as(
    peer: &mut Peer,
    torrent: &Torrent,
    name: &str,
    reserved: [u8; 8],
) -> Result<()> {
    peer.read_handshake()?;
    let name = format!("{name:.7}{:05}", fastrand::u32(..100_000));
    let ours = Handshake { reserved, ..Handshake::new(torrent.info_hash(), &name) };
    peer.send_raw(&ours.encode())
}

/// Reads whatever comes and says nothing until the other hangs up.
pub(super) fn hold(mut peer: Peer) -> Result<()> {
    peer.set_patience(FOR_EVER)?;
    while peer.receive().is_ok() {}
    Ok(())
}

/// Answers each request with what `blocks` makes of it.
fn serve(
    mut peer: Peer,
    torrent: &Torrent,
    name: &str,
    mut blocks: impl FnMut(u32, u32, &[u8]) -> Vec<Message>,
) -> Result<()> {
    answer(&mut peer, torrent, name)?;
    peer.set_patience(FOR_EVER)?;
    peer.send(&Message::Bitfield(torrent.full_bitfield()))?;
    peer.send(&Message::Unchoke)?;
    loop {
        if let Message::Request { piece, offset, len } = peer.receive()? {
            let data = torrent.block(piece, offset, len).ok_or("a request outside the torrent")?;
            for message in blocks(piece, offset, data) {
                peer.send(&message)?;
            }
        }
    }
}

pub(super) fn silent(mut peer: Peer, torrent: &Torrent) -> Result<()> {
    answer(&mut peer, torrent, "silent")?;
    hold(peer)
}

pub(super) fn duplicates(peer: Peer, torrent: &Torrent) -> Result<()> {
    serve(peer, torrent, "duplicates", |piece, offset, data| {
        vec![Message::Piece { piece, offset, data: data.to_vec() }; 20]
    })
}

pub(super) fn short_blocks(peer: Peer, torrent: &Torrent) -> Result<()> {
    serve(peer, torrent, "short", |piece, offset, data| {
        let data = data[..data.len() - 1].to_vec();
        vec![Message::Piece { piece, offset, data }]
    })
}

pub(super) fn liar(peer: Peer, torrent: &Torrent) -> Result<()> {
    serve(peer, torrent, "liar", |piece, offset, data| {
        let mut data = data.to_vec();
        data[0] ^= 1;
        vec![Message::Piece { piece, offset, data }]
    })
}

/// Fast for the first sixth of the torrent, which is half of its share or so, then never again.
pub(super) fn stall_at_half(peer: Peer, torrent: &Torrent) -> Result<()> {
    let mut left = torrent.len() / 6;
    serve(peer, torrent, "stalls", |piece, offset, data| {
        left = left.saturating_sub(data.len() as u64);
        let answered = left > 0;
        answered
            .then(|| Message::Piece { piece, offset, data: data.to_vec() })
            .into_iter()
            .collect()
    })
}

/// Keeps one block back, and so the last piece.
pub(super) fn stall_at_last(peer: Peer, torrent: &Torrent) -> Result<()> {
    let mut kept = None;
    serve(peer, torrent, "keeps one", |piece, offset, data| {
        let answered = *kept.get_or_insert((piece, offset)) != (piece, offset);
        answered
            .then(|| Message::Piece { piece, offset, data: data.to_vec() })
            .into_iter()
            .collect()
    })
}
