//! The file descriptors of the process, which are one budget: files, locks and connections take from
//! it, each kind with a share that is always its own and a bound, and whatever is left is for who comes
//! first. Beside it there is room for what the process has open all the time and for what is short-lived.
//! It opens nothing itself, but for trying how much may be opened.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::file_cache::FileCache;

/// As many as are ever asked for: a thousand torrents with their peers and files.
const ENOUGH: u64 = 65_536;

/// What a process with a session has open all the time: standard streams, what the runtime waits with,
/// the listener, two sockets each for the DHT, the local network and UDP trackers.
const FIXED: usize = 12;

/// The least and the most for what is open for a moment: folders, resume files, HTTP trackers,
/// look-ups of names.
const SHORT_LIVED: (usize, usize) = (6, 128);

/// Enough for every file that the pieces of a busy session touch.
const MAX_OPEN_FILES: usize = 512;

/// So many of them are never given to connections, where there are plenty.
const FILES_OF_THEIR_OWN: usize = 256;

/// So many locks are never given to connections, where there are plenty.
const LOCKS_OF_THEIR_OWN: usize = 128;

/// The most locks over all torrents, the one that each torrent has not counted.
const MAX_SPARE_LOCKS: usize = 256;

/// The fewest that can be left for a session when the process begins, beside the standard streams: each
/// kind has some of its own then.
pub const LEAST_FOR_SESSION: usize = 21;

/// The fewest that can be left for reading files: a folder and a file on two threads, and one to spare.
pub const LEAST_FOR_FILES: usize = 5;

/// What is kept open for longer than a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// A file that is read, written or checked.
    File,
    /// The lock of a torrent.
    Lock,
    /// A connection to a peer, from its dial or its arrival on.
    Connection,
}

/// How much one kind may take.
#[derive(Clone, Copy, Debug, Default)]
struct Share {
    /// Never given to others.
    own: usize,
    most: usize,
    taken: usize,
}

/// The descriptors for all three kinds.
#[derive(Debug)]
pub struct Budget {
    all: usize,
    shares: Mutex<[Share; 3]>,
}

/// A descriptor of the budget; dropped, it can be taken again.
#[derive(Debug)]
pub struct Taken {
    budget: Arc<Budget>,
    of: Use,
}

impl Budget {
    /// That of the process. The first call raises the soft limit as far as the hard one lets us, since
    /// 1,024 is a default of old and few systems need it.
    pub fn of_process() -> Arc<Self> {
        static OF_PROCESS: OnceLock<Arc<Budget>> = OnceLock::new();
        Arc::clone(OF_PROCESS.get_or_init(|| Arc::new(Self::of(raised_limit()))))
    }

    /// That of a process which may have so many descriptors.
    fn of(limit: usize) -> Self {
        let short_lived = (limit / 8).clamp(SHORT_LIVED.0, SHORT_LIVED.1);
        let all = limit.saturating_sub(FIXED + short_lived).max(4);
        let files = (all / 4).clamp(1, FILES_OF_THEIR_OWN);
        let locks = (all / 8).clamp(1, LOCKS_OF_THEIR_OWN);
        let connections = (all / 4).max(1);
        Self {
            all,
            shares: Mutex::new([
                Share { own: files, most: (all / 2).clamp(files, MAX_OPEN_FILES), taken: 0 },
                Share { own: locks, most: (all / 4).max(locks), taken: 0 },
                Share { own: connections, most: all - files - locks, taken: 0 },
            ]),
        }
    }

    /// One in which files have so many, and locks as many as they like.
    #[cfg(test)]
    pub(crate) fn for_files(files: usize) -> Arc<Self> {
        let any = usize::from(u16::MAX);
        let all = Share { own: any, most: any, taken: 0 };
        let shares = Mutex::new([Share { own: files, most: files, taken: 0 }, all, all]);
        Arc::new(Self { all: files + 2 * any, shares })
    }

    fn lock(&self) -> MutexGuard<'_, [Share; 3]> {
        // Three numbers, whole after every statement.
        self.shares.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes one, if there is one for this use.
    pub fn take(self: &Arc<Self>, of: Use) -> Option<Taken> {
        let mut shares = self.lock();
        if !has_room(&shares, self.all, of) {
            return None;
        }
        of.share(&mut shares).taken += 1;
        Some(Taken { budget: Arc::clone(self), of })
    }

    /// Whether it is only for others that there is none for this use.
    pub(crate) fn is_below_most(&self, of: Use) -> bool {
        let share = *of.share(&mut self.lock());
        share.taken < share.most
    }

    /// Whether one could be taken.
    pub(crate) fn has_room(&self, of: Use) -> bool {
        has_room(&self.lock(), self.all, of)
    }

    /// How many this use can always have.
    pub fn own(&self, of: Use) -> usize {
        of.share(&mut self.lock()).own
    }

    /// How many it can have at the most.
    pub fn most(&self, of: Use) -> usize {
        of.share(&mut self.lock()).most
    }

