//! A fetch against peers of all kinds, in virtual time: it ends, and only liars are guilty.

#![allow(
    clippy::manual_let_else,
    clippy::unchecked_time_subtraction,
    reason = "a test fails as it likes"
)]

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use metainfo::InfoHash;
use wire::PeerId;

use super::copy::piece_of;
use super::*;
use crate::border::PeerKey;
use crate::limits::{
    MAX_METADATA_LEN, METADATA_BURST, METADATA_QUEUE, METADATA_RATE, METADATA_TIMEOUT,
    METADATA_WINDOW,
};
use crate::partial::Identity;

const ROUND_TRIP: Duration = Duration::from_millis(100);

/// How a peer answers.
#[derive(Clone)]
enum Kind {
    /// With pieces of this.
    Gives(Vec<u8>),
    /// The same, so long after it was asked.
    Slowly(Vec<u8>, Duration),
    /// It claims so many bytes, and says no to everything.
    Refuses(u32),
    /// It claims so many bytes, and says nothing any more.
    Silent(u32),
}

struct Stage {
    fetch: Fetch,
    kinds: Vec<Kind>,
    now: Instant,
    began: Instant,
    /// Answers under way: when, from whom, to which piece.
    due: BTreeSet<(Instant, PeerKey, u32)>,
    guilty: BTreeSet<Identity>,
    gone: BTreeSet<PeerKey>,
    most_asked: usize,
}

fn bytes(len: usize, seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; len];
    fastrand::Rng::with_seed(seed).fill(&mut bytes);
    bytes
}

fn who(number: usize) -> Identity {
    let number = u8::try_from(number).expect("few");
    Identity { ip: Ipv4Addr::new(10, 0, 0, number).into(), peer_id: PeerId([number; 20]) }
}

impl Stage {
    fn new(truth: &[u8], kinds: Vec<Kind>) -> Self {
        let mut fetch = Fetch::new(InfoHash::of(truth));
        for (number, kind) in kinds.iter().enumerate() {
            let len = match kind {
                Kind::Gives(bytes) | Kind::Slowly(bytes, _) => {
                    u32::try_from(bytes.len()).expect("short")
                }
                Kind::Refuses(len) | Kind::Silent(len) => *len,
            };
            fetch.offered(PeerKey(number as u64), who(number), len);
        }
        let now = Instant::now();
        Self {
            fetch,
            kinds,
            now,
            began: now,
            due: BTreeSet::new(),
            guilty: BTreeSet::new(),
            gone: BTreeSet::new(),
            most_asked: 0,
        }
    }

    /// Runs for `limit` at the most; gives the metadata and how long it took.
    fn run(&mut self, limit: Duration) -> Option<(Vec<u8>, Duration)> {
        loop {
            while let Some((key, piece)) = self.fetch.poll(self.now) {
                let wait = match &self.kinds[usize::try_from(key.0).expect("few")] {
                    Kind::Slowly(_, wait) => *wait,
                    Kind::Silent(_) => continue,
                    _ => ROUND_TRIP,
                };
                self.due.insert((self.now + wait, key, piece));
                let asked = self.due.iter().filter(|due| due.1 == key).count();
                self.most_asked = self.most_asked.max(asked);
            }
            let timer = self.fetch.poll_timeout();
            let answer = self.due.first().map(|due| due.0);
            let next = timer.into_iter().chain(answer).min()?;
            assert!(next >= self.now);
            self.now = next;
            if self.now > self.began + limit {
                return None;
            }
            self.fetch.timeout(self.now);
            while let Some((_, key, piece)) = self.due.first().copied().filter(|d| d.0 <= self.now)
            {
                self.due.pop_first();
                if let Some(whole) = self.answer(key, piece) {
                    return Some((whole, self.now - self.began));
                }
            }
        }
    }

    fn answer(&mut self, key: PeerKey, piece: u32) -> Option<Vec<u8>> {
        if self.gone.contains(&key) {
            return None;
        }
        let bytes = match self.kinds[usize::try_from(key.0).expect("few")].clone() {
            Kind::Gives(bytes) | Kind::Slowly(bytes, _) => bytes,
            _ => {
                assert!(self.fetch.rejected(self.now, key, piece));
                return None;
            }
        };
        let total = u32::try_from(bytes.len()).ok();
        let data = piece_of(&bytes, piece).expect("only what there is, is asked for");
        let (whole, guilty) = match self.fetch.data(key, piece, total, data) {
            Outcome::Kept | Outcome::Unrequested => return None,
            Outcome::Wrong(guilty) => (None, guilty),
            Outcome::Right(whole, guilty) => (Some(whole), guilty),
            Outcome::Misfit => panic!("it fits"),
        };
        for who in guilty {
            self.guilty.insert(who);
            let key = PeerKey(u64::from(who.peer_id.0[0]));
            self.gone.insert(key);
            self.fetch.gone(key);
        }
        whole
    }

