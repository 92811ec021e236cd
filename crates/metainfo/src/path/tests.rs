//! A corpus of names that strangers might write, and what becomes of each.

use proptest::prelude::*;

use super::*;

fn named(raw: &[u8]) -> Vec<u8> {
    component(raw).into_owned()
}

#[test]
fn what_a_linux_folder_can_hold_stays() {
    let names: &[&[u8]] = &[
        b"a",
        b"file.txt",
        b".hidden",
        b"..a",
        b"a..b",
        b"...",
        b"What? *: <Yes> | \"No\".mkv",
        "日本語.txt".as_bytes(),
        "e\u{301}".as_bytes(),
        "emoji 👩\u{200d}👩\u{200d}👧".as_bytes(),
        b"-rf",
        b"~",
        b"C:",
        b"c:\\windows",
        b"ab:c",
        b" leading",
        b"trailing ",
        b"Vol. 1.",
        b" ",
        b"a\\b",
        b"..\\x",
        b"\\\\server\\share",
        b"a\tb\nc\x1b[31m\x7f",
        "\u{202e}gpj.exe".as_bytes(),
        "a\u{2066}b\u{200f}c\u{85}d\u{2028}\u{fffd}".as_bytes(),
        b"\xff\xfe.txt",
        b"\xc0\xaf\xc0\xae\xc0\xae",
        b"CON",
        b"con.tar.gz",
        b"nul.txt",
        b"aux.c",
        "COM².log".as_bytes(),
        &[b'x'; 255],
    ];
    for name in names {
        let kept = component(name);
        assert!(matches!(kept, Cow::Borrowed(kept) if kept == *name), "{}", name.escape_ascii());
    }
}

#[test]
fn what_is_unsafe_everywhere_is_defused() {
    let cases: &[(&[u8], &[u8])] = &[
        (b"", b"_"),
        (b".", b"_"),
        (b"..", b"_"),
        (b"/", b"_"),
        (b"../x", b".._x"),
        (b"x/..", b"x_.."),
        (b"/etc/passwd", b"_etc_passwd"),
        (b"./a", b"._a"),
        (b"a//", b"a__"),
        (b"\0", b"_"),
        (b"a\0.txt", b"a_.txt"),
    ];
    for (raw, name) in cases {
        assert_eq!(named(raw), *name, "{}", raw.escape_ascii());
    }
}

#[test]
fn long_names_keep_their_extension_and_whole_characters() {
    let long = format!("{}.mkv", "é".repeat(200));
    assert_eq!(named(long.as_bytes()), format!("{}.mkv", "é".repeat(125)).as_bytes());
    assert_eq!(named(&[b'x'; 300]), [b'x'; 255]);
    // What follows the dot is too long to be an extension.
    let sentence = format!("{}.{}", "x".repeat(280), "y".repeat(30));
    assert_eq!(named(sentence.as_bytes()), [b'x'; 255]);
    // Where there are no characters, any byte is as good as another.
    assert_eq!(named(&[0xff; 300]), [0xff; 255]);
    assert_eq!(named(&[0x80; 300]), [0x80; 255]);
    assert_eq!(shorten_name(b"ab.extension", 4), b"ab.e");
    assert_eq!(shorten_name("éé".as_bytes(), 3), "é".as_bytes());
    assert_eq!(shorten_name(b"short", 9), b"short");
}

#[test]
fn terminals_get_no_commands() {
    for text in ["", "plain", "日本語", "tab is not kept? \u{200d}"] {
        assert!(matches!(sanitise_for_terminal(text), Cow::Borrowed(_)));
    }
    assert_eq!(sanitise_for_terminal("a\tb\r\nc\u{9b}1m\u{7}"), r"a\tb\r\nc\u{9b}1m\u{7}");
    assert_eq!(sanitise_for_terminal("\u{2067}x\u{61c}"), r"\u{2067}x\u{61c}");
    assert_eq!(sanitise_name(b"a\xff\x1bb\xc3"), r"a\xff\u{1b}b\xc3");
    assert!(matches!(sanitise_name("日本語".as_bytes()), Cow::Borrowed("日本語")));
}

/// Bytes that are likely to be trouble.
fn raw_name() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(
        prop_oneof![
            Just(b"..".to_vec()),
            Just(b".".to_vec()),
            Just(b"/".to_vec()),
            Just(b"\\".to_vec()),
            Just(b"C:".to_vec()),
            Just(b"con".to_vec()),
            Just(b" ".to_vec()),
            Just(vec![0xff]),
            Just("\u{202e}".into()),
            Just("é".into()),
            Just(vec![b'x'; 90]),
            Just(b".txt".to_vec()),
            any::<char>().prop_map(|c| c.to_string().into_bytes()),
            prop::collection::vec(any::<u8>(), 0..4),
        ],
        0..8,
    )
    .prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn every_name_becomes_one_safe_component(raw in raw_name()) {
        use std::os::unix::ffi::OsStrExt as _;

        let name = component(&raw);
        let path = std::path::Path::new(std::ffi::OsStr::from_bytes(&name));
        let parts: Vec<_> = path.components().collect();
        prop_assert!(matches!(parts[..], [std::path::Component::Normal(_)]), "{path:?}");
        prop_assert!(name.len() <= MAX_COMPONENT_LEN && !name.contains(&0));
        // Nothing is left to change, so the answer is stable.
        prop_assert_eq!(&component(&name), &name);
    }

    #[test]
    fn shown_bytes_are_printable(raw in raw_name()) {
        prop_assert!(!sanitise_name(&raw).contains(is_unprintable));
    }

    #[test]
    fn shown_text_is_printable(text in any::<String>()) {
        prop_assert!(!sanitise_for_terminal(&text).contains(is_unprintable));
    }
}
