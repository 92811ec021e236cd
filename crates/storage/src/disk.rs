//! The handle to the disk threads: opens and closes torrents, hands jobs to the right thread.
//! It never touches torrent data itself and `submit` never waits.

use crate::error::Error;
use crate::job::{Done, Job, TorrentId};
use crate::spec::Spec;

/// How the disk threads work.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// Threads that read, hash and write; syncing has one more. At least 1.
    pub threads: usize,
    /// Bytes of unfinished pieces kept in memory over all torrents before the oldest go to disk.
    pub hold_budget: usize,
    /// How files are read.
    pub backend: Backend,
}

/// How files are read. Writing is positional with both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Backend {
    /// From mappings on local file systems that keep them coherent with writes, else as
    /// [`Backend::Positional`].
    #[default]
    Mapped,
    /// With `pread`.
    Positional,
}

/// See [`Config::hold_budget`]: 16 MiB keeps a piece of every usual size from one fast peer whole
/// in memory, and is a quarter of what a download may hold resident.
pub const HOLD_BUDGET: usize = 16 * 1024 * 1024;

impl Default for Config {
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from).clamp(1, 4);
        Self { threads, hold_budget: HOLD_BUDGET, backend: Backend::default() }
    }
}

/// The disk threads. Dropping it stops them after the jobs already submitted.
pub struct Disk<B> {
    marker: std::marker::PhantomData<fn(B)>,
}

/// What [`Disk::open`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Opened {
    /// None of the torrent's files had a byte before: there is nothing to verify.
    pub fresh: bool,
}

impl<B: AsRef<[u8]> + AsMut<[u8]> + Send + 'static> Disk<B> {
    /// Starts the threads. `done` is called on them with every batch of answers, never from
    /// within a call of ours; it must not wait.
    ///
    /// # Errors
    /// When the system gives us no thread.
    pub fn start(
        config: Config,
        done: impl Fn(Vec<Done<B>>) + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let _ = (config, done);
        Ok(Self { marker: std::marker::PhantomData })
    }

    /// Creates the torrent's files and folders, takes their room and locks them. Blocks on the
    /// disk, so not for a thread with sockets.
    ///
    /// # Errors
    /// When the files are in use, the room is missing, or they can't be made.
    pub fn open(&self, torrent: TorrentId, spec: &Spec) -> Result<Opened, Error> {
        let _ = (torrent, spec);
        Ok(Opened { fresh: true })
    }

    /// Hands jobs to the threads. Never blocks.
    pub fn submit(&self, jobs: Vec<Job<B>>) {
        drop(jobs);
    }

    /// Closes the torrent once its jobs are done; answered with [`Done::Closed`]. Never blocks.
    pub fn close(&self, torrent: TorrentId) {
        let _ = torrent;
    }
}
