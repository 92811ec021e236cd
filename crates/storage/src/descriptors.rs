//! The file descriptors of the process, which are one budget: how much of it storage takes for which
//! purpose, and what to do when the system has none left. It opens nothing itself.
//!
//! A quarter is for files that are read, written and checked, an eighth for locks; sockets and all that
//! is short-lived have the rest. Each share has its own bound too, since more is of no use.

use std::io;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

use crate::file_cache::FileCache;

/// Enough for every file that the pieces of a busy session touch.
const MAX_OPEN_FILES: usize = 512;

/// The most locks over all torrents, the one that each torrent has not counted.
const MAX_SPARE_LOCKS: usize = 256;

/// How long something small waits for a descriptor: far longer than it takes until a file or a
/// connection is closed.
const PATIENCE: Duration = Duration::from_secs(30);

/// Files open at a time.
pub(crate) fn for_files() -> usize {
    share(4, MAX_OPEN_FILES).max(4)
}

/// Locks held at a time, beside the one that each torrent has.
pub(crate) fn for_locks() -> usize {
    share(8, MAX_SPARE_LOCKS)
}

/// One part in so many of the descriptors that the process may have, and no more than `most`.
fn share(parts: u64, most: usize) -> usize {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(limit / parts).unwrap_or(most).min(most)
}

/// Whether the system had no descriptor to give.
pub(crate) fn ran_out(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    matches!(errno, Some(Errno::MFILE | Errno::NFILE))
}

/// Does something that takes descriptors for a moment. Where there are none it is done again when files
/// that nobody uses were closed, or when others let go of theirs, for up to half a minute.
///
/// # Errors
/// Those of `act`.
pub fn with_descriptors<T>(mut act: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let cache = FileCache::of_process();
    let began = Instant::now();
    loop {
        match act() {
            Err(error) if ran_out(&error) && began.elapsed() < PATIENCE => {
                if !cache.close_idle() {
                    cache.wait_for_system();
                }
            }
            other => return other,
        }
    }
}
