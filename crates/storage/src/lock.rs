//! Who may use a torrent's files: one torrent that writes, or any number that only read, of this process
//! or others. A lock is a `flock` on the file itself, exclusive or shared: it leaves nothing behind in
//! the user's folder, and goes with the process, however that ends.
//! Nothing here reads or writes a byte of a file.

use std::cmp::Reverse;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::fs::{FlockOperation, Stat, flock, fstat};
use rustix::io::Errno;

use crate::descriptors::{Taken, for_spare_locks};
use crate::error::{Error, ErrorKind};
use crate::files::{Descriptors, FileId};
use crate::paths::{Access, Root};
use crate::spec::{Allocation, Spec};

/// The most files of one torrent that are locked, since each lock costs a descriptor: nearly all
/// torrents have fewer, and of the others these are the ones that hold their bytes.
const MAX_LOCKED_FILES: usize = 64;

/// What a torrent does with its files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// Only reads them, as others may at the same time: several torrents of the same data are seeded.
    Reads,
    /// Writes to them.
    Writes,
}

impl Use {
    fn of(spec: &Spec) -> Self {
        if spec.allocation() == Allocation::AsFound { Self::Reads } else { Self::Writes }
    }
}

/// How many locks there may be beyond one a torrent.
#[derive(Debug)]
pub(crate) struct SpareLocks(AtomicUsize);

/// The locks of one open torrent; dropped, they are released.
#[derive(Debug)]
pub(crate) struct Locks {
    files: Vec<(FileId, File)>,
    /// What those beside the first have of the budget of descriptors.
    places: Vec<Taken>,
    /// Those that were not there before, and their index in the torrent.
    made: Vec<(FileId, usize)>,
    /// How many of them are from the spare ones.
    taken: usize,
    spare: Arc<SpareLocks>,
}

impl SpareLocks {
    pub(crate) fn new() -> Arc<Self> {
        Self::of(for_spare_locks())
    }

    pub(crate) fn of(count: usize) -> Arc<Self> {
        Arc::new(Self(AtomicUsize::new(count)))
    }

    fn take(&self) -> bool {
        let fewer = |left: usize| left.checked_sub(1);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fewer).is_ok()
    }
}

impl Drop for Locks {
    fn drop(&mut self) {
        self.spare.0.fetch_add(self.taken, Ordering::Relaxed);
    }
}

impl Locks {
    /// Locks the longest file, whatever it takes, and as many more as there are spare locks for, the
    /// longer ones before the others. So a torrent that writes is never open beside another of the same
    /// files, unless what they share is small and one of many. Files without bytes are locked
    /// only where a torrent has no others. What was not there, by `stats`, is made.
    pub(crate) fn take(
        root: &Root,
        spec: &Spec,
        stats: &[Option<Stat>],
        spare: Arc<SpareLocks>,
        descriptors: &Descriptors,
    ) -> Result<Self, Error> {
        let len = |index: usize| spec.layout().file_len(index);
        let on_disk = spec.files().iter().enumerate().filter(|(_, file)| file.on_disk);
        let is_there = |index: usize| stats.get(index).is_some_and(Option::is_some);
        let what_for = Use::of(spec);
        let on_disk = on_disk.filter(|(index, _)| what_for == Use::Writes || is_there(*index));
        let mut files: Vec<usize> = on_disk.map(|(index, _)| index).collect();
        files.sort_by_key(|&index| (Reverse(len(index)), index));
        files.truncate(MAX_LOCKED_FILES);
        let mut locks =
            Self { files: Vec::new(), places: Vec::new(), made: Vec::new(), taken: 0, spare };
        let others = files.iter().skip(1).take_while(|&&index| len(index) > 0);
        locks.taken = others.take_while(|_| locks.spare.take()).count();
        files.truncate(1 + locks.taken);
        let longest = files.first().copied();
        // Only what is there can be in use: nothing is made before that is known.
        files.sort_by_key(|&index| stats.get(index).is_none_or(Option::is_none));
        for index in files {
            let new = !is_there(index);
            let open = || open(root, spec, index, what_for, new);
            let opened = if Some(index) == longest {
                descriptors.patiently(open)
            } else if let Some(place) = descriptors.cache.lock_place() {
                locks.places.push(place);
                descriptors.cache.at_once(open)
            } else {
                continue;
            };
            match opened {
                Ok(file) => {
                    let id = locks.lock(file, &spec.path_of(index), what_for)?;
                    locks.made.extend(new.then_some((id, index)));
                }
                // Another name of one that was just made: for the caller to say.
                Err(error)
                    if error.kind() == ErrorKind::Changed
                        && locks.has_just_made(root, spec, index) => {}
                // Locks beside the first one are for where there are descriptors for them.
                Err(error) if error.kind() == ErrorKind::NoDescriptors => log::debug!("{error}"),
                Err(error) => return Err(error),
            }
        }
        Ok(locks)
    }

