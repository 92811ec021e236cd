//! A torrent's trackers: asks whom the schedule names, with the counters of that moment, and passes
//! the answers on. The schedule is `tracker::Tiers`; nothing here waits.

use std::sync::Arc;
use std::time::Instant;

use swarm::Stats;
use tracker::{Announce, Tiers};

use crate::mail::{Entry, Mail};
use crate::shared::Shared;

/// The trackers of one torrent.
pub(crate) struct Announcer {
    tiers: Tiers,
    entry: Entry,
    shared: Arc<Shared>,
}

impl Announcer {
    /// Nothing is announced before [`Announcer::tiers`] is told to start.
    pub(crate) fn new(tiers: Tiers, entry: Entry, shared: Arc<Shared>) -> Self {
        Self { tiers, entry, shared }
    }

    /// The schedule, to be told what happens.
    pub(crate) fn tiers(&mut self) -> &mut Tiers {
        &mut self.tiers
    }

    /// Makes the announces that are due. `stats` is asked only if there are any.
    pub(crate) fn run(&mut self, now: Instant, stats: impl Fn() -> Stats) {
        while let Some(ask) = self.tiers.poll(now) {
            let Stats { missing: left, downloaded, uploaded, .. } = stats();
            let announce = Announce {
                url: ask.url.clone(),
                info_hash: *self.entry.info_hash.as_bytes(),
                peer_id: self.entry.peer_id.0,
                port: self.shared.listen.port(),
                uploaded,
                downloaded,
                left,
                event: ask.event,
                num_want: None,
                key: self.shared.key,
                tracker_id: ask.tracker_id,
            };
            let mailbox = self.entry.mailbox.clone();
            self.shared.trackers.announce(announce, move |result| {
                // A torrent that has ended by now is past caring.
                let _ =
                    mailbox.send(Mail::Announced { tracker: ask.tracker, url: ask.url, result });
            });
        }
    }
}
