//! The open files of torrents: one bounded cache of descriptors for all, so that a torrent of ten
//! thousand files costs no more of them than any other.
//! It never reads or writes a file's bytes.

use std::collections::HashMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::fstat;
use rustix::process::{Resource, getrlimit};

use crate::error::{Error, ErrorKind};
use crate::paths::{Access, Root};
use crate::spec::Spec;
use crate::sys;

/// The most descriptors kept open: enough for every file that the pieces of a busy session touch,
/// few enough to leave room for connections. Never more than a quarter of `RLIMIT_NOFILE`.
const MAX_OPEN_FILES: usize = 512;

/// Which inode a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct FileId {
    pub(crate) device: u64,
    pub(crate) inode: u64,
}

/// What changes when somebody writes to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) len: u64,
    modified: (i64, u64),
}

/// A file and what was learnt when it was opened.
#[derive(Debug)]
pub(crate) struct OpenFile {
    pub(crate) file: File,
    pub(crate) id: FileId,
    /// On a local file system, where mappings are coherent with writes and only writing changes the
    /// time of the last write.
    pub(crate) local: bool,
    writable: bool,
    /// Whose turn it is to write, see [`OpenFile::turn`].
    turn: Mutex<()>,
}

impl FileId {
    pub(crate) fn of(stat: &rustix::fs::Stat) -> Self {
        #[allow(clippy::useless_conversion, reason = "the types differ between systems")]
        Self { device: stat.st_dev.into(), inode: stat.st_ino.into() }
    }
}

impl Stamp {
    #[allow(clippy::cast_sign_loss, clippy::unnecessary_cast, reason = "systems differ")]
    pub(crate) fn of(stat: &rustix::fs::Stat) -> Self {
        Self {
            len: u64::try_from(stat.st_size).unwrap_or(0),
            modified: (stat.st_mtime, stat.st_mtime_nsec as u64),
        }
    }

    /// Whether nobody wrote between the two, as far as a file system tells that is `local` or not: a
    /// server sets times on its own.
    pub(crate) fn is_same(self, other: Self, local: bool) -> bool {
        self.len == other.len && (!local || self.modified == other.modified)
    }
}

impl OpenFile {
    /// Whether nobody wrote to the file between the two stamps, as far as its file system tells.
    pub(crate) fn untouched(&self, then: Stamp, now: Stamp) -> bool {
        then.is_same(now, self.local)
    }

    /// Waits for the turn to write. The kernel lets one writer at a time into a file too, but makes
    /// the others spin: with two disk threads that cost as much as the writing itself.
    pub(crate) fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the file is now.
    pub(crate) fn stamp(&self) -> std::io::Result<Stamp> {
        Ok(Stamp::of(&fstat(&self.file)?))
    }
}

/// One part in so many of the descriptors that the process may have, and no more than `most`.
pub(crate) fn share_of_descriptors(parts: u64, most: usize) -> usize {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(limit / parts).unwrap_or(most).min(most)
}

/// Open files of any number of torrents, the least recently used closed first.
#[derive(Debug)]
pub(crate) struct FileCache {
    capacity: usize,
    inner: Mutex<Inner>,
    owners: AtomicU64,
}

#[derive(Debug, Default)]
struct Inner {
    open: HashMap<(u64, usize), Entry>,
    clock: u64,
}

#[derive(Debug)]
struct Entry {
    file: Arc<OpenFile>,
    used: u64,
}

impl FileCache {
    pub(crate) fn new() -> Arc<Self> {
        Self::with_capacity(share_of_descriptors(4, MAX_OPEN_FILES).max(4))
    }

    pub(crate) fn with_capacity(capacity: usize) -> Arc<Self> {
        Arc::new(Self { capacity, inner: Mutex::default(), owners: AtomicU64::new(0) })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // The map is whole after every statement, so a panic elsewhere does not spoil it.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, key: (u64, usize), access: Access) -> Option<Arc<OpenFile>> {
        let mut inner = self.lock();
        inner.clock += 1;
        let now = inner.clock;
        let entry = inner.open.get_mut(&key)?;
        entry.used = now;
        (access == Access::Read || entry.file.writable).then(|| Arc::clone(&entry.file))
    }

    fn keep(&self, key: (u64, usize), file: &Arc<OpenFile>) {
        let mut inner = self.lock();
        inner.clock += 1;
        let used = inner.clock;
        inner.open.insert(key, Entry { file: Arc::clone(file), used });
        if inner.open.len() > self.capacity {
            let oldest = inner.open.iter().min_by_key(|(_, entry)| entry.used);
            if let Some(key) = oldest.map(|(key, _)| *key) {
                inner.open.remove(&key);
            }
        }
    }

    /// Closes every file no one is using right now.
    fn close_all(&self) {
        self.lock().open.clear();
    }
}

/// The files of one torrent.
#[derive(Debug)]
pub(crate) struct Files {
    spec: Spec,
    cache: Arc<FileCache>,
    /// This torrent's part of the cache's keys.
    owner: u64,
    /// Whether anything is ever to be written.
    read_only: bool,
}

impl Files {
    pub(crate) fn new(spec: Spec, cache: Arc<FileCache>) -> Self {
        let owner = cache.owners.fetch_add(1, Ordering::Relaxed);
        Self { spec, cache, owner, read_only: false }
    }

