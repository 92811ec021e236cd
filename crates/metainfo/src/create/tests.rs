//! What is made is read back as it was meant, in all three versions.

use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::path::MAX_COMPONENT_LEN;
use crate::{Expected, FileKind};

fn file(path: &str, length: u64) -> NewFile {
    NewFile { path: path.split('/').map(Into::into).collect(), length, executable: false }
}

/// Bytes that are different in each file.
fn content(source: usize, offset: u64, len: u64) -> Vec<u8> {
    let seed = u8::try_from(source % 256).unwrap();
    (offset..offset + len).map(|at| u8::try_from(at % 251).unwrap() ^ seed).collect()
}

/// The hashes of a plan whose files have `content`.
fn hashes(plan: &Plan, version: Version) -> (Vec<[u8; 20]>, Vec<[u8; 32]>) {
    let sources: Vec<_> = plan.sources().collect();
    let (mut sha1, mut roots) = (Vec::new(), Vec::new());
    for piece in plan.layout().pieces() {
        let (mut all, mut real) = (Vec::new(), Vec::new());
        for span in plan.layout().piece_spans(piece) {
            match sources[span.file] {
                Some(source) => {
                    let bytes = content(source, span.offset, span.len);
                    all.extend_from_slice(&bytes);
                    real.extend_from_slice(&bytes);
                }
                None => all.resize(all.len() + usize::try_from(span.len).unwrap(), 0),
            }
        }
        if version != Version::V2 {
            sha1.push(sha1_smol::Sha1::from(&all).digest().bytes());
        }
        if version != Version::V1 {
            let leaves: Vec<[u8; 32]> =
                real.chunks(BLOCK_LEN as usize).map(|block| Sha256::digest(block).into()).collect();
            roots.push(crate::merkle_root(&leaves, plan.width(piece)));
        }
    }
    (sha1, roots)
}

fn make(version: Version, piece_length: u32, files: Vec<NewFile>, extras: &Extras) -> Vec<u8> {
    let plan = Plan::folder(version, "t", piece_length, files).unwrap();
    let (sha1, roots) = hashes(&plan, version);
    plan.encode(&sha1, &roots, extras).unwrap()
}

const VERSIONS: [Version; 3] = [Version::V1, Version::V2, Version::Hybrid];

#[test]
fn one_file() {
    for version in VERSIONS {
        let plan = Plan::file(version, "a.bin", 16_384, 40_000, true).unwrap();
        let (sha1, roots) = hashes(&plan, version);
        let bytes = plan.encode(&sha1, &roots, &Extras::default()).unwrap();
        let torrent = Metainfo::from_bytes(&bytes).unwrap();
        assert_eq!(torrent.version(), version);
        assert!(!torrent.is_multi_file() && torrent.warnings().is_empty());
        let [file] = torrent.files() else { panic!("one file") };
        assert_eq!((file.path_bytes(), file.length()), (&b"a.bin"[..], 40_000));
        assert!(file.is_executable());
        assert_eq!((torrent.piece_count(), torrent.total_len()), (3, 40_000));
        let expected = torrent.expected(PieceIndex::new(2)).unwrap();
        match version {
            Version::V2 => assert_eq!(expected, Expected::Merkle { root: roots[2], width: 1 }),
            _ => assert_eq!(expected, Expected::Sha1(sha1[2])),
        }
    }
}

