//! What was in a torrent's place before it: nothing of the user's is destroyed without `--force`, and
//! `verify` says of every folder what `download` said of it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};

use testkit::PATIENCE;
use testkit::cli::Cli;
use testkit::process::Process;
use testkit::seed::Seed;
use testkit::torrent::{Builder, Torrent};

use crate::stage::Stage;

/// A large file, and two small ones that share the piece at its end.
fn album() -> Torrent {
    Builder::new("album").file("film", 300_000).file("cover", 700).file("notes", 900).build()
}

/// Every file below the folder, with its bytes.
fn content(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(content(&path));
        } else {
            all.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    all
}

/// The stage, the seed of its torrent, and a folder in which the album's is made.
struct Place {
    stage: Stage,
    seed: Seed,
    dir: PathBuf,
}

impl Place {
    fn new() -> Self {
        Self::of(album())
    }

    fn of(torrent: Torrent) -> Self {
        let stage = Stage::with(torrent);
        let seed = Seed::start(&stage.torrent, "seed").unwrap();
        stage.tracker.add_peer(stage.torrent.info_hash(), seed.addr());
        let dir = stage.dir("target");
        fs::create_dir(dir.join("album")).unwrap();
        Self { stage, seed, dir }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.join("album").join(name)
    }

    /// What the torrent has in a file.
    fn right(&self, name: &str) -> Vec<u8> {
        let whole = self.dir.with_file_name("right");
        if !whole.exists() {
            fs::create_dir(&whole).unwrap();
            self.stage.torrent.write_files(&whole).unwrap();
        }
        fs::read(whole.join("album").join(name)).unwrap()
    }

    fn download(&self, options: &[&str]) -> Process {
        let download = Cli::download(&self.stage.file, &self.dir).unwrap().args(options);
        let download = download.start().unwrap();
        download.wait_exit(PATIENCE).unwrap();
        download
    }

    fn verify(&self) -> i32 {
        let verify = Cli::new(["verify"]).unwrap().arg(&self.stage.file).arg("-d").arg(&self.dir);
        verify.start().unwrap().wait_exit(PATIENCE).unwrap().code().unwrap()
    }

    /// It is refused in one line that says `words`, with nothing changed and nobody asked.
    fn is_refused(&self, words: &str) {
        let before = content(&self.dir);
        let download = self.download(&["-q"]);
        let log = download.log();
        assert_eq!(download.exit().unwrap().code(), Some(13), "{log}");
        assert!(log.starts_with("error: ") && log.lines().count() == 1, "{log}");
        assert!(log.contains(words) && log.contains("--force"), "{log}");
        assert!(content(&self.dir) == before, "{log}");
        assert!(self.seed.sent().is_empty());
        assert!(self.stage.tracker.announces().is_empty());
        assert_eq!(self.verify(), 32);
    }

    /// It becomes complete, and `verify` agrees.
    fn completes(&self, options: &[&str]) -> Process {
        let download = self.download(options);
        assert_eq!(download.exit().unwrap().code(), Some(0), "{}", download.log());
        self.stage.torrent.compare(&self.dir).unwrap();
        assert_eq!(self.verify(), 0);
        download
    }
}

#[test]
fn a_longer_file_is_refused_and_cut_by_force() {
    let place = Place::new();
    fs::write(place.file("film"), [&place.right("film")[..], b"a tail"].concat()).unwrap();
    fs::write(place.file("notes"), [&place.right("notes")[..], b"!"].concat()).unwrap();
    place.is_refused("film: is 6 bytes longer than the torrent says (and one more file)");
    place.completes(&["--force"]);
    let again = place.completes(&[]);
    assert!(again.log().contains("complete"), "{}", again.log());
}

#[test]
fn a_longer_file_is_not_seeded() {
    let place = Place::new();
    place.stage.torrent.write_files(&place.dir).unwrap();
    let seed = || Cli::seed(&place.stage.file, &place.dir).unwrap().start().unwrap();
    let film = File::options().write(true).open(place.file("film")).unwrap();
    film.set_len(300_001).unwrap();
    let refused = seed();
    assert_eq!(refused.wait_exit(PATIENCE).unwrap().code(), Some(32), "{}", refused.log());
    assert!(refused.log().contains("1 byte longer"), "{}", refused.log());
    assert_eq!(film.metadata().unwrap().len(), 300_001);
    assert_eq!(place.verify(), 32);
}

