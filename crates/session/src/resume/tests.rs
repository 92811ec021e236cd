//! Resume state: what survives, and that nothing damaged or out of date is believed.

use std::time::Duration;

use metainfo::Layout;
use storage::FileSpec;
use tempfile::TempDir;

use super::*;

const PIECES: u32 = 10;

/// Two files of five pieces each in a folder of their own, and where their resume state lives.
struct Fixture {
    dir: TempDir,
    spec: Spec,
    place: Place,
}

impl Fixture {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("data");
        fs::create_dir(&root).unwrap();
        let layout = Layout::new(16, &[80, 80]).unwrap();
        let files = ["a", "b"].map(|name| FileSpec { path: name.into(), on_disk: true });
        for file in &files {
            fs::write(root.join(&file.path), [7; 80]).unwrap();
        }
        let hashes = vec![[0; 20]; PIECES as usize];
        let spec = Spec::from_parts(&root, files.to_vec(), layout, hashes).unwrap();
        let place = Place::new(&dir.path().join("state"), InfoHash::from([9; 20]), &root).unwrap();
        Self { dir, spec, place }
    }

    fn save(&self, state: &State) {
        write(&self.place.path, &self.place.encode(state)).unwrap();
    }

    fn trusted(&self) -> Vec<u32> {
        self.place.trusted(&self.spec).iter().map(metainfo::PieceIndex::get).collect()
    }

    /// All pieces, with how the files look now.
    fn clean(&self) -> State {
        State::now(PieceSet::new_full(PIECES), storage::stamps(&self.spec))
    }

    /// All pieces, saved while the files were open.
    fn unclean() -> State {
        State::now(PieceSet::new_full(PIECES), Vec::new())
    }

    fn touch(&self, name: &str, modified: SystemTime) {
        let path = self.spec.root().join(name);
        let file = File::options().write(true).open(path).unwrap();
        file.set_modified(modified).unwrap();
    }
}

const FIRST_FILE: [u32; 5] = [0, 1, 2, 3, 4];

#[test]
fn nothing_saved_nothing_trusted() {
    assert!(Fixture::new().trusted().is_empty());
}

#[test]
fn what_was_saved_is_trusted_after_either_end() {
    let fixture = Fixture::new();
    for state in [fixture.clean(), Fixture::unclean()] {
        fixture.save(&state);
        assert_eq!(fixture.trusted().len(), PIECES as usize);
    }
}

#[test]
fn a_file_that_was_gone_at_the_end_is_not_trusted() {
    let fixture = Fixture::new();
    fs::remove_file(fixture.spec.root().join("a")).unwrap();
    fixture.save(&fixture.clean());
    assert_eq!(fixture.trusted(), [5, 6, 7, 8, 9]);
}

#[test]
fn a_file_touched_after_a_clean_end_is_not_trusted() {
    let fixture = Fixture::new();
    fixture.save(&fixture.clean());
    fixture.touch("b", SystemTime::now() + Duration::from_secs(1));
    assert_eq!(fixture.trusted(), FIRST_FILE);
}

#[test]
fn a_file_replaced_after_a_clean_end_is_not_trusted() {
    let fixture = Fixture::new();
    let modified = fs::metadata(fixture.spec.root().join("b")).unwrap().modified().unwrap();
    fixture.save(&fixture.clean());
    fs::write(fixture.dir.path().join("new"), [8; 80]).unwrap();
    fs::rename(fixture.dir.path().join("new"), fixture.spec.root().join("b")).unwrap();
    fixture.touch("b", modified);
    assert_eq!(fixture.trusted(), FIRST_FILE);
}

#[test]
fn a_missing_or_short_file_is_not_trusted() {
    let fixture = Fixture::new();
    for state in [fixture.clean(), Fixture::unclean()] {
        fixture.save(&state);
        fs::write(fixture.spec.root().join("b"), [7; 79]).unwrap();
        assert_eq!(fixture.trusted(), FIRST_FILE);
        fs::remove_file(fixture.spec.root().join("b")).unwrap();
        assert_eq!(fixture.trusted(), FIRST_FILE);
        fs::write(fixture.spec.root().join("b"), [7; 80]).unwrap();
    }
}

#[test]
fn a_file_written_long_after_the_last_save_is_not_trusted() {
    let fixture = Fixture::new();
    fixture.save(&Fixture::unclean());
    fixture.touch("b", SystemTime::now() + SLACK + Duration::from_secs(5));
    assert_eq!(fixture.trusted(), FIRST_FILE);
}

