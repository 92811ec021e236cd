//! What is known of one tracker of one torrent: what it was told, what it answered, when it may be
//! asked again. Never decides which tracker is next.

use std::time::{Duration, Instant};

use crate::error::Error;
use crate::limits::DEFAULT_MIN_INTERVAL;
use crate::message::{Event, Reply};

/// How long a tracker is left alone after its first failure; doubled with each one that follows.
const FIRST_BACK_OFF: Duration = Duration::from_secs(15);
/// The longest a failing tracker is left alone.
const MAX_BACK_OFF: Duration = Duration::from_mins(30);

/// What one tracker of a torrent answered and when it is next; for showing.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Status<'a> {
    /// The tracker's URL as the torrent has it.
    pub url: &'a str,
    /// Its tier, from 0.
    pub tier: usize,
    /// Since when an announce is under way.
    pub asked: Option<Instant>,
    /// When it last answered or failed.
    pub answered: Option<Instant>,
    /// How long that took.
    pub took: Option<Duration>,
    /// Why the last announce failed; `None` if it succeeded.
    pub error: Option<&'a Error>,
    /// The last answer, if the tracker ever gave one.
    pub reply: Option<&'a Reply>,
    /// When it may be next; `None` if it never is.
    pub next: Option<Instant>,
    /// Failures in a row.
    pub fails: u32,
}

#[derive(Debug)]
pub(super) struct Tracker {
    pub(super) url: String,
    pub(super) tier: usize,
    /// The announce under way, and since when.
    pub(super) pending: Option<(Event, Instant)>,
    /// It has answered an announce of this run and was not told `stopped` since.
    pub(super) told: bool,
    /// It knows us as incomplete, and we no longer are.
    pub(super) owes_completed: bool,
    /// Asked in the round that is under way.
    pub(super) in_round: bool,
    /// From when on it may be asked; `None` is never.
    pub(super) ready: Option<Instant>,
    /// When it should be asked; `None` is never.
    pub(super) due: Option<Instant>,
    pub(super) id: Option<Vec<u8>>,
    fails: u32,
    answered: Option<Instant>,
    took: Option<Duration>,
    error: Option<Error>,
    reply: Option<Reply>,
}

impl Tracker {
    pub(super) fn new(url: String, tier: usize, now: Instant) -> Self {
        Self {
            url,
            tier,
            pending: None,
            told: false,
            owes_completed: false,
            in_round: false,
            ready: Some(now),
            due: Some(now),
            id: None,
            fails: 0,
            answered: None,
            took: None,
            error: None,
            reply: None,
        }
    }

    pub(super) fn is_healthy(&self) -> bool {
        self.told && self.fails == 0
    }

    pub(super) fn succeeded(&mut self, now: Instant, event: Event, reply: &Reply) {
        self.fails = 0;
        self.error = None;
        if reply.tracker_id.is_some() {
            self.id.clone_from(&reply.tracker_id);
        }
        self.told = event != Event::Stopped;
        if matches!(event, Event::Completed | Event::Stopped) {
            self.owes_completed = false;
        }
        let min = reply.min_interval.unwrap_or(DEFAULT_MIN_INTERVAL.min(reply.interval));
        self.ready = now.checked_add(min);
        self.due = now.checked_add(reply.interval.max(min));
        // The answer to `stopped` has no peers and no counts worth keeping.
        if event != Event::Stopped {
            self.reply = Some(reply.clone());
        }
    }

    /// `jitter` is a number below 1,000 that spreads the retries of many torrents.
    pub(super) fn failed(&mut self, now: Instant, event: Event, error: &Error, jitter: u32) {
        if !self.told {
            self.owes_completed = false;
        }
        if event == Event::Stopped {
            self.told = false;
        }
        let doubled = FIRST_BACK_OFF.saturating_mul(1 << self.fails.min(16)).min(MAX_BACK_OFF);
        let wait = doubled + doubled * jitter / 10_000;
        let wait = wait.max(error.retry_in().unwrap_or_default());
        self.fails = self.fails.saturating_add(1);
        // A minimum interval that has not passed yet still counts.
        let next = if error.is_permanent() { None } else { now.checked_add(wait).max(self.ready) };
        (self.ready, self.due) = (next, next);
        self.error = Some(error.clone());
    }

    /// Takes the announce under way, noting how long it took.
    pub(super) fn end(&mut self, now: Instant) -> Option<Event> {
        let (event, since) = self.pending.take()?;
        self.answered = Some(now);
        self.took = Some(now.saturating_duration_since(since));
        Some(event)
    }

    pub(super) fn status(&self) -> Status<'_> {
        Status {
            url: &self.url,
            tier: self.tier,
            asked: self.pending.map(|(_, since)| since),
            answered: self.answered,
            took: self.took,
            error: self.error.as_ref(),
            reply: self.reply.as_ref(),
            next: self.due,
            fails: self.fails,
        }
    }
}
