//! Torrents of version 1: what they say, what is refused and with which words.

use proptest::prelude::*;

use super::*;
use crate::error::ErrorKind;

/// A torrent around the given entries of `info` and keys after it, in canonical order.
fn torrent(info: &str, after: &str) -> Vec<u8> {
    format!("d4:infod{info}e{after}e").into_bytes()
}

/// One piece's hash, as readable as bytes can be.
const HASH: &str = "6:pieces20:aaaaaaaaaabbbbbbbbbb";

fn single(extra: &str) -> Vec<u8> {
    torrent(&format!("6:lengthi5e4:name5:a.txt12:piece lengthi16384e{HASH}{extra}"), "")
}

/// A multi-file torrent; each entry is the inside of a dictionary.
fn multi(entries: &[&str]) -> Vec<u8> {
    let files = format!("d{}e", entries.join("ed"));
    torrent(&format!("5:filesl{files}e4:name1:t12:piece lengthi16384e{HASH}"), "")
}

fn paths(torrent: &[u8]) -> Vec<String> {
    let torrent = Metainfo::from_bytes(torrent).unwrap();
    torrent.files().iter().map(|file| file.path_str().into_owned()).collect()
}

fn refusal(torrent: &[u8]) -> (ErrorKind, String) {
    let error = Metainfo::from_bytes(torrent).unwrap_err();
    (error.kind(), error.to_string())
}

#[test]
fn single_file() {
    let bytes = single("7:privatei1e");
    let torrent = Metainfo::from_bytes(&bytes).unwrap();
    assert_eq!(torrent.name(), "a.txt");
    assert_eq!(torrent.version(), Version::V1);
    assert!(!torrent.is_multi_file() && torrent.is_private());
    assert_eq!((torrent.total_len(), torrent.piece_count()), (5, 1));
    assert_eq!(torrent.piece_length(), 16_384);
    let [file] = torrent.files() else { panic!("one file") };
    assert_eq!(file.path(), std::path::Path::new("a.txt"));
    assert_eq!((file.length(), file.kind()), (5, FileKind::Regular));
    let piece = torrent.layout().unwrap().piece(0).unwrap();
    assert_eq!(torrent.expected(piece), Some(Expected::Sha1(*b"aaaaaaaaaabbbbbbbbbb")));
    assert_eq!(torrent.expected(PieceIndex::new(1)), None);
    assert!(torrent.warnings().is_empty());
    let info = &bytes[7..bytes.len() - 1];
    let hash = sha1_smol::Sha1::from(info).digest().to_string();
    assert_eq!(torrent.info_hash().unwrap().to_string(), hash);
}

#[test]
fn the_info_hash_is_over_the_original_bytes() {
    // `name` before `length`: not canonical, and not to be made so before hashing.
    let info = format!("4:name1:a6:lengthi5e12:piece lengthi16384e{HASH}");
    let bytes = torrent(&info, "");
    let odd = Metainfo::from_bytes(&bytes).unwrap();
    let expected = sha1_smol::Sha1::from(format!("d{info}e")).digest().to_string();
    assert_eq!(odd.info_hash().unwrap().to_string(), expected);
    assert_eq!(odd.warnings().len(), 1);
    assert!(odd.warnings()[0].starts_with("not canonical bencode: "), "{:?}", odd.warnings());
}

#[test]
fn whatever_follows_the_torrent_is_ignored_with_a_warning() {
    let plain = Metainfo::from_bytes(&single("")).unwrap();
    for tail in [&b"\n"[..], b"\r\n", b"\0\0\0\0", b"some text", b"i1e", b"d4:infodee", b"e"] {
        let torrent = Metainfo::from_bytes(&[&single(""), tail].concat()).unwrap();
        assert_eq!((torrent.info_hash(), torrent.files()), (plain.info_hash(), plain.files()));
        let bytes = if tail.len() == 1 { "1 byte".into() } else { format!("{} bytes", tail.len()) };
        assert_eq!(torrent.warnings(), [format!("ignored: {bytes} after the torrent")]);
    }
    assert_eq!(refusal(b"").0, ErrorKind::Bencode);
    assert_eq!(refusal(b"<html>").0, ErrorKind::Bencode);
}

