//! Keys that nothing depends on: whatever stands there, the torrent is the same.

use std::collections::BTreeMap;

use super::*;
use crate::File;

/// The entries of a dictionary, each as it is encoded.
type Entries = BTreeMap<&'static str, Vec<u8>>;

/// A torrent that is about to be written.
#[derive(Clone)]
struct Draft {
    top: Entries,
    info: Entries,
    /// The only entry of `files`, or the entries of a single file beside those of `info`.
    file: Entries,
    /// The description of the file in the tree of a hybrid.
    leaf: Option<Entries>,
    listed: bool,
}

/// The dictionaries of a draft.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Part {
    Top,
    Info,
    File,
    Leaf,
}

fn entries<const N: usize>(entries: [(&'static str, &str); N]) -> Entries {
    entries.map(|(key, value)| (key, value.as_bytes().to_vec())).into()
}

fn dict(entries: &Entries) -> Vec<u8> {
    let one = |(key, value): (&&str, &Vec<u8>)| {
        [format!("{}:{key}", key.len()).as_bytes(), value].concat()
    };
    [b"d".to_vec(), entries.iter().flat_map(one).collect(), b"e".to_vec()].concat()
}

fn wrap(before: &str, inside: &[u8], after: &str) -> Vec<u8> {
    [before.as_bytes(), inside, after.as_bytes()].concat()
}

/// One file of 5 bytes, alone or in a folder.
fn draft(listed: bool, hybrid: bool) -> Draft {
    let mut info = entries([
        ("name", "1:n"),
        ("piece length", "i16384e"),
        ("pieces", "20:aaaaaaaaaabbbbbbbbbb"),
    ]);
    let mut file = entries([("length", "i5e")]);
    if listed {
        file.insert("path", b"l1:fe".to_vec());
    }
    let leaf = || entries([("length", "i5e"), ("pieces root", &format!("32:{ROOT}"))]);
    if hybrid {
        info.insert("meta version", b"i2e".to_vec());
    }
    Draft { top: Entries::new(), info, file, leaf: hybrid.then(leaf), listed }
}

impl Draft {
    fn part(&mut self, part: Part) -> &mut Entries {
        match (part, &mut self.leaf) {
            (Part::Top, _) => &mut self.top,
            (Part::Info, _) => &mut self.info,
            (Part::Leaf, Some(leaf)) => leaf,
            _ => &mut self.file,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let Self { mut top, mut info, file, leaf, listed } = self.clone();
        if listed {
            info.insert("files", wrap("l", &dict(&file), "e"));
        } else {
            // What is put beside them counts more.
            info = file.into_iter().chain(info).collect();
        }
        if let Some(leaf) = leaf {
            let name = if listed { "d1:fd0:" } else { "d1:nd0:" };
            info.insert("file tree", wrap(name, &dict(&leaf), "ee"));
        }
        top.insert("info", dict(&info));
        dict(&top)
    }
}

/// Files, hashes and geometry are those of `plain`, and the info-hash is over what is there.
fn is_the_same(read: &Metainfo, plain: &Metainfo, bytes: &[u8]) {
    let content = |torrent: &Metainfo| -> Vec<_> {
        torrent.files().iter().map(|f| (f.path_bytes().to_vec(), f.length(), f.kind())).collect()
    };
    assert_eq!(content(read), content(plain));
    assert_eq!(read.name(), plain.name());
    assert_eq!(read.piece_count(), plain.piece_count());
    let first = PieceIndex::new(0);
    assert_eq!(read.expected(first), plain.expected(first));
    let document = bencode::decode_lenient(bytes).unwrap();
    let info = document.root().get("info").unwrap().raw();
    assert_eq!(read.info_hash(), Some(InfoHash::of(info)));
    assert_eq!(&read.info_bytes()[..], info);
    assert_eq!(read.info_hash_v2().is_some(), plain.info_hash_v2().is_some());
}

fn check(draft: &Draft, part: Part, key: &'static str, value: &[u8]) -> Vec<String> {
    let mut odd = draft.clone();
    odd.part(part).insert(key, value.to_vec());
    let bytes = odd.bytes();
    let read = torrent(&bytes).unwrap_or_else(|error| panic!("{key}: {error}"));
    let plain = torrent(&draft.bytes()).unwrap();
    is_the_same(&read, &plain, &bytes);
    let outer = part == Part::Top;
    assert!(!outer || read.info_hash() == plain.info_hash(), "{key}");
    read.warnings().to_vec()
}

#[test]
fn what_makes_no_sense_is_ignored_with_a_warning() {
    let (single, listed) = (draft(false, false), draft(true, false));
    let hybrid = draft(true, true);
    for (draft, part, key, value, warning) in [
        (&single, Part::Info, "source", "i1e", "info.source: ignored, not a string"),
        (&single, Part::Info, "private", "li1ee", "info.private: ignored, not an integer"),
        (&single, Part::Info, "name.utf-8", "i1e", "info.name.utf-8: ignored, not a name"),
        (&single, Part::Info, "name.utf-8", "0:", "info.name.utf-8: ignored, not a name"),
        (&single, Part::Info, "files", "de", "info.files: ignored, not a list"),
        (&single, Part::Info, "attr", "i1e", "info.attr: ignored, not a string"),
        (
            &single,
            Part::Info,
            "meta version",
            "1:2",
            "info.meta version: ignored, not a number from 1 up",
        ),
        (
            &single,
            Part::Info,
            "meta version",
            "i0e",
            "info.meta version: ignored, not a number from 1 up",
        ),
        (&listed, Part::Info, "length", "i5e", "info.length: ignored, there is a list of files"),
        (&listed, Part::Info, "length", "1:x", "info.length: ignored, there is a list of files"),
        (&listed, Part::File, "attr", "li1ee", "info.files[0].attr: ignored, not a string"),
        (
            &listed,
            Part::File,
            "path.utf-8",
            "i1e",
            "info.files[0].path.utf-8: ignored, not a list of strings",
        ),
        (
            &listed,
            Part::File,
            "path.utf-8",
            "l1:ai1ee",
            "info.files[0].path.utf-8: ignored, not a list of strings",
        ),
        (
            &listed,
            Part::File,
            "path.utf-8",
            "le",
            "info.files[0].path.utf-8: ignored, not a list of strings",
        ),
        (&hybrid, Part::Leaf, "attr", "i1e", "info.file tree, file 0.attr: ignored, not a string"),
        (&hybrid, Part::Top, "piece layers", "le", "piece layers: ignored, not a dictionary"),
        (&single, Part::Top, "creation date", "3:now", "creation date: ignored, not an integer"),
        (&single, Part::Top, "comment", "i1e", "comment: ignored, not a string"),
        (&single, Part::Top, "created by", "le", "created by: ignored, not a string"),
        (&single, Part::Top, "encoding", "i1e", "encoding: ignored, not a string"),
        (&single, Part::Top, "announce-list", "i1e", "announce-list: ignored, not a list"),
        (&single, Part::Top, "url-list", "de", "url-list: an entry was ignored, not a URL"),
    ] {
        assert_eq!(check(draft, part, key, value.as_bytes()), [warning], "{key}: {value}");
    }
}

#[test]
fn keys_that_nobody_reads_may_hold_anything() {
    for key in ["httpseeds", "nodes", "publisher", "md5sum", "sha1", "mtime", "ed2k", "x"] {
        for part in [Part::Top, Part::Info, Part::File] {
            assert!(check(&draft(true, false), part, key, b"li1ee").is_empty());
        }
    }
}

#[test]
fn private_is_any_number_but_0_and_text_that_is_no_0() {
    let text = |is| vec![format!("info.private: text instead of a number, so the torrent is {is}")];
    for (value, private, warnings) in [
        ("i1e", true, vec![]),
        ("i0e", false, vec![]),
        ("i2e", true, vec![]),
        ("i-1e", true, vec![]),
        ("1:1", true, text("private")),
        ("3:yes", true, text("private")),
        ("1:0", false, text("public")),
        ("0:", false, text("public")),
        ("de", false, vec!["info.private: ignored, not an integer".to_owned()]),
    ] {
        let mut draft = draft(false, false);
        draft.info.insert("private", value.as_bytes().to_vec());
        let torrent = torrent(&draft.bytes()).unwrap();
        assert_eq!((torrent.is_private(), torrent.warnings()), (private, &*warnings), "{value}");
    }
}

#[test]
fn without_a_name_a_torrent_goes_by_its_info_hash() {
    for name in [None, Some("0:"), Some("i1e"), Some("le")] {
        for listed in [false, true] {
            let mut draft = draft(listed, false);
            match name {
                Some(name) => draft.info.insert("name", name.as_bytes().to_vec()),
                None => draft.info.remove("name"),
            };
            let torrent = torrent(&draft.bytes()).unwrap();
            let hash = torrent.info_hash().unwrap().to_string();
            assert_eq!(torrent.name(), hash);
            let path = if listed { format!("{hash}/f") } else { hash.clone() };
            assert_eq!(torrent.files()[0].path_str(), path);
            let warning = format!("the torrent has no name, and is called {hash}");
            assert_eq!(torrent.warnings().last(), Some(&warning));
        }
    }
    // One of the two is enough.
    let mut draft = draft(false, false);
    draft.info.insert("name.utf-8", b"1:u".to_vec());
    draft.info.insert("name", b"i1e".to_vec());
    let torrent = torrent(&draft.bytes()).unwrap();
    assert_eq!((torrent.name(), torrent.warnings().len()), ("u", 1));
}

#[test]
fn a_link_has_no_length_whatever_it_says() {
    let entry = |extra: &str| {
        let info = format!(
            "5:filesld4:attr1:l{extra}4:pathl1:le12:symlink pathl1:feed6:lengthi5e4:pathl1:feee4:name1:t\
             12:piece lengthi16384e6:pieces20:aaaaaaaaaabbbbbbbbbb"
        );
        torrent(format!("d4:infod{info}ee").as_bytes()).unwrap()
    };
    let plain = entry("");
    assert!(plain.warnings().is_empty() && entry("6:lengthi0e").warnings().is_empty());
    for extra in ["6:lengthi7e", "6:length1:x", "6:lengthi-1e"] {
        let odd = entry(extra);
        assert_eq!(odd.files().iter().map(File::length).collect::<Vec<_>>(), [0, 5]);
        assert_eq!(odd.layout(), plain.layout());
        let warning = "info.files[0].length: ignored, not that of a link, which is 0";
        assert_eq!(odd.warnings(), [warning]);
    }
}

#[test]
fn false_layers_of_a_hybrid_leave_its_version_1_half() {
    let files = vec![NewFile { path: vec!["a".into()], length: 40_000, executable: false }];
    let plan = Plan::folder(Version::Hybrid, "t", 16_384, files).unwrap();
    let bytes = plan.encode(&[[b'1'; 20]; 3], &[[b'2'; 32]; 3], &Extras::default()).unwrap();
    let whole = torrent(&bytes).unwrap();
    let mut cut = bytes.len() - 3;
    let mut damaged = bytes.clone();
    assert_eq!(damaged[cut], b'2');
    damaged[cut] = b'3';
    cut = bytes.windows(12).position(|part| part == b"piece layers").unwrap() + 12;
    let wrong_type = [&bytes[..cut], b"i1ee"].concat();
    for (odd, lines) in [(damaged, 1), (wrong_type, 2)] {
        let read = torrent(&odd).unwrap();
        assert_eq!((read.info_hash(), read.files()), (whole.info_hash(), whole.files()));
        assert_eq!(read.expected(PieceIndex::new(2)), whole.expected(PieceIndex::new(2)));
        assert_eq!(read.warnings().len(), lines);
        let last = read.warnings().last().unwrap();
        assert!(last.ends_with(": only its version 1 half can be used"), "{last}");
    }
}

/// Any bencode.
fn any_value() -> impl Strategy<Value = Vec<u8>> {
    let text = prop::collection::vec(any::<u8>(), 0..12);
    let text = text.prop_map(|text| [format!("{}:", text.len()).into_bytes(), text].concat());
    let number = any::<i64>().prop_map(|number| format!("i{number}e").into_bytes());
    prop_oneof![number, text].prop_recursive(3, 16, 4, |inner| {
        let list = prop::collection::vec(inner.clone(), 0..4);
        let dict = prop::collection::vec(inner, 0..4).prop_map(|values| {
            let entries = values.into_iter().zip(["a", "b", "length", "path"]);
            dict(&entries.map(|(value, key)| (key, value)).collect())
        });
        prop_oneof![list.prop_map(|values| wrap("l", &values.concat(), "e")), dict]
    })
}

/// The keys that others know, in the dictionaries where they stand, and what a value must not begin
/// with lest it means something.
const OPTIONAL: &[(Part, &str, &[u8])] = &[
    (Part::Top, "announce", b""),
    (Part::Top, "announce-list", b""),
    (Part::Top, "azureus_properties", b""),
    (Part::Top, "comment", b""),
    (Part::Top, "comment.utf-8", b""),
    (Part::Top, "created by", b""),
    (Part::Top, "creation date", b""),
    (Part::Top, "encoding", b""),
    (Part::Top, "httpseeds", b""),
    (Part::Top, "nodes", b""),
    (Part::Top, "piece layers", b""),
    (Part::Top, "publisher", b""),
    (Part::Top, "url-list", b""),
    (Part::Info, "collections", b""),
    (Part::Info, "name.utf-8", b"0123456789"),
    (Part::Info, "private", b""),
    (Part::Info, "publisher", b""),
    (Part::Info, "similar", b""),
    (Part::Info, "source", b""),
    (Part::File, "attr", b"0123456789"),
    (Part::File, "md5sum", b""),
    (Part::File, "mtime", b""),
    (Part::File, "path.utf-8", b"l"),
    (Part::File, "sha1", b""),
    (Part::Leaf, "attr", b"0123456789"),
    (Part::Leaf, "mtime", b""),
];

proptest! {
    #[test]
    fn any_value_of_an_optional_key_leaves_the_torrent_as_it_is(
        (listed, hybrid) in (any::<bool>(), any::<bool>()),
        odd in prop::collection::vec((prop::sample::select(OPTIONAL), any_value()), 1..5),
        beside in prop::option::of(any_value()),
        tail in prop::collection::vec(any::<u8>(), 0..9),
    ) {
        let plain = draft(listed, hybrid);
        let mut draft = plain.clone();
        for ((part, key, meaning), value) in odd {
            if !value.starts_with(b"0:") && value.first().is_some_and(|b| meaning.contains(b)) {
                continue;
            }
            draft.part(part).insert(key, value);
        }
        // The one of the two that the torrent does without.
        if let Some(value) = beside.filter(|value| listed || !value.starts_with(b"l")) {
            draft.info.insert(if listed { "length" } else { "files" }, value);
        }
        let mut bytes = draft.bytes();
        let torrent_alone = bytes.clone();
        bytes.extend(&tail);
        let read = torrent(&bytes).unwrap();
        is_the_same(&read, &torrent(&plain.bytes()).unwrap(), &torrent_alone);
        for line in read.warnings() {
            prop_assert!(!line.contains(crate::path::is_unprintable), "{line:?}");
        }

        // What is edited beside `info` keeps it, and is canonical.
        let comment = crate::Edit { comment: Some("new".into()), ..crate::Edit::default() };
        let edited = comment.apply(&bytes).unwrap();
        let again = torrent(&edited.bytes).unwrap();
        prop_assert!(!edited.info_changed);
        prop_assert_eq!(again.info_bytes(), read.info_bytes());
        prop_assert!(bencode::decode(&edited.bytes).is_ok());
    }
}
