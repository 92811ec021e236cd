//! One node and a scripted other: what is answered, what is not, what is asked, what is believed.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "virtual time has to begin somewhere; a test"
)]

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use dht::limits::{MAX_SENT, REPLY_BURST, REPLY_RATE, TIMEOUT};
use dht::message::{Ask, Body, Message, Query, Reply, Want, code};
use dht::{Action, Config, Dht, Event, Family, Id, Input, State};

const THEIRS: Id = Id([0x42; 20]);
const TORRENT: Id = Id([0x77; 20]);

struct Lab {
    dht: Dht,
    now: Instant,
    other: SocketAddr,
}

/// What a node did.
#[derive(Default, Debug)]
struct Done {
    sent: Vec<(SocketAddr, Message)>,
    found: Vec<SocketAddr>,
    events: Vec<Event>,
    bootstraps: usize,
}

impl Done {
    fn reply(&self) -> Option<&Reply> {
        self.sent.iter().find_map(|(_, message)| match &message.body {
            Body::Reply(reply) => Some(reply),
            _ => None,
        })
    }

    fn error(&self) -> Option<i64> {
        self.sent.iter().find_map(|(_, message)| match message.body {
            Body::Error(code, _) => Some(code),
            _ => None,
        })
    }

    fn queries(&self) -> Vec<(SocketAddr, Vec<u8>, Ask)> {
        let query = |(to, message): &(SocketAddr, Message)| match &message.body {
            Body::Query(query) => Some((*to, message.transaction.clone(), query.ask.clone())),
            _ => None,
        };
        self.sent.iter().filter_map(query).collect()
    }
}

impl Lab {
    fn new(config: Config, before: &State) -> Self {
        let now = Instant::now();
        let dht = Dht::new(config, before, now, [3; 32]);
        Self { dht, now, other: addr("8.8.4.4:6881") }
    }

    fn quiet() -> Self {
        let mut lab = Self::new(v4(), &State::default());
        assert_eq!(lab.done().bootstraps, 1);
        lab
    }

    fn done(&mut self) -> Done {
        let mut done = Done::default();
        while let Some(action) = self.dht.poll() {
            match action {
                Action::Send { to, bytes } => {
                    assert!(bytes.len() <= MAX_SENT);
                    done.sent.push((to, Message::decode(&bytes).unwrap()));
                }
                Action::Found { addrs, .. } => done.found.extend(addrs),
                Action::Event(event) => done.events.push(event),
                Action::Bootstrap => done.bootstraps += 1,
            }
        }
        done
    }

    fn pass(&mut self, time: Duration) -> Done {
        self.now += time;
        self.dht.handle_timeout(self.now);
        self.done()
    }

    fn hear(&mut self, from: SocketAddr, message: &Message) -> Done {
        self.dht.handle(self.now, Input::Packet { from, bytes: &message.encode() });
        self.done()
    }

    fn asked(&mut self, ask: Ask) -> Done {
        let other = self.other;
        self.hear(other, &query(ask, true))
    }

    fn own(&self) -> Id {
        self.dht.id(Family::V4).unwrap()
    }
}

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn v4() -> Config {
    Config { families: vec![Family::V4], ..Config::default() }
}

fn query(ask: Ask, read_only: bool) -> Message {
    let body = Body::Query(Query { id: THEIRS, want: Want::default(), ask });
    Message { transaction: b"tt".to_vec(), read_only, seen: None, body }
}

fn answer(transaction: &[u8], reply: Reply) -> Message {
    let (transaction, body) = (transaction.to_vec(), Body::Reply(reply));
    Message { transaction, read_only: false, seen: None, body }
}

