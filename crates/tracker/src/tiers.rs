//! When one torrent asks which of its trackers (BEP 3, BEP 12). A state machine without I/O: time,
//! randomness and answers come in, questions come out. Never sends them; that is
//! [`Client`](crate::Client).
//!
//! Announces happen in *rounds*. A round walks the tiers in order and ends with the first answer;
//! the tracker that gave it decides when the next round begins. Inside a tier, trackers stand in
//! an order that was shuffled once and in which one that answers moves to the front. A tracker
//! that fails makes room for the next at once; one that is merely silent is waited for, but not
//! for long: after [`PATIENCE`] the next of its tier and the first of the next tier are asked too, and
//! each further silent one is waited for half as long. So dead tiers cost seconds, not minutes.

mod tracker;

use std::time::{Duration, Instant};

pub use self::tracker::Status;
use self::tracker::Tracker;
use crate::error::Error;
use crate::limits::{FRESH, MAX_PARALLEL, MAX_TRACKERS, PATIENCE, PATIENCE_LEAST};
use crate::message::{Event, Reply};

/// An announce to make now. The caller adds the counters as they are at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Which tracker; to be given back to [`Tiers::answered`].
    pub tracker: usize,
    /// Its URL.
    pub url: String,
    /// The event to announce.
    pub event: Event,
    /// The tracker id to send.
    pub tracker_id: Option<Vec<u8>>,
}

/// The schedule of one torrent over its tiers of trackers.
///
/// Contract: after each call that takes `now`, call [`Tiers::poll`] until it gives `None`; then
/// call it again at [`Tiers::poll_timeout`]. Each [`Ask`] is answered by exactly one
/// [`Tiers::answered`].
#[derive(Debug)]
pub struct Tiers {
    trackers: Vec<Tracker>,
    /// For each tier its indices into `trackers`, in the order in which they are asked.
    order: Vec<Vec<usize>>,
    rng: fastrand::Rng,
    phase: Phase,
    /// When the phase began.
    since: Instant,
    round: Option<Round>,
    next_round: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Idle,
    Running,
    Stopping,
}

#[derive(Debug)]
struct Round {
    began: Instant,
    /// For each tier, when it was last asked.
    asked: Vec<Option<Instant>>,
}

/// What is to be done next.
#[derive(Clone, Copy, Debug)]
enum Step {
    Ask(usize, Event),
    BeginRound,
    EndRound,
}

impl Tiers {
    /// A schedule over the torrent's tiers, shuffled by `seed`. Repeated URLs count once, and
    /// what is beyond [`MAX_TRACKERS`] is left out.
    pub fn new(tiers: &[Vec<String>], seed: u64, now: Instant) -> Self {
        let mut this = Self {
            trackers: Vec::new(),
            order: Vec::new(),
            rng: fastrand::Rng::with_seed(seed),
            phase: Phase::Idle,
            since: now,
            round: None,
            next_round: None,
        };
        this.append(tiers, now);
        this
    }

    /// Tiers behind those there are, as when a torrent is named a second time by something that knows
    /// other trackers. They are asked when those before them fail, at once if none of them answered so far.
    pub fn add(&mut self, tiers: &[Vec<String>], now: Instant) {
        let first = self.trackers.len();
        self.append(tiers, now);
        if self.phase != Phase::Running || first == self.trackers.len() {
            return;
        }
        for tracker in self.trackers.iter_mut().skip(first) {
            tracker.due = tracker.ready;
        }
        if let Some(round) = &mut self.round {
            round.asked.resize(self.order.len(), None);
        }
        if !self.trackers.iter().any(|tracker| tracker.told) {
            self.want_peers(now);
        }
    }

    fn append(&mut self, tiers: &[Vec<String>], now: Instant) {
        for urls in tiers {
            let mut tier = Vec::new();
            for url in urls.iter().map(|url| url.trim()).filter(|url| !url.is_empty()) {
                let known = self.trackers.iter().any(|tracker| tracker.url == url);
                if !known && self.trackers.len() < MAX_TRACKERS {
                    tier.push(self.trackers.len());
                    self.trackers.push(Tracker::new(url.to_owned(), self.order.len(), now));
                }
            }
            if !tier.is_empty() {
                self.rng.shuffle(&mut tier);
                self.order.push(tier);
            }
        }
    }

