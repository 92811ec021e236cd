//! When a torrent's data is synced, and what its resume state then claims: only pieces that a sync
//! covered. It does not touch the disk itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use metainfo::{PieceIndex, PieceSet};
use storage::Spec;

use crate::mail::{Mail, Mailbox};
use crate::resume::{Place, State};
use crate::shared::Shared;

/// How long a verified piece waits for its sync. A power cut costs at most this much download; more
/// often would make the disk the bottleneck.
const SYNC_EVERY: Duration = Duration::from_secs(5);

/// The resume state of one running torrent.
pub(crate) struct Durable {
    place: Place,
    spec: Spec,
    shared: Arc<Shared>,
    mailbox: Mailbox,
    synced: PieceSet,
    /// Pieces that were whole when the torrent started; the first sync covers them.
    at_start: Option<PieceSet>,
    due: Option<Instant>,
    syncing: bool,
}

impl Durable {
    /// Of a torrent that starts with the pieces in `have`, of which `trusted` were synced earlier.
    pub(crate) fn new(
        (place, spec): (Place, Spec),
        (trusted, have): (PieceSet, &PieceSet),
        shared: Arc<Shared>,
        mailbox: Mailbox,
        now: Instant,
    ) -> Self {
        let unsynced = trusted.count() < have.count();
        Self {
            place,
            spec,
            shared,
            mailbox,
            synced: trusted,
            at_start: unsynced.then(|| have.clone()),
            due: unsynced.then(|| now + SYNC_EVERY),
            syncing: false,
        }
    }

    /// A piece was written and is not synced yet.
    pub(crate) fn wrote(&mut self, now: Instant) {
        self.due.get_or_insert(now + SYNC_EVERY);
    }

    /// When [`is_due`](Self::is_due) will answer yes.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.due.filter(|_| !self.syncing)
    }

    /// Whether to start a sync now; it counts as started.
    pub(crate) fn is_due(&mut self, now: Instant) -> bool {
        let due = self.poll_timeout().is_some_and(|due| due <= now);
        if due {
            self.syncing = true;
            self.due = None;
        }
        due
    }

    /// A sync ended that covered `pieces`: from now on they are claimed.
    pub(crate) fn synced(&mut self, pieces: &[PieceIndex]) {
        self.syncing = false;
        for piece in self.at_start.take().iter().flat_map(PieceSet::iter) {
            self.synced.insert(piece);
        }
        for &piece in pieces {
            self.synced.insert(piece);
        }
        self.shared.saver.save(&self.place, State::now(self.synced.clone(), Vec::new()), || {});
    }

    /// The files are closed: how they look now is saved with the claims, and the torrent hears when
    /// that is done. If somebody else `touched` them, nothing is claimed: it all has to be hashed.
    pub(crate) fn close(&self, touched: bool) {
        let none = || PieceSet::new_empty(self.synced.len());
        let claims = if touched { none() } else { self.synced.clone() };
        let state = State::now(claims, storage::stamps(&self.spec));
        let mailbox = self.mailbox.clone();
        self.shared.saver.save(&self.place, state, move || {
            // A torrent that left after its deadline is not waiting any more.
            let _ = mailbox.send(Mail::Saved);
        });
    }
}
