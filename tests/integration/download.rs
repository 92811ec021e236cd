//! `pieces-cli download` from scripted seeds.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::time::{Duration, Instant};

use testkit::PATIENCE;
use testkit::cli::{self, Cli};
use testkit::message::Message;
use testkit::peer::{Handshake, Peer};
use testkit::seed::Seed;
use testkit::torrent::Builder;
use testkit::tracker::{Answer, Tracker};

use crate::stage::Stage;

#[test]
fn multi_file_through_the_tracker() {
    let stage = Stage::new();
    let seed = Seed::start(&stage.torrent, "seed").unwrap();
    stage.tracker.add_peer(stage.torrent.info_hash(), seed.addr());
    let dir = stage.dir("target");

    let download = Cli::download(&stage.file, &dir).unwrap().start().unwrap();
    download.wait_success(PATIENCE).unwrap();

    stage.torrent.compare(&dir).unwrap();
    let all = stage.tracker.announces();
    let events: Vec<&str> = all.iter().map(|announce| announce.event.as_str()).collect();
    assert_eq!(events, ["started", "completed", "stopped"]);
    assert!(all.iter().all(|announce| announce.info_hash == stage.torrent.info_hash()));
    assert!(all.iter().all(|announce| announce.peer_id.starts_with(b"-PC")));
    let left: Vec<u64> = all.iter().map(|announce| announce.left).collect();
    assert_eq!(left, [stage.torrent.len(), 0, 0]);
    assert_eq!(all[1].downloaded, stage.torrent.len(), "nothing was fetched twice");
}

#[test]
fn a_dead_first_tier_costs_seconds() {
    let stage = Stage::new();
    let seed = Seed::start(&stage.torrent, "seed").unwrap();
    stage.tracker.add_peer(stage.torrent.info_hash(), seed.addr());
    // The first refuses connections, the others take what is sent and never answer.
    let refuses = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let silent = Tracker::start().unwrap();
    silent.set_answer(Answer::Silence);
    let mute = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let dead = format!(
        "http://{refuses}/announce,{},udp://{}/announce",
        silent.url(),
        mute.local_addr().unwrap()
    );
    let edited = stage.dir("edited").join("dead first.torrent");
    let live = stage.tracker.url();
    let edit = Cli::new(["edit", "-t", &dead, "-t", &live]).unwrap();
    edit.arg(&stage.file).arg("-o").arg(&edited).start().unwrap().wait_success(PATIENCE).unwrap();

    let dir = stage.dir("target");
    let download = Cli::download(&edited, &dir).unwrap().start().unwrap();
    cli::listening(&download).unwrap();
    let begun = Instant::now();
    stage.tracker.wait_event("started").unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    download.wait_success(PATIENCE).unwrap();
    stage.torrent.compare(&dir).unwrap();
}

#[test]
fn single_file_from_a_given_peer() {
    let torrent = Builder::single("one file.bin", 777_777).piece_length(16 << 10).build();
    let stage = Stage::with(torrent);
    let without_tracker = stage.torrent.save(&stage.dir("elsewhere"), &[]).unwrap();
    let seed = Seed::start(&stage.torrent, "seed").unwrap();
    let dir = stage.dir("target");

    let peer = seed.addr().to_string();
    let download = Cli::download(&without_tracker, &dir).unwrap().args(["--peer", &peer]);
    download.start().unwrap().wait_success(PATIENCE).unwrap();

    stage.torrent.compare(&dir).unwrap();
    assert!(stage.tracker.announces().is_empty());
}

#[test]
fn peers_may_come_as_dictionaries() {
    let stage = Stage::new();
    let seed = Seed::start(&stage.torrent, "seed").unwrap();
    stage.tracker.add_peer(stage.torrent.info_hash(), seed.addr());
    stage.tracker.set_answer(Answer::Dictionaries);
    let dir = stage.dir("target");
    let download = Cli::download(&stage.file, &dir).unwrap().start().unwrap();
    download.wait_success(PATIENCE).unwrap();
    stage.torrent.compare(&dir).unwrap();
}

