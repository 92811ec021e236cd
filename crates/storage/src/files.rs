//! The files of one torrent, and what is known of one that is open.
//! It never reads or writes a file's bytes.

use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rustix::fs::fstat;

use crate::error::{Error, ErrorKind};
use crate::file_cache::{FileCache, InUse};
use crate::paths::{Access, Root};
use crate::spec::{Allocation, Spec};
use crate::stamp::FileStamp;
use crate::sys;

/// Which inode a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct FileId {
    pub(crate) device: u64,
    pub(crate) inode: u64,
}

/// A file and what was learnt when it was opened.
#[derive(Debug)]
pub(crate) struct OpenFile {
    pub(crate) file: File,
    pub(crate) id: FileId,
    /// When it was made, see [`FileStamp::born`].
    pub(crate) born: u64,
    /// On a local file system, where mappings are coherent with writes and the time of the last change is
    /// that of the change.
    pub(crate) local: bool,
    /// On a file system whose holes can be believed.
    pub(crate) true_holes: bool,
    /// When it was found under its name.
    pub(crate) opened: Instant,
    pub(crate) writable: bool,
    /// How many use it now.
    pub(crate) users: AtomicUsize,
    /// Whose turn it is to write, see [`OpenFile::turn`].
    turn: Mutex<()>,
}

impl FileId {
    pub(crate) fn of(stat: &rustix::fs::Stat) -> Self {
        #[allow(clippy::useless_conversion, reason = "the types differ between systems")]
        Self { device: stat.st_dev.into(), inode: stat.st_ino.into() }
    }
}

impl OpenFile {
    /// Waits for the turn to write. The kernel lets one writer at a time into a file too, but makes
    /// the others spin: with two disk threads that cost as much as the writing itself.
    pub(crate) fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the first byte of data at or after `offset` is; `None` when there is none. Where holes can't
    /// be believed, all is data.
    pub(crate) fn next_data(&self, offset: u64) -> Option<u64> {
        if self.true_holes { sys::next_data(&self.file, offset) } else { Some(offset) }
    }

    /// Where the first hole at or after `offset` is; beyond the file's end where none can be believed.
    pub(crate) fn next_hole(&self, offset: u64) -> u64 {
        if self.true_holes { sys::next_hole(&self.file, offset) } else { u64::MAX }
    }

    /// The same file, as if its file system were not known to tell the truth about holes.
    #[cfg(test)]
    pub(crate) fn with_doubtful_holes(&self) -> Self {
        Self {
            file: self.file.try_clone().unwrap(),
            true_holes: false,
            users: AtomicUsize::new(0),
            turn: Mutex::default(),
            ..*self
        }
    }

    /// What the file is now.
    pub(crate) fn stamp(&self) -> std::io::Result<FileStamp> {
        Ok(FileStamp::of(&fstat(&self.file)?, self.born))
    }
}

/// Where a torrent's descriptors come from.
#[derive(Debug, Clone)]
pub(crate) struct Descriptors {
    pub(crate) cache: Arc<FileCache>,
    /// Whether waiting for one is of no use any more.
    pub(crate) over: Arc<AtomicBool>,
}

impl Descriptors {
    /// Those of the process.
    pub(crate) fn of_process() -> Self {
        Self { cache: FileCache::of_process(), over: Arc::default() }
    }

    #[cfg(test)]
    pub(crate) fn of(capacity: usize) -> Self {
        Self { cache: FileCache::with_capacity(capacity), over: Arc::default() }
    }

    /// Does what takes a descriptor for a moment, as often as it takes. Not for who has a file in use.
    pub(crate) fn patiently<T>(&self, act: impl Fn() -> Result<T, Error>) -> Result<T, Error> {
        self.cache.patiently(&self.over, act)
    }
}

/// The files of one torrent.
#[derive(Debug)]
pub(crate) struct Files {
    spec: Spec,
    pub(crate) descriptors: Descriptors,
    /// This torrent's part of the cache's keys.
    owner: u64,
    /// Whether anything is ever to be written.
    read_only: bool,
}

impl Files {
    pub(crate) fn new(spec: Spec, descriptors: Descriptors) -> Self {
        let owner = descriptors.cache.owner();
        let read_only = spec.allocation() == Allocation::AsFound;
        Self { spec, descriptors, owner, read_only }
    }

    /// Files that nothing is going to be written to.
    pub(crate) fn read_only(spec: Spec) -> Self {
        let mut files = Self::new(spec, Descriptors::of_process());
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
        self.spec.path_of(index)
    }

    /// The file, opened for at least `access`. Waits for a descriptor, so not for who has another file
    /// in use.
    pub(crate) fn open(&self, index: usize, access: Access) -> Result<InUse, Error> {
        self.open_unless(&self.descriptors.over, index, access)
    }

    /// The same, until told to stop.
    pub(crate) fn open_unless(
        &self,
        stop: &AtomicBool,
        index: usize,
        access: Access,
    ) -> Result<InUse, Error> {
        loop {
            if let Some(open) = self.open_now(index, access)? {
                return Ok(open);
            }
            if stop.load(Ordering::Relaxed) {
                let message = "there is no file descriptor left for it (ulimit -n)";
                return Err(Error::new(ErrorKind::NoDescriptors, &self.path(index), message));
            }
            self.descriptors.cache.wait_for_place();
        }
    }

    /// The file, opened for at least `access`; `None` where there is no descriptor for it now.
    pub(crate) fn open_now(&self, index: usize, access: Access) -> Result<Option<InUse>, Error> {
        let (key, cache) = ((self.owner, index), &self.descriptors.cache);
        if let Some(file) = cache.find(key, access) {
            return Ok(Some(file));
        }
        let Some(place) = cache.place() else { return Ok(None) };
        match cache.at_once(|| self.open_anew(index, access)) {
            Ok(file) => Ok(Some(place.keep(key, file))),
            Err(error) if error.kind() == ErrorKind::NoDescriptors => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The file, if it is open already.
    pub(crate) fn is_open(&self, index: usize) -> Option<InUse> {
        self.descriptors.cache.find((self.owner, index), Access::Read)
    }

    fn open_anew(&self, index: usize, access: Access) -> Result<OpenFile, Error> {
        let Some(spec) = self.spec.files().get(index) else {
            return Err(Error::plain(ErrorKind::Unsupported, "the torrent has no such file"));
        };
        let root = Root::of(&self.spec)?;
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
        let (local, true_holes) = (sys::is_local(&file), sys::has_true_holes(&file));
        let born = sys::born(&file);
        Ok(OpenFile {
            file,
            id: FileId::of(&stat),
            born,
            local,
            true_holes,
            opened: Instant::now(),
            writable,
            users: AtomicUsize::new(0),
            turn: Mutex::default(),
        })
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        self.descriptors.cache.close_owner(self.owner);
    }
}

#[cfg(test)]
mod tests;
