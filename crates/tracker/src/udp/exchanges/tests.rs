//! BEP 15 in virtual time: what is sent when, and which answers count.

use super::*;
use crate::testkit::ask;

struct Rig {
    exchanges: Exchanges<&'static str>,
    start: Instant,
    now: Instant,
}

/// A datagram that was sent, taken apart.
#[derive(Debug)]
struct Sent {
    to: SocketAddr,
    connection: u64,
    action: u32,
    transaction: u32,
}

impl Rig {
    fn new() -> Self {
        let mut next = 0x1000;
        let random = move || {
            next += 1;
            next
        };
        let now = Instant::now();
        Self { exchanges: Exchanges::new(random, Trials::new()), start: now, now }
    }

    fn start(&mut self, addrs: &[SocketAddr]) {
        let question = Question::Announce(Box::new(ask("")), "/announce".into());
        let deadline = self.now + Duration::from_mins(2);
        self.exchanges.start(self.now, addrs.to_vec(), question, deadline, "done");
    }

    /// Lets time pass as far as the machine wants; what it sent and when, in seconds.
    fn run(&mut self, until: u64) -> Vec<(u64, Sent)> {
        let until = self.start + Duration::from_secs(until);
        let mut sent = Vec::new();
        loop {
            let at = (self.now - self.start).as_secs();
            while let Some(output) = self.exchanges.poll() {
                match output {
                    Output::Send(to, bytes) => sent.push((at, take_apart(to, &bytes))),
                    Output::Done(..) => panic!("done too early"),
                }
            }
            match self.exchanges.poll_timeout() {
                Some(next) if next <= until => self.now = next,
                _ => break,
            }
            self.exchanges.handle_timeout(self.now);
        }
        self.now = until;
        sent
    }

    fn sent(&mut self) -> Sent {
        match self.exchanges.poll() {
            Some(Output::Send(to, bytes)) => take_apart(to, &bytes),
            other => panic!("not a datagram: {other:?}"),
        }
    }

    fn done(&mut self) -> Result<Answer, Error> {
        match self.exchanges.poll() {
            Some(Output::Done("done", answer)) => answer,
            other => panic!("not done: {other:?}"),
        }
    }

    fn receive(&mut self, from: SocketAddr, parts: &[u32]) {
        let bytes: Vec<u8> = parts.iter().flat_map(|n| n.to_be_bytes()).collect();
        self.exchanges.received(self.now, from, &bytes);
    }

    /// Connects, and gives the announce that follows.
    fn connect(&mut self, addr: SocketAddr) -> Sent {
        self.start(&[addr]);
        let connect = self.sent();
        assert_eq!((connect.connection, connect.action), (0x417_2710_1980, 0));
        self.receive(addr, &[0, connect.transaction, 0, 42]);
        let announce = self.sent();
        assert_eq!((announce.connection, announce.action), (42, 1));
        assert_ne!(announce.transaction, connect.transaction);
        announce
    }
}

fn take_apart(to: SocketAddr, bytes: &[u8]) -> Sent {
    let word = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    let connection = (u64::from(word(0)) << 32) | u64::from(word(4));
    Sent { to, connection, action: word(8), transaction: word(12) }
}

fn addr(n: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, n], 80))
}

#[test]
fn silence_is_met_with_the_schedule_and_an_end() {
    let mut rig = Rig::new();
    rig.start(&[addr(1)]);
    let sent = rig.run(119);
    assert_eq!(sent.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0, 1, 3, 7, 15, 45, 105]);
    assert!(sent.iter().all(|(_, sent)| sent.action == 0 && sent.transaction == 0x1001));
    rig.exchanges.handle_timeout(rig.start + Duration::from_mins(2));
    assert_eq!(rig.done().unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!(rig.exchanges.poll_timeout(), None);
}

