//! Ctrl-C: every command hears it, and the second time means now.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use testkit::PATIENCE;
use testkit::binary::pieces_cli;
use testkit::cli::Cli;
use testkit::process::Process;
use testkit::terminal::ERASED;
use testkit::torrent::Builder;
use testkit::tracker::Answer;

use crate::stage::Stage;

/// What "at once" may take on a machine with much else to do: far less than what is stopped here.
const AT_ONCE: Duration = Duration::from_secs(2);

/// Interrupts the program; it leaves with 7, and without what it would wait for.
fn leaves_at_once(program: &Process) {
    let asked = Instant::now();
    program.interrupt();
    let status = program.wait_exit(PATIENCE).unwrap();
    assert!(asked.elapsed() < AT_ONCE, "{:?}: {}", asked.elapsed(), program.log());
    assert_eq!(status.code(), Some(7), "{}", program.log());
}

/// A file of a terabyte that is nearly all holes, but has a byte in each of its pieces of 64 MiB.
fn vast(folder: &Path) {
    const PIECE: u64 = 64 << 20;
    let file = File::create(folder.join("vast")).unwrap();
    file.set_len(1 << 40).unwrap();
    for piece in 0..(1 << 40) / PIECE {
        file.write_all_at(b"x", piece * PIECE).unwrap();
    }
}

/// Its torrent, with hashes of something else.
fn vast_torrent(folder: &Path) -> std::path::PathBuf {
    let hashes = (1_usize << 40) / (64 << 20) * 20;
    let head = format!(
        "d4:infod6:lengthi{}e4:name4:vast12:piece lengthi67108864e6:pieces{hashes}:",
        1_u64 << 40
    );
    let path = folder.join("vast.torrent");
    fs::write(&path, [head.as_bytes(), &vec![b'x'; hashes], b"ee"].concat()).unwrap();
    path
}

#[test]
fn verify_and_create_stop_within_holes_and_data() {
    let folder = tempfile::tempdir().unwrap();
    vast(folder.path());
    let torrent = vast_torrent(folder.path());
    let verify = Cli::new(["verify"]).unwrap().arg(&torrent).arg("-d").arg(folder.path());
    let create = Cli::new(["create", "-l", "64M", "-o"]).unwrap();
    let create = create.arg(folder.path().join("new.torrent")).arg(folder.path().join("vast"));
    for (program, work) in [(verify, "verifying"), (create, "hashing")] {
        let program = program.start().unwrap();
        program.wait_line(PATIENCE, |line| line.contains(work).then_some(())).unwrap();
        leaves_at_once(&program);
        assert!(program.log().contains("error: stopped before"), "{}", program.log());
    }
    assert!(!folder.path().join("new.torrent").exists());
}

#[test]
fn a_start_that_checks_files_stops_within_them() {
    let folder = tempfile::tempdir().unwrap();
    vast(folder.path());
    let torrent = vast_torrent(folder.path());
    for command in ["download", "seed"] {
        let program = Cli::new([command]).unwrap().on_loopback(&torrent, folder.path());
        let program = program.start().unwrap();
        program.wait_line(PATIENCE, |line| line.contains("checking files").then_some(())).unwrap();
        leaves_at_once(&program);
    }
}

#[test]
fn who_waits_for_a_tracker_leaves_at_once() {
    for command in ["announce", "scrape"] {
        let stage = Stage::new();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/announce", listener.local_addr().unwrap());
        let torrent = stage.torrent.save(&stage.dir("silent"), &[&url]).unwrap();
        let program = Cli::new([command]).unwrap().arg(torrent).start().unwrap();
        let _asked = listener.accept().unwrap();
        leaves_at_once(&program);
    }
}

#[test]
fn who_waits_for_a_torrent_leaves_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let target = folder.path();
    for words in [&["show"][..], &["verify"], &["seed"], &["download"], &["scrape"], &["magnet"]] {
        let mut shell = Command::new("sh");
        shell.args(["-c", "exec \"$@\" - < \"$0\""]).arg(&fifo).arg(pieces_cli().unwrap());
        shell.args(words).env("XDG_STATE_HOME", target);
        let program = Process::start("pieces-cli", &mut shell).unwrap();
        // More than a pipe holds, so that this ends when the program is there and reads.
        let mut writer = File::options().write(true).open(&fifo).unwrap();
        writer.write_all(&vec![b'x'; 1 << 17]).unwrap();
        leaves_at_once(&program);
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/a.torrent", listener.local_addr().unwrap());
    for words in [&["show"][..], &["download"]] {
        let program = Cli::new(words).unwrap().arg(&url).env("XDG_STATE_HOME", target);
        let program = program.start().unwrap();
        let (mut asked, _) = listener.accept().unwrap();
        asked.read_exact(&mut [0]).unwrap();
        leaves_at_once(&program);
    }
}

#[test]
fn the_second_time_ends_a_seed_that_says_good_bye() {
    let stage = Stage::with(Builder::new("album").file("song", 90_000).build());
    stage.tracker.set_warning("a last word");
    let seed = Cli::seed(&stage.file, &stage.full_dir("whole")).unwrap().start().unwrap();
    seed.wait_line(PATIENCE, |line| line.contains("a last word").then_some(())).unwrap();
    stage.tracker.set_answer(Answer::Silence);
    seed.interrupt();
    stage.tracker.wait_event("stopped").unwrap();
    // The tracker would be given longer than that.
    leaves_at_once(&seed);
}

/// Of what was shown, the last was taken away.
fn nothing_is_left_on_the_terminal_of(program: &Process) {
    assert_eq!(program.wait_exit(PATIENCE).unwrap().code(), Some(7), "{}", program.log());
    let log = program.log();
    let last = log.lines().rev().find(|line| *line == ERASED || line.contains('%'));
    assert_eq!(last, Some(ERASED), "{log}");
}

#[test]
fn nothing_of_the_progress_stays_on_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    vast(folder.path());
    let torrent = vast_torrent(folder.path());
    let verify = Cli::new(["verify"]).unwrap().arg(&torrent).arg("-d").arg(folder.path());
    let verify = verify.start_on_terminal().unwrap();
    verify.wait_line(PATIENCE, |line| line.contains("verifying").then_some(())).unwrap();
    verify.interrupt();
    nothing_is_left_on_the_terminal_of(&verify);

    let stage = Stage::with(Builder::new("album").file("song", 90_000).build());
    stage.tracker.set_warning("a last word");
    let seed = Cli::seed(&stage.file, &stage.full_dir("whole")).unwrap();
    let seed = seed.start_on_terminal().unwrap();
    seed.wait_line(PATIENCE, |line| line.contains("a last word").then_some(())).unwrap();
    seed.wait_line(PATIENCE, |line| line.contains("100%").then_some(())).unwrap();
    stage.tracker.set_answer(Answer::Silence);
    seed.interrupt();
    stage.tracker.wait_event("stopped").unwrap();
    seed.interrupt();
    nothing_is_left_on_the_terminal_of(&seed);
}