#[test]
fn files_lie_under_the_name_even_one() {
    assert_eq!(paths(&multi(&["6:lengthi5e4:pathl1:ae"])), ["t/a"]);
    let torrent = Metainfo::from_bytes(&multi(&[
        "6:lengthi2e4:pathl1:d1:ae",
        "6:lengthi0e4:pathl5:emptye",
        "4:attr1:x6:lengthi3e4:pathl1:be",
    ]))
    .unwrap();
    let seen: Vec<_> = torrent
        .files()
        .iter()
        .map(|file| (file.path_str(), file.length(), file.is_executable()))
        .collect();
    assert_eq!(
        seen,
        [("t/d/a".into(), 2, false), ("t/empty".into(), 0, false), ("t/b".into(), 3, true)]
    );
    assert!(torrent.is_multi_file());
}

#[test]
fn utf8_keys_are_preferred() {
    let bytes = torrent(
        &format!(
            "5:filesld6:lengthi5e4:pathl1:\u{ff}e10:path.utf-8l2:\u{e9}eee\
             4:name1:x10:name.utf-82:\u{e8}12:piece lengthi16384e{HASH}"
        )
        .replace('\u{ff}', "?"),
        "",
    );
    assert_eq!(paths(&bytes), ["è/é"]);
}

#[test]
fn padding_and_links_are_not_on_disk() {
    let torrent = Metainfo::from_bytes(&multi(&[
        "6:lengthi2e4:pathl1:ae",
        "4:attr1:p6:lengthi3e4:pathl2:..1:xe",
        "4:attr1:p6:lengthi1e",
        "4:attr1:l4:pathl4:linke12:symlink pathl1:ae",
        "4:attr2:lx6:lengthi0e4:pathl1:ae12:symlink pathl2:..e",
    ]))
    .unwrap();
    let seen: Vec<_> = torrent.files().iter().map(|f| (f.path_str(), f.kind())).collect();
    assert_eq!(
        seen,
        [
            ("t/a".into(), FileKind::Regular),
            ("t/.pad/3".into(), FileKind::Padding),
            ("t/.pad/1".into(), FileKind::Padding),
            ("t/link".into(), FileKind::Symlink),
            ("t/a".into(), FileKind::Symlink),
        ]
    );
    assert_eq!(torrent.total_len(), 2);
    assert_eq!(torrent.layout().unwrap().total_len(), 6);
}

#[test]
fn bitcomets_padding_is_known_by_its_name() {
    let name =
        "_____padding_file_0_if you see this file, please update to BitComet 0.85 or above____";
    let padding = format!("6:lengthi3e4:pathl{}:{name}e", name.len());
    let deep = format!("6:lengthi4e4:pathl3:sub{}:{name}e", name.len());
    let torrent = Metainfo::from_bytes(&multi(&[
        "6:lengthi2e4:pathl1:ae",
        &padding,
        "6:lengthi5e4:pathl3:sub1:be",
        &deep,
        // Neither by a folder's name, nor in the middle of one, nor by the folder `.pad` alone.
        "6:lengthi1e4:pathl19:_____padding_file_01:ce",
        "6:lengthi1e4:pathl20:x_____padding_file_0e",
        "6:lengthi1e4:pathl4:.pad1:1e",
    ]))
    .unwrap();
    let kinds: Vec<_> = torrent.files().iter().map(File::kind).collect();
    let (regular, padding) = (FileKind::Regular, FileKind::Padding);
    assert_eq!(kinds, [regular, padding, regular, padding, regular, regular, regular]);
    assert_eq!(torrent.total_len(), 10);
    let layout = torrent.layout().unwrap();
    assert_eq!((layout.total_len(), layout.content_len()), (17, 10));
}

