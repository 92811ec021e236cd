//! Peers and trackers that mean ill.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use testkit::PATIENCE;
use testkit::cli::Cli;
use testkit::message::Message;
use testkit::peer::{Handshake, Peer};
use testkit::seed::Seed;
use testkit::tracker::Answer;

use crate::stage::Stage;

/// How long the program waits for a handshake.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);

#[test]
fn a_liar_among_honest_seeds_does_no_harm() {
    let stage = Stage::new();
    let lie = Box::new(|_, _, data: &mut Vec<u8>| data[0] ^= 1);
    let liar = Seed::spoiling(&stage.torrent, "liar", lie).unwrap();
    let honest = Seed::start(&stage.torrent, "honest").unwrap();
    stage.tracker.add_peer(stage.torrent.info_hash(), liar.addr());
    stage.tracker.add_peer(stage.torrent.info_hash(), honest.addr());
    let dir = stage.dir("target");
    let download = Cli::download(&stage.file, &dir).unwrap().start().unwrap();
    download.wait_success(PATIENCE).unwrap();
    stage.torrent.compare(&dir).unwrap();
}

/// Bytes after the handshake that no peer may send.
fn violations(stage: &Stage) -> Vec<(&'static str, Vec<u8>)> {
    let count = stage.torrent.piece_count();
    let request = |piece, offset, len| Message::Request { piece, offset, len }.encode();
    vec![
        ("a message of 4 GiB", vec![0xff; 5]),
        ("a bitfield too short", Message::Bitfield(vec![0; 1]).encode()),
        ("spare bits set", Message::Bitfield(vec![0xff; count.div_ceil(8) as usize]).encode()),
        ("a have beyond the end", Message::Have(count).encode()),
        ("a request beyond the end", [Message::Interested.encode(), request(count, 0, 1)].concat()),
        ("a have of 5 bytes", vec![0, 0, 0, 6, 4, 0, 0, 0, 0, 0]),
        ("a choke with a body", vec![0, 0, 0, 2, 0, 0]),
    ]
}

#[test]
fn a_peer_that_breaks_the_protocol_is_dropped_and_the_rest_goes_on() {
    let stage = Stage::new();
    let dir = stage.full_dir("seed");
    let _seed = Cli::seed(&stage.file, &dir).unwrap().start().unwrap();
    let addr = stage.reachable();
    for (number, (name, bytes)) in violations(&stage).into_iter().enumerate() {
        let ours = Handshake::new(stage.torrent.info_hash(), &format!("evil{number}"));
        let (mut peer, _) = Peer::dial(addr, &ours).unwrap();
        peer.send_raw(&bytes).unwrap();
        peer.expect_close().unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    let ours = Handshake::new(stage.torrent.info_hash(), "good");
    let (mut peer, _) = Peer::dial(addr, &ours).unwrap();
    peer.send(&Message::Interested).unwrap();
    peer.expect(|message| (*message == Message::Unchoke).then_some(())).unwrap();
}

#[test]
fn strangers_who_say_nothing_keep_nobody_out() {
    let stage = Stage::new();
    let dir = stage.full_dir("seed");
    let _seed = Cli::seed(&stage.file, &dir).unwrap().start().unwrap();
    let addr = stage.reachable();
    let began = Instant::now();
    // More than are let in at once, and each would be waited for.
    let silent: Vec<_> = (0..150).map(|_| TcpStream::connect(addr).unwrap()).collect();
    let ours = Handshake::new(stage.torrent.info_hash(), "good");
    Peer::dial(addr, &ours).unwrap();
    assert!(began.elapsed() < HANDSHAKE_DEADLINE, "{:?}", began.elapsed());
    drop(silent);
}

#[test]
fn words_of_a_tracker_are_shown_escaped() {
    let stage = Stage::new();
    let words = "go away \u{1b}[31mnow\u{202e}".to_owned();
    stage.tracker.set_answer(Answer::Failure(words));
    let dir = stage.dir("target");
    let download = Cli::download(&stage.file, &dir).unwrap().start().unwrap();
    download.wait_line(PATIENCE, |line| line.contains("go away").then_some(())).unwrap();
    download.terminate();
    download.wait_exit(PATIENCE).unwrap();
    let log = download.log();
    assert!(!log.contains('\u{1b}') && !log.contains('\u{202e}'), "{log:?}");
}

#[test]
fn garbage_from_a_tracker_is_survived() {
    let stage = Stage::new();
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n";
    stage.tracker.set_answer(Answer::Raw([&head[..], b"d1:"].concat()));
    let seed = Seed::start(&stage.torrent, "seed").unwrap();
    let dir = stage.dir("target");
    let peer = seed.addr().to_string();
    let download = Cli::download(&stage.file, &dir).unwrap().args(["--peer", &peer]);
    download.start().unwrap().wait_success(PATIENCE).unwrap();
    stage.torrent.compare(&dir).unwrap();
}