#[test]
fn a_peer_that_announces_with_our_token_is_named_to_others() {
    let mut lab = Lab::quiet();
    let pong = lab.asked(Ask::Ping);
    assert_eq!(pong.reply().unwrap().id, lab.own());
    assert_eq!(pong.sent[0].1.seen, Some(lab.other), "they learn their address (BEP 42)");
    let first = lab.asked(Ask::GetPeers { info_hash: TORRENT });
    let token = first.reply().unwrap().token.clone().unwrap();
    assert_eq!(first.reply().unwrap().peers, []);
    let announce = |port, token| Ask::AnnouncePeer { info_hash: TORRENT, port, token };
    assert_eq!(lab.asked(announce(Some(9), b"guessed!".to_vec())).error(), Some(code::PROTOCOL));
    assert!(lab.asked(announce(Some(7_000), token.clone())).reply().is_some());
    assert!(lab.asked(announce(None, token.clone())).reply().is_some());
    lab.other = addr("9.9.9.9:1");
    assert_eq!(lab.asked(announce(Some(9), token)).error(), Some(code::PROTOCOL), "not his token");
    let named = lab.asked(Ask::GetPeers { info_hash: TORRENT }).reply().unwrap().peers.clone();
    assert_eq!(named, [addr("8.8.4.4:6881"), addr("8.8.4.4:7000")]);
    lab.pass(Duration::from_mins(31));
    assert_eq!(lab.asked(Ask::GetPeers { info_hash: TORRENT }).reply().unwrap().peers, []);
}

#[test]
fn who_announces_to_us_is_found_if_we_look_for_the_same() {
    let mut lab = Lab::quiet();
    let token = lab.asked(Ask::GetPeers { info_hash: TORRENT }).reply().unwrap().token.clone();
    let announce =
        |port| Ask::AnnouncePeer { info_hash: TORRENT, port, token: token.clone().unwrap() };
    assert_eq!(lab.asked(announce(Some(1))).found, [], "nobody here wants it");
    lab.dht.handle(lab.now, Input::Join { info_hash: TORRENT.0, port: None });
    assert_eq!(lab.asked(announce(Some(2))).found, [addr("8.8.4.4:2")]);
    // What came before is found with the first search, which needs somebody to ask.
    let other = lab.other;
    lab.dht.handle(lab.now, Input::Bootstrap { addrs: vec![other] });
    let home = lab.done().queries();
    let reply = Reply { id: THEIRS, ..Reply::default() };
    let found = lab.hear(other, &answer(&home.last().unwrap().1, reply)).found;
    assert_eq!(found, [addr("8.8.4.4:1"), addr("8.8.4.4:2")]);
}

#[test]
fn a_flood_is_answered_with_a_trickle() {
    let mut lab = Lab::quiet();
    let mut bytes = 0;
    for _ in 0..10_000 {
        let done = lab.asked(Ask::FindNode { target: TORRENT });
        bytes += done.sent.iter().map(|(_, message)| message.encode().len()).sum::<usize>();
        lab.now += Duration::from_millis(1);
    }
    let most = usize::try_from(10 * REPLY_RATE + REPLY_BURST).unwrap() + MAX_SENT;
    assert!(bytes <= most, "{bytes} bytes in ten seconds");
    assert!(lab.dht.stats().unanswered > 5_000);
    lab.other = addr("9.9.9.9:1");
    assert!(lab.asked(Ask::Ping).reply().is_some(), "others are served");
}

#[test]
fn nothing_but_queries_is_answered() {
    let mut lab = Lab::quiet();
    let other = lab.other;
    let stray = answer(b"\0\0\0\0", Reply { id: THEIRS, ..Reply::default() });
    assert!(lab.hear(other, &stray).sent.is_empty());
    let error = Message { body: Body::Error(201, "no".into()), ..stray };
    assert!(lab.hear(other, &error).sent.is_empty());
    for bytes in [&b""[..], b"d", b"d1:y1:q1:t2:aae", b"\xff\xff\xff\xff"] {
        lab.dht.handle(lab.now, Input::Packet { from: other, bytes });
    }
    let refusals = lab.done();
    assert_eq!((refusals.sent.len(), refusals.error()), (1, Some(code::PROTOCOL)));
    lab.dht.handle(lab.now, Input::Packet { from: addr("8.8.8.8:0"), bytes: b"d" });
    assert!(lab.hear(addr("224.0.0.1:1"), &query(Ask::Ping, false)).sent.is_empty());
}

