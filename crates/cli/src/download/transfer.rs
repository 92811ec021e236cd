//! One torrent of a run: what it is called, how far it is, how it ends. Never talks to the session.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use metainfo::{Magnet, Metainfo};
use session::{Snapshot, TorrentId};

use super::hook::Facts;
use super::stall::Watch;
use super::wish::Wish;
use crate::exit::{Code, Failure};
use crate::{output, source, text};

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
    /// The magnet it is as long as its torrent is not known, and what is wanted of it then.
    pub(super) magnet: Option<Box<(Magnet, Wish)>>,
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
    /// The user does not want to wait for it. It may still turn out to be complete: that may have
    /// happened before, and be told after.
    pub(super) interrupted: bool,
    /// Why it failed.
    pub(super) outcome: Option<Failure>,
}

impl Transfer {
    pub(super) fn new(id: TorrentId, torrent: &Metainfo, dir: PathBuf) -> Self {
        let info_hash = torrent.info_hash().map(|hash| hash.to_string()).unwrap_or_default();
        Self {
            total: torrent.total_len(),
            ..Self::unknown(id, torrent.name().to_owned(), info_hash, dir)
        }
    }

    /// A magnet.
    pub(super) fn of_magnet(id: TorrentId, magnet: Magnet, wish: Wish) -> Self {
        let name = source::magnet_name(&magnet);
        let info_hash = magnet.info_hash.map(|hash| hash.to_string()).unwrap_or_default();
        let dir = wish.dir();
        Self { magnet: Some(Box::new((magnet, wish))), ..Self::unknown(id, name, info_hash, dir) }
    }

    fn unknown(id: TorrentId, name: String, info_hash: String, dir: PathBuf) -> Self {
        Self {
            id,
            name,
            info_hash,
            magnet: None,
            dir,
            total: 0,
            started: Instant::now(),
            at_start: 0,
            complete: None,
            watch: Watch::default(),
            leaving: false,
            ended: false,
            interrupted: false,
            outcome: None,
        }
    }

    /// The torrent of a magnet is known now.
    pub(super) fn known(&mut self, torrent: &Metainfo) {
        torrent.name().clone_into(&mut self.name);
        self.total = torrent.total_len();
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
            let (code, message) = match (self.interrupted, self.magnet) {
                (true, Some(_)) => {
                    (Code::Unfinished, format!("stopped before the metadata of {name} was here"))
                }
                (true, None) => (Code::Unfinished, format!("stopped before {name} was complete")),
                (false, _) => (Code::Other, format!("{name} ended before it was complete")),
            };
            return Err(Failure::new(code, message));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_complete_before_the_user_left_is_complete() {
        let transfer = || Transfer {
            interrupted: true,
            ..Transfer::unknown(TorrentId(1), "a".into(), String::new(), PathBuf::new())
        };
        let failure = transfer().finish(false).unwrap_err();
        assert_eq!(failure.code() as u8, Code::Unfinished as u8);
        assert_eq!(failure.to_string(), "stopped before a was complete");
        // Told after the signal, since the two come by different ways.
        let complete = Transfer { complete: Some(Instant::now()), ..transfer() };
        assert!(complete.finish(false).is_ok());
        let failed = Some(Failure::new(Code::DiskFull, "no room"));
        assert!(Transfer { outcome: failed, ..transfer() }.finish(false).is_err());
    }
}
