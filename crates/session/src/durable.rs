//! When a torrent's data is synced, and what its resume state then claims: only pieces that a sync
//! covered. It does not touch the disk itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use metainfo::{PieceIndex, PieceSet};
use storage::FileStamp;

use crate::mail::{Mail, Mailbox};
use crate::resume::{Place, State};
use crate::shared::Shared;

/// How long a verified piece waits for its sync. A power cut costs at most this much download; more
/// often would make the disk the bottleneck.
const SYNC_EVERY: Duration = Duration::from_secs(5);

/// How much longer for each file of the torrent, since a stamp of each is saved every time: with a
/// million of them 57 MB, of which the disk is to get about one a second.
const SYNC_EVERY_FILE: Duration = Duration::from_micros(50);

/// The resume state of one running torrent.
pub(crate) struct Durable {
    place: Place,
    /// Which files earlier runs made or wrote to.
    ours: Vec<bool>,
    shared: Arc<Shared>,
    mailbox: Mailbox,
    claims: Claims,
}

/// Which pieces are claimed, and when the next sync is due.
struct Claims {
    synced: PieceSet,
    /// Pieces that were whole when the torrent started; the first sync covers them.
    at_start: Option<PieceSet>,
    every: Duration,
    due: Option<Instant>,
    syncing: bool,
}

impl Claims {
    fn new(trusted: PieceSet, have: &PieceSet, every: Duration, now: Instant) -> Self {
        let unsynced = trusted.count() < have.count();
        Self {
            synced: trusted,
            at_start: unsynced.then(|| have.clone()),
            every,
            due: unsynced.then(|| now + every),
            syncing: false,
        }
    }

    fn wrote(&mut self, now: Instant) {
        self.due.get_or_insert(now + self.every);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.due.filter(|_| !self.syncing)
    }

    fn is_due(&mut self, now: Instant) -> bool {
        let due = self.poll_timeout().is_some_and(|due| due <= now);
        if due {
            self.syncing = true;
            self.due = None;
        }
        due
    }

    fn synced(&mut self, pieces: &[PieceIndex], doubtful: &PieceSet) {
        self.syncing = false;
        for piece in self.at_start.take().iter().flat_map(PieceSet::iter) {
            self.synced.insert(piece);
        }
        for &piece in pieces {
            self.synced.insert(piece);
        }
        self.withdraw(doubtful);
    }

    /// Pieces that another program may have changed are not claimed.
    fn withdraw(&mut self, doubtful: &PieceSet) {
        for piece in doubtful.iter() {
            self.synced.remove(piece);
        }
    }

    /// A system tells of a failed sync once and then forgets the bytes it could not write, so that
    /// the next sync succeeds without them: what this one was to cover is never claimed.
    fn failed(&mut self) {
        self.syncing = false;
        self.at_start = None;
    }
}

impl Durable {
    /// Of a torrent, some of whose files may be `ours` by earlier runs, that starts with the pieces in
    /// `have`, of which `trusted` were synced earlier.
    pub(crate) fn new(
        (place, ours): (Place, Vec<bool>),
        (trusted, have): (PieceSet, &PieceSet),
        shared: Arc<Shared>,
        mailbox: Mailbox,
        now: Instant,
    ) -> Self {
        let files = u32::try_from(ours.len()).unwrap_or(u32::MAX);
        let every = SYNC_EVERY.saturating_add(SYNC_EVERY_FILE.saturating_mul(files));
        Self { place, ours, shared, mailbox, claims: Claims::new(trusted, have, every, now) }
    }

    /// A piece was written and is not synced yet.
    pub(crate) fn wrote(&mut self, now: Instant) {
        self.claims.wrote(now);
    }

