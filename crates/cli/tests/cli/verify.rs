//! `pieces-cli verify`.

use serde_json::json;

use crate::kit::{Stage, pattern, run};

#[test]
fn each_kind_of_damage_is_told_apart() {
    let stage = Stage::new();
    stage.photos();
    stage.write("photos/d", &pattern(40_000));
    let (torrent, dir) = (stage.path("t"), stage.folder().to_str().unwrap().to_owned());
    run(["create", &stage.path("photos"), "-o", &torrent, "--piece-size", "16K"]).success();
    let whole = run(["verify", &torrent, "-d", &dir]).success();
    assert_eq!(whole, "photos: whole, 5 files and 7 pieces\n");
    let mut damaged = pattern(20_000);
    damaged[0] ^= 1;
    stage.write("photos/a/1.jpg", &damaged);
    stage.write("photos/b/2.jpg", &pattern(39_000));
    stage.write("photos/c.txt", b"hello\nworld");
    std::fs::remove_file(stage.path("photos/d")).unwrap();
    let found = run(["verify", &torrent, "-d", &dir, "--json"]);
    let report = found.json();
    assert_eq!(report["whole"], false);
    assert_eq!(
        report["pieces"],
        json!({"count": 7, "whole": 2, "damaged": [[0, 0]], "missing": [[3, 6]]})
    );
    let file = |number: usize| {
        let file = &report["files"][number];
        json!([file["path"], file["state"], file["length_on_disk"]])
    };
    assert_eq!(file(0), json!(["photos/a/1.jpg", "damaged", null]));
    assert_eq!(file(1), json!(["photos/b/2.jpg", "short", 39_000]));
    assert_eq!(file(2), json!(["photos/c.txt", "long", 11]));
    assert_eq!(file(3), json!(["photos/d", "missing", null]));
    assert_eq!(file(4), json!(["photos/empty", "whole", null]));
    found.failed(32, "4 of 5 files and 5 of 7 pieces are not whole");
    let text = run(["verify", &torrent, "-d", &dir]).failed(32, "not whole");
    assert!(text.contains("too short   photos/b/2.jpg (39000 of 40000 bytes)"), "{text}");
    assert!(text.contains("pieces missing: 3-6"), "{text}");
}

#[test]
fn a_folder_that_is_the_contents_own_is_told_with_the_one_that_is_meant() {
    let stage = Stage::new();
    stage.photos();
    let (torrent, dir) = (stage.path("t"), stage.path("photos"));
    run(["create", &dir, "-o", &torrent]).success();
    let wrong = run(["verify", &torrent, "-d", &dir]);
    wrong.failed(32, &format!("the files lie in {dir} itself; give -d the folder above"));
    // Neither where nothing is there, nor where files are below it after all.
    std::fs::create_dir(stage.path("elsewhere")).unwrap();
    let nothing = run(["verify", &torrent, "-d", &stage.path("elsewhere")]);
    assert!(!nothing.err.contains("itself"), "{}", nothing.err);
    nothing.failed(32, "not whole");
    stage.write("photos/c.txt", b"damaged");
    let damaged = run(["verify", &torrent, "-d", stage.folder().to_str().unwrap()]);
    assert!(!damaged.err.contains("itself"), "{}", damaged.err);
    damaged.failed(32, "not whole");
}

#[test]
fn version_2_alone_is_verified_by_its_trees() {
    let stage = Stage::new();
    stage.photos();
    let big = pattern(300_000);
    stage.write("photos/big", &big);
    let (torrent, dir) = (stage.path("t"), stage.folder().to_str().unwrap().to_owned());
    let photos = stage.path("photos");
    run(["create", &photos, "--v2", "-o", &torrent, "--piece-size", "64K"]).success();
    let whole = run(["verify", &torrent, "-d", &dir]).success();
    assert_eq!(whole, "photos: whole, 5 files and 8 pieces\n");
    // Pieces: a/1.jpg 0, b/2.jpg 1, big 2-6, c.txt 7. The last byte of one, a hole in another.
    let mut damaged = big.clone();
    damaged[299_999] ^= 1;
    stage.write("photos/big", &damaged);
    stage.write("photos/c.txt", b"hell");
    let found = run(["verify", &torrent, "-d", &dir, "--json"]);
    let report = found.json();
    assert_eq!(
        report["pieces"],
        json!({"count": 8, "whole": 6, "damaged": [[6, 6]], "missing": [[7, 7]]})
    );
    let states: Vec<_> = report["files"].as_array().unwrap().iter().map(|f| &f["state"]).collect();
    assert_eq!(states, ["whole", "whole", "damaged", "short", "whole"]);
    assert_eq!(report["info_hash"], json!(null));
    found.failed(32, "2 of 5 files and 2 of 8 pieces are not whole");
    run(["-q", "download", &torrent, "-d", &dir, "--port", "0", "--no-dht", "--no-lsd"])
        .refused(26, "v2 only");
}

#[test]
fn a_folder_that_is_not_there_is_not_damage() {
    let stage = Stage::new();
    let file = stage.write("f", b"content");
    let torrent = stage.path("t");
    run(["create", &file, "-o", &torrent]).success();
    run(["verify", &torrent, "-d", &stage.path("absent")]).refused(3, "absent");
    std::fs::create_dir(stage.path("hollow")).unwrap();
    let text = run(["verify", &torrent, "-d", &stage.path("hollow")]).failed(32, "1 of 1 file");
    assert!(text.starts_with("missing"), "{text}");
}

