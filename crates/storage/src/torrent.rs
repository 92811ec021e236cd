//! An open torrent: its files, its locks, what was written to it and is not durable yet.
//! It starts no thread and decides nothing about pieces.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metainfo::{PieceIndex, sanitise_name};
use rustix::fs::Stat;
use rustix::io::Errno;

use crate::error::{Error, ErrorKind};
use crate::files::{Descriptors, FileId, Files};
use crate::fit;
use crate::links;
use crate::lock::{Locks, SpareLocks};
use crate::paths::{Access, Root};
use crate::room::{free_space, full_by, survey, unallocated};
use crate::spec::{Allocation, Spec, unsupported};
use crate::stamp::{self, FileStamp};
use crate::sys;
use crate::watch::Watch;

/// One torrent, created on disk and locked for as long as this lives.
#[derive(Debug)]
pub(crate) struct Torrent {
    pub(crate) files: Files,
    pub(crate) watch: Watch,
    dirty: Mutex<Dirty>,
    pub(crate) locks: Locks,
    /// None of its files had a byte before.
    pub(crate) fresh: bool,
}

/// What a sync has to make durable.
#[derive(Debug, Default)]
pub(crate) struct Dirty {
    pub(crate) files: BTreeSet<usize>,
    /// Folders, relative to the target folder, in which something was created.
    pub(crate) folders: BTreeSet<PathBuf>,
    /// Checked, but lost if the power goes now.
    pub(crate) pieces: Vec<PieceIndex>,
}

impl Torrent {
    /// Takes the torrent's locks, then makes its files and gives them their lengths.
    ///
    /// A file that is long enough already is left as it is; one that is too long is cut only where the
    /// spec says so. Where it is known how the files looked, they have to look so still.
    pub(crate) fn open(
        spec: &Spec,
        known: Option<&[Option<FileStamp>]>,
        descriptors: &Descriptors,
        spare: Arc<SpareLocks>,
    ) -> Result<Self, Error> {
        if spec.is_merkle() {
            return Err(unsupported());
        }
        fit::check(spec)?;
        let stats = survey(spec)?;
        let now = stamp::stamps(spec, &descriptors.over)?;
        if let Some(known) = known {
            let changed = known.iter().zip(&now).position(|(known, now)| known != now);
            changed.map_or(Ok(()), |file| Err(Error::changed_meanwhile(spec, file)))?;
        }
        let as_found = spec.allocation() == Allocation::AsFound;
        if !as_found {
            spec.kept().check(spec, &stats)?;
        }
        let root = if as_found {
            descriptors.patiently(|| Root::of(spec))?
        } else {
            refuse_if_full(spec, &stats)?;
            descriptors.patiently(|| Root::create_of(spec))?
        };
        let locks = Locks::take(&root, spec, &stats, spare, descriptors)?;
        let watch = Watch::new(spec.layout());
        let mut dirty = Dirty::default();
        let mut new_files = HashMap::new();
        for (index, file) in spec.files().iter().enumerate() {
            if !file.on_disk {
                continue;
            }
            let len = spec.layout().file_len(index);
            let before = now.get(index).copied().flatten();
            match before {
                Some(stamp) if stamp.len == len || stamp.len > len && !spec.overwrites() => {
                    if stamp.len > len {
                        let path = spec.root().join(&file.path);
                        log::warn!(
                            "{}: longer than the torrent says; its end is left alone",
                            path.display()
                        );
                    }
                    watch.know(index, stamp);
                }
                Some(stamp) if as_found => watch.know(index, stamp),
                None if as_found => {}
                _ => {
                    let was = if locks.has_made(index) { Was::Locked } else { Was::of(before) };
                    let make = || make(spec, &root, index, len, was);
                    let stamp = descriptors.patiently(make).map_err(|error| {
                        // Through a link, or where the file system takes both names for one.
                        let found = root.look(&file.path).ok().flatten();
                        let id =
                            found.filter(|_| was == Was::Nothing).map(|stat| FileId::of(&stat));
                        let other =
                            id.and_then(|id| new_files.get(&id).copied().or(locks.made_as(id)));
                        other.map_or(error, |other| same_file(spec, index, other))
                    })?;
                    new_files.insert(stamp.id(), index);
                    watch.know(index, stamp);
                    if before.is_none() {
                        watch.made(index);
                    }
                }
            }
            if before.is_some_and(|stamp| stamp.len > 0) {
                dirty.files.insert(index);
            }
            if before.is_none() && !as_found {
                note_folders(&mut dirty.folders, &file.path);
            }
        }
        if !as_found {
            for made in links::make(spec, &root, descriptors) {
                note_folders(&mut dirty.folders, &made);
            }
        }
        let fresh = dirty.files.is_empty();
        let files = Files::new(spec.clone(), descriptors.clone());
        Ok(Self { files, watch, dirty: Mutex::new(dirty), locks, fresh })
    }

