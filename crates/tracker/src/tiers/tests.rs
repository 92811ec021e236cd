//! The schedule in virtual time.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::ErrorKind;
use crate::limits::{DEFAULT_MIN_INTERVAL, FRESH, MAX_TRACKERS};

/// A schedule, its clock, and trackers that answer as `answer` says.
struct Rig {
    tiers: Tiers,
    start: Instant,
    now: Instant,
    /// Second, tracker, event of each announce made.
    log: Vec<(u64, String, Event)>,
}

#[derive(Clone, Copy)]
enum Does {
    Answer,
    Fail,
    /// Fails after a minute.
    Silence,
}

fn reply(interval: u64, min: u64) -> Reply {
    Reply {
        interval: Duration::from_secs(interval),
        min_interval: Some(Duration::from_secs(min)),
        ..Reply::default()
    }
}

fn error() -> Error {
    Error::new(ErrorKind::Timeout, "x")
}

impl Rig {
    fn new(tiers: &[&[&str]]) -> Self {
        let tiers: Vec<Vec<String>> =
            tiers.iter().map(|tier| tier.iter().map(ToString::to_string).collect()).collect();
        let now = Instant::now();
        let mut tiers = Tiers::new(&tiers, 1, now);
        tiers.start(now);
        Self { tiers, start: now, now, log: Vec::new() }
    }

    fn second(&self) -> u64 {
        (self.now - self.start).as_secs()
    }

    fn poll(&mut self) -> Option<Ask> {
        let ask = self.tiers.poll(self.now)?;
        self.log.push((self.second(), ask.url.clone(), ask.event));
        Some(ask)
    }

    /// Runs until the given second; answers at once, or after a minute if silent.
    fn run(&mut self, until: u64, does: impl Fn(&str) -> Does) -> &mut Self {
        let until = self.start + Duration::from_secs(until);
        let mut silent: Vec<(Instant, usize)> = Vec::new();
        loop {
            while let Some(ask) = self.poll() {
                match does(&ask.url) {
                    Does::Answer => {
                        self.tiers.answered(self.now, ask.tracker, &Ok(reply(1800, 60)));
                    }
                    Does::Fail => self.tiers.answered(self.now, ask.tracker, &Err(error())),
                    Does::Silence => silent.push((self.now + Duration::from_mins(1), ask.tracker)),
                }
            }
            let wake = silent.iter().map(|(at, _)| *at).chain(self.tiers.poll_timeout()).min();
            match wake {
                Some(at) if at <= until => self.now = at.max(self.now),
                _ => break,
            }
            let now = self.now;
            silent.retain(|(at, tracker)| {
                if *at <= now {
                    self.tiers.answered(now, *tracker, &Err(error()));
                }
                *at > now
            });
        }
        self.now = until;
        self
    }

    fn log(&self) -> Vec<(u64, &str, Event)> {
        self.log.iter().map(|(at, url, event)| (*at, url.as_str(), *event)).collect()
    }
}

#[test]
fn started_then_periodic_at_the_interval() {
    let mut rig = Rig::new(&[&["a"]]);
    rig.run(4000, |_| Does::Answer);
    let expected =
        [(0, "a", Event::Started), (1800, "a", Event::Periodic), (3600, "a", Event::Periodic)];
    assert_eq!(rig.log(), expected);
}

#[test]
fn only_one_working_tracker_is_asked() {
    let mut rig = Rig::new(&[&["a"], &["b"], &["c"]]);
    rig.run(3000, |_| Does::Answer);
    assert_eq!(rig.log(), [(0, "a", Event::Started), (1800, "a", Event::Periodic)]);
}

#[test]
fn a_failed_tier_makes_room_at_once() {
    let mut rig = Rig::new(&[&["a", "b"], &["c"]]);
    rig.run(1, |url| if url == "c" { Does::Answer } else { Does::Fail });
    let log = rig.log();
    assert_eq!(log.len(), 3);
    assert_eq!(log[2], (0, "c", Event::Started));
}

