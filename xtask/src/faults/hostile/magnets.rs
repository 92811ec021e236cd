//! Hostile peers of a magnet, whose metadata the program has yet to fetch. Each plays one connection
//! that the program made, until the program ends it.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use testkit::extended::{self, Heard, Metadata};
use testkit::message::Message;
use testkit::peer::{Handshake, Peer};
use testkit::torrent::Torrent;

use super::extended::RESERVED;
use super::seeds::{FOR_EVER, answer_as, hold};
use crate::Result;
use crate::faults::host::Host;

/// Bytes of a piece of the metadata.
const PIECE: usize = 16 << 10;
/// A length that nobody may claim.
const BEYOND: usize = 4_000_000_000;
/// How much later than the others a seed that is honest says that it has the metadata: if it came first,
/// no other would be asked. More than twice as long as a piece is waited for (3 s): the silent one may be
/// asked first, and a busy machine may be slow to meet the others.
const HEAD_START: Duration = Duration::from_secs(8);
/// Copies of a piece that nobody asked for.
const UNASKED: usize = 100;
/// Requests that a peer which refuses them all may hear.
const MOST_ASKED: usize = 20;

/// A seed that gives the metadata first, and tells nothing but the truth.
pub(super) fn honest(last: u8, torrent: &Arc<Torrent>) -> Result<Host> {
    let torrent = Arc::clone(torrent);
    Host::start(last, move |peer| {
        // A connection that ends early is the program's affair.
        drop(serve(peer, &torrent, last));
    })
}

fn serve(mut peer: Peer, torrent: &Torrent, last: u8) -> Result<u64> {
    peer.read_handshake()?;
    let ours = Handshake::new(torrent.info_hash(), &format!("host {last:03}"));
    peer.send_raw(&extended::speaking(ours).encode())?;
    let info = torrent.info();
    thread::sleep(HEAD_START);
    peer.send(&extended::handshake(Some(info.len())))?;
    let mut heard = Heard::default();
    let answer = |peer: &mut Peer, message: &Message| heard.answer(peer, message, info).map(drop);
    peer.serve_and(torrent, |_, _, _| {}, answer)
}

/// Claims metadata of `len` bytes, and says to each request for a piece what `answer` makes of it.
fn gives(
    mut peer: Peer,
    torrent: &Torrent,
    len: usize,
    mut answer: impl FnMut(usize) -> Result<Option<(Metadata, usize)>>,
) -> Result<()> {
    answer_as(&mut peer, torrent, "gives", RESERVED)?;
    peer.set_patience(FOR_EVER)?;
    peer.send(&extended::handshake(Some(len)))?;
    let mut heard = Heard::default();
    loop {
        let message = peer.receive()?;
        if let Some(Metadata::Request(piece)) = heard.take(&message)
            && let Some((said, total)) = answer(piece)?
        {
            peer.send(&heard.say(&said, total)?)?;
        }
    }
}

pub(super) fn beyond_all_limits(peer: Peer, torrent: &Torrent) -> Result<()> {
    gives(peer, torrent, BEYOND, |_| Err("was asked for metadata that is too long".into()))
}

pub(super) fn false_metadata(peer: Peer, torrent: &Torrent) -> Result<()> {
    const FALSE: usize = 99;
    gives(peer, torrent, FALSE, |piece| Ok(Some((Metadata::Data(piece, vec![0; FALSE]), FALSE))))
}

pub(super) fn another_total(peer: Peer, torrent: &Torrent) -> Result<()> {
    let len = torrent.info().len();
    gives(peer, torrent, len, |piece| Ok(Some((Metadata::Data(piece, vec![0; PIECE]), len + 1))))
}

pub(super) fn short_piece(peer: Peer, torrent: &Torrent) -> Result<()> {
    let len = torrent.info().len();
    gives(peer, torrent, len, |piece| Ok(Some((Metadata::Data(piece, vec![0; 10]), len))))
}

pub(super) fn silence(peer: Peer, torrent: &Torrent) -> Result<()> {
    gives(peer, torrent, torrent.info().len(), |_| Ok(None))
}

pub(super) fn refusals(peer: Peer, torrent: &Torrent) -> Result<()> {
    let mut asked = 0;
    gives(peer, torrent, torrent.info().len(), |piece| {
        asked += 1;
        if asked > MOST_ASKED {
            return Err(format!("was asked {asked} times though it refuses").into());
        }
        Ok(Some((Metadata::Reject(piece), 0)))
    })
}

pub(super) fn unasked(mut peer: Peer, torrent: &Torrent) -> Result<()> {
    answer_as(&mut peer, torrent, "unasked", RESERVED)?;
    let mut heard = Heard::default();
    while heard.metadata_id().is_none() {
        heard.take(&peer.receive()?);
    }
    let data = heard.say(&Metadata::Data(0, vec![0; PIECE]), PIECE)?.encode();
    peer.send_raw(&data.repeat(UNASKED))?;
    hold(peer)
}

/// Of a torrent that has far more pieces than any may have.
pub(super) fn have_beyond(mut peer: Peer, torrent: &Torrent) -> Result<()> {
    answer_as(&mut peer, torrent, "beyond", RESERVED)?;
    peer.send(&Message::Have(u32::MAX))?;
    hold(peer)
}

/// A bitfield that can be judged only when the number of pieces is known.
pub(super) fn other_bitfield(mut peer: Peer, torrent: &Torrent) -> Result<()> {
    answer_as(&mut peer, torrent, "other", RESERVED)?;
    peer.send(&Message::Bitfield(vec![0xff; torrent.full_bitfield().len() + 1]))?;
    hold(peer)
}