    /// Whether the files that are there are in use, as far as [`take`](Self::take) would find out.
    pub(crate) fn probe(root: &Root, spec: &Spec, stats: &[Option<Stat>]) -> Result<(), Error> {
        let there = |index: &usize| stats.get(*index).is_some_and(Option::is_some);
        let mut files: Vec<usize> = (0..spec.files().len()).filter(there).collect();
        files.sort_by_key(|&index| (Reverse(spec.layout().file_len(index)), index));
        for index in files.into_iter().take(MAX_LOCKED_FILES) {
            let Some(file) = spec.files().get(index) else { continue };
            // What can't be opened now is told when it has to be.
            let Ok(open) = root.file(&file.path, Access::Read) else { continue };
            let spare = SpareLocks::of(0);
            let mut locks =
                Self { files: Vec::new(), places: Vec::new(), made: Vec::new(), taken: 0, spare };
            locks.lock(open, &spec.path_of(index), Use::of(spec))?;
        }
        Ok(())
    }

    /// Lets other torrents read the files too: nothing is written to them any more.
    pub(crate) fn share(&self) {
        for (_, file) in &self.files {
            if let Err(errno) = flock(file, FlockOperation::NonBlockingLockShared) {
                // Another has been quicker. What it writes is noticed as any foreign write is.
                log::warn!("a file can't be shared with other torrents ({errno})");
            }
        }
    }

    /// Whether the file was made in order to lock it.
    pub(crate) fn has_made(&self, index: usize) -> bool {
        self.made.iter().any(|(_, made)| *made == index)
    }

    /// Which file of the torrent it was made as, if it was made in order to lock it.
    pub(crate) fn made_as(&self, id: FileId) -> Option<usize> {
        self.made.iter().find(|(made, _)| *made == id).map(|(_, index)| *index)
    }

    fn has_just_made(&self, root: &Root, spec: &Spec, index: usize) -> bool {
        let found = spec.files().get(index).and_then(|file| root.look(&file.path).ok().flatten());
        found.is_some_and(|stat| self.made_as(FileId::of(&stat)).is_some())
    }

    /// Does without where the file system has no locks. Gives which file it is.
    fn lock(&mut self, file: File, path: &Path, what_for: Use) -> Result<FileId, Error> {
        let id = fstat(&file).map(|stat| FileId::of(&stat));
        let id = id.map_err(|errno| Error::io("look at it", path, &errno.into()))?;
        if self.files.iter().any(|(locked, _)| *locked == id) {
            // Two names of one file, as programs make that save room.
            return Ok(id);
        }
        let operation = match what_for {
            Use::Reads => FlockOperation::NonBlockingLockShared,
            Use::Writes => FlockOperation::NonBlockingLockExclusive,
        };
        match flock(&file, operation) {
            Ok(()) => self.files.push((id, file)),
            Err(Errno::WOULDBLOCK) => {
                return Err(Error::new(ErrorKind::Locked, path, why_locked(&file, what_for)));
            }
            Err(errno) => {
                log::warn!("{}: cannot be locked ({errno}); going on without", path.display());
            }
        }
        Ok(id)
    }
}

/// What is said of a file that another torrent has locked.
fn why_locked(file: &File, what_for: Use) -> &'static str {
    let others_only_read =
        what_for == Use::Writes && flock(file, FlockOperation::NonBlockingLockShared).is_ok();
    if others_only_read {
        "is in use: another torrent or program seeds it; end that first, or, if nothing is missing, seed \
         this torrent too instead of downloading it"
    } else {
        "is in use: a download has it open; wait until that is complete, or end it first"
    }
}

/// A place for the lock that a torrent must have. Where others have all of them, it waits until one of
/// those ends.
pub(crate) fn place(spec: &Spec, descriptors: &Descriptors) -> Result<Taken, Error> {
    let cache = &descriptors.cache;
    loop {
        if let Some(place) = cache.lock_place() {
            return Ok(place);
        }
        let message = "waits for its lock, as there are descriptors for so many torrents only \
                       (ulimit -n)";
        let error = Error::new(ErrorKind::NoDescriptors, &spec.content(), message);
        if descriptors.over.load(Ordering::Relaxed) {
            return Err(error);
        }
        cache.warn(&error);
        cache.wait_for_system();
    }
}

