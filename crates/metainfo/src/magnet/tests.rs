//! Magnet URIs as they are found, and the words for those that are none.

use proptest::prelude::*;

use super::*;

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
fn faults_are_named() {
    let with = |rest: &str| format!("magnet:?xt=urn:btih:{HEX}&{rest}");
    let short = "magnet URI: xt: a btih is 40 hex digits or 32 letters of base32";
    let long = "magnet URI: xt: a btmh is \"1220\" and 64 hex digits";
    let none = "magnet URI: no parameter \"xt=urn:btih:\" or \"xt=urn:btmh:\" names a torrent";
    for (uri, message) in [
        ("http://x".to_owned(), "magnet URI: does not begin with \"magnet:?\""),
        ("magnet".to_owned(), "magnet URI: does not begin with \"magnet:?\""),
        ("mägnet:?xt".to_owned(), "magnet URI: does not begin with \"magnet:?\""),
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
            with(&format!("xt=urn:btih:{}", "0".repeat(40))),
            "magnet URI: it names two different torrents",
        ),
        (with("dn=%ff"), "magnet URI: \"%ff\" is not UTF-8"),
        (with("x.pe=1.2.3.4"), "magnet URI: x.pe: \"1.2.3.4\" is not host:port"),
        (with("x.pe=:1"), "magnet URI: x.pe: \":1\" is not host:port"),
        (with("x.pe=h:0"), "magnet URI: x.pe: \"h:0\" is not host:port"),
        (with("x.pe=h:65536"), "magnet URI: x.pe: \"h:65536\" is not host:port"),
        (with("x.pe=::1:5"), "magnet URI: x.pe: \"::1:5\" is not host:port"),
        (with("x.pe=[x]:5"), "magnet URI: x.pe: \"[x]:5\" is not host:port"),
        (with("x.pe=%1b:5"), "magnet URI: x.pe: \"\\u{1b}:5\" is not host:port"),
        (with("so="), "magnet URI: so: \"\" is not a file number or a range of them"),
        (with("so=1,x"), "magnet URI: so: \"x\" is not a file number or a range of them"),
        (with("so=3-1"), "magnet URI: so: \"3-1\" is not a file number or a range of them"),
        (with("so=%2B1"), "magnet URI: so: \"+1\" is not a file number or a range of them"),
        (with("so=1-"), "magnet URI: so: \"1-\" is not a file number or a range of them"),
        (
            with("so=4294967296"),
            "magnet URI: so: \"4294967296\" is not a file number or a range of them",
        ),
        (with(&"x".repeat(MAX_MAGNET_LEN)), "magnet URI: longer than 65536 bytes"),
    ] {
        let error = Magnet::parse(&uri).unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Magnet, message));
    }
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
    for odd in [&b"x"[..], b"dede", b""] {
        let magnet = Magnet { info_hash: Some(InfoHash::of(odd)), ..Magnet::default() };
        assert_eq!(refusal(&magnet, odd), ErrorKind::Bencode);
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        hash in any::<[u8; 20]>(), long in any::<Option<[u8; 32]>>(),
        name in prop::option::of("[a-zé&=%+?#\u{202e} ]{0,6}x"),
        trackers in prop::collection::btree_set("udp://[a-z&=+%/?]{1,9}", 0..3),
        select in prop::collection::vec((any::<u32>(), any::<u32>()), 0..4),
    ) {
        let magnet = Magnet {
            info_hash: Some(hash.into()),
            info_hash_v2: long.map(Into::into),
            name: name.map(|name| name.trim().to_owned()),
            trackers: trackers.into_iter().collect(),
            web_seeds: vec!["http://w/?a=b&c".into()],
            peers: vec!["[2001:db8::1]:80".into()],
            select: select.into_iter().map(|(a, b)| a.min(b)..=a.max(b)).collect(),
        };
        let uri = magnet.to_string();
        prop_assert!(uri.is_ascii());
        prop_assert_eq!(Magnet::parse(&uri).unwrap(), magnet);
    }

    #[test]
    fn any_text_is_answered(
        text in any::<String>(),
        parts in prop::collection::vec("(xt|tr|so|x.pe|dn|ws)=.{0,12}", 0..5),
    ) {
        let _ = Magnet::parse(&text);
        let _ = Magnet::parse(&format!("magnet:?xt=urn:btih:{HEX}&{}", parts.join("&")));
    }
}
