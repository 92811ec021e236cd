//! A corpus of names that strangers might write, and what becomes of each on which file system.

use proptest::prelude::*;

use super::*;

fn fit(rules: NameRules, name: &[u8]) -> Vec<u8> {
    rules.fit(name).into_owned()
}

#[test]
fn where_anything_goes_only_controls_and_bidi_are_replaced_in_new_names() {
    for name in ["Vol. 1.", "name ", "aux.c", "con", "a\\b", "a:b", "What?", "ünï", "..."] {
        let kept = NameRules::UNIX.fit(name.as_bytes());
        assert!(matches!(kept, Cow::Borrowed(kept) if kept == name.as_bytes()), "{name}");
    }
    for (name, new) in [
        (&b"a\tb\nc\x1b[31m\x7f"[..], &b"a_b_c_[31m_"[..]),
        ("\u{202e}gpj.exe".as_bytes(), b"_gpj.exe"),
        ("a\u{2066}b\u{200f}c\u{85}d\u{2028}".as_bytes(), b"a_b_c_d_"),
        (b"\xff\n\xfe", b"\xff_\xfe"),
    ] {
        assert_eq!(fit(NameRules::UNIX, name), new, "{}", name.escape_ascii());
    }
}

#[test]
fn what_windows_can_not_hold_is_replaced_on_its_file_systems() {
    for (name, new) in [
        (&b"What? *: <Yes> | \"No\".mkv"[..], &b"What_ __ _Yes_ _ _No_.mkv"[..]),
        (b"a\\b", b"a_b"),
        (b"Vol. 1.", b"Vol. 1_"),
        (b"name ", b"name_"),
        (b"...", b".._"),
        (b"aux.c", b"_aux.c"),
        (b"a\xff", b"a_"),
        (b"C:", b"C_"),
    ] {
        assert_eq!(fit(NameRules::WINDOWS, name), new, "{}", name.escape_ascii());
    }
}

#[test]
fn earlier_names_are_what_they_were() {
    for name in ["a", "What? *: <Yes> | \"No\".mkv", "console", "com10", "COM", "ab:c", "e\u{301}"]
    {
        assert_eq!(fit(NameRules::EARLIER, name.as_bytes()), name.as_bytes());
    }
    for (raw, name) in [
        (&b" "[..], "_"),
        (b"...", ".._"),
        (b"x.", "x_"),
        (b"x. .", "x. _"),
        (b"x ", "x_"),
        (b"a\\b", "a_b"),
        (b"a\nb\x1b[31m\x7f", "a_b_[31m_"),
        ("\u{202e}gpj.exe".as_bytes(), "_gpj.exe"),
        ("a\u{2066}b\u{200f}c\u{85}d\u{2028}\u{fffd}".as_bytes(), "a_b_c_d__"),
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
        assert_eq!(fit(NameRules::EARLIER, raw), name.as_bytes(), "{}", raw.escape_ascii());
    }
    // A cut must not leave a name that ends in a dot or a space.
    let spaces = format!("{} ", "x".repeat(254));
    assert_eq!(fit(NameRules::EARLIER, spaces.as_bytes())[254], b'_');
}

#[test]
fn a_name_that_is_too_long_here_is_shortened() {
    let rules = NameRules { longest: 20, ..NameRules::UNIX };
    let long = format!("{}.mkv", "é".repeat(20));
    assert_eq!(fit(rules, long.as_bytes()), format!("{}.mkv", "é".repeat(8)).as_bytes());
}

fn text(paths: Vec<Option<Vec<u8>>>) -> Vec<Option<String>> {
    paths.into_iter().map(|path| path.map(|path| String::from_utf8(path).unwrap())).collect()
}

fn new(paths: &[&str], rules: NameRules) -> Vec<Option<String>> {
    let paths: Vec<&[u8]> = paths.iter().map(|path| path.as_bytes()).collect();
    text(new_paths(&paths, &rules))
}

#[test]
fn a_name_that_can_stay_goes_before_one_that_becomes_it() {
    assert_eq!(new(&["t/a\tb", "t/a_b"], NameRules::UNIX), [Some("t/a_b.1".into()), None]);
    assert_eq!(new(&["t/A", "t/a"], NameRules::UNIX), [None, None]);
    let windows = |paths: &[&str]| new(paths, NameRules::WINDOWS);
    assert_eq!(windows(&["t./A?", "t./a_"]), [Some("t_/A_.1".into()), Some("t_/a_".into())]);
    assert_eq!(windows(&["t/A", "t/a", "t/B"]), [None, Some("t/a.1".into()), None]);
    assert_eq!(windows(&["t/a", "t/A/b"]), [Some("t/a.1".into()), None]);
}

#[test]
fn earlier_numbers_went_by_the_order_of_the_torrent() {
    let paths: [&[u8]; 4] = [b"t/a\\b", b"t/a_b", b"t/A_B", b"t/other"];
    assert_eq!(
        text(earlier_paths(&paths)),
        [Some("t/a_b".into()), Some("t/a_b.1".into()), Some("t/A_B.2".into()), None]
    );
}

proptest! {
    #[test]
    fn what_is_fit_stays_so(name in prop::collection::vec(any::<u8>(), 1..300)) {
        for rules in [NameRules::UNIX, NameRules::WINDOWS, NameRules::EARLIER] {
            let name: Vec<u8> =
                name.iter().copied().filter(|byte| !matches!(byte, 0 | b'/')).collect();
            let fit = rules.fit(&name).into_owned();
            prop_assert!(fit.len() <= rules.longest.max(1));
            prop_assert_eq!(rules.fit(&fit), Cow::<[u8]>::Borrowed(&fit));
            prop_assert!(!metainfo::sanitise_name(&fit).contains(is_unprintable));
        }
    }

    #[test]
    fn new_paths_never_meet(
        paths in prop::collection::btree_set("t/[aA_?\\t]{1,2}(/[aB?])?", 0..20),
        windows in any::<bool>(),
    ) {
        let rules = if windows { NameRules::WINDOWS } else { NameRules::UNIX };
        let bytes: Vec<&[u8]> = paths.iter().map(String::as_bytes).collect();
        // A torrent's own paths do not meet.
        prop_assume!(separate_paths(&bytes, SameName::Bytes, MAX_COMPONENT_LEN).is_empty());
        let new = new_paths(&bytes, &rules);
        let all: Vec<&[u8]> =
            new.iter().zip(&bytes).map(|(new, own)| new.as_deref().unwrap_or(own)).collect();
        prop_assert_eq!(separate_paths(&all, rules.same(), rules.longest), []);
    }
}