    /// Files that nothing is going to be written to, with a cache of their own.
    pub(crate) fn read_only(spec: Spec) -> Self {
        let mut files = Self::new(spec, FileCache::new());
        files.read_only = true;
        files
    }

    pub(crate) fn spec(&self) -> &Spec {
        &self.spec
    }

    /// Whether the file exists on disk at all (padding does not).
    pub(crate) fn on_disk(&self, index: usize) -> bool {
        self.spec.files().get(index).is_some_and(|file| file.on_disk)
    }

    /// The file's full path, for messages.
    pub(crate) fn path(&self, index: usize) -> PathBuf {
        match self.spec.files().get(index) {
            Some(file) => self.spec.root().join(&file.path),
            None => self.spec.root().to_owned(),
        }
    }

    /// The file, opened for at least `access`.
    pub(crate) fn open(&self, index: usize, access: Access) -> Result<Arc<OpenFile>, Error> {
        let key = (self.owner, index);
        if let Some(file) = self.cache.find(key, access) {
            return Ok(file);
        }
        let file = Arc::new(self.with_descriptors(|| self.open_anew(index, access))?);
        self.cache.keep(key, &file);
        Ok(file)
    }

    /// Does what takes a descriptor; once more, if there was none, after what is open and not in use
    /// was closed.
    pub(crate) fn with_descriptors<T>(
        &self,
        act: impl Fn() -> Result<T, Error>,
    ) -> Result<T, Error> {
        match act() {
            Err(error) if error.kind() == ErrorKind::NoDescriptors => {
                log::warn!("{error}; closing the files that are not in use");
                self.cache.close_all();
                act()
            }
            other => other,
        }
    }

    /// The file, if it is open already.
    pub(crate) fn is_open(&self, index: usize) -> Option<Arc<OpenFile>> {
        self.cache.find((self.owner, index), Access::Read)
    }

    fn open_anew(&self, index: usize, access: Access) -> Result<OpenFile, Error> {
        let Some(spec) = self.spec.files().get(index) else {
            return Err(Error::plain(ErrorKind::Unsupported, "the torrent has no such file"));
        };
        let root = Root::open(self.spec.root())?;
        // Writable where we may, so that a download does not open each file twice.
        let attempt = if self.read_only { access } else { Access::Write };
        let (file, writable) = match root.file(&spec.path, attempt) {
            Ok(file) => (file, attempt != Access::Read),
            Err(error) if access != Access::Read || error.kind() == ErrorKind::NotFound => {
                return Err(error);
            }
            Err(_) => (root.file(&spec.path, Access::Read)?, false),
        };
        let stat = fstat(&file)
            .map_err(|errno| Error::io("look at it", &self.path(index), &errno.into()))?;
        let local = sys::is_local(&file);
        let (id, turn) = (FileId::of(&stat), Mutex::default());
        Ok(OpenFile { file, id, local, writable, turn })
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        self.cache.lock().open.retain(|(owner, _), _| *owner != self.owner);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use metainfo::Layout;

    use super::*;
    use crate::spec::FileSpec;

    #[test]
    fn a_few_descriptors_serve_many_files() {
        let folder = tempfile::tempdir().unwrap();
        let count = 40;
        let layout = Layout::new(16, &vec![1; count]).unwrap();
        let expected = vec![[0; 20]; layout.piece_count() as usize];
        let paths: Vec<_> = (0..count).map(|n| format!("{n}")).collect();
        for path in &paths {
            fs::write(folder.path().join(path), b"x").unwrap();
        }
        let specs = paths.iter().map(|path| FileSpec { path: path.into(), on_disk: true });
        let spec = Spec::from_parts(folder.path(), specs.collect(), layout, expected).unwrap();
        let cache = FileCache::with_capacity(5);
        let files = Files::new(spec.clone(), Arc::clone(&cache));
        let others = Files::new(spec, Arc::clone(&cache));
        for index in 0..count {
            files.open(index, Access::Read).unwrap();
            assert!(cache.lock().open.len() <= 5);
        }
        let again = files.open(count - 1, Access::Write).unwrap();
        assert!(Arc::ptr_eq(&again, &files.open(count - 1, Access::Read).unwrap()));
        let other = others.open(count - 1, Access::Read).unwrap();
        assert!(!Arc::ptr_eq(&again, &other));
        assert_eq!(again.id, other.id);
        drop(files);
        assert_eq!(cache.lock().open.len(), 1);
    }

    #[test]
    fn without_a_descriptor_left_what_is_not_in_use_is_closed_and_it_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("data"), b"x").unwrap();
        let layout = Layout::new(16_384, &[1]).unwrap();
        let file = FileSpec { path: "data".into(), on_disk: true };
        let spec = Spec::from_parts(folder.path(), vec![file], layout, vec![[0; 20]]).unwrap();
        let cache = FileCache::with_capacity(5);
        let files = Files::new(spec, Arc::clone(&cache));
        files.open(0, Access::Read).unwrap();
        let is_full = || !cache.lock().open.is_empty();
        let starved = rustix::io::Errno::MFILE.into();
        let refused = || Err(Error::io("look at it", folder.path(), &starved));
        let act = || if is_full() { refused() } else { Ok("looked") };
        assert_eq!(files.with_descriptors(act).unwrap(), "looked");
        assert!(!is_full());
    }
}
