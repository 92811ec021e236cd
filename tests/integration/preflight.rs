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

#[test]
fn what_the_system_refuses_is_told_with_path_reason_and_remedy() {
    let torrent = Builder::new("album").file("a/song", 90_000).file("cover", 40_000).build();
    let stage = Stage::with(torrent);
    let dir = stage.dir("targets");
    let path = |name: &str| dir.join(name).to_str().unwrap().to_owned();
    let write = |name: &str| fs::write(dir.join(name), "a file").unwrap();
    let folder = |name: &str| fs::create_dir_all(dir.join(name)).unwrap();
    // The target itself is a file; a file is in the place of the torrent's folder, or of one in it; a
    // folder is in the place of a file. In /sys not even root may make anything.
    write("file");
    folder("taken");
    write("taken/album");
    folder("deep/album");
    write("deep/album/a");
    folder("full/album/cover");
    let cases = [
        (path("file"), "file: cannot open the folder: Not a directory; a file is where"),
        (path("file/below"), "file/below: cannot open the folder: Not a directory; a file is"),
        (path("taken"), "taken/album/a/song: cannot look at it: Not a directory; a file is where"),
        (path("deep"), "deep/album/a/song: cannot look at it: Not a directory; a file is where"),
        (path("full"), "full/album/cover: is in the way: not a regular file; move it or choose"),
        ("/sys".into(), "/sys/album: cannot create the folder: "),
        ("/sys/new".into(), "/sys/new: cannot create the folder: "),
    ];
    for (target, words) in cases {
        let download = Cli::download(&stage.file, target.as_ref()).unwrap().start().unwrap();
        let status = download.wait_exit(PATIENCE).unwrap();
        let error = download.output(Stream::Stderr);
        let error = error.lines().find(|line| line.starts_with("error: album: ")).unwrap();
        assert_eq!(status.code(), Some(17), "{error}");
        assert!(error.contains(words) && error.contains("; "), "{error}");
        assert!(!error.contains("os error"), "{error}");
    }
    assert!(stage.tracker.announces().is_empty());
}

#[test]
fn a_port_that_is_taken_is_told_with_the_way_out() {
    let stage = Stage::new();
    let taken = std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let arguments = ["--bind", "127.0.0.1", "--port", &port.to_string()];
    let download = Cli::new(["download"]).unwrap().arg(&stage.file).args(arguments);
    let download = download.arg("-d").arg(stage.dir("target")).start().unwrap();
    assert_eq!(download.wait_exit(PATIENCE).unwrap().code(), Some(6), "{}", download.log());
    let words = format!(
        "error: cannot listen on 127.0.0.1:{port}: the port is in use; choose another (see --port \
         and --bind)\n"
    );
    assert_eq!(download.log(), words);
}

#[test]
fn resume_state_that_cannot_be_kept_is_a_warning_with_its_path() {
    let stage = Stage::new();
    let seed = Seed::start(&stage.torrent, "seed").unwrap();
    stage.tracker.add_peer(stage.torrent.info_hash(), seed.addr());
    let dir = stage.dir("target");
    let home = stage.dir("home");
    fs::write(home.join("pieces"), "a file").unwrap();
    let download = Cli::download(&stage.file, &dir).unwrap().env("XDG_STATE_HOME", &home);
    let download = download.start().unwrap();
    download.wait_success(PATIENCE).unwrap();
    let log = download.log();
    let told = log.lines().find(|line| line.contains("cannot save this for the next start: "));
    assert!(told.is_some_and(|line| line.contains(".resume: ") && line.contains("; ")), "{log}");
    stage.torrent.compare(&dir).unwrap();
}

#[test]
fn a_torrent_does_not_overwrite_the_file_it_was_read_from() {
    let stage = Stage::with(Builder::single("image", 100_000).build());
    let dir = stage.dir("target");
    // By its own name, and by a link.
    let own = dir.join("image");
    fs::copy(&stage.file, &own).unwrap();
    let bytes = fs::read(&own).unwrap();
    let link = stage.dir("links").join("link.torrent");
    std::os::unix::fs::symlink(&own, &link).unwrap();
    for torrent in [&own, &link] {
        let download = Cli::download(torrent, &dir).unwrap().start().unwrap();
        assert_eq!(download.wait_exit(PATIENCE).unwrap().code(), Some(28), "{}", download.log());
        let words =
            "target/image: is a torrent file in use and would be overwritten; choose another";
        assert!(download.log().contains(words), "{}", download.log());
        assert_eq!(fs::read(&own).unwrap(), bytes);
    }
    assert!(stage.tracker.announces().is_empty());
}

#[test]
fn a_saved_torrent_does_not_take_the_place_of_its_content() {
    let stage = Stage::with(Builder::new("album").file("a/song", 90_000).build());
    let seed = Seed::giving(&stage.torrent, "seed", stage.torrent.info()).unwrap();
    let dir = stage.dir("target");
    let uri = format!("magnet:?xt=urn:btih:{}", stage.torrent.info_hash_hex());
    let (home, peer) = (stage.dir("home"), seed.addr().to_string());
    let download = Cli::download(uri.as_ref(), &dir).unwrap().env("XDG_STATE_HOME", &home);
    let download = download.args(["--peer", &peer, "--save-torrent"]).arg(dir.join("album"));
    let download = download.start().unwrap();
    assert_eq!(download.wait_exit(PATIENCE).unwrap().code(), Some(28), "{}", download.log());
    assert!(download.log().contains("is called like that; choose another"), "{}", download.log());
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 0);
}
