//! The options of `pieces-cli download`, each used once against scripted peers.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use testkit::PATIENCE;
use testkit::cli::{Cli, listening};
use testkit::message::Message;
use testkit::peer::{Handshake, Peer};
use testkit::process::{Process, Stream};
use testkit::seed::Seed;
use testkit::torrent::Builder;
use testkit::tracker::Answer;

use crate::stage::Stage;

fn seeded() -> (Stage, Seed) {
    seeded_with(Stage::new())
}

fn seeded_with(stage: Stage) -> (Stage, Seed) {
    let seed = Seed::start(&stage.torrent, "seed").unwrap();
    stage.tracker.add_peer(stage.torrent.info_hash(), seed.addr());
    (stage, seed)
}

/// Files of 100,000 bytes and one of 10, in pieces of 16 KiB; the second starts in piece 6.
fn three_files() -> Builder {
    Builder::new("three").file("a.bin", 100_000).file("b.txt", 10).file("c.bin", 100_000)
}

#[test]
fn only_selected_files_are_fetched() {
    let (stage, seed) = seeded_with(Stage::with(three_files().piece_length(16 << 10).build()));
    let dir = stage.dir("target");
    let download = Cli::download(&stage.file, &dir).unwrap().args(["--select", "1"]);
    let download = download.start().unwrap();
    download.wait_success(PATIENCE).unwrap();

    stage.torrent.compare_where(&dir, |file| file.path == ["a.bin"]).unwrap();
    assert_eq!(seed.sent().into_keys().collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5, 6]);
    // Its neighbours in piece 6: one is in it as a whole, one in part, at the cost of one block.
    stage.torrent.compare_where(&dir, |file| file.path == ["b.txt"]).unwrap();
    let neighbour = fs::metadata(dir.join("three/c.bin")).unwrap();
    assert_eq!(neighbour.len(), 100_000);
    assert!(neighbour.blocks() * 512 < 50_000, "{} blocks", neighbour.blocks());
    // Trackers must not take us for a seed.
    let announces = stage.tracker.announces();
    assert!(announces.iter().all(|announce| announce.event != "completed"));
    let left = stage.torrent.len() - 7 * (16 << 10);
    assert_eq!(stage.tracker.wait_event("stopped").unwrap().left, left);

    // The rest is fetched when it is wanted, and what is here is not fetched again.
    let rest = Cli::download(&stage.file, &dir).unwrap().start().unwrap();
    rest.wait_success(PATIENCE).unwrap();
    stage.torrent.compare(&dir).unwrap();
    assert!(seed.sent().values().all(|times| *times == 1), "{:?}", seed.sent());
}

#[test]
fn globs_select_and_far_files_are_not_created() {
    let torrent = three_files().file("d.bin", 100_000).piece_length(16 << 10).build();
    let (stage, _seed) = seeded_with(Stage::with(torrent));
    let dir = stage.dir("target");
    let download = Cli::download(&stage.file, &dir).unwrap().args(["--select", "*.txt"]);
    download.start().unwrap().wait_success(PATIENCE).unwrap();
    stage.torrent.compare_where(&dir, |file| file.path == ["b.txt"]).unwrap();
    assert!(!dir.join("three/d.bin").exists());

    let nothing = Cli::download(&stage.file, &dir).unwrap().args(["--select", "9"]);
    let nothing = nothing.start().unwrap();
    assert_eq!(nothing.wait_exit(PATIENCE).unwrap().code(), Some(28), "{}", nothing.log());
}

#[test]
fn pieces_may_come_in_sequence() {
    let stage = Stage::new();
    let order = Arc::new(Mutex::new(Vec::new()));
    let note = Arc::clone(&order);
    let spoil = Box::new(move |piece, _, _: &mut Vec<u8>| note.lock().unwrap().push(piece));
    let seed = Seed::spoiling(&stage.torrent, "seed", spoil).unwrap();
    stage.tracker.add_peer(stage.torrent.info_hash(), seed.addr());
    let dir = stage.dir("target");
    let download = Cli::download(&stage.file, &dir).unwrap().args(["--sequential"]);
    download.args(["--max-peers", "1"]).start().unwrap().wait_success(PATIENCE).unwrap();
    assert!(order.lock().unwrap().is_sorted(), "{order:?}");
}

