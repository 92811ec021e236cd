//! A walk against the tricks that are played on it.

use super::*;

const TARGET: Id = Id([0; 20]);

/// A node at distance `n` from the target; in a local network, so that any id fits.
fn near(n: u8) -> (Id, SocketAddr) {
    (Id([n; 20]), SocketAddr::from(([10, 0, 0, n], 1)))
}

fn walk(nodes: Vec<(Id, SocketAddr)>) -> Lookup {
    let goal = Goal::Peers { port: Some(1) };
    Lookup::new(Id([0xff; 20]), (TARGET, Family::V4), goal, nodes)
}

fn reply(n: u8, nodes: impl IntoIterator<Item = u8>) -> Reply {
    let nodes = nodes.into_iter().map(near).collect();
    Reply { id: near(n).0, nodes, token: Some(vec![n]), ..Reply::default() }
}

/// Runs a walk to its end; `answer` says what a node answers, if it does. Gives who was asked.
fn run(lookup: &mut Lookup, answer: impl Fn(Next) -> Option<Reply>) -> Vec<SocketAddr> {
    let mut asked = Vec::new();
    while let Some(next) = lookup.next() {
        asked.push(next.addr);
        match answer(next) {
            Some(reply) => drop(lookup.replied(next, next.addr, &reply)),
            None => lookup.failed(next),
        }
    }
    assert!(lookup.is_over());
    asked
}