    /// Notes that the file was written.
    pub(crate) fn note_file(&self, index: usize) {
        self.lock().files.insert(index);
    }

    /// Notes that the piece is whole in its files.
    pub(crate) fn note_piece(&self, piece: PieceIndex) {
        self.lock().pieces.push(piece);
    }

    /// What is not durable yet; from now on it is the caller's to make it so.
    pub(crate) fn take_dirty(&self) -> Dirty {
        std::mem::take(&mut *self.lock())
    }

    /// Takes back files and folders that could not be made durable.
    pub(crate) fn put_back(&self, dirty: Dirty) {
        let mut own = self.lock();
        own.files.extend(dirty.files);
        own.folders.extend(dirty.folders);
    }

    fn lock(&self) -> MutexGuard<'_, Dirty> {
        self.dirty.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the system said to a write of ours to a file, `unwritten` bytes of which did not fit.
    pub(crate) fn write_error(&self, index: usize, errno: Errno, unwritten: u64) -> Error {
        let path = self.files.path(index);
        let error = Error::io("write to it", &path, &errno.into());
        match error.kind() {
            ErrorKind::Full { .. } => full(self.files.spec(), &path, unwritten),
            _ => error,
        }
    }
}

/// Notes the folders that `path` lies in. Where one is noted, so are those around it.
fn note_folders(noted: &mut BTreeSet<PathBuf>, path: &Path) {
    for folder in path.ancestors().skip(1) {
        if !noted.insert(folder.to_owned()) {
            break;
        }
    }
}

/// The error of two files of the torrent that are one on disk: each would write over the other.
fn same_file(spec: &Spec, one: usize, other: usize) -> Error {
    let other = spec.path_of(other);
    let message = format!(
        "is the same file on disk as {}, by a link or since its folder takes both names for one; choose \
         another folder",
        sanitise_name(other.as_os_str().as_encoded_bytes())
    );
    Error::new(ErrorKind::Unsafe, &spec.path_of(one), message)
}

/// What was in a file's place before it was made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Was {
    Nothing,
    /// Nothing, and it was made in order to lock it.
    Locked,
    File(FileStamp),
}

impl Was {
    fn of(before: Option<FileStamp>) -> Self {
        before.map_or(Self::Nothing, Self::File)
    }
}

/// Gives a file its length and, if told so, its room on disk.
fn make(spec: &Spec, root: &Root, index: usize, len: u64, was: Was) -> Result<FileStamp, Error> {
    let Some(file) = spec.files().get(index) else {
        return Err(Error::plain(ErrorKind::Unsupported, "the torrent has no such file"));
    };
    let path = spec.root().join(&file.path);
    let access = if was == Was::Nothing { Access::Create } else { Access::Write };
    let open = root.file(&file.path, access)?;
    let stamp =
        || FileStamp::of_file(&open).map_err(|error| Error::io("look at it", &path, &error));
    if let Was::File(before) = was
        && stamp()? != before
    {
        return Err(Error::changed_meanwhile(spec, index));
    }
    let reserved = len == 0
        || spec.allocation() == Allocation::Full
            && spec.is_wanted(index)
            && sys::reserve(&open, len).map_err(|error| {
                match Error::io("reserve room for it", &path, &error) {
                    error if matches!(error.kind(), ErrorKind::Full { .. }) => full(spec, &path, 1),
                    error => error,
                }
            })?;
    // Where it was longer, room is not what it lacks.
    if !reserved || matches!(was, Was::File(_)) {
        open.set_len(len).map_err(|error| Error::io("set its length", &path, &error))?;
    }
    stamp()
}