#[test]
fn the_download_limit_holds() {
    let (stage, _seed) = seeded();
    let dir = stage.dir("target");
    let download = Cli::download(&stage.file, &dir).unwrap().args(["--max-download", "200K"]);
    let download = download.start().unwrap();
    download.wait_success(PATIENCE).unwrap();
    // A million bytes at 204,800 a second are 4.9 s.
    let took = download.elapsed();
    assert!(took > Duration::from_millis(4_500), "{took:?}");
    stage.torrent.compare(&dir).unwrap();
}

#[test]
fn the_upload_limit_holds() {
    let stage = Stage::new();
    let dir = stage.full_dir("target");
    let seed = Cli::seed(&stage.file, &dir).unwrap().args(["--max-upload", "200K"]);
    let _seed = seed.start().unwrap();
    let begun = Instant::now();
    // Each of 31 pieces from 0 up in two blocks, the last one in one; nearly a million bytes.
    let ours = Handshake::new(stage.torrent.info_hash(), "leech");
    let (mut peer, _) = Peer::dial(stage.reachable(), &ours).unwrap();
    peer.send(&Message::Interested).unwrap();
    peer.expect(|message| (*message == Message::Unchoke).then_some(())).unwrap();
    let last = stage.torrent.piece_count() - 1;
    for piece in 0..last {
        for offset in [0, 16 << 10] {
            peer.send(&Message::Request { piece, offset, len: 16 << 10 }).unwrap();
        }
    }
    for _ in 0..2 * last {
        peer.expect(|message| matches!(message, Message::Piece { .. }).then_some(())).unwrap();
    }
    // 983,040 bytes at 204,800 a second are 4.8 s.
    assert!(begun.elapsed() > Duration::from_millis(4_500), "{:?}", begun.elapsed());
}

/// Fetches blocks of 16 KiB, of pieces from 0 up, from the program under test.
fn leech(stage: &Stage, blocks: u32) {
    let ours = Handshake::new(stage.torrent.info_hash(), "leech");
    let (mut peer, _) = Peer::dial(stage.reachable(), &ours).unwrap();
    peer.send(&Message::Interested).unwrap();
    peer.expect(|message| (*message == Message::Unchoke).then_some(())).unwrap();
    for piece in 0..blocks {
        peer.send(&Message::Request { piece, offset: 0, len: 16 << 10 }).unwrap();
        peer.expect(|message| matches!(message, Message::Piece { .. }).then_some(())).unwrap();
    }
}

#[test]
fn it_seeds_up_to_a_ratio() {
    let stage = Stage::new();
    let dir = stage.full_dir("target");
    let options = ["--seed-ratio", "0.15", "--max-upload", "1M"];
    let download = Cli::download(&stage.file, &dir).unwrap().args(options).start().unwrap();
    // 10 blocks are 163,840 of a million bytes.
    leech(&stage, 10);
    download.wait_success(PATIENCE).unwrap();
}

#[test]
fn it_seeds_for_a_time() {
    let stage = Stage::new();
    let dir = stage.full_dir("target");
    let download = Cli::download(&stage.file, &dir).unwrap().args(["--seed-time", "2"]);
    let download = download.start().unwrap();
    leech(&stage, 1);
    download.wait_success(PATIENCE).unwrap();
    assert!(download.elapsed() >= Duration::from_secs(2));
}