    fn guilty_peers(&self) -> Vec<u8> {
        self.guilty.iter().map(|who| who.peer_id.0[0]).collect()
    }
}

#[test]
fn many_peers_share_the_work() {
    let truth = bytes(1_000_000, 1);
    let one = Stage::new(&truth, vec![Kind::Gives(truth.clone())]).run(Duration::from_mins(1));
    let mut stage = Stage::new(&truth, vec![Kind::Gives(truth.clone()); 8]);
    let eight = stage.run(Duration::from_mins(1));
    let ((whole, one), (same, eight)) = (one.unwrap(), eight.unwrap());
    assert!(whole == truth && same == truth);
    // 62 pieces, four at a time: 16 round trips alone, two together.
    assert_eq!((one, eight), (16 * ROUND_TRIP, 2 * ROUND_TRIP));
    assert_eq!(stage.most_asked, METADATA_WINDOW);
    assert!(stage.guilty.is_empty());
}

#[test]
fn every_length_is_assembled() {
    for len in [1, 16_383, 16_384, 16_385, 40_000] {
        let truth = bytes(len, 2);
        let (whole, _) = Stage::new(&truth, vec![Kind::Gives(truth.clone()); 2])
            .run(Duration::from_mins(1))
            .unwrap();
        assert_eq!(whole, truth);
    }
}

