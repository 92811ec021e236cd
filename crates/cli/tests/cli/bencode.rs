//! `pieces-cli bencode`.

use serde_json::json;

use crate::kit::{Stage, run, run_with};

#[test]
fn check_takes_one_canonical_value_and_no_more() {
    let stage = Stage::new();
    for good in [&b"i0e"[..], b"0:", b"le", b"d1:ai1e1:bi2ee"] {
        assert_eq!(run(["bencode", "check", &stage.write("f", good)]).success(), "");
    }
    for bad in
        [&b""[..], b"i0e\n", b"i00e", b"d1:bi1e1:ai2ee", b"i1ei2e", b"l", b"i-0e", b"d1:a", b"01:x"]
    {
        run(["bencode", "check", &stage.write("f", bad)]).refused(25, "byte");
    }
    run(["bencode", "check", &stage.path("absent")]).refused(3, "absent");
    assert_eq!(run_with(["bencode", "check", "-"], b"i7e", &[]).code, 0);
}

#[test]
fn show_is_readable_and_safe() {
    let value = b"d4:\x1b[2Ji-1e3:keyl3:abc2:\xff\xfeee";
    let text = run_with(["bencode", "show", "-"], value, &[]).success();
    let expected = "dict of 2\n  \"\\u{1b}[2J\": -1\n  key: list of 2\n    0: \"abc\"\n    1: <2 bytes: fffe>\n";
    assert_eq!(text, expected);
    let shown = run_with(["bencode", "show", "-", "--json"], value, &[]).json();
    let binary = json!({"binary_length": 2, "hex": "fffe"});
    assert_eq!(shown["value"], json!({"\x1b[2J": -1, "key": ["abc", binary]}));
    let odd = run_with(["bencode", "show", "-"], b"d1:bi1e1:ai2ee\n", &[]);
    assert_eq!(odd.code, 0);
    assert!(
        odd.err.contains("out of order") && odd.err.contains("1 byte after the value, not shown"),
        "{}",
        odd.err
    );
}

#[test]
fn passwords_of_urls_are_not_shown() {
    let value = b"d8:announce30:http://me:s3cret@host/announce3:urll17:udp://s3cret@h:80ee";
    for arguments in [&["bencode", "show", "-"][..], &["bencode", "show", "-", "--json"]] {
        let shown = run_with(arguments, value, &[]).success();
        assert!(!shown.contains("s3cret") && shown.contains("udp://***@h:80"), "{shown}");
        assert!(shown.contains("http://***@host/announce"), "{shown}");
    }
}
