//! `pieces-cli magnet`, and magnet URIs as a source of `show`.

use serde_json::{Value, json};

use crate::kit::{Stage, run};

const HEX: &str = "0123456789abcdef0123456789abcdef01234567";

#[test]
fn a_torrents_uri_names_it() {
    let stage = Stage::new();
    let file = stage.write("a file", b"content");
    let (torrent, tracker) = (stage.path("t"), "http://a.example/announce");
    run(["create", &file, "-o", &torrent, "-t", tracker, "--hybrid"]).success();
    let uri = run(["magnet", &torrent]).success();
    let (parts, shown) =
        (run(["magnet", "show", uri.trim(), "--json"]).json(), run(["show", &torrent, "--json"]));
    let shown = shown.json();
    for key in ["info_hash", "info_hash_v2", "name"] {
        assert_eq!(parts[key], shown[key], "{key}");
    }
    assert_eq!(parts["trackers"], json!([tracker]));
}

#[test]
fn every_part_is_taken_out() {
    let uri = format!(
        "magnet:?xt=urn:btih:AERUKZ4JVPG66AJDIVTYTK6N54ASGRLH&xt=urn:btmh:1220{v2}&dn=a+name\
         &tr=udp%3A%2F%2Fa.example%3A1&tr=http%3A%2F%2Fb.example%2Fx&ws=http%3A%2F%2Fw.example\
         &x.pe=127.0.0.1:6881&so=0,2-4",
        v2 = "ab".repeat(32)
    );
    let parts = run(["magnet", "show", &uri, "--json"]).json();
    assert_eq!(
        parts,
        json!({
            "format": 1,
            "info_hash": HEX,
            "info_hash_v2": "ab".repeat(32),
            "name": "a name",
            "trackers": ["udp://a.example:1", "http://b.example/x"],
            "web_seeds": ["http://w.example"],
            "peers": ["127.0.0.1:6881"],
            "select": [[0, 0], [2, 4]],
        })
    );
    let shown = run(["show", &uri, "--json"]).json();
    for (key, value) in [
        ("name", json!("a name")),
        ("info_hash", json!(HEX)),
        ("version", json!("hybrid")),
        ("trackers", json!([["udp://a.example:1"], ["http://b.example/x"]])),
        ("files", Value::Null),
        ("total_length", Value::Null),
        ("piece_length", Value::Null),
        ("piece_count", Value::Null),
        ("private", Value::Null),
    ] {
        assert_eq!(shown[key], value, "{key}");
    }
    let text = run(["magnet", "show", &uri]).success();
    assert!(text.contains("only file     2-4"), "{text}");
}

#[test]
fn what_is_no_magnet_is_refused() {
    for uri in ["magnet:?dn=x", "http://x/", "magnet:?xt=urn:btih:123"] {
        run(["magnet", "show", uri]).refused(27, "magnet");
    }
    run(["show", "magnet:?xt=urn:btih:123"]).refused(27, "magnet");
    run(["magnet"]).refused(28, "required");
    run(["magnet", "/absent"]).refused(3, "/absent");
}
