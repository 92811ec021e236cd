//! What is known to go wrong is told before the first byte is fetched, and room is taken as asked.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde_json::Value;
use testkit::PATIENCE;
use testkit::cli::Cli;
use testkit::process::Stream;
use testkit::seed::Seed;
use testkit::torrent::Builder;

use crate::stage::Stage;

/// Runs `download` with these options, which must fail with `code` and one line that says `words`,
/// before anything is created and before anybody is asked.
fn refused(torrent: &Path, dir: &Path, options: &[&str], code: i32, words: &str) {
    let download = Cli::download(torrent, dir).unwrap().arg("-q").args(options).start().unwrap();
    let status = download.wait_exit(PATIENCE).unwrap();
    let log = download.log();
    assert_eq!(status.code(), Some(code), "{log}");
    assert!(log.starts_with("error: ") && log.lines().count() == 1, "{log}");
    assert!(log.contains(words), "{log}");
    assert_eq!(fs::read_dir(dir).unwrap().count(), 0, "{log}");
}

/// A torrent of so many bytes.
fn huge(dir: &Path, len: u64) -> PathBuf {
    const PIECE: u64 = 64 << 20;
    let hashes = usize::try_from(len / PIECE).unwrap() * 20;
    let head =
        format!("d4:infod6:lengthi{len}e4:name4:huge12:piece lengthi{PIECE}e6:pieces{hashes}:");
    let path = dir.join("huge.torrent");
    fs::write(&path, [head.as_bytes(), &vec![b'x'; hashes], b"ee"].concat()).unwrap();
    path
}

#[test]
fn what_does_not_fit_the_disk_is_refused() {
    let stage = Stage::new();
    // 64 TiB, which no disk has room for.
    let torrent = huge(&stage.dir("torrents"), 1 << 46);
    let dir = stage.dir("target");
    for options in [&[][..], &["--sparse"]] {
        refused(&torrent, &dir, options, 9, "the disk is full: ");
    }
}

#[test]
fn paths_too_long_for_the_system_are_refused() {
    // 4,084 bytes with the torrent's name, which would still do; with the target folder they won't.
    let long = vec!["x".repeat(254); 16].join("/");
    let torrent = Builder::new("long").file(&long, 1).file(&format!("{long}y"), 1).file("z", 1);
    let stage = Stage::with(torrent.build());
    let dir = stage.dir("target");
    refused(&stage.file, &dir, &[], 17, "(and one more file); choose another folder");
    assert!(stage.tracker.announces().is_empty());
}

#[test]
fn room_is_taken_at_once_or_as_it_is_needed() {
    for (options, takes_it) in [(&[][..], true), (&["--sparse"][..], false)] {
        let stage = Stage::with(Builder::single("image", 10_000_000).build());
        let dir = stage.dir("target");
        let download = Cli::download(&stage.file, &dir).unwrap().args(options).start().unwrap();
        stage.reachable();
        let file = fs::metadata(dir.join("image")).unwrap();
        assert_eq!(file.len(), 10_000_000);
        assert_eq!(file.blocks() * 512 >= 10_000_000, takes_it, "{} blocks", file.blocks());
        download.terminate();
        assert_eq!(download.wait_exit(PATIENCE).unwrap().code(), Some(7));
    }
}

#[test]
fn holes_are_not_read_before_the_download_begins() {
    let stage = Stage::new();
    let torrent = huge(&stage.dir("torrents"), 1 << 40);
    let dir = stage.dir("target");
    fs::File::create(dir.join("huge")).unwrap().set_len(1 << 40).unwrap();
    let download = Cli::download(&torrent, &dir).unwrap().arg("--json");
    let download = download.start().unwrap();
    // A terabyte of zeros takes minutes to read.
    let ready = |line: &str| line.contains(r#""event":"ready""#).then(|| line.to_owned());
    let line = download.wait_line(PATIENCE, ready).unwrap();
    let event: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&event["have"], &event["total"]), (&0.into(), &16_384.into()));
    download.terminate();
    assert_eq!(download.wait_exit(PATIENCE).unwrap().code(), Some(7));
}

#[test]
fn what_was_synced_is_believed_unless_told_otherwise() {
    let stage = Stage::new();
    let seed = Seed::start(&stage.torrent, "seed").unwrap();
    stage.tracker.add_peer(stage.torrent.info_hash(), seed.addr());
    let dir = stage.dir("target");
    let checked = |options: &[&str]| {
        let download = Cli::download(&stage.file, &dir).unwrap().arg("--json").args(options);
        let download = download.start().unwrap();
        download.wait_success(PATIENCE).unwrap();
        let said = download.output(Stream::Stdout);
        said.lines().any(|line| {
            let event: Value = serde_json::from_str(line).unwrap();
            event["event"] == "checking"
        })
    };
    assert!(!checked(&["--sync"]), "nothing was there");
    assert!(!checked(&[]), "all of it was synced");
    assert!(checked(&["--verify"]));
    stage.torrent.compare(&dir).unwrap();
}
