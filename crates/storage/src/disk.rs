//! The handle to the disk threads: opens and closes torrents, hands each job to its thread.
//! It never touches torrent data itself, and `submit` never waits.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Sender, unbounded};
use metainfo::PieceIndex;

use crate::advice::explain;
use crate::backend::{Backend, Windows, reader};
use crate::error::{Error, ErrorKind};
use crate::job::{Done, Job, TorrentId};
use crate::lane::{Lane, Message};
use crate::lock;
use crate::shared::{Closing, Shared};
use crate::spec::Spec;
use crate::stamp::FileStamp;
use crate::sync::{self, SyncMessage};
use crate::torrent::Torrent;
use crate::watch::Identity;

/// How the disk threads work.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Config {
    /// Threads that read, hash and write; syncing has one more. At least 1.
    pub threads: usize,
    /// Bytes of unfinished pieces kept in memory over all torrents before the oldest go to disk.
    pub hold_budget: usize,
    /// How files are read.
    pub backend: Backend,
}

/// The default of [`Config::hold_budget`]: 16 MiB keeps the unfinished pieces of a usual download
/// whole in memory, and is a quarter of what one may hold resident.
pub const HOLD_BUDGET: usize = 16 * 1024 * 1024;

/// Pieces are dealt out to threads in runs of about this many bytes, so that neighbours meet in
/// one thread: they are hashed side by side and written together.
const RUN_LEN: u32 = 16 * 1024 * 1024;

impl Default for Config {
    fn default() -> Self {
        let threads = thread::available_parallelism().map_or(1, usize::from).clamp(1, 4);
        Self { threads, hold_budget: HOLD_BUDGET, backend: Backend::default() }
    }
}

/// The disk threads. Dropping it waits for the jobs already submitted, but not for syncs, and closes
/// all torrents.
pub struct Disk<B> {
    shared: Arc<Shared<B>>,
    lanes: Vec<Sender<Message<B>>>,
    syncs: Sender<SyncMessage<B>>,
    threads: Vec<JoinHandle<()>>,
}