#[test]
fn several_torrents_end_with_the_worst_failure() {
    let (stage, _seed) = seeded();
    let (other, _other_seed) = seeded_with(Stage::with(three_files().build()));
    let dir = stage.dir("target");
    let download = Cli::download(&stage.file, &dir).unwrap().arg(&other.file).start().unwrap();
    download.wait_success(PATIENCE).unwrap();
    stage.torrent.compare(&dir).unwrap();
    other.torrent.compare(&dir).unwrap();
    let said = download.output(Stream::Stdout);
    let complete = |name: &str| said.lines().any(|line| line.starts_with(name));
    assert!(complete("a torrent: complete") && complete("three: complete"), "{said}");

    let dir = stage.dir("blocked");
    fs::create_dir_all(dir.join("three/a.bin")).unwrap();
    let download = Cli::download(&other.file, &dir).unwrap().arg(&stage.file).start().unwrap();
    let status = download.wait_exit(PATIENCE).unwrap();
    assert_eq!(status.code(), Some(17), "{}", download.log());
    stage.torrent.compare(&dir).unwrap();
}

#[test]
fn a_download_that_does_not_move_says_why() {
    let stage = Stage::new();
    let dir = stage.dir("target");
    let download = Cli::download(&stage.file, &dir).unwrap().arg("--json").start().unwrap();
    download
        .wait_line(PATIENCE, |line| line.contains("stalled: the trackers know no").then_some(()))
        .unwrap();
    let stalled = download.wait_line(PATIENCE, |line| {
        serde_json::from_str::<Value>(line).ok().filter(|event| event["event"] == "stalled")
    });
    assert_eq!(stalled.unwrap()["reason"], "no_peers");
    download.terminate();
    assert_eq!(download.wait_exit(PATIENCE).unwrap().code(), Some(7));
}

#[test]
fn events_are_lines_of_json() {
    let (stage, seed) = seeded();
    let dir = stage.dir("target");
    let download = Cli::download(&stage.file, &dir).unwrap().arg("--json").start().unwrap();
    download.wait_success(PATIENCE).unwrap();
    let said = download.output(Stream::Stdout);
    let events: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let hash = stage.torrent.info_hash_hex();
    assert!(events.iter().all(|event| event["format"] == 1 && event["torrent"] == hash.as_str()));
    let kinds: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(kinds[..2], ["added", "ready"]);
    let peers: Vec<&Value> = events.iter().filter(|event| event["event"] == "peer").collect();
    let addr = seed.addr().to_string();
    assert!(peers.iter().all(|peer| peer["address"] == addr.as_str()), "{peers:?}");
    let (first, last) = (peers[0], peers[peers.len() - 1]);
    assert_eq!((&first["state"], &first["origin"]), (&"connected".into(), &"dialed".into()));
    assert_eq!(first["client"], "-SC0000-");
    assert_eq!(last["state"], "closed");
    assert!(last["reason"].is_string(), "{last}");
    assert_eq!(kinds.iter().filter(|kind| **kind == "piece").count(), 31);
    assert_eq!(kinds.iter().filter(|kind| **kind == "complete").count(), 1);
    assert_eq!(events[0]["total_length"], 1_000_000);
    let times: Vec<&str> = events.iter().map(|event| event["time"].as_str().unwrap()).collect();
    // Text of one length sorts as the times do.
    assert!(times.is_sorted(), "{times:?}");
    for time in times {
        let shape: String =
            time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        assert_eq!(shape, "0000-00-00T00:00:00.000Z");
    }

    fs::write(dir.join("a torrent/one byte"), "").unwrap();
    fs::remove_file(dir.join("a torrent/the rest.iso")).unwrap();
    fs::create_dir(dir.join("a torrent/the rest.iso")).unwrap();
    let download = Cli::download(&stage.file, &dir).unwrap().arg("--json").start().unwrap();
    assert_eq!(download.wait_exit(PATIENCE).unwrap().code(), Some(17), "{}", download.log());
    let said = download.output(Stream::Stdout);
    let last: Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    assert_eq!((&last["event"], &last["exit_code"]), (&"error".into(), &17.into()));
}