#[test]
fn a_seed_may_dial_in() {
    let stage = Stage::new();
    let dir = stage.dir("target");
    let download = Cli::download(&stage.file, &dir).unwrap().start().unwrap();
    let ours = Handshake::new(stage.torrent.info_hash(), "dials");
    let (mut peer, theirs) = Peer::dial(stage.reachable(), &ours).unwrap();
    assert_eq!(theirs.info_hash, stage.torrent.info_hash());
    // A bitfield after a have: aria2 sends one in the middle where that is shorter than haves.
    peer.send(&Message::Have(0)).unwrap();
    let sent = peer.serve(&stage.torrent, |_, _, _| {}).unwrap();
    assert!(sent >= stage.torrent.len());
    download.wait_success(PATIENCE).unwrap();
    stage.torrent.compare(&dir).unwrap();
}

#[test]
fn what_is_whole_is_not_fetched_again() {
    let stage = Stage::new();
    let seed = Seed::start(&stage.torrent, "seed").unwrap();
    stage.tracker.add_peer(stage.torrent.info_hash(), seed.addr());
    let dir = stage.full_dir("target");
    // One byte in the big file: exactly one piece is not what it should be.
    let damaged = dir.join("a torrent/the rest.iso");
    let mut bytes = fs::read(&damaged).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x40;
    fs::write(&damaged, bytes).unwrap();

    let download = Cli::download(&stage.file, &dir).unwrap().start().unwrap();
    download.wait_success(PATIENCE).unwrap();

    stage.torrent.compare(&dir).unwrap();
    let sent = seed.sent();
    assert_eq!(sent.len(), 1, "pieces fetched: {sent:?}");
    let started = stage.tracker.wait_event("started").unwrap();
    assert_eq!(started.left, u64::from(stage.torrent.piece_length()));
}

#[test]
fn a_finished_download_needs_nobody() {
    let stage = Stage::new();
    let dir = stage.full_dir("target");
    let download = Cli::download(&stage.file, &dir).unwrap().start().unwrap();
    download.wait_success(PATIENCE).unwrap();
    // Nothing was completed just now, so nothing may be announced as completed (BEP 3).
    assert!(stage.tracker.announces().iter().all(|announce| announce.event != "completed"));
}

#[test]
fn padding_is_never_written() {
    let torrent = Builder::new("padded").file("a", 5).padding().file("b/c", 40_000).padding();
    let stage = Stage::with(torrent.file("d", 1).build());
    let seed = Seed::start(&stage.torrent, "seed").unwrap();
    stage.tracker.add_peer(stage.torrent.info_hash(), seed.addr());
    let dir = stage.dir("target");
    let download = Cli::download(&stage.file, &dir).unwrap().start().unwrap();
    download.wait_success(PATIENCE).unwrap();
    stage.torrent.compare(&dir).unwrap();
    let entries = fs::read_dir(dir.join("padded")).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["a", "b", "d"]);
}

#[test]
fn it_may_go_on_seeding() {
    let stage = Stage::new();
    let seed = Seed::start(&stage.torrent, "seed").unwrap();
    stage.tracker.add_peer(stage.torrent.info_hash(), seed.addr());
    let dir = stage.dir("target");
    let download = Cli::download(&stage.file, &dir).unwrap().arg("--seed").start().unwrap();
    stage.tracker.wait_event("completed").unwrap();
    drop(seed);

    let ours = Handshake::new(stage.torrent.info_hash(), "leech");
    let (mut peer, _) = Peer::dial(stage.reachable(), &ours).unwrap();
    peer.send(&Message::Interested).unwrap();
    peer.expect(|message| (*message == Message::Unchoke).then_some(())).unwrap();
    peer.send(&Message::Request { piece: 2, offset: 0, len: 16 << 10 }).unwrap();
    let data = peer.expect(|message| match message {
        Message::Piece { piece: 2, offset: 0, data } => Some(data.clone()),
        _ => None,
    });
    assert_eq!(data.unwrap(), stage.torrent.block(2, 0, 16 << 10).unwrap());

    download.terminate();
    download.wait_success(PATIENCE).unwrap();
}
