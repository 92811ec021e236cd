//! `pieces-cli seed` towards a scripted leecher.

use std::fs;

use testkit::PATIENCE;
use testkit::cli::{self, Cli};
use testkit::peer::{Handshake, Peer};
use testkit::process::Process;
use testkit::seed::Seed;
use testkit::torrent::Builder;

use crate::leech;
use crate::stage::Stage;

fn seed(stage: &Stage) -> Process {
    let dir = stage.full_dir("seed");
    Cli::seed(&stage.file, &dir).unwrap().start().unwrap()
}

#[test]
fn every_block_is_served() {
    let stage = Stage::new();
    let _seed = seed(&stage);
    let ours = Handshake::new(stage.torrent.info_hash(), "leech");
    let (mut peer, theirs) = Peer::dial(stage.reachable(), &ours).unwrap();
    assert!(theirs.peer_id.starts_with(b"-PC"));
    let full = stage.torrent.full_bitfield();
    assert_eq!(leech::bitfield(&mut peer), full);
    leech::fetch_every_block(&mut peer, &stage.torrent);
}

#[test]
fn it_announces_itself_and_its_leaving() {
    let stage = Stage::new();
    let seed = seed(&stage);
    let port = cli::listening(&seed).unwrap().port();
    let started = stage.tracker.wait_event("started").unwrap();
    assert_eq!((started.left, started.addr.port()), (0, port));
    seed.terminate();
    seed.wait_success(PATIENCE).unwrap();
    let stopped = stage.tracker.wait_event("stopped").unwrap();
    assert_eq!(stopped.peer_id, started.peer_id);
}

#[test]
fn a_stranger_to_the_torrent_is_turned_away() {
    let stage = Stage::new();
    let _seed = seed(&stage);
    let mut peer = Peer::dial_raw(stage.reachable()).unwrap();
    peer.send_raw(&Handshake::new([7; 20], "lost").encode()).unwrap();
    peer.expect_close().unwrap();
}

#[test]
fn a_damaged_torrent_is_not_seeded() {
    let stage = Stage::new();
    let dir = stage.full_dir("seed");
    fs::write(dir.join("a torrent/one byte"), [0]).unwrap();
    let seed = Cli::seed(&stage.file, &dir).unwrap().start().unwrap();
    let status = seed.wait_exit(PATIENCE).unwrap();
    assert_eq!(status.code(), Some(32), "{}", seed.log());
    let words = "only 30 of 31 pieces are whole on disk; --partial seeds what is there";
    assert!(seed.log().contains(words), "{}", seed.log());
    assert!(stage.tracker.announces().is_empty());
}

#[test]
fn a_folder_that_is_the_contents_own_is_told_with_the_one_that_is_meant() {
    let stage = Stage::new();
    let dir = stage.full_dir("seed").join(stage.torrent.name());
    let seed = Cli::seed(&stage.file, &dir).unwrap().start().unwrap();
    let status = seed.wait_exit(PATIENCE).unwrap();
    assert_eq!(status.code(), Some(32), "{}", seed.log());
    let words = format!("the files lie in {} itself; give -d the folder above", dir.display());
    assert!(seed.log().contains(&words), "{}", seed.log());
}

/// The bitfield of what runs under a stage's tracker.
fn bitfield(stage: &Stage) -> Vec<u8> {
    let ours = Handshake::new(stage.torrent.info_hash(), "leech");
    let (mut peer, _) = Peer::dial(stage.reachable(), &ours).unwrap();
    leech::bitfield(&mut peer)
}

#[test]
fn a_part_is_seeded_as_it_is_found() {
    // Pieces 0 to 2 are of the first file, 2 to 4 of the second.
    let torrent = Builder::new("parts").file("a", 80_000).file("b", 60_000).file("c", 10_000);
    let stage = Stage::with(torrent.build());
    let dir = stage.full_dir("seed");
    let short = fs::read(dir.join("parts/b")).unwrap()[..20_000].to_vec();
    fs::write(dir.join("parts/b"), &short).unwrap();
    fs::remove_file(dir.join("parts/c")).unwrap();
    let seed = Cli::seed(&stage.file, &dir).unwrap().arg("--partial").start().unwrap();
    seed.wait_line(PATIENCE, |line| {
        line.contains("parts: seeding 3 of 5 pieces, 96.0 KiB").then_some(())
    })
    .unwrap();
    assert_eq!(bitfield(&stage), [0b1110_0000]);
    let started = stage.tracker.wait_event("started").unwrap();
    assert_eq!(started.left, stage.torrent.len() - 3 * (32 << 10), "it is no seed to a tracker");
    seed.terminate();
    seed.wait_success(PATIENCE).unwrap();
    assert_eq!(fs::read(dir.join("parts/b")).unwrap(), short, "nothing is touched");
    assert!(!dir.join("parts/c").exists());
}

#[test]
fn chosen_files_are_seeded_when_they_are_whole() {
    let torrent = Builder::new("parts").file("a", 80_000).file("b", 60_000).file("c", 10_000);
    let stage = Stage::with(torrent.build());
    let dir = stage.full_dir("seed");
    fs::write(dir.join("parts/c"), "something else").unwrap();
    let seed = Cli::seed(&stage.file, &dir).unwrap().args(["--select", "a"]).start().unwrap();
    assert_eq!(bitfield(&stage), [0b1110_0000]);
    seed.terminate();
    seed.wait_success(PATIENCE).unwrap();
    let seed = Cli::seed(&stage.file, &dir).unwrap().args(["--select", "c"]).start().unwrap();
    assert_eq!(seed.wait_exit(PATIENCE).unwrap().code(), Some(32), "{}", seed.log());
    assert!(seed.log().contains("parts: only 0 of 1 pieces are whole"), "{}", seed.log());
}

#[test]
fn what_is_not_selected_is_not_offered_though_an_earlier_run_claimed_it() {
    // Pieces 0 and 1 are of the first file, 1 to 4 of the second, which is on disk for piece 1, and 4 to
    // 7 of the third, which is not looked at.
    let torrent = Builder::new("parts").file("a", 50_000).file("b", 100_000).file("c", 100_000);
    let torrent = torrent.build();
    let stage = Stage::with(torrent);
    let dir = stage.dir("download");
    let seed = Seed::start(&stage.torrent, "seed").unwrap();
    let home = stage.dir("home");
    let cli = Cli::download(&stage.file, &dir).unwrap().env("XDG_STATE_HOME", &home);
    let whole = cli.args(["--sync", "--peer", &seed.addr().to_string()]).start().unwrap();
    whole.wait_success(PATIENCE).unwrap();
    let cli = Cli::seed(&stage.file, &dir).unwrap().env("XDG_STATE_HOME", &home);
    let part = cli.args(["--select", "1"]).start().unwrap();
    let addr = cli::listening(&part).unwrap();
    part.wait_line(PATIENCE, |line| line.contains("seeding").then_some(())).unwrap();
    let ours = Handshake::new(stage.torrent.info_hash(), "leech");
    let (mut peer, _) = Peer::dial(addr, &ours).unwrap();
    assert_eq!(leech::bitfield(&mut peer), [0b1111_0000]);
}

#[test]
fn where_nothing_is_there_no_part_is_seeded_and_nothing_is_made() {
    let stage = Stage::new();
    let dir = stage.dir("empty");
    let seed = Cli::seed(&stage.file, &dir).unwrap().arg("--partial").start().unwrap();
    assert_eq!(seed.wait_exit(PATIENCE).unwrap().code(), Some(32), "{}", seed.log());
    assert!(seed.log().contains("-d names the folder that holds them"), "{}", seed.log());
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 0);
}
