//! Resume state: what survives, and that nothing damaged or out of date is believed.

use std::sync::atomic::AtomicBool;
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
        self.place.save(state);
    }

    fn now(&self) -> Vec<Option<FileStamp>> {
        storage::stamps(&self.spec, &AtomicBool::new(false)).unwrap()
    }

    fn load(&self) -> State {
        self.place.load(self.spec.layout())
    }

    fn trusted(&self) -> Vec<u32> {
        let trusted = self.load().trusted(&self.now(), &self.spec);
        trusted.iter().map(metainfo::PieceIndex::get).collect()
    }

    fn ours(&self) -> Vec<Writer> {
        self.load().ours(&self.now())
    }

    /// All pieces, with how the files look now, at the end of a run.
    fn clean(&self) -> State {
        let (synced, stamps) = (PieceSet::new_full(PIECES), self.now());
        State { synced, stamps, ours: vec![true; 2], ended: true }
    }

    /// The same, saved while the files were open.
    fn unclean(&self) -> State {
        State { ended: false, ..self.clean() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.spec.root().join(name)
    }

    /// Writes to a file, as often as it takes for a clock that is too coarse, and sets the time of the
    /// last write back.
    fn touch(&self, name: &str) {
        let file = File::options().write(true).open(self.path(name)).unwrap();
        let (before, modified) = (self.now(), file.metadata().unwrap().modified().unwrap());
        while self.now() == before {
            file.set_modified(modified).unwrap();
        }
    }

    fn encode(&self, state: &State) -> Vec<u8> {
        self.place.encode(state, FS)
    }

    fn decode(&self, bytes: &[u8]) -> Result<State, String> {
        self.place.decode(bytes, self.spec.layout(), FS)
    }
}

const FIRST_FILE: [u32; 5] = [0, 1, 2, 3, 4];

const FS: Option<FileSystem> = Some(FileSystem { device: 7, id: 9 });

#[test]
fn nothing_saved_nothing_trusted() {
    assert!(Fixture::new().trusted().is_empty());
}

#[test]
fn what_was_saved_is_trusted_after_either_end() {
    let fixture = Fixture::new();
    for state in [fixture.clean(), fixture.unclean()] {
        fixture.save(&state);
        assert_eq!(fixture.trusted().len(), PIECES as usize);
    }
}

#[test]
fn a_file_that_was_gone_at_the_end_is_not_trusted() {
    let fixture = Fixture::new();
    fs::remove_file(fixture.path("a")).unwrap();
    fixture.save(&fixture.clean());
    assert_eq!(fixture.trusted(), [5, 6, 7, 8, 9]);
}

#[test]
fn a_file_that_looks_different_is_not_trusted_after_either_end() {
    let touch = |fixture: &Fixture| fixture.touch("b");
    let replace = |fixture: &Fixture| {
        // As `cp -p` and `rsync -t` do: of the same length, and no newer.
        let modified = fs::metadata(fixture.path("b")).unwrap().modified().unwrap();
        fs::write(fixture.path("new"), [8; 80]).unwrap();
        let new = File::options().write(true).open(fixture.path("new")).unwrap();
        new.set_modified(modified - Duration::from_hours(1)).unwrap();
        fs::rename(fixture.path("new"), fixture.path("b")).unwrap();
    };
    let cut = |fixture: &Fixture| fs::write(fixture.path("b"), [7; 79]).unwrap();
    let remove = |fixture: &Fixture| fs::remove_file(fixture.path("b")).unwrap();
    let changes: [&dyn Fn(&Fixture); 4] = [&touch, &replace, &cut, &remove];
    for change in changes {
        for clean in [true, false] {
            let fixture = Fixture::new();
            fixture.save(&if clean { fixture.clean() } else { fixture.unclean() });
            change(&fixture);
            assert_eq!(fixture.trusted(), FIRST_FILE);
        }
    }
}

#[test]
fn no_clock_makes_a_changed_file_trusted() {
    // A file of the future, as a clock that stood a year ahead leaves it, and one of the past.
    for days in [365, -365_i64] {
        let fixture = Fixture::new();
        let mut state = fixture.unclean();
        for stamp in state.stamps.iter_mut().flatten() {
            stamp.changed += days * 86_400;
        }
        fixture.save(&state);
        assert_eq!(fixture.trusted(), [0; 0]);
    }
}

#[test]
fn files_are_ours_that_a_run_wrote_to_and_nothing_else_since() {
    use Writer::{Ours, Perhaps, Unknown};

    let fixture = Fixture::new();
    assert_eq!(fixture.ours(), [Unknown, Unknown], "no run of ours is known");
    let nothing = PieceSet::new_empty(PIECES);
    let begin = |ours: [bool; 2]| {
        fixture.place.begin(&nothing, fixture.now(), ours.to_vec());
    };
    begin([true, false]);
    assert_eq!(fixture.ours(), [Ours, Unknown], "it only read the other one");
    fixture.touch("a");
    fixture.touch("b");
    assert_eq!(fixture.ours(), [Perhaps, Unknown], "by a run that was killed, or by others");
    assert_eq!(fixture.trusted(), [0; 0], "ours is not yet right");
    fs::write(fixture.path("new"), [8; 80]).unwrap();
    fs::rename(fixture.path("new"), fixture.path("a")).unwrap();
    assert_eq!(fixture.ours(), [Unknown, Unknown], "another file");
    fixture.save(&fixture.clean());
    fixture.touch("b");
    assert_eq!(fixture.ours(), [Ours, Unknown], "after an end that was clean");
}

