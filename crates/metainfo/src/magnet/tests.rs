//! Magnet URIs as they are found, and the words for those that are none.

use data_encoding::BASE32;
use proptest::prelude::*;

use super::*;
use crate::path::is_unprintable;

const HEX: &str = "c12fe1c06bba254a9dc9f519b335aa7c1367a88a";
const LONG: &str = "caf1e1c30e81cb361b9ee167c4aa64228a7fa4fa9f6105232b28ad099f3a302e";

#[test]
fn both_spellings_of_a_btih() {
    let hex = Magnet::parse(&format!("magnet:?xt=urn:btih:{HEX}")).unwrap();
    assert_eq!(hex.info_hash.unwrap().to_string(), HEX);
    let base32 = BASE32.encode(hex.info_hash.unwrap().as_bytes());
    for spelling in [base32.clone(), base32.to_lowercase()] {
        assert_eq!(Magnet::parse(&format!("MAGNET:?xt=URN:BTIH:{spelling}")).unwrap(), hex);
    }
    let upper = Magnet::parse(&format!("magnet:?xt=urn:btih:{}", HEX.to_uppercase())).unwrap();
    assert_eq!(upper, hex);
    assert_eq!(hex.to_string(), format!("magnet:?xt=urn:btih:{HEX}"));
}

#[test]
fn everything_at_once() {
    let uri = format!(
        "magnet:?xt=urn:btih:{HEX}&xt=urn:btmh:1220{LONG}&xt=urn:ed2k:1234&dn=a+b%20%C3%A9&\
         tr=udp%3A%2F%2Ft%3A1&tr.1=http://u/announce?x=1&tr=udp://t:1&ws=https://w/&x.pe=h.example:1&\
         x.pe=%5B::1%5D:6881&x.pe=127.0.0.1:65535&so=0,2,4-6&so=9&unknown=x&flag&&tr="
    );
    let magnet = Magnet::parse(&uri).unwrap();
    assert_eq!(
        magnet,
        Magnet {
            info_hash: HEX.parse().ok(),
            info_hash_v2: LONG.parse().ok(),
            name: Some("a b é".into()),
            trackers: vec!["udp://t:1".into(), "http://u/announce?x=1".into()],
            web_seeds: vec!["https://w/".into()],
            peers: vec!["h.example:1".into(), "[::1]:6881".into(), "127.0.0.1:65535".into()],
            select: vec![0..=0, 2..=2, 4..=6, 9..=9],
            warnings: vec![],
        }
    );
    assert_eq!(
        magnet.to_string(),
        format!(
            "magnet:?xt=urn:btih:{HEX}&xt=urn:btmh:1220{LONG}&dn=a%20b%20%C3%A9&tr=udp%3A%2F%2Ft%3A1&\
             tr=http%3A%2F%2Fu%2Fannounce%3Fx%3D1&ws=https%3A%2F%2Fw%2F&x.pe=h.example:1&\
             x.pe=[::1]:6881&x.pe=127.0.0.1:65535&so=0,2,4-6,9"
        )
    );
}

#[test]
fn a_version_2_torrent_alone() {
    let magnet = Magnet::parse(&format!("magnet:?xt=urn:btmh:1220{LONG}")).unwrap();
    assert_eq!(magnet.info_hash, None);
    assert_eq!(magnet.info_hash_v2.unwrap().to_string(), LONG);
}