#[test]
fn a_read_only_node_is_silent_and_says_so() {
    let mut lab = Lab::new(Config { read_only: true, ..v4() }, &State::default());
    lab.dht.handle(lab.now, Input::Bootstrap { addrs: vec![addr("8.8.8.8:1")] });
    let sent = lab.done().sent;
    assert!(sent.iter().all(|(_, message)| message.read_only) && sent.len() == 1);
    assert!(lab.asked(Ask::Ping).sent.is_empty());
}

#[test]
fn who_asks_is_asked_back_unless_he_cannot_answer() {
    let mut lab = Lab::quiet();
    let other = lab.other;
    assert_eq!(lab.asked(Ask::Ping).queries(), [], "he is read-only");
    let back = lab.hear(other, &query(Ask::Ping, false)).queries();
    assert_eq!((back.len(), &back[0].0, &back[0].2), (1, &other, &Ask::Ping));
    assert_eq!(lab.dht.stats().nodes_v4, 0, "he has not answered yet");
    lab.hear(other, &answer(&back[0].1, Reply { id: THEIRS, ..Reply::default() }));
    assert_eq!(lab.dht.stats().nodes_v4, 1);
    let nodes = lab.asked(Ask::FindNode { target: THEIRS }).reply().unwrap().nodes.clone();
    assert_eq!(nodes, [], "nobody is told of himself");
    lab.other = addr("9.9.9.9:1");
    let nodes = lab.asked(Ask::FindNode { target: THEIRS }).reply().unwrap().nodes.clone();
    assert_eq!(nodes, [(THEIRS, other)]);
}

#[test]
fn an_answer_counts_only_from_whom_was_asked() {
    let mut lab = Lab::quiet();
    lab.dht.handle(lab.now, Input::Node { addr: addr("8.8.8.8:1") });
    let asked = lab.done().queries();
    let pong = answer(&asked[0].1, Reply { id: THEIRS, ..Reply::default() });
    lab.hear(addr("6.6.6.6:1"), &pong);
    assert_eq!(lab.dht.stats().nodes_v4, 0);
    lab.hear(addr("8.8.8.8:1"), &pong);
    assert_eq!(lab.dht.stats().nodes_v4, 1);
}

#[test]
fn a_search_finds_announces_and_comes_again() {
    let mut lab = Lab::quiet();
    let other = lab.other;
    lab.dht.handle(lab.now, Input::Join { info_hash: TORRENT.0, port: Some(7_000) });
    assert!(lab.done().sent.is_empty(), "there is nobody to ask");
    lab.dht.handle(lab.now, Input::Bootstrap { addrs: vec![other] });
    let home = lab.done().queries();
    assert_eq!(home[0].2, Ask::FindNode { target: lab.own() });
    let done = lab.hear(other, &answer(&home[0].1, Reply { id: THEIRS, ..Reply::default() }));
    let search = done.queries().into_iter().find(|(.., ask)| matches!(ask, Ask::GetPeers { .. }));
    let (to, transaction, ask) = search.unwrap();
    assert_eq!((to, ask), (other, Ask::GetPeers { info_hash: TORRENT }));
    let peers = vec![addr("1.2.3.4:5"), addr("127.0.0.1:22")];
    let reply = Reply { id: THEIRS, peers, token: Some(b"T".to_vec()), nodes: vec![] };
    let done = lab.hear(other, &answer(&transaction, reply));
    assert_eq!(done.found, [addr("1.2.3.4:5")], "nobody far away knows our loopback");
    let announce =
        Ask::AnnouncePeer { info_hash: TORRENT, port: Some(7_000), token: b"T".to_vec() };
    assert!(done.queries().iter().any(|(.., ask)| *ask == announce));
    let again =
        |done: Done| done.queries().iter().any(|(.., ask)| matches!(ask, Ask::GetPeers { .. }));
    let later = lab.pass(Duration::from_secs(20));
    assert!(again(later), "few nodes answered");
    lab.dht.handle(lab.now, Input::Leave { info_hash: TORRENT.0 });
    for _ in 0..100 {
        assert!(!again(lab.pass(Duration::from_mins(1))));
    }
}

