//! The last look at a torrent's files before it is told as complete: what another program changed while it
//! was downloaded is fetched again. It hashes nothing itself.

use std::time::Instant;

use metainfo::PieceIndex;
use storage::Job;
use swarm::{DiskDone, Input};

use super::Driver;
use crate::event::{Event, State};

impl Driver {
    /// The last piece has come.
    pub(super) fn recheck(&mut self) {
        let pieces = self.swarm.have().clone();
        self.work.jobs.push(Job::Recheck { torrent: self.id, pieces });
    }

    /// All pieces are there, and the files were looked at once more.
    pub(super) fn rechecked(&mut self, now: Instant, wrong: &[PieceIndex]) {
        if let Some(durable) = &mut self.durable {
            durable.lost(wrong);
        }
        for &piece in wrong {
            self.swarm.handle(now, Input::Disk(DiskDone::Lost { piece }));
        }
        if !wrong.is_empty() {
            let pieces = if wrong.len() == 1 { "piece was" } else { "pieces were" };
            log::warn!(
                "{} {pieces} changed on disk by another program meanwhile: fetching them again",
                wrong.len()
            );
            return;
        }
        if self.state == State::Downloading {
            self.state = State::Seeding;
            // Who does not want everything does not become a seed to trackers.
            if self.swarm.have().is_full() {
                self.announcer.tiers().complete(now);
            }
        }
        // Nothing is written any more.
        self.shared.disk.share(self.id);
        self.tell(Event::Complete { torrent: self.id });
    }
}
