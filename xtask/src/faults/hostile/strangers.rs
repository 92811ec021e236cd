//! Hostile peers whose handshake is wrong, and those that come by themselves, one or very many.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use testkit::PATIENCE;
use testkit::message::Message;
use testkit::peer::{Handshake, Peer};
use testkit::torrent::Torrent;

use super::HONEST;
use super::seeds::hold;
use crate::Result;

const BLOCK: u32 = 16 << 10;
/// Where very many come from: they crowd out each other, and none of those who come from elsewhere.
const CROWDED: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 1, 1));
/// How long a handshake may take while others hold it up.
const ANSWERED_WITHIN: Duration = Duration::from_secs(5);

pub(super) fn garbage(mut peer: Peer, _: &Torrent) -> Result<()> {
    peer.send_raw(&b"HTTP/1.1 400 Bad Request\r\n".repeat(10))?;
    hold(peer)
}

pub(super) fn other_torrent(mut peer: Peer, _: &Torrent) -> Result<()> {
    peer.read_handshake()?;
    peer.send_raw(&Handshake::new([7; 20], "other").encode())?;
    hold(peer)
}

pub(super) fn comes_for_another(addr: SocketAddr, _: &Torrent) -> Result<()> {
    let mut peer = Peer::dial_raw(addr)?;
    peer.send_raw(&Handshake::new([7; 20], "other").encode())?;
    hold(peer)
}

pub(super) fn our_id(mut peer: Peer, _: &Torrent) -> Result<()> {
    let theirs = peer.read_handshake()?;
    peer.send_raw(&theirs.encode())?;
    hold(peer)
}

pub(super) fn a_seeds_id(mut peer: Peer, torrent: &Torrent) -> Result<()> {
    // So that the seed itself is connected already.
    thread::sleep(Duration::from_secs(1));
    peer.read_handshake()?;
    let theirs = Handshake::new(torrent.info_hash(), &format!("host {:03}", HONEST[0]));
    peer.send_raw(&theirs.encode())?;
    hold(peer)
}

pub(super) fn dripped_handshake(mut peer: Peer, torrent: &Torrent) -> Result<()> {
    for byte in Handshake::new(torrent.info_hash(), "drips").encode() {
        peer.send_raw(&[byte])?;
        thread::sleep(Duration::from_millis(500));
    }
    hold(peer)
}

pub(super) fn hundreds(addr: SocketAddr, torrent: &Torrent) -> Result<()> {
    half_open(addr, torrent, 300)
}

pub(super) fn thousands(addr: SocketAddr, torrent: &Torrent) -> Result<()> {
    half_open(addr, torrent, 3000)
}

/// Connections that say nothing. They must not keep one out that does.
fn half_open(addr: SocketAddr, torrent: &Torrent, count: usize) -> Result<()> {
    let dial = || Peer::dial_raw_from(CROWDED, addr);
    let strangers = (0..count).map(|_| dial()).collect::<Result<Vec<_>>>()?;
    let started = Instant::now();
    let late = Handshake::new(torrent.info_hash(), "late");
    let answer = dial().and_then(|peer| peer.speak_first(&late));
    let answer = answer.map_err(|error| format!("no answer: {error}"))?;
    drop(answer);
    if started.elapsed() > ANSWERED_WITHIN {
        return Err(format!("answered after {:?}", started.elapsed()).into());
    }
    strangers.into_iter().try_for_each(|mut stranger| stranger.expect_close())
}

pub(super) fn comes_and_goes(addr: SocketAddr, torrent: &Torrent) -> Result<()> {
    for number in 0..500 {
        let ours = Handshake::new(torrent.info_hash(), &format!("guest {number}"));
        drop(Peer::dial(addr, &ours)?);
    }
    Ok(())
}

/// Waits to be unchoked, and for a piece to ask for.
fn leech(addr: SocketAddr, torrent: &Torrent, name: &str) -> Result<(Peer, u32)> {
    let (mut peer, _) = Peer::dial(addr, &Handshake::new(torrent.info_hash(), name))?;
    peer.send(&Message::Interested)?;
    let (mut unchoked, mut piece) = (false, None);
    peer.expect(|message| {
        match message {
            Message::Unchoke => unchoked = true,
            // The last piece may be too short for the block that is asked for.
            Message::Have(have) if have + 1 < torrent.piece_count() => piece = Some(*have),
            Message::Bitfield(bits) => {
                let first = bits.iter().position(|byte| *byte != 0)?;
                let bit = bits[first].leading_zeros();
                piece = u32::try_from(first).ok().map(|byte| byte * 8 + bit);
            }
            _ => {}
        }
        piece.filter(|_| unchoked)
    })
    .map(|piece| (peer, piece))
}

pub(super) fn request_flood(addr: SocketAddr, torrent: &Torrent) -> Result<()> {
    let (mut peer, piece) = leech(addr, torrent, "floods")?;
    let requests = Message::Request { piece, offset: 0, len: BLOCK }.encode().repeat(1000);
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        // It never reads: what it asked for fills every buffer on the way.
        peer.send_raw(&requests)?;
    }
    Err("was not stopped".into())
}

pub(super) fn stalled_reader(addr: SocketAddr, torrent: &Torrent) -> Result<()> {
    let (mut peer, piece) = leech(addr, torrent, "stalls")?;
    // More than the buffers on the way hold, and less than is too much to ask for.
    peer.send_raw(&Message::Request { piece, offset: 0, len: BLOCK }.encode().repeat(1500))?;
    thread::sleep(3 * PATIENCE);
    drop(peer);
    Ok(())
}