/// Refuses a torrent that can't fit, before anything is created. A file that is long enough
/// already is not going to be allocated, so it needs nothing; the holes that a sparse one may have
/// are for [`check_room`](crate::check_room), once it is known which pieces are missing.
pub(crate) fn refuse_if_full(spec: &Spec, stats: &[Option<Stat>]) -> Result<(), Error> {
    let needed = unallocated(spec, stats, |stat, len| stamp::len(stat) < len);
    match needed.saturating_sub(free_space(spec.root())?) {
        0 => Ok(()),
        missing => Err(full_by(spec.root(), missing)),
    }
}

/// The error of a full disk: at least `unwritten` bytes are missing, and all that the torrent
/// still lacks.
fn full(spec: &Spec, path: &Path, unwritten: u64) -> Error {
    let missing = survey(spec)
        .and_then(|stats| {
            Ok(unallocated(spec, &stats, |_, _| true).saturating_sub(free_space(spec.root())?))
        })
        .unwrap_or(0);
    full_by(path, missing.max(unwritten).max(1))
}

#[cfg(test)]
mod tests {
    use metainfo::Layout;

    use super::*;
    use crate::spec::FileSpec;

    #[test]
    fn a_full_disk_is_told_with_path_and_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(16_384, &[1_000_000]).unwrap();
        let file = FileSpec { path: "data".into(), on_disk: true };
        let hashes = vec![[0; 20]; layout.piece_count() as usize];
        let spec = Spec::from_parts(folder.path(), vec![file], layout, hashes).unwrap();
        let torrent = Torrent::open(&spec, None, &Descriptors::of(4), SpareLocks::of(4)).unwrap();
        let error = torrent.write_error(0, Errno::NOSPC, 4_096);
        assert_eq!(error.kind(), ErrorKind::Full { missing: 4_096 });
        let path = folder.path().join("data");
        let wanted = format!(
            "{}: the disk is full: 4 KiB are missing; make room and start again",
            path.display()
        );
        assert_eq!(error.to_string(), wanted);
        assert_eq!(torrent.write_error(0, Errno::FBIG, 1).kind(), ErrorKind::TooLarge);
        assert_eq!(torrent.write_error(0, Errno::IO, 1).kind(), ErrorKind::Io);
    }

    #[test]
    fn two_files_that_become_one_when_they_are_made_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(16_384, &[10, 10, 10]).unwrap();
        let file = |path: &str| FileSpec { path: path.into(), on_disk: true };
        let files = vec![file("t/a"), file("t/b"), file("t/c")];
        let spec = Spec::from_parts(folder.path(), files, layout, vec![[0; 20]]).unwrap();
        std::fs::create_dir(folder.path().join("t")).unwrap();
        // As an earlier torrent made it: what it leads to is not there any more.
        std::os::unix::fs::symlink("a", folder.path().join("t/c")).unwrap();
        let open = || Torrent::open(&spec, None, &Descriptors::of(4), SpareLocks::of(0));
        let error = open().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsafe);
        let [a, c] = ["t/a", "t/c"].map(|path| folder.path().join(path));
        let words = format!("{}: is the same file on disk as {}, ", c.display(), a.display());
        assert!(error.to_string().starts_with(&words), "{error}");
        std::fs::remove_file(&c).unwrap();
        open().unwrap();
    }

    #[test]
    fn what_a_sync_could_not_do_is_for_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(16_384, &[10, 10]).unwrap();
        let file = |path: &str| FileSpec { path: path.into(), on_disk: true };
        let files = vec![file("a/b/one"), file("two")];
        let spec = Spec::from_parts(folder.path(), files, layout, vec![[0; 20]]).unwrap();
        let torrent = Torrent::open(&spec, None, &Descriptors::of(4), SpareLocks::of(4)).unwrap();
        torrent.note_file(1);
        torrent.note_piece(PieceIndex::new(0));
        let dirty = torrent.take_dirty();
        assert_eq!(dirty.pieces, [PieceIndex::new(0)]);
        let folders: Vec<_> = dirty.folders.iter().map(|folder| folder.as_os_str()).collect();
        assert_eq!(folders, ["", "a", "a/b"]);
        torrent.put_back(dirty);
        let again = torrent.take_dirty();
        assert_eq!((again.files.len(), again.folders.len(), again.pieces.len()), (1, 3, 0));
    }
}
