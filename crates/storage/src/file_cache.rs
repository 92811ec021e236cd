//! The files that are open, of all torrents of the process: a bounded number, so that a torrent of a
//! hundred thousand files costs no more descriptors than any other. A file in use is never closed; who
//! wants another one and finds no place for it comes back later, or waits.
//!
//! The rule that keeps waiting from going round in a circle: nobody waits who has a file in use.
//! It never opens a file, and never reads or writes one's bytes.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::descriptors::{Budget, Taken, Use};
use crate::error::{Error, ErrorKind};
use crate::files::OpenFile;
use crate::paths::Access;

/// How long to wait for a descriptor before looking again whether to stop: what other parts of the
/// process close is not told here.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// How often the user is told that descriptors are short.
const WARN_EVERY: Duration = Duration::from_mins(1);

/// One file of one torrent: the torrent's number among those with files, and the file's.
pub(crate) type Key = (u64, usize);

/// Open files of any number of torrents; those not in use are closed for others, the least recently
/// used one first.
#[derive(Debug)]
pub(crate) struct FileCache {
    budget: Arc<Budget>,
    inner: Mutex<Inner>,
    /// Told when a file is not in use any more, or a descriptor is free.
    freed: Condvar,
    waiting: AtomicUsize,
    owners: AtomicU64,
}

#[derive(Debug, Default)]
struct Inner {
    open: HashMap<Key, Entry>,
    clock: u64,
    warned: Option<Instant>,
}

#[derive(Debug)]
struct Entry {
    file: Arc<OpenFile>,
    used: u64,
    /// Its part of the budget.
    _taken: Taken,
}

/// A file in use: it stays open as long as this lives.
#[derive(Debug)]
pub(crate) struct InUse {
    file: Arc<OpenFile>,
    cache: Arc<FileCache>,
}

/// The place of a file that is being opened.
pub(crate) struct Place<'a> {
    cache: &'a Arc<FileCache>,
    /// `None` when it was filled.
    taken: Option<Taken>,
}

impl FileCache {
    /// That of the process, which all torrents share.
    pub(crate) fn of_process() -> Arc<Self> {
        static SHARED: OnceLock<Arc<FileCache>> = OnceLock::new();
        Arc::clone(SHARED.get_or_init(|| Self::within(Budget::of_process())))
    }

    #[cfg(test)]
    pub(crate) fn with_capacity(capacity: usize) -> Arc<Self> {
        Self::within(Budget::for_files(capacity))
    }

    fn within(budget: Arc<Budget>) -> Arc<Self> {
        Arc::new(Self {
            budget,
            inner: Mutex::default(),
            freed: Condvar::new(),
            waiting: AtomicUsize::new(0),
            owners: AtomicU64::new(0),
        })
    }

    /// A number for the files of one more torrent.
    pub(crate) fn owner(&self) -> u64 {
        self.owners.fetch_add(1, Ordering::Relaxed)
    }

    /// How many files one job may have in use at a time: with one on every disk thread there is still
    /// room for others.
    pub(crate) fn share(&self) -> usize {
        (self.budget.own(Use::File) / 8).clamp(1, 32)
    }

