//! Files of a torrent within few descriptors.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use metainfo::Layout;

use super::*;
use crate::spec::FileSpec;

/// A torrent of so many files of one byte.
fn torrent(folder: &Path, count: usize) -> Spec {
    let layout = Layout::new(16, &vec![1; count]).unwrap();
    let expected = vec![[0; 20]; layout.piece_count() as usize];
    let file = |number: usize| {
        fs::write(folder.join(number.to_string()), b"x").unwrap();
        FileSpec { path: number.to_string().into(), on_disk: true }
    };
    Spec::from_parts(folder, (0..count).map(file).collect(), layout, expected).unwrap()
}

/// Whether it is the same open file and not another of the same name.
fn same(a: &InUse, b: &InUse) -> bool {
    std::ptr::eq(&raw const **a, &raw const **b)
}

#[test]
fn a_few_descriptors_serve_many_files() {
    let folder = tempfile::tempdir().unwrap();
    let (count, spec) = (40, torrent(folder.path(), 40));
    let descriptors = Descriptors::of(5);
    let files = Files::new(spec.clone(), descriptors.clone());
    let others = Files::new(spec, descriptors.clone());
    for index in 0..count {
        files.open(index, Access::Read).unwrap();
        assert!(descriptors.cache.open_files() <= 5);
    }
    let again = files.open(count - 1, Access::Write).unwrap();
    assert!(same(&again, &files.open(count - 1, Access::Read).unwrap()));
    let other = others.open(count - 1, Access::Read).unwrap();
    assert!(!same(&again, &other));
    assert_eq!(again.id, other.id);
    drop((again, files));
    assert_eq!(descriptors.cache.open_files(), 1);
}

#[test]
fn a_file_in_use_is_never_closed_and_who_wants_more_than_there_are_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let descriptors = Descriptors::of(3);
    let files = Files::new(torrent(folder.path(), 5), descriptors.clone());
    let held: Vec<InUse> =
        (0..3).map(|index| files.open_now(index, Access::Read).unwrap().unwrap()).collect();
    assert!(files.open_now(3, Access::Read).unwrap().is_none());
    assert!(!descriptors.cache.close_idle());
    assert!(same(&held[1], &files.open(1, Access::Read).unwrap()));
    // Not before the last one who uses it is done.
    let copy = held[2].clone();
    drop(held);
    let more: Vec<InUse> =
        (3..5).map(|index| files.open_now(index, Access::Read).unwrap().unwrap()).collect();
    assert!(files.open_now(0, Access::Read).unwrap().is_none());
    drop(copy);
    assert!(files.open_now(0, Access::Read).unwrap().is_some());
    drop(more);
}

#[test]
fn who_waits_goes_on_when_a_file_is_let_go_and_gives_up_when_it_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let descriptors = Descriptors::of(1);
    let files = Files::new(torrent(folder.path(), 2), descriptors.clone());
    let first = files.open(0, Access::Read).unwrap();
    thread::scope(|scope| {
        let second = scope.spawn(|| files.open(1, Access::Read).map(|open| open.id));
        while descriptors.cache.waiting() == 0 {
            thread::yield_now();
        }
        let id = first.id;
        drop(first);
        assert_ne!(second.join().unwrap().unwrap(), id);
        let _held = files.open(0, Access::Read).unwrap();
        let third = scope.spawn(|| files.open(1, Access::Read).map(|open| open.id));
        descriptors.over.store(true, Ordering::Relaxed);
        assert_eq!(third.join().unwrap().unwrap_err().kind(), ErrorKind::NoDescriptors);
    });
}

#[test]
fn many_threads_with_fewer_places_than_files_they_want_all_end() {
    let folder = tempfile::tempdir().unwrap();
    let descriptors = Descriptors::of(3);
    let files = Files::new(torrent(folder.path(), 64), descriptors.clone());
    thread::scope(|scope| {
        for start in 0..8 {
            let (files, cache) = (&files, &descriptors.cache);
            scope.spawn(move || {
                for step in 0..200 {
                    files.open((start * 7 + step * 11) % 64, Access::Read).unwrap();
                    assert!(cache.open_files() <= 3);
                }
            });
        }
    });
}

#[test]
fn without_a_descriptor_left_what_is_not_in_use_is_closed_and_it_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let descriptors = Descriptors::of(5);
    let files = Files::new(torrent(folder.path(), 1), descriptors.clone());
    files.open(0, Access::Read).unwrap();
    let cache = &descriptors.cache;
    let starved = rustix::io::Errno::MFILE.into();
    let refused = || Err::<&str, _>(Error::io("look at it", folder.path(), &starved));
    let act = || if cache.open_files() > 0 { refused() } else { Ok("looked") };
    assert_eq!(cache.at_once(act).unwrap(), "looked");
    // Where that does not help, waiting does.
    let began = Instant::now();
    let act = || if began.elapsed() < Duration::from_millis(120) { refused() } else { Ok("there") };
    assert_eq!(cache.at_once(act).unwrap_err().kind(), ErrorKind::NoDescriptors);
    assert_eq!(descriptors.patiently(act).unwrap(), "there");
}