#[test]
fn it_walks_to_the_closest_and_no_farther() {
    // Everybody knows the five that are closer by one to five.
    let mut lookup = walk(vec![near(200)]);
    let answer = |next: Next| {
        let n = next.id.unwrap().0[0];
        Some(reply(n, (n.saturating_sub(5)..n).filter(|n| *n > 0)))
    };
    let asked = run(&mut lookup, answer);
    let closest: Vec<u8> = lookup.closest().iter().map(|(id, ..)| id.0[0]).collect();
    assert_eq!(closest, [1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(lookup.hops(), 41);
    assert!(asked.len() < 200, "{}", asked.len());
}

#[test]
fn a_few_are_asked_at_a_time_and_slow_ones_do_not_hold_it_up() {
    let mut lookup = walk((1..=20).map(near).collect());
    let first: Vec<Next> = std::iter::from_fn(|| lookup.next()).collect();
    assert_eq!(first.len(), ALPHA);
    lookup.slow(first[0]);
    let next = lookup.next().unwrap();
    assert_eq!(next.id, Some(near(5).0));
    assert_eq!(lookup.next(), None);
    lookup.replied(first[0], first[0].addr, &reply(1, []));
    assert_eq!(lookup.closest().len(), 1, "late is better than never");
    lookup.failed(first[0]);
    assert_eq!(lookup.closest().len(), 1, "a timeout after the answer changes nothing");
}

#[test]
fn dead_nodes_are_passed() {
    let mut lookup = walk((1..=20).map(near).collect());
    let dead = |n: u8| n.is_multiple_of(2);
    run(&mut lookup, |next| {
        let n = next.id.unwrap().0[0];
        (!dead(n)).then(|| reply(n, []))
    });
    let closest: Vec<u8> = lookup.closest().iter().map(|(id, ..)| id.0[0]).collect();
    assert_eq!(closest, [1, 3, 5, 7, 9, 11, 13, 15]);
}

#[test]
fn nodes_with_ids_of_their_choice_do_not_end_it() {
    // Far away, so that ids have to fit; 40 forged ones are the closest of all.
    let honest: Vec<(Id, SocketAddr)> = (0..8)
        .map(|n| {
            let addr = SocketAddr::from(([80 + n, 1, 1, 1], 1));
            (crate::id_for(addr.ip(), [n; 20]), addr)
        })
        .collect();
    let forged = |n: u8| (Id([0, 0, 0, n, n, n, n, n, n, n, n, n, n, n, n, n, n, n, n, n]), n);
    let mut nodes = honest.clone();
    nodes.extend((1..=100).map(|n| {
        let (id, n) = forged(n);
        (id, SocketAddr::from(([60, n, 2, 2], 1)))
    }));
    let mut lookup = walk(nodes);
    let answer =
        |next: Next| Some(Reply { id: next.id.unwrap(), token: Some(vec![1]), ..Reply::default() });
    let asked = run(&mut lookup, answer);
    assert!(honest.iter().all(|(_, addr)| asked.contains(addr)));
    let told: Vec<Id> = lookup.closest().iter().map(|(id, ..)| *id).collect();
    assert!(honest.iter().all(|(id, _)| told.contains(id)));
    assert_eq!(told.len(), 2 * K);
}

#[test]
fn one_host_is_asked_once_however_often_it_is_named() {
    let victim = |port: u16| SocketAddr::from(([9, 9, 9, 9], port));
    let mut lookup = walk(vec![near(200)]);
    let asked = run(&mut lookup, |next| {
        let n = next.id.unwrap().0[0];
        let nodes = (1..=100_u8).map(|n| (Id([n; 20]), victim(u16::from(n)))).collect();
        (n == 200).then(|| Reply { id: near(200).0, nodes, ..Reply::default() })
    });
    // A local node may name it; its answers do not matter.
    assert_eq!(asked.iter().filter(|addr| addr.ip() == victim(1).ip()).count(), 1);
}

#[test]
fn it_ends_whatever_is_named() {
    let mut lookup = walk(vec![near(200)]);
    let count = std::cell::Cell::new(0_u32);
    let asked = run(&mut lookup, |next| {
        let nodes = (0..16).map(|_| {
            count.set(count.get() + 1);
            let mut id = [0; 20];
            // Closer and closer.
            id[16..].copy_from_slice(&(u32::MAX - count.get()).to_be_bytes());
            let [a, b, c, d] = count.get().to_be_bytes();
            (Id(id), SocketAddr::from(([10, b, c, d], 1 + u16::from(a))))
        });
        let nodes = nodes.collect();
        Some(Reply { id: next.id.unwrap(), nodes, ..Reply::default() })
    });
    assert_eq!(asked.len(), MAX_ASKED);
    assert!(lookup.candidates.len() <= MAX_CANDIDATES);
}

#[test]
fn a_node_that_was_misnamed_is_taken_as_it_is() {
    let mut lookup = walk(vec![(Id([1; 20]), near(7).1)]);
    run(&mut lookup, |_| Some(reply(7, [])));
    assert_eq!(lookup.closest(), [(near(7).0, near(7).1, vec![7])]);
}

#[test]
fn nobody_is_found_twice_and_nobody_at_our_door() {
    let mut lookup = walk(vec![near(1), near(2)]);
    let peers: Vec<SocketAddr> = ["1.2.3.4:5", "1.2.3.4:0", "224.0.0.1:1"]
        .iter()
        .map(|peer| peer.parse().unwrap())
        .collect();
    let told = |n| Reply { peers: peers.clone(), ..reply(n, []) };
    let first = lookup.next().unwrap();
    assert_eq!(lookup.replied(first, first.addr, &told(1)), peers[..1]);
    let second = lookup.next().unwrap();
    assert_eq!(lookup.replied(second, second.addr, &told(2)), []);
    assert_eq!(lookup.found(), 1);
}

#[test]
fn bootstrap_nodes_need_no_id() {
    let mut lookup = walk(vec![]);
    lookup.add_nameless([near(3).1, near(4).1]);
    let asked = run(&mut lookup, |next| match next.id {
        None if next.addr == near(4).1 => None,
        None => Some(reply(3, [1, 2])),
        Some(id) => Some(reply(id.0[0], [])),
    });
    assert_eq!(asked.len(), 4);
    assert_eq!(lookup.closest().len(), 3);
}
