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
