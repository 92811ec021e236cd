//! What happens when somebody else has the files, changes them, or the disk has no room.
//! The process is never to die, and nothing wrong is ever to be handed out.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::atomic::AtomicBool;

use metainfo::{PieceIndex, PieceSet};
use storage::{Backend, Checked, Config, Done, ErrorKind, Job, TorrentId, What};

use crate::support::{Fixture, T, Threads, numbers, on_both};

/// A torrent that is whole and open, and was read from.
fn seeding(backend: Backend) -> (Fixture, Threads) {
    let fixture = Fixture::new(65_536, &[300_000, 300_000]);
    fixture.write_files();
    let threads = Threads::start(backend);
    threads.disk.open(T, &fixture.spec).unwrap();
    for piece in fixture.layout().pieces() {
        assert!(threads.read(&fixture, piece) == fixture.piece(piece));
    }
    (fixture, threads)
}

/// Writes to a file as another program that sets the time of that back, as often as it takes for a clock
/// that is too coarse.
fn write_as_another(path: &Path, bytes: &[u8], at: u64) {
    let file = File::options().write(true).open(path).unwrap();
    let changed = || (file.metadata().unwrap().ctime(), file.metadata().unwrap().ctime_nsec());
    let (before, written) = (changed(), file.metadata().unwrap().modified().unwrap());
    while changed() == before {
        file.write_all_at(bytes, at).unwrap();
        file.set_modified(written).unwrap();
    }
}

