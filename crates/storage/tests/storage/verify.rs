//! What verification and hashing find in whole, partial, damaged and hostile folders.
//! They are never seen to write.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use metainfo::{PieceIndex, PieceSet};
use storage::{Backend, ErrorKind, FileState, Options, Progress, Verified, hash_files, verify};

use crate::support::{Fixture, on_both};

fn options(backend: Backend, threads: usize) -> Options<'static> {
    let mut options = Options::default();
    options.backend = backend;
    options.threads = threads;
    options
}

fn check(fixture: &Fixture, backend: Backend) -> Verified {
    let verified =
        verify(&fixture.spec, &options(backend, 2), &|_| (), &AtomicBool::new(false)).unwrap();
    assert_eq!(verified.whole.len(), fixture.layout().piece_count());
    verified
}

fn missing(verified: &Verified) -> Vec<u32> {
    verified.whole.iter_missing().map(PieceIndex::get).collect()
}

#[test]
fn whole_torrents_are_whole() {
    on_both(|backend| {
        for (piece_length, lengths) in [
            (16_384, vec![1_000_000, 0, -384, 77, 300_000]),
            (5, vec![1, 2, 3, 0, 40]),
            (3_000_000, vec![10_000_000]),
            (3_000_001, vec![2_000_000, 5_000_000, 1]),
            (5_000, vec![20; 600]),
            (32_768, vec![0, 0]),
        ] {
            let fixture = Fixture::new(piece_length, &lengths);
            fixture.write_files();
            for threads in [0, 1, 3] {
                let options = options(backend, threads);
                let found =
                    verify(&fixture.spec, &options, &|_| (), &AtomicBool::new(false)).unwrap();
                assert_eq!(missing(&found), [0; 0], "{piece_length} {threads}");
                let on_disk =
                    |state: &FileState| matches!(state, FileState::Present | FileState::NotOnDisk);
                assert!(found.files.iter().all(on_disk));
                let files = fixture.spec.files();
                let root = fixture.spec.root();
                let cancel = AtomicBool::new(false);
                let hashes =
                    hash_files(root, files, fixture.layout(), &options, &|_| (), &cancel).unwrap();
                let expected =
                    fixture.layout().pieces().map(|p| *fixture.spec.expected(p).unwrap());
                assert_eq!(hashes, expected.collect::<Vec<_>>());
            }
        }
    });
}

#[test]
fn damage_is_found_where_it_is() {
    on_both(|backend| {
        let fixture = Fixture::new(10_000, &[25_000, 25_000, 25_000, 25_000, 0]);
        fixture.write_files();
        let file = File::options().write(true).open(fixture.path(0)).unwrap();
        file.write_all_at(&[!fixture.bytes[10_000]], 10_000).unwrap();
        fs::remove_file(fixture.path(1)).unwrap();
        File::options().write(true).open(fixture.path(2)).unwrap().set_len(12_000).unwrap();
        File::options().write(true).open(fixture.path(3)).unwrap().set_len(30_000).unwrap();
        fs::remove_file(fixture.path(4)).unwrap();
        let found = check(&fixture, backend);
        assert_eq!(missing(&found), [1, 2, 3, 4, 6, 7]);
        assert_eq!(
            found.files,
            [
                FileState::Present,
                FileState::Missing,
                FileState::Short { len: 12_000 },
                FileState::Long { len: 30_000 },
                FileState::Missing,
            ]
        );
        assert!(!fixture.path(1).exists());
    });
}

#[test]
fn nothing_there_is_nothing_whole() {
    on_both(|backend| {
        let fixture = Fixture::new(10_000, &[25_000, -100]);
        let found = check(&fixture, backend);
        assert!(found.whole.is_empty());
        assert_eq!(found.files, [FileState::Missing, FileState::NotOnDisk]);
        assert!(!fixture.spec.root().exists());
    });
}

