//! One disk thread: takes jobs in batches, keeps blocks, reads, and hands whole pieces on to be
//! checked, several at a time.
//! It never waits for anything but its inbox and the disk, and knows nothing of other lanes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use metainfo::Block;

use crate::backend::Reader;
use crate::error::{Error, ErrorKind};
use crate::hold::{Hold, Key};
use crate::job::{Done, Job, TorrentId, What};
use crate::recheck;
use crate::shared::{Closing, Shared};
use crate::span::{Batch, Doubt};
use crate::write::write_blocks;
use early::Early;

mod check;
mod early;

/// How many reads are answered together: 1 MiB of blocks, so the first of a long queue is not kept
/// waiting by the last.
const READ_BATCH: usize = 64;

/// How long the first of several whole pieces waits for company. Hashing a lone piece costs up to
/// three times what it costs in a full set of lanes, and no peer notices so short a time.
const LINGER: Duration = Duration::from_millis(10);

/// What reaches a disk thread.
pub(crate) enum Message<B> {
    Jobs(Vec<Job<B>>),
    /// Jobs for torrents that are not open.
    Refused(Vec<Job<B>>),
    /// Everything of this torrent before is done; drop the rest.
    Close(Arc<Closing<B>>),
}

/// The state of one disk thread.
pub(crate) struct Lane<B> {
    shared: Arc<Shared<B>>,
    reader: Box<dyn Reader>,
    hold: Hold<B>,
    early: Early,
    /// Reads waiting to be done.
    reads: Vec<Read<B>>,
    /// Pieces waiting to be hashed, and since when the first of them does.
    checks: Vec<Waiting>,
    waiting_since: Instant,
    /// Answers waiting to be sent.
    done: Vec<Done<B>>,
}

/// A piece waiting to be hashed.
struct Waiting {
    key: Key,
    /// Whether the digest of each block is wanted even if it is good.
    digests: bool,
}

struct Read<B> {
    torrent: TorrentId,
    ticket: u64,
    block: Block,
    into: B,
}

