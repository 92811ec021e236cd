//! `pieces-cli create`.

use serde_json::{Value, json};

use crate::kit::{Stage, pattern, run, run_with};

fn show(torrent: &str) -> Value {
    let shown = run(["show", torrent, "--json"]);
    assert_eq!(shown.code, 0, "{}", shown.err);
    shown.json()
}

#[test]
fn a_folder_gives_the_same_torrent_wherever_it_is() {
    let (one, other) = (Stage::new(), Stage::new());
    for stage in [&one, &other] {
        stage.photos();
        run(["create", &stage.path("photos"), "-o", &stage.path("t")]).success();
    }
    let torrent = one.read("t");
    assert_eq!(torrent, other.read("t"));
    assert!(!torrent.windows(4).any(|w| w == b"date"));
    let shown = show(&one.path("t"));
    let file = |path: &str, length: u64| json!({"path": path, "length": length, "padding": false});
    assert_eq!(
        shown["files"],
        json!([
            file("photos/a/1.jpg", 20_000),
            file("photos/b/2.jpg", 40_000),
            file("photos/c.txt", 6),
            file("photos/empty", 0),
        ])
    );
    assert_eq!((&shown["version"], &shown["name"]), (&json!("v1"), &json!("photos")));
    assert_eq!((&shown["private"], &shown["total_length"]), (&json!(false), &json!(60_006)));
    run(["verify", &one.path("t"), "-d", other.folder().to_str().unwrap()]).success();
}

#[test]
fn programs_are_told_what_was_written() {
    let stage = Stage::new();
    stage.photos();
    let torrent = stage.path("t");
    let told = run(["create", &stage.path("photos"), "-o", &torrent, "--hybrid", "--json"]);
    assert_eq!((told.code, told.err.as_str()), (0, ""));
    let shown = show(&torrent);
    assert!(shown["info_hash"].is_string() && shown["info_hash_v2"].is_string());
    let expected = json!({
        "format": 1,
        "output": torrent,
        "name": "photos",
        "info_hash": shown["info_hash"],
        "info_hash_v2": shown["info_hash_v2"],
        "total_length": 60_006,
        "piece_length": shown["piece_length"],
        "piece_count": shown["piece_count"],
    });
    assert_eq!(told.json(), expected);
    run(["create", &stage.path("photos"), "-o", "-", "--json"]).refused(28, "name a file with -o");
}

#[test]
fn an_empty_text_is_as_none() {
    let stage = Stage::new();
    let file = stage.write("f", b"content");
    let (plain, out) = (stage.path("plain"), stage.path("t"));
    run(["create", &file, "-o", &plain]).success();
    run(["create", &file, "-o", &out, "--source", "", "--comment", ""]).success();
    assert_eq!(stage.read("t"), stage.read("plain"));
}

#[test]
fn options_are_written_down() {
    let stage = Stage::new();
    let file = stage.write("data.bin", &pattern(100_000));
    let (first, second) = ("https://a.example/announce,udp://b.example:80", "http://c.example/ann");
    let out = stage.path("t");
    run([
        "create",
        &file,
        "-o",
        &out,
        "-t",
        first,
        "--tracker",
        second,
        "--web-seed",
        "https://w.example/",
        "--private",
        "--source",
        "XYZ",
        "--comment",
        "a comment",
        "--name",
        "other name",
        "--piece-size",
        "32K",
    ])
    .success();
    let shown = show(&out);
    assert_eq!(
        shown["trackers"],
        json!([["https://a.example/announce", "udp://b.example:80"], [second]])
    );
    for (key, value) in [
        ("web_seeds", json!(["https://w.example/"])),
        ("private", json!(true)),
        ("source", json!("XYZ")),
        ("comment", json!("a comment")),
        ("name", json!("other name")),
        ("piece_length", json!(32_768)),
        ("piece_count", json!(4)),
        ("creation_date", json!(null)),
    ] {
        assert_eq!(shown[key], value, "{key}");
    }
    run(["bencode", "check", &out]).success();
}

#[test]
fn dates_are_written_when_asked_for() {
    let stage = Stage::new();
    let file = stage.write("f", b"x");
    let epoch = [("SOURCE_DATE_EPOCH", "86400")];
    let create = |out: &str, extra: &[&str], environment: &[(&str, &str)]| {
        let out = stage.path(out);
        let arguments = [&["create", &file, "-o", &out][..], extra].concat();
        run_with(arguments, b"", environment).success();
        show(&out)["creation_date"].clone()
    };
    assert_eq!(create("a", &[], &epoch), 86_400);
    assert_eq!(create("b", &["--date"], &epoch), 86_400);
    assert!(create("c", &["--date"], &[]).as_u64().unwrap() > 1_700_000_000);
    run_with(["create", &file], b"", &[("SOURCE_DATE_EPOCH", "x")]).refused(28, "EPOCH");
}