#[test]
fn other_content_is_refused_and_replaced_by_force() {
    for len in [300_000, 250_000, 40_000, 10_000, 1] {
        let place = Place::new();
        fs::write(place.file("film"), vec![b'x'; len]).unwrap();
        place.is_refused("film: holds something else than the torrent does");
        place.completes(&["--force"]);
    }
    // Small files too, where nothing else in the folder is right.
    let place = Place::new();
    fs::write(place.file("cover"), [b'x'; 700]).unwrap();
    fs::write(place.file("notes"), [b'x'; 5]).unwrap();
    place.is_refused("cover: holds something else than the torrent does (and one more file)");
    place.completes(&["--force"]);
    // Nor is one file right because another is.
    let place = Place::new();
    fs::write(place.file("film"), vec![b'x'; 300_000]).unwrap();
    fs::write(place.file("cover"), place.right("cover")).unwrap();
    place.is_refused("film: holds something else");
}

#[test]
fn a_file_with_a_second_name_elsewhere_is_not_written_through() {
    let place = Place::new();
    let elsewhere = place.dir.join("precious");
    fs::write(&elsewhere, vec![b'x'; 300_000]).unwrap();
    fs::hard_link(&elsewhere, place.file("film")).unwrap();
    place.is_refused("film: holds something else");
    assert_eq!(fs::read(&elsewhere).unwrap(), vec![b'x'; 300_000]);
}

#[test]
fn what_is_partly_right_is_continued_and_what_is_fetched_again_is_told() {
    let place = Place::new();
    let mut film = place.right("film");
    film[100_000..100_010].fill(b'x');
    fs::write(place.file("film"), film).unwrap();
    let download = place.completes(&[]);
    let told = "warning: 1 piece on disk is wrong and is fetched again";
    assert!(download.log().contains(told), "{}", download.log());

    // As another client left it: pieces in the middle, a small file that is complete, room elsewhere.
    let place = Place::new();
    let film = File::create(place.file("film")).unwrap();
    film.set_len(300_000).unwrap();
    film.write_all_at(&place.right("film")[65_536..131_072], 65_536).unwrap();
    fs::write(place.file("cover"), place.right("cover")).unwrap();
    place.completes(&[]);
}

#[test]
fn room_that_holds_nothing_yet_is_used() {
    for sparse in [true, false] {
        let place = Place::new();
        let film = File::create(place.file("film")).unwrap();
        film.set_len(300_000).unwrap();
        if !sparse {
            film.write_all_at(&vec![0; 300_000], 0).unwrap();
        }
        // Neither does a file that is empty, or all zeros, or short of them.
        File::create(place.file("cover")).unwrap();
        fs::write(place.file("notes"), [0; 20]).unwrap();
        let download = place.completes(&[]);
        assert!(!download.log().contains("warning"), "{}", download.log());
    }
}

#[test]
fn a_shorter_file_that_is_right_as_far_as_it_goes_is_continued() {
    let place = Place::new();
    fs::write(place.file("film"), &place.right("film")[..200_000]).unwrap();
    place.completes(&[]);
    assert!(place.seed.sent().keys().all(|piece| *piece >= 6), "{:?}", place.seed.sent());
}

#[test]
fn a_folder_in_the_place_of_a_file_stays() {
    let place = Place::new();
    fs::create_dir(place.file("film")).unwrap();
    let download = place.download(&["--force"]);
    assert_eq!(download.exit().unwrap().code(), Some(17), "{}", download.log());
    assert!(place.file("film").is_dir());
    assert!(!place.file("cover").exists());
    assert_eq!(place.verify(), 32);
}

