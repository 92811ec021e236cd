//! Several torrents in one call: each argument stands alone, and each event is told when it happens.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;

use serde_json::Value;
use testkit::PATIENCE;
use testkit::cli::{self, Cli};
use testkit::message::Message;
use testkit::peer::{Handshake, Peer};
use testkit::process::{Process, Stream};
use testkit::seed::Seed;
use testkit::torrent::{Builder, Torrent};

use crate::stage::Stage;

/// A stage whose torrent the tracker knows a seed of.
fn seeded(torrent: Torrent) -> (Stage, Seed) {
    let stage = Stage::with(torrent);
    let seed = Seed::start(&stage.torrent, "seed").unwrap();
    stage.tracker.add_peer(stage.torrent.info_hash(), seed.addr());
    (stage, seed)
}

fn album() -> Torrent {
    Builder::new("album").file("song", 90_000).file("cover", 40_000).build()
}

/// Waits for a line that contains these words.
fn hear(process: &Process, words: &str) {
    process.wait_line(PATIENCE, |line| line.contains(words).then_some(())).unwrap();
}

fn exit_code(process: &Process) -> i32 {
    process.wait_exit(PATIENCE).unwrap().code().unwrap()
}

fn lines_with(process: &Process, words: &str) -> usize {
    process.log().lines().filter(|line| line.contains(words)).count()
}

#[test]
fn bad_arguments_do_not_stop_the_good_ones() {
    let (stage, _seed) = seeded(album());
    let dir = stage.dir("target");
    let others = stage.dir("others");
    let write = |name: &str, bytes: &[u8]| {
        let path = others.join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let (absent, broken) = (others.join("absent.torrent"), write("broken.torrent", b"d4:info"));
    let (empty, other) = (write("empty.torrent", b""), write("other.torrent", b"d4:spam4:eggse"));
    let download = Cli::download(&absent, &dir).unwrap().args([&broken, &empty, &other]);
    let download = download.arg("magnet:?dn=nothing").arg(&stage.file).start().unwrap();
    // That of the magnet URI is the worst of them.
    assert_eq!(exit_code(&download), 27, "{}", download.log());
    stage.torrent.compare(&dir).unwrap();
    assert!(download.output(Stream::Stdout).starts_with("album: complete"), "{}", download.log());
    let named = ["absent.torrent: ", "broken.torrent: ", "empty.torrent: "];
    for argument in named.iter().chain(&["other.torrent: ", "error: magnet:?dn=nothing: "]) {
        assert_eq!(lines_with(&download, argument), 1, "{argument}: {}", download.log());
    }
    assert_eq!(lines_with(&download, "error: "), 5, "{}", download.log());
}

#[test]
fn a_call_of_bad_arguments_alone_fails_with_the_worst() {
    let stage = Stage::new();
    let dir = stage.dir("target");
    let broken = stage.dir("others").join("broken");
    fs::write(&broken, "<html>").unwrap();
    for arguments in [[&broken, &dir.join("absent")], [&dir.join("absent"), &broken]] {
        let download = Cli::download(arguments[0], &dir).unwrap().arg(arguments[1]);
        let download = download.start().unwrap();
        assert_eq!(exit_code(&download), 25, "{}", download.log());
        assert_eq!(lines_with(&download, "error: "), 2, "{}", download.log());
        assert_eq!(lines_with(&download, ""), 2, "{}", download.log());
    }
}

#[test]
fn the_same_torrent_again_is_named_and_skipped() {
    let (stage, seed) = seeded(album());
    let dir = stage.dir("target");
    let copy = stage.dir("others").join("copy.torrent");
    fs::copy(&stage.file, &copy).unwrap();
    let uri = format!("magnet:?xt=urn:btih:{}", stage.torrent.info_hash_hex());
    let download = Cli::download(&stage.file, &dir).unwrap().arg(&stage.file);
    let download = download.arg(&copy).arg(&uri).arg("--json").start().unwrap();
    download.wait_success(PATIENCE).unwrap();
    stage.torrent.compare(&dir).unwrap();
    // Each piece is two blocks.
    assert!(seed.sent().values().all(|times| *times == 2), "{:?}", seed.sent());
    let first = stage.file.display();
    for again in [first.to_string(), copy.display().to_string(), uri] {
        let words = format!("warning: {again}: the same torrent as {first}, skipped");
        assert_eq!(lines_with(&download, &words), 1, "{words}\n{}", download.log());
    }
    let events = download.output(Stream::Stdout);
    let events = events.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    assert_eq!(events.filter(|event| event["event"] == "warning").count(), 3);
}

#[test]
fn a_magnet_and_its_torrent_are_one() {
    let (stage, _seed) = seeded(album());
    let dir = stage.dir("target");
    let hash = stage.torrent.info_hash_hex();
    let uri = format!("magnet:?xt=urn:btih:{hash}&dn=first");
    let again = format!("magnet:?xt=urn:btih:{}&dn=second", hash.to_uppercase());
    let download = Cli::download(&stage.file, &dir).unwrap().arg(&uri).arg(&again);
    let download = download.start().unwrap();
    download.wait_success(PATIENCE).unwrap();
    assert_eq!(lines_with(&download, ", skipped"), 2, "{}", download.log());
    stage.torrent.compare(&dir).unwrap();
}

#[test]
fn a_url_that_does_not_answer_holds_no_other_up() {
    let (stage, _seed) = seeded(album());
    let dir = stage.dir("target");
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}/x.torrent", silent.local_addr().unwrap());
    let download = Cli::download(url.as_ref(), &dir).unwrap().arg(&stage.file);
    let download = download.env("XDG_STATE_HOME", stage.dir("state")).start().unwrap();
    hear(&download, "album: complete");
    assert!(download.exit().is_none());
    download.interrupt();
    assert_eq!(exit_code(&download), 7, "{}", download.log());
    hear(&download, &format!("error: stopped before {url} was read"));
    stage.torrent.compare(&dir).unwrap();
}

