//! Names that a disk may hold and a terminal may not see, through a seed and a download.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;
use testkit::PATIENCE;
use testkit::cli::{Cli, listening};
use testkit::process::{Process, Stream};
use testkit::torrent::{Builder, Torrent};

use crate::stage::Stage;

/// Files, and what each was called by versions up to 0.1.
const FILES: [(&str, &str); 9] = [
    ("aux.c", "_aux.c"),
    ("name ", "name_"),
    ("a\\b", "a_b"),
    ("a:b", "a:b"),
    ("tab\tbed", "tab_bed"),
    ("\u{202e}gpj.exe", "_gpj.exe"),
    ("A.txt", "A.txt"),
    ("a.txt", "a.1.txt"),
    ("deep./er.", "deep_/er_"),
];

fn torrent() -> Torrent {
    let all = FILES.iter().enumerate();
    all.fold(Builder::new("Vol. 1."), |torrent, (number, (path, _))| {
        torrent.file(path, 10_000 + number as u64)
    })
    .build()
}

/// What is called so in a folder, moved to where an earlier version had it.
fn rename_to_earlier(dir: &Path) {
    let (now, then) = (dir.join("Vol. 1."), dir.join("Vol. 1_"));
    fs::create_dir_all(then.join("deep_")).unwrap();
    for (name, earlier) in FILES {
        fs::rename(now.join(name), then.join(earlier)).unwrap();
    }
    fs::remove_dir_all(now).unwrap();
}

fn seeds(stage: &Stage, dir: &Path) -> Process {
    let seed = Cli::seed(&stage.file, dir).unwrap().start().unwrap();
    assert_eq!(stage.tracker.wait_event("started").unwrap().left, 0, "{}", seed.log());
    seed
}

fn is_clean(process: &Process) {
    let log = process.log();
    let raw = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
    assert!(!log.contains(raw), "{log:?}");
}

#[test]
fn a_seed_finds_its_files_under_the_names_of_the_torrent() {
    let stage = Stage::with(torrent());
    is_clean(&seeds(&stage, &stage.full_dir("seed")));
}

#[test]
fn a_seed_finds_its_files_under_earlier_names_of_ours() {
    let stage = Stage::with(torrent());
    let dir = stage.full_dir("seed");
    rename_to_earlier(&dir);
    let seed = seeds(&stage, &dir);
    is_clean(&seed);
    let told = seed.log();
    assert!(told.contains("\"Vol. 1.\" of the torrent is \"Vol. 1_\" on disk"), "{told}");
}

#[test]
fn a_download_is_complete_where_an_earlier_version_left_it() {
    let stage = Stage::with(torrent());
    let dir = stage.full_dir("target");
    rename_to_earlier(&dir);
    let (hook, told) = (stage.dir("hook").join("run"), stage.dir("told").join("path"));
    fs::write(&hook, format!("#!/bin/sh\nprintf %s \"$PIECES_PATH\" > '{}'\n", told.display()))
        .unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    // No peer is there to fetch it from.
    let download = || Cli::download(&stage.file, &dir).unwrap().arg("--json");
    let first = download().arg("--sync").arg("--on-complete").arg(&hook).start().unwrap();
    first.wait_success(PATIENCE).unwrap();
    assert!(!events(&first, "checking").is_empty(), "{}", first.log());
    assert_eq!(fs::read(told).unwrap(), dir.join("Vol. 1_").as_os_str().as_bytes());
    // What the resume state says of files under these names is believed.
    let download = download().start().unwrap();
    download.wait_success(PATIENCE).unwrap();
    assert!(events(&download, "checking").is_empty(), "{}", download.log());
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
    let path = path_of(&download, "complete");
    assert_eq!(Path::new(&path), dir.join("Vol. 1_"));
}

#[test]
fn a_download_makes_names_that_can_be_looked_at_and_finds_them_again() {
    let stage = Stage::with(torrent());
    let source = stage.full_dir("source");
    let seed = seeds(&stage, &source);
    let addr = listening(&seed).unwrap().to_string();
    let dir = stage.dir("target");
    let download = || Cli::download(&stage.file, &dir).unwrap().args(["--json", "--no-pex"]);
    let first = download().args(["--peer", &addr]).start().unwrap();
    first.wait_success(PATIENCE).unwrap();
    is_clean(&first);
    for (number, (name, _)) in FILES.iter().enumerate() {
        let new = name.replace(['\t', '\u{202e}'], "_");
        let found = fs::read(dir.join("Vol. 1.").join(&new)).unwrap();
        assert_eq!(found, fs::read(source.join("Vol. 1.").join(name)).unwrap(), "{number}");
    }
    let warned = events(&first, "warning");
    let said = |words: &str| warned.iter().any(|event| event["message"] == words);
    assert!(
        said(r#""Vol. 1./tab\tbed" of the torrent is "Vol. 1./tab_bed" on disk"#),
        "{warned:?}"
    );
    // Without its resume state, and without a peer.
    seed.terminate();
    seed.wait_exit(PATIENCE).unwrap();
    let again = download().env("XDG_STATE_HOME", stage.dir("other state")).start().unwrap();
    again.wait_success(PATIENCE).unwrap();
    assert_eq!(Path::new(&path_of(&again, "complete")), dir.join("Vol. 1."));
}

#[test]
fn the_torrent_of_a_magnet_with_the_longest_name_is_saved() {
    let torrent = Builder::single(&"n".repeat(255), 100_000).build();
    let folder = tempfile::tempdir().unwrap();
    let [dir, target, saved, state] =
        ["seed", "target", "saved", "state of it"].map(|name| folder.path().join(name));
    for dir in [&dir, &target, &saved] {
        fs::create_dir(dir).unwrap();
    }
    torrent.write_files(&dir).unwrap();
    let file = folder.path().join("t.torrent");
    fs::write(&file, torrent.metainfo(&[])).unwrap();
    let seed = Cli::seed(&file, &dir).unwrap().start().unwrap();
    let addr = listening(&seed).unwrap();
    let uri = torrent.magnet(&[], &[addr]);
    let download = Cli::new(["download", &uri, "-d"]).unwrap().arg(&target).arg("--save-torrent");
    let download = download.arg(&saved).args(["--bind", "127.0.0.1", "--port", "0", "--no-dht"]);
    let download = download.env("XDG_STATE_HOME", state).start().unwrap();
    download.wait_success(PATIENCE).unwrap();
    let there: Vec<PathBuf> =
        fs::read_dir(&saved).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(there, [saved.join(format!("{}.torrent", "n".repeat(247)))]);
    torrent.compare(&target).unwrap();
}

fn events(process: &Process, kind: &str) -> Vec<Value> {
    let lines = process.output(Stream::Stdout);
    let all = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    all.filter(|event| event["event"] == kind).collect()
}

fn path_of(process: &Process, kind: &str) -> String {
    let [event] = &events(process, kind)[..] else { panic!("{}", process.log()) };
    event["path"].as_str().unwrap().to_owned()
}