/// The file to lock, made if it is `new` and going to be written.
fn open(root: &Root, spec: &Spec, index: usize, what_for: Use, new: bool) -> Result<File, Error> {
    let Some(file) = spec.files().get(index) else {
        return Err(Error::plain(ErrorKind::Unsupported, "the torrent has no such file"));
    };
    if what_for == Use::Reads {
        return root.file(&file.path, Access::Read);
    }
    match root.file(&file.path, if new { Access::Create } else { Access::Write }) {
        // Files that may only be read can be seeded, and locked too. Where there is none, why it could
        // not be made is what counts.
        Err(error) if error.kind() == ErrorKind::Denied => {
            root.file(&file.path, Access::Read).map_err(|other| match other.kind() {
                ErrorKind::NotFound => error,
                _ => other,
            })
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use metainfo::Layout;

    use super::*;
    use crate::room::survey;
    use crate::spec::FileSpec;

    /// A torrent of files with these names and lengths, locked.
    fn take(folder: &Path, files: &[(&str, u64)], spare: &Arc<SpareLocks>) -> Result<Locks, Error> {
        take_for(Allocation::Full, folder, files, spare)
    }

    fn take_for(
        allocation: Allocation,
        folder: &Path,
        files: &[(&str, u64)],
        spare: &Arc<SpareLocks>,
    ) -> Result<Locks, Error> {
        let lens: Vec<u64> = files.iter().map(|(_, len)| *len).collect();
        let layout = Layout::new(16_384, &lens).unwrap();
        let file = |(path, _): &(&str, u64)| FileSpec { path: path.into(), on_disk: true };
        let hashes = vec![[0; 20]; layout.piece_count() as usize];
        let files = files.iter().map(file).collect();
        let spec = Spec::from_parts(folder, files, layout, hashes).unwrap();
        let spec = spec.with_allocation(allocation);
        let root = Root::create(folder).unwrap();
        let descriptors = Descriptors::of(4);
        Locks::take(&root, &spec, &survey(&spec).unwrap(), Arc::clone(spare), &descriptors)
    }

    #[test]
    fn torrents_that_only_read_share_their_files_and_one_that_writes_has_them_alone() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a"), b"bytes").unwrap();
        let take =
            |allocation| take_for(allocation, folder.path(), &[("a", 5)], &SpareLocks::of(8));
        let refused = |allocation| {
            let error = take(allocation).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Locked);
            error.to_string()
        };
        let seeds = [take(Allocation::AsFound).unwrap(), take(Allocation::AsFound).unwrap()];
        for writes in [Allocation::Full, Allocation::Sparse] {
            let told = refused(writes);
            assert!(told.contains("a: is in use: another torrent or program seeds it"), "{told}");
        }
        drop(seeds);
        let download = take(Allocation::Full).unwrap();
        for any in [Allocation::AsFound, Allocation::Full] {
            let told = refused(any);
            assert!(told.contains("a: is in use: a download has it open"), "{told}");
        }
        // Once it is complete.
        download.share();
        let seed = take(Allocation::AsFound).unwrap();
        assert!(refused(Allocation::Full).contains("seeds it"));
        drop((download, seed));
        take(Allocation::Full).unwrap();
    }

    #[test]
    fn a_torrent_that_only_reads_makes_nothing_and_needs_no_right_to_write() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a"), b"bytes").unwrap();
        let files = [("a", 5), ("b", 9)];
        let locks = take_for(Allocation::AsFound, folder.path(), &files, &SpareLocks::of(8));
        assert_eq!(locks.unwrap().files.len(), 1);
        assert!(!folder.path().join("b").exists());
    }

    #[test]
    fn torrents_that_share_any_file_exclude_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let spare = SpareLocks::of(8);
        let take = |files: &[_]| take(folder.path(), files, &spare);
        let first = take(&[("none", 0), ("shared", 10), ("long", 900)]).unwrap();
        let error = take(&[("longer", 1_000), ("shared", 10)]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Locked);
        assert!(error.to_string().contains("shared: is in use"), "{error}");
        assert!(!folder.path().join("longer").exists());
        // A file without bytes is nobody's.
        let other = take(&[("none", 0), ("longer", 1_000)]).unwrap();
        drop(first);
        let second = take(&[("shared", 10), ("long", 900)]).unwrap();
        assert_eq!(spare.0.load(Ordering::Relaxed), 7);
        drop((other, second));
        assert_eq!(spare.0.load(Ordering::Relaxed), 8);
    }

    #[test]
    fn a_torrent_is_never_open_twice_even_without_spare_locks() {
        let folder = tempfile::tempdir().unwrap();
        let take = |files: &[_]| take(folder.path(), files, &SpareLocks::of(0));
        let files = [("a", 5), ("b", 7), ("c", 0)];
        let locks = take(&files).unwrap();
        assert_eq!(locks.files.len(), 1);
        assert_eq!(take(&files).unwrap_err().kind(), ErrorKind::Locked);
        let _empty = take(&[("e", 0)]).unwrap();
        assert_eq!(take(&[("e", 0)]).unwrap_err().kind(), ErrorKind::Locked);
    }

    #[test]
    fn where_nothing_may_be_made_that_is_what_is_told() {
        // Not even root can make a file there.
        let error = take(Path::new("/sys"), &[("album", 5)], &SpareLocks::of(8)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
        assert!(error.to_string().starts_with("/sys/album: cannot create it: "), "{error}");
    }

    #[test]
    fn two_names_of_one_file_are_one() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a"), b"bytes").unwrap();
        std::fs::hard_link(folder.path().join("a"), folder.path().join("b")).unwrap();
        let take = |files: &[_]| take(folder.path(), files, &SpareLocks::of(8));
        let locks = take(&[("a", 5), ("b", 5)]).unwrap();
        assert_eq!(locks.files.len(), 1);
        assert_eq!(take(&[("b", 5)]).unwrap_err().kind(), ErrorKind::Locked);
    }
}
