//! `pieces-cli edit`.

use serde_json::{Value, json};

use crate::kit::{Stage, run, run_with};

fn torrent(stage: &Stage) -> String {
    let file = stage.write("f", b"content");
    let torrent = stage.path("t");
    let trackers = "http://a.example/announce,http://b.example/announce";
    run(["create", &file, "-o", &torrent, "-t", trackers, "--comment", "old"]).success();
    torrent
}

fn show(torrent: &str) -> Value {
    run(["show", torrent, "--json"]).json()
}

#[test]
fn a_tracker_that_is_not_there_is_named_without_its_password() {
    let stage = Stage::new();
    let torrent = torrent(&stage);
    let url = "http://me:s3cret@b.example/announce";
    let edited = run(["edit", &torrent, "--remove-tracker", url]);
    assert!(!edited.err.contains("s3cret"), "{}", edited.err);
    edited.refused(28, "http://***@b.example/announce is not there");
}

#[test]
fn programs_are_told_what_changed() {
    let stage = Stage::new();
    let torrent = torrent(&stage);
    let before = show(&torrent)["info_hash"].clone();
    let told = |words: &[&str]| {
        let told = run(["edit", &torrent, "--json"].iter().chain(words));
        assert_eq!((told.code, told.err.as_str()), (0, ""));
        let told = told.json();
        assert_eq!((&told["output"], &told["name"]), (&json!(torrent), &json!("f")));
        assert_eq!(told["info_hash"], show(&torrent)["info_hash"]);
        json!([told["changed"], told["info_changed"], told["old_info_hash"] == before])
    };
    assert_eq!(told(&["--comment", "old"]), json!([false, false, true]));
    assert_eq!(told(&["--comment", "new"]), json!([true, false, true]));
    assert_eq!(told(&["--private"]), json!([true, true, true]));
    assert_ne!(show(&torrent)["info_hash"], before);
}

#[test]
fn what_is_beside_the_info_keeps_the_info_hash() {
    let stage = Stage::new();
    let torrent = torrent(&stage);
    let before = show(&torrent);
    let told = run([
        "edit",
        &torrent,
        "--remove-tracker",
        "http://a.example/announce",
        "--add-tracker",
        "udp://c.example:1",
        "--web-seed",
        "http://w.example/",
        "--comment",
        "",
    ])
    .success();
    assert!(told.ends_with("the info-hash is the same\n"), "{told}");
    let after = show(&torrent);
    assert_eq!(after["trackers"], json!([["http://b.example/announce"], ["udp://c.example:1"]]));
    assert_eq!(after["web_seeds"], json!(["http://w.example/"]));
    assert_eq!((&after["comment"], &after["info_hash"]), (&Value::Null, &before["info_hash"]));
    run(["edit", &torrent, "--no-trackers", "--no-web-seeds"]).success();
    assert_eq!(show(&torrent)["trackers"], json!([]));
    let again = run(["edit", &torrent, "--no-trackers"]).success();
    assert!(again.ends_with("as it was\n"), "{again}");
}

#[test]
fn a_tracker_that_is_there_is_not_added_again() {
    let stage = Stage::new();
    let torrent = torrent(&stage);
    let before = stage.read("t");
    let b = "http://b.example/announce";
    let told = run(["edit", &torrent, "--add-tracker", b]).success();
    assert!(told.ends_with("as it was\n"), "{told}");
    assert_eq!(stage.read("t"), before);
    // Of several the new ones are added, once each.
    let both = format!("{b},udp://c.example:1,udp://c.example:1");
    run(["edit", &torrent, "--add-tracker", &both]).success();
    let urls = [vec!["http://a.example/announce", b], vec!["udp://c.example:1"]];
    assert_eq!(show(&torrent)["trackers"], json!(urls));
    let bytes = stage.read("t");
    assert_eq!(bytes.windows(b.len()).filter(|at| *at == b.as_bytes()).count(), 1);
    // One tracker can be written in several ways: that is no change either.
    let odd = b"d8:announce8:udp://a/13:announce-listll8:udp://a/ee4:infod6:lengthi0e4:name1:x\
                12:piece lengthi16384e6:pieces0:ee";
    let odd_path = stage.write("odd", odd);
    run(["edit", &odd_path, "--add-tracker", "udp://a/"]).success();
    assert_eq!(stage.read("odd"), odd);
}

#[test]
fn a_new_info_hash_is_announced() {
    let stage = Stage::new();
    let torrent = torrent(&stage);
    let (before, out) = (show(&torrent), stage.path("new"));
    let told = run(["edit", &torrent, "-o", &out, "--private", "--source", "XYZ"]).success();
    let after = show(&out);
    assert_eq!((&after["private"], &after["source"]), (&json!(true), &json!("XYZ")));
    for hash in [&before["info_hash"], &after["info_hash"]] {
        assert!(told.contains(hash.as_str().unwrap()), "{told}");
    }
    assert_eq!(show(&torrent), before);
    run(["edit", &torrent, "-o", &out, "--public"]).refused(28, "--force");
    run(["edit", &out, "--public", "--source", ""]).success();
    assert_eq!(show(&out)["info_hash"], before["info_hash"]);
}

#[test]
fn what_makes_no_sense_changes_nothing() {
    let stage = Stage::new();
    let torrent = torrent(&stage);
    let before = stage.read("t");
    run(["edit", &torrent]).refused(28, "nothing to change");
    run(["edit", &torrent, "--private", "--public"]).refused(28, "cannot be used with");
    for none in
        ["x", "http://a b/", "http://a/a http://b/b", "http:///x", "http://x:99999/", "ws://x/"]
    {
        run(["edit", &torrent, "-t", none]).refused(28, "not a URL");
        let file = stage.path("f");
        run(["create", &file, "-t", none, "-o", &stage.path("new")]).refused(28, "not a URL");
    }
    run(["edit", &torrent, "--remove-tracker", "http://x/"]).refused(28, "http://x/ is not there");
    run(["edit", &stage.path("f"), "--private"]).refused(25, "bencode");
    run_with(["edit", "-", "-c", "x"], &before, &[])
        .refused(28, "stdin cannot be changed in its place");
    // Not even asked for: nobody listens there.
    run(["edit", "http://127.0.0.1:1/t.torrent", "--private"]).refused(28, "-o FILE");
    assert_eq!(stage.read("t"), before);
    let piped = run_with(["edit", "-", "-o", "-", "--comment", "new"], &before, &[]);
    assert_eq!((piped.code, piped.err.as_str()), (0, ""));
    assert!(piped.raw.windows(12).any(|w| w == b"comment3:new"));
}
