//! `pieces-cli show`.

use serde_json::{Value, json};
use testkit::PATIENCE;
use testkit::cli::Cli;
use testkit::process::Stream;
use testkit::torrent::Builder;

use crate::stage::Stage;

#[test]
fn json_tells_what_a_torrent_holds() {
    let torrent = Builder::new("shown").file("a/b", 5).padding().file("c", 0).private().build();
    let stage = Stage::with(torrent);
    let show = Cli::new(["show", "--json"]).unwrap().arg(&stage.file).start().unwrap();
    show.wait_success(PATIENCE).unwrap();
    let shown: Value = serde_json::from_str(&show.output(Stream::Stdout)).unwrap();
    let expected = json!({
        "name": "shown",
        "info_hash": stage.torrent.info_hash_hex(),
        "info_hash_v2": null,
        "version": "v1",
        "total_length": 5,
        "piece_length": 32768,
        "piece_count": 1,
        "private": true,
        "trackers": [[stage.tracker.url()]],
    });
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(shown[key], *value, "{key}");
    }
    let files = shown["files"].as_array().unwrap();
    let files: Vec<Value> =
        files.iter().map(|file| json!([file["path"], file["length"], file["padding"]])).collect();
    let padding = files[1].clone();
    assert_eq!(files[0], json!(["shown/a/b", 5, false]));
    assert_eq!((&padding[1], &padding[2]), (&json!(32763), &json!(true)));
    assert_eq!(files[2], json!(["shown/c", 0, false]));
}

#[test]
fn what_is_no_torrent_is_refused_in_one_line() {
    let stage = Stage::new();
    let dir = stage.dir("bad");
    for (name, bytes, code) in
        [("empty", &b""[..], 25), ("cut", b"d4:info", 25), ("other", b"de", 26)]
    {
        let file = dir.join(name);
        std::fs::write(&file, bytes).unwrap();
        let show = Cli::new(["show"]).unwrap().arg(&file).start().unwrap();
        let status = show.wait_exit(PATIENCE).unwrap();
        let (out, err) = (show.output(Stream::Stdout), show.output(Stream::Stderr));
        assert_eq!(status.code(), Some(code), "{name}: {err}");
        assert!(out.is_empty(), "{name}: {out}");
        assert!(err.starts_with("error:") && err.lines().count() == 1, "{name}: {err}");
    }
    let absent = Cli::new(["show"]).unwrap().arg(dir.join("absent")).start().unwrap();
    assert_eq!(absent.wait_exit(PATIENCE).unwrap().code(), Some(3));
}