#[test]
fn a_lost_first_packet_costs_a_second_and_not_fifteen() {
    let mut rig = Rig::new();
    rig.start(&[addr(1)]);
    let sent = rig.run(1);
    let [(0, _lost), (1, again)] = &sent[..] else { panic!("{sent:?}") };
    rig.receive(addr(1), &[0, again.transaction, 0, 42]);
    // So does the announce's.
    let sent = rig.run(2);
    let [(1, _lost), (2, again)] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!((again.action, again.connection), (1, 42));
    rig.receive(addr(1), &[1, again.transaction, 1800, 2, 3]);
    assert!(rig.done().is_ok());
}

#[test]
fn an_answer_that_is_slower_than_our_patience_counts_once() {
    let mut rig = Rig::new();
    rig.start(&[addr(1)]);
    let sent = rig.run(2);
    assert_eq!(sent.len(), 2);
    // The tracker answers both packets.
    rig.receive(addr(1), &[0, sent[0].1.transaction, 0, 42]);
    rig.receive(addr(1), &[0, sent[1].1.transaction, 0, 43]);
    let announce = rig.sent();
    assert_eq!((announce.action, announce.connection), (1, 42));
    assert!(rig.exchanges.poll().is_none());
}

#[test]
fn a_silent_tracker_gets_three_packets_more_than_bep_15_has() {
    let waits: Vec<u64> = (0..13).map(|n| wait(n).as_secs()).collect();
    assert_eq!(waits, [1, 2, 4, 8, 30, 60, 120, 240, 480, 960, 1920, 3840, 3840]);
    assert_eq!(wait(u32::MAX), Duration::from_mins(64));
}

#[test]
fn an_address_that_is_silent_does_not_delay_the_others() {
    let mut rig = Rig::new();
    let v6: SocketAddr = "[2001:db8::1]:80".parse().unwrap();
    rig.start(&[addr(1), v6]);
    let sent = rig.run(0);
    assert_eq!(
        sent.iter().map(|(at, sent)| (*at, sent.to)).collect::<Vec<_>>(),
        [(0, addr(1)), (0, v6)]
    );
    rig.receive(v6, &[0, sent[1].1.transaction, 0, 42]);
    assert_eq!((rig.sent().to, rig.now), (v6, rig.start));
}

#[test]
fn an_announce_and_its_answer() {
    let mut rig = Rig::new();
    let announce = rig.connect(addr(1));
    rig.receive(addr(1), &[1, announce.transaction, 1800, 2, 3, 0x0102_0304, 0x1ae1_0506]);
    let Answer::Announce(reply) = rig.done().unwrap() else { panic!() };
    assert_eq!(reply.interval, Duration::from_mins(30));
    assert_eq!((reply.incomplete, reply.complete), (Some(2), Some(3)));
    assert_eq!(reply.peers, ["1.2.3.4:6881".parse().unwrap()]);
}

#[test]
fn a_scrape_and_its_answer() {
    let mut rig = Rig::new();
    let question = Question::Scrape(vec![[1; 20], [2; 20]]);
    let deadline = rig.now + Duration::from_mins(1);
    rig.exchanges.start(rig.now, vec![addr(1)], question, deadline, "done");
    let connect = rig.sent();
    rig.receive(addr(1), &[0, connect.transaction, 0, 42]);
    let scrape = rig.sent();
    assert_eq!(scrape.action, 2);
    rig.receive(addr(1), &[2, scrape.transaction, 1, 2, 3, 4, 5, 6]);
    let Answer::Scrape(reply) = rig.done().unwrap() else { panic!() };
    assert_eq!(reply.torrents.len(), 2);
    let second = reply.torrents[1];
    assert_eq!(second.info_hash, [2; 20]);
    assert_eq!((second.complete, second.downloaded, second.incomplete), (4, 5, 6));
}

#[test]
fn six_byte_peers_by_ipv4_and_eighteen_by_ipv6() {
    let v6: SocketAddr = "[2001:470::1]:80".parse().unwrap();
    let mut rig = Rig::new();
    let announce = rig.connect(v6);
    let peer = [0x2001_0470, 0, 0, 9];
    let mut answer = vec![1, announce.transaction, 1800, 2, 3];
    answer.extend(peer);
    answer.push(0x1ae1_0000);
    rig.receive(v6, &answer);
    let Answer::Announce(reply) = rig.done().unwrap() else { panic!() };
    assert_eq!(reply.peers, ["[2001:470::9]:6881".parse().unwrap()]);
}

