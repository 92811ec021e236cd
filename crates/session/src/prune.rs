//! Removing state that is of no use any more: resume files of folders that are gone, and what no run has
//! touched for a year. Losing one that was of use costs a recheck, so age alone may decide; data itself is
//! never touched, nor is a file whose name is not one of ours.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, DirEntry, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bencode::{Decoder, Value};

const DAY: Duration = Duration::from_hours(24);

/// State of a folder that is not there is kept this long after the last run: the folder may be on a drive
/// that is not plugged in, or on a server that is off.
const WITHOUT_FOLDER: Duration = DAY.saturating_mul(30);

/// Any other state is kept this long after it was written. What was fetched of a magnet stays as long as
/// there is resume state of its torrent.
const UNUSED: Duration = DAY.saturating_mul(365);

/// A file that was being written when its run was killed. No writing takes a day.
const UNFINISHED: Duration = DAY;

/// Longer than any file that says which folder it is of.
const MAX_LEN: u64 = 32 << 20;

/// Letters of an info-hash, and of the digest of a folder, in a file's name.
const HASH: usize = 40;
const FOLDER: usize = 16;

/// Looks through the state `folder` on a thread of its own, as a large one takes a while to read.
pub(crate) fn start(folder: PathBuf) {
    let thread = std::thread::Builder::new().name("prune".into());
    let started = thread.spawn(move || prune(&folder, SystemTime::now()));
    if let Err(error) = started {
        // The next start does it.
        log::debug!("cannot start a thread to remove old state: {error}");
    }
}

/// Removes from the state `folder` what is of no use any more.
fn prune(folder: &Path, now: SystemTime) {
    let Ok(entries) = fs::read_dir(folder) else {
        // The first run has none. Where it cannot be read, saving tells that.
        return;
    };
    let mut metadata = Vec::new();
    let mut kept = BTreeSet::new();
    for entry in entries.flatten() {
        let Ok(meta) = entry.metadata() else { continue };
        let Some(kind) = Kind::of(&entry).filter(|_| meta.is_file()) else { continue };
        let age = age(&meta, now);
        let is_useless = match &kind {
            Kind::Unfinished => age > UNFINISHED,
            Kind::Resume(_) => {
                age > UNUSED || (age > WITHOUT_FOLDER && is_of_no_folder(&entry.path(), meta.len()))
            }
            Kind::Metadata(hash) => {
                if age > UNUSED {
                    metadata.push((hash.clone(), entry.path()));
                }
                false
            }
        };
        if is_useless {
            remove(&entry.path());
        } else if let Kind::Resume(hash) = kind {
            kept.insert(hash);
        }
    }
    for (_, path) in metadata.iter().filter(|(hash, _)| !kept.contains(hash)) {
        remove(path);
    }
}

/// What a file is, by its name.
enum Kind {
    /// `HASH-FOLDER.resume`, with the info-hash.
    Resume(String),
    /// `HASH.torrent`, with the info-hash.
    Metadata(String),
    /// One of them, or other state, with `.new` behind it.
    Unfinished,
}

impl Kind {
    /// `None` if it is not ours.
    fn of(entry: &DirEntry) -> Option<Self> {
        let name = entry.file_name();
        let name = name.to_str()?;
        if let Some(name) = name.strip_suffix(".new") {
            let is_ours = name == "dht.state" || Self::finished(name).is_some();
            return is_ours.then_some(Self::Unfinished);
        }
        Self::finished(name)
    }

    fn finished(name: &str) -> Option<Self> {
        let is_hex = |text: &str, len| {
            text.len() == len
                && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        };
        if let Some(hash) = name.strip_suffix(".torrent") {
            return is_hex(hash, HASH).then(|| Self::Metadata(hash.to_owned()));
        }
        let (hash, folder) = name.strip_suffix(".resume")?.split_once('-')?;
        (is_hex(hash, HASH) && is_hex(folder, FOLDER)).then(|| Self::Resume(hash.to_owned()))
    }
}

/// How long ago it was written; no time at all if that is in the future.
fn age(meta: &Metadata, now: SystemTime) -> Duration {
    meta.modified().ok().and_then(|then| now.duration_since(then).ok()).unwrap_or_default()
}