#[test]
fn nodes_of_the_last_run_come_before_bootstrap_nodes() {
    let ids = vec![(Family::V4, Id([0x11; 20]))];
    let before = State { ids, nodes: vec![(THEIRS, addr("8.8.4.4:6881"))] };
    let mut lab = Lab::new(v4(), &before);
    assert_eq!(lab.own(), Id([0x11; 20]));
    let start = lab.done();
    assert_eq!((start.bootstraps, start.queries().len()), (0, 1));
    assert_eq!(start.queries()[0].0, lab.other);
    assert_eq!(lab.pass(TIMEOUT).bootstraps, 0);
    assert_eq!(lab.pass(Duration::from_secs(2)).bootstraps, 1, "they had their chance");
    let mut calls = 0;
    for _ in 0..600 {
        calls += lab.pass(Duration::from_secs(1)).bootstraps;
    }
    assert!((3..=7).contains(&calls), "{calls} calls in ten minutes");
}

#[test]
fn what_is_saved_is_what_the_next_run_starts_from() {
    let mut lab = Lab::quiet();
    lab.dht.handle(lab.now, Input::Node { addr: lab.other });
    let asked = lab.done().queries();
    let other = lab.other;
    lab.hear(other, &answer(&asked[0].1, Reply { id: THEIRS, ..Reply::default() }));
    let state = State::from_bytes(&lab.dht.state().to_bytes()).unwrap();
    assert_eq!(state.nodes, [(THEIRS, other)]);
    let next = Lab::new(v4(), &state);
    assert_eq!(next.own(), lab.own());
}

#[test]
fn the_local_network_is_not_told_outside() {
    let mut lab = Lab::quiet();
    let near = addr("192.168.1.7:6881");
    lab.dht.handle(lab.now, Input::Node { addr: near });
    let asked = lab.done().queries();
    lab.hear(near, &answer(&asked[0].1, Reply { id: THEIRS, ..Reply::default() }));
    assert_eq!(lab.dht.stats().nodes_v4, 1);
    assert_eq!(lab.asked(Ask::FindNode { target: THEIRS }).reply().unwrap().nodes, []);
    lab.other = addr("192.168.1.8:6881");
    let nodes = lab.asked(Ask::FindNode { target: THEIRS }).reply().unwrap().nodes.clone();
    assert_eq!(nodes, [(THEIRS, near)]);
}

#[test]
fn the_two_families_help_each_other_to_begin() {
    let mut lab = Lab::new(Config::default(), &State::default());
    lab.done();
    lab.dht.handle(lab.now, Input::Bootstrap { addrs: vec![addr("8.8.8.8:1")] });
    let (to, message) = lab.done().sent.remove(0);
    let Body::Query(query) = &message.body else { panic!("{message:?}") };
    assert_eq!(query.want, Want { v4: true, v6: true });
    let far = addr("[2001:470::9]:6881");
    let nodes = vec![(Id([9; 20]), far), (Id([8; 20]), addr("[::1]:1"))];
    let done = lab
        .hear(to, &answer(&message.transaction, Reply { id: THEIRS, nodes, ..Reply::default() }));
    let asked: Vec<SocketAddr> = done.queries().iter().map(|(to, ..)| *to).collect();
    assert!(asked.contains(&far));
    assert!(!asked.contains(&addr("[::1]:1")));
}

#[test]
fn a_victims_ports_are_not_scanned_whoever_names_them() {
    let mut lab = Lab::new(Config::default(), &State::default());
    let mut asked = BTreeSet::new();
    let end = lab.now + Duration::from_mins(30);
    let mut port = 1_024;
    while lab.now < end {
        for _ in 0..20 {
            port += 1;
            let victim = SocketAddr::new([9, 9, 9, 9].into(), port);
            lab.dht.handle(lab.now, Input::Node { addr: victim });
        }
        asked.extend(lab.done().queries().iter().map(|(to, ..)| *to));
        lab.now += Duration::from_secs(1);
        lab.dht.handle_timeout(lab.now);
    }
    assert!((1..=8).contains(&asked.len()), "{} ports", asked.len());
}