#[test]
fn programs_are_told_figures_periodically_of_downloads_and_seeds() {
    let (stage, _seed) = seeded();
    let dir = stage.dir("target");
    let limit = ["--json", "--max-download", "500KB", "--seed"];
    let download = Cli::download(&stage.file, &dir).unwrap().args(limit).start().unwrap();
    let figures = |process: &Process, wanted: &str| {
        process.wait_line(PATIENCE, |line| {
            let event = serde_json::from_str::<Value>(line).ok()?;
            (event["event"] == "progress" && event["state"] == wanted).then_some(event)
        })
    };
    let now = figures(&download, "downloading").unwrap();
    assert_eq!(now["total"], 1_000_000);
    for key in ["have", "downloaded", "uploaded", "download_rate", "upload_rate", "peers"] {
        assert!(now[key].is_u64(), "{key}: {now}");
    }
    let now = figures(&download, "seeding").unwrap();
    assert_eq!((&now["have"], &now["eta"]), (&1_000_000.into(), &Value::Null));
    download.terminate();
    assert_eq!(download.wait_exit(PATIENCE).unwrap().code(), Some(0), "{}", download.log());

    let seed = Cli::seed(&stage.file, &dir).unwrap().arg("--json").start().unwrap();
    assert_eq!(figures(&seed, "seeding").unwrap()["total"], 1_000_000);
    seed.terminate();
    assert_eq!(seed.wait_exit(PATIENCE).unwrap().code(), Some(0), "{}", seed.log());
}

#[test]
fn a_peer_may_be_named_by_its_name() {
    let stage = Stage::new();
    // A program of ours, since the scripted seed has no metadata for a magnet.
    let seed = Cli::seed(&stage.file, &stage.full_dir("seed")).unwrap().start().unwrap();
    // Of the addresses of localhost only one is the seed's.
    let peer = format!("localhost:{}", listening(&seed).unwrap().port());
    let kept = stage.dir("state");
    for torrent in [stage.file.clone(), stage.torrent.magnet(&[], &[]).into()] {
        let dir = stage.dir("target");
        let download = Cli::download(&torrent, &dir).unwrap().args(["--peer", &peer]);
        let download = download.env("XDG_STATE_HOME", &kept).start().unwrap();
        download.wait_success(PATIENCE).unwrap();
        stage.torrent.compare(&dir).unwrap();
        fs::remove_dir_all(&dir).unwrap();
    }
}

#[test]
fn an_interface_may_be_bound_by_its_name() {
    let (stage, _seed) = seeded();
    let dir = stage.dir("target");
    let download = Cli::new(["download", "--bind", "lo", "--port", "0", "--no-dht", "-d"]).unwrap();
    let download = download.arg(&dir).arg(&stage.file).env("XDG_STATE_HOME", stage.dir("state"));
    let download = download.start().unwrap();
    download.wait_success(PATIENCE).unwrap();
    assert!(download.log().contains("listening on 127.0.0.1:"), "{}", download.log());
}