#[test]
fn what_names_no_torrent_is_refused() {
    let short = "magnet URI: xt: a btih is 40 hex digits or 32 letters of base32";
    let long = "magnet URI: xt: a btmh is \"1220\" and 64 hex digits";
    let none = "magnet URI: no parameter \"xt=urn:btih:\" or \"xt=urn:btmh:\" names a torrent";
    let other = "magnet URI: does not begin with \"magnet:?\", and is no info-hash of 40 or 64 hex \
                 digits";
    for (uri, message) in [
        ("http://x".to_owned(), other),
        ("magnet".to_owned(), other),
        ("mägnet:?xt".to_owned(), other),
        (String::new(), other),
        (HEX[1..].to_owned(), other),
        (format!("{HEX}0"), other),
        ("magnet:?".to_owned(), none),
        ("magnet:?dn=x&xt=urn:sha1:x".to_owned(), none),
        ("magnet:?xt=urn:btih:".to_owned(), short),
        (format!("magnet:?xt=urn:btih:{}", &HEX[1..]), short),
        (format!("magnet:?xt=urn:btih:{}g", &HEX[1..]), short),
        (format!("magnet:?xt=urn:btih:{}", "1".repeat(32)), short),
        (format!("magnet:?xt=urn:btmh:{LONG}"), long),
        (format!("magnet:?xt=urn:btmh:1120{LONG}"), long),
        (format!("magnet:?xt=urn:btmh:1220{LONG}0"), long),
        (
            format!("magnet:?xt=urn:btih:{HEX}&{}", "x".repeat(MAX_MAGNET_LEN)),
            "magnet URI: longer than 65536 bytes",
        ),
    ] {
        let error = Magnet::parse(&uri).unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Magnet, message));
    }
}