#[test]
fn no_torrent_is_refused_for_its_names() {
    let deep = "3:abc".repeat(1_100);
    let long = format!("255:{}", "x".repeat(255)).repeat(20);
    let torrent = Metainfo::from_bytes(&multi(&[
        "6:lengthi1e4:pathl1:a2:..1:.1:be",
        "6:lengthi1e4:pathl2:..1:.e",
        "6:lengthi1e4:pathl11:/etc/passwde",
        "6:lengthi1e4:pathl2:C:1:xe",
        "6:lengthi1e4:pathl3:a\0b0:e",
        "6:lengthi1e4:pathl1:a1:be",
        &format!("6:lengthi1e4:pathl{deep}2:AAe"),
        &format!("6:lengthi1e4:pathl{long}2:AAe"),
        &format!("6:lengthi1e4:pathl{long}1:x2:AAe"),
    ]))
    .unwrap();
    let seen: Vec<_> = torrent.files().iter().map(|f| (f.path_str(), f.renamed_from())).collect();
    assert_eq!(
        seen[..6],
        [
            ("t/a/b".into(), Some("a/.././b")),
            ("t/_".into(), Some("../.")),
            ("t/_etc_passwd".into(), Some("/etc/passwd")),
            ("t/C:/x".into(), None),
            ("t/a_b/_".into(), Some(r"a\u{0}b/")),
            // Another that is called so.
            ("t/a/b.1".into(), Some("t/a/b")),
        ]
    );
    // Deeper or longer than anything in use: the innermost folders are left out.
    assert_eq!(seen[6].0, format!("t/{}AA", "abc/".repeat(255)));
    let long = format!("t/{}AA", format!("{}/", "x".repeat(255)).repeat(11));
    assert_eq!(seen[7].0, long);
    assert_eq!(seen[8].0, format!("{long}.1"));
    assert!(seen[6..].iter().all(|(_, before)| before.is_some()));
    assert_eq!(
        torrent.warnings()[..2],
        ["renamed: \"a/.././b\" is \"t/a/b\"", "renamed: \"../.\" is \"t/_\""]
    );
    for (raw, name) in [("..", "_"), (".", "_"), ("/", "_"), ("../../x", ".._.._x")] {
        let torrent = Metainfo::from_bytes(&torrent_named(raw)).unwrap();
        assert_eq!((torrent.name(), torrent.files()[0].path_str().as_ref()), (name, name));
        let warning = format!("the torrent's name was changed from \"{raw}\" to \"{name}\"");
        assert_eq!(torrent.warnings(), [warning]);
    }
}

#[test]
fn a_name_is_what_the_torrent_says_to_the_byte() {
    let names = ["A", "a", "C\x1bD", "nul", "x.", "a\\b", "a:b", "\u{202e}x", "é", "e\u{301}"];
    let entry = |name: &str| format!("6:lengthi1e4:pathl{}:{name}e", name.len());
    let entries = names.map(entry);
    let torrent = Metainfo::from_bytes(&multi(&entries.each_ref().map(String::as_str))).unwrap();
    let seen: Vec<_> = torrent.files().iter().map(|f| f.path_bytes().to_vec()).collect();
    assert_eq!(seen, names.map(|name| format!("t/{name}").into_bytes()));
    assert!(torrent.warnings().is_empty());
    assert!(torrent.files().iter().all(|file| file.renamed_from().is_none()));
}

#[test]
fn bytes_that_are_not_utf_8_stay_and_are_shown_as_such() {
    let mut bytes = b"d4:infod6:lengthi5e4:name3:a\xffb12:piece lengthi16384e".to_vec();
    bytes.extend_from_slice(HASH.as_bytes());
    bytes.extend_from_slice(b"ee");
    let torrent = Metainfo::from_bytes(&bytes).unwrap();
    assert_eq!(torrent.name(), "a\u{fffd}b");
    assert_eq!(torrent.name_bytes(), b"a\xffb");
    let [file] = torrent.files() else { panic!("one file") };
    assert_eq!((file.path_bytes(), file.path_str().as_ref()), (&b"a\xffb"[..], "a\u{fffd}b"));
    assert_eq!(crate::sanitise_name(file.path_bytes()), r"a\xffb");
}