    /// How many there are for all.
    pub fn all(&self) -> usize {
        self.all
    }
}

/// Each kind counts with what it has, and at least with what is its own.
fn has_room(shares: &[Share; 3], all: usize, of: Use) -> bool {
    let mut shares = *shares;
    let Share { own, most, taken } = *of.share(&mut shares);
    let spoken_for: usize = shares.iter().map(|share| share.taken.max(share.own)).sum();
    taken < own || (taken < most && spoken_for < all)
}

impl Use {
    fn share<T>(self, [file, lock, connection]: &mut [T; 3]) -> &mut T {
        match self {
            Self::File => file,
            Self::Lock => lock,
            Self::Connection => connection,
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut shares = self.budget.lock();
        let share = self.of.share(&mut shares);
        share.taken = share.taken.saturating_sub(1);
    }
}

/// Locks held at a time, beside the one that each torrent has.
pub(crate) fn for_spare_locks() -> usize {
    (Budget::of_process().all() / 8).min(MAX_SPARE_LOCKS)
}

/// The limit of the process, raised as far as it may be and is of use.
fn raised_limit() -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    let reach = limit.maximum.unwrap_or(ENOUGH).min(ENOUGH);
    if limit.current.is_some_and(|current| current < reach) {
        let raised = Rlimit { current: Some(reach), maximum: limit.maximum };
        match setrlimit(Resource::Nofile, raised) {
            Ok(()) => limit = raised,
            Err(error) => log::debug!("the limit of open files stays as it is: {error}"),
        }
    }
    usize::try_from(limit.current.unwrap_or(ENOUGH).min(ENOUGH)).unwrap_or(usize::MAX)
}

/// Whether so many descriptors can be had now.
///
/// # Errors
/// What to tell the user if not: how many there may be, and how many are needed at least.
pub fn there_are(needed: usize) -> Result<(), String> {
    let limit = raised_limit();
    let mut held = Vec::new();
    while held.len() < needed {
        // Any descriptor will do; this one needs neither a file nor a name.
        match std::os::unix::net::UnixDatagram::unbound() {
            Ok(one) => held.push(one),
            Err(error) if ran_out(&error) => {
                let least = limit.saturating_sub(held.len()) + needed;
                return Err(format!(
                    "only {limit} files and connections may be open at a time (ulimit -n), and at \
                     least {least} are needed; allow more, as with `ulimit -n 1024`"
                ));
            }
            // What is wrong here is told where something is done.
            Err(_) => return Ok(()),
        }
    }
    Ok(())
}

/// Whether the system had no descriptor to give.
pub fn ran_out(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}

/// After the system had no descriptor for `what` is told: closes the files that are not in use and, if
/// there is none, waits until one may be, or a little while. The user is warned, but seldom.
pub fn make_room(what: &dyn std::fmt::Display) {
    let cache = FileCache::of_process();
    if !cache.make_room(what) {
        cache.wait_for_system();
    }
}

/// Closes the file that was not in use for the longest time, for something else that takes a
/// descriptor. False if there is none.
pub fn close_idle_file() -> bool {
    FileCache::of_process().close_oldest()
}

/// Does something that takes descriptors for a moment. Where there are none it is done again when files
/// that are not in use were closed, or when others let go of theirs, as often as it takes.
///
/// # Errors
/// Those of `act`, but for want of a descriptor.
pub fn with_descriptors<T>(mut act: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match act() {
            Err(error) if ran_out(&error) => make_room(&error),
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USES: [Use; 3] = [Use::File, Use::Lock, Use::Connection];

    fn take_all(budget: &Arc<Budget>, of: Use) -> Vec<Taken> {
        std::iter::from_fn(|| budget.take(of)).collect()
    }

    #[test]
    fn what_one_kind_leaves_others_may_take_and_each_has_its_own() {
        for limit in [0, 24, 40, 64, 256, 1_024, 65_536] {
            for first in USES {
                let budget = Arc::new(Budget::of(limit));
                let greedy = take_all(&budget, first);
                assert_eq!(greedy.len(), budget.most(first), "{first:?} of {limit}");
                let others = USES.into_iter().filter(|other| *other != first);
                let held: Vec<_> = others.map(|other| (other, take_all(&budget, other))).collect();
                for (other, held) in &held {
                    assert!(held.len() >= budget.own(*other), "{other:?} of {limit}");
                }
                let taken = greedy.len() + held.iter().map(|(_, held)| held.len()).sum::<usize>();
                assert!(taken <= budget.all(), "{taken} of {limit}");
                drop(greedy);
                assert!(budget.take(first).is_some());
            }
        }
    }

    #[test]
    fn with_the_process_and_what_is_short_lived_the_limit_is_kept() {
        for limit in [LEAST_FOR_SESSION + 3, 64, 256, 1_024, 65_536] {
            let budget = Budget::of(limit);
            let besides = limit - budget.all();
            assert!(besides >= FIXED + SHORT_LIVED.0, "{besides} of {limit}");
        }
    }
}