fn script(path: &Path, body: &str) {
    fs::write(path, format!("#!/bin/sh\n{body}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn no_event_and_no_stall_shows_a_trackers_password() {
    let stage = Stage::new();
    stage.tracker.set_answer(Answer::Failure("not today".into()));
    let url = stage.tracker.url().replace("http://", "http://me:s3cret@");
    let file = stage.torrent.save(&stage.dir("named"), &[&url]).unwrap();
    let dir = stage.dir("target");
    let download = Cli::download(&file, &dir).unwrap().args(["--json", "-vvv"]).start().unwrap();
    // The event, and what a stalled download tells after a while.
    let told = |line: &str| (line.contains("stall") && line.contains("not today")).then_some(());
    download.wait_line(PATIENCE, told).unwrap();
    download.terminate();
    download.wait_exit(PATIENCE).unwrap();
    let said = download.log();
    let shown = stage.tracker.url().replace("http://", "http://***@");
    assert!(said.matches(&shown).count() > 1, "{said}");
    assert!(!said.contains("s3cret"), "{said}");
}

#[test]
fn a_program_is_told_of_completion() {
    let (stage, _seed) = seeded();
    let dir = stage.dir("target");
    let program = stage.dir("bin").join("tell it");
    script(&program, "env | grep ^PIECES_ > \"$PIECES_DIR/told\"; echo heard; exit 3");
    let download = Cli::download(&stage.file, &dir).unwrap().arg("--on-complete").arg(&program);
    let download = download.start().unwrap();
    // Its failure is not the download's.
    download.wait_success(PATIENCE).unwrap();
    assert!(download.log().contains("tell it: exit status: 3"), "{}", download.log());
    assert!(!download.output(Stream::Stdout).contains("heard"));
    let told = fs::read_to_string(dir.join("told")).unwrap();
    let fact = |name: &str| {
        told.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).unwrap_or_default()
    };
    assert_eq!(fact("PIECES_NAME"), "a torrent");
    assert_eq!(fact("PIECES_BYTES"), "1000000");
    assert_eq!(fact("PIECES_INFO_HASH"), stage.torrent.info_hash_hex());
    assert_eq!(fact("PIECES_DIR"), dir.to_str().unwrap());
    assert_eq!(fact("PIECES_PATH"), dir.join("a torrent").to_str().unwrap());
}

#[test]
fn a_program_that_runs_on_does_not_keep_us() {
    let stage = Stage::new();
    let dir = stage.full_dir("target");
    let program = stage.dir("bin").join("slow");
    script(&program, "echo running; read forever < \"$PIECES_DIR/fifo\"");
    let fifo = dir.join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let download = Cli::download(&stage.file, &dir).unwrap().arg("--on-complete").arg(&program);
    let download = download.start().unwrap();
    download.wait_line(PATIENCE, |line| (line == "running").then_some(())).unwrap();
    assert!(download.exit().is_none());
    download.terminate();
    // The download itself is done.
    download.wait_success(PATIENCE).unwrap();
    // Lets the program end.
    drop(fs::File::options().write(true).open(&fifo).unwrap());
}

#[test]
fn twice_verbose_tells_connections_and_thrice_every_message() {
    let (stage, _seed) = seeded();
    for (flag, requests) in [("-vv", false), ("-vvv", true)] {
        let dir = stage.dir(flag);
        let download = Cli::download(&stage.file, &dir).unwrap().arg(flag).start().unwrap();
        download.wait_success(PATIENCE).unwrap();
        let log = download.log();
        assert!(log.contains("connected, Dialed"), "{log}");
        assert_eq!(log.contains("<- Request("), requests, "{log}");
    }
}

#[test]
fn excluded_files_are_not_fetched_and_not_needed_to_seed() {
    let (stage, _seed) = seeded_with(Stage::with(three_files().piece_length(16 << 10).build()));
    let dir = stage.dir("target");
    let download = Cli::download(&stage.file, &dir).unwrap().args(["-x", "c.*", "-x", "b.txt"]);
    download.start().unwrap().wait_success(PATIENCE).unwrap();
    stage.torrent.compare_where(&dir, |file| file.path == ["a.bin"]).unwrap();
    let c = fs::metadata(dir.join("three/c.bin")).unwrap();
    assert!(c.blocks() * 512 < 50_000, "{} blocks", c.blocks());

    let seed = Cli::seed(&stage.file, &dir).unwrap().args(["--exclude", "c.bin", "-v"]);
    let seed = seed.start().unwrap();
    seed.wait_line(PATIENCE, |line| line.contains("seeding").then_some(())).unwrap();
    // What a user may want to know of a run.
    let told = stage.file.with_file_name("state/pieces");
    let told = format!("info: resume state is kept in {}", told.display());
    seed.wait_line(PATIENCE, |line| (line == told).then_some(())).unwrap();
    seed.wait_line(PATIENCE, |line| line.contains("peers").then_some(())).unwrap();
    let ours = Handshake::new(stage.torrent.info_hash(), "leech");
    drop(Peer::dial(listening(&seed).unwrap(), &ours).unwrap());
    for words in [" is connected (incoming, ", " is closed: "] {
        seed.wait_line(PATIENCE, |line| line.contains(words).then_some(())).unwrap();
    }
}