    /// Begins to announce, with `started`.
    pub fn start(&mut self, now: Instant) {
        if self.phase != Phase::Running {
            self.phase = Phase::Running;
            self.since = now;
            self.next_round = Some(now);
            for tracker in &mut self.trackers {
                tracker.due = tracker.ready;
            }
        }
    }

    /// The download became complete: trackers that know us as incomplete are told at once.
    pub fn complete(&mut self, now: Instant) {
        if self.phase == Phase::Running {
            for tracker in &mut self.trackers {
                tracker.owes_completed = tracker.told || tracker.pending.is_some();
            }
            self.since = now;
        }
    }

    /// Ends: trackers that answered are told `stopped`, no others.
    pub fn stop(&mut self, now: Instant) {
        if self.phase == Phase::Running {
            self.phase = Phase::Stopping;
            self.since = now;
            self.end_round();
            self.next_round = None;
        }
    }

    /// Whether, after [`Tiers::stop`], nothing is left to wait for: every tracker that knew us
    /// has been told, or failed to listen.
    pub fn is_stopped(&self) -> bool {
        let open = |t: &Tracker| t.told || matches!(t.pending, Some((Event::Stopped, _)));
        self.phase != Phase::Running && !self.trackers.iter().any(open)
    }

    /// More peers would be welcome: the next round begins as early as the trackers' minimum
    /// intervals and back-offs allow.
    pub fn want_peers(&mut self, now: Instant) {
        if self.phase != Phase::Running || self.round.is_some() {
            return;
        }
        let ready = self.trackers.iter().filter(|t| t.pending.is_none()).filter_map(|t| t.ready);
        if let Some(earliest) = ready.min() {
            let earliest = earliest.max(now);
            self.next_round = Some(self.next_round.map_or(earliest, |next| next.min(earliest)));
        }
    }

    /// The next announce to make now, if any.
    pub fn poll(&mut self, now: Instant) -> Option<Ask> {
        loop {
            let (at, step) = self.next_step()?;
            if at > now {
                return None;
            }
            match step {
                Step::BeginRound => self.begin_round(now),
                Step::EndRound => {
                    self.end_round();
                    // Never in the past: a round without any announce must not spin.
                    let later = now + PATIENCE;
                    self.next_round = self.after_failure().map(|at| at.max(later));
                }
                Step::Ask(index, event) => return self.ask(now, index, event),
            }
        }
    }