fn torrent_named(name: &str) -> Vec<u8> {
    let name = format!("{}:{name}", name.len());
    torrent(&format!("6:lengthi5e4:name{name}12:piece lengthi16384e{HASH}"), "")
}

#[test]
fn trackers_and_remarks() {
    let read = |after: &str| {
        Metainfo::from_bytes(
            format!("d{after}4:infod6:lengthi5e4:name1:a12:piece lengthi16384e{HASH}ee").as_bytes(),
        )
        .unwrap()
    };
    let single = read(
        "8:announce8:http://a7:comment2:hi10:created by1:p13:creation datei-7e8:encoding5:UTF-8",
    );
    assert_eq!(single.tiers(), [["http://a"]]);
    assert_eq!(single.comment(), Some("hi"));
    assert_eq!(single.created_by(), Some("p"));
    assert_eq!(single.creation_date(), Some(-7));
    assert_eq!(single.encoding(), Some("UTF-8"));
    assert!(single.warnings().is_empty());

    let list = read(
        "8:announce8:http://a13:announce-listll8:http://b9: http://celel8:http://b0:8:http://de8:http://ee",
    );
    assert_eq!(
        list.tiers(),
        [
            vec!["http://b".to_owned(), "http://c".into()],
            vec!["http://d".into()],
            vec!["http://e".into()]
        ]
    );
    assert!(list.warnings().is_empty());

    let empty = read("8:announce8:http://a13:announce-listllee");
    assert_eq!(empty.tiers(), [["http://a"]]);

    let odd = read(
        "8:announcei1e13:announce-listl8:http://b3:\x01\x02\x03i5el8:http://cee7:comment2:\x1b[",
    );
    assert_eq!(odd.tiers().concat(), ["http://b", "http://c"]);
    assert_eq!(odd.comment(), Some("\x1b["));
}

#[test]
fn a_url_that_is_not_utf_8_is_escaped_and_not_dropped() {
    let info = format!("d6:lengthi5e4:name1:a12:piece lengthi16384e{HASH}e");
    let parts: [&[u8]; 3] = [b"d8:announce15:http://t/\xfc?k= x4:info", info.as_bytes(), b"e"];
    let torrent = Metainfo::from_bytes(&parts.concat()).unwrap();
    assert_eq!(torrent.tiers(), [["http://t/%FC?k= x"]]);
    assert!(torrent.warnings().is_empty());
}

#[test]
fn odd_remarks_do_not_refuse_a_torrent() {
    let bytes = format!(
        "d8:announcei1e7:commentle13:creation date1:x4:infod6:lengthi5e4:name1:a12:piece lengthi16384e{HASH}e8:url-listi1ee"
    );
    let torrent = Metainfo::from_bytes(bytes.as_bytes()).unwrap();
    assert!(torrent.tiers().is_empty() && torrent.web_seeds().is_empty());
    assert_eq!(
        torrent.warnings(),
        [
            "announce: an entry was ignored, not a URL",
            "url-list: an entry was ignored, not a URL",
            "comment: ignored, not a string",
            "creation date: ignored, not an integer",
        ]
    );
}

#[test]
fn web_seeds_are_one_or_many() {
    let read = |after: &str| {
        let info = format!("6:lengthi5e4:name1:a12:piece lengthi16384e{HASH}");
        Metainfo::from_bytes(&torrent(&info, after)).unwrap().web_seeds().to_vec()
    };
    assert_eq!(read("8:url-list8:http://w"), ["http://w"]);
    assert_eq!(read("8:url-listl8:http://w8:http://x8:http://we"), ["http://w", "http://x"]);
    assert!(read("8:url-list0:").is_empty());
}

