//! For the fuzzer, not part of the interface: conversations with trackers that send any datagrams
//! at any time. It owns the rules that hold whatever they say; never opens a socket.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use super::exchanges::{Answer, Exchanges, Output, Question};
use crate::error::Error;
use crate::limits;
use crate::message::{Announce, Event};

/// How long a question may take.
const DEADLINE: Duration = Duration::from_mins(10);

/// Two questions to three trackers; `script` says which datagrams arrive from where, and when.
///
/// # Panics
/// If a question is answered twice or not at all, or if what is answered exceeds the limits.
pub fn conversations(script: &[u8]) {
    let start = Instant::now();
    let mut now = start;
    let mut next = 0;
    let mut exchanges = Exchanges::new(
        move || {
            next += 1;
            next
        },
        egress::Trials::new(),
    );
    let addrs = [0, 1, 2].map(tracker);
    let announce = Question::Announce(Box::new(announce()), "/announce?x=y".into());
    exchanges.start(now, addrs.to_vec(), announce, now + DEADLINE, 0);
    let scrape = Question::Scrape(vec![[1; 20], [2; 20]]);
    exchanges.start(now, addrs.iter().copied().take(1).collect(), scrape, now + DEADLINE, 1);

    let mut answered = [false; 2];
    // The transaction of the last packet, which the script may use for an answer.
    let mut asked = [0; 4];
    let mut rest = script;
    while let [op, from, len, after @ ..] = rest {
        let (bytes, after) = after.split_at(after.len().min(usize::from(*len)));
        rest = after;
        match op % 8 {
            0 => {
                now += Duration::from_secs(u64::from(*len));
                exchanges.handle_timeout(now);
                let next = exchanges.poll_timeout();
                assert!(next.is_none_or(|at| at > now), "the timer is due again at once");
            }
            1 => exchanges.unreachable(tracker(*from), "no route"),
            2 => exchanges.received(now, tracker(*from), bytes),
            // An answer to the last packet: an action, its transaction, and then anything.
            action => {
                let head = [[0, 0, 0, action - 3], asked].concat();
                exchanges.received(now, tracker(*from), &[&head, bytes].concat());
            }
        }
        look(&mut exchanges, &mut asked, &mut answered);
    }
    exchanges.handle_timeout(start + Duration::from_hours(20));
    look(&mut exchanges, &mut asked, &mut answered);
    assert_eq!(answered, [true; 2], "every question is answered by its deadline");
    assert_eq!(exchanges.poll_timeout(), None);
}

fn look(exchanges: &mut Exchanges<usize>, asked: &mut [u8; 4], answered: &mut [bool; 2]) {
    while let Some(output) = exchanges.poll() {
        match output {
            Output::Send(to, bytes) => {
                assert!((0..3).any(|number| tracker(number) == to), "a packet to a stranger");
                assert!(bytes.len() <= 256, "a small packet");
                if let Some(transaction) = bytes.get(12..).and_then(<[u8]>::first_chunk) {
                    *asked = *transaction;
                }
            }
            Output::Done(question, answer) => {
                let again = answered.get_mut(question).map(|known| std::mem::replace(known, true));
                assert_eq!(again, Some(false), "answered twice");
                within_limits(answer);
            }
        }
    }
}

fn within_limits(answer: Result<Answer, Error>) {
    match answer {
        Ok(Answer::Announce(reply)) => {
            assert!(reply.peers.len() <= limits::MAX_PEERS);
            assert!(reply.peers.iter().all(|peer| peer.port() != 0));
            assert!((limits::MIN_INTERVAL..=limits::MAX_INTERVAL).contains(&reply.interval));
        }
        Ok(Answer::Scrape(reply)) => assert!(reply.torrents.len() <= 2),
        Err(error) => assert!(!error.to_string().contains(char::is_control)),
    }
}

/// Three that are asked, the second by IPv6, and strangers.
fn tracker(number: u8) -> SocketAddr {
    let port = 1 + u16::from(number);
    match number % 2 {
        0 => SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        _ => SocketAddr::from((Ipv6Addr::LOCALHOST, port)),
    }
}

fn announce() -> Announce {
    Announce {
        url: String::new(),
        info_hash: [1; 20],
        peer_id: [2; 20],
        port: 6_881,
        uploaded: 0,
        downloaded: 0,
        left: 1,
        event: Event::Started,
        num_want: None,
        key: 0,
        tracker_id: None,
    }
}
