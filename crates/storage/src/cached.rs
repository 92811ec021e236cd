//! Reads that need no disk, done at once by the thread that asks: what is in the page cache goes to
//! a peer without a visit to a disk thread.
//! It never waits for a disk, and leaves whatever is out of the ordinary to the disk threads.

use std::io::IoSliceMut;
use std::mem;
use std::ops::Range;
use std::sync::Arc;

use crate::disk::Disk;
use crate::job::{Done, Job};
use crate::span::Batch;
use crate::sys;
use crate::torrent::Torrent;

/// The most blocks read with one call: what one peer's buffer takes. The system allows 1,024.
const MAX_RUN: usize = 64;

/// A block to be read.
struct Wanted<'a> {
    torrent: Arc<Torrent>,
    /// Its bytes, counted from the torrent's start.
    range: Range<u64>,
    into: &'a mut [u8],
}

impl Wanted<'_> {
    fn is_followed_by(&self, next: &Self) -> bool {
        Arc::ptr_eq(&self.torrent, &next.torrent) && self.range.end == next.range.start
    }
}

impl<B: AsRef<[u8]> + AsMut<[u8]> + Send + 'static> Disk<B> {
    /// Does those [`Job::Read`] among the jobs whose bytes are in the page cache, takes them out, and
    /// gives their answers; of one ticket in the order of its jobs. Never waits for a disk, so a
    /// thread with sockets may call it. [`submit`] what is left: it is to be read, or to fail, on a
    /// disk thread.
    ///
    /// [`submit`]: Self::submit
    pub fn read_cached(&self, jobs: &mut Vec<Job<B>>) -> Vec<Done<B>> {
        let mut reads: Vec<Job<B>> =
            jobs.extract_if(.., |job| matches!(job, Job::Read { .. })).collect();
        // What one peer asks for mostly follows one another.
        reads.sort_by_key(ticket);
        let mut wanted: Vec<Wanted<'_>> =
            reads.iter_mut().map_while(|job| self.wanted(job)).collect();
        let mut batch = Batch::impatient();
        let mut count = 0;
        let runs = wanted.chunk_by_mut(Wanted::is_followed_by);
        for run in runs.flat_map(|run| run.chunks_mut(MAX_RUN)) {
            let filled = fill(&mut batch, run);
            count += filled;
            // Where one is not in the cache, its neighbours seldom are.
            if filled < run.len() {
                break;
            }
        }
        wanted.truncate(count);
        let doubtful = batch.settle();
        let doubted =
            |open: &Arc<Torrent>| doubtful.iter().any(|(other, _)| Arc::ptr_eq(other, open));
        let believed: Vec<bool> = wanted.iter().map(|block| !doubted(&block.torrent)).collect();
        let mut done = Vec::with_capacity(count);
        let mut believed = believed.into_iter();
        for job in reads {
            match job {
                Job::Read { torrent, ticket, block, into } if believed.next() == Some(true) => {
                    done.push(Done::Read { torrent, ticket, block, data: into });
                }
                job => jobs.push(job),
            }
        }
        done
    }

    /// What the job is to read, if it is one that can be read at once.
    fn wanted<'a>(&self, job: &'a mut Job<B>) -> Option<Wanted<'a>> {
        let Job::Read { torrent, block, into, .. } = job else { return None };
        let torrent = self.torrent(*torrent)?;
        let range = torrent.files.spec().layout().range_of(*block);
        let into = into.as_mut();
        (into.len() == block.len() as usize).then_some(Wanted { torrent, range, into })
    }
}

/// For whom the job reads.
fn ticket<B>(job: &Job<B>) -> u64 {
    match job {
        Job::Read { ticket, .. } => *ticket,
        _ => 0,
    }
}

/// Reads blocks that follow one another, with one call for each file they are in. Gives how many of
/// them were in the page cache, the first ones; the others' memory is not to be used.
fn fill(batch: &mut Batch, run: &mut [Wanted<'_>]) -> usize {
    let [first, ..] = run else { return 0 };
    let torrent = Arc::clone(&first.torrent);
    let start = first.range.start;
    let end = run.last().map_or(start, |last| last.range.end);
    let mut read = start;
    let mut buffers = run.iter_mut().map(|block| &mut *block.into);
    let mut buffer: &mut [u8] = &mut [];
    for span in torrent.files.spec().layout().spans_between(start..end) {
        let mut slices = Vec::new();
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
mod tests {
    use std::fs;

    use metainfo::Layout;

    use super::*;
    use crate::disk::{Config, Disk};
    use crate::job::TorrentId;
    use crate::spec::{FileSpec, Spec};

    #[test]
    fn a_run_ends_where_its_file_was_cut_and_none_of_it_is_believed() {
        const T: TorrentId = TorrentId(1);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        fs::write(&path, vec![7; 65_536]).unwrap();
        let layout = Layout::new(65_536, &[65_536]).unwrap();
        let file = FileSpec { path: "data".into(), on_disk: true };
        let spec = Spec::from_parts(folder.path(), vec![file], layout, vec![[0; 20]]).unwrap();
        let disk: Disk<Vec<u8>> = Disk::start(Config::default(), |_| {}).unwrap();
        disk.open(T, &spec).unwrap();
        let torrent = disk.torrent(T).unwrap();
        for (cut, whole) in [(None, 4), (Some(40_000), 2)] {
            let mut batch = Batch::new();
            batch.open(&torrent, 0).unwrap();
            if let Some(len) = cut {
                fs::File::options().write(true).open(&path).unwrap().set_len(len).unwrap();
            }
            let mut buffers = vec![vec![0; 16_384]; 4];
            let wanted = |(number, into): (u64, _)| {
                let torrent = Arc::clone(&torrent);
                Wanted { torrent, range: number * 16_384..(number + 1) * 16_384, into }
            };
            let buffers = buffers.iter_mut().map(|buffer| &mut buffer[..]);
            let mut run: Vec<_> = (0..).zip(buffers).map(wanted).collect();
            let filled = fill(&mut batch, &mut run);
            // Not every file system can tell what is in the cache.
            assert!(filled == whole || filled == 0, "{filled}");
            assert!(run.iter().take(filled).all(|block| *block.into == [7; 16_384]));
            assert_eq!(batch.settle().is_empty(), cut.is_none());
        }
    }
}