    /// A place for a lock, if there is one; a file that is not in use is closed for it.
    pub(crate) fn lock_place(&self) -> Option<Taken> {
        self.budget.take(Use::Lock).or_else(|| {
            let for_others = self.budget.is_below_most(Use::Lock) && self.close_oldest();
            if for_others { self.budget.take(Use::Lock) } else { None }
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // The map is whole after every statement, so a panic elsewhere does not spoil it.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file, if it is open for `access`.
    pub(crate) fn find(self: &Arc<Self>, key: Key, access: Access) -> Option<InUse> {
        let mut inner = self.lock();
        inner.clock += 1;
        let now = inner.clock;
        let entry = inner.open.get_mut(&key)?;
        entry.used = now;
        let fits = access == Access::Read || entry.file.writable;
        fits.then(|| InUse::new(&entry.file, self))
    }

    /// A place for one more file, for which one that is not in use is closed if it has to be. `None`
    /// if all are in use.
    pub(crate) fn place(self: &Arc<Self>) -> Option<Place<'_>> {
        let mut inner = self.lock();
        let mut taken = self.budget.take(Use::File);
        if taken.is_none() {
            // Another use may be faster, unless the place is one that only files have.
            drop(inner.remove_oldest()?);
            taken = self.budget.take(Use::File);
        }
        Some(Place { cache: self, taken: Some(taken?) })
    }

    /// Closes the file that was not in use for the longest time. False if there is none.
    pub(crate) fn close_oldest(&self) -> bool {
        let oldest = self.lock().remove_oldest();
        // Closing may wait for the disk, so not under the lock.
        oldest.is_some()
    }

    /// Closes every file that is not in use. False if there is none.
    pub(crate) fn close_idle(&self) -> bool {
        let mut inner = self.lock();
        let before = inner.open.len();
        inner.open.retain(|_, entry| entry.file.users.load(Ordering::SeqCst) > 0);
        inner.open.len() < before
    }

    /// Closes the files of one torrent.
    pub(crate) fn close_owner(&self, owner: u64) {
        self.lock().open.retain(|(of, _), _| *of != owner);
        self.tell();
    }

    /// After the system had no descriptor: closes what is not in use. False if there is no such file,
    /// so that trying again at once is of no use.
    pub(crate) fn make_room(&self, error: &dyn std::fmt::Display) -> bool {
        self.warn(error);
        self.close_idle()
    }

    /// Tells the user that there is no descriptor for something, but seldom.
    pub(crate) fn warn(&self, error: &dyn std::fmt::Display) {
        let mut inner = self.lock();
        if inner.warned.is_none_or(|warned| warned.elapsed() >= WARN_EVERY) {
            inner.warned = Some(Instant::now());
            drop(inner);
            log::warn!("{error}; going on more slowly meanwhile");
        }
    }

    /// Does what takes a descriptor for a moment, as often as it takes, until `stop`. Not for who has
    /// a file in use.
    pub(crate) fn patiently<T>(
        &self,
        stop: &AtomicBool,
        act: impl Fn() -> Result<T, Error>,
    ) -> Result<T, Error> {
        loop {
            match self.at_once(&act) {
                Err(error) if error.kind() == ErrorKind::NoDescriptors => {
                    if stop.load(Ordering::Relaxed) {
                        return Err(error);
                    }
                    self.wait_for_system();
                }
                other => return other,
            }
        }
    }

    /// The same without waiting: fails where closing what is not in use does not help.
    pub(crate) fn at_once<T>(&self, act: impl Fn() -> Result<T, Error>) -> Result<T, Error> {
        loop {
            match act() {
                Err(error)
                    if error.kind() == ErrorKind::NoDescriptors && self.make_room(&error) => {}
                other => return other,
            }
        }
    }

    /// Waits until there may be a place, or a little while.
    pub(crate) fn wait_for_place(&self) {
        self.wait(|inner| self.budget.has_room(Use::File) || inner.idle().next().is_some());
    }

    /// Waits until something was closed here, or a little while.
    pub(crate) fn wait_for_system(&self) {
        self.wait(|_| false);
    }

    fn wait(&self, ready: impl FnOnce(&Inner) -> bool) {
        let inner = self.lock();
        self.waiting.fetch_add(1, Ordering::SeqCst);
        if !ready(&inner) {
            drop(self.freed.wait_timeout(inner, LOOK_AGAIN));
        }
        self.waiting.fetch_sub(1, Ordering::SeqCst);
    }

    /// Tells those who wait that something was let go.
    fn tell(&self) {
        if self.waiting.load(Ordering::SeqCst) > 0 {
            // Who counts as waiting and holds the lock is about to wait.
            drop(self.lock());
            self.freed.notify_all();
        }
    }

    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    #[cfg(test)]
    pub(crate) fn open_files(&self) -> usize {
        self.lock().open.len()
    }
}

impl Inner {
    /// The files that are not in use.
    fn idle(&self) -> impl Iterator<Item = (&Key, &Entry)> {
        self.open.iter().filter(|(_, entry)| entry.file.users.load(Ordering::SeqCst) == 0)
    }

    /// Forgets the file that was not in use for the longest time; dropped, it is closed.
    fn remove_oldest(&mut self) -> Option<Entry> {
        let key = self.idle().min_by_key(|(_, entry)| entry.used).map(|(key, _)| *key)?;
        self.open.remove(&key)
    }
}

impl Place<'_> {
    /// Fills the place with the file that was opened.
    pub(crate) fn keep(mut self, key: Key, file: OpenFile) -> InUse {
        let file = Arc::new(file);
        let in_use = InUse::new(&file, self.cache);
        let Some(taken) = self.taken.take() else { return in_use };
        let mut inner = self.cache.lock();
        inner.clock += 1;
        let used = inner.clock;
        inner.open.insert(key, Entry { file, used, _taken: taken });
        in_use
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        drop(self.taken.take());
        self.cache.tell();
    }
}

impl InUse {
    fn new(file: &Arc<OpenFile>, cache: &Arc<FileCache>) -> Self {
        file.users.fetch_add(1, Ordering::SeqCst);
        Self { file: Arc::clone(file), cache: Arc::clone(cache) }
    }
}

impl Clone for InUse {
    fn clone(&self) -> Self {
        Self::new(&self.file, &self.cache)
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        if self.file.users.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.cache.tell();
        }
    }
}

impl Deref for InUse {
    type Target = OpenFile;

    fn deref(&self) -> &OpenFile {
        &self.file
    }
}
