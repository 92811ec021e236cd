//! Few file descriptors make things slower and end nothing: one piece lies in more files than the
//! process may have open.

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