#[test]
fn files_are_ours_as_a_clean_end_left_them_and_all_of_them_after_none() {
    let fixture = Fixture::new();
    let ours = || fixture.place.ours(&fixture.spec);
    assert_eq!(ours(), [false, false], "no run of ours is known");
    fixture.place.begin(&PieceSet::new_empty(PIECES));
    fixture.touch("a", SystemTime::now() + Duration::from_hours(1));
    assert_eq!(ours(), [true, true]);
    assert_eq!(fixture.trusted(), [0; 0], "ours is not yet right");
    fixture.save(&fixture.clean());
    fixture.touch("b", SystemTime::UNIX_EPOCH);
    assert_eq!(ours(), [true, false]);
}

#[test]
fn a_claim_that_no_file_fits_is_not_made_of_the_next_one() {
    let fixture = Fixture::new();
    fixture.save(&Fixture::unclean());
    let path = fixture.spec.root().join("b");
    fs::remove_file(&path).unwrap();
    let trusted = fixture.place.trusted(&fixture.spec);
    fixture.place.withdraw(&trusted, fixture.spec.layout());
    // Made anew, and a power cut takes what was written to it.
    fs::write(&path, [0; 80]).unwrap();
    assert_eq!(fixture.trusted(), FIRST_FILE);

    // The claims of a clean end are kept with how the files looked then.
    fixture.save(&fixture.clean());
    let before = fs::read(&fixture.place.path).unwrap();
    let trusted = fixture.place.trusted(&fixture.spec);
    fixture.place.withdraw(&trusted, fixture.spec.layout());
    assert_eq!(fs::read(&fixture.place.path).unwrap(), before, "nothing to take back");
    fixture.touch("b", SystemTime::UNIX_EPOCH);
    let trusted = fixture.place.trusted(&fixture.spec);
    fixture.place.withdraw(&trusted, fixture.spec.layout());
    assert_eq!(fixture.trusted(), FIRST_FILE);
}

#[test]
fn a_file_cut_anywhere_or_with_any_bit_flipped_is_ignored() {
    let fixture = Fixture::new();
    let whole = fixture.place.encode(&fixture.clean());
    for len in 0..whole.len() {
        assert!(fixture.place.decode(&whole[..len], fixture.spec.layout()).is_err());
    }
    for bit in 0..whole.len() * 8 {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(fixture.place.decode(&flipped, fixture.spec.layout()).is_err());
    }
    assert!(fixture.place.decode(&whole, fixture.spec.layout()).is_ok());
}

#[test]
fn another_torrents_state_is_ignored() {
    let fixture = Fixture::new();
    let bytes = fixture.place.encode(&fixture.clean());
    let other = Place { info_hash: InfoHash::from([8; 20]), ..fixture.place.clone() };
    assert!(other.decode(&bytes, fixture.spec.layout()).is_err());
    let other = Place { root: "/elsewhere".into(), ..fixture.place.clone() };
    assert!(other.decode(&bytes, fixture.spec.layout()).is_err());
    let other = Layout::new(8, &[80, 80]).unwrap();
    assert!(fixture.place.decode(&bytes, &other).is_err());
}

#[test]
fn what_cannot_be_read_claims_nothing() {
    let fixture = Fixture::new();
    let reason = |bytes: &[u8]| {
        let decoded = fixture.place.decode(bytes, fixture.spec.layout());
        decoded.err().expect("not to be believed")
    };
    // Each of them with the checksum that it ought to have.
    let sealed = |body: &[u8]| [body, &piecehash::sha1(&[body])].concat();
    let body = |state: &State| {
        let bytes = fixture.place.encode(state);
        bytes[..bytes.len() - DIGEST_LEN].to_vec()
    };
    let mut other_version = body(&fixture.clean());
    let at = other_version.len() - 3;
    assert_eq!(other_version[at], b'1');
    other_version[at] = b'2';
    assert_eq!(reason(&sealed(&other_version)), "of another version");
    let mut one_stamp = fixture.clean();
    one_stamp.stamps.pop();
    assert_eq!(reason(&sealed(&body(&one_stamp))), "stamps of other files");
    assert_eq!(reason(b"short"), "too short");
    assert_eq!(reason(&[0; 40]), "damaged");

    // In place of the file: a damaged one, one without end, a folder.
    write(&fixture.place.path, &[0; 40]).unwrap();
    assert!(fixture.trusted().is_empty());
    File::options().write(true).open(&fixture.place.path).unwrap().set_len(MAX_LEN + 1).unwrap();
    assert_eq!(fixture.place.load(fixture.spec.layout()).err().unwrap(), "too long");
    fs::remove_file(&fixture.place.path).unwrap();
    fs::create_dir(&fixture.place.path).unwrap();
    assert!(fixture.trusted().is_empty());
    fixture.place.withdraw(&PieceSet::new_empty(PIECES), fixture.spec.layout());
    assert!(fixture.place.path.is_dir());
}

