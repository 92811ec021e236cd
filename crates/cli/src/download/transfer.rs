//! One torrent of a run: what it is called, how far it is, how it ends. Never talks to the session.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use metainfo::{Magnet, Metainfo};
use session::{Snapshot, TorrentId};

use super::hook::Facts;
use super::stall::Watch;
use super::wish::Wish;
use crate::exit::{Code, Failure};
use crate::progress::{Row, Stage};
use crate::{source, text};

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
    /// What the user named it by, safe to print.
    pub(super) argument: String,
    pub(super) info_hash: String,
    /// The magnet it is as long as its torrent is not known, and what is wanted of it then.
    pub(super) magnet: Option<Box<(Magnet, Wish)>>,
    dir: PathBuf,
    /// Its file, or the folder of its files.
    pub(super) path: PathBuf,
    /// What it is called, and how it stands.
    pub(super) row: Row,
    /// Pieces of the whole torrent.
    pieces: u32,
    /// How many of them are seeded, where that is not all.
    pub(super) part: Option<u32>,
    started: Instant,
    /// Bytes that were there already.
    at_start: u64,
    /// Since when it is complete.
    pub(super) complete: Option<Instant>,
    pub(super) watch: Watch,
    /// It was told to stop since it is done.
    pub(super) leaving: bool,
    /// Since when it is over.
    pub(super) ended: Option<Instant>,
    /// The user does not want to wait for it. It may still turn out to be complete: that may have
    /// happened before, and be told after.
    pub(super) interrupted: bool,
    /// It failed, and that was told.
    pub(super) failed: bool,
}

impl Transfer {
    pub(super) fn new(id: TorrentId, argument: &str, torrent: &Metainfo, dir: PathBuf) -> Self {
        let info_hash = torrent.info_hash().map(|hash| hash.to_string()).unwrap_or_default();
        let row = Row::new(torrent.name(), torrent.total_len());
        Self {
            argument: argument.to_owned(),
            path: dir.join(OsStr::from_bytes(torrent.name_bytes())),
            pieces: torrent.piece_count(),
            ..Self::unknown(id, row, info_hash, dir)
        }
    }

    /// A magnet.
    pub(super) fn of_magnet(id: TorrentId, argument: &str, magnet: Magnet, wish: Wish) -> Self {
        let row = Row::new(&source::magnet_name(&magnet), 0);
        let info_hash = magnet.info_hash.map(|hash| hash.to_string()).unwrap_or_default();
        let dir = wish.dir();
        let argument = argument.to_owned();
        let magnet = Some(Box::new((magnet, wish)));
        Self { argument, magnet, ..Self::unknown(id, row, info_hash, dir) }
    }

    fn unknown(id: TorrentId, row: Row, info_hash: String, dir: PathBuf) -> Self {
        Self {
            id,
            argument: String::new(),
            info_hash,
            magnet: None,
            path: dir.clone(),
            dir,
            row,
            pieces: 0,
            part: None,
            started: Instant::now(),
            at_start: 0,
            complete: None,
            watch: Watch::default(),
            leaving: false,
            ended: None,
            interrupted: false,
            failed: false,
        }
    }

    /// The torrent of a magnet is known now.
    pub(super) fn known(&mut self, torrent: &Metainfo) {
        torrent.name().clone_into(&mut self.row.name);
        self.path = self.dir.join(OsStr::from_bytes(torrent.name_bytes()));
        self.row.total = torrent.total_len();
        self.pieces = torrent.piece_count();
    }

    /// What it is called, safe to print.
    pub(super) fn shown(&self) -> String {
        text::escape(&self.row.name).into_owned()
    }

