//! Reads that need no disk, done at once by the thread that asks: what is in the page cache goes to
//! a peer without a visit to a disk thread.
//! It never waits for a disk, and leaves whatever is out of the ordinary to the disk threads.

use std::sync::Arc;

use crate::backend::Cached;
use crate::disk::Disk;
use crate::job::{Done, Job};
use crate::span::Batch;
use crate::torrent::Torrent;

impl<B: AsRef<[u8]> + AsMut<[u8]> + Send + 'static> Disk<B> {
    /// Does those [`Job::Read`] among the jobs whose bytes are in the page cache, takes them out, and
    /// gives their answers. Never waits for a disk, so a thread with sockets may call it. [`submit`]
    /// what is left: it is to be read, or to fail, on a disk thread.
    ///
    /// [`submit`]: Self::submit
    pub fn read_cached(&self, jobs: &mut Vec<Job<B>>) -> Vec<Done<B>> {
        let mut batch = Batch::impatient();
        let mut read: Vec<(Arc<Torrent>, Job<B>)> = Vec::new();
        let reads: Vec<Job<B>> =
            jobs.extract_if(.., |job| matches!(job, Job::Read { .. })).collect();
        let mut reads = reads.into_iter();
        // Where one is not in the cache, its neighbours seldom are.
        for mut job in reads.by_ref() {
            let Some(torrent) = self.try_read(&mut batch, &mut job) else {
                jobs.push(job);
                break;
            };
            read.push((torrent, job));
        }
        jobs.extend(reads);
        let doubtful = batch.settle();
        let mut done = Vec::with_capacity(read.len());
        for (open, job) in read {
            let doubted = doubtful.iter().any(|(other, _)| Arc::ptr_eq(other, &open));
            match job {
                Job::Read { torrent, ticket, block, into } if !doubted => {
                    done.push(Done::Read { torrent, ticket, block, data: into });
                }
                job => jobs.push(job),
            }
        }
        done
    }

    /// Fills the job's buffer, if it is a read that can be done now.
    fn try_read(&self, batch: &mut Batch, job: &mut Job<B>) -> Option<Arc<Torrent>> {
        let Job::Read { torrent, block, into, .. } = job else { return None };
        let open = self.torrent(*torrent)?;
        let into = into.as_mut();
        if into.len() != block.len() as usize {
            return None;
        }
        let spans = open.files.spec().layout().spans(*block);
        batch.read(&open, &mut Cached, spans, into).ok()?;
        Some(open)
    }
}
