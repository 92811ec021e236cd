//! What is not a plain file in a plain folder: FIFOs and folders where a file is expected, paths that are
//! not UTF-8, names that meet.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::PATIENCE;
use testkit::cli::Cli;
use testkit::seed::Seed;
use testkit::torrent::Builder;

use crate::stage::Stage;

fn make_fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let mut entries: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries
}

#[test]
fn a_torrent_that_is_no_file_is_not_waited_for() {
    let stage = Stage::new();
    let fifo = stage.dir("odd").join("a.torrent");
    make_fifo(&fifo);
    let words = format!("{}: not a regular file; \"-\" reads stdin", fifo.display());
    for command in ["show", "verify", "download", "seed"] {
        let program = Cli::new([command]).unwrap().arg(&fifo).start().unwrap();
        assert_eq!(program.wait_exit(PATIENCE).unwrap().code(), Some(17), "{}", program.log());
        assert!(program.log().contains(&words), "{}", program.log());
    }
    let magnet = Cli::new(["magnet"]).unwrap().arg(&fifo).start().unwrap();
    assert_eq!(magnet.wait_exit(PATIENCE).unwrap().code(), Some(17), "{}", magnet.log());
    let zeros = Cli::new(["show", "/dev/zero"]).unwrap().start().unwrap();
    assert_eq!(zeros.wait_exit(PATIENCE).unwrap().code(), Some(17), "{}", zeros.log());
}

#[test]
fn what_the_shell_opened_is_read() {
    let stage = Stage::new();
    let fifo = stage.dir("odd").join("fifo");
    make_fifo(&fifo);
    let (file, fifo) = (stage.file.display(), fifo.display());
    for path in ["-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"] {
        let show = Cli::new(["show", path]).unwrap();
        let show = show.within(&format!("cat '{file}' > '{fifo}' & exec < '{fifo}'"));
        let program = show.start().unwrap();
        program.wait_success(PATIENCE).unwrap();
        assert!(program.log().contains(&stage.torrent.info_hash_hex()), "{}", program.log());
    }
}

#[test]
fn what_is_no_file_in_the_state_folder_holds_nothing_up() {
    let torrent = Builder::single("song", 90_000).build();
    let stage = Stage::with(torrent);
    let seed = Seed::giving(&stage.torrent, "seed", stage.torrent.info()).unwrap();
    let home = stage.dir("home");
    let (uri, peer) = (stage.torrent.magnet(&[], &[]), seed.addr().to_string());
    let dir = stage.dir("target");
    let download = || {
        let download = Cli::download(uri.as_ref(), &dir).unwrap().env("XDG_STATE_HOME", &home);
        let download = download.args(["--peer", &peer]).start().unwrap();
        download.wait_success(PATIENCE).unwrap();
        stage.torrent.compare(&dir).unwrap();
    };
    download();
    let mut kept = entries(&home.join("pieces"));
    kept.push(home.join("pieces/dht.state"));
    let resume = |path: &Path| path.extension() == Some(OsStr::new("resume"));
    assert!(kept.iter().any(|path| resume(path)), "{kept:?}");
    for make in [make_fifo as fn(&Path), |path| fs::create_dir(path).unwrap()] {
        for path in &kept {
            let _ = fs::remove_file(path);
            let new = path.with_added_extension("new");
            let _ = fs::remove_file(&new);
            make(path);
            make_fifo(&new);
        }
        download();
    }
}

#[test]
fn a_folder_that_is_not_utf_8_is_as_good_as_any() {
    let stage = Stage::with(Builder::new("album").file("a/song", 90_000).build());
    let seed = Seed::start(&stage.torrent, "seed").unwrap();
    stage.tracker.add_peer(stage.torrent.info_hash(), seed.addr());
    let odd = stage.dir("parent").join(OsStr::from_bytes(b"gr\xfcn\n"));
    let (dir, home) = (odd.join("files"), odd.join("state"));
    let hook = odd.join("hook");
    fs::create_dir(&odd).unwrap();
    fs::write(&hook, "#!/bin/sh\nprintf %s \"$PIECES_PATH\" > \"$PIECES_DIR\"/told\n").unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    let download = Cli::download(&stage.file, &dir).unwrap().env("XDG_STATE_HOME", &home);
    let download = download.args(["--json", "--on-complete"]).arg(&hook).start().unwrap();
    download.wait_success(PATIENCE).unwrap();
    let told = OsString::from_vec(fs::read(dir.join("told")).unwrap());
    assert_eq!(Path::new(&told), dir.join("album"));
    fs::remove_file(dir.join("told")).unwrap();
    stage.torrent.compare(&dir).unwrap();
    for (command, code) in [("verify", 0), ("create", 0), ("seed", 3)] {
        // The last one looks into a folder that is not there.
        let (given, dir) = match command {
            "create" => (dir.join("album"), None),
            "seed" => (stage.file.clone(), Some(dir.join("none"))),
            _ => (stage.file.clone(), Some(dir.clone())),
        };
        let mut program = Cli::new([command]).unwrap().arg(given);
        program = match dir {
            Some(dir) => program.arg("-d").arg(dir),
            None => program.arg("-o").arg(odd.join("new.torrent")),
        };
        let program = program.start().unwrap();
        let status = program.wait_exit(PATIENCE).unwrap();
        assert_eq!(status.code(), Some(code), "{command}: {}", program.log());
        assert!(!program.log().contains("panicked"), "{}", program.log());
    }
}

#[test]
fn torrents_of_one_name_are_both_saved() {
    let name = "ä".repeat(127);
    let [one, other] = [1, 2].map(|seed| Builder::single(&name, 90_000).seed(seed).build());
    let stage = Stage::new();
    let (saved, home) = (stage.dir("saved"), stage.dir("home"));
    for (torrent, target) in [(&one, "first"), (&other, "second"), (&other, "third")] {
        let seed = Seed::giving(torrent, "seed", torrent.info()).unwrap();
        let (uri, dir, peer) =
            (torrent.magnet(&[], &[]), stage.dir(target), seed.addr().to_string());
        let download = Cli::download(uri.as_ref(), &dir).unwrap().env("XDG_STATE_HOME", &home);
        let download = download.args(["--peer", &peer, "--save-torrent"]).arg(&saved);
        let download = download.start().unwrap();
        download.wait_success(PATIENCE).unwrap();
        torrent.compare(&dir).unwrap();
    }
    let hash = &other.info_hash_hex()[..8];
    let names =
        [format!("{}.{hash}.torrent", "ä".repeat(119)), format!("{}.torrent", "ä".repeat(123))];
    let mut wanted = names.map(|name| saved.join(name));
    wanted.sort();
    assert_eq!(entries(&saved), wanted);
}
