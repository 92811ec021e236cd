//! Version 2 and hybrid torrents: what is refused and with which words.

use proptest::prelude::*;

use super::*;
use crate::merkle::{merkle_root, root_of_layer};
use crate::metainfo::Expected;
use crate::{Extras, FileKind, NewFile, PieceIndex, Plan};

mod optional;

/// A version 2 torrent with this inside of `file tree` and of `piece layers`.
fn v2(tree: &str, layers: &[u8]) -> Vec<u8> {
    let info = format!(
        "d4:infod9:file treed{tree}e12:meta versioni2e4:name1:t12:piece lengthi16384ee12:piece layersd"
    );
    [info.as_bytes(), layers, b"ee"].concat()
}

/// 32 bytes that are text.
const ROOT: &str = "rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr";

/// A file's description in the tree.
fn leaf(length: u64) -> String {
    format!("d0:d6:lengthi{length}e11:pieces root32:{ROOT}ee")
}

fn refusal(torrent: &[u8]) -> (ErrorKind, String) {
    let error = torrent_error(torrent);
    (error.kind(), error.to_string())
}

fn torrent_error(bytes: &[u8]) -> Error {
    torrent(bytes).unwrap_err()
}

#[test]
fn a_tree_is_walked_in_order() {
    let small = leaf(5);
    let tree = format!("1:a{small}1:bd1:c{small}1:ede2:zzd0:d6:lengthi0eeee1:f{small}");
    let torrent = torrent(&v2(&tree, b"")).unwrap();
    assert_eq!(torrent.version(), Version::V2);
    assert_eq!((torrent.info_hash(), torrent.layout()), (None, None));
    let seen: Vec<_> = torrent.files().iter().map(|f| (f.path_str(), f.length())).collect();
    let wanted = [("t/a", 5), ("t/b/c", 5), ("t/b/zz", 0), ("t/f", 5)];
    assert_eq!(seen, wanted.map(|(path, length)| (path.into(), length)));
    assert_eq!((torrent.piece_count(), torrent.total_len()), (3, 15));
    let root = ROOT.as_bytes().try_into().unwrap();
    let expected = Some(Expected::Merkle { root, width: 1 });
    assert_eq!(torrent.expected(PieceIndex::new(2)), expected);
    assert_eq!(torrent.expected(PieceIndex::new(3)), None);
}

#[test]
fn one_file_needs_no_folder() {
    let torrent = torrent(&v2(&format!("5:a.txt{}", leaf(5)), b"")).unwrap();
    assert_eq!(torrent.files()[0].path_str(), "a.txt");
    assert!(!torrent.is_multi_file());
    let inside = super::torrent(&v2(&format!("1:dd5:a.txt{}e", leaf(5)), b"")).unwrap();
    assert_eq!(inside.files()[0].path_str(), "t/d/a.txt");
    assert!(inside.is_multi_file());
}

#[test]
fn layers_are_checked_against_the_root() {
    let hashes = [[1; 32], [2; 32], [3; 32]];
    let root = root_of_layer(&hashes, 1);
    assert_eq!(root, merkle_root(&hashes, 4));
    let with = |layer: &[u8]| {
        let length = format!("{}:", layer.len());
        let parts = [
            b"d4:infod9:file treed1:ad0:d6:lengthi40000e11:pieces root32:".as_slice(),
            &root,
            b"eee12:meta versioni2e4:name1:t12:piece lengthi16384ee12:piece layersd32:",
            &root,
            length.as_bytes(),
            layer,
            b"ee",
        ];
        parts.concat()
    };
    let good = torrent(&with(hashes.as_flattened())).unwrap();
    let expected = Expected::Merkle { root: [3; 32], width: 1 };
    assert_eq!(good.expected(PieceIndex::new(2)), Some(expected));

    let at = "info.file tree, file 0";
    let mut wrong = hashes;
    wrong[1][31] ^= 1;
    assert_eq!(
        refusal(&with(wrong.as_flattened())),
        (
            ErrorKind::Inconsistent,
            format!("piece layers: the hashes do not have the pieces root of {at}")
        )
    );
    for layer in [&hashes.as_flattened()[..64], &hashes.as_flattened()[..95], &[0; 128]] {
        let message = format!("piece layers: not one hash a piece for {at}");
        assert_eq!(refusal(&with(layer)), (ErrorKind::Inconsistent, message));
    }
    let missing = v2(&format!("1:a{}", leaf(16_385)), b"");
    let message = format!("piece layers: no hashes for {at}");
    assert_eq!(refusal(&missing), (ErrorKind::Missing, message));
}

