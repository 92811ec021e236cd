//! `pieces-cli` with itself, for each pair of what the two ends want of encryption; and strangers that
//! begin an encryption handshake and do not end it.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use testkit::PATIENCE;
use testkit::cli::Cli;
use testkit::peer::{Handshake, Peer};

use crate::stage::Stage;

/// What the seed says of the leecher's connection: how it is, or why there is none.
fn met(leecher: &str, seed: &str) -> &'static str {
    match (leecher, seed) {
        ("off", "require") => "the peer does not encrypt where it would have to",
        ("require", "off") => "the peer does not speak the BitTorrent protocol",
        ("require", _) | (_, "require") => ", encrypted, peer id",
        _ => ", in the clear, peer id",
    }
}

#[test]
fn every_pair_of_wishes_meets_or_is_refused() {
    for seeds in ["off", "prefer", "require"] {
        let stage = Stage::new();
        let dir = stage.full_dir("seed");
        let seed = Cli::seed(&stage.file, &dir).unwrap().args(["-vv", "--encryption", seeds]);
        let seed = seed.start().unwrap();
        let addr = stage.reachable().to_string();
        let without_tracker = stage.torrent.save(&stage.dir("elsewhere"), &[]).unwrap();
        for leeches in ["off", "prefer", "require"] {
            let dir = stage.dir(leeches);
            let leech = Cli::download(&without_tracker, &dir).unwrap().args(["--peer", &addr]);
            let leech = leech.args(["--encryption", leeches]).start().unwrap();
            let expected = met(leeches, seeds);
            if expected.starts_with("the peer") {
                seed.wait_line(PATIENCE, |line| line.contains(expected).then_some(())).unwrap();
                leech.terminate();
                assert!(!leech.wait_exit(PATIENCE).unwrap().success());
            } else {
                leech.wait_success(PATIENCE).unwrap();
                stage.torrent.compare(&dir).unwrap();
                // Said once the connection is up, so it is there by now or will be in a moment.
                seed.wait_line(PATIENCE, |line| line.contains(expected).then_some(())).unwrap();
            }
        }
    }
}

#[test]
fn half_an_encryption_handshake_harms_nobody() {
    let stage = Stage::new();
    let dir = stage.full_dir("seed");
    let _seed = Cli::seed(&stage.file, &dir).unwrap().start().unwrap();
    let addr = stage.reachable();
    // A key that keeps no secret, one that is followed by an endless pad, and some that just stop.
    for bytes in [vec![0; 96], vec![7; 96 + 600]] {
        let mut peer = TcpStream::connect(addr).unwrap();
        peer.set_read_timeout(Some(PATIENCE)).unwrap();
        peer.write_all(&bytes).unwrap();
        // What it did not read may turn the end into a reset; what counts is that there is one.
        if let Err(error) = peer.read_to_end(&mut Vec::new()) {
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        }
    }
    let stuck: Vec<_> = (0..50)
        .map(|len| {
            let mut peer = TcpStream::connect(addr).unwrap();
            peer.write_all(&vec![9; len * 2]).unwrap();
            peer
        })
        .collect();
    let ours = Handshake::new(stage.torrent.info_hash(), "good");
    Peer::dial(addr, &ours).unwrap();
    drop(stuck);
}
