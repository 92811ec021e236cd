//! Who gets a slot, round after round.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::{Choker, Contender};
use crate::border::PeerKey;
use crate::limits::{CHOKE_ROUND, OPTIMISTIC_TURN};

/// Runs rounds over peers that give constant amounts; counts the rounds each was unchoked.
fn rounds(count: u32, slots: usize, seeding: bool, gives: &[u64]) -> Vec<u32> {
    let mut choker = Choker::default();
    let mut now = Instant::now();
    let mut peers: Vec<Contender> = (0..)
        .zip(gives)
        .map(|(n, gave)| Contender {
            peer: PeerKey(n),
            gave: *gave,
            unchoked: false,
            turned: None,
            tried: None,
            lot: u32::try_from(n).expect("few") * 7919 % 101,
        })
        .collect();
    let mut served: BTreeMap<PeerKey, u32> = BTreeMap::new();
    for _ in 0..count {
        let before = choker.optimistic();
        let unchoked = choker.round(now, slots, seeding, peers.clone());
        assert!(unchoked.len() <= slots + 1);
        for contender in &mut peers {
            let serve = unchoked.contains(&contender.peer);
            if serve != contender.unchoked {
                contender.unchoked = serve;
                contender.turned = Some(now);
            }
            if choker.optimistic() == Some(contender.peer) && before != choker.optimistic() {
                contender.tried = Some(now);
            }
            *served.entry(contender.peer).or_default() += u32::from(serve);
        }
        now += CHOKE_ROUND;
    }
    served.into_values().collect()
}

#[test]
fn those_who_give_most_are_served_always() {
    let served = rounds(60, 2, false, &[10, 500, 20, 400, 0]);
    assert_eq!((served[1], served[3]), (60, 60));
    // The optimistic slot goes round among the other three.
    for peer in [0, 2, 4] {
        assert!((18..=24).contains(&served[peer]), "{served:?}");
    }
}

#[test]
fn the_optimistic_slot_lasts_three_rounds() {
    assert_eq!(OPTIMISTIC_TURN, 3 * CHOKE_ROUND);
    let served = rounds(3, 1, false, &[9, 0, 0]);
    assert_eq!(served.iter().filter(|rounds| **rounds == 3).count(), 2, "{served:?}");
    let served = rounds(6, 1, false, &[9, 0, 0]);
    assert_eq!(served, [6, 3, 3]);
}

#[test]
fn a_seed_serves_in_turn() {
    let served = rounds(90, 2, true, &[0; 9]);
    // Three slots for nine: a third of the time each.
    assert!(served.iter().all(|rounds| *rounds == 30), "{served:?}");
}

#[test]
fn spare_slots_serve_those_who_give_nothing() {
    assert_eq!(rounds(5, 4, false, &[0, 0, 3]), [5, 5, 5]);
    let served = rounds(40, 2, false, &[7, 0, 0, 0]);
    assert_eq!(served[0], 40);
    assert!(served[1..].iter().all(|rounds| (24..=30).contains(rounds)), "{served:?}");
}

#[test]
fn nobody_to_serve() {
    let mut choker = Choker::default();
    let now = Instant::now() + Duration::from_secs(1);
    assert!(choker.round(now, 8, false, Vec::new()).is_empty());
    assert_eq!(choker.optimistic(), None);
}