#[test]
fn everything_is_read_back() {
    let extras = Extras {
        tiers: vec![vec!["http://a/announce".into(), "udp://b:1".into()], vec!["https://c".into()]],
        web_seeds: vec!["http://w/".into()],
        comment: Some("hello".into()),
        created_by: Some("tests".into()),
        creation_date: Some(1_700_000_000),
        private: true,
        source: Some("X".into()),
    };
    for version in VERSIONS {
        let files = vec![file("z", 3), file("d/b", 70_000), file("empty", 0)];
        let torrent = Metainfo::from_bytes(&make(version, 32_768, files, &extras)).unwrap();
        assert_eq!(torrent.tiers(), extras.tiers);
        assert_eq!(torrent.web_seeds(), extras.web_seeds);
        assert_eq!(torrent.comment(), Some("hello"));
        assert_eq!(torrent.created_by(), Some("tests"));
        assert_eq!(torrent.creation_date(), Some(1_700_000_000));
        assert!(torrent.is_private() && torrent.is_multi_file());
        assert_eq!(torrent.source(), Some("X"));
        assert_eq!(torrent.name(), "t");
        let real = torrent.files().iter().filter(|file| file.kind() == FileKind::Regular);
        let seen: Vec<_> = real.map(|file| (file.path_str(), file.length())).collect();
        let wanted = [("t/d/b", 70_000), ("t/empty", 0), ("t/z", 3)];
        assert_eq!(seen, wanted.map(|(path, length)| (path.into(), length)));
        let padding =
            torrent.files().iter().filter(|file| file.kind() == FileKind::Padding).count();
        assert_eq!(padding, if version == Version::Hybrid { 2 } else { 0 });
        let pieces = if version == Version::V1 { 3 } else { 4 };
        assert_eq!(torrent.piece_count(), pieces);
        assert_eq!(torrent.layout().is_some(), version != Version::V2);
    }
}

#[test]
fn padding_follows_each_file_that_does_not_fill_its_piece() {
    let padding = |files: &[(&str, u64)]| {
        let files = files.iter().map(|(path, length)| file(path, *length)).collect();
        let plan = Plan::folder(Version::Hybrid, "t", 16_384, files).unwrap();
        let name = |planned: &Planned| String::from_utf8(planned.file.path.join(&b'/')).unwrap();
        plan.files.iter().map(name).collect::<Vec<_>>()
    };
    // Also before an empty file, and at the end: the order and number of files are in the hash.
    assert_eq!(
        padding(&[("a", 16_384), ("b", 16_000), ("c", 0), ("d", 1)]),
        ["a", "b", ".pad/384", "c", "d", ".pad/16383"]
    );
    assert_eq!(padding(&[("a", 1), ("b", 0)]), ["a", ".pad/16383", "b"]);
    assert_eq!(padding(&[("a", 1)]), ["a"]);
}

#[test]
fn the_order_of_the_input_does_not_matter() {
    let files = ["b", "a/x", "a.txt", "a/b/c", "B"].map(|path| file(path, 20_000));
    let mut turned = files.to_vec();
    turned.reverse();
    // Contents go by the input's order, so leave hashes out of it and look at the plan.
    let one = Plan::folder(Version::Hybrid, "t", 16_384, files.to_vec()).unwrap();
    let other = Plan::folder(Version::Hybrid, "t", 16_384, turned).unwrap();
    let paths = |plan: &Plan| -> Vec<_> { plan.files.iter().map(|p| p.file.clone()).collect() };
    assert_eq!(paths(&one), paths(&other));
    assert_eq!(one.layout(), other.layout());
}

#[test]
fn known_bytes() {
    let plan = Plan::folder(Version::V1, "t", 16_384, vec![file("d/x", 1), file("a", 2)]).unwrap();
    let extras = Extras { tiers: vec![vec!["udp://a:1".into()]], ..Extras::default() };
    let bytes = plan.encode(&[*b"aaaaaaaaaabbbbbbbbbb"], &[], &extras).unwrap();
    assert_eq!(
        String::from_utf8(bytes).unwrap(),
        "d8:announce9:udp://a:14:infod5:filesld6:lengthi2e4:pathl1:aeed6:lengthi1e4:pathl1:d1:xeee\
         4:name1:t12:piece lengthi16384e6:pieces20:aaaaaaaaaabbbbbbbbbbee"
    );
}