    /// When [`Tiers::poll`] will have something to do, if nothing is answered until then.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.next_step().map(|(at, _)| at)
    }

    /// What the tracker of an [`Ask`] answered.
    pub fn answered(&mut self, now: Instant, tracker: usize, result: &Result<Reply, Error>) {
        let jitter = self.rng.u32(..1_000);
        let Some(asked) = self.trackers.get_mut(tracker) else { return };
        let Some(event) = asked.end(now) else { return };
        match result {
            Ok(reply) => {
                asked.succeeded(now, event, reply);
                let due = asked.due;
                self.promote(tracker);
                if self.phase == Phase::Running && event != Event::Stopped {
                    self.end_round();
                    self.next_round = due;
                }
            }
            Err(error) => asked.failed(now, event, error, jitter),
        }
        if self.phase == Phase::Running && self.round.is_none() && self.next_round.is_none() {
            self.next_round = self.after_failure();
        }
    }

    /// What each tracker answered, in the order in which they are asked.
    pub fn status(&self) -> impl Iterator<Item = Status<'_>> {
        self.order.iter().flatten().filter_map(|&i| self.trackers.get(i)).map(Tracker::status)
    }

    /// Whether there is no tracker at all.
    pub fn is_empty(&self) -> bool {
        self.trackers.is_empty()
    }

    /// The earliest thing to do, and when. All that changes it comes in by `&mut self`, so the
    /// time it gives stays right until then.
    fn next_step(&self) -> Option<(Instant, Step)> {
        match self.phase {
            Phase::Idle => None,
            Phase::Stopping => {
                let free = |t: &Tracker| t.told && t.pending.is_none();
                let index = self.trackers.iter().position(free)?;
                Some((self.since, Step::Ask(index, Event::Stopped)))
            }
            Phase::Running => {
                let completed = self.trackers.iter().enumerate().filter_map(|(index, t)| {
                    let owed = t.owes_completed && t.told && t.pending.is_none();
                    // The minimum interval does not hold `completed` back, but a back-off does.
                    let at = if t.is_healthy() { self.since } else { t.ready? };
                    owed.then_some((at, Step::Ask(index, Event::Completed)))
                });
                let announce = match &self.round {
                    Some(round) => self.round_step(round),
                    None => self.next_round.map(|at| (at, Step::BeginRound)),
                };
                completed.chain(announce).min_by_key(|(at, _)| *at)
            }
        }
    }

    /// The next step of a round: the earliest announce that it allows, or its end.
    fn round_step(&self, round: &Round) -> Option<(Instant, Step)> {
        let mut opens = round.began;
        let mut silent = 0;
        let mut under_way: Vec<Instant> = Vec::new();
        let mut next: Option<(Instant, Step)> = None;
        for (tier, asked) in self.order.iter().zip(&round.asked) {
            let trackers = || tier.iter().filter_map(|&i| Some((i, self.trackers.get(i)?)));
            let pending = trackers().filter(|(_, t)| t.in_round).filter_map(|(_, t)| t.pending);
            let before = under_way.len();
            under_way.extend(pending.map(|(_, since)| since));
            let waiting = under_way.len() - before;
            let may = |t: &Tracker| {
                !t.in_round && t.pending.is_none() && t.ready.is_some_and(|at| at <= round.began)
            };
            let candidate = trackers().find(|(_, t)| may(t));
            if let Some((index, tracker)) = candidate {
                let at = match asked {
                    Some(asked) if waiting > 0 => *asked + patience(waiting - 1),
                    _ => opens,
                };
                if next.is_none_or(|(earliest, _)| at < earliest) {
                    next = Some((at, Step::Ask(index, tracker.regular_event())));
                }
            }
            if candidate.is_some() || waiting > 0 {
                opens += patience(silent);
                silent += 1;
            }
        }
        let Some((at, step)) = next else {
            return under_way.is_empty().then_some((round.began, Step::EndRound));
        };
        // So many at once; those that were asked long ago do not count.
        under_way.sort_unstable_by(|a, b| b.cmp(a));
        let full = under_way.get(MAX_PARALLEL - 1).map(|since| *since + FRESH);
        Some((full.map_or(at, |room| at.max(room)), step))
    }

    fn begin_round(&mut self, now: Instant) {
        self.round = Some(Round { began: now, asked: vec![None; self.order.len()] });
        self.next_round = None;
    }

    fn end_round(&mut self) {
        self.round = None;
        for tracker in &mut self.trackers {
            tracker.in_round = false;
        }
    }

    fn ask(&mut self, now: Instant, index: usize, event: Event) -> Option<Ask> {
        let tracker = self.trackers.get_mut(index)?;
        tracker.pending = Some((event, now));
        if let Some(round) = &mut self.round {
            tracker.in_round = true;
            if let Some(asked) = round.asked.get_mut(tracker.tier) {
                *asked = Some(now);
            }
        }
        let (url, tracker_id) = (tracker.url.clone(), tracker.id.clone());
        Some(Ask { tracker: index, url, event, tracker_id })
    }

    /// When to try again after a round without an answer: with the tracker that works (it was not
    /// due yet), or else with whoever's back-off ends first. Those being asked decide later.
    fn after_failure(&self) -> Option<Instant> {
        let free = || self.trackers.iter().filter(|t| t.pending.is_none());
        let working = free().filter(|t| t.is_healthy()).filter_map(|t| t.due).min();
        working.or_else(|| free().filter_map(|t| t.due).min())
    }

    /// BEP 12: a tracker that answers moves to the front of its tier.
    fn promote(&mut self, index: usize) {
        for tier in &mut self.order {
            if let Some(at) = tier.iter().position(|&i| i == index)
                && let Some(front) = tier.get_mut(..=at)
            {
                front.rotate_right(1);
            }
        }
    }
}

/// How long a silent tracker holds up the next after so many others that were silent.
fn patience(others: usize) -> Duration {
    let halved = PATIENCE / 2_u32.saturating_pow(u32::try_from(others).unwrap_or(u32::MAX));
    halved.max(PATIENCE_LEAST)
}

impl Tracker {
    fn regular_event(&self) -> Event {
        match (self.told, self.owes_completed) {
            (false, _) => Event::Started,
            (true, true) => Event::Completed,
            (true, false) => Event::Periodic,
        }
    }
}

#[cfg(test)]
mod tests;