/// Whether the file names a folder that is not there. What cannot be read, or names none, says nothing.
fn is_of_no_folder(path: &Path, len: u64) -> bool {
    if len > MAX_LEN {
        return false;
    }
    let Ok(bytes) = storage::with_descriptors(|| fs::read(path)) else { return false };
    let Ok(document) = Decoder::new().decode_prefix(&bytes) else { return false };
    let Some(folder) = document.root().get("root").and_then(Value::as_bytes) else { return false };
    let folder = Path::new(OsStr::from_bytes(folder));
    let looked = folder.symlink_metadata();
    folder.is_absolute() && looked.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

fn remove(path: &Path) {
    match fs::remove_file(path) {
        Ok(()) => log::info!("{}: old state that was of no more use, removed", path.display()),
        // Another program of ours may have been faster.
        Err(error) => log::debug!("{}: cannot remove old state: {error}", path.display()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    const NOW: Duration = DAY.saturating_mul(20_000);

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        /// A file that was written so many days ago.
        fn write(&self, name: &str, days: u32, bytes: &[u8]) {
            let path = self.0.path().join(name);
            fs::write(&path, bytes).unwrap();
            let then = SystemTime::UNIX_EPOCH + NOW - DAY * days;
            File::options().write(true).open(path).unwrap().set_modified(then).unwrap();
        }

        /// What is left.
        fn pruned(&self) -> Vec<String> {
            prune(self.0.path(), SystemTime::UNIX_EPOCH + NOW);
            let entries = fs::read_dir(self.0.path()).unwrap();
            let mut names: Vec<String> =
                entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        }
    }

    fn resume(letter: char) -> String {
        format!("{}-{}.resume", hash(letter), "0".repeat(16))
    }

    fn hash(letter: char) -> String {
        letter.to_string().repeat(40)
    }

    /// A resume file of this folder, as far as it is looked at; a digest follows.
    fn of(root: &Path) -> Vec<u8> {
        let root = root.as_os_str().as_bytes();
        let mut bytes = bencode::encode_dict(|dict| dict.bytes("root", root));
        bytes.extend_from_slice(&[7; 20]);
        bytes
    }

    #[test]
    fn state_of_a_folder_that_is_gone_is_removed_after_a_month() {
        let folder = Folder::new();
        let gone = of(&folder.0.path().join("gone"));
        let there = of(folder.0.path());
        folder.write(&resume('a'), 31, &gone);
        folder.write(&resume('b'), 29, &gone);
        folder.write(&resume('c'), 300, &there);
        // What says nothing of a folder is not judged by one.
        for (letter, bytes) in [
            ('d', b"".as_slice()),
            ('e', b"d4:rooti1ee"),
            ('f', b"\0"),
            ('0', &of("gone".as_ref())),
        ] {
            folder.write(&resume(letter), 300, bytes);
        }
        let kept = ['0', 'b', 'c', 'd', 'e', 'f'].map(resume);
        assert_eq!(folder.pruned(), kept);
    }

    #[test]
    fn what_was_not_used_for_a_year_is_removed() {
        let folder = Folder::new();
        let there = of(folder.0.path());
        folder.write(&resume('a'), 366, &there);
        folder.write(&resume('b'), 364, &there);
        let torrent = |letter| format!("{}.torrent", hash(letter));
        // Not written anew by each run, so its resume state tells whether it is in use.
        folder.write(&torrent('a'), 400, b"");
        folder.write(&torrent('b'), 400, b"");
        folder.write(&torrent('c'), 364, b"");
        assert_eq!(folder.pruned(), [resume('b'), torrent('b'), torrent('c')]);
    }

    #[test]
    fn what_was_left_half_written_is_removed_and_nothing_that_is_not_ours() {
        let folder = Folder::new();
        folder.write(&format!("{}.new", resume('a')), 2, b"");
        folder.write(&format!("{}.new", resume('b')), 0, b"");
        folder.write("dht.state.new", 2, b"");
        let others = ["A.resume", "dht.state", "mine.torrent", "notes", "x.new"];
        for name in others {
            folder.write(name, 10_000, b"");
        }
        fs::create_dir(folder.0.path().join(resume('c'))).unwrap();
        let mut kept = others.map(str::to_owned).to_vec();
        kept.extend([format!("{}.new", resume('b')), resume('c')]);
        kept.sort();
        assert_eq!(folder.pruned(), kept);
        prune(&folder.0.path().join("absent"), SystemTime::now());
    }

    #[test]
    fn the_clock_may_be_wrong() {
        let folder = Folder::new();
        folder.write(&resume('a'), 31, &of("/gone".as_ref()));
        prune(folder.0.path(), SystemTime::UNIX_EPOCH);
        assert!(folder.0.path().join(resume('a')).exists());
    }
}
