//! Symbolic links: those of a torrent, and those on the user's disk.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use testkit::PATIENCE;
use testkit::cli::Cli;
use testkit::process::Stream;
use testkit::seed::Seed;
use testkit::torrent::Builder;

use crate::stage::Stage;

#[test]
fn a_torrents_links_are_made_where_they_stay_inside() {
    let builder = Builder::new("t").file("a", 40_000).file("sub/c", 5).link("sub/l", "a");
    let builder = builder.link("d", "sub").link("out", "../../etc/passwd").link("gone", "nothing");
    let stage = Stage::with(builder.build());
    let seed = Seed::start(&stage.torrent, "seed").unwrap();
    stage.tracker.add_peer(stage.torrent.info_hash(), seed.addr());
    let dir = stage.dir("target");
    let download = Cli::download(&stage.file, &dir).unwrap().start().unwrap();
    download.wait_success(PATIENCE).unwrap();
    stage.torrent.compare(&dir).unwrap();
    let link = |path: &str| fs::read_link(dir.join("t").join(path)).ok();
    assert_eq!(link("sub/l").as_deref(), Some(Path::new("../a")));
    assert_eq!(link("d").as_deref(), Some(Path::new("sub")));
    assert_eq!((link("out"), link("gone")), (None, None));
    for left_out in
        [r#"the link "t/out" to "../../etc/passwd""#, r#"the link "t/gone" to "nothing""#]
    {
        assert!(download.log().contains(left_out), "{}", download.log());
    }

    let verify = || {
        let verify = Cli::new(["verify"]).unwrap().arg(&stage.file).arg("-d").arg(&dir);
        let verify = verify.start().unwrap();
        verify.wait_success(PATIENCE).unwrap();
        verify.output(Stream::Stdout)
    };
    assert!(!verify().contains("link"));
    fs::remove_file(dir.join("t/sub/l")).unwrap();
    fs::remove_file(dir.join("t/d")).unwrap();
    fs::write(dir.join("t/d"), b"else").unwrap();
    let told = verify();
    assert!(told.contains("missing     t/sub/l (link to ../a"), "{told}");
    assert!(told.contains("other       t/d (link to sub"), "{told}");
    assert!(told.contains("t: whole"), "links hold no bytes: {told}");
}

#[test]
fn links_that_lead_out_are_named_and_followed_only_where_the_user_says_so() {
    let stage = Stage::with(Builder::new("t").file("a", 40_000).file("big", 70_000).build());
    let dir = stage.full_dir("data");
    // The big file is on another disk.
    let elsewhere = stage.dir("elsewhere").join("big");
    let link = dir.join("t/big");
    fs::rename(&link, &elsewhere).unwrap();
    symlink(&elsewhere, &link).unwrap();
    let refused = format!(
        "{}: is a link to \"{}\", which leads out of the target folder; --follow-links follows it",
        link.display(),
        elsewhere.display()
    );
    for command in [Cli::seed, Cli::download] {
        let refusal = command(&stage.file, &dir).unwrap().start().unwrap();
        let status = refusal.wait_exit(PATIENCE).unwrap();
        assert_eq!(status.code(), Some(17), "{}", refusal.log());
        assert!(refusal.log().contains(&refused), "{}", refusal.log());
    }
    let follow = ["--follow-links"];
    let whole = Cli::download(&stage.file, &dir).unwrap().args(follow).start().unwrap();
    whole.wait_success(PATIENCE).unwrap();
    // One piece is damaged there, and is fetched there.
    let mut bytes = fs::read(&elsewhere).unwrap();
    bytes[60_000] ^= 1;
    fs::write(&elsewhere, &bytes).unwrap();
    let seed = Seed::start(&stage.torrent, "seed").unwrap();
    stage.tracker.add_peer(stage.torrent.info_hash(), seed.addr());
    let mended = Cli::download(&stage.file, &dir).unwrap().args(follow).start().unwrap();
    mended.wait_success(PATIENCE).unwrap();
    bytes[60_000] ^= 1;
    assert!(fs::read(&elsewhere).unwrap() == bytes);
    assert!(link.is_symlink());
    let seeding = Cli::seed(&stage.file, &dir).unwrap().args(follow).start().unwrap();
    testkit::cli::listening(&seeding).unwrap();
    let started = stage.tracker.wait_for(PATIENCE, |all| {
        all.iter().filter(|announce| announce.event == "started").nth(2).map(|a| a.left)
    });
    assert_eq!(started.unwrap(), 0);
}
