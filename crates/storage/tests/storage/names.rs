//! A torrent made of a folder is found again in it, whatever the names are.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use metainfo::{Extras, Metainfo, NewFile, Plan, Version};
use proptest::prelude::*;
use storage::{Config, Disk, FileSpec, Options, Spec, TorrentId, hash_plan};

const PIECE: u32 = 16_384;

/// Whatever a Linux folder can be made to hold.
fn name() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        Just(b".".to_vec()),
        Just(b" ".to_vec()),
        Just(b"\t".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"\x1b[2J".to_vec()),
        Just(b"\\".to_vec()),
        Just(b"a:".to_vec()),
        Just(b"aux".to_vec()),
        Just(b"NUL".to_vec()),
        Just(b"A".to_vec()),
        Just(b"a".to_vec()),
        Just(b"_".to_vec()),
        Just(b".1".to_vec()),
        Just("\u{202e}".into()),
        Just("\u{fffd}".into()),
        Just("e\u{301}".into()),
        Just("é".into()),
        Just(vec![b'x'; 130]),
        prop::collection::vec(any::<u8>(), 1..6),
    ];
    prop::collection::vec(part, 1..5)
        .prop_map(|parts| {
            let mut name = parts.concat();
            name.retain(|byte| !matches!(byte, 0 | b'/'));
            name.truncate(255);
            name
        })
        .prop_filter("a name", |name| !matches!(&name[..], b"" | b"." | b".."))
}

/// Files and folders of such names; what can't be made, since a file has the name, is left out.
fn make(folder: &Path, paths: &BTreeSet<Vec<Vec<u8>>>) -> Vec<NewFile> {
    let mut made = BTreeMap::new();
    for (number, names) in (1_u8..).zip(paths) {
        let path = join(folder, names);
        let parent = path.parent().unwrap();
        if fs::create_dir_all(parent).is_ok() && !path.exists() {
            let bytes = vec![number; usize::from(number)];
            fs::write(&path, &bytes).unwrap();
            made.insert(names.clone(), bytes.len() as u64);
        }
    }
    let file = |(path, length)| NewFile { path, length, executable: false };
    made.into_iter().map(file).collect()
}

fn join(folder: &Path, names: &[Vec<u8>]) -> PathBuf {
    let mut path = folder.to_owned();
    path.extend(names.iter().map(|name| OsStr::from_bytes(name)));
    path
}

/// The torrent of a folder.
fn torrent_of(folder: &Path, name: &[u8], files: &[NewFile], version: Version) -> Metainfo {
    let plan = Plan::folder(version, name, PIECE, files.to_vec()).unwrap();
    let spec = |source: Option<usize>| FileSpec {
        path: source.map(|number| join(Path::new(""), &files[number].path)).unwrap_or_default(),
        on_disk: source.is_some(),
    };
    let specs: Vec<FileSpec> = plan.sources().map(spec).collect();
    let cancel = AtomicBool::new(false);
    let hashes = hash_plan(folder, &specs, &plan, &Options::default(), &|_| (), &cancel).unwrap();
    let bytes = plan.encode(&hashes.sha1, &hashes.roots, &Extras::default()).unwrap();
    Metainfo::from_bytes(&bytes).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn create_and_verify_are_the_identity_for_every_name(
        top in name(),
        paths in prop::collection::btree_set(prop::collection::vec(name(), 1..4), 2..10),
    ) {
        let target = tempfile::tempdir().unwrap();
        let folder = target.path().join(OsStr::from_bytes(&top));
        let files = make(&folder, &paths);
        // Version 2 can't tell a folder with nothing but one file from that file.
        prop_assume!(files.len() > 1);
        for version in [Version::V1, Version::V2, Version::Hybrid] {
            let torrent = torrent_of(&folder, &top, &files, version);
            let spec = Spec::to_verify(target.path(), &torrent).unwrap();
            let spec = storage::locate(spec, &AtomicBool::new(false)).unwrap();
            prop_assert_eq!(spec.renamed(), []);
            prop_assert_eq!(spec.content(), folder.clone());
            let cancel = AtomicBool::new(false);
            let found = storage::verify(&spec, &Options::default(), &|_| (), &cancel).unwrap();
            prop_assert!(found.whole.is_full(), "{:?}: {:?}", spec.files(), found.files);
        }
    }

    #[test]
    fn a_download_into_an_empty_folder_is_found_again_whatever_the_names(
        top in name(),
        paths in prop::collection::btree_set(prop::collection::vec(name(), 1..4), 2..10),
    ) {
        let source = tempfile::tempdir().unwrap();
        let folder = source.path().join("source");
        let files = make(&folder, &paths);
        prop_assume!(files.len() > 1);
        let torrent = torrent_of(&folder, &top, &files, Version::V1);
        let target = tempfile::tempdir().unwrap();
        let spec = || Spec::new(target.path(), &torrent).unwrap();
        let locate = || storage::locate(spec(), &AtomicBool::new(false)).unwrap();
        let first = locate();
        let disk = Disk::<Vec<u8>>::start(Config::default(), |_| ()).unwrap();
        disk.open(TorrentId(1), &first).unwrap();
        disk.close(TorrentId(1));
        let again = locate();
        prop_assert_eq!(again.files(), first.files());
        // Each file is a file of its own, with a name that can be looked at.
        let mut seen = BTreeSet::new();
        for file in first.files() {
            prop_assert!(target.path().join(&file.path).is_file());
            prop_assert!(seen.insert(file.path.clone()));
            let shown = metainfo::sanitise_name(file.path.as_os_str().as_bytes());
            let controls = file.path.to_string_lossy().contains(metainfo::is_unprintable);
            prop_assert!(!controls, "{shown}");
        }
        prop_assert_eq!(fs::read_dir(target.path()).unwrap().count(), 1);
    }
}