impl<B: AsRef<[u8]> + AsMut<[u8]> + Send + 'static> Lane<B> {
    pub(crate) fn new(shared: Arc<Shared<B>>, reader: Box<dyn Reader>) -> Self {
        let hold = Hold::new(Arc::clone(&shared.held));
        Self {
            shared,
            reader,
            hold,
            early: Early::default(),
            reads: Vec::new(),
            checks: Vec::new(),
            waiting_since: Instant::now(),
            done: Vec::new(),
        }
    }

    /// Serves the inbox until all its senders are gone and it is empty.
    pub(crate) fn run(mut self, inbox: &Receiver<Message<B>>) {
        while let Ok(message) = inbox.recv() {
            self.take(message);
            loop {
                while let Ok(message) = inbox.try_recv() {
                    self.take(message);
                }
                self.read_all();
                self.answer();
                if self.checks.is_empty() {
                    break;
                }
                match self.patience().map(|left| inbox.recv_timeout(left)) {
                    Some(Ok(message)) => self.take(message),
                    None
                    | Some(Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected)) => {
                        self.check_all();
                        self.answer();
                    }
                }
            }
        }
    }

    /// How much longer to wait for more pieces to hash; `None` for not at all.
    fn patience(&self) -> Option<Duration> {
        let full = self.checks.len() >= piecehash::lanes();
        // Waiting holds memory that blocks on their way need.
        let scarce = self.hold.total() >= self.shared.hold_budget / 4 * 3;
        if full || scarce {
            return None;
        }
        LINGER.checked_sub(self.waiting_since.elapsed())
    }

    fn take(&mut self, message: Message<B>) {
        match message {
            Message::Jobs(jobs) => {
                for job in jobs {
                    self.take_job(job);
                }
            }
            Message::Refused(jobs) => {
                for job in jobs {
                    self.refuse(&job);
                }
            }
            Message::Close(closing) => {
                self.read_all();
                self.check_all();
                self.answer();
                self.hold.forget_torrent(closing.id());
                self.early.forget_torrent(closing.id());
                self.reader.forget();
                closing.pass();
            }
        }
    }

    fn take_job(&mut self, job: Job<B>) {
        match job {
            Job::Write { torrent, block, data } => {
                self.settle((torrent, block.piece()));
                self.keep(torrent, block, data);
            }
            Job::Check { torrent, piece, digests } => {
                if self.checks.is_empty() {
                    self.waiting_since = Instant::now();
                }
                self.settle((torrent, piece));
                self.checks.push(Waiting { key: (torrent, piece), digests });
                if self.checks.len() >= piecehash::lanes() {
                    self.check_all();
                    self.answer();
                }
            }
            Job::Read { torrent, ticket, block, into } => {
                self.settle((torrent, block.piece()));
                self.reads.push(Read { torrent, ticket, block, into });
                if self.reads.len() >= READ_BATCH {
                    self.read_all();
                    self.answer();
                }
            }
            Job::Discard { torrent, piece } => {
                self.settle((torrent, piece));
                self.hold.forget((torrent, piece));
                self.early.take((torrent, piece));
            }
            // These have a thread of their own and never get here.
            Job::Recheck { .. } | Job::Sync { .. } => {}
        }
    }

    fn refuse(&mut self, job: &Job<B>) {
        let (torrent, what) = match *job {
            // Nothing is kept of a closed torrent, and nobody waits to hear so.
            Job::Write { .. } | Job::Discard { .. } => return,
            Job::Check { torrent, piece, .. } => (torrent, What::Check { piece }),
            Job::Read { torrent, ticket, block, .. } => (torrent, What::Read { ticket, block }),
            Job::Recheck { torrent, .. } => (torrent, What::Recheck),
            Job::Sync { torrent } => (torrent, What::Sync { pieces: Vec::new() }),
        };
        self.fail(torrent, what, Error::closed());
    }

    /// Keeps the jobs of one piece in order: what comes after a check waits for it.
    fn settle(&mut self, key: Key) {
        if self.checks.iter().any(|waiting| waiting.key == key) {
            self.check_all();
        }
    }

    fn keep(&mut self, torrent: TorrentId, block: Block, mut data: B) {
        // A block of a closed torrent is of no use to anyone.
        let Some(open) = self.shared.torrent(torrent) else { return };
        let layout = open.files.spec().layout();
        let piece = block.piece();
        let number =
            layout.block_number(block).filter(|_| data.as_ref().len() == block.len() as usize);
        let Some(number) = number else {
            let error = Error::plain(ErrorKind::Unsupported, "not a block of this torrent");
            self.fail(torrent, What::Write { piece }, error);
            return;
        };
        // Padding is zeros, whatever a peer sends for it.
        for part in layout.padding_in(block) {
            data.as_mut().get_mut(part).unwrap_or_default().fill(0);
        }
        self.hold.keep((torrent, piece), number as usize, layout, data);
        while self.hold.total() > self.shared.hold_budget && self.make_room() {}
    }

    /// Brings down the memory that is kept, by hashing what is whole or else by writing out the
    /// oldest unfinished piece. False when there is nothing here to bring down.
    fn make_room(&mut self) -> bool {
        if !self.checks.is_empty() {
            self.check_all();
            return true;
        }
        let Some(key) = self.hold.oldest(|_| false) else { return false };
        let Some(held) = self.hold.take(key) else { return false };
        if let Some(torrent) = self.shared.torrent(key.0) {
            let layout = torrent.files.spec().layout();
            let blocks = held.each(layout, key.1);
            let kept = blocks.filter_map(|(block, data)| Some((block, data?)));
            let written = write_blocks(&torrent, kept);
            self.early.note(key, &held, layout);
            if let Err(error) = written {
                self.early.take(key);
                self.fail(key.0, What::Write { piece: key.1 }, error);
            }
        }
        self.hold.recycle(held);
        true
    }

    fn read_all(&mut self) {
        if self.reads.is_empty() {
            return;
        }
        let mut batch = Batch::new();
        let mut results = Vec::with_capacity(self.reads.len());
        for mut read in self.reads.drain(..) {
            let Some(torrent) = self.shared.torrent(read.torrent) else {
                results.push((read, Err(Error::closed())));
                continue;
            };
            let into = read.into.as_mut();
            let result = if into.len() == read.block.len() as usize {
                let spans = torrent.files.spec().layout().spans(read.block);
                batch.read(&torrent, &mut *self.reader, spans, into)
            } else {
                Err(Error::plain(ErrorKind::Unsupported, "buffer and block differ in length"))
            };
            results.push((read, result.map(|()| torrent)));
        }
        let doubtful = batch.settle();
        for (read, result) in results {
            let Read { torrent, ticket, block, mut into } = read;
            let result = result.and_then(|open| {
                match doubtful.iter().find(|(other, _)| Arc::ptr_eq(other, &open)) {
                    Some((_, Doubt::Lost(error))) => Err(error.clone()),
                    None if !open.watch.is_doubtful(block.piece()) => Ok(()),
                    _ => recheck::read(&open, block, into.as_mut()),
                }
            });
            match result {
                Ok(()) => self.done.push(Done::Read { torrent, ticket, block, data: into }),
                Err(error) => self.fail(torrent, What::Read { ticket, block }, error),
            }
        }
    }

    fn fail(&mut self, torrent: TorrentId, what: What, error: Error) {
        self.done.push(Done::Failed { torrent, what, error });
    }

    fn answer(&mut self) {
        if !self.done.is_empty() {
            (self.shared.done)(std::mem::take(&mut self.done));
        }
    }
}
