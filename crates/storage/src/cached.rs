//! Reads that need no disk, done at once by the thread that asks: what is in the page cache goes to
//! a peer without a visit to a disk thread.
//! It never waits for a disk, and leaves whatever is out of the ordinary to the disk threads.

use std::io::IoSliceMut;
use std::mem;
use std::ops::Range;
use std::sync::Arc;

use metainfo::PieceIndex;

use crate::disk::Disk;
use crate::job::{Done, Job};
use crate::span::Batch;
use crate::sys;
use crate::torrent::Torrent;

/// The most blocks read with one call: what one peer's buffer takes. The system allows 1,024.
const MAX_RUN: usize = 64;

/// The most files that are looked at for one call: of a run that lies in more of them, the blocks
/// beyond are for a disk thread, since hardly all of their files are open.
const MAX_SPANS: usize = 64;

/// A block to be read.
struct Wanted<'a> {
    /// Which of the jobs it is.
    job: usize,
    /// For whom.
    ticket: u64,
    torrent: Arc<Torrent>,
    piece: PieceIndex,
    /// Its bytes, counted from the torrent's start.
    range: Range<u64>,
    into: &'a mut [u8],
    /// Whether it was.
    read: bool,
}

impl<B: AsRef<[u8]> + AsMut<[u8]> + Send + 'static> Disk<B> {
    /// Does those [`Job::Read`] among the jobs whose bytes are in the page cache, takes them out, and
    /// gives their answers. Never waits for a disk, so a thread with sockets may call it. [`submit`]
    /// what is left: it is to be read, or to fail, on a disk thread.
    ///
    /// [`submit`]: Self::submit
    pub fn read_cached(&self, jobs: &mut Vec<Job<B>>) -> Vec<Done<B>> {
        let mut reads: Vec<Job<B>> =
            jobs.extract_if(.., |job| matches!(job, Job::Read { .. })).collect();
        let mut believed = vec![false; reads.len()];
        let mut batch = Batch::impatient();
        let numbered = reads.iter_mut().enumerate();
        let mut wanted: Vec<_> = numbered.filter_map(|(n, job)| self.wanted(n, job)).collect();
        let mut cold = None;
        for run in runs(&mut wanted) {
            let [Wanted { ticket, .. }, ..] = *run else { continue };
            // Where one block is not in the cache, those that its peer asks for next seldom are.
            if cold == Some(ticket) {
                continue;
            }
            let filled = fill(&mut batch, run);
            if filled < run.len() {
                cold = Some(ticket);
            }
            for block in run.iter_mut().take(filled) {
                block.read = true;
            }
        }
        let doubtful = batch.settle();
        let doubted =
            |open: &Arc<Torrent>| doubtful.iter().any(|(other, _)| Arc::ptr_eq(other, open));
        for block in wanted {
            if let Some(believed) = believed.get_mut(block.job) {
                let is_doubtful = || block.torrent.watch.is_doubtful(block.piece);
                *believed = block.read && !doubted(&block.torrent) && !is_doubtful();
            }
        }
        let mut done = Vec::with_capacity(reads.len());
        for (job, believed) in reads.into_iter().zip(believed) {
            match job {
                Job::Read { torrent, ticket, block, into } if believed => {
                    done.push(Done::Read { torrent, ticket, block, data: into });
                }
                job => jobs.push(job),
            }
        }
        done
    }

    /// What the job is to read, if it is one that can be read at once.
    fn wanted<'a>(&self, number: usize, job: &'a mut Job<B>) -> Option<Wanted<'a>> {
        let Job::Read { torrent, ticket, block, into } = job else { return None };
        let torrent = self.torrent(*torrent)?;
        let range = torrent.files.spec().layout().range_of(*block);
        let into = into.as_mut();
        let fits = into.len() == block.len() as usize;
        let (ticket, piece) = (*ticket, block.piece());
        fits.then_some(Wanted { job: number, ticket, torrent, piece, range, into, read: false })
    }
}

/// Sorts the blocks by who asked for them and cuts them into runs that follow one another in their
/// torrent, as what one peer asks for mostly does.
fn runs<'w, 'a>(wanted: &'w mut [Wanted<'a>]) -> impl Iterator<Item = &'w mut [Wanted<'a>]> {
    wanted.sort_by_key(|block| block.ticket);
    let follows = |block: &Wanted<'_>, next: &Wanted<'_>| {
        block.ticket == next.ticket
            && Arc::ptr_eq(&block.torrent, &next.torrent)
            && block.range.end == next.range.start
    };
    wanted.chunk_by_mut(follows).flat_map(|run| run.chunks_mut(MAX_RUN))
}

/// Reads blocks that follow one another, with one call for each file they are in. Gives how many of
/// them were in the page cache, the first ones; the others' memory is not to be used.
fn fill(batch: &mut Batch, run: &mut [Wanted<'_>]) -> usize {
    let [first, ..] = run else { return 0 };
    let torrent = Arc::clone(&first.torrent);
    let start = first.range.start;
    let end = run.last().map_or(start, |last| last.range.end);
    let run_len = run.len();
    let mut read = start;
    let mut buffers = run.iter_mut().map(|block| &mut *block.into);
    let mut buffer: &mut [u8] = &mut [];
    for span in torrent.files.spec().layout().spans_between(start..end).take(MAX_SPANS) {
        let mut slices = Vec::with_capacity(run_len);
        let mut left = usize::try_from(span.len).unwrap_or(usize::MAX);
        while left > 0 {
            if buffer.is_empty() {
                let Some(next) = buffers.next() else { break };
                buffer = next;
            }
            let len = left.min(buffer.len());
            let (part, rest) = mem::take(&mut buffer).split_at_mut(len);
            left -= len;
            slices.push(IoSliceMut::new(part));
            buffer = rest;
        }
        let got = if torrent.files.on_disk(span.file) {
            let open = batch.open(&torrent, span.file);
            open.map_or(0, |open| sys::read_cached(&open.file, span.offset, &mut slices))
        } else {
            for slice in &mut slices {
                slice.fill(0);
            }
            span.len
        };
        read += got;
        if got < span.len {
            break;
        }
    }
    run.partition_point(|block| block.range.end <= read)
}

#[cfg(test)]
mod tests;