#[test]
fn refusals_name_the_key() {
    use ErrorKind::{BadValue, Missing, TooLarge, WrongType};
    let small = leaf(5);
    let tree = |tree: &str| v2(tree, b"");
    let info = |info: &str| format!("d4:infod{info}ee").into_bytes();
    let cases = [
        (
            info("9:file treede4:name1:t12:piece lengthi16384e"),
            Missing,
            "info.meta version: missing",
        ),
        (
            info("12:meta versioni3e"),
            BadValue,
            "info.meta version: 3 is not a version this program knows (1 and 2)",
        ),
        (
            info("12:meta versioni2e4:name1:t12:piece lengthi16384e"),
            Missing,
            "info.file tree: missing",
        ),
        (
            info("12:meta versioni2e4:name1:t12:piece lengthi49152e"),
            BadValue,
            "info.piece length: 49152 is not a power of two of at least 16384",
        ),
        (
            info("9:file treele12:meta versioni2e4:name1:t12:piece lengthi16384e"),
            WrongType,
            "info.file tree: not a dictionary",
        ),
        (tree(""), BadValue, "info.file tree: no files"),
        (tree("1:ade"), BadValue, "info.file tree: no files"),
        (tree("1:ai1e"), WrongType, "info.file tree: not a dictionary"),
        (
            tree("0:d6:lengthi0ee"),
            BadValue,
            "info.file tree: a file that is also a folder, or the root",
        ),
        (
            tree(&format!("1:ad0:d6:lengthi0ee1:b{small}e")),
            BadValue,
            "info.file tree: a file that is also a folder",
        ),
        (
            tree(&format!("1:b{small}1:a{small}")),
            BadValue,
            "info.file tree: keys out of order or repeated",
        ),
        (tree("1:ad0:lee"), WrongType, "info.file tree, file 0: not a dictionary"),
        (tree("1:ad0:dee"), Missing, "info.file tree, file 0.length: missing"),
        (tree("1:ad0:d6:lengthi-1eee"), BadValue, "info.file tree, file 0.length: negative"),
        (tree("1:ad0:d6:lengthi1eee"), Missing, "info.file tree, file 0.pieces root: missing"),
        (
            tree("1:ad0:d6:lengthi1e11:pieces root3:abcee"),
            WrongType,
            "info.file tree, file 0.pieces root: not a string of 32 bytes",
        ),
        (
            tree("1:ad0:d4:attr1:p6:lengthi0eee"),
            BadValue,
            "info.file tree, file 0.attr: padding has no place here",
        ),
        (
            tree(&format!("1:a{}", leaf(1 << 40))),
            TooLarge,
            "info.file tree, file 0.length: more than the limit of 2097152 pieces",
        ),
        (
            v2(&format!("1:a{}", leaf(16_385)), format!("32:{ROOT}i1e").as_bytes()),
            Missing,
            "piece layers: no hashes for info.file tree, file 0",
        ),
    ];
    for (bytes, kind, message) in cases {
        assert_eq!(refusal(&bytes), (kind, message.to_owned()));
    }
}

#[test]
fn a_small_torrent_does_not_unfold_without_bound() {
    // Some folders with long names, and under them many files: each path repeats the folders.
    let folder = format!("250:{}d", "x".repeat(250));
    let files =
        (0..80_000).map(|i| format!("6:{i:06}d0:d6:lengthi0eee")).collect::<Vec<_>>().concat();
    let tree = format!("{}{files}{}", folder.repeat(15), "e".repeat(15));
    let (kind, message) = refusal(&v2(&tree, b""));
    assert_eq!(kind, ErrorKind::TooLarge);
    assert!(message.ends_with("all paths together take over 256 MiB"), "{message}");
}

/// A hybrid torrent of three files, with a change made to its text.
fn hybrid(from: &str, to: &str) -> Vec<u8> {
    let file = |name: &str, length| NewFile { path: vec![name.into()], length, executable: false };
    let files = vec![file("a", 5), file("b", 0), file("c", 16_384)];
    let plan = Plan::folder(Version::Hybrid, "t", 16_384, files).unwrap();
    let bytes = plan.encode(
        &[*b"11111111111111111111"; 2],
        &[*b"22222222222222222222222222222222"; 2],
        &Extras::default(),
    );
    let text = String::from_utf8(bytes.unwrap()).unwrap();
    assert!(text.contains(from), "{text}");
    text.replacen(from, to, 1).into_bytes()
}

