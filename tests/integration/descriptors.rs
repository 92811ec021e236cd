//! Few file descriptors make things slower and end nothing: one piece lies in more files than the
//! process may have open.

use std::fs;

use testkit::PATIENCE;
use testkit::cli::{self, Cli};
use testkit::seed::Seed;
use testkit::torrent::{Builder, Torrent};

use crate::stage::Stage;

/// So many files of 10 bytes, in pieces of 16 KiB: up to 1,639 files in one.
fn tiny_files(count: u32) -> Torrent {
    let mut builder = Builder::new("tiny").piece_length(16 << 10);
    for number in 0..count {
        builder = builder.file(&format!("{}/{number}", number % 7), 10);
    }
    builder.build()
}

#[test]
fn a_piece_in_more_files_than_descriptors_is_seeded_and_downloaded() {
    let stage = Stage::with(tiny_files(1_800));
    let whole = stage.full_dir("whole");
    for descriptors in [64, 256, 1_024] {
        let seed = Cli::seed(&stage.file, &whole).unwrap().arg("--verify");
        let seed = seed.descriptors(descriptors).start().unwrap();
        seed.wait_line(PATIENCE, |line| line.contains("complete, seeding").then_some(())).unwrap();
        let addr = cli::listening(&seed).unwrap().to_string();
        let dir = stage.dir(&format!("with {descriptors}"));
        let download = Cli::download(&stage.file, &dir).unwrap().args(["--peer", &addr]);
        let download = download.descriptors(descriptors).start().unwrap();
        download.wait_success(PATIENCE).unwrap();
        stage.torrent.compare(&dir).unwrap();
        assert!(seed.exit().is_none(), "{}", seed.log());
        seed.terminate();
        assert_eq!(seed.wait_exit(PATIENCE).unwrap().code(), Some(0), "{}", seed.log());
    }
}

#[test]
fn syncing_and_saving_do_with_few_descriptors() {
    let stage = Stage::with(tiny_files(100));
    let seed = Seed::start(&stage.torrent, "seed").unwrap();
    stage.tracker.add_peer(stage.torrent.info_hash(), seed.addr());
    let dir = stage.dir("target");
    let download = || Cli::download(&stage.file, &dir).unwrap().args(["--sync", "--json"]);
    download().descriptors(40).start().unwrap().wait_success(PATIENCE).unwrap();
    stage.torrent.compare(&dir).unwrap();
    let again = download().descriptors(40).start().unwrap();
    again.wait_success(PATIENCE).unwrap();
    assert!(!again.log().contains("checking"), "what was synced is claimed: {}", again.log());
}

#[test]
fn verify_and_create_do_with_few_descriptors() {
    let stage = Stage::with(tiny_files(1_800));
    let whole = stage.full_dir("whole");
    for descriptors in [16, 64] {
        let verify = Cli::new(["verify"]).unwrap().arg(&stage.file).arg("-d").arg(&whole);
        verify.descriptors(descriptors).start().unwrap().wait_success(PATIENCE).unwrap();
        let made = stage.dir(&format!("{descriptors}")).join("made.torrent");
        let create = Cli::new(["create", "-l", "16K", "-o"]).unwrap().arg(&made);
        let create = create.arg(whole.join("tiny")).descriptors(descriptors);
        create.start().unwrap().wait_success(PATIENCE).unwrap();
        let verify = Cli::new(["verify"]).unwrap().arg(&made).arg("-d").arg(&whole);
        verify.start().unwrap().wait_success(PATIENCE).unwrap();
    }
}

#[test]
fn with_too_few_descriptors_it_is_said_how_many_are_needed() {
    let stage = Stage::with(tiny_files(3));
    let whole = stage.full_dir("whole");
    let verify = || Cli::new(["verify"]).unwrap().arg(&stage.file).arg("-d").arg(&whole);
    let seed = || Cli::seed(&stage.file, &whole).unwrap();
    // What this test was started with is open in the program too.
    let needed = |log: &str| log.rsplit_once("at least ")?.1.split(' ').next()?.parse::<u32>().ok();
    for (call, few, least) in [(verify(), 6, 8), (seed(), 6, 24), (seed(), 8, 24), (seed(), 16, 24)]
    {
        let call = call.descriptors(few).start().unwrap();
        assert_eq!(call.wait_exit(PATIENCE).unwrap().code(), Some(1), "{}", call.log());
        let needed = needed(&call.log()).unwrap();
        assert!((least..least + 8).contains(&needed), "{}", call.log());
        let told = format!(
            "error: only {few} files and connections may be open at a time (ulimit -n), and at least \
             {needed} are needed; allow more, as with `ulimit -n 1024`\n"
        );
        assert_eq!(call.log(), told);
    }
    verify().descriptors(16).start().unwrap().wait_success(PATIENCE).unwrap();
}

#[test]
fn a_session_with_the_fewest_descriptors_asks_its_tracker_and_its_node() {
    let stage = Stage::with(tiny_files(50));
    let seed = Seed::start(&stage.torrent, "seed").unwrap();
    stage.tracker.add_peer(stage.torrent.info_hash(), seed.addr());
    let dir = stage.dir("target");
    let download = Cli::new(["download"]).unwrap().arg(&stage.file).arg("-d").arg(&dir);
    let download = download.args(["--bind", "127.0.0.1", "--port", "0", "--no-lsd", "-v"]);
    let download = download.env("XDG_STATE_HOME", stage.dir("state")).descriptors(32);
    let download = download.start().unwrap();
    download.wait_success(PATIENCE).unwrap();
    stage.torrent.compare(&dir).unwrap();
    assert!(!download.log().contains("no socket"), "{}", download.log());
}

#[test]
fn more_torrents_than_descriptors_are_downloaded_in_turn() {
    const TORRENTS: u64 = 60;
    let stage = Stage::with(tiny_files(1));
    let (whole, saved_in) = (stage.dir("whole"), stage.dir("torrents"));
    let one = |number| Builder::single(&format!("torrent {number}"), 30_000).seed(number).build();
    let torrents: Vec<Torrent> = (0..TORRENTS).map(one).collect();
    let save = |torrent: &Torrent| {
        torrent.write_files(&whole).unwrap();
        torrent.save(&saved_in, &[]).unwrap()
    };
    let saved: Vec<_> = torrents.iter().map(save).collect();
    let (first, others) = saved.split_first().unwrap();
    let seed = Cli::seed(first, &whole).unwrap().args(others).start().unwrap();
    let mut complete = 0;
    let count = |line: &str| {
        complete += u64::from(line.contains("complete, seeding"));
        (complete == TORRENTS).then_some(())
    };
    seed.wait_line(PATIENCE, count).unwrap();
    let addr = cli::listening(&seed).unwrap().to_string();
    let dir = stage.dir("target");
    let download = Cli::download(first, &dir).unwrap().args(others).args(["--peer", &addr]);
    let download =
        download.env("XDG_STATE_HOME", stage.dir("state")).descriptors(40).start().unwrap();
    download.wait_success(PATIENCE).unwrap();
    for torrent in &torrents {
        torrent.compare(&dir).unwrap();
    }
    assert!(fs::read_dir(&dir).unwrap().count() as u64 == TORRENTS);
}
