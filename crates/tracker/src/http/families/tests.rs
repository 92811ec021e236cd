//! Two answers for one, and a tracker that hears from both of our addresses.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::time::Instant;

use crossbeam_channel::{bounded, unbounded};

use super::*;
use crate::lookup::Lookup;
use crate::testkit::{HANG, Server, announce as ask, quick, response};
use crate::{Client, ErrorKind};

const LONG: Duration = HANG;

fn reply(peers: &[&str]) -> Result<Reply, Error> {
    let peers: Vec<SocketAddr> = peers.iter().map(|peer| peer.parse().unwrap()).collect();
    let compact = peers.iter().flat_map(|peer| match peer {
        SocketAddr::V4(peer) => [&peer.ip().octets()[..], &peer.port().to_be_bytes()].concat(),
        SocketAddr::V6(_) => panic!("four bytes each"),
    });
    let compact: Vec<u8> = compact.collect();
    let head = format!("d8:intervali600e5:peers{}:", compact.len());
    reply::parse_announce(&[head.as_bytes(), &compact, b"e"].concat())
}

fn failure() -> Result<Reply, Error> {
    Err(Error::new(ErrorKind::Connect, "no route"))
}

fn peers(answer: Result<Reply, Error>) -> Vec<String> {
    answer.unwrap().peers.iter().map(ToString::to_string).collect()
}

#[test]
fn peers_of_both_answers_are_given_once() {
    // The second comes only after the first was taken.
    let one = || reply(&["1.1.1.1:1", "2.2.2.2:2"]);
    let found = peers(both(one, || reply(&["2.2.2.2:2", "3.3.3.3:3"]), LONG));
    assert_eq!(found.len(), 3, "{found:?}");
}

#[test]
fn one_answer_is_enough() {
    assert_eq!(peers(both(failure, || reply(&["1.1.1.1:1"]), LONG)), ["1.1.1.1:1"]);
    assert_eq!(peers(both(|| reply(&["1.1.1.1:1"]), failure, LONG)), ["1.1.1.1:1"]);
    assert_eq!(both(failure, failure, LONG).unwrap_err().kind(), ErrorKind::Connect);
}

#[test]
fn a_silent_family_is_not_waited_for() {
    let (until_the_end, over) = bounded::<()>(0);
    let silent = move || {
        // Ends when the test does.
        let _ = over.recv();
        failure()
    };
    let begun = Instant::now();
    let found = both(|| reply(&["1.1.1.1:1"]), silent, Duration::from_millis(10));
    assert_eq!(peers(found), ["1.1.1.1:1"]);
    assert!(begun.elapsed() < LONG, "{:?}", begun.elapsed());
    drop(until_the_end);
}

/// Ports on both loopback addresses with the same number.
fn pair() -> [TcpListener; 2] {
    loop {
        let v4 = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = v4.local_addr().unwrap().port();
        match TcpListener::bind((Ipv6Addr::LOCALHOST, port)) {
            Ok(v6) => return [v4, v6],
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {}
            Err(error) => panic!("IPv6 is needed for this test: {error}"),
        }
    }
}

#[test]
fn a_tracker_with_both_families_hears_from_both() {
    let [v4, v6] = pair();
    let port = v4.local_addr().unwrap().port();
    let answer = |peer: u8| {
        response(
            "200 OK",
            "",
            &[b"d8:intervali600e5:peers6:".as_slice(), &[peer; 6], b"e"].concat(),
        )
    };
    let (sender, heard) = unbounded();
    for (listener, peer) in [(v4, 4), (v6, 6)] {
        let (answer, sender) = (answer(peer), sender.clone());
        Server::listening(listener, move |_, stream| {
            use std::io::Write as _;
            sender.send(peer).unwrap();
            stream.write_all(&answer).unwrap();
        });
    }
    let both = [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()];
    let lookup = Lookup::with(move |_| Ok(both.to_vec()));
    let client = Client::with_lookup(quick(), lookup).unwrap();
    let reply = ask(&client, &format!("http://both.example:{port}/announce")).unwrap();
    let mut families: Vec<u8> = (0..2).map(|_| heard.recv_timeout(HANG).unwrap()).collect();
    families.sort_unstable();
    assert_eq!(families, [4, 6]);
    // Both answer within the grace on any machine that is not stuck; one does in any case.
    assert!(!reply.peers.is_empty());
}