#[test]
fn a_file_that_never_is_on_disk_takes_no_claim_back() {
    let Fixture { dir, spec, place } = Fixture::new();
    let mut files = spec.files().to_vec();
    files[1].on_disk = false;
    fs::remove_file(spec.root().join(&files[1].path)).unwrap();
    let hashes = vec![[0; 20]; PIECES as usize];
    let spec = Spec::from_parts(spec.root(), files, spec.layout().clone(), hashes).unwrap();
    let fixture = Fixture { dir, spec, place };
    fixture.save(&Fixture::unclean());
    assert_eq!(fixture.trusted().len(), PIECES as usize);
}

#[test]
fn nothing_is_claimed_of_a_file_that_is_not_selected() {
    let mut fixture = Fixture::new();
    fixture.save(&fixture.clean());
    fixture.spec = fixture.spec.clone().with_selection(|file| file == 0);
    assert_eq!(fixture.trusted(), FIRST_FILE);
}

#[test]
fn the_saver_saves_in_order_and_says_when() {
    let fixture = Fixture::new();
    let saver = Saver::start().unwrap();
    let (done, told) = crossbeam_channel::unbounded();
    let tell = |what| {
        let done = done.clone();
        move || done.send(what).unwrap()
    };
    saver.save(&fixture.place, Fixture::unclean(), tell("first"));
    saver.save(&fixture.place, fixture.clean(), tell("second"));
    let kept = fixture.dir.path().join("state/kept");
    saver.keep(kept.clone(), b"as it is".to_vec(), tell("third"));
    // One that cannot be saved is told of all the same: nobody waits for it without end.
    saver.keep(fixture.spec.root().join("a/below a file"), Vec::new(), tell("never"));
    drop(saver);
    let order: Vec<&str> = (0..4).map(|_| told.recv().unwrap()).collect();
    assert_eq!(order, ["first", "second", "third", "never"]);
    assert_eq!(fs::read(kept).unwrap(), b"as it is");
    let state = fixture.place.load(fixture.spec.layout()).unwrap().unwrap();
    assert_eq!(state.stamps, storage::stamps(&fixture.spec), "the later one");
}

#[test]
fn what_could_not_be_saved_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    // A folder can't be replaced by a file.
    fs::create_dir_all(path.join("in the way")).unwrap();
    assert!(write(&path, b"bytes").is_err());
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(left, std::slice::from_ref(&path));
    fs::remove_dir_all(&path).unwrap();
    write(&path, b"bytes").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"bytes");
}

#[test]
fn what_a_killed_run_or_another_left_is_written_over_and_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let (path, new) = (folder.path().join("state"), folder.path().join("state.new"));
    let other = folder.path().join("other");
    fs::write(&other, "of the user").unwrap();
    let fifo = |path: &Path| {
        use rustix::fs::{CWD, FileType, Mode, mknodat};
        mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    };
    for make in [
        &(|| fs::write(&new, "half of a long fi").unwrap()) as &dyn Fn(),
        &|| fifo(&new),
        &|| std::os::unix::fs::symlink(&other, &new).unwrap(),
        &|| fifo(&path),
    ] {
        make();
        write(&path, b"bytes").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"bytes");
        assert!(!new.exists());
        fs::remove_file(&path).unwrap();
    }
    assert_eq!(fs::read(&other).unwrap(), b"of the user");
}

#[test]
fn what_is_no_file_is_not_waited_for_and_claims_nothing() {
    let fixture = Fixture::new();
    fixture.save(&fixture.clean());
    fs::remove_file(&fixture.place.path).unwrap();
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    let kind = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, &fixture.place.path, kind, mode, 0).unwrap();
    assert_eq!(fixture.trusted(), [0_u32; 0]);
}