#[test]
fn version_2_and_hybrid_torrents_agree_on_their_hashes() {
    let stage = Stage::new();
    let photos = stage.photos();
    stage.write("photos/big", &pattern(300_000));
    let create = |out: &str, version: &str| {
        let out = stage.path(out);
        let size = ["--piece-size", "64K", "-o", &out];
        run(["create", photos.to_str().unwrap(), version].iter().chain(&size)).success();
        show(&out)
    };
    let (v2, hybrid) = (create("v2", "--v2"), create("hybrid", "--hybrid"));
    assert_eq!((&v2["version"], &hybrid["version"]), (&json!("v2"), &json!("hybrid")));
    assert_eq!((&v2["total_length"], &hybrid["total_length"]), (&json!(360_006), &json!(360_006)));
    assert_eq!(v2["info_hash"], Value::Null);
    let roots = |name: &str| {
        let tree = run(["bencode", "show", &stage.path(name), "--json"]).json();
        let tree = &tree["value"]["info"]["file tree"];
        [&tree["big"], &tree["b"]["2.jpg"], &tree["c.txt"]].map(|file| file[""].clone())
    };
    assert_eq!(roots("v2"), roots("hybrid"));
    // The SHA-256 of "hello\n": a file within one block is its own tree.
    let hello = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
    assert_eq!(roots("v2")[2]["pieces root"]["hex"], hello);
    let dir = stage.folder().to_str().unwrap();
    for torrent in ["hybrid", "v2"] {
        run(["verify", &stage.path(torrent), "-d", dir]).success();
    }
}

#[test]
fn some_files_are_left_out() {
    let stage = Stage::new();
    let photos = stage.photos();
    stage.write("photos/.git/config", b"x");
    stage.write("photos/notes.tmp", b"x");
    std::os::unix::fs::symlink("/etc", photos.join("etc")).unwrap();
    let made = run([
        "create",
        photos.to_str().unwrap(),
        "-o",
        &stage.path("photos/t"),
        "-x",
        "*.tmp",
        "--exclude",
        ".git",
        "--exclude",
        "b/*",
    ]);
    assert_eq!(made.code, 0, "{}", made.err);
    let refused =
        "etc: is a link to \"/etc\", which leads out of the target folder; --follow-links";
    assert!(made.err.contains(refused), "{}", made.err);
    // The torrent itself is not one of them when it is made anew.
    let before = stage.read("photos/t");
    run([
        "-q",
        "create",
        photos.to_str().unwrap(),
        "-o",
        &stage.path("photos/t"),
        "-x",
        "*.tmp",
        "-x",
        ".git/",
        "-x",
        "b/*",
        "--force",
    ])
    .success();
    assert_eq!(before, stage.read("photos/t"));
    let files = show(&stage.path("photos/t"))["files"].clone();
    let paths: Vec<&str> =
        files.as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["photos/a/1.jpg", "photos/c.txt", "photos/empty"]);
}

#[test]
fn what_is_there_is_not_replaced_and_nothing_is_left_behind() {
    let stage = Stage::new();
    let file = stage.write("f", b"content");
    let there = stage.write("there", b"mine");
    run(["create", &file, "-o", &there]).refused(28, "--force");
    assert_eq!(stage.read("there"), b"mine");
    run(["create", &file, "-o", &there, "--force"]).success();
    show(&there);
    run(["create", &file, "-o", &stage.path("no/t")]).refused(3, "no");
    run(["create", &file, "-o", "/dev/null", "--force"]).refused(28, "regular");
    run(["create", &stage.path("absent"), "-o", &stage.path("t")]).refused(3, "absent");
    run(["create", &file, "-o", &stage.path("t"), "-t", "nonsense"]).refused(28, "nonsense");
    run(["create", &file, "-o", &stage.path("t"), "--piece-size", "17K"]).refused(28, "power");
    run(["create", &file, "-o", &stage.path("t"), "-x", "["]).refused(28, "--exclude");
    run(["create", &file, "-o", &stage.path("t"), "--name", "a/b"]).refused(28, "a/b");
    std::fs::create_dir(stage.path("hollow")).unwrap();
    run(["create", &stage.path("hollow"), "-o", &stage.path("t")]).refused(28, "no file");
    assert_eq!(stage.names(), ["f", "hollow", "there"]);
}

#[test]
fn a_torrent_can_go_through_a_pipe() {
    let stage = Stage::new();
    let file = stage.write("f", b"content");
    let made = run(["create", &file, "-o", "-"]);
    assert_eq!((made.code, made.err.as_str()), (0, ""));
    let shown = run_with(["show", "-", "--json"], &made.raw, &[]);
    assert_eq!(shown.json()["name"], "f");
}