/// Reads a piece until that fails; it must be whole until then.
fn fails_soon(fixture: &Fixture, threads: &Threads, piece: PieceIndex) -> storage::Error {
    loop {
        let jobs = fixture.reads(T, piece);
        let count = jobs.len();
        threads.disk.submit(jobs);
        for done in threads.take(count) {
            match done {
                Done::Read { block, data, .. } => {
                    let start = block.offset() as usize;
                    assert!(data == fixture.piece(piece)[start..start + data.len()]);
                }
                Done::Failed { what: What::Read { .. }, error, .. } => return error,
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn a_second_open_of_the_same_files_is_refused() {
    on_both(|backend| {
        let fixture = Fixture::new(65_536, &[0, 300_000]);
        let (first, second) = (Threads::start(backend), Threads::start(backend));
        first.disk.open(T, &fixture.spec).unwrap();
        for (threads, torrent) in [(&first, TorrentId(1)), (&second, TorrentId(2))] {
            let error = threads.disk.open(torrent, &fixture.spec).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Locked);
            assert!(error.to_string().contains("sub/1: is in use"), "{error}");
        }
        assert_eq!(first.disk.open(T, &fixture.spec).unwrap_err().kind(), ErrorKind::Locked);
        first.close(T);
        second.disk.open(T, &fixture.spec).unwrap();
        drop(second);
        first.disk.open(T, &fixture.spec).unwrap();
    });
}

#[test]
fn a_file_cut_under_our_feet_is_an_error() {
    on_both(|backend| {
        let (fixture, threads) = seeding(backend);
        let file = File::options().write(true).open(fixture.path(1)).unwrap();
        file.set_len(100_000).unwrap();
        let error = fails_soon(&fixture, &threads, PieceIndex::new(8));
        assert_eq!(error.kind(), ErrorKind::Changed);
        assert!(error.to_string().contains("sub/1: was cut"), "{error}");
        // Growing it back does not bring the bytes back.
        file.set_len(300_000).unwrap();
        assert_eq!(fails_soon(&fixture, &threads, PieceIndex::new(8)).kind(), ErrorKind::Changed);
        assert!(threads.read(&fixture, PieceIndex::new(0)) == fixture.piece(PieceIndex::new(0)));
        threads.close(T);
        fixture.write_files();
        threads.disk.open(T, &fixture.spec).unwrap();
        assert!(threads.read(&fixture, PieceIndex::new(8)) == fixture.piece(PieceIndex::new(8)));
    });
}

#[test]
fn a_file_written_by_another_is_an_error() {
    on_both(|backend| {
        let (fixture, threads) = seeding(backend);
        write_as_another(&fixture.path(0), b"x", 299_000);
        // What it left alone is still served, what it changed never is.
        let last = PieceIndex::new(4);
        for piece in (0..4).map(PieceIndex::new) {
            assert!(threads.read(&fixture, piece) == fixture.piece(piece));
        }
        let error = fails_soon(&fixture, &threads, last);
        assert_eq!(error.kind(), ErrorKind::Changed);
        assert!(error.to_string().contains("0: was changed by another program"), "{error}");
        assert_eq!(fails_soon(&fixture, &threads, last).kind(), ErrorKind::Changed);
    });
}

#[test]
fn what_another_program_changes_during_a_download_is_found_before_it_is_told_as_complete() {
    on_both(|backend| {
        let fixture = Fixture::new(65_536, &[300_000, 300_000]);
        let threads = Threads::start(backend);
        threads.disk.open(T, &fixture.spec).unwrap();
        threads.download(&fixture, fixture.layout().pieces().take(3));
        write_as_another(&fixture.path(0), b"x", 70_000);
        // Our own writes come after it.
        threads.download(&fixture, fixture.layout().pieces().skip(3));
        let recheck = || {
            let pieces = PieceSet::new_full(fixture.layout().piece_count());
            threads.disk.submit(vec![Job::Recheck { torrent: T, pieces }]);
            let done = threads.next();
            let Done::Rechecked { wrong, .. } = done else { panic!("{done:?}") };
            wrong
        };
        let wrong = PieceIndex::new(1);
        assert_eq!(recheck(), [wrong]);
        assert_eq!(recheck(), [wrong], "until it is fetched again");
        threads.disk.submit(vec![Job::Sync { torrent: T }]);
        let done = threads.next();
        let Done::Synced { doubtful, .. } = done else { panic!("{done:?}") };
        assert_eq!(numbers(&doubtful), [1]);
        threads.download(&fixture, [wrong].into_iter());
        assert_eq!(recheck(), []);
        let (stamps, doubtful, _) = threads.end(T);
        assert!(doubtful.is_empty());
        assert!(stamps.iter().all(Option::is_some));
        fixture.assert_files();
    });
}

#[test]
fn a_file_that_another_program_wrote_to_is_not_written_over() {
    on_both(|backend| {
        let fixture = Fixture::new(65_536, &[300_000]);
        let threads = Threads::start(backend);
        threads.disk.open(T, &fixture.spec).unwrap();
        threads.download(&fixture, fixture.layout().pieces().take(2));
        let mine = vec![b'x'; 300_000];
        fs::write(fixture.path(0), &mine).unwrap();
        threads.disk.submit(fixture.arrive(T, PieceIndex::new(2)));
        let done = threads.next();
        let Done::Failed { what: What::Check { .. }, error, .. } = done else { panic!("{done:?}") };
        assert_eq!(error.kind(), ErrorKind::Changed);
        assert!(error.to_string().contains("0: was written by another program"), "{error}");
        let (stamps, _, _) = threads.end(T);
        assert_eq!(stamps, [None]);
        assert!(fs::read(fixture.path(0)).unwrap() == mine);
    });
}

#[test]
fn a_block_that_another_program_changed_on_disk_says_nothing_about_its_sender() {
    // Each block goes to disk as soon as it comes.
    let mut config = Config::default();
    (config.threads, config.hold_budget) = (1, 0);
    let threads = Threads::with(config);
    let fixture = Fixture::new(65_536, &[300_000]);
    threads.disk.open(T, &fixture.spec).unwrap();
    let piece = PieceIndex::new(1);
    let mut jobs = fixture.arrive(T, piece);
    let check = jobs.pop().unwrap();
    threads.disk.submit(jobs);
    // An answer of the same disk thread, so that the blocks are written.
    threads.disk.submit(fixture.arrive(T, PieceIndex::new(0)));
    assert!(matches!(threads.next(), Done::Checked { outcome: Checked::Good { .. }, .. }));
    write_as_another(&fixture.path(0), b"x", 65_536 + 20_000);
    threads.disk.submit(vec![check]);
    let done = threads.next();
    assert!(matches!(done, Done::Checked { outcome: Checked::Changed, .. }), "{done:?}");
    threads.download(&fixture, [piece].into_iter());
    // What came wrong is still its sender's fault, though it went to disk.
    let mut jobs = fixture.arrive(T, PieceIndex::new(2));
    let Some(Job::Write { data, .. }) = jobs.get_mut(1) else { panic!("{jobs:?}") };
    data[7] ^= 1;
    let sent = piecehash::sha1(&[data]);
    threads.disk.submit(jobs);
    let done = threads.next();
    let Done::Checked { outcome: Checked::Bad { blocks }, .. } = done else { panic!("{done:?}") };
    assert_eq!(blocks[1], sent);
}

#[test]
fn files_that_changed_since_they_were_checked_are_not_opened_as_known() {
    for change in 0..4 {
        let fixture = Fixture::new(65_536, &[300_000, 300_000]);
        fixture.write_files();
        let path = fixture.path(1);
        if change == 3 {
            fs::remove_file(&path).unwrap();
        }
        let known = storage::stamps(&fixture.spec, &AtomicBool::new(false)).unwrap();
        match change {
            0 => {}
            1 => write_as_another(&path, b"x", 0),
            2 => {
                fs::rename(&path, path.with_extension("old")).unwrap();
                fs::copy(path.with_extension("old"), &path).unwrap();
            }
            _ => fs::write(&path, fixture.file(1)).unwrap(),
        }
        let threads = Threads::start(Backend::Positional);
        let opened = threads.disk.open_known(T, &fixture.spec, &known);
        match change {
            0 => assert!(!opened.unwrap().fresh),
            _ => assert_eq!(opened.unwrap_err().kind(), ErrorKind::Changed, "change {change}"),
        }
    }
}

#[test]
fn a_file_removed_or_replaced_is_noticed_before_long() {
    on_both(|backend| {
        for replace in [false, true] {
            let (fixture, threads) = seeding(backend);
            let other = fixture.path(0).with_extension("other");
            fs::write(&other, fixture.file(0)).unwrap();
            fs::remove_file(fixture.path(0)).unwrap();
            if replace {
                fs::rename(&other, fixture.path(0)).unwrap();
            }
            let error = fails_soon(&fixture, &threads, PieceIndex::new(0));
            assert_eq!(error.kind(), ErrorKind::Changed);
            threads.disk.submit(vec![Job::Sync { torrent: T }]);
            assert!(matches!(threads.next(), Done::Failed { what: What::Sync { .. }, .. }));
            threads.close(T);
            assert!(!threads.disk.open(T, &fixture.spec).unwrap().fresh);
            assert_eq!(fs::metadata(fixture.path(0)).unwrap().len(), 300_000);
        }
    });
}

#[test]
fn what_nobody_read_since_is_noticed_at_the_end() {
    on_both(|backend| {
        for change in 0..5 {
            let (fixture, threads) = seeding(backend);
            let path = fixture.path(1);
            match change {
                0 => {}
                1 => write_as_another(&path, b"x", 0),
                2 => File::options().write(true).open(&path).unwrap().set_len(100).unwrap(),
                3 => fs::remove_file(&path).unwrap(),
                _ => {
                    fs::rename(&path, path.with_extension("old")).unwrap();
                    fs::write(&path, fixture.file(1)).unwrap();
                }
            }
            let (stamps, doubtful, _) = threads.end(T);
            // Of pieces 4 to 9.
            let lost: &[u32] = if change > 0 { &[4, 5, 6, 7, 8, 9] } else { &[] };
            assert_eq!(numbers(&doubtful), lost, "change {change}");
            assert_eq!(stamps[1].is_none(), change > 0, "change {change}");
            assert_eq!(stamps[0].is_none(), change > 0, "they share a piece");
        }
        let fixture = Fixture::new(65_536, &[300_000]);
        let threads = Threads::start(backend);
        threads.disk.open(T, &fixture.spec).unwrap();
        threads.download(&fixture, fixture.layout().pieces());
        let (stamps, doubtful, _) = threads.end(T);
        assert!(doubtful.is_empty(), "we wrote them ourselves");
        assert_eq!(stamps, storage::stamps(&fixture.spec, &AtomicBool::new(false)).unwrap());
    });
}

#[test]
fn downloading_into_a_file_that_was_cut_is_an_error() {
    on_both(|backend| {
        let fixture = Fixture::new(65_536, &[300_000]);
        let threads = Threads::start(backend);
        threads.disk.open(T, &fixture.spec).unwrap();
        threads.download(&fixture, fixture.layout().pieces().take(2));
        File::options().write(true).open(fixture.path(0)).unwrap().set_len(10).unwrap();
        threads.disk.submit(fixture.arrive(T, PieceIndex::new(2)));
        let done = threads.next();
        let Done::Failed { what: What::Check { .. }, error, .. } = done else { panic!("{done:?}") };
        assert_eq!(error.kind(), ErrorKind::Changed);
        assert_eq!(fs::metadata(fixture.path(0)).unwrap().len(), 10);
    });
}

#[test]
fn a_longer_file_keeps_its_end() {
    on_both(|backend| {
        let fixture = Fixture::new(65_536, &[100_000]);
        fs::create_dir_all(fixture.spec.root()).unwrap();
        fs::write(fixture.path(0), vec![b'x'; 100_010]).unwrap();
        let threads = Threads::start(backend);
        threads.disk.open(T, &fixture.spec).unwrap();
        threads.download(&fixture, fixture.layout().pieces());
        threads.close(T);
        let found = fs::read(fixture.path(0)).unwrap();
        assert!(found[..100_000] == fixture.bytes);
        assert_eq!(found[100_000..], [b'x'; 10]);
    });
}

#[test]
fn a_torrent_that_can_never_fit_is_refused_before_anything_is_created() {
    let lengths = [1_i64 << 46, 1 << 46];
    let layout = metainfo::Layout::new(1 << 30, &lengths.map(i64::unsigned_abs)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("deep/target");
    let hashes = vec![[0; 20]; layout.piece_count() as usize];
    let file = |name: &str| storage::FileSpec { path: name.into(), on_disk: true };
    let spec =
        storage::Spec::from_parts(&target, vec![file("a"), file("b")], layout, hashes).unwrap();
    let nothing = PieceSet::new_empty(spec.layout().piece_count());
    let room = storage::room(&spec, &nothing).unwrap();
    assert_eq!(room.needed, 1 << 47);
    assert!(room.free > 0 && room.free < room.needed);
    let threads = Threads::start(Backend::Positional);
    let error = threads.disk.open(T, &spec).unwrap_err();
    let ErrorKind::Full { missing } = error.kind() else { panic!("{error}") };
    assert!(missing > room.needed - room.free - (1 << 40) && missing < room.needed);
    assert!(error.to_string().contains(" TiB are missing; make room"), "{error}");
    assert!(!folder.path().join("deep").exists());
}

#[test]
fn names_that_leave_the_folder_are_never_opened() {
    let layout = metainfo::Layout::new(10, &[5]).unwrap();
    for path in ["../x", "/x", "a/../../x", "", "."] {
        let file = storage::FileSpec { path: path.into(), on_disk: true };
        let spec = storage::Spec::from_parts("/tmp", vec![file], layout.clone(), vec![[0; 20]]);
        assert_eq!(spec.unwrap_err().kind(), ErrorKind::Unsafe, "{path}");
    }
    let fixture = Fixture::new(65_536, &[100_000, 10]);
    fs::create_dir_all(fixture.spec.root()).unwrap();
    fs::create_dir(fixture.folder.path().join("outside")).unwrap();
    std::os::unix::fs::symlink("../outside", fixture.spec.root().join("sub")).unwrap();
    let threads = Threads::start(Backend::Positional);
    let error = threads.disk.open(T, &fixture.spec).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LinkOut);
    assert_eq!(error.path(), Some(fixture.spec.root().join("sub").as_path()));
    assert_eq!(fs::read_dir(fixture.folder.path().join("outside")).unwrap().count(), 0);
}

#[test]
fn a_name_too_long_is_known_before_the_download() {
    let layout = metainfo::Layout::new(10, &[5]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = storage::FileSpec { path: "x".repeat(300).into(), on_disk: true };
    let spec = storage::Spec::from_parts(folder.path(), vec![file], layout, vec![[0; 20]]).unwrap();
    assert_eq!(
        storage::room(&spec, &PieceSet::new_empty(1)).unwrap_err().kind(),
        ErrorKind::NameTooLong
    );
    let threads = Threads::start(Backend::Positional);
    assert_eq!(threads.disk.open(T, &spec).unwrap_err().kind(), ErrorKind::NameTooLong);
}

#[test]
fn files_that_may_only_be_read_can_be_seeded() {
    use std::os::unix::fs::PermissionsExt;

    on_both(|backend| {
        let fixture = Fixture::new(65_536, &[100_000]);
        fixture.write_files();
        fs::set_permissions(fixture.path(0), fs::Permissions::from_mode(0o444)).unwrap();
        let threads = Threads::start(backend);
        threads.disk.open(T, &fixture.spec).unwrap();
        assert!(threads.read(&fixture, PieceIndex::new(1)) == fixture.piece(PieceIndex::new(1)));
    });
}

#[test]
#[cfg(target_os = "linux")]
fn a_file_system_that_counts_no_blocks_is_not_called_full() {
    let free = storage::free_space(std::path::Path::new("/proc/self")).unwrap();
    assert_eq!(free, u64::MAX);
}