#[test]
fn what_a_killed_download_left_is_ours() {
    // One piece that is far larger than what stays in memory, so that half of it goes to disk unchecked.
    let stage = Stage::with(Builder::single("image", 40 << 20).piece_length(40 << 20).build());
    let seed = Seed::start(&stage.torrent, "seed").unwrap();
    stage.tracker.add_peer(stage.torrent.info_hash(), seed.addr());
    let dir = stage.dir("target");
    let slow = Cli::download(&stage.file, &dir).unwrap().args(["--max-download", "20M"]);
    let slow = slow.start().unwrap();
    let image = dir.join("image");
    let written = || fs::read(&image).is_ok_and(|bytes| bytes.iter().any(|byte| *byte != 0));
    while !written() {
        assert!(slow.exit().is_none(), "{}", slow.log());
        std::thread::yield_now();
    }
    slow.kill();
    slow.wait_exit(PATIENCE).unwrap();
    let again = Cli::download(&stage.file, &dir).unwrap().start().unwrap();
    again.wait_success(PATIENCE).unwrap();
    stage.torrent.compare(&dir).unwrap();
}

#[test]
fn what_was_changed_after_a_clean_end_is_not_ours() {
    let place = Place::new();
    place.completes(&[]);
    fs::write(place.file("film"), vec![b'x'; 300_000]).unwrap();
    for name in ["cover", "notes"] {
        fs::remove_file(place.file(name)).unwrap();
    }
    let download = place.download(&[]);
    assert_eq!(download.exit().unwrap().code(), Some(13), "{}", download.log());
    assert_eq!(fs::read(place.file("film")).unwrap(), vec![b'x'; 300_000]);
    place.completes(&["--force"]);
}

#[test]
fn a_file_that_may_only_be_read_and_is_right_is_left_alone() {
    let place = Place::new();
    place.stage.torrent.write_files(&place.dir).unwrap();
    fs::set_permissions(place.file("film"), fs::Permissions::from_mode(0o444)).unwrap();
    place.completes(&[]);
    assert!(place.seed.sent().is_empty());
}

/// Two large files that share a piece, and an empty one.
fn pair() -> Torrent {
    Builder::new("album").file("film", 300_000).file("book", 300_000).file("empty", 0).build()
}

#[test]
fn the_neighbour_of_a_selected_file_is_not_overwritten() {
    let place = Place::of(pair());
    fs::write(place.file("book"), vec![b'x'; 300_000]).unwrap();
    let before = content(&place.dir);
    let download = place.download(&["--select", "film"]);
    assert_eq!(download.exit().unwrap().code(), Some(13), "{}", download.log());
    assert!(download.log().contains("book: holds something else"), "{}", download.log());
    assert!(content(&place.dir) == before);
    assert!(place.seed.sent().is_empty());
}

#[test]
fn small_files_that_cannot_be_judged_are_named_before_they_are_written() {
    let place = Place::new();
    fs::write(place.file("film"), &place.right("film")[..200_000]).unwrap();
    fs::write(place.file("cover"), [b'x'; 700]).unwrap();
    fs::write(place.file("notes"), [b'x'; 900]).unwrap();
    let download = place.completes(&["--json"]);
    let log = download.log();
    for name in ["cover", "notes"] {
        let told = format!("{name}: too small to be judged alone; taken for the torrent's");
        assert_eq!(log.lines().filter(|line| line.contains(&told)).count(), 2, "{log}");
    }
    assert_eq!(
        log.lines().filter(|line| line.contains("\"event\":\"warning\"")).count(),
        2,
        "{log}"
    );
    // A shorter one is not taken for it.
    let place = Place::new();
    fs::write(place.file("film"), &place.right("film")[..200_000]).unwrap();
    fs::write(place.file("notes"), b"mine").unwrap();
    place.is_refused("notes: holds something else");
}

/// A download that was given one piece only, and is waiting for more.
fn begun(place: &Place) -> Process {
    let slow = Cli::download(&place.stage.file, &place.dir).unwrap();
    let slow = slow.args(["--max-download", "40K"]).start().unwrap();
    slow.wait_line(PATIENCE, |line| line.contains("listening on").then_some(())).unwrap();
    while place.seed.sent().is_empty() {
        assert!(slow.exit().is_none(), "{}", slow.log());
        std::thread::yield_now();
    }
    slow
}

fn replace(place: &Place) {
    let other = place.dir.join("other");
    fs::write(&other, vec![b'x'; 300_000]).unwrap();
    fs::rename(&other, place.file("film")).unwrap();
}

