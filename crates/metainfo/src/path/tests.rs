//! A corpus of names that strangers might write, and what becomes of each.

use proptest::prelude::*;

use super::*;

fn named(raw: &[u8]) -> String {
    component(raw).unwrap().into_owned()
}

#[test]
fn honest_names_stay() {
    for name in [
        "a",
        "file.txt",
        ".hidden",
        "..a",
        "a..b",
        "...b",
        "What? *: <Yes> | \"No\".mkv",
        "日本語.txt",
        "e\u{301}",
        "emoji 👩\u{200d}👩\u{200d}👧",
        "console",
        "com10",
        "COM",
        "null.txt",
        "auxiliary",
        "-rf",
        "~",
        "$HOME",
        "ab:c",
        "1:x",
        " leading",
    ] {
        assert!(
            matches!(component(name.as_bytes()), Ok(Cow::Borrowed(kept)) if kept == name),
            "{name}"
        );
    }
}

#[test]
fn what_would_leave_the_folder_is_refused() {
    for (raw, why) in [
        (&b".."[..], Refused::Parent),
        (b"../x", Refused::Parent),
        (b"x/..", Refused::Parent),
        (b"..\\x", Refused::Parent),
        (b"x\\..\\..\\y", Refused::Parent),
        (b"/", Refused::Separator),
        (b"/etc/passwd", Refused::Separator),
        (b"a/b", Refused::Separator),
        (b"a/", Refused::Separator),
        (b"./a", Refused::Separator),
        (b"\\", Refused::Separator),
        (b"\\\\server\\share", Refused::Separator),
        (b"\\windows", Refused::Separator),
        (b"C:", Refused::Drive),
        (b"c:\\windows", Refused::Drive),
        (b"z:x", Refused::Drive),
        (b"\0", Refused::Nul),
        (b"a\0.txt", Refused::Nul),
    ] {
        assert_eq!(component(raw), Err(why), "{}", raw.escape_ascii());
    }
}

#[test]
fn what_cannot_be_held_or_shown_is_renamed() {
    for (raw, name) in [
        (&b""[..], "_"),
        (b".", "_"),
        (b" ", "_"),
        (b"...", ".._"),
        (b"x.", "x_"),
        (b"x. .", "x. _"),
        (b"x ", "x_"),
        (b"a\\b", "a_b"),
        (b"a\nb\x1b[31m\x7f", "a_b_[31m_"),
        ("\u{202e}gpj.exe".as_bytes(), "_gpj.exe"),
        ("a\u{2066}b\u{200f}c\u{85}d\u{2028}".as_bytes(), "a_b_c_d_"),
        (b"\xff\xfe.txt", "__.txt"),
        (b"\xc0\xaf\xc0\xae\xc0\xae", "______"),
        (b"CON", "_CON"),
        (b"con.tar.gz", "_con.tar.gz"),
        (b"Nul.txt", "_Nul.txt"),
        (b"AUX .txt", "_AUX .txt"),
        (b"lpt0", "_lpt0"),
        ("COM².log".as_bytes(), "_COM².log"),
        (b"conin$", "_conin$"),
    ] {
        assert_eq!(named(raw), name, "{}", raw.escape_ascii());
    }
}

#[test]
fn long_names_keep_their_extension_and_whole_characters() {
    let long = format!("{}.mkv", "é".repeat(200));
    let name = named(long.as_bytes());
    assert_eq!(name, format!("{}.mkv", "é".repeat(125)));
    assert_eq!(named("x".repeat(300).as_bytes()), "x".repeat(255));
    assert_eq!(named("x".repeat(255).as_bytes()), "x".repeat(255));
    // What follows the dot is too long to be an extension.
    let sentence = format!("{}.{}", "x".repeat(280), "y".repeat(30));
    assert_eq!(named(sentence.as_bytes()), "x".repeat(255));
    // A cut must not leave a name that ends in a dot or a space.
    let spaces = format!("{} {}", "x".repeat(254), "y".repeat(30));
    assert_eq!(named(spaces.as_bytes()), format!("{}_", "x".repeat(254)));
}

#[test]
fn terminals_get_no_commands() {
    for text in ["", "plain", "日本語", "tab is not kept? \u{200d}"] {
        assert!(matches!(sanitise_for_terminal(text), Cow::Borrowed(_)));
    }
    assert_eq!(sanitise_for_terminal("a\tb\r\nc\u{9b}1m\u{7}"), r"a\tb\r\nc\u{9b}1m\u{7}");
    assert_eq!(sanitise_for_terminal("\u{2067}x\u{61c}"), r"\u{2067}x\u{61c}");
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
    fn every_accepted_name_is_one_safe_component(raw in raw_name()) {
        if let Ok(name) = component(&raw) {
            let path = std::path::Path::new(name.as_ref());
            let parts: Vec<_> = path.components().collect();
            prop_assert!(matches!(parts[..], [std::path::Component::Normal(_)]), "{name}");
            prop_assert!(name.len() <= MAX_COMPONENT_LEN && !name.contains(is_forbidden));
            prop_assert!(!name.ends_with(['.', ' ']) && !is_device(&name));
            // Nothing is left to rename, so the answer is stable.
            let again = component(name.as_bytes()).unwrap();
            prop_assert_eq!(&again, &name);
        }
    }

    #[test]
    fn shown_text_is_printable(text in any::<String>()) {
        prop_assert!(!sanitise_for_terminal(&text).contains(is_unprintable));
    }
}
