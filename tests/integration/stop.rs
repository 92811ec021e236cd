//! Leaving before the end, and who may not begin.

use std::time::{Duration, Instant};

use testkit::PATIENCE;
use testkit::cli::Cli;
use testkit::message::Message;
use testkit::peer::{Handshake, Peer};
use testkit::process::Process;
use testkit::seed::Seed;
use testkit::torrent::Builder;
use testkit::tracker::Answer;

use crate::stage::Stage;

/// What the program promises.
const LEAVES_WITHIN: Duration = Duration::from_secs(5);

/// How long it waits at the least for a tracker that does not answer its good-bye.
const GOOD_BYE: Duration = Duration::from_secs(3);

#[test]
fn a_stopped_download_goes_on_later() {
    let stage = Stage::new();
    let dir = stage.dir("target");
    let download = Cli::download(&stage.file, &dir).unwrap().start().unwrap();
    // A seed that has only the first three pieces, so the download cannot finish.
    let ours = Handshake::new(stage.torrent.info_hash(), "poor");
    let (mut poor, _) = Peer::dial(stage.reachable(), &ours).unwrap();
    let mut bits = vec![0; stage.torrent.full_bitfield().len()];
    bits[0] = 0b1110_0000;
    poor.send(&Message::Bitfield(bits)).unwrap();
    poor.send(&Message::Unchoke).unwrap();
    // Who has a piece is not told about it, so somebody who has nothing listens for what is whole.
    let ours = Handshake::new(stage.torrent.info_hash(), "watcher");
    let (mut watcher, _) = Peer::dial(stage.reachable(), &ours).unwrap();
    let mut sent = 0;
    while sent < 3 * stage.torrent.piece_length() {
        if let Message::Request { piece, offset, len } = poor.receive().unwrap() {
            let data = stage.torrent.block(piece, offset, len).unwrap().to_vec();
            poor.send(&Message::Piece { piece, offset, data }).unwrap();
            sent += len;
        }
    }
    let mut whole = 0;
    while whole < 3 {
        whole += match watcher.receive().unwrap() {
            Message::Bitfield(bits) => bits.iter().map(|byte| byte.count_ones()).sum(),
            Message::Have(_) => 1,
            _ => 0,
        };
    }
    download.interrupt();
    let status = download.wait_exit(LEAVES_WITHIN).unwrap();
    assert_eq!(status.code(), Some(7), "{}", download.log());
    let stopped = stage.tracker.wait_event("stopped").unwrap();
    let fetched = 3 * u64::from(stage.torrent.piece_length());
    assert_eq!(stopped.left, stage.torrent.len() - fetched);

    let seed = Seed::start(&stage.torrent, "rich").unwrap();
    stage.tracker.add_peer(stage.torrent.info_hash(), seed.addr());
    let again = Cli::download(&stage.file, &dir).unwrap().start().unwrap();
    again.wait_success(PATIENCE).unwrap();
    stage.torrent.compare(&dir).unwrap();
    let sent = seed.sent();
    assert!(sent.keys().all(|piece| *piece > 2), "fetched twice: {sent:?}");
}

#[test]
fn a_silent_tracker_delays_nothing() {
    let stage = Stage::new();
    stage.tracker.set_answer(Answer::Silence);
    let seed = Seed::start(&stage.torrent, "seed").unwrap();
    let dir = stage.dir("target");
    let peer = seed.addr().to_string();
    let download = Cli::download(&stage.file, &dir).unwrap().args(["--peer", &peer]);
    // No longer than it would take to leave with a tracker that answers.
    download.start().unwrap().wait_success(LEAVES_WITHIN * 2).unwrap();
    stage.torrent.compare(&dir).unwrap();
}

/// A download whose tracker answered once and then fell silent.
fn forsaken(stage: &Stage) -> Process {
    stage.tracker.set_warning("a last word");
    let download = Cli::download(&stage.file, &stage.dir("target")).unwrap().start().unwrap();
    download.wait_line(PATIENCE, |line| line.contains("a last word").then_some(())).unwrap();
    stage.tracker.set_answer(Answer::Silence);
    download
}

#[test]
fn a_tracker_that_falls_silent_holds_nobody_up_for_long() {
    let stage = Stage::new();
    let download = forsaken(&stage);
    let asked = Instant::now();
    download.terminate();
    let status = download.wait_exit(LEAVES_WITHIN).unwrap();
    assert_eq!(status.code(), Some(7), "{}", download.log());
    stage.tracker.wait_event("stopped").unwrap();
    assert!(asked.elapsed() >= GOOD_BYE, "{:?}", asked.elapsed());
}

#[test]
fn the_second_interrupt_means_now() {
    let stage = Stage::new();
    let download = forsaken(&stage);
    let asked = Instant::now();
    download.interrupt();
    download.wait_line(PATIENCE, |line| line.contains("once more").then_some(())).unwrap();
    download.interrupt();
    let status = download.wait_exit(PATIENCE).unwrap();
    assert!(asked.elapsed() < GOOD_BYE, "{:?}", asked.elapsed());
    assert_eq!(status.code(), Some(7), "{}", download.log());
}

#[test]
fn nobody_seeds_from_a_folder_that_is_not_there() {
    let stage = Stage::new();
    let seed = Cli::seed(&stage.file, &stage.dir("here").join("not")).unwrap().start().unwrap();
    assert_eq!(seed.wait_exit(PATIENCE).unwrap().code(), Some(3), "{}", seed.log());
    assert!(
        seed.log().contains("here/not: cannot open the folder: No such file"),
        "{}",
        seed.log()
    );
}

#[test]
fn another_torrent_with_one_of_the_files_is_refused() {
    let stage =
        Stage::with(Builder::new("album").file("song", 90_000).file("cover", 40_000).build());
    let dir = stage.dir("target");
    let first = Cli::download(&stage.file, &dir).unwrap().start().unwrap();
    stage.tracker.wait_event("started").unwrap();
    let other = Builder::new("album").file("cover", 40_000).file("film", 90_000).build();
    let file = other.save(&stage.dir("other"), &[&stage.tracker.url()]).unwrap();
    let second = Cli::download(&file, &dir).unwrap().start().unwrap();
    assert_eq!(second.wait_exit(PATIENCE).unwrap().code(), Some(17), "{}", second.log());
    let path = dir.join("album/cover");
    assert!(second.log().contains(&format!("{}: is in use", path.display())), "{}", second.log());
    assert!(!dir.join("album/film").exists());
    assert!(first.exit().is_none());
    first.terminate();
    assert_eq!(first.wait_exit(LEAVES_WITHIN).unwrap().code(), Some(7));
}

#[test]
fn a_second_program_on_the_same_files_is_refused() {
    let stage = Stage::new();
    let dir = stage.dir("target");
    let first = Cli::download(&stage.file, &dir).unwrap().start().unwrap();
    stage.tracker.wait_event("started").unwrap();
    let second = Cli::download(&stage.file, &dir).unwrap().start().unwrap();
    let status = second.wait_exit(PATIENCE).unwrap();
    assert!(!status.success());
    assert!(second.log().contains("error:"), "{}", second.log());
    assert!(first.exit().is_none());
    first.terminate();
    assert_eq!(first.wait_exit(LEAVES_WITHIN).unwrap().code(), Some(7));
}