#[test]
fn a_new_file_with_the_inode_of_one_that_is_gone_is_another_one() {
    let fixture = Fixture::new();
    fixture.place.begin(&PieceSet::new_empty(PIECES), fixture.now(), vec![true; 2]);
    let before = fixture.now()[1].unwrap();
    fs::remove_file(fixture.path("b")).unwrap();
    fs::write(fixture.path("b"), [8; 80]).unwrap();
    let now = fixture.now()[1].unwrap();
    // Whether the file system gives it the same inode or not.
    assert!(now.born == 0 || !now.is_same_file(before));
    if now.born != 0 {
        assert_eq!(fixture.ours(), [Writer::Ours, Writer::Unknown]);
    }
}

#[test]
fn a_file_system_may_have_another_number_after_a_new_start_of_the_system() {
    let fixture = Fixture::new();
    let mut state = fixture.clean();
    for (stamp, device) in state.stamps.iter_mut().flatten().zip([7, 8]) {
        stamp.device = device;
    }
    let bytes = fixture.encode(&state);
    let devices = |fs| {
        let state = fixture.place.decode(&bytes, fixture.spec.layout(), fs).unwrap();
        state.stamps.iter().map(|stamp| stamp.map(|stamp| stamp.device)).collect::<Vec<_>>()
    };
    assert_eq!(devices(FS), [Some(7), Some(8)]);
    assert_eq!(devices(Some(FileSystem { device: 70, id: 9 })), [Some(70), Some(8)]);
    // Another one in its place.
    assert_eq!(devices(Some(FileSystem { device: 7, id: 10 })), [None, Some(8)]);
    assert_eq!(devices(Some(FileSystem { device: 7, id: 0 })), [None, Some(8)]);
    assert_eq!(devices(None), [None, Some(8)]);
}

#[test]
fn a_claim_that_no_file_fits_is_not_made_of_the_next_one() {
    for clean in [true, false] {
        let fixture = Fixture::new();
        let state = if clean { fixture.clean() } else { fixture.unclean() };
        fixture.save(&state);
        let before = fs::read(&fixture.place.path).unwrap();
        let withdraw = || {
            let saved = fixture.load();
            fixture.place.withdraw(&saved, &saved.trusted(&fixture.now(), &fixture.spec));
        };
        withdraw();
        assert_eq!(fs::read(&fixture.place.path).unwrap(), before, "nothing to take back");
        let path = fixture.path("b");
        fs::rename(&path, fixture.path("away")).unwrap();
        withdraw();
        // Even the file of then is hashed again.
        fs::rename(fixture.path("away"), &path).unwrap();
        assert_eq!(fixture.trusted(), FIRST_FILE);
        assert_eq!(fixture.load().ended, clean);
    }
}

#[test]
fn a_file_cut_anywhere_or_with_any_bit_flipped_is_ignored() {
    let fixture = Fixture::new();
    let whole = fixture.encode(&fixture.clean());
    for len in 0..whole.len() {
        assert!(fixture.decode(&whole[..len]).is_err());
    }
    for bit in 0..whole.len() * 8 {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(fixture.decode(&flipped).is_err());
    }
    assert!(fixture.decode(&whole).is_ok());
}

#[test]
fn another_torrents_state_is_ignored() {
    let fixture = Fixture::new();
    let bytes = fixture.encode(&fixture.clean());
    let other = Place { info_hash: InfoHash::from([8; 20]), ..fixture.place.clone() };
    assert!(other.decode(&bytes, fixture.spec.layout(), FS).is_err());
    let other = Place { root: "/elsewhere".into(), ..fixture.place.clone() };
    assert!(other.decode(&bytes, fixture.spec.layout(), FS).is_err());
    let other = Layout::new(8, &[80, 80]).unwrap();
    assert!(fixture.place.decode(&bytes, &other, FS).is_err());
}

#[test]
fn what_cannot_be_read_claims_nothing() {
    let fixture = Fixture::new();
    let reason = |bytes: &[u8]| {
        let decoded = fixture.decode(bytes);
        decoded.err().expect("not to be believed")
    };
    // Each of them with the checksum that it ought to have.
    let sealed = |body: &[u8]| [body, &piecehash::sha1(&[body])].concat();
    let body = |state: &State| {
        let bytes = fixture.encode(state);
        bytes[..bytes.len() - DIGEST_LEN].to_vec()
    };
    let mut other_version = body(&fixture.clean());
    let at = other_version.len() - 3;
    assert_eq!(other_version[at], b'3');
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
    assert_eq!(fixture.place.read(fixture.spec.layout()).err().unwrap(), "too long");
    fs::remove_file(&fixture.place.path).unwrap();
    fs::create_dir(&fixture.place.path).unwrap();
    assert!(fixture.trusted().is_empty());
    fixture.place.withdraw(&fixture.load(), &PieceSet::new_empty(PIECES));
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
    fixture.save(&fixture.unclean());
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
    saver.save(&fixture.place, fixture.unclean(), tell("first"));
    saver.save(&fixture.place, fixture.clean(), tell("second"));
    let kept = fixture.dir.path().join("state/kept");
    saver.keep(kept.clone(), b"as it is".to_vec(), tell("third"));
    // One that cannot be saved is told of all the same: nobody waits for it without end.
    saver.keep(fixture.spec.root().join("a/below a file"), Vec::new(), tell("never"));
    drop(saver);
    let order: Vec<&str> = (0..4).map(|_| told.recv().unwrap()).collect();
    assert_eq!(order, ["first", "second", "third", "never"]);
    assert_eq!(fs::read(kept).unwrap(), b"as it is");
    assert!(fixture.load().ended, "the later one");
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