#[test]
fn another_file_in_the_place_of_one_that_a_killed_download_made_is_not_ours() {
    let place = Place::of(pair());
    let slow = begun(&place);
    slow.kill();
    slow.wait_exit(PATIENCE).unwrap();
    replace(&place);
    let again = place.download(&[]);
    assert_eq!(again.exit().unwrap().code(), Some(13), "{}", again.log());
    assert!(again.log().contains("film: holds something else"), "{}", again.log());
    place.completes(&["--force"]);
}

#[test]
fn a_file_that_was_replaced_during_a_download_is_not_ours_at_the_next_one() {
    let place = Place::of(pair());
    let slow = begun(&place);
    replace(&place);
    slow.terminate();
    slow.wait_exit(PATIENCE).unwrap();
    let again = place.download(&[]);
    assert_eq!(again.exit().unwrap().code(), Some(13), "{}", again.log());
    assert!(again.log().contains("film: holds something else"), "{}", again.log());
    assert_eq!(fs::read(place.file("film")).unwrap(), vec![b'x'; 300_000]);
}

#[test]
fn two_names_of_one_file_are_refused_before_a_byte_is_written() {
    let place = Place::of(pair());
    fs::write(place.file("film"), &place.right("film")[..200_000]).unwrap();
    fs::hard_link(place.file("film"), place.file("book")).unwrap();
    let before = content(&place.dir);
    let download = place.download(&["--force"]);
    assert_eq!(download.exit().unwrap().code(), Some(17), "{}", download.log());
    assert!(download.log().contains("is the same file on disk as "), "{}", download.log());
    assert!(content(&place.dir) == before);
}

#[test]
fn a_seed_without_its_empty_file_is_not_whole_as_verify_says() {
    let place = Place::of(pair());
    place.stage.torrent.write_files(&place.dir).unwrap();
    fs::remove_file(place.file("empty")).unwrap();
    let seed = Cli::seed(&place.stage.file, &place.dir).unwrap().start().unwrap();
    assert_eq!(seed.wait_exit(PATIENCE).unwrap().code(), Some(32), "{}", seed.log());
    assert!(seed.log().contains("empty: is missing"), "{}", seed.log());
    assert_eq!(place.verify(), 32);
    place.completes(&[]);
}

#[test]
fn what_a_seed_only_served_is_not_ours() {
    let place = Place::of(pair());
    fs::write(place.file("film"), place.right("film")).unwrap();
    fs::write(place.file("book"), vec![b'x'; 300_000]).unwrap();
    let seed = Cli::seed(&place.stage.file, &place.dir).unwrap().arg("--partial").start().unwrap();
    seed.wait_line(PATIENCE, |line| line.contains(": seeding ").then_some(())).unwrap();
    seed.terminate();
    seed.wait_exit(PATIENCE).unwrap();
    let download = place.download(&[]);
    assert_eq!(download.exit().unwrap().code(), Some(13), "{}", download.log());
    assert!(download.log().contains("book: holds something else"), "{}", download.log());
    assert_eq!(fs::read(place.file("book")).unwrap(), vec![b'x'; 300_000]);
}

#[test]
fn a_new_file_where_a_killed_download_had_one_is_not_ours() {
    let place = Place::of(pair());
    let slow = begun(&place);
    slow.kill();
    slow.wait_exit(PATIENCE).unwrap();
    // File systems like to give the new one the inode of the old one.
    fs::remove_file(place.file("film")).unwrap();
    fs::write(place.file("film"), vec![b'x'; 300_000]).unwrap();
    let again = place.download(&[]);
    assert_eq!(again.exit().unwrap().code(), Some(13), "{}", again.log());
    assert_eq!(fs::read(place.file("film")).unwrap(), vec![b'x'; 300_000]);
}

#[test]
fn what_another_program_writes_in_place_during_a_download_is_not_overwritten() {
    let place = Place::of(pair());
    let slow = begun(&place);
    for name in ["film", "book"] {
        fs::write(place.file(name), vec![b'x'; 300_000]).unwrap();
    }
    assert_eq!(slow.wait_exit(PATIENCE).unwrap().code(), Some(17), "{}", slow.log());
    assert!(slow.log().contains("by another program"), "{}", slow.log());
    for name in ["film", "book"] {
        assert_eq!(fs::read(place.file(name)).unwrap(), vec![b'x'; 300_000]);
    }
    let again = place.download(&[]);
    assert_eq!(again.exit().unwrap().code(), Some(13), "{}", again.log());
}