#[test]
fn three_of_four_that_lie_are_found_and_do_not_stop_it() {
    let truth = bytes(100_000, 3);
    // All of the same length, so that they share a copy; each with other lies.
    let mut kinds: Vec<Kind> = (10..13).map(|seed| Kind::Gives(bytes(100_000, seed))).collect();
    kinds.push(Kind::Gives(truth.clone()));
    let mut stage = Stage::new(&truth, kinds);
    let (whole, took) = stage.run(Duration::from_mins(1)).unwrap();
    assert_eq!(whole, truth);
    assert_eq!(stage.guilty_peers(), [0, 1, 2]);
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[test]
fn one_wrong_piece_is_enough_to_be_guilty() {
    let truth = bytes(1_000_000, 4);
    let mut lie = truth.clone();
    lie[999_999] ^= 1;
    let mut stage = Stage::new(
        &truth,
        vec![Kind::Gives(lie), Kind::Gives(truth.clone()), Kind::Gives(truth.clone())],
    );
    let (whole, _) = stage.run(Duration::from_mins(1)).unwrap();
    assert_eq!(whole, truth);
    assert!(stage.guilty_peers() == [0] || stage.guilty.is_empty(), "{:?}", stage.guilty);
}

#[test]
fn lengths_that_are_claimed_falsely_keep_nobody_out() {
    let truth = bytes(100_000, 5);
    let most = MAX_METADATA_LEN;
    let kinds = vec![
        Kind::Silent(most),
        Kind::Silent(most),
        Kind::Refuses(most - 1),
        Kind::Slowly(bytes(15_000_000, 6), METADATA_TIMEOUT - ROUND_TRIP),
        Kind::Gives(bytes(50_000, 7)),
        Kind::Silent(most + 1),
        Kind::Silent(0),
        Kind::Gives(truth.clone()),
    ];
    let mut stage = Stage::new(&truth, kinds);
    assert_eq!(stage.fetch.progress().sources, 6, "impossible lengths are no offer");
    let (whole, took) = stage.run(Duration::from_mins(1)).unwrap();
    assert_eq!(whole, truth);
    assert_eq!(stage.guilty_peers(), [4]);
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[test]
fn slow_claims_of_great_length_lose_their_room_in_time() {
    // Twice as many slow liars as the budget holds, all claimed smaller than the truth.
    let truth = bytes(9_000_000, 8);
    let wait = METADATA_TIMEOUT - Duration::from_secs(1);
    let liar = |n: usize| Kind::Slowly(bytes(8_000_000 + n, 9), wait);
    let mut kinds: Vec<Kind> = (0..8).map(liar).collect();
    kinds.push(Kind::Gives(truth.clone()));
    let (whole, took) = Stage::new(&truth, kinds).run(Duration::from_mins(10)).unwrap();
    assert_eq!(whole, truth);
    assert!(took < Duration::from_mins(2), "{took:?}");
}

#[test]
fn groups_that_claim_one_length_after_the_other_do_not_keep_the_metadata_from_coming() {
    // It takes longer than a turn: 183 pieces, four of them in a second.
    let truth = bytes(3_000_000, 14);
    for again in [true, false] {
        let mut kinds: Vec<Kind> = (0..4).map(|n| Kind::Silent(MAX_METADATA_LEN - n)).collect();
        kinds.push(Kind::Slowly(truth.clone(), Duration::from_secs(1)));
        let mut stage = Stage::new(&truth, kinds);
        let mut rounds = 0;
        let came = loop {
            rounds += 1;
            assert!(rounds < 100, "after {rounds} rounds: {:?}", stage.fetch.progress());
            if let Some((whole, took)) = stage.run(Duration::from_secs(10 * rounds)) {
                assert_eq!(whole, truth);
                break took;
            }
            // Two of them now, the others with the next round.
            for liar in (0..4).filter(|liar| liar % 2 == rounds % 2) {
                let len = MAX_METADATA_LEN - u32::try_from(rounds * 4 + liar).expect("small");
                let (key, who) = (PeerKey(liar), who(usize::try_from(liar).expect("four")));
                if again {
                    stage.fetch.gone(key);
                }
                stage.fetch.offered(key, who, len);
            }
        };
        assert!(came < Duration::from_mins(3), "{came:?}");
    }
}

#[test]
fn refusals_and_silences_go_elsewhere() {
    let truth = bytes(200_000, 10);
    let len = 200_000;
    let kinds =
        vec![Kind::Refuses(len), Kind::Silent(len), Kind::Refuses(len), Kind::Gives(truth.clone())];
    let mut stage = Stage::new(&truth, kinds);
    let (whole, took) = stage.run(Duration::from_mins(1)).unwrap();
    assert_eq!(whole, truth);
    assert!(stage.guilty.is_empty());
    // Not as long as a silent peer is waited for.
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn a_peer_that_got_the_metadata_later_is_asked_again() {
    let truth = bytes(20_000, 11);
    let mut stage = Stage::new(&truth, vec![Kind::Refuses(20_000)]);
    assert!(stage.run(Duration::from_secs(5)).is_none());
    stage.kinds[0] = Kind::Gives(truth.clone());
    assert_eq!(stage.run(Duration::from_mins(10)).unwrap().0, truth);
}

#[test]
fn what_nobody_asked_for_is_not_taken() {
    let truth = bytes(20_000, 12);
    let mut fetch = Fetch::new(InfoHash::of(&truth));
    let key = PeerKey(1);
    assert!(matches!(fetch.data(key, 0, None, &truth[..16_384]), Outcome::Unrequested));
    fetch.offered(key, who(1), 20_000);
    assert!(matches!(fetch.data(key, 0, None, &truth[..16_384]), Outcome::Unrequested));
    let now = Instant::now();
    while fetch.poll(now).is_some() {}
    assert!(matches!(fetch.data(key, 7, None, &truth[..16_384]), Outcome::Unrequested));
    // Of another length than it claimed, and of a whole of another length.
    assert!(matches!(fetch.data(key, 0, None, &truth[..16_383]), Outcome::Misfit));
    assert!(matches!(fetch.data(key, 1, Some(20_001), &truth[16_384..]), Outcome::Misfit));
    assert!(!fetch.rejected(now, key, 1), "answered already");
    assert_eq!(fetch.progress(), Progress { sources: 1, bytes: 0, len: 20_000 });
}

#[test]
fn a_peer_that_leaves_takes_nothing_along() {
    let truth = bytes(100_000, 13);
    let mut stage = Stage::new(&truth, vec![Kind::Silent(100_000), Kind::Gives(truth.clone())]);
    while stage.fetch.poll(stage.now).is_some() {}
    stage.fetch.gone(PeerKey(0));
    stage.fetch.gone(PeerKey(0));
    stage.fetch.gone(PeerKey(1));
    stage.fetch.offered(PeerKey(1), who(1), 100_000);
    let (whole, took) = stage.run(Duration::from_mins(1)).unwrap();
    assert_eq!((whole, took), (truth, 2 * ROUND_TRIP));
}

#[test]
fn serving_is_paced_and_its_queue_bounded() {
    let info = vec![7; 20_000_000];
    let mut serving = Serving::default();
    let mut now = Instant::now();
    let taken = (0..5_000).filter(|piece| serving.push(&info, *piece)).count();
    assert_eq!(taken, METADATA_QUEUE);
    let count = |serving: &mut Serving, now| {
        let next = || {
            let (_, bytes) = serving.next(now, &info)?;
            assert_eq!(bytes.len(), 16_384);
            serving.given(bytes.len());
            Some(())
        };
        std::iter::from_fn(next).count() as u64
    };
    assert_eq!(count(&mut serving, now), METADATA_BURST / 16_384);
    assert!(serving.poll_timeout().is_some_and(|at| at > now));
    let mut later = 0;
    for _ in 0..100 {
        now += Duration::from_millis(100);
        later += count(&mut serving, now);
    }
    assert!(later.abs_diff(10 * METADATA_RATE / 16_384) <= 1, "{later}");
}

#[test]
fn a_piece_of_the_metadata_waits_once_until_it_is_given_or_refused() {
    let info = vec![7; 40_000];
    let (mut serving, now) = (Serving::default(), Instant::now());
    assert!(!serving.push(&info, 3), "there is no such piece");
    for _ in 0..2 {
        assert!(serving.push(&info, 2));
        assert!(!serving.push(&info, 2), "it waits already");
        assert_eq!(serving.next(now, &info), Some((2, &info[32_768..])));
        assert!(!serving.is_idle());
        serving.refused();
        assert!(serving.is_idle());
    }
}