    /// When [`is_due`](Self::is_due) will answer yes.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.claims.poll_timeout()
    }

    /// Whether to start a sync now; it counts as started.
    pub(crate) fn is_due(&mut self, now: Instant) -> bool {
        self.claims.is_due(now)
    }

    /// A sync ended that covered `pieces`: from now on they are claimed, as long as the files look like
    /// this, but for those that are `doubtful`.
    pub(crate) fn synced(
        &mut self,
        pieces: &[PieceIndex],
        stamps: Vec<Option<FileStamp>>,
        doubtful: &PieceSet,
        ours: Vec<bool>,
    ) {
        self.claims.synced(pieces, doubtful);
        let ours = self.with_earlier(ours);
        let state = State { synced: self.claims.synced.clone(), stamps, ours, ended: false };
        self.shared.saver.save(&self.place, state, || {});
    }

    /// Another program changed these pieces.
    pub(crate) fn lost(&mut self, pieces: &[PieceIndex]) {
        for &piece in pieces {
            self.claims.synced.remove(piece);
        }
    }

    /// The files that this run made or wrote to, and those of earlier runs.
    fn with_earlier(&self, mut ours: Vec<bool>) -> Vec<bool> {
        for (now, earlier) in ours.iter_mut().zip(&self.ours) {
            *now |= earlier;
        }
        ours
    }

    /// A sync failed: what it was to cover stays unclaimed, and the next run hashes it.
    pub(crate) fn failed(&mut self) {
        self.claims.failed();
    }

    /// The files are closed: how they look is saved with the claims, but for pieces that are `doubtful`,
    /// and the torrent hears when that is done.
    pub(crate) fn close(
        &mut self,
        stamps: Vec<Option<FileStamp>>,
        doubtful: &PieceSet,
        ours: Vec<bool>,
    ) {
        self.claims.withdraw(doubtful);
        let ours = self.with_earlier(ours);
        let state = State { synced: self.claims.synced.clone(), stamps, ours, ended: true };
        let mailbox = self.mailbox.clone();
        self.shared.saver.save(&self.place, state, move || {
            // A torrent that left after its deadline is not waiting any more.
            let _ = mailbox.send(Mail::Saved);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(numbers: &[u32]) -> PieceSet {
        let mut set = PieceSet::new_empty(8);
        for number in numbers {
            set.insert(PieceIndex::new(*number));
        }
        set
    }

    /// What is claimed, by number.
    fn claimed(claims: &Claims) -> Vec<u32> {
        claims.synced.iter().map(PieceIndex::get).collect()
    }

    #[test]
    fn a_sync_claims_what_it_covered_and_what_was_there_at_the_start() {
        let now = Instant::now();
        let mut claims = Claims::new(pieces(&[0]), &pieces(&[0, 1]), SYNC_EVERY, now);
        assert!(!claims.is_due(now));
        assert!(claims.is_due(now + SYNC_EVERY));
        claims.wrote(now + SYNC_EVERY);
        assert!(!claims.is_due(now + 2 * SYNC_EVERY), "one at a time");
        assert_eq!(claimed(&claims), [0]);
        claims.synced(&[PieceIndex::new(2)], &pieces(&[]));
        assert_eq!(claimed(&claims), [0, 1, 2]);
        assert!(claims.is_due(now + 2 * SYNC_EVERY));
    }

    #[test]
    fn what_is_doubtful_is_not_claimed_until_it_was_written_again() {
        let now = Instant::now();
        let mut claims = Claims::new(pieces(&[0]), &pieces(&[0, 1]), SYNC_EVERY, now);
        claims.synced(&[PieceIndex::new(2)], &pieces(&[0, 1]));
        assert_eq!(claimed(&claims), [2]);
        claims.synced(&[PieceIndex::new(1)], &pieces(&[0]));
        assert_eq!(claimed(&claims), [1, 2]);
    }

    #[test]
    fn what_a_failed_sync_was_to_cover_is_never_claimed() {
        let now = Instant::now();
        let mut claims = Claims::new(pieces(&[0]), &pieces(&[0, 1]), SYNC_EVERY, now);
        claims.wrote(now);
        assert!(claims.is_due(now + SYNC_EVERY));
        claims.failed();
        assert_eq!(claimed(&claims), [0]);
        // The next one succeeds, though the system forgot bytes of piece 1 and what was written since.
        claims.synced(&[PieceIndex::new(3)], &pieces(&[]));
        assert_eq!(claimed(&claims), [0, 3]);
    }
}
