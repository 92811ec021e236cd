//! `pieces-cli magnet`, and magnet URIs as a source of `show`.

use serde_json::{Value, json};

use crate::kit::{Stage, run, run_in, run_with};

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
            "warnings": [],
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
    assert!(text.contains("only file     3-5"), "{text}");
}

#[test]
fn what_is_no_magnet_is_refused() {
    for uri in ["magnet:?dn=x", "http://x/", "magnet:?xt=urn:btih:123"] {
        run(["magnet", "show", uri]).refused(27, "magnet");
    }
    run(["show", "magnet:?xt=urn:btih:123"]).refused(27, "magnet");
    run_with(["magnet", "show", "-"], b"d4:infodee", &[]).refused(27, "stdin: holds no magnet URI");
    for command in ["verify", "edit"] {
        let words = "a torrent file is needed, not a magnet URI; pieces-cli magnet resolve";
        run([command, &format!("magnet:?xt=urn:btih:{HEX}")]).refused(26, words);
    }
    run(["magnet", "/absent"]).refused(3, "/absent");
}

#[test]
fn a_bad_part_is_told_and_the_rest_is_used() {
    let bad = "dn=%e9&tr=%ff&x.pe=h&x.pe=h:0&so=1,x&%ff=%ff&xt=urn:btih:12";
    let uri = format!(" magnet:?{bad}&amp;xt=urn:btih:{HEX}&amp;tr=http://t/&amp;x.pe=h:1\n");
    let shown = run(["magnet", "show", &uri, "--json"]);
    let parts = shown.json();
    assert_eq!((shown.code, &parts["info_hash"]), (0, &json!(HEX)));
    assert_eq!(parts["trackers"], json!(["http://t/"]));
    assert_eq!((&parts["peers"], &parts["select"]), (&json!(["h:1"]), &json!([[1, 1]])));
    let warnings = parts["warnings"].as_array().unwrap();
    assert_eq!(warnings.len(), 6);
    let told: Vec<String> =
        warnings.iter().map(|line| format!("warning: {}", line.as_str().unwrap())).collect();
    assert_eq!(shown.err.lines().collect::<Vec<_>>(), told);
    assert_eq!(run(["show", &uri, "--json"]).json()["warnings"], parts["warnings"]);
}

#[test]
#[cfg(unix)]
fn an_argument_that_is_not_utf8_is_a_magnet_all_the_same() {
    use std::os::unix::ffi::OsStringExt as _;
    let uri = [format!("magnet:?xt=urn:btih:{HEX}&dn=caf").as_bytes(), b"\xe9"].concat();
    let uri = std::ffi::OsString::from_vec(uri);
    for command in [&["magnet", "show"][..], &["show"], &["magnet"]] {
        let arguments = command.iter().map(Into::into).chain([uri.clone()]);
        let shown = run(arguments);
        assert_eq!(shown.code, 0, "{}", shown.err);
        assert!(shown.out.contains(HEX), "{}", shown.out);
    }
}

#[test]
fn a_bare_info_hash_is_a_magnet_wherever_one_is_taken() {
    let uri = format!("magnet:?xt=urn:btih:{HEX}");
    let base32 = "AERUKZ4JVPG66AJDIVTYTK6N54ASGRLH";
    for hash in [HEX, &HEX.to_uppercase(), base32, &base32.to_lowercase()] {
        assert_eq!(run(["magnet", hash]).success(), format!("{uri}\n"));
        assert_eq!(run(["magnet", "show", hash, "--json"]).json()["info_hash"], HEX);
        assert_eq!(run(["show", hash, "--json"]).json()["info_hash"], HEX);
    }
    let v2 = "ab".repeat(32);
    assert_eq!(run(["show", &v2, "--json"]).json()["info_hash_v2"], v2);
    for command in ["announce", "scrape"] {
        run([command, HEX]).refused(1, "names no tracker to ask");
    }
    run(["show", &HEX[1..]]).refused(3, "39 hex digits");
    // A file of that name wins.
    let stage = Stage::new();
    let file = stage.write("f", b"content");
    let named = stage.path(HEX);
    run(["create", &file, "-o", &named]).success();
    let inside = |arguments: &[&str]| run_in(stage.folder(), arguments);
    assert_eq!(inside(&["show", HEX, "--json"]).json()["name"], "f");
    inside(&["magnet", "show", HEX]).refused(27, "holds no magnet URI");
}

#[test]
fn stdin_and_files_may_hold_a_magnet() {
    let stage = Stage::new();
    let uri = format!("magnet:?xt=urn:btih:{HEX}&dn=a%20name");
    for text in [uri.clone(), format!("\r\n {uri}\n\n"), format!("\u{feff}{uri}")] {
        let file = stage.write("link.txt", text.as_bytes());
        assert_eq!(run(["magnet", &file]).success(), format!("{uri}\n"));
        assert_eq!(run(["magnet", "show", &file, "--json"]).json()["name"], "a name");
        assert_eq!(run(["show", &file, "--json"]).json()["info_hash"], HEX);
        let piped = |arguments: &[&str]| run_with(arguments, text.as_bytes(), &[]);
        assert_eq!(piped(&["show", "-", "--json"]).json()["info_hash"], HEX);
        assert_eq!(piped(&["magnet", "show", "-", "--json"]).json()["info_hash"], HEX);
        run(["verify", &file]).refused(25, "holds a magnet URI, where a torrent is needed");
    }
    let hash = run_with(["show", "-", "--json"], format!("{HEX}\n").as_bytes(), &[]);
    assert_eq!(hash.json()["info_hash"], HEX);
    let two = format!("{uri}\n{uri}\n");
    run_with(["show", "-"], two.as_bytes(), &[]).refused(27, "several lines");
}

#[test]
fn what_is_no_url_is_left_out_and_told() {
    let uri =
        format!("magnet:?xt=urn:btih:{HEX}&tr=notaurl&tr=udp://a.example:1&ws=blah&ws=http://w/");
    let told = run(["magnet", "show", &uri, "--json"]);
    let parts = told.json();
    assert_eq!(parts["trackers"], json!(["udp://a.example:1"]));
    assert_eq!(parts["web_seeds"], json!(["http://w/"]));
    let warnings = parts["warnings"].as_array().unwrap();
    assert_eq!(warnings[0], "magnet URI: tr: \"notaurl\" is ignored, not a URL");
    assert_eq!(warnings[1], "magnet URI: ws: \"blah\" is ignored, not a URL");
}