#[test]
fn only_the_pieces_asked_for_are_looked_at() {
    on_both(|backend| {
        let fixture = Fixture::new(10_000, &[95_000]);
        fixture.write_files();
        let mut wanted = PieceSet::new_empty(10);
        for piece in [1, 9, 4] {
            wanted.insert(PieceIndex::new(piece));
        }
        let mut options = options(backend, 2);
        options.pieces = Some(&wanted);
        let last = Mutex::new(None);
        let note = |progress: Progress| *last.lock().unwrap() = Some(progress);
        let found = verify(&fixture.spec, &options, &note, &AtomicBool::new(false)).unwrap();
        assert_eq!(found.whole, wanted);
        let last = last.into_inner().unwrap().unwrap();
        assert_eq!((last.checked, last.total), (25_000, 25_000));
    });
}

#[test]
fn holes_count_as_zeros() {
    on_both(|backend| {
        let mut fixture = Fixture::new(65_536, &[1_000_000, -65_536, 500_000]);
        fixture.bytes[65_536..400_000].fill(0);
        let bytes = fixture.bytes.clone();
        let expected = fixture.layout().pieces().map(|piece| {
            let start = piece.as_usize() * 65_536;
            piecehash::sha1(&[&bytes[start..start + fixture.layout().piece_len(piece) as usize]])
        });
        let expected = expected.collect();
        let files = fixture.spec.files().to_vec();
        let layout = fixture.layout().clone();
        let root = fixture.spec.root().to_owned();
        fixture.spec = storage::Spec::from_parts(root, files, layout, expected).unwrap();
        fs::create_dir_all(fixture.spec.root()).unwrap();
        let file = File::create(fixture.path(0)).unwrap();
        file.write_all_at(&fixture.bytes[..65_536], 0).unwrap();
        file.write_all_at(&fixture.bytes[400_000..1_000_000], 400_000).unwrap();
        // The last file is all hole, and should not be.
        File::create(fixture.path(2)).unwrap().set_len(500_000).unwrap();
        let found = check(&fixture, backend);
        assert_eq!(missing(&found), (16..24).collect::<Vec<_>>());
    });
}

#[test]
fn cancelling_stops_it() {
    on_both(|backend| {
        let fixture = Fixture::new(16_384, &[3_000_000]);
        fixture.write_files();
        let cancel = AtomicBool::new(true);
        let error = verify(&fixture.spec, &options(backend, 2), &|_| (), &cancel).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cancelled);
        assert!(cancel.load(Ordering::Relaxed));
    });
}

#[test]
fn what_is_in_the_way_is_told() {
    on_both(|backend| {
        let fixture = Fixture::new(10_000, &[5_000, 5_000, 5_000]);
        fixture.write_files();
        fs::remove_file(fixture.path(0)).unwrap();
        fs::create_dir(fixture.path(0)).unwrap();
        fs::write(fixture.folder.path().join("outside"), fixture.file(2)).unwrap();
        fs::remove_file(fixture.path(2)).unwrap();
        std::os::unix::fs::symlink("../outside", fixture.path(2)).unwrap();
        let found = check(&fixture, backend);
        assert!(found.whole.is_empty());
        for (file, kind) in [(0, ErrorKind::Unsafe), (2, ErrorKind::LinkOut)] {
            let FileState::Unreadable(error) = &found.files[file] else { panic!("{found:?}") };
            assert_eq!(error.kind(), kind);
            assert_eq!(error.path(), Some(fixture.path(file).as_path()));
        }
        // The data is the user's own.
        let spec = fixture.spec.clone().with_follow_links(true);
        let found = storage::verify(&spec, &options(backend, 2), &|_| {}, &AtomicBool::new(false));
        assert_eq!(found.unwrap().files[2], FileState::Present);
    });
}

#[test]
fn hashing_needs_every_file_as_long_as_told() {
    on_both(|backend| {
        let fixture = Fixture::new(10_000, &[5_000, 5_000]);
        fixture.write_files();
        let hash = || {
            let (root, files) = (fixture.spec.root(), fixture.spec.files());
            let cancel = AtomicBool::new(false);
            let options = options(backend, 1);
            hash_files(root, files, fixture.layout(), &options, &|_| (), &cancel)
        };
        assert!(hash().is_ok());
        File::options().write(true).open(fixture.path(1)).unwrap().set_len(5_001).unwrap();
        assert_eq!(hash().unwrap_err().kind(), ErrorKind::Changed);
        fs::remove_file(fixture.path(1)).unwrap();
        assert_eq!(hash().unwrap_err().kind(), ErrorKind::NotFound);
    });
}
