//! Padding (BEP 47) seen from outside: no peer is asked for it, and it is in no sum.

use std::fs;
use std::sync::{Arc, Mutex};

use testkit::PATIENCE;
use testkit::cli::Cli;
use testkit::peer::{Handshake, Peer};
use testkit::process::Stream;
use testkit::seed::Seed;
use testkit::torrent::{Builder, Torrent};

use crate::leech;
use crate::stage::Stage;

/// Four files, each at the start of a piece of 64 KiB but for the last, and three pieces that are
/// padding alone.
fn padded() -> Torrent {
    let builder = Builder::new("padded").piece_length(64 << 10);
    let builder = builder.file("a", 10_001).padding().file("b/c", 100_000).padding();
    builder.file("d", 10_002).padding().padding_of(3 << 16).file("e", 5).padding_of(77).build()
}

/// Requests: piece, offset, length.
type Requests = Arc<Mutex<Vec<(u32, u32, usize)>>>;

/// A seed that notes each request.
fn noting(torrent: &Torrent) -> (Seed, Requests) {
    let noted = Requests::default();
    let here = Arc::clone(&noted);
    let note = move |piece, offset, data: &mut Vec<u8>| {
        here.lock().unwrap().push((piece, offset, data.len()));
    };
    (Seed::spoiling(torrent, "seed", Box::new(note)).unwrap(), noted)
}

#[test]
fn a_padded_torrent_costs_what_its_files_hold() {
    let stage = Stage::with(padded());
    let content = stage.torrent.content_len();
    let (seed, requests) = noting(&stage.torrent);
    stage.tracker.add_peer(stage.torrent.info_hash(), seed.addr());
    let dir = stage.dir("target");
    let download = Cli::download(&stage.file, &dir).unwrap().start().unwrap();
    download.wait_success(PATIENCE).unwrap();

    stage.torrent.compare(&dir).unwrap();
    let mut names: Vec<_> = fs::read_dir(dir.join("padded"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["a", "b", "d", "e"]);
    let mut asked = requests.lock().unwrap().clone();
    asked.sort_unstable();
    asked.dedup();
    let bytes: usize = asked.iter().map(|(_, _, len)| len).sum();
    assert_eq!(bytes as u64, content);
    assert!(asked.contains(&(0, 0, 10_001)), "{asked:?}");
    let all = stage.tracker.announces();
    let left: Vec<u64> = all.iter().map(|announce| announce.left).collect();
    assert_eq!(left, [content, 0, 0]);
    let events: Vec<&str> = all.iter().map(|announce| announce.event.as_str()).collect();
    assert_eq!(events, ["started", "completed", "stopped"]);
    assert_eq!(all[1].downloaded, content);
    // 117 KiB, and not the 577 KiB of all pieces.
    let log = download.log();
    assert!(log.contains("complete") && log.contains("117 KiB") && !log.contains("577"), "{log}");
}

#[test]
fn sizes_leave_padding_out() {
    let stage = Stage::with(padded());
    let dir = stage.full_dir("full");
    let shown = Cli::new(["show"]).unwrap().arg(&stage.file).start().unwrap();
    shown.wait_success(PATIENCE).unwrap();
    let content = stage.torrent.content_len();
    assert!(
        shown.output(Stream::Stdout).contains(&format!("({content} bytes)")),
        "{}",
        shown.log()
    );
    let verified = Cli::new(["verify"]).unwrap().arg(&stage.file).arg("-d").arg(&dir);
    verified.start().unwrap().wait_success(PATIENCE).unwrap();
}

#[test]
fn a_resumed_download_counts_content_too() {
    let stage = Stage::with(padded());
    let dir = stage.full_dir("target");
    // The first piece of `b/c` is not what it should be.
    let damaged = dir.join("padded/b/c");
    let mut bytes = fs::read(&damaged).unwrap();
    bytes[7] ^= 1;
    fs::write(&damaged, bytes).unwrap();
    let (seed, requests) = noting(&stage.torrent);
    stage.tracker.add_peer(stage.torrent.info_hash(), seed.addr());
    let download = Cli::download(&stage.file, &dir).unwrap().start().unwrap();
    download.wait_success(PATIENCE).unwrap();
    stage.torrent.compare(&dir).unwrap();
    assert_eq!(stage.tracker.announces()[0].left, 64 << 10);
    assert!(requests.lock().unwrap().iter().all(|(piece, _, _)| *piece == 1));
}

#[test]
fn a_peer_that_asks_for_padding_gets_zeros() {
    let stage = Stage::with(padded());
    let dir = stage.full_dir("seed");
    let seeding = Cli::seed(&stage.file, &dir).unwrap().start().unwrap();
    let ours = Handshake::new(stage.torrent.info_hash(), "leech");
    let (mut peer, _) = Peer::dial(stage.reachable(), &ours).unwrap();
    assert_eq!(leech::bitfield(&mut peer), stage.torrent.full_bitfield(), "padding pieces are had");
    leech::fetch_every_block(&mut peer, &stage.torrent);
    drop(peer);
    seeding.terminate();
    seeding.wait_success(PATIENCE).unwrap();
    let stopped = stage.tracker.wait_event("stopped").unwrap();
    assert_eq!(stopped.uploaded, stage.torrent.content_len(), "zeros do not count");
}

#[test]
fn padding_that_is_not_zeros_is_left_out_and_the_files_are_whole() {
    let builder = Builder::new("liar").piece_length(16 << 10).file("a", 16 << 10);
    let stage = Stage::with(builder.false_padding(2 << 14).file("b", 9_000).build());
    let (seed, requests) = noting(&stage.torrent);
    stage.tracker.add_peer(stage.torrent.info_hash(), seed.addr());
    let dir = stage.dir("target");
    let download = Cli::download(&stage.file, &dir).unwrap().start().unwrap();
    download.wait_success(PATIENCE).unwrap();
    stage.torrent.compare(&dir).unwrap();
    assert!(download.log().contains("2 pieces are padding alone"), "{}", download.log());
    assert!(requests.lock().unwrap().iter().all(|(piece, _, _)| [0, 3].contains(piece)));
    // What download calls complete, verify and seed call so too; but no peer is told that we have them.
    let verified = Cli::new(["verify"]).unwrap().arg(&stage.file).arg("-d").arg(&dir);
    verified.start().unwrap().wait_success(PATIENCE).unwrap();
    let _seeding = Cli::seed(&stage.file, &dir).unwrap().start().unwrap();
    let seeder = stage.tracker.wait_for(PATIENCE, |all| {
        all.iter().filter(|announce| announce.event == "started").nth(1).map(|a| a.addr)
    });
    let ours = Handshake::new(stage.torrent.info_hash(), "leech");
    let (mut peer, _) = Peer::dial(seeder.unwrap(), &ours).unwrap();
    assert_eq!(leech::bitfield(&mut peer), [0b1001_0000]);
}
