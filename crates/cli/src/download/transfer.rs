//! One torrent of a run: what it is called, how far it is, how it ends. Never talks to the session.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use metainfo::Metainfo;
use session::{Snapshot, TorrentId};

use super::hook::Facts;
use super::stall::Watch;
use crate::exit::{Code, Failure};
use crate::{output, text};

/// When to leave a torrent that is complete.
#[derive(Clone, Copy)]
pub(super) enum When {
    AtOnce,
    /// When the first of these is reached; if there is none, when the user says so.
    Later {
        ratio: Option<f64>,
        time: Option<Duration>,
    },
}

pub(super) struct Transfer {
    pub(super) id: TorrentId,
    pub(super) name: String,
    pub(super) info_hash: String,
    dir: PathBuf,
    /// Bytes that are wanted.
    pub(super) total: u64,
    started: Instant,
    /// Bytes that were there already.
    at_start: u64,
    /// Since when it is complete.
    pub(super) complete: Option<Instant>,
    pub(super) watch: Watch,
    /// It was told to stop since it is done.
    pub(super) leaving: bool,
    pub(super) ended: bool,
    pub(super) outcome: Option<Failure>,
}

impl Transfer {
    pub(super) fn new(id: TorrentId, torrent: &Metainfo, dir: PathBuf) -> Self {
        Self {
            id,
            name: torrent.name().to_owned(),
            info_hash: torrent.info_hash().map(|hash| hash.to_string()).unwrap_or_default(),
            dir,
            total: torrent.total_len(),
            started: Instant::now(),
            at_start: 0,
            complete: None,
            watch: Watch::default(),
            leaving: false,
            ended: false,
            outcome: None,
        }
    }

    /// Its file, or the folder of its files.
    pub(super) fn path(&self) -> PathBuf {
        self.dir.join(&self.name)
    }

    pub(super) fn facts(&self) -> Facts<'_> {
        let dir: &Path = &self.dir;
        Facts { name: &self.name, info_hash: &self.info_hash, dir, bytes: self.total }
    }

    /// What is on disk is known, and it begins.
    pub(super) fn ready(&mut self, have_bytes: u64, total_bytes: u64) {
        self.started = Instant::now();
        self.at_start = have_bytes;
        self.total = total_bytes;
    }

    /// The user does not want to wait for it.
    pub(super) fn interrupted(&mut self) {
        if self.complete.is_none() && self.outcome.is_none() {
            let message = format!("stopped before {} was complete", text::escape(&self.name));
            self.outcome = Some(Failure::new(Code::Unfinished, message));
        }
    }

    /// Whether it has seeded long enough, or given enough back.
    pub(super) fn may_leave(&self, when: &When, at: Instant, now: &Snapshot) -> bool {
        let (Some(complete), false) = (self.complete, self.leaving) else { return false };
        match *when {
            When::AtOnce => true,
            When::Later { ratio, time } => {
                let lasted = at.saturating_duration_since(complete);
                #[allow(
                    clippy::cast_precision_loss,
                    reason = "a ratio needs no more than a few digits"
                )]
                let shared = |ratio| now.stats.uploaded as f64 >= ratio * self.total as f64;
                time.is_some_and(|time| lasted >= time) || ratio.is_some_and(shared)
            }
        }
    }

    /// A line on stdout if `spoken`, or why it failed.
    pub(super) fn finish(self, spoken: bool) -> Result<(), Failure> {
        if let Some(failure) = self.outcome {
            return Err(failure);
        }
        let name = text::escape(&self.name);
        let Some(complete) = self.complete else {
            return Err(Failure::new(Code::Other, format!("{name} ended before it was complete")));
        };
        if !spoken {
            return Ok(());
        }
        let fetched = self.total.saturating_sub(self.at_start);
        output::text(|out| {
            write!(out, "{name}: complete, {}", text::bytes(self.total))?;
            if fetched > 0 {
                let took = complete.saturating_duration_since(self.started);
                write!(out, " in {}", text::duration(took))?;
            }
            writeln!(out)
        })
    }
}