#[test]
fn a_hybrid_without_any_layers_is_its_version_1_half() {
    let files = vec![NewFile { path: vec!["a".into()], length: 40_000, executable: false }];
    let plan = Plan::folder(Version::Hybrid, "t", 16_384, files).unwrap();
    let hashes = [[b'2'; 32]; 3];
    let bytes = plan.encode(&[*b"11111111111111111111"; 3], &hashes, &Extras::default()).unwrap();
    let whole = torrent(&bytes).unwrap();
    assert!(whole.warnings().is_empty());
    let alone = [b"d4:info", &whole.info_bytes()[..], b"e"].concat();
    let half = torrent(&alone).unwrap();
    assert_eq!(half.info_hash(), whole.info_hash());
    let warning = "piece layers: no hashes for info.file tree, file 0: only its version 1 half can be \
                   used";
    assert_eq!(half.warnings(), [warning]);
}

#[test]
fn hybrid_halves_must_agree() {
    let good = torrent(&hybrid("", "")).unwrap();
    assert_eq!(good.version(), Version::Hybrid);
    let kinds: Vec<_> = good.files().iter().map(File::kind).collect();
    let (regular, padding) = (FileKind::Regular, FileKind::Padding);
    assert_eq!(kinds, [regular, padding, regular, regular]);
    assert_eq!(good.expected(PieceIndex::new(0)), Some(Expected::Sha1([b'1'; 20])));

    let same = "is not file 0 of version 2";
    for (from, to, message) in [
        ("pathl1:ae", "pathl1:xe", format!("file 0 of version 1 {same}")),
        ("lengthi5e4:path", "lengthi6e4:path", format!("file 0 of version 1 {same}")),
        ("d6:lengthi0e4:pathl1:bee", "", "file 2 of version 1 is not file 1 of version 2".into()),
        (
            "d4:attr1:p6:lengthi16379e4:pathl4:.pad5:16379ee",
            "",
            "file 2 of version 1 does not begin with a piece".into(),
        ),
        (
            "lengthi16379e4",
            "lengthi16380e4",
            "file 3 of version 1 does not begin with a piece".into(),
        ),
        ("1:bd0:d6:lengthi0eee", "", "file 2 of version 1 is not file 1 of version 2".into()),
        ("d6:lengthi16384e4:pathl1:cee", "", "file 2 of version 2 is not in version 1".into()),
        (
            "1:cd0:d6:lengthi16384e11:pieces root32:22222222222222222222222222222222eee",
            "e",
            "file 3 of version 1 is not in version 2".into(),
        ),
        (
            "4:pathl1:cee",
            "4:pathl1:ceed4:attr1:p6:lengthi16384e4:pathl4:.pad1:1ee",
            "3 pieces in version 1, 2 in version 2".into(),
        ),
    ] {
        let mut bytes = hybrid(from, to);
        // Let the count of SHA-1 hashes not be what is refused.
        if torrent_error(&bytes).to_string().starts_with("info.pieces") {
            let text = String::from_utf8(bytes).unwrap();
            let pieces = |n: usize| format!("6:pieces{}:{}", n * 20, "1".repeat(n * 20));
            let one = text.replacen(&pieces(2), &pieces(1), 1);
            let three = text.replacen(&pieces(2), &pieces(3), 1);
            bytes = [one, three]
                .into_iter()
                .map(String::into_bytes)
                .find(|bytes| !torrent_error(bytes).to_string().starts_with("info.pieces"))
                .unwrap();
        }
        let message = format!("info.file tree: hybrid torrent: {message}");
        assert_eq!(refusal(&bytes), (ErrorKind::Inconsistent, message), "{from} -> {to}");
    }
    // A half that is not there at all.
    let (kind, _) = refusal(&hybrid("9:file tree", "9:file-tree"));
    assert_eq!(kind, ErrorKind::Missing);
}

proptest! {
    #[test]
    fn mutated_torrents_never_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
        which in any::<bool>(),
    ) {
        let tree = format!("1:a{0}1:bd1:c{0}2:zzd0:d6:lengthi0eeee", leaf(5));
        let mut bytes = if which { hybrid("", "") } else { v2(&tree, b"") };
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(torrent) = torrent(&bytes) {
            let pieces = torrent.piece_count();
            prop_assert!(torrent.expected(PieceIndex::new(pieces)).is_none());
            prop_assert!(pieces == 0 || torrent.expected(PieceIndex::new(pieces - 1)).is_some());
        }
    }

    #[test]
    fn any_tree_is_answered(tree in "(1:a|1:b|0:|d|e|e|2:\\.\\.|6:length|i5e|4:attr|1:p){0,14}") {
        let _ = torrent(&v2(&tree, b""));
    }
}