/// What a tracker at `from` names of one peer of each kind: far, in a private network, on loopback,
/// and one at the port of a mail server.
fn named_by(from: SocketAddr) -> Vec<String> {
    let mut rig = Rig::new();
    let announce = rig.connect(from);
    let mut answer = vec![1, announce.transaction, 1800, 2, 3];
    // 9.9.9.9:6881, 10.1.2.3:6881, 127.0.0.1:6881, 9.9.9.9:25, in words.
    answer.extend([0x0909_0909, 0x1ae1_0a01, 0x0203_1ae1, 0x7f00_0001, 0x1ae1_0909, 0x0909_0019]);
    rig.receive(from, &answer);
    let Answer::Announce(reply) = rig.done().unwrap() else { panic!() };
    reply.peers.iter().map(ToString::to_string).collect()
}

#[test]
fn a_far_tracker_names_nobody_near_and_no_mail_server() {
    assert_eq!(named_by("8.8.8.8:80".parse().unwrap()), ["9.9.9.9:6881"]);
    let private = ["9.9.9.9:6881", "10.1.2.3:6881"];
    assert_eq!(named_by("192.168.1.2:80".parse().unwrap()), private);
    let all = ["9.9.9.9:6881", "10.1.2.3:6881", "127.0.0.1:6881"];
    assert_eq!(named_by("127.0.0.1:80".parse().unwrap()), all, "a tracker of a local lab");
}

#[test]
fn answers_from_elsewhere_or_to_nothing_do_not_count() {
    let mut rig = Rig::new();
    rig.start(&[addr(1)]);
    let connect = rig.sent();
    rig.receive(addr(2), &[0, connect.transaction, 0, 42]);
    rig.receive(SocketAddr::from(([10, 0, 0, 1], 81)), &[0, connect.transaction, 0, 42]);
    rig.receive(addr(1), &[0, connect.transaction + 1, 0, 42]);
    rig.receive(addr(1), &[0, connect.transaction]);
    assert!(rig.exchanges.poll().is_none());
    rig.receive(addr(1), &[0, connect.transaction, 0, 42]);
    let announce = rig.sent();
    // The connect's transaction is over.
    rig.receive(addr(1), &[1, connect.transaction, 1800, 2, 3]);
    assert!(rig.exchanges.poll().is_none());
    rig.receive(addr(1), &[1, announce.transaction, 1800, 2, 3]);
    assert!(rig.done().is_ok());
}

#[test]
fn a_connection_is_used_again_for_a_minute() {
    let mut rig = Rig::new();
    let announce = rig.connect(addr(1));
    rig.receive(addr(1), &[1, announce.transaction, 1800, 2, 3]);
    rig.done().unwrap();
    rig.now += Duration::from_secs(59);
    rig.start(&[addr(1)]);
    let announce = rig.sent();
    assert_eq!((announce.action, announce.connection), (1, 42));
    rig.receive(addr(1), &[1, announce.transaction, 1800, 2, 3]);
    rig.done().unwrap();
    rig.now += Duration::from_secs(1);
    rig.start(&[addr(1)]);
    assert_eq!(rig.sent().action, 0);
}

#[test]
fn a_connection_that_grows_old_is_made_anew() {
    let mut rig = Rig::new();
    rig.connect(addr(1));
    // A new connection is no reason to ask a silent tracker more often again.
    let sent = rig.run(119);
    let actions: Vec<_> = sent.iter().map(|(at, sent)| (*at, sent.action)).collect();
    assert_eq!(actions, [(1, 1), (3, 1), (7, 1), (15, 1), (45, 1), (105, 0)]);
}