#[test]
fn a_bad_part_is_ignored_with_a_warning_and_the_others_count() {
    let other = "0".repeat(40);
    for (part, warning) in [
        ("tr=http://t/%ff", r#"tr: "http://t/\xff" is ignored, not a URL"#),
        ("tr=http://t/%1b", r#"tr: "http://t/\u{1b}" is ignored, not a URL"#),
        ("tr=notaurl", r#"tr: "notaurl" is ignored, not a URL"#),
        ("tr=t.example:80/announce", r#"tr: "t.example:80/announce" is ignored, not a URL"#),
        ("tr=http://", r#"tr: "http://" is ignored, not a URL"#),
        ("tr=://t", r#"tr: "://t" is ignored, not a URL"#),
        ("ws=blah", r#"ws: "blah" is ignored, not a URL"#),
        ("ws=%80", r#"ws: "\x80" is ignored, not a URL"#),
        ("tr=http://me:s3cret@t/%1b", r#"tr: "http://***@t/\u{1b}" is ignored, not a URL"#),
        ("tr=http://me:s3cret@t/%ff", "tr: \"http://***@t/\u{fffd}\" is ignored, not a URL"),
        ("x.pe=", "x.pe: \"\" is ignored, not host:port"),
        ("x.pe=1.2.3.4", "x.pe: \"1.2.3.4\" is ignored, not host:port"),
        ("x.pe=:1", "x.pe: \":1\" is ignored, not host:port"),
        ("x.pe=h:0", "x.pe: \"h:0\" is ignored, not host:port"),
        ("x.pe=h:65536", "x.pe: \"h:65536\" is ignored, not host:port"),
        ("x.pe=::1:5", "x.pe: \"::1:5\" is ignored, not host:port"),
        ("x.pe=[x]:5", "x.pe: \"[x]:5\" is ignored, not host:port"),
        ("x.pe=%1b:5", r#"x.pe: "\u{1b}:5" is ignored, not host:port"#),
        ("so=x", "so: \"x\" is ignored, not a file number or a range of them"),
        ("so=3-1", "so: \"3-1\" is ignored, not a file number or a range of them"),
        ("so=%2B1", "so: \"+1\" is ignored, not a file number or a range of them"),
        ("so=1-", "so: \"1-\" is ignored, not a file number or a range of them"),
        ("so=4294967296", "so: \"4294967296\" is ignored, not a file number or a range of them"),
        (
            "xt=urn:btih:12",
            "xt: \"urn:btih:12\" is ignored, a btih is 40 hex digits or 32 letters of base32",
        ),
        ("xt=urn:btmh:12", "xt: \"urn:btmh:12\" is ignored, a btmh is \"1220\" and 64 hex digits"),
        (
            &format!("xt=urn:btih:{other}"),
            &format!(
                "xt: \"urn:btih:{other}\" is ignored, the torrent that was named first counts"
            ),
        ),
    ] {
        let good = format!("xt=urn:btih:{HEX}&dn=n&tr=udp://t:1&x.pe=h:1&so=7");
        let mut magnet = Magnet::parse(&format!("magnet:?{good}&{part}")).unwrap();
        assert_eq!(magnet.warnings, [format!("magnet URI: {warning}")], "{part}");
        magnet.warnings.clear();
        assert_eq!(magnet, Magnet::parse(&format!("magnet:?{good}")).unwrap(), "{part}");
    }
    // The first that is valid counts, wherever what is broken stands.
    let magnet = Magnet::parse(&format!("magnet:?xt=urn:btih:12&xt=urn:btih:{HEX}")).unwrap();
    assert_eq!((magnet.info_hash, magnet.warnings.len()), (HEX.parse().ok(), 1));
    // Of a list the good ones count.
    let magnet = Magnet::parse(&format!("magnet:?xt=urn:btih:{HEX}&so=1,,x,%203-4")).unwrap();
    assert_eq!((magnet.select, magnet.warnings.len()), (vec![1..=1, 3..=4], 1));
    // A name in another encoding is readable in parts; one in ours is preferred.
    let magnet = Magnet::parse(&format!("magnet:?xt=urn:btih:{HEX}&dn=caf%e9")).unwrap();
    assert_eq!(magnet.name.as_deref(), Some("caf\u{fffd}"));
    assert_eq!(magnet.warnings, [r#"magnet URI: dn: "caf\xe9" is not UTF-8"#]);
    let magnet = Magnet::parse(&format!("magnet:?dn=caf%e9&xt=urn:btih:{HEX}&dn=tea&dn=%e9"));
    assert_eq!(magnet.unwrap().name.as_deref(), Some("tea"));
}

#[test]
fn what_nobody_knows_is_skipped_whatever_it_holds() {
    let junk = "foo=%ff&%ff=1&=x&&&flag&dn=&tr=&so=&xt=&xt=urn:tree:tiger:x&amp;&mt=%80";
    let magnet = Magnet::parse(&format!("magnet:?{junk}&xt=urn:btih:{HEX}&{junk}")).unwrap();
    assert_eq!(magnet, Magnet { info_hash: HEX.parse().ok(), ..Magnet::default() });
}

#[test]
fn links_as_they_are_copied_out_of_pages_and_chats() {
    let bare = Magnet { info_hash: HEX.parse().ok(), ..Magnet::default() };
    let plain = format!("magnet:?xt=urn:btih:{HEX}");
    for uri in [
        format!("  {plain}\r\n"),
        format!("\u{feff}{plain}\0"),
        format!("\"{plain}\""),
        format!("<{plain}>"),
        plain.replace("magnet:", "MAGNET:"),
        plain.replace("magnet:?", "magnet:"),
        plain.replace("magnet:?", "magnet://?"),
        plain.replace("xt=", "xt.1="),
        plain.replace("xt=", "XT="),
        plain.replace("xt=", " xt = "),
        plain.replace("urn:btih:", "urn%3Abtih%3a"),
        plain.replace("urn:btih:", "URN:BTIH:"),
    ] {
        assert_eq!(Magnet::parse(&uri).unwrap(), bare, "{uri:?}");
    }
    for and in ["&amp;", "&amp;amp;", "&#38;", "&AMP;", "& "] {
        let parts = ["dn=a", &plain["magnet:?".len()..], "tr.1=udp://t:1", "tr=http://t/?a=1"];
        let magnet = Magnet::parse(&format!("magnet:?{}", parts.join(and))).unwrap();
        let trackers = vec!["udp://t:1".into(), "http://t/?a=1".into()];
        assert_eq!(magnet, Magnet { name: Some("a".into()), trackers, ..bare.clone() }, "{and}");
    }
    // Nothing escaped that should be, and what looks escaped and is not.
    let magnet = Magnet::parse(&format!("{plain}&dn=100% of it, é&tr=http://t/a?k=[v]")).unwrap();
    assert_eq!(magnet.name.as_deref(), Some("100% of it, é"));
    assert_eq!((magnet.trackers, magnet.warnings.len()), (vec!["http://t/a?k=[v]".into()], 0));
}

#[test]
fn a_name_that_is_not_utf_8_has_no_blanks_around_it_either() {
    let uri = format!("magnet:?xt=urn:btih:{}&dn=%0b%ffname%0b", "1".repeat(40));
    let magnet = Magnet::parse(&uri).unwrap();
    assert_eq!(magnet.name.as_deref(), Some("\u{fffd}name"));
    assert_eq!(Magnet::parse(&magnet.to_string()).unwrap().name, magnet.name);
}

#[test]
fn a_bare_info_hash_is_a_magnet() {
    let v1 = Magnet { info_hash: HEX.parse().ok(), ..Magnet::default() };
    let base32 = BASE32.encode(v1.info_hash.unwrap().as_bytes());
    for text in [HEX, &HEX.to_uppercase(), &base32, &base32.to_lowercase(), &format!(" {HEX}\n")] {
        assert_eq!(Magnet::parse(text).unwrap(), v1);
        assert_eq!(Magnet::of_bare_hash(text), Some(v1.clone()));
    }
    let v2 = Magnet { info_hash_v2: LONG.parse().ok(), ..Magnet::default() };
    for text in [LONG, &LONG.to_uppercase(), &format!("1220{LONG}")] {
        assert_eq!(Magnet::of_bare_hash(text), Some(v2.clone()));
    }
    for text in
        ["", &HEX[1..], &"1".repeat(32), &"g".repeat(40), "magnet:?", &format!("1120{LONG}")]
    {
        assert_eq!(Magnet::of_bare_hash(text), None);
    }
}

#[test]
fn warnings_are_short_and_few() {
    let part = |n: usize| format!("&x.pe={n}{}", "x".repeat(400));
    let parts: String = (0..150).map(part).collect();
    let magnet = Magnet::parse(&format!("magnet:?xt=urn:btih:{HEX}{parts}")).unwrap();
    assert_eq!(magnet.warnings.len(), 101);
    assert!(magnet.warnings.iter().all(|line| line.len() < 150), "{:?}", magnet.warnings[0]);
}

#[test]
fn with_its_metadata_it_is_a_torrent() {
    let info = b"d6:lengthi1e4:name1:x12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaae";
    let hash = InfoHash::of(info);
    let uri = format!("magnet:?xt=urn:btih:{hash}&tr=udp://a&tr=http://b&ws=http://w/&dn=y");
    let magnet = Magnet::parse(&uri).unwrap();
    let file = magnet.torrent_file(info).unwrap();
    let torrent = Metainfo::from_bytes(&file).unwrap();
    assert!(torrent.warnings().is_empty(), "{:?}", torrent.warnings());
    assert_eq!(torrent.info_hash(), Some(hash));
    assert_eq!(&torrent.info_bytes()[..], info);
    assert_eq!(torrent.tiers(), [["udp://a"], ["http://b"]]);
    assert_eq!(torrent.web_seeds(), ["http://w/"]);
    assert_eq!(torrent.name(), "x");
}

#[test]
fn metadata_of_something_else_is_refused() {
    let refusal = |magnet: &Magnet, info: &[u8]| magnet.torrent_file(info).unwrap_err().kind();
    let magnet = Magnet::parse(&format!("magnet:?xt=urn:btih:{HEX}")).unwrap();
    assert_eq!(refusal(&magnet, b"de"), ErrorKind::BadHash);
    // The hash of what is no bencode, or is followed by more, is easily had.
    for odd in [&b"x"[..], b"dede", b"de\n", b""] {
        let magnet = Magnet { info_hash: Some(InfoHash::of(odd)), ..Magnet::default() };
        assert_eq!(refusal(&magnet, odd), ErrorKind::Bencode);
    }
}

/// Any magnet that can be written down.
fn magnet() -> impl Strategy<Value = Magnet> {
    let host =
        prop_oneof!["[a-z0-9.-]{1,9}", Just("[2001:db8::1]".to_owned()), Just("1.2.3.4".into())];
    let peer = (host, 1..=u16::MAX).prop_map(|(host, port)| format!("{host}:{port}"));
    (
        (any::<[u8; 20]>(), any::<Option<[u8; 32]>>(), any::<bool>()),
        prop::option::of("[a-zé&=%+?#;\u{202e} ]{0,6}x"),
        prop::collection::btree_set("udp://[a-z&=+%][a-z&=+%/?;é]{0,8}", 0..3),
        prop::collection::btree_set("https?://[a-z&=+%][a-z&=+%/?;]{0,8}", 0..3),
        prop::collection::btree_set(peer, 0..3),
        prop::collection::vec((any::<u32>(), any::<u32>()), 0..4),
    )
        .prop_map(|((hash, long, both), name, trackers, web_seeds, peers, select)| Magnet {
            info_hash: (both || long.is_none()).then(|| hash.into()),
            info_hash_v2: long.map(Into::into),
            name: name.map(|name| name.trim().to_owned()),
            trackers: trackers.into_iter().collect(),
            web_seeds: web_seeds.into_iter().collect(),
            peers: peers.into_iter().collect(),
            select: select.into_iter().map(|(a, b)| a.min(b)..=a.max(b)).collect(),
            warnings: Vec::new(),
        })
}

/// A parameter that says nothing of use.
fn junk() -> impl Strategy<Value = String> {
    let unknown = "[a-mo-ru-wyz.%;]{0,4}[b-mo-ru-wyz0-9]=[^&]{0,9}";
    let broken = prop::sample::select(vec![
        "xt=urn:btih:12",
        "xt=urn:btmh:12",
        "xt=%ff",
        "xt=urn:ed2k:12",
        "dn=",
        "tr=%ff",
        "tr=",
        "tr=notaurl",
        "tr=http://",
        "ws=%1b",
        "ws=a%20b://c",
        "x.pe=",
        "x.pe=h",
        "x.pe=h:0",
        "x.pe=%ff:1",
        "so=",
        "so=x",
        "so=2-1",
        "so=%ff",
        "amp;amp;",
        "&&",
        "%ff",
    ]);
    prop_oneof![unknown, broken.prop_map(str::to_owned)]
}

proptest! {
    #[test]
    fn what_is_written_is_read(magnet in magnet()) {
        let uri = magnet.to_string();
        prop_assert!(uri.is_ascii());
        prop_assert_eq!(Magnet::parse(&uri).unwrap(), magnet);
    }

    #[test]
    fn junk_changes_no_good_part(
        magnet in magnet(),
        junk in prop::collection::vec((any::<prop::sample::Index>(), junk()), 0..6),
        and in prop::sample::select(vec!["&", "&amp;", "&#38;"]),
        around in prop::sample::select(vec!["", " ", "\n", "\t\r\n"]),
    ) {
        let uri = magnet.to_string();
        let mut parts: Vec<String> =
            uri["magnet:?".len()..].split('&').map(str::to_owned).collect();
        for (at, part) in junk {
            parts.insert(at.index(parts.len() + 1), part);
        }
        let uri = format!("{around}magnet:?{}{around}", parts.join(and));
        let read = Magnet::parse(&uri).unwrap();
        prop_assert_eq!(Magnet { warnings: Vec::new(), ..read }, magnet);
    }

    #[test]
    fn any_text_is_answered(
        text in any::<String>(),
        parts in prop::collection::vec("(xt|tr|so|x.pe|dn|ws)=.{0,12}", 0..5),
    ) {
        let _ = Magnet::parse(&text);
        let read = Magnet::parse(&format!("magnet:?xt=urn:btih:{HEX}&{}", parts.join("&"))).unwrap();
        prop_assert!(read.warnings.iter().all(|line| !line.contains(is_unprintable)));
    }
}