#[test]
fn a_silent_first_tier_costs_two_seconds() {
    let mut rig = Rig::new(&[&["a"], &["b"], &["c"]]);
    rig.run(10, |url| if url == "a" { Does::Silence } else { Does::Answer });
    assert_eq!(rig.log(), [(0, "a", Event::Started), (2, "b", Event::Started)]);
}

#[test]
fn inside_a_silent_tier_the_others_are_asked_too() {
    let mut rig = Rig::new(&[&["a", "b", "c"], &["d"]]);
    rig.run(5, |_| Does::Silence);
    let seconds: Vec<u64> = rig.log().iter().map(|(at, ..)| *at).collect();
    assert_eq!(seconds, [0, 2, 2, 3]);
    assert!(rig.log().contains(&(2, "d", Event::Started)));
}

#[test]
fn what_works_moves_to_the_front_of_its_tier() {
    let mut rig = Rig::new(&[&["a", "b", "c"]]);
    rig.run(1, |url| if url == "b" { Does::Answer } else { Does::Fail });
    assert_eq!(rig.tiers.status().next().unwrap().url, "b");
    rig.log.clear();
    rig.run(1900, |url| if url == "b" { Does::Answer } else { Does::Fail });
    assert_eq!(rig.log(), [(1800, "b", Event::Periodic)]);
}

