//! What is in the place of a torrent's files before it: whose is it?

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use metainfo::PieceSet;
use storage::{Before, ErrorKind, Options, Spec, Verified, Writer};

use crate::support::Fixture;

const PIECE: u32 = 65_536;

fn look(spec: &Spec) -> Before {
    Before::look(spec, &AtomicBool::new(false)).unwrap()
}

fn verify(spec: &Spec, pieces: Option<&PieceSet>) -> Verified {
    let mut options = Options::default();
    options.pieces = pieces;
    storage::verify(spec, &options, &|_| {}, &AtomicBool::new(false)).unwrap()
}

/// The file that is said not to be the torrent's, or those that can't be judged.
fn judge(spec: &Spec) -> Result<Vec<PathBuf>, PathBuf> {
    let found = verify(spec, None);
    let judged = look(spec).refuse_foreign(&found, &[], &AtomicBool::new(false));
    judged.map_err(|error| {
        assert_eq!(error.kind(), ErrorKind::Occupied, "{error}");
        error.path().unwrap().to_owned()
    })
}

fn put(fixture: &Fixture, file: usize, bytes: &[u8]) {
    let path = fixture.path(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_right_piece_of_zeros_is_no_proof() {
    let fixture = Fixture::with_zeros(PIECE, &[300_000], 0..65_536);
    // Zeros, then something else.
    let mut other = vec![b'x'; 300_000];
    other[..65_536].fill(0);
    put(&fixture, 0, &other);
    assert_eq!(judge(&fixture.spec), Err(fixture.path(0)));
    let mut right = fixture.file(0).to_vec();
    right[200_000..].fill(b'x');
    put(&fixture, 0, &right);
    assert_eq!(judge(&fixture.spec), Ok(vec![]));
}

#[test]
fn one_right_file_does_not_excuse_another_that_can_be_judged() {
    let fixture = Fixture::new(PIECE, &[300_000, 300_000]);
    put(&fixture, 0, fixture.file(0));
    put(&fixture, 1, &vec![b'x'; 300_000]);
    // They share a piece, which is wrong for both.
    assert_eq!(judge(&fixture.spec), Err(fixture.path(1)));
    // Blank but for a byte in the piece that they share: it is right nowhere.
    let mut bytes = vec![0; 300_000];
    bytes[5] = b'x';
    put(&fixture, 1, &bytes);
    assert_eq!(judge(&fixture.spec), Err(fixture.path(1)));
    put(&fixture, 1, &vec![0; 300_000]);
    assert_eq!(judge(&fixture.spec), Ok(vec![]));
}

#[test]
fn a_short_file_is_the_torrents_only_if_something_in_it_is() {
    let fixture = Fixture::new(PIECE, &[300_000, 1_000, 300_000]);
    put(&fixture, 0, fixture.file(0));
    put(&fixture, 1, b"mine");
    assert_eq!(judge(&fixture.spec), Err(fixture.path(1)));
    // Of the right length and too small to be judged, it goes with the others.
    put(&fixture, 1, &[b'x'; 1_000]);
    assert_eq!(judge(&fixture.spec), Ok(vec![fixture.path(1)]));
    fs::remove_file(fixture.path(0)).unwrap();
    assert_eq!(judge(&fixture.spec), Err(fixture.path(1)));
}

#[test]
fn a_piece_larger_than_its_files_excuses_none_of_them() {
    let fixture = Fixture::new(4 << 20, &[900_000, 900_000, 900_000]);
    put(&fixture, 0, &vec![b'x'; 500_000]);
    assert_eq!(judge(&fixture.spec), Err(fixture.path(0)));
}

#[test]
fn the_neighbour_of_a_selected_file_is_judged_by_pieces_of_its_own() {
    let fixture = Fixture::new(PIECE, &[300_000, 300_000]);
    let spec = fixture.spec.clone().with_selection(|file| file == 0);
    let wanted = spec.wanted_pieces().unwrap();
    // Right but for the piece that both have a part in.
    let mut right = fixture.file(1).to_vec();
    right[0] ^= 1;
    for (bytes, is_right) in [(right, true), (vec![b'x'; 300_000], false)] {
        put(&fixture, 1, &bytes);
        let mut found = verify(&spec, Some(wanted));
        let before = look(&spec);
        let more = before.to_judge(&found, &[], wanted);
        assert_eq!(crate::support::numbers(&more), [5, 6, 7, 8, 9]);
        let also = verify(&spec, Some(&more));
        (found.whole, found.wrong, found.zeros) = (also.whole, also.wrong, also.zeros);
        let judged = before.refuse_foreign(&found, &[], &AtomicBool::new(false));
        assert_eq!(judged.is_ok(), is_right);
        // A run of ours wrote it.
        assert!(before.to_judge(&found, &[Writer::Unknown, Writer::Ours], wanted).is_empty());
        before
            .refuse_foreign(&found, &[Writer::Unknown, Writer::Ours], &AtomicBool::new(false))
            .unwrap();
    }
}

#[test]
fn after_a_run_that_was_killed_a_file_without_room_left_is_not_ours() {
    let fixture = Fixture::new(4 << 20, &[300_000]);
    let killed = |bytes: &[u8]| {
        put(&fixture, 0, bytes);
        let found = verify(&fixture.spec, None);
        let (ours, go) = ([Writer::Perhaps], AtomicBool::new(false));
        look(&fixture.spec).refuse_foreign(&found, &ours, &go).is_ok()
    };
    // Blocks of a piece that is not whole yet, as they went to disk early.
    let mut part = fixture.file(0).to_vec();
    part[100_000..200_000].fill(0);
    assert!(killed(&part));
    assert!(!killed(&[b'x'; 10_000].repeat(30)));
    part.pop();
    assert!(!killed(&part), "a run of ours gives it its length at once");
}

#[test]
fn two_names_of_one_file_are_refused_where_a_piece_is_missing() {
    let fixture = Fixture::new(PIECE, &[65_536, 65_536]);
    put(&fixture, 0, fixture.file(0));
    fs::create_dir_all(fixture.path(1).parent().unwrap()).unwrap();
    fs::hard_link(fixture.path(0), fixture.path(1)).unwrap();
    let before = look(&fixture.spec);
    let error = before.refuse_doubles(&verify(&fixture.spec, None).whole).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsafe);
    assert!(error.to_string().contains("sub/1: is the same file on disk as "), "{error}");
    // As programs make that save room, where both are right.
    before.refuse_doubles(&PieceSet::new_full(2)).unwrap();
}

#[test]
fn what_is_missing_is_named() {
    let fixture = Fixture::new(PIECE, &[100, 0]);
    put(&fixture, 0, fixture.file(0));
    let error = look(&fixture.spec).refuse_missing().unwrap_err();
    assert_eq!(error.path(), Some(fixture.path(1).as_path()));
    put(&fixture, 1, b"");
    look(&fixture.spec).refuse_missing().unwrap();
}
