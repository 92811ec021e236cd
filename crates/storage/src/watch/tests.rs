//! Writes of ours and of another program to one file, in each order.

use std::os::unix::fs::FileExt;

use metainfo::Layout;

use super::*;
use crate::files::Descriptors;
use crate::paths::Access;
use crate::spec::{FileSpec, Spec};

/// One file of zeros, open for writing, and what is known of it.
struct Fixture {
    _folder: tempfile::TempDir,
    files: Files,
    open: crate::file_cache::InUse,
    watch: Watch,
}

const PIECE: PieceIndex = PieceIndex::new(0);

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("data"), vec![0; 20_000]).unwrap();
        let layout = Layout::new(16_384, &[20_000]).unwrap();
        let file = FileSpec { path: "data".into(), on_disk: true };
        let spec = Spec::from_parts(folder.path(), vec![file], layout, vec![[0; 20]; 2]).unwrap();
        let files = Files::new(spec, Descriptors::of(4));
        let open = files.open(0, Access::Write).unwrap();
        let watch = Watch::new(files.spec().layout());
        watch.know(0, open.stamp().unwrap());
        Self { _folder: folder, files, open, watch }
    }

    fn before(&self) -> Seen {
        self.watch.before(&self.files, 0, &self.open).unwrap()
    }

    fn is_untouched_since(&self, seen: Seen) -> bool {
        self.watch.after(&self.files, 0, &self.open, seen).unwrap()
    }

    /// As another program, with a mark that no clock is too coarse for.
    fn touch(&self) {
        let before = self.open.stamp().unwrap();
        let written = self.open.file.metadata().unwrap().modified().unwrap();
        while self.open.stamp().unwrap() == before {
            self.open.file.write_all_at(b"x", 7).unwrap();
            self.open.file.set_modified(written).unwrap();
        }
    }

    /// The piece is hashed, and it is right.
    fn is_right(&self, piece: PieceIndex) {
        let mark = self.watch.mark(&self.files, piece).unwrap();
        self.watch.hashed(&self.files, piece, mark);
    }

    fn write(&self) {
        self.watch.writing(&self.files, 0, &self.open).unwrap();
        self.open.file.write_all_at(b"ours", 0).unwrap();
        self.watch.written(0, &self.open);
    }
}

#[test]
fn a_write_of_ours_that_was_under_way_is_not_taken_for_anothers() {
    let fixture = Fixture::new();
    // One thread is about to write when another begins to read, and is done when that ends.
    fixture.watch.writing(&fixture.files, 0, &fixture.open).unwrap();
    let seen = fixture.before();
    fixture.touch();
    fixture.watch.written(0, &fixture.open);
    assert!(fixture.is_untouched_since(seen));
    fixture.write();
    fixture.before();
    assert!(!fixture.watch.is_doubtful(PIECE));
}

#[test]
fn what_another_program_writes_during_a_read_is_noticed_at_once() {
    let fixture = Fixture::new();
    let seen = fixture.before();
    fixture.touch();
    assert!(!fixture.is_untouched_since(seen));
    assert!(fixture.watch.is_doubtful(PIECE));
}

#[test]
fn writes_of_ours_do_not_hide_what_another_program_writes_between_them() {
    let fixture = Fixture::new();
    fixture.write();
    fixture.touch();
    fixture.write();
    assert!(fixture.watch.is_doubtful(PIECE));
    // Hashed again, it is believed until the next change.
    fixture.is_right(PIECE);
    fixture.is_right(PieceIndex::new(1));
    fixture.write();
    assert!(!fixture.watch.is_doubtful(PIECE));
    assert_eq!(fixture.watch.look_at_all(&fixture.files).stamps, [fixture.open.stamp().ok()]);
    fixture.touch();
    let Identity { stamps, doubtful, .. } = fixture.watch.look_at_all(&fixture.files);
    assert_eq!((stamps, doubtful.count()), (vec![None], 2));
}

#[test]
fn what_another_program_writes_is_not_overwritten() {
    let fixture = Fixture::new();
    fixture.write();
    let before = fixture.open.stamp().unwrap();
    while !fixture.open.stamp().unwrap().is_written_since(before) {
        fixture.open.file.write_all_at(b"mine", 7).unwrap();
    }
    let error = fixture.watch.writing(&fixture.files, 0, &fixture.open).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Changed);
    assert!(error.to_string().contains("data: was written by another program"), "{error}");
}

#[test]
fn what_is_written_while_a_piece_is_hashed_makes_it_doubtful_again() {
    let fixture = Fixture::new();
    fixture.touch();
    fixture.before();
    let mark = fixture.watch.mark(&fixture.files, PIECE).unwrap();
    fixture.touch();
    fixture.before();
    fixture.watch.hashed(&fixture.files, PIECE, mark);
    assert!(fixture.watch.is_doubtful(PIECE));
}

#[test]
fn a_time_of_writing_that_is_set_back_does_not_hide_a_write() {
    let fixture = Fixture::new();
    fixture.touch();
    fixture.before();
    assert!(fixture.watch.is_doubtful(PIECE));
}