/// What [`Disk::open`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Opened {
    /// None of the torrent's files had a byte before: there is nothing to verify.
    pub fresh: bool,
    /// How each file looks now that it was made, see [`Done::Closed`].
    pub stamps: Vec<Option<FileStamp>>,
    /// Which of them were made.
    pub ours: Vec<bool>,
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
        let Config { threads, hold_budget, backend } = config;
        let shared = Arc::new(Shared::new(hold_budget, Box::new(done)));
        let (syncs, inbox) = unbounded();
        let syncing = Arc::clone(&shared);
        // Never joined: nobody waits at exit for a slow disk to finish a sync.
        spawn("disk-sync", move || sync::run(&syncing, &inbox))?;
        let mut disk = Self { shared, lanes: Vec::new(), syncs, threads: Vec::new() };
        for number in 0..threads.max(1) {
            let (sender, inbox) = unbounded();
            let lane = Lane::new(Arc::clone(&disk.shared), reader(backend, Windows::MANY));
            disk.threads.push(spawn(&format!("disk-{number}"), move || lane.run(&inbox))?);
            disk.lanes.push(sender);
        }
        Ok(disk)
    }

    /// Creates the torrent's files and folders, takes their room and locks them. Blocks on the
    /// disk, so not for a thread with sockets.
    ///
    /// A file that is as long as it should be is left as it is. One that is longer is cut only
    /// [where the spec says so](Spec::with_overwrite); else what is beyond the torrent's length is
    /// neither read nor written.
    ///
    /// # Errors
    /// [`ErrorKind::Locked`] when another open torrent, of this process or another, has one of
    /// the files, unless both only read them, see [`Allocation::AsFound`](crate::Allocation::AsFound) and [`share`](Self::share); [`ErrorKind::Full`] when they do not fit on the disk; and when they can't be made.
    pub fn open(&self, torrent: TorrentId, spec: &Spec) -> Result<Opened, Error> {
        self.open_as(torrent, spec, None)
    }

    /// The same for files of which something is known as long as they look like this.
    ///
    /// # Errors
    /// As [`open`](Self::open), and [`ErrorKind::Changed`] when one looks different by now.
    pub fn open_known(
        &self,
        torrent: TorrentId,
        spec: &Spec,
        stamps: &[Option<FileStamp>],
    ) -> Result<Opened, Error> {
        self.open_as(torrent, spec, Some(stamps))
    }

    fn open_as(
        &self,
        torrent: TorrentId,
        spec: &Spec,
        known: Option<&[Option<FileStamp>]>,
    ) -> Result<Opened, Error> {
        if self.shared.torrent(torrent).is_some() {
            return Err(Error::plain(ErrorKind::Locked, "the torrent is open already"));
        }
        let Shared { descriptors, spare, .. } = &*self.shared;
        // Before anything is opened: who waits for it has no descriptor that others wait for.
        let place = lock::place(spec, descriptors)?;
        let open = Torrent::open(spec, known, descriptors, Arc::clone(spare))?;
        let Identity { stamps, ours, .. } = open.watch.identity();
        let opened = Opened { fresh: open.fresh, stamps, ours };
        let run = (RUN_LEN / spec.layout().piece_length()).max(1);
        if self.shared.add(torrent, (open, place), run) {
            Ok(opened)
        } else {
            Err(Error::plain(ErrorKind::Locked, "the torrent is open already"))
        }
    }

    /// Hands jobs to the threads, with at most one message to each. Never blocks.
    pub fn submit(&self, jobs: Vec<Job<B>>) {
        let mut batches: Vec<Vec<Job<B>>> = Vec::new();
        batches.resize_with(self.lanes.len(), Vec::new);
        let mut refused = Vec::new();
        {
            let torrents = self.shared.torrents();
            let mut jobs = jobs.into_iter();
            while let Some(job) = jobs.next() {
                let (id, piece) = address(&job);
                match (torrents.run(id), piece) {
                    (None, _) => refused.push(job),
                    (Some(_), None) => self.send_sync(SyncMessage::of(id, job)),
                    (Some(run), Some(piece)) => {
                        let lane = self.lane_of(id, piece, run);
                        if let Some(batch) = batches.get_mut(lane) {
                            if batch.capacity() == 0 {
                                batch.reserve(jobs.len() + 1);
                            }
                            batch.push(job);
                        }
                    }
                }
            }
        }
        for (lane, batch) in self.lanes.iter().zip(batches) {
            if !batch.is_empty() {
                send(lane, Message::Jobs(batch));
            }
        }
        if let Some(lane) = self.lanes.first().filter(|_| !refused.is_empty()) {
            send(lane, Message::Refused(refused));
        }
    }

    /// A torrent that takes jobs.
    pub(crate) fn torrent(&self, id: TorrentId) -> Option<Arc<Torrent>> {
        self.shared.torrents().run(id)?;
        self.shared.torrent(id)
    }

    /// Lets other torrents read the files of this one from now on: nothing more is going to be written
    /// to them. Never blocks.
    pub fn share(&self, torrent: TorrentId) {
        self.send_sync(SyncMessage::Share(torrent));
    }

    /// Closes the torrent once its jobs are done; answered with [`Done::Closed`]. Jobs submitted
    /// later fail. Never blocks.
    pub fn close(&self, torrent: TorrentId) {
        let Some(closing) = Closing::begin(torrent, &self.shared) else { return };
        for lane in &self.lanes {
            send(lane, Message::Close(Arc::clone(&closing)));
        }
        self.send_sync(SyncMessage::Close(closing));
    }

    /// Neighbouring pieces have the same lane; neighbouring runs have different ones.
    fn lane_of(&self, torrent: TorrentId, piece: PieceIndex, run: u32) -> usize {
        let run = u64::from(piece.get() / run);
        let lanes = self.lanes.len().max(1) as u64;
        usize::try_from(torrent.0.wrapping_add(run) % lanes).unwrap_or(0)
    }

    fn send_sync(&self, message: SyncMessage<B>) {
        // The thread lives as long as this sender, unless it panicked; then nobody answers.
        let _ = self.syncs.send(message);
    }
}

impl<B> Drop for Disk<B> {
    fn drop(&mut self) {
        self.lanes.clear();
        self.shared.descriptors.over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // The last handle may be dropped within `done`: a thread can't wait for itself.
            if thread.thread().id() != thread::current().id() && thread.join().is_err() {
                log::error!("a disk thread panicked");
            }
        }
        self.shared.clear();
    }
}

impl<B> fmt::Debug for Disk<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk").field("lanes", &self.lanes.len()).finish_non_exhaustive()
    }
}

/// Of which torrent and piece a job is; those for the sync thread are of none.
fn address<B>(job: &Job<B>) -> (TorrentId, Option<PieceIndex>) {
    match job {
        Job::Write { torrent, block, .. } | Job::Read { torrent, block, .. } => {
            (*torrent, Some(block.piece()))
        }
        Job::Check { torrent, piece, .. } | Job::Discard { torrent, piece } => {
            (*torrent, Some(*piece))
        }
        Job::Recheck { torrent, .. } | Job::Sync { torrent } => (*torrent, None),
    }
}

fn send<B>(lane: &Sender<Message<B>>, message: Message<B>) {
    // Fails only after the lane's thread panicked, which is logged when it is joined.
    let _ = lane.send(message);
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Error> {
    thread::Builder::new().name(name.to_owned()).spawn(body).map_err(|error| {
        Error::plain(ErrorKind::Io, format!("cannot start a disk thread: {}", explain(&error)))
    })
}
