//! What is given instead of a plain torrent file: compressed ones, and what is none at all.

use crate::kit::{Stage, gzip, run, run_with};

fn torrent(stage: &Stage) -> Vec<u8> {
    let file = stage.write("f", b"content");
    run(["create", &file, "-o", &stage.path("t")]).success();
    stage.read("t")
}

#[test]
fn a_compressed_torrent_is_read_from_a_file_and_from_stdin() {
    let stage = Stage::new();
    let plain = torrent(&stage);
    let packed = stage.write("t.torrent.gz", &gzip(&plain));
    let wanted = run(["show", &stage.path("t"), "--json"]).json();
    assert_eq!(run(["show", &packed, "--json"]).json(), wanted);
    assert_eq!(run_with(["show", "-", "--json"], &gzip(&plain), &[]).json(), wanted);
    run(["verify", &packed, "-d", stage.folder().to_str().unwrap()]).success();
    let (uri, packed_uri) = (run(["magnet", &stage.path("t")]), run(["magnet", &packed]));
    assert_eq!(packed_uri.success(), uri.success());
}

#[test]
fn a_compressed_torrent_is_not_changed_in_its_place() {
    let stage = Stage::new();
    let plain = torrent(&stage);
    let packed = stage.write("t.torrent.gz", &gzip(&plain));
    run(["edit", &packed, "--comment", "new"]).refused(28, "say with -o FILE");
    assert_eq!(stage.read("t.torrent.gz"), gzip(&plain));
    let edited = stage.path("edited");
    run(["edit", &packed, "--comment", "new", "-o", &edited]).success();
    let (before, after) =
        (run(["show", &packed, "--json"]).json(), run(["show", &edited, "--json"]).json());
    assert_eq!((&after["comment"], &after["info_hash"]), (&"new".into(), &before["info_hash"]));
}

#[test]
fn what_unfolds_without_end_or_is_cut_is_refused() {
    let stage = Stage::new();
    // 257 MiB, in parts that are all alike.
    let bomb = gzip(&vec![b'd'; 1 << 20]).repeat(257);
    assert!(bomb.len() < 2 << 20);
    let bomb = stage.write("bomb.torrent", &bomb);
    run(["show", &bomb]).refused(26, "compressed with gzip, and unpacked longer than 256 MiB");
    let mut cut = gzip(&torrent(&stage));
    cut.pop();
    let cut = stage.write("cut.torrent", &cut);
    run(["show", &cut]).refused(25, "cut.torrent: compressed with gzip and damaged: ");
}

#[test]
fn what_is_nearly_right_is_told_with_what_would_be_right() {
    let stage = Stage::new();
    let mut cut = torrent(&stage);
    cut.pop();
    let cut = stage.write("cut.torrent", &cut);
    run(["show", &cut]).refused(25, "cut.torrent: not a torrent, or cut off: bencode, byte ");
    for digits in [39, 41, 63, 65] {
        let words = format!("{digits} hex digits; an info-hash has 40, of version 2 it has 64");
        let hash = "a".repeat(digits);
        run(["show", &hash]).refused(3, &words);
        run(["magnet", "show", &hash]).refused(27, &words);
        run(["download", &hash]).refused(3, &words);
    }
    run(["show", "www.example.com/x.torrent"])
        .refused(3, "; a URL begins with http:// or https://");
    let absent = run(["show", "../absent.d/x.torrent"]);
    assert!(!absent.err.contains("a URL"), "{}", absent.err);
    run(["magnet", "show", "foo"]).refused(27, "foo: neither a magnet URI, nor an info-hash");
}

#[test]
fn what_is_no_torrent_is_called_by_its_name() {
    let stage = Stage::new();
    for (bytes, words) in [
        (
            &b"\n<!DOCTYPE HTML><html><title>Log in</title>"[..],
            "this is a web page, not a torrent; ",
        ),
        (b"{\"error\":\"no such torrent\"}", "this is JSON, not a torrent; "),
        (b"<?xml version=\"1.0\"?><rss>", "this is XML, not a torrent; "),
        (b"PK\x03\x04\x14\0", "a zip archive, not a torrent; unpack it first"),
        (b"", "empty, so not a torrent"),
        (b"\n\n", "blank, so not a torrent"),
    ] {
        let file = stage.write("some.torrent", bytes);
        run(["show", &file]).refused(25, &format!("some.torrent: {words}"));
        run(["verify", &file]).refused(25, words);
        run_with(["show", "-"], bytes, &[]).refused(25, &format!("stdin: {words}"));
    }
    let folder = stage.folder().to_str().unwrap();
    run(["show", folder]).refused(17, "a directory, not a torrent; pieces-cli create");
}