#[test]
fn an_exact_name_is_left_out_and_not_what_it_would_match_as_a_pattern() {
    let stage = Stage::new();
    for name in ["f/song [1].mp3", "f/song 1.mp3", "f/[d]/x", "f/d/y", "f/[", "f/deep/[a]/z"] {
        stage.write(name, b"bytes");
    }
    let torrent = stage.path("t");
    let exclude = ["-x", "song [1].mp3", "-x", "[d]", "-x", "[", "-x", "deep/[a]/"];
    let create = ["create", &stage.path("f"), "-o", &torrent];
    run(create.iter().chain(&exclude)).success();
    let shown = run(["show", &torrent, "--json"]).json();
    let files: Vec<&str> =
        shown["files"].as_array().unwrap().iter().map(|f| f["path"].as_str().unwrap()).collect();
    assert_eq!(files, ["f/d/y", "f/song 1.mp3"]);
}

#[test]
fn links_that_stay_in_the_folder_count_as_what_they_lead_to() {
    use std::os::unix::fs::symlink;

    let stage = Stage::new();
    stage.write("d/a", b"content");
    stage.write("d/sub/b", b"more");
    let at = |path: &str| stage.path(&format!("d/{path}"));
    symlink("a", at("file")).unwrap();
    symlink("sub", at("folder")).unwrap();
    symlink("..", at("sub/circle")).unwrap();
    symlink("nowhere", at("dangling")).unwrap();
    let made = run(["create", &stage.path("d"), "-o", &stage.path("t")]);
    assert_eq!(made.code, 0, "{}", made.err);
    let listed = run(["show", &stage.path("t")]);
    for path in ["d/a", "d/file", "d/folder/b", "d/sub/b"] {
        assert!(listed.out.lines().any(|line| line.ends_with(path)), "{path}: {}", listed.out);
    }
    assert!(listed.out.contains("files         4"), "{}", listed.out);
    // Each that is left out is named, and why.
    assert!(made.err.contains("d/dangling is a link that leads nowhere"), "{}", made.err);
    assert!(made.err.contains("circle is a link to a folder that it lies in"), "{}", made.err);
    run(["verify", &stage.path("t"), "-d", &stage.path("")]).success();
}

#[test]
fn links_that_lead_out_need_the_users_word_in_create_and_verify() {
    let stage = Stage::new();
    stage.write("elsewhere/data", b"my own data");
    stage.write("x/d/a", b"content");
    let link = stage.path("x/d/link");
    std::os::unix::fs::symlink("../../elsewhere", &link).unwrap();
    let (folder, torrent) = (stage.path("x/d"), stage.path("t"));
    let without = run(["create", &folder, "-o", &stage.path("small")]);
    assert_eq!(without.code, 0, "{}", without.err);
    let refused = format!("left out: {link}: is a link to \"../../elsewhere\"");
    assert!(without.err.contains(&refused), "{}", without.err);
    assert!(without.err.contains("--follow-links follows it"), "{}", without.err);
    assert!(!run(["show", &stage.path("small")]).out.contains("link"));

    run(["create", &folder, "--follow-links", "-o", &torrent]).success();
    assert!(run(["show", &torrent]).out.contains("d/link/data"));
    let dir = stage.path("x");
    let verified = run(["verify", &torrent, "-d", &dir]);
    assert_eq!(verified.code, 32, "{}", verified.err);
    let why = "unreadable  d/link/data";
    assert!(verified.out.contains(why), "{}", verified.out);
    assert!(verified.out.contains("--follow-links follows it"), "{}", verified.out);
    run(["verify", &torrent, "-d", &dir, "--follow-links"]).success();
}

#[test]
fn what_is_left_out_is_named_in_so_many_lines() {
    let stage = Stage::new();
    stage.write("d/a", b"content");
    for number in 0..30 {
        std::os::unix::fs::symlink("/etc", stage.path(&format!("d/link{number}"))).unwrap();
    }
    let made = run(["create", &stage.path("d"), "-o", &stage.path("t")]);
    assert_eq!(made.code, 0, "{}", made.err);
    let lines = made.err.lines().filter(|line| line.contains("left out: ")).count();
    assert_eq!(lines, 20, "{}", made.err);
    assert!(made.err.contains("and 10 more left out"), "{}", made.err);
}

#[test]
fn a_pattern_that_leaves_nothing_out_and_a_link_that_leads_nowhere_are_told() {
    let stage = Stage::new();
    let photos = stage.photos();
    std::os::unix::fs::symlink("/gone/nowhere", photos.join("dangling")).unwrap();
    let photos = photos.to_str().unwrap();
    let made =
        run(["create", photos, "-o", &stage.path("t"), "-x", "*.JPG", "-x", "*.txt", "-x", "d/*"]);
    assert_eq!(made.code, 0, "{}", made.err);
    let told: Vec<&str> = made.err.lines().collect();
    assert!(told[0].ends_with("dangling is a link that leads nowhere"), "{told:?}");
    assert_eq!(told[1], "warning: --exclude *.JPG: leaves nothing out; upper and lower case count");
    assert_eq!(told[2], "warning: --exclude d/*: leaves nothing out; upper and lower case count");
    assert_eq!(told.len(), 3, "{told:?}");
}
