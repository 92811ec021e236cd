//! Extended messages and the fast extension, as a peer of the program sees them.

use std::net::SocketAddr;

use testkit::PATIENCE;
use testkit::cli::Cli;
use testkit::message::Message;
use testkit::peer::{Handshake, Listener, Peer};
use testkit::seed::Seed;

use crate::stage::Stage;

/// The messages' numbers (BEP 6, BEP 10).
const HAVE_ALL: u8 = 14;
const REJECT: u8 = 16;
const EXTENDED: u8 = 20;

/// The reserved bytes of a peer that speaks all of it.
const MODERN: [u8; 8] = [0, 0, 0, 0, 0, 0x10, 0, 0x04];

fn modern(stage: &Stage, name: &str) -> Handshake {
    Handshake { reserved: MODERN, ..Handshake::new(stage.torrent.info_hash(), name) }
}

/// The payload of the program's extended handshake.
fn extended_handshake(peer: &mut Peer) -> Vec<u8> {
    let payload = peer.expect(|message| match message {
        Message::Other { id: EXTENDED, body } if body.first() == Some(&0) => {
            Some(body[1..].to_vec())
        }
        _ => None,
    });
    payload.unwrap()
}

/// The number that the program gave an extension, if it offers it.
fn number_of(name: &str, payload: &[u8]) -> Option<u8> {
    let text = String::from_utf8_lossy(payload);
    let (_, after) = text.split_once(&format!("{}:{name}i", name.len()))?;
    after.split_once('e')?.0.parse().ok().filter(|number| *number != 0)
}

/// A message that names one peer more.
fn pex(number: u8, addr: SocketAddr) -> Message {
    let SocketAddr::V4(addr) = addr else { panic!("seeds listen on 127.0.0.1") };
    let mut body = vec![number];
    body.extend(b"d5:added6:");
    body.extend(addr.ip().octets());
    body.extend(addr.port().to_be_bytes());
    body.extend(b"7:added.f1:\x10e");
    Message::Other { id: EXTENDED, body }
}

#[test]
fn a_seed_that_only_a_peer_knows_is_found() {
    let stage = Stage::new();
    let seed = Seed::start(&stage.torrent, "seed").unwrap();
    let listener = Listener::bind().unwrap();
    let dir = stage.dir("target");
    let peer = listener.addr().unwrap().to_string();
    let cli = Cli::download(&stage.file, &dir).unwrap().args(["--peer", &peer]);
    let download = cli.start().unwrap();
    let (mut peer, theirs) = listener.accept(&modern(&stage, "knows one")).unwrap();
    assert_eq!((theirs.reserved[5] & 0x10, theirs.reserved[7] & 0x04), (0x10, 0x04));
    let ours = extended_handshake(&mut peer);
    assert!(String::from_utf8_lossy(&ours).contains("pieces "), "it says who it is");
    peer.send(&pex(number_of("ut_pex", &ours).unwrap(), seed.addr())).unwrap();
    download.wait_success(PATIENCE).unwrap();
    stage.torrent.compare(&dir).unwrap();
}

#[test]
fn without_pex_it_is_not_offered() {
    let stage = Stage::new();
    let listener = Listener::bind().unwrap();
    let peer = listener.addr().unwrap().to_string();
    let cli = Cli::download(&stage.file, &stage.dir("target")).unwrap();
    let _download = cli.args(["--no-pex", "--peer", &peer]).start().unwrap();
    let (mut peer, _) = listener.accept(&modern(&stage, "asks")).unwrap();
    assert_eq!(number_of("ut_pex", &extended_handshake(&mut peer)), None);
}

#[test]
fn what_one_peer_rejects_comes_from_another() {
    let stage = Stage::new();
    let seed = Seed::start(&stage.torrent, "honest").unwrap();
    let listener = Listener::bind().unwrap();
    let dir = stage.dir("target");
    let peers = [listener.addr().unwrap(), seed.addr()].map(|addr| addr.to_string());
    let cli = Cli::download(&stage.file, &dir).unwrap();
    let download = cli.args(["--peer", &peers[0], "--peer", &peers[1]]).start().unwrap();
    let (mut peer, _) = listener.accept(&modern(&stage, "refuses")).unwrap();
    peer.send(&Message::Other { id: HAVE_ALL, body: Vec::new() }).unwrap();
    peer.send(&Message::Unchoke).unwrap();
    // Until it is done and hangs up.
    while let Ok(message) = peer.receive() {
        if let Message::Request { piece, offset, len } = message {
            let body = [piece, offset, len].iter().flat_map(|n| n.to_be_bytes()).collect();
            if peer.send(&Message::Other { id: REJECT, body }).is_err() {
                break;
            }
        }
    }
    download.wait_success(PATIENCE).unwrap();
    stage.torrent.compare(&dir).unwrap();
}