#[test]
fn refusals_name_the_key() {
    use ErrorKind::{BadValue, Inconsistent, Missing, TooLarge, WrongType};
    let info = |info: &str| torrent(info, "");
    let entry = |entry: &str| multi(&["6:lengthi1e4:pathl1:ae", entry]);
    let cases = [
        (b"le".to_vec(), WrongType, "the torrent: not a dictionary"),
        (b"de".to_vec(), Missing, "info: missing"),
        (b"d4:infolee".to_vec(), WrongType, "info: not a dictionary"),
        (info(""), Missing, "info.piece length: missing"),
        (info("12:piece length1:x"), WrongType, "info.piece length: not an integer"),
        (
            info("12:piece lengthi0e"),
            BadValue,
            "info.piece length: 0 is not between 1 and 1073741824",
        ),
        (
            info("12:piece lengthi-1e"),
            BadValue,
            "info.piece length: -1 is not between 1 and 1073741824",
        ),
        (info("4:name1:a12:piece lengthi1e"), Missing, "info.length: missing"),
        (info("6:lengthi-1e4:name1:a12:piece lengthi1e"), BadValue, "info.length: negative"),
        (info("6:lengthi5e4:name1:a12:piece lengthi16384e"), Missing, "info.pieces: missing"),
        (
            info("6:lengthi5e4:name1:a12:piece lengthi16384e6:pieces3:abc"),
            BadValue,
            "info.pieces: 3 bytes, which is not a multiple of 20",
        ),
        (
            info(&format!("6:lengthi5e4:name1:a12:piece lengthi4e{HASH}")),
            Inconsistent,
            "info.pieces: 1 hashes for 2 pieces",
        ),
        (
            info(&format!("6:lengthi9223372036854775807e4:name1:a12:piece lengthi4e{HASH}")),
            TooLarge,
            "2305843009213693952 pieces; the limit is 2097152 pieces",
        ),
        (
            info("5:filesle6:lengthi5e4:name1:a12:piece lengthi4e"),
            BadValue,
            "info.files: an empty list",
        ),
        (info("5:filesle4:name1:a12:piece lengthi4e"), BadValue, "info.files: an empty list"),
        (info("5:filesde4:name1:a12:piece lengthi4e"), WrongType, "info.files: not a list"),
        (entry(""), Missing, "info.files[1].length: missing"),
        (entry("6:lengthi1e"), Missing, "info.files[1].path: missing"),
        (entry("6:lengthi1e4:path1:a"), WrongType, "info.files[1].path: not a list of strings"),
        (entry("6:lengthi1e4:pathli1ee"), WrongType, "info.files[1].path: not a list of strings"),
        (entry("6:lengthi1e4:pathle"), BadValue, "info.files[1].path: no components"),
    ];
    for (bytes, kind, message) in cases {
        assert_eq!(refusal(&bytes), (kind, message.to_owned()));
    }
    assert_eq!(refusal(&vec![b'd'; MAX_TORRENT_LEN + 1]).0, TooLarge);
}

#[test]
fn a_hundred_folders_deep() {
    let deep = format!("6:lengthi5e4:pathl{}e", "3:dir".repeat(100));
    assert_eq!(paths(&multi(&[&deep])), [format!("t{}", "/dir".repeat(100))]);
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Metainfo::from_bytes(&bytes);
    }

    #[test]
    fn mutated_torrents_never_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
        cut_it in any::<bool>(),
    ) {
        let mut bytes = multi(&[
            "6:lengthi2e4:pathl1:d1:ae", "4:attr1:p6:lengthi3e4:pathl1:xe", "6:lengthi0e4:pathl1:be",
        ]);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if cut_it {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(torrent) = Metainfo::from_bytes(&bytes) {
            prop_assert_eq!(torrent.layout().unwrap().piece_count(), torrent.piece_count());
            prop_assert!(torrent.expected(PieceIndex::new(torrent.piece_count())).is_none());
        }
    }
}
