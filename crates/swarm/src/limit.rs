//! A speed limit that any number of torrents keep together. It knows bytes and time, nobody's
//! reasons for sending them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::bucket::Bucket;

/// Payload bytes a second, over all torrents that were given a clone of it.
///
/// Whoever finds it open takes a block, into debt if need be, so at any moment the limit is exceeded
/// by at most a quarter of a second and a block.
#[derive(Clone, Debug)]
pub struct Limit(Arc<Mutex<Bucket>>);

impl Limit {
    /// A limit of so many bytes a second; 0 lets nothing pass.
    pub fn new(bytes_per_second: u64) -> Self {
        Self(Arc::new(Mutex::new(Bucket::limit(bytes_per_second))))
    }

    pub(crate) fn per_second(&self) -> u64 {
        self.bucket().per_second()
    }

    pub(crate) fn is_open(&self, now: Instant) -> bool {
        self.bucket().is_open(now)
    }

    pub(crate) fn spend(&self, bytes: u64) {
        self.bucket().spend(bytes);
    }

    /// Takes what was sent or came without having been let pass before.
    pub(crate) fn charge(&self, now: Instant, bytes: u64) {
        let mut bucket = self.bucket();
        // What was earned until now beyond the capacity is no credit for it.
        bucket.is_open(now);
        bucket.spend(bytes);
    }

    /// What was taken and not used comes back.
    pub(crate) fn refund(&self, bytes: u64) {
        self.bucket().refund(bytes);
    }

    pub(crate) fn ready_at(&self) -> Option<Instant> {
        self.bucket().ready_at()
    }

    fn bucket(&self) -> MutexGuard<'_, Bucket> {
        // No code that holds the lock can leave the bucket half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
