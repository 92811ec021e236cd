//! What all torrents of a session have in common: disk threads, tracker threads, buffer pools, the
//! registry that incoming handshakes are looked up in. Never anything that belongs to one torrent.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use egress::Trials;
use metainfo::InfoHash;
use storage::{Disk, Done, TorrentId};
use swarm::{Limit, Source};
use tokio::sync::Semaphore;
use wire::{Payload, Pool};

use crate::descriptors::Places;
use crate::dialects::Dialects;
use crate::finder::Finder;
use crate::mail::{Entry, Mail, Mailbox};
use crate::resume::Saver;

/// Bytes of blocks that arrived and are not yet on disk, over all torrents. More than storage keeps
/// of unfinished pieces (16 MiB), so that there is always room for what completes them.
const DOWNLOAD_BUDGET: usize = 32 << 20;

/// Bytes of blocks read for peers and not yet sent, over all torrents. A gigabit uplink drains this
/// in an eighth of a second, and no peer may hold more than its own share of it.
const UPLOAD_BUDGET: usize = 16 << 20;

/// Handshakes under way over all torrents, each direction: more would exhaust a home router's table
/// when dialing, and let strangers hold descriptors when listening.
const HALF_OPEN: usize = 100;

/// What all torrents share.
pub(crate) struct Shared {
    pub(crate) disk: Disk<Payload>,
    pub(crate) trackers: tracker::Client,
    pub(crate) saver: Saver,
    /// Buffers for blocks that arrive.
    pub(crate) downloads: Pool,
    /// Buffers for blocks that leave.
    pub(crate) uploads: Pool,
    pub(crate) download_limit: Option<Limit>,
    pub(crate) upload_limit: Option<Limit>,
    /// Which ports of a host were dialed in vain.
    pub(crate) trials: Trials,
    pub(crate) dials: Semaphore,
    /// Places for connections, handshakes included.
    pub(crate) connections: Places,
    pub(crate) registry: Arc<Registry>,
    pub(crate) dialects: Dialects,
    pub(crate) finder: Arc<Finder>,
    pub(crate) bind: Option<IpAddr>,
    pub(crate) listen: SocketAddr,
    /// Stays the same for the session's life, so that trackers know us when our address changes.
    pub(crate) key: u32,
}

impl Shared {
    pub(crate) fn download_pool() -> Pool {
        Pool::new(DOWNLOAD_BUDGET)
    }

    pub(crate) fn upload_pool() -> Pool {
        Pool::new(UPLOAD_BUDGET)
    }

    /// Whether not even one more block could be received.
    pub(crate) fn disk_is_behind(&self) -> bool {
        let room = self.downloads.budget().saturating_sub(self.downloads.in_use());
        room < usize::try_from(metainfo::BLOCK_LEN).unwrap_or(usize::MAX)
    }

    pub(crate) fn half_open() -> Semaphore {
        Semaphore::new(HALF_OPEN)
    }
}

/// The torrents of the session: where their mail goes, and which of them peers may ask for.
#[derive(Default)]
pub(crate) struct Registry {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    entries: HashMap<TorrentId, Entry>,
    /// Those that are open and verified, so that peers may come.
    accepting: HashMap<InfoHash, TorrentId>,
    /// The same, by the form in which encrypted peers name them.
    disguised: HashMap<[u8; 20], InfoHash>,
}

impl Registry {
    /// Takes a torrent in; false if its info-hash is here already.
    pub(crate) fn insert(&self, id: TorrentId, entry: Entry) -> bool {
        let mut state = self.lock();
        let fresh = state.entries.values().all(|other| other.info_hash != entry.info_hash);
        if fresh {
            state.entries.insert(id, entry);
        }
        fresh
    }

    /// From now on peers may ask for the torrent.
    pub(crate) fn accept(&self, id: TorrentId) {
        let mut state = self.lock();
        if let Some(info_hash) = state.entries.get(&id).map(|entry| entry.info_hash) {
            state.accepting.insert(info_hash, id);
            state.disguised.insert(wire::mse::disguise(info_hash.as_bytes()), info_hash);
        }
    }

    /// Forgets a torrent; mail for it vanishes from now on.
    pub(crate) fn remove(&self, id: TorrentId) {
        let mut state = self.lock();
        if let Some(entry) = state.entries.remove(&id) {
            state.accepting.remove(&entry.info_hash);
            state.disguised.remove(&wire::mse::disguise(entry.info_hash.as_bytes()));
        }
    }

    /// The torrent that a peer's handshake asks for.
    pub(crate) fn by_hash(&self, info_hash: [u8; 20]) -> Option<Entry> {
        let state = self.lock();
        let id = state.accepting.get(&InfoHash::from(info_hash))?;
        state.entries.get(id).cloned()
    }

    /// Peers of a torrent were found; if it is running, it hears of them.
    pub(crate) fn found(&self, info_hash: [u8; 20], addrs: Vec<SocketAddr>, source: Source) {
        if let Some(entry) = self.by_hash(info_hash) {
            // A task that has just ended needs no peers.
            let _ = entry.mailbox.send(Mail::Found { addrs, source });
        }
    }

    /// The info-hash that an encrypted peer means.
    pub(crate) fn by_disguise(&self, disguise: [u8; 20]) -> Option<[u8; 20]> {
        self.lock().disguised.get(&disguise).map(|info_hash| *info_hash.as_bytes())
    }

    /// A torrent that is taken in.
    pub(crate) fn entry(&self, id: TorrentId) -> Option<Entry> {
        self.lock().entries.get(&id).cloned()
    }

    /// Where mail for a running torrent goes.
    pub(crate) fn running(&self, id: TorrentId) -> Option<Mailbox> {
        let state = self.lock();
        let entry = state.entries.get(&id)?;
        state.accepting.contains_key(&entry.info_hash).then(|| entry.mailbox.clone())
    }

    /// Every torrent's mailbox gets what `mail` makes for it.
    pub(crate) fn broadcast(&self, mail: impl Fn() -> Mail) {
        for entry in self.lock().entries.values() {
            // A task that has just ended needs no mail any more.
            let _ = entry.mailbox.send(mail());
        }
    }

    /// Hands the disk's answers to the torrents they belong to. A batch nearly always belongs to
    /// one, so it is passed on whole.
    pub(crate) fn deliver(&self, batch: Vec<Done<Payload>>) {
        let Some(first) = batch.first().map(Done::torrent) else { return };
        if batch.iter().all(|done| done.torrent() == first) {
            self.send(first, Mail::Disk(batch));
        } else {
            for done in batch {
                self.send(done.torrent(), Mail::Disk(vec![done]));
            }
        }
    }

    /// Mail for one torrent; dropped if it has ended.
    pub(crate) fn send(&self, id: TorrentId, mail: Mail) {
        if let Some(entry) = self.lock().entries.get(&id) {
            let _ = entry.mailbox.send(mail);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that holds the lock can leave the maps half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
