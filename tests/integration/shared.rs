//! Several torrents over the same files: those that only read share them, in one process and in two; one
//! that writes has them alone.

use std::path::PathBuf;
use std::time::Instant;

use testkit::PATIENCE;
use testkit::cli::{self, Cli};
use testkit::peer::{Handshake, Peer};
use testkit::process::Process;
use testkit::seed::Seed;
use testkit::torrent::{Builder, Torrent};

use crate::leech;
use crate::stage::Stage;

/// A torrent, and another of the same files with another info-hash, as another tracker would want it.
fn two_of_the_same() -> (Stage, Torrent, PathBuf) {
    let album = || Builder::new("album").file("song", 90_000).file("cover", 40_000);
    let stage = Stage::with(album().build());
    let other = album().piece_length(65_536).build();
    assert_ne!(stage.torrent.info_hash(), other.info_hash());
    assert!(stage.torrent.data() == other.data());
    let file = other.save(&stage.dir("other"), &[&stage.tracker.url()]).unwrap();
    (stage, other, file)
}

fn fetch_all(torrent: &Torrent, seed: &Process) {
    let ours = Handshake::new(torrent.info_hash(), "leech");
    let (mut peer, _) = Peer::dial(cli::listening(seed).unwrap(), &ours).unwrap();
    assert_eq!(leech::bitfield(&mut peer), torrent.full_bitfield());
    leech::fetch_every_block(&mut peer, torrent);
}

/// Waits until it serves so many torrents.
fn serves(process: &Process, mut count: usize) {
    let served = |line: &str| {
        count -= usize::from(line.contains(": complete, "));
        (count == 0).then_some(())
    };
    process.wait_line(PATIENCE, served).unwrap();
}

fn ends_well(process: &Process) {
    process.terminate();
    process.wait_success(PATIENCE).unwrap();
}

/// It ends at once since another has the files, and says so with these words.
fn refused(process: &Process, words: &str) {
    let status = process.wait_exit(PATIENCE).unwrap();
    assert_eq!(status.code(), Some(17), "{}", process.log());
    assert!(process.log().contains(words), "{}", process.log());
}

#[test]
fn one_process_seeds_two_torrents_of_the_same_files() {
    let (stage, other, file) = two_of_the_same();
    let dir = stage.full_dir("seed");
    let seed = Cli::seed(&stage.file, &dir).unwrap().arg(&file).start().unwrap();
    serves(&seed, 2);
    fetch_all(&stage.torrent, &seed);
    fetch_all(&other, &seed);
    ends_well(&seed);
}

#[test]
fn two_processes_seed_two_torrents_of_the_same_files() {
    let (stage, other, file) = two_of_the_same();
    let dir = stage.full_dir("seed");
    let first = Cli::seed(&stage.file, &dir).unwrap().start().unwrap();
    serves(&first, 1);
    fetch_all(&stage.torrent, &first);
    let second = Cli::seed(&file, &dir).unwrap().start().unwrap();
    serves(&second, 1);
    fetch_all(&other, &second);
    fetch_all(&stage.torrent, &first);
    ends_well(&first);
    fetch_all(&other, &second);
    ends_well(&second);
}

#[test]
fn two_processes_seed_the_same_torrent() {
    let (stage, ..) = two_of_the_same();
    let dir = stage.full_dir("seed");
    let start = || Cli::seed(&stage.file, &dir).unwrap().start().unwrap();
    let (first, second) = (start(), start());
    serves(&first, 1);
    serves(&second, 1);
    fetch_all(&stage.torrent, &first);
    fetch_all(&stage.torrent, &second);
    ends_well(&first);
    ends_well(&second);
    // What they noted is as good as what one notes.
    let again = start();
    serves(&again, 1);
    fetch_all(&stage.torrent, &again);
    ends_well(&again);
}

#[test]
fn a_download_has_its_files_alone_until_it_is_complete() {
    let (stage, other, file) = two_of_the_same();
    let dir = stage.dir("target");
    let download = Cli::download(&stage.file, &dir).unwrap().start().unwrap();
    stage.tracker.wait_event("started").unwrap();
    // Whole by now, but for what the first one may still write there.
    other.write_files(&dir).unwrap();
    let words = "is in use: a download has it open; wait until that is complete, or end it first";
    refused(&Cli::seed(&file, &dir).unwrap().start().unwrap(), words);
    refused(&Cli::download(&file, &dir).unwrap().start().unwrap(), words);
    download.terminate();
    assert_eq!(download.wait_exit(PATIENCE).unwrap().code(), Some(7));
}

#[test]
fn what_is_whole_is_shared_by_a_download_that_seeds_on() {
    let (stage, other, file) = two_of_the_same();
    let dir = stage.full_dir("target");
    let download = Cli::download(&stage.file, &dir).unwrap().arg("--seed").start().unwrap();
    serves(&download, 1);
    fetch_all(&stage.torrent, &download);
    let seed = Cli::seed(&file, &dir).unwrap().start().unwrap();
    serves(&seed, 1);
    fetch_all(&other, &seed);
    ends_well(&seed);
    ends_well(&download);
}

#[test]
fn a_download_shares_its_files_once_it_is_complete() {
    let (stage, other, file) = two_of_the_same();
    let peer = Seed::start(&stage.torrent, "seed").unwrap();
    stage.tracker.add_peer(stage.torrent.info_hash(), peer.addr());
    let dir = stage.dir("target");
    let download = Cli::download(&stage.file, &dir).unwrap().arg("--seed").start().unwrap();
    serves(&download, 1);
    // The lock changes a moment after that is told.
    let deadline = Instant::now() + PATIENCE;
    let seed = loop {
        let seed = Cli::seed(&file, &dir).unwrap().start().unwrap();
        let served = |line: &str| {
            let ends = [": complete, ", "is in use"];
            ends.iter().find(|words| line.contains(*words)).map(|words| *words == ends[0])
        };
        if seed.wait_line(PATIENCE, served).unwrap() {
            break seed;
        }
        assert!(Instant::now() < deadline, "{}", seed.log());
    };
    fetch_all(&other, &seed);
    ends_well(&seed);
    ends_well(&download);
}

#[test]
fn what_is_seeded_is_not_written_to() {
    let (stage, other, file) = two_of_the_same();
    let dir = stage.full_dir("seed");
    let seed = Cli::seed(&stage.file, &dir).unwrap().start().unwrap();
    serves(&seed, 1);
    let words = "is in use: another torrent or program seeds it; end that first, or, if nothing is \
                 missing, seed this torrent too instead of downloading it";
    refused(&Cli::download(&file, &dir).unwrap().start().unwrap(), words);
    fetch_all(&stage.torrent, &seed);
    ends_well(&seed);
    other.compare(&dir).unwrap();
}