#[test]
fn an_error_is_shown_unless_our_connection_was_merely_old() {
    let mut rig = Rig::new();
    let announce = rig.connect(addr(1));
    let no = u32::from_be_bytes(*b"no\x1b!");
    rig.receive(addr(1), &[3, announce.transaction, no]);
    assert_eq!(rig.done().unwrap_err().failure_reason(), Some("no\u{FFFD}!"));
    rig.start(&[addr(1)]);
    let cached = rig.sent();
    assert_eq!(cached.action, 1);
    rig.receive(addr(1), &[3, cached.transaction, no]);
    let connect = rig.sent();
    assert_eq!(connect.action, 0);
    rig.receive(addr(1), &[0, connect.transaction, 0, 43]);
    let announce = rig.sent();
    assert_eq!(announce.connection, 43);
    rig.receive(addr(1), &[3, announce.transaction, no]);
    assert_eq!(rig.done().unwrap_err().kind(), ErrorKind::Failure);
}

#[test]
fn answers_that_are_too_short_or_too_long_are_read_as_far_as_they_go() {
    let mut rig = Rig::new();
    let announce = rig.connect(addr(1));
    // Too short to be an announce's answer: as if it had not come.
    rig.receive(addr(1), &[1, announce.transaction, 1800, 2]);
    assert!(rig.exchanges.poll().is_none());
    // Half a peer at the end.
    rig.receive(addr(1), &[1, announce.transaction, 1800, 2, 3, 0x0102_0304, 0x1ae1_0506]);
    let Answer::Announce(reply) = rig.done().unwrap() else { panic!() };
    assert_eq!(reply.peers, ["1.2.3.4:6881".parse().unwrap()]);
    // A connection's answer with more than that, and an error that ends in zeros.
    let mut rig = Rig::new();
    rig.start(&[addr(1)]);
    let connect = rig.sent();
    rig.receive(addr(1), &[0, connect.transaction, 0, 42, 9, 9]);
    let announce = rig.sent();
    assert_eq!(announce.connection, 42);
    rig.receive(addr(1), &[3, announce.transaction, u32::from_be_bytes(*b"no\0\0")]);
    assert_eq!(rig.done().unwrap_err().failure_reason(), Some("no"));
}

#[test]
fn an_answer_that_does_not_fit_is_an_error() {
    let mut rig = Rig::new();
    let announce = rig.connect(addr(1));
    rig.receive(addr(1), &[2, announce.transaction, 1, 2, 3]);
    assert_eq!(rig.done().unwrap_err().kind(), ErrorKind::Malformed);
}

#[test]
fn the_first_of_several_addresses_to_answer_is_asked() {
    let mut rig = Rig::new();
    rig.start(&[addr(1), addr(2), addr(3)]);
    let connects = [rig.sent(), rig.sent(), rig.sent()];
    assert_eq!(connects.each_ref().map(|sent| sent.to), [addr(1), addr(2), addr(3)]);
    rig.exchanges.unreachable(addr(3), "no route");
    assert!(rig.exchanges.poll().is_none());
    rig.receive(addr(2), &[0, connects[1].transaction, 0, 42]);
    assert_eq!(rig.sent().to, addr(2));
}

#[test]
fn without_a_reachable_address_it_ends_at_once() {
    let mut rig = Rig::new();
    rig.start(&[addr(1), addr(2)]);
    rig.exchanges.unreachable(addr(1), "no route");
    rig.exchanges.unreachable(addr(2), "no route");
    rig.sent();
    rig.sent();
    assert_eq!(rig.done().unwrap_err().kind(), ErrorKind::Connect);
}

#[test]
fn transaction_ids_in_use_are_not_given_twice() {
    let mut exchanges = Exchanges::new(|| 7, Trials::new());
    let now = Instant::now();
    for _ in 0..100 {
        let question = Question::Scrape(vec![[1; 20]]);
        exchanges.start(now, vec![addr(1)], question, now + Duration::from_mins(1), ());
    }
    assert_eq!(exchanges.open.len(), 100);
}