#[test]
fn what_no_torrent_can_hold_is_refused() {
    let folder = |files: &[&str]| {
        let files = files.iter().map(|path| file(path, 1)).collect();
        Plan::folder(Version::V1, "t", 16_384, files).unwrap_err()
    };
    assert_eq!(folder(&[]).kind(), ErrorKind::BadValue);
    assert_eq!(folder(&["a", "a"]).kind(), ErrorKind::Inconsistent);
    assert_eq!(folder(&["a/b/c", "a.", "a/b"]).kind(), ErrorKind::Inconsistent);
    assert_eq!(folder(&["a/../b"]).kind(), ErrorKind::BadValue);
    assert_eq!(folder(&["a//b"]).kind(), ErrorKind::BadValue);
    assert_eq!(folder(&["a/./b"]).kind(), ErrorKind::BadValue);
    assert_eq!(folder(&[&format!("{}x", "d/".repeat(91))]).kind(), ErrorKind::TooLarge);
    assert_eq!(
        Plan::folder(Version::V1, "t", 16_384, vec![NewFile { path: vec![], ..file("x", 1) }])
            .unwrap_err()
            .to_string(),
        "a file without a name"
    );
    for name in ["", ".", "..", "a/b", "a\0b", &"x".repeat(256)] {
        let error = Plan::file(Version::V1, name, 16_384, 1, false).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadValue, "{error}");
    }
    for (version, piece_length) in
        [(Version::V1, 0), (Version::V2, 8_192), (Version::Hybrid, 49_152), (Version::V2, 0)]
    {
        let error = Plan::file(version, "a", piece_length, 1, false).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadValue);
    }
    let plan = Plan::file(Version::V1, "a", 16_384, 1, false).unwrap();
    let error = plan.encode(&[], &[], &Extras::default()).unwrap_err();
    assert_eq!(error.to_string(), "0 SHA-1 and 0 merkle hashes where 1 and 0 are due");
    for url in [
        "",
        "http://",
        "a",
        "gopher://x",
        "http://x y",
        "http://x\n",
        "http:///x",
        "http://a%20b/",
        "http://user@/",
        "http://x:99999/",
        "http://x:0/",
        "http://x:+1/",
        "http://[::g]/",
        "http://[::1]x/",
        "http://a:1:2/",
        "ws://x/",
    ] {
        let extras = Extras { tiers: vec![vec![url.into()]], ..Extras::default() };
        assert_eq!(plan.encode(&[[0; 20]], &[], &extras).unwrap_err().kind(), ErrorKind::BadValue);
        let extras = Extras { web_seeds: vec![url.into()], ..Extras::default() };
        assert_eq!(plan.encode(&[[0; 20]], &[], &extras).unwrap_err().kind(), ErrorKind::BadValue);
    }
}

#[test]
fn urls_with_a_host_are_taken() {
    let plan = Plan::file(Version::V1, "a", 16_384, 1, false).unwrap();
    for url in [
        "HTTP://x",
        "udp://x:1",
        "http://x:/a",
        "http://[::1]:80/a?b",
        "http://me:p@ss@b\u{fc}cher.example:65535?k=a:b/c@d",
    ] {
        let extras = Extras { tiers: vec![vec![url.into()]], ..Extras::default() };
        assert!(
            url.starts_with("udp") || {
                let web_seeds = Extras { web_seeds: vec![url.into()], ..Extras::default() };
                plan.encode(&[[0; 20]], &[], &web_seeds).is_ok()
            }
        );
        assert!(plan.encode(&[[0; 20]], &[], &extras).is_ok(), "{url}");
    }
}