#[test]
fn each_of_several_torrents_is_verified_whatever_is_wrong_with_the_others() {
    let stage = Stage::new();
    let mut torrents = Vec::new();
    for name in ["one", "two", "three"] {
        let file = stage.write(name, name.as_bytes());
        torrents.push(stage.path(&format!("{name}.torrent")));
        run(["create", &file, "-o", torrents.last().unwrap()]).success();
    }
    let dir = stage.folder().to_str().unwrap().to_owned();
    stage.write("two", b"other");
    let absent = stage.path("absent.torrent");
    let [one, two, three] = &torrents[..] else { panic!("{torrents:?}") };
    let verify = run(["verify", &absent, one, two, three, "-d", &dir]);
    assert_eq!(verify.code, 32, "{}", verify.err);
    let whole: Vec<&str> = verify.out.lines().filter(|line| line.contains(": whole")).collect();
    assert_eq!(whole, ["one: whole, 1 file and 1 piece", "three: whole, 1 file and 1 piece"]);
    let errors: Vec<&str> = verify.err.lines().collect();
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert!(errors[0].contains("absent.torrent: cannot read it"), "{errors:?}");
    assert!(errors[1].starts_with("error: two: "), "{errors:?}");
    run(["verify", one, three, "-d", &dir]).success();
}

#[test]
fn what_is_not_as_it_should_be_though_all_bytes_are_there_is_told_so() {
    let stage = Stage::new();
    stage.photos();
    let (torrent, dir) = (stage.path("t"), stage.folder().to_str().unwrap().to_owned());
    run(["create", &stage.path("photos"), "-o", &torrent]).success();
    std::fs::remove_file(stage.path("photos/empty")).unwrap();
    let found = run(["verify", &torrent, "-d", &dir]);
    found.failed(
        32,
        "photos: 1 of 4 files is not as it should be; all bytes of the torrent are there",
    );
}

#[test]
fn holes_of_an_unfinished_download_are_missing_and_not_damaged() {
    let stage = Stage::new();
    let content = pattern(80_000);
    stage.write("film", &content);
    let (torrent, dir) = (stage.path("t"), stage.folder().to_str().unwrap().to_owned());
    run(["create", &stage.path("film"), "-o", &torrent, "--piece-size", "16K"]).success();
    let mut holes = content.clone();
    holes[16_384..49_152].fill(0);
    stage.write("film", &holes);
    let text = run(["verify", &torrent, "-d", &dir])
        .failed(32, "film: 1 of 1 file and 2 of 5 pieces are not whole");
    assert_eq!(text, "incomplete  film (2 of 5 pieces missing)\npieces missing: 1-2\n");
    let report = run(["verify", &torrent, "-d", &dir, "--json"]).json();
    assert_eq!(report["pieces"]["damaged"], json!([]));
    assert_eq!(report["pieces"]["missing"], json!([[1, 2]]));
    assert_eq!(report["files"][0]["state"], "incomplete");
    // With something else in one of its pieces it is damaged.
    holes[0] ^= 1;
    stage.write("film", &holes);
    let text = run(["verify", &torrent, "-d", &dir]).failed(32, "3 of 5 pieces are not whole");
    let lines = "damaged     film (3 of 5 pieces bad)\npieces damaged: 0\npieces missing: 1-2\n";
    assert_eq!(text, lines);
}

#[test]
fn a_part_can_be_verified_alone() {
    let stage = Stage::new();
    stage.photos();
    let (torrent, dir) = (stage.path("t"), stage.folder().to_str().unwrap().to_owned());
    run(["create", &stage.path("photos"), "-o", &torrent, "--piece-size", "16K"]).success();
    let verify = |more: &[&str]| {
        let arguments = ["verify", &torrent, "-d", &dir];
        run(arguments.iter().copied().chain(more.iter().copied()))
    };
    // a/1.jpg is in pieces 0 and 1, b/2.jpg in 1 to 3, c.txt in 3.
    stage.write("photos/a/1.jpg", b"damaged");
    verify(&[]).failed(32, "2 of 4 files and 2 of 4 pieces are not whole");
    let told = verify(&["-x", "a"]).failed(32, "1 of 3 files and 1 of 3 pieces are not whole");
    assert_eq!(told, "incomplete  photos/b/2.jpg (1 of 3 pieces missing)\npieces missing: 1\n");
    assert_eq!(verify(&["--select", "c.txt"]).success(), "photos: whole, 1 file and 1 piece\n");
    assert_eq!(verify(&["-x", "*.jpg"]).success(), "photos: whole, 2 files and 1 piece\n");
    let report = verify(&["--json", "--select", "1"]).json();
    assert_eq!(report["pieces"]["count"], 2);
    assert_eq!(report["files"].as_array().unwrap().len(), 1);
    verify(&["--select", "nothing"]).refused(28, "--select nothing");
    verify(&["-x", "*"]).refused(28, "--exclude leaves no file");
}

#[test]
fn files_that_another_program_writes_to_meanwhile_are_not_called_whole() {
    use std::os::unix::fs::FileExt;
    use std::sync::atomic::{AtomicBool, Ordering};

    let stage = Stage::new();
    stage.write("film", &pattern(4_000_000));
    let torrent = stage.path("t");
    run(["create", &stage.path("film"), "-o", &torrent]).success();
    let file = std::fs::File::options().write(true).open(stage.path("film")).unwrap();
    let (first, over) = (pattern(1), AtomicBool::new(false));
    std::thread::scope(|scope| {
        // Always the byte that is there anyway: that the file is changed is what counts.
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                file.write_all_at(&first, 0).unwrap();
            }
        });
        let found = run(["verify", &torrent, "-d", stage.folder().to_str().unwrap()]);
        over.store(true, Ordering::Relaxed);
        found.refused(17, "film: was changed by another program while it was checked");
    });
}