#[test]
fn each_event_is_told_when_it_happens() {
    let waiting = Stage::new();
    let (stage, _seed) = seeded(album());
    let blocked = Stage::with(Builder::single("in the way", 10).build());
    let dir = waiting.dir("target");
    fs::create_dir(dir.join("in the way")).unwrap();
    let files = [&blocked.file, &stage.file];
    let download = Cli::download(&waiting.file, &dir).unwrap().args(files).start().unwrap();
    // The first one waits for a peer all the time.
    hear(&download, "error: in the way: ");
    hear(&download, "album: complete, 127 KiB in ");
    assert!(download.exit().is_none(), "{}", download.log());
    download.interrupt();
    // The disk's failure is worse than that it was stopped.
    assert_eq!(exit_code(&download), 17, "{}", download.log());
    assert_eq!(lines_with(&download, "error: stopped before a torrent was complete"), 1);
    assert_eq!(lines_with(&download, "album: complete"), 1, "{}", download.log());
    assert_eq!(lines_with(&download, "error: in the way: "), 1, "{}", download.log());
    assert_eq!(lines_with(&download, "album: downloaded 127 KiB in "), 1, "{}", download.log());
    assert_eq!(lines_with(&download, "3 torrents: downloaded 127 KiB in "), 1);
}

/// Asks for the first block of a torrent.
fn fetch_block(torrent: &Torrent, addr: std::net::SocketAddr) {
    let ours = Handshake::new(torrent.info_hash(), "leech");
    let (mut peer, _) = Peer::dial(addr, &ours).unwrap();
    peer.send(&Message::Interested).unwrap();
    peer.expect(|message| (*message == Message::Unchoke).then_some(())).unwrap();
    peer.send(&Message::Request { piece: 0, offset: 0, len: 16 << 10 }).unwrap();
    peer.expect(|message| matches!(message, Message::Piece { .. }).then_some(())).unwrap();
}

#[test]
fn a_seed_takes_several_and_a_damaged_one_does_not_stop_the_others() {
    let (first, second) = (Stage::new(), Stage::with(album()));
    let damaged = Stage::with(Builder::single("damaged", 30_000).build());
    let dir = first.full_dir("seed");
    second.torrent.write_files(&dir).unwrap();
    fs::write(dir.join("damaged"), "something else").unwrap();
    let files: [&PathBuf; 2] = [&damaged.file, &second.file];
    let seed = Cli::seed(&first.file, &dir).unwrap().args(files).start().unwrap();
    let addr = cli::listening(&seed).unwrap();
    hear(&seed, "error: damaged: only 0 of 1 pieces are whole on disk; -d names the folder");
    hear(&seed, "a torrent: complete, seeding 977 KiB");
    hear(&seed, "album: complete, seeding 127 KiB");
    fetch_block(&first.torrent, addr);
    fetch_block(&second.torrent, addr);
    seed.terminate();
    assert_eq!(exit_code(&seed), 32, "{}", seed.log());
    assert_eq!(lines_with(&seed, "album: uploaded 16.0 KiB in "), 1, "{}", seed.log());
    assert_eq!(lines_with(&seed, "3 torrents: uploaded 32.0 KiB in "), 1, "{}", seed.log());
}

#[test]
fn the_trackers_and_peers_of_the_same_torrent_again_are_used_too() {
    // One argument knows nobody, the others know the tracker, and the peer.
    let stage = Stage::with(album());
    let hash = stage.torrent.info_hash_hex();
    let bare = stage.torrent.save(&stage.dir("bare"), &[]).unwrap();
    let tracker = format!("magnet:?xt=urn:btih:{hash}&tr={}", stage.tracker.url());
    let seed = Seed::start(&stage.torrent, "seed").unwrap();
    let peer = format!("magnet:?xt=urn:btih:{hash}&x.pe={}", seed.addr());
    let dir = stage.dir("target");
    let download = Cli::download(&bare, &dir).unwrap().arg(&tracker).start().unwrap();
    stage.tracker.wait_event("started").unwrap();
    download.interrupt();
    download.wait_exit(PATIENCE).unwrap();
    let download = Cli::download(&bare, &dir).unwrap().arg(&peer).start().unwrap();
    download.wait_success(PATIENCE).unwrap();
    stage.torrent.compare(&dir).unwrap();

    // A private torrent has its own.
    let private = Stage::with(Builder::new("club").file("song", 90_000).private().build());
    let hash = private.torrent.info_hash_hex();
    let bare = private.torrent.save(&private.dir("bare"), &[]).unwrap();
    let tracker = format!("magnet:?xt=urn:btih:{hash}&tr={}", private.tracker.url());
    let dir = private.full_dir("whole");
    let seed = Cli::seed(&bare, &dir).unwrap().arg(&tracker).start().unwrap();
    hear(&seed, ", skipped");
    hear(&seed, "complete, seeding");
    seed.interrupt();
    seed.wait_success(PATIENCE).unwrap();
    assert!(private.tracker.announces().is_empty(), "{:?}", private.tracker.announces());
}