    /// `path` as JSON has it, where all text is UTF-8.
    pub(super) fn path_text(&self) -> Cow<'_, str> {
        self.path.to_string_lossy()
    }

    pub(super) fn facts(&self) -> Facts<'_> {
        let dir: &Path = &self.dir;
        Facts {
            name: &self.row.name,
            info_hash: &self.info_hash,
            dir,
            path: &self.path,
            bytes: self.row.total,
        }
    }

    /// What is on disk is known, and it begins.
    pub(super) fn ready(&mut self, have_bytes: u64, total_bytes: u64) {
        self.started = Instant::now();
        self.at_start = have_bytes;
        (self.row.have, self.row.total) = (have_bytes, total_bytes);
        self.row.stage = Stage::Downloading;
    }

    /// All that is wanted is here.
    pub(super) fn completed(&mut self) {
        self.complete = Some(Instant::now());
        self.row.have = self.row.total;
        self.row.stage = Stage::Seeding;
    }

    /// It is over.
    pub(super) fn stopped(&mut self, downloaded: u64, uploaded: u64) {
        self.ended = Some(Instant::now());
        self.row.over(downloaded, uploaded);
    }

    /// How long it took, or has taken so far, to fetch what was missing.
    pub(super) fn downloading_for(&self) -> Duration {
        let until = self.complete.or(self.ended).unwrap_or_else(Instant::now);
        until.saturating_duration_since(self.started)
    }

    /// How long it has been talking to peers.
    pub(super) fn running_for(&self) -> Duration {
        let until = self.ended.unwrap_or_else(Instant::now);
        until.saturating_duration_since(self.started)
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
                let shared = |ratio| now.stats.uploaded as f64 >= ratio * self.row.total as f64;
                time.is_some_and(|time| lasted >= time) || ratio.is_some_and(shared)
            }
        }
    }

    /// The line that says that it is complete, and what it took if anything was missing.
    pub(super) fn completion(&self, seeding: bool) -> String {
        let (name, size) = (self.shown(), text::bytes(self.row.total));
        let fetched = self.row.total.saturating_sub(self.at_start);
        let took = self.downloading_for();
        let took = || format!("in {}{}", text::duration(took), mean(fetched, took));
        if let Some(part) = self.part.filter(|part| *part < self.pieces) {
            return format!("{name}: seeding {part} of {} pieces, {size}", self.pieces);
        }
        match (fetched > 0, seeding) {
            (false, false) => format!("{name}: complete, {size}"),
            (false, true) => format!("{name}: complete, seeding {size}"),
            (true, false) => format!("{name}: complete, {size} {}", took()),
            (true, true) => format!("{name}: complete, {size} {}, seeding", took()),
        }
    }

    /// Why it is over before it was complete; `None` if it is complete, or that was told.
    pub(super) fn unfinished(&self) -> Option<Failure> {
        if self.complete.is_some() || self.failed {
            return None;
        }
        let name = self.shown();
        let (code, message) = match (self.interrupted, &self.magnet) {
            (true, Some(_)) => {
                (Code::Unfinished, format!("stopped before the metadata of {name} was here"))
            }
            (true, None) => (Code::Unfinished, format!("stopped before {name} was complete")),
            (false, _) => (Code::Other, format!("{name} ended before it was complete")),
        };
        Some(Failure::new(code, message))
    }
}

/// The mean rate in brackets, unless it took no time that could be measured.
pub(super) fn mean(bytes: u64, took: Duration) -> String {
    let rate = u128::from(bytes).saturating_mul(1000).checked_div(took.as_millis());
    let rate = rate.map(|rate| text::rate(u64::try_from(rate).unwrap_or(u64::MAX)));
    rate.map(|rate| format!(" ({rate})")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transfer() -> Transfer {
        Transfer::unknown(TorrentId(1), Row::new("a", 2048), String::new(), PathBuf::new())
    }

    #[test]
    fn what_was_complete_before_the_user_left_is_complete() {
        let mut transfer = Transfer { interrupted: true, ..transfer() };
        let failure = transfer.unfinished().unwrap();
        assert_eq!(failure.code() as u8, Code::Unfinished as u8);
        assert_eq!(failure.to_string(), "stopped before a was complete");
        // Told after the signal, since the two come by different ways.
        transfer.completed();
        assert!(transfer.unfinished().is_none());
    }

    #[test]
    fn a_failure_is_told_once() {
        assert!(Transfer { failed: true, ..transfer() }.unfinished().is_none());
    }

    #[test]
    fn completion_tells_bytes_time_and_mean_rate() {
        let mut transfer = transfer();
        transfer.ready(2048, 2048);
        transfer.completed();
        assert_eq!(transfer.completion(false), "a: complete, 2.00 KiB");
        assert_eq!(transfer.completion(true), "a: complete, seeding 2.00 KiB");
        let part = Transfer { pieces: 3, part: Some(2), ..self::transfer() };
        assert_eq!(part.completion(true), "a: seeding 2 of 3 pieces, 2.00 KiB");
        transfer.ready(1024, 2048);
        transfer.complete = transfer.started.checked_add(Duration::from_secs(2));
        assert_eq!(transfer.completion(false), "a: complete, 2.00 KiB in 2s (512 B/s)");
    }
}