#[test]
fn equal_files_share_their_layer() {
    let mut torrent = None;
    for lengths in [[40_000, 40_000], [40_000, 50_000]] {
        let files = vec![file("a", lengths[0]), file("b", lengths[1])];
        let plan = Plan::folder(Version::V2, "t", 16_384, files).unwrap();
        let pieces = plan.layout().piece_count();
        let half = vec![[1; 32]; pieces as usize];
        torrent = Some(plan.encode(&[], &half, &Extras::default()).unwrap());
    }
    let torrent = Metainfo::from_bytes(&torrent.unwrap()).unwrap();
    assert_eq!(torrent.piece_count(), 7);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn what_is_made_is_read(
        lengths in prop::collection::vec(prop_oneof![0..3_u64, 0..100_000_u64], 1..8),
        power in 14..17_u32,
        which in 0..3_usize,
    ) {
        let version = VERSIONS[which];
        let files: Vec<NewFile> = lengths
            .iter()
            .enumerate()
            .map(|(i, length)| file(&format!("{}/f{i}", i % 3), *length))
            .collect();
        let plan = Plan::folder(version, "t", 1 << power, files.clone()).unwrap();
        let (sha1, roots) = hashes(&plan, version);
        let bytes = plan.encode(&sha1, &roots, &Extras::default()).unwrap();
        // Canonical: the strict decoder takes it.
        prop_assert!(bencode::decode(&bytes).is_ok());
        let torrent = Metainfo::from_bytes(&bytes).unwrap();
        prop_assert_eq!(torrent.version(), version);
        prop_assert_eq!(torrent.total_len(), lengths.iter().sum::<u64>());
        prop_assert_eq!(torrent.piece_count(), plan.layout().piece_count());
        let real: Vec<_> = torrent.files().iter().filter(|f| f.kind() == FileKind::Regular).collect();
        prop_assert_eq!(real.len(), files.len());
        for (read, source) in real.iter().zip(plan.sources().flatten()) {
            let path = [b"t/", files[source].path.join(&b'/').as_slice()].concat();
            prop_assert_eq!(read.path_bytes(), path);
            prop_assert_eq!(read.length(), files[source].length);
        }
        if let Some(layout) = torrent.layout() {
            prop_assert_eq!(layout, plan.layout());
        }
        for piece in plan.layout().pieces() {
            let expected = match version {
                Version::V2 => {
                    Expected::Merkle { root: roots[piece.as_usize()], width: plan.width(piece) }
                }
                _ => Expected::Sha1(sha1[piece.as_usize()]),
            };
            prop_assert_eq!(torrent.expected(piece), Some(expected));
        }
    }

    #[test]
    fn every_name_that_a_folder_can_hold_is_read_back_to_the_byte(
        names in prop::collection::btree_set(folder_name(), 2..8),
        name in folder_name(),
        nested in any::<[bool; 8]>(),
    ) {
        let files: Vec<NewFile> = names
            .iter()
            .zip(nested)
            .map(|(own, nested)| NewFile {
                path: if nested { vec![own.clone(), name.clone()] } else { vec![own.clone()] },
                length: 1,
                executable: false,
            })
            .collect();
        for version in VERSIONS {
            let plan = Plan::folder(version, &name, 16_384, files.clone()).unwrap();
            let (sha1, roots) = hashes(&plan, version);
            let bytes = plan.encode(&sha1, &roots, &Extras::default()).unwrap();
            let torrent = Metainfo::from_bytes(&bytes).unwrap();
            prop_assert_eq!(torrent.name_bytes(), &name);
            prop_assert!(torrent.warnings().is_empty(), "{:?}", torrent.warnings());
            let real = torrent.files().iter().filter(|file| file.kind() == FileKind::Regular);
            for (read, source) in real.zip(plan.sources().flatten()) {
                let path = [&name[..], b"/", &files[source].path.join(&b'/')].concat();
                prop_assert_eq!(read.path_bytes(), path);
            }
        }
    }
}

/// Whatever a Linux folder can be made to hold.
fn folder_name() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        Just(b".".to_vec()),
        Just(b" ".to_vec()),
        Just(b"\\".to_vec()),
        Just(b"a:".to_vec()),
        Just(b"aux".to_vec()),
        Just(b"A".to_vec()),
        Just(b"a".to_vec()),
        Just("\u{202e}".into()),
        Just("e\u{301}".into()),
        Just("é".into()),
        Just(vec![b'x'; 120]),
        prop::collection::vec(any::<u8>(), 1..5),
    ];
    prop::collection::vec(part, 1..6)
        .prop_map(|parts| {
            let mut name = parts.concat();
            name.retain(|byte| !matches!(byte, 0 | b'/'));
            name.truncate(MAX_COMPONENT_LEN);
            name
        })
        .prop_filter("a folder of its own", |name| !matches!(&name[..], b"" | b"." | b".."))
}
