//! What all disk threads share: the open torrents, the count of bytes kept, where answers go.
//! It starts no thread and does no job.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::descriptors::Taken;
use crate::files::Descriptors;
use crate::job::{Done, TorrentId};
use crate::lock::SpareLocks;
use crate::torrent::Torrent;
use crate::watch::Identity;

/// Where answers go.
pub(crate) type Callback<B> = Box<dyn Fn(Vec<Done<B>>) + Send + Sync>;

/// What all disk threads share.
pub(crate) struct Shared<B> {
    torrents: RwLock<Torrents>,
    pub(crate) descriptors: Descriptors,
    pub(crate) spare: Arc<SpareLocks>,
    /// Bytes of unfinished pieces in memory.
    pub(crate) held: Arc<AtomicUsize>,
    pub(crate) hold_budget: usize,
    pub(crate) done: Callback<B>,
}

/// The open torrents.
#[derive(Default)]
pub(crate) struct Torrents(HashMap<TorrentId, Known>);

struct Known {
    open: Arc<Torrent>,
    /// Pieces in a run, all of which go to one lane.
    run: u32,
    closing: bool,
    /// That of its first lock.
    _place: Taken,
}

impl Torrents {
    /// How many neighbouring pieces of the torrent go to one lane; `None` if it takes no jobs.
    pub(crate) fn run(&self, id: TorrentId) -> Option<u32> {
        self.0.get(&id).filter(|known| !known.closing).map(|known| known.run)
    }
}

impl<B> Shared<B> {
    pub(crate) fn new(hold_budget: usize, done: Callback<B>) -> Self {
        Self {
            torrents: RwLock::default(),
            descriptors: Descriptors::of_process(),
            spare: SpareLocks::new(),
            held: Arc::new(AtomicUsize::new(0)),
            hold_budget,
            done,
        }
    }

    /// Adds an open torrent. False if there is one of this name.
    pub(crate) fn add(&self, id: TorrentId, (open, place): (Torrent, Taken), run: u32) -> bool {
        match self.torrents_mut().0.entry(id) {
            Entry::Occupied(_) => false,
            Entry::Vacant(entry) => {
                entry.insert(Known { open: Arc::new(open), run, closing: false, _place: place });
                true
            }
        }
    }

    /// A torrent that is open, or about to close.
    pub(crate) fn torrent(&self, id: TorrentId) -> Option<Arc<Torrent>> {
        self.torrents().0.get(&id).map(|known| Arc::clone(&known.open))
    }

    /// Lets go of all torrents, and with them of their locks.
    pub(crate) fn clear(&self) {
        self.torrents_mut().0.clear();
    }

    pub(crate) fn torrents(&self) -> RwLockReadGuard<'_, Torrents> {
        self.torrents.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn torrents_mut(&self) -> RwLockWriteGuard<'_, Torrents> {
        self.torrents.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A torrent on its way out: passed through every thread's queue, so that the last thread to see
/// it knows that all jobs before it are done.
pub(crate) struct Closing<B> {
    id: TorrentId,
    shared: Arc<Shared<B>>,
}

impl<B> Closing<B> {
    /// From now on the torrent takes no jobs. `None` if it takes none already.
    pub(crate) fn begin(id: TorrentId, shared: &Arc<Shared<B>>) -> Option<Arc<Self>> {
        let mut torrents = shared.torrents_mut();
        let known = torrents.0.get_mut(&id).filter(|known| !known.closing)?;
        known.closing = true;
        Some(Arc::new(Self { id, shared: Arc::clone(shared) }))
    }

    pub(crate) fn id(&self) -> TorrentId {
        self.id
    }

    /// This thread is done with the torrent. The last one closes it.
    pub(crate) fn pass(self: Arc<Self>) {
        let Some(Self { id, shared }) = Arc::into_inner(self) else { return };
        let Some(Known { open, .. }) = shared.torrents_mut().0.remove(&id) else { return };
        let Identity { stamps, doubtful, ours } = open.watch.look_at_all(&open.files);
        // Releases the lock before anyone is told.
        drop(open);
        (shared.done)(vec![Done::Closed { torrent: id, stamps, doubtful, ours }]);
    }
}
