//! A leecher that checks every byte it is sent, and whether its file still had it when it was asked
//! for. Owns connections to the program; never writes to disk.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use testkit::PATIENCE;
use testkit::message::Message;
use testkit::peer::{Handshake, Peer};
use testkit::torrent::Torrent;

use super::{FILE_LEN, FILES, PIECE};
use crate::Result;

const BLOCK: u32 = 16 << 10;
/// How often a door that is not open yet is tried.
const LOOK: Duration = Duration::from_millis(20);

/// Since when which file has been how short.
type Cuts = Arc<Mutex<BTreeMap<&'static str, (Instant, u64)>>>;

/// A leecher that asks for one block after the other until it is sent away.
pub(super) struct Leecher {
    cuts: Cuts,
    thread: JoinHandle<Result<usize>>,
}

impl Leecher {
    pub(super) fn start(addr: SocketAddr, torrent: &Arc<Torrent>) -> Result<Self> {
        let ours = Handshake::new(torrent.info_hash(), "leech");
        let started = Instant::now();
        // Until the torrent's files are open, the program knows nothing of it.
        let (peer, _) = loop {
            match Peer::dial(addr, &ours) {
                Err(_) if started.elapsed() < PATIENCE => thread::sleep(LOOK),
                other => break other?,
            }
        };
        let cuts = Cuts::default();
        let (known, torrent) = (Arc::clone(&cuts), Arc::clone(torrent));
        Ok(Self { cuts, thread: thread::spawn(move || leech(peer, &torrent, &known)) })
    }

    /// A file has been cut to `len` bytes.
    pub(super) fn cut(&self, file: &'static str, len: u64) {
        let mut cuts = self.cuts.lock().unwrap_or_else(PoisonError::into_inner);
        cuts.entry(file).or_insert((Instant::now(), len));
    }

    /// Whether the program has sent it away.
    pub(super) fn is_over(&self) -> bool {
        self.thread.is_finished()
    }

    /// How many blocks it got, if all of them were right.
    pub(super) fn finish(self) -> Result<usize> {
        self.thread.join().map_err(|_| "the leecher panicked")?
    }
}

/// Asks for blocks of what the program has, in no order, until it hangs up.
fn leech(mut peer: Peer, torrent: &Torrent, cuts: &Cuts) -> Result<usize> {
    let (mut have, mut choked, mut asked, mut got) = (Vec::new(), true, None, 0);
    let mut rng = fastrand::Rng::with_seed(7);
    if peer.send(&Message::Interested).is_err() {
        return Ok(0);
    }
    while let Ok(message) = peer.receive() {
        match message {
            Message::Choke => (choked, asked) = (true, None),
            Message::Unchoke => choked = false,
            Message::Have(piece) => have.push(piece),
            Message::Bitfield(bits) => {
                let has = |piece: &u32| bits[*piece as usize / 8] & (0x80 >> (piece % 8)) != 0;
                have.extend((0..torrent.piece_count()).filter(has));
            }
            Message::Piece { piece, offset, data } => {
                let right = torrent.block(piece, offset, u32::try_from(data.len())?);
                if right != Some(&data[..]) {
                    return Err(
                        format!("a leecher got false data at {offset} of piece {piece}").into()
                    );
                }
                if let Some(when) = asked.take() {
                    check_end(piece, offset, data.len(), when, cuts)?;
                }
                got += 1;
            }
            _ => {}
        }
        if !choked && asked.is_none() && !have.is_empty() {
            let piece = have[rng.usize(..have.len())];
            let len = u32::try_from(torrent.piece(piece).len())?;
            let offset = rng.u32(..len) / BLOCK * BLOCK;
            asked = Some(Instant::now());
            let len = BLOCK.min(len - offset);
            if peer.send(&Message::Request { piece, offset, len }).is_err() {
                break;
            }
        }
    }
    Ok(got)
}

/// Fails if the block was asked for when its file was too short for it already.
fn check_end(piece: u32, offset: u32, len: usize, asked: Instant, cuts: &Cuts) -> Result<()> {
    let start = u64::from(piece) * u64::from(PIECE) + u64::from(offset);
    let cuts = cuts.lock().unwrap_or_else(PoisonError::into_inner);
    for (number, file) in (0..).zip(FILES) {
        let Some((when, left)) = cuts.get(file) else { continue };
        let beyond = number * FILE_LEN + left..(number + 1) * FILE_LEN;
        let touches = start < beyond.end && start + len as u64 > beyond.start;
        if touches && asked > *when {
            let what = format!("got {len} bytes of {file} that were cut off before it asked");
            return Err(what.into());
        }
    }
    Ok(())
}

/// Downloads a whole torrent from the program, and checks it.
pub(super) fn fetch_all(addr: SocketAddr, torrent: &Torrent) -> Result<()> {
    let (mut peer, _) = Peer::dial(addr, &Handshake::new(torrent.info_hash(), "fetches"))?;
    peer.send(&Message::Interested)?;
    peer.expect(|message| matches!(message, Message::Unchoke).then_some(()))?;
    for piece in 0..torrent.piece_count() {
        let right = torrent.piece(piece);
        for (number, block) in (0..).zip(right.chunks(BLOCK as usize)) {
            let (offset, len) = (number * BLOCK, u32::try_from(block.len())?);
            peer.send(&Message::Request { piece, offset, len })?;
            let data = peer.expect(|message| match message {
                Message::Piece { data, .. } => Some(data.clone()),
                _ => None,
            })?;
            if data != block {
                return Err(format!("false data in piece {piece} of the other torrent").into());
            }
        }
    }
    Ok(())
}