#[test]
fn tiers_are_shuffled_by_the_seed_and_never_mixed() {
    let urls = |tier: &str| (0..10).map(|n| format!("{tier}{n}")).collect::<Vec<_>>();
    let now = Instant::now();
    let order = |seed| {
        let tiers = Tiers::new(&[urls("a"), urls("b")], seed, now);
        tiers.status().map(|s| s.url.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(order(1), order(1));
    assert_ne!(order(1), order(2));
    assert!(order(1)[..10].iter().all(|url| url.starts_with('a')));
}

#[test]
fn failures_back_off_and_double() {
    let mut rig = Rig::new(&[&["a"]]);
    rig.run(7200, |_| Does::Fail);
    let at: Vec<u64> = rig.log().iter().map(|(at, ..)| *at).collect();
    let gaps: Vec<u64> = at.windows(2).map(|pair| pair[1] - pair[0]).collect();
    for (gap, least) in gaps.iter().zip([15, 30, 60, 120, 240, 480, 960, 1800, 1800]) {
        assert!((least..=least + least / 10 + 1).contains(gap), "{gaps:?}");
    }
    assert!(at.len() < 13);
}

#[test]
fn a_tracker_that_says_never_is_never_asked_again() {
    let mut rig = Rig::new(&[&["a"]]);
    let ask = rig.poll().unwrap();
    let never = Error::failure(b"no", Some(Duration::MAX));
    rig.tiers.answered(rig.now, ask.tracker, &Err(never));
    assert_eq!(rig.poll(), None);
    assert_eq!(rig.tiers.poll_timeout(), None);
    assert_eq!(rig.tiers.status().next().unwrap().next, None);
}

#[test]
fn a_tracker_is_left_alone_as_long_as_it_says() {
    let mut rig = Rig::new(&[&["a"]]);
    let ask = rig.poll().unwrap();
    let later = Error::failure(b"busy", Some(Duration::from_hours(1)));
    rig.tiers.answered(rig.now, ask.tracker, &Err(later));
    rig.run(4000, |_| Does::Answer);
    assert_eq!(rig.log()[1], (3600, "a", Event::Started));
}

#[test]
fn wanting_peers_waits_for_the_minimum_interval() {
    let mut rig = Rig::new(&[&["a"]]);
    rig.run(10, |_| Does::Answer);
    for _ in 0..5 {
        rig.tiers.want_peers(rig.now);
    }
    rig.run(100, |_| Does::Answer);
    assert_eq!(rig.log(), [(0, "a", Event::Started), (60, "a", Event::Periodic)]);
}

#[test]
fn without_a_minimum_interval_ours_counts() {
    let mut rig = Rig::new(&[&["a"]]);
    let ask = rig.poll().unwrap();
    let answer = Reply { interval: Duration::from_mins(30), ..Reply::default() };
    rig.tiers.answered(rig.now, ask.tracker, &Ok(answer));
    rig.tiers.want_peers(rig.now);
    assert_eq!(rig.tiers.poll_timeout(), rig.now.checked_add(DEFAULT_MIN_INTERVAL));
}

#[test]
fn completed_is_told_at_once_and_once() {
    let mut rig = Rig::new(&[&["a"]]);
    rig.run(10, |_| Does::Answer);
    rig.tiers.complete(rig.now);
    rig.run(2000, |_| Does::Answer);
    let expected =
        [(0, "a", Event::Started), (10, "a", Event::Completed), (1810, "a", Event::Periodic)];
    assert_eq!(rig.log(), expected);
}

#[test]
fn completed_is_told_again_until_it_is_heard() {
    let mut rig = Rig::new(&[&["a"]]);
    rig.run(10, |_| Does::Answer);
    rig.tiers.complete(rig.now);
    rig.run(20, |_| Does::Fail);
    rig.run(60, |_| Does::Answer);
    let events: Vec<Event> = rig.log().iter().map(|(.., event)| *event).collect();
    assert_eq!(events, [Event::Started, Event::Completed, Event::Completed]);
}

#[test]
fn a_tracker_that_is_told_later_hears_started_only() {
    let mut rig = Rig::new(&[&["a"], &["b"]]);
    rig.run(10, |url| if url == "a" { Does::Answer } else { Does::Fail });
    rig.tiers.complete(rig.now);
    rig.run(1900, |url| if url == "b" { Does::Answer } else { Does::Fail });
    let b: Vec<Event> =
        rig.log().iter().filter(|(_, url, _)| *url == "b").map(|(.., event)| *event).collect();
    assert_eq!(b[0], Event::Started);
    assert!(b[1..].iter().all(|event| *event == Event::Periodic));
}

#[test]
fn completion_during_the_first_announce_is_told_after_it() {
    let mut rig = Rig::new(&[&["a"]]);
    let ask = rig.poll().unwrap();
    rig.tiers.complete(rig.now);
    assert_eq!(rig.poll(), None);
    rig.tiers.answered(rig.now, ask.tracker, &Ok(reply(1800, 60)));
    assert_eq!(rig.poll().unwrap().event, Event::Completed);
}

#[test]
fn stopped_goes_to_those_who_answered() {
    let mut rig = Rig::new(&[&["a"], &["b"], &["c"]]);
    rig.run(10, |url| if url == "a" { Does::Fail } else { Does::Answer });
    assert!(!rig.tiers.is_stopped());
    rig.tiers.stop(rig.now);
    assert!(!rig.tiers.is_stopped());
    let ask = rig.poll().unwrap();
    assert_eq!((ask.url.as_str(), ask.event), ("b", Event::Stopped));
    assert_eq!(rig.poll(), None);
    assert!(!rig.tiers.is_stopped());
    rig.tiers.answered(rig.now, ask.tracker, &Err(error()));
    assert!(rig.tiers.is_stopped());
    assert_eq!((rig.poll(), rig.tiers.poll_timeout()), (None, None));
}

#[test]
fn nobody_was_told_so_nobody_is_waited_for() {
    let mut rig = Rig::new(&[&["a"]]);
    let ask = rig.poll().unwrap();
    rig.tiers.stop(rig.now);
    assert!(rig.tiers.is_stopped());
    // The answer comes nevertheless: now the tracker knows us, and is told.
    rig.tiers.answered(rig.now, ask.tracker, &Ok(reply(1800, 60)));
    assert!(!rig.tiers.is_stopped());
    assert_eq!(rig.poll().unwrap().event, Event::Stopped);
}

#[test]
fn a_new_start_begins_with_started() {
    let mut rig = Rig::new(&[&["a"]]);
    rig.run(10, |_| Does::Answer);
    rig.tiers.stop(rig.now);
    rig.run(20, |_| Does::Answer);
    rig.tiers.start(rig.now);
    rig.run(100, |_| Does::Answer);
    let log = rig.log();
    assert_eq!(log[1], (10, "a", Event::Stopped));
    assert_eq!(log[2], (70, "a", Event::Started));
}

#[test]
fn a_failure_does_not_shorten_the_minimum_interval() {
    let mut rig = Rig::new(&[&["a"]]);
    rig.run(10, |_| Does::Answer);
    rig.tiers.stop(rig.now);
    rig.run(20, |_| Does::Fail);
    rig.tiers.start(rig.now);
    rig.run(100, |_| Does::Answer);
    assert_eq!(rig.log()[2], (60, "a", Event::Started));
}

#[test]
fn the_tracker_id_is_handed_back() {
    let mut rig = Rig::new(&[&["a"]]);
    let ask = rig.poll().unwrap();
    assert_eq!(ask.tracker_id, None);
    let answer = Reply { tracker_id: Some(b"x".to_vec()), ..reply(1800, 60) };
    rig.tiers.answered(rig.now, ask.tracker, &Ok(answer));
    rig.run(1700, |_| Does::Answer);
    rig.now = rig.start + Duration::from_mins(30);
    assert_eq!(rig.poll().unwrap().tracker_id, Some(b"x".to_vec()));
}

#[test]
fn a_status_tells_what_happened() {
    let mut rig = Rig::new(&[&["a"]]);
    let ask = rig.poll().unwrap();
    assert_eq!(rig.tiers.status().next().unwrap().asked, Some(rig.now));
    rig.now += Duration::from_secs(3);
    rig.tiers.answered(rig.now, ask.tracker, &Err(error()));
    let status = rig.tiers.status().next().unwrap();
    assert_eq!((status.url, status.tier, status.fails), ("a", 0, 1));
    assert_eq!(status.took, Some(Duration::from_secs(3)));
    assert_eq!(status.error.map(Error::kind), Some(ErrorKind::Timeout));
    assert!(status.next.is_some_and(|at| at > rig.now));
}

#[test]
fn lists_are_cleaned_and_capped() {
    let urls: Vec<String> = (0..10 * MAX_TRACKERS).map(|n| (n / 2).to_string()).collect();
    let tiers = Tiers::new(&[vec![String::new(), " ".into()], urls], 1, Instant::now());
    assert_eq!(tiers.status().count(), MAX_TRACKERS);
    assert!(tiers.status().all(|status| status.tier == 0));
    assert!(Tiers::new(&[], 1, Instant::now()).is_empty());
}

#[test]
fn silent_trackers_are_not_asked_all_at_once() {
    let urls: Vec<String> = (0..100).map(|n| n.to_string()).collect();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let tiers: Vec<&[&str]> = urls.chunks(1).collect();
    let mut rig = Rig::new(&tiers);
    rig.run(59, |_| Does::Silence);
    let seconds: Vec<u64> = rig.log.iter().map(|(at, ..)| *at).collect();
    let fresh = FRESH.as_secs();
    assert!(seconds.iter().zip(&seconds[MAX_PARALLEL..]).all(|(a, b)| b - a >= fresh - 1));
    assert_eq!(seconds[..3], [0, 2, 3], "the first ones are waited for longest");
}

#[test]
fn twenty_silent_tiers_hold_up_a_live_tracker_for_seconds_only() {
    for silent in [20, 40] {
        let urls: Vec<String> = (0..silent).map(|n| n.to_string()).collect();
        let mut tiers: Vec<&[&str]> = Vec::new();
        let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
        tiers.extend(urls.chunks(1));
        tiers.push(&["live"]);
        let mut rig = Rig::new(&tiers);
        rig.run(60, |url| if url == "live" { Does::Answer } else { Does::Silence });
        let live = rig.log().into_iter().find(|(_, url, _)| *url == "live");
        let (at, ..) = live.expect("it is asked");
        assert!(at <= 4 + silent / 4, "asked after {at} s behind {silent}");
    }
}

#[derive(Clone, Debug)]
enum Move {
    Wait(u64),
    Answer(usize, bool),
    Complete,
    Stop,
    Start,
    WantPeers,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        (0u64..2000).prop_map(Move::Wait),
        (0usize..6, any::<bool>()).prop_map(|(n, good)| Move::Answer(n, good)),
        (0usize..6, any::<bool>()).prop_map(|(n, good)| Move::Answer(n, good)),
        Just(Move::Complete),
        Just(Move::Stop),
        Just(Move::Start),
        Just(Move::WantPeers),
    ];
    prop::collection::vec(one, 0..60)
}

proptest! {
    /// Whatever happens: no busy loop, no announce before the minimum interval but for completed
    /// and stopped, `stopped` only to those who answered, one announce a tracker at a time.
    #[test]
    fn the_rules_hold(moves in moves(), seed: u64) {
        let names: Vec<Vec<String>> =
            [&["a", "b"][..], &["c"], &["d", "e", "f"]]
                .iter().map(|tier| tier.iter().map(ToString::to_string).collect()).collect();
        let mut now = Instant::now();
        let mut tiers = Tiers::new(&names, seed, now);
        let mut open: Vec<Option<Event>> = vec![None; 6];
        let mut knows = [false; 6];
        let mut not_before = [now; 6];
        for step in moves {
            match step {
                Move::Wait(seconds) => now += Duration::from_secs(seconds),
                Move::Complete => tiers.complete(now),
                Move::Stop => tiers.stop(now),
                Move::Start => tiers.start(now),
                Move::WantPeers => tiers.want_peers(now),
                Move::Answer(n, good) => if let Some(event) = open[n].take() {
                    let answer = if good { Ok(reply(300, 60)) } else { Err(error()) };
                    tiers.answered(now, n, &answer);
                    if event == Event::Stopped {
                        knows[n] = false;
                    } else if good {
                        knows[n] = true;
                    }
                    if good {
                        not_before[n] = now + Duration::from_mins(1);
                    }
                },
            }
            for polls in 0.. {
                prop_assert!(polls < 20, "busy loop");
                let Some(ask) = tiers.poll(now) else { break };
                prop_assert!(open[ask.tracker].is_none(), "asked twice");
                open[ask.tracker] = Some(ask.event);
                match ask.event {
                    Event::Stopped => prop_assert!(knows[ask.tracker]),
                    Event::Completed => prop_assert!(knows[ask.tracker]),
                    _ => prop_assert!(now >= not_before[ask.tracker], "too early"),
                }
            }
            if let Some(at) = tiers.poll_timeout() {
                prop_assert!(at > now);
            }
        }
    }
}

#[test]
fn tiers_that_come_later_are_asked_when_those_before_fail_and_at_once_if_none_answered() {
    let mut now = Instant::now();
    let tiers = |urls: &[&str]| -> Vec<Vec<String>> {
        urls.iter().map(|url| vec![(*url).to_owned()]).collect()
    };
    // None before.
    let mut none = Tiers::new(&[], 1, now);
    none.start(now);
    assert_eq!(none.poll(now), None);
    none.add(&tiers(&["a"]), now);
    assert_eq!(none.poll(now).unwrap().url, "a");
    // One that failed, and one that is asked at the moment.
    let mut some = Tiers::new(&tiers(&["a"]), 1, now);
    some.start(now);
    assert_eq!(some.poll(now).unwrap().url, "a");
    some.add(&tiers(&["b", "a"]), now);
    some.answered(now, 0, &Err(error()));
    assert_eq!(some.poll(now).map(|ask| ask.url), Some("b".to_owned()));
    // One that answered is enough, until it does not any more.
    let mut good = Tiers::new(&tiers(&["a"]), 1, now);
    good.start(now);
    assert_eq!(good.poll(now).unwrap().url, "a");
    good.answered(now, 0, &Ok(reply(300, 60)));
    good.add(&tiers(&["b"]), now);
    assert_eq!(good.poll(now), None);
    now += Duration::from_mins(5);
    assert_eq!(good.poll(now).unwrap().url, "a");
    good.answered(now, 0, &Err(error()));
    assert_eq!(good.poll(now).unwrap().url, "b");
    // Who has left is told nothing.
    good.stop(now);
    good.add(&tiers(&["c"]), now);
    assert!(good.poll(now).is_none_or(|ask| ask.url != "c"));
}
