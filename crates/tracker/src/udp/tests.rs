//! UDP trackers on real sockets.

use std::net::UdpSocket;

use crossbeam_channel::unbounded;

use crate::testkit::{HANG, announce, ask, quick};
use crate::{Client, Config, ErrorKind, Scrape};

use super::*;

/// A tracker that answers what arrives with what `answer` makes of it, from `answer`'s socket.
fn tracker(answer: impl Fn(&[u8]) -> Vec<u8> + Send + 'static) -> (String, Receiver<Vec<u8>>) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let url = format!("udp://{}/announce?key=1", socket.local_addr().unwrap());
    let (seen, requests) = unbounded();
    thread::spawn(move || {
        let mut buffer = [0; 2048];
        while let Ok((len, from)) = socket.recv_from(&mut buffer) {
            let request = &buffer[..len];
            let _ = seen.send(request.to_vec());
            let bytes = answer(request);
            if !bytes.is_empty() {
                socket.send_to(&bytes, from).unwrap();
            }
        }
    });
    (url, requests)
}

/// What an honest tracker answers.
fn honest(request: &[u8]) -> Vec<u8> {
    let transaction = &request[12..16];
    match request[11] {
        0 => [&[0; 4], transaction, &9u64.to_be_bytes()].concat(),
        1 => [
            &[0, 0, 0, 1],
            transaction,
            b"\0\0\x07\x08\0\0\0\x01\0\0\0\x02\x01\x02\x03\x04\x1a\xe1",
        ]
        .concat(),
        2 => [&[0, 0, 0, 2], transaction, b"\0\0\0\x01\0\0\0\x02\0\0\0\x03"].concat(),
        _ => [b"\0\0\0\x03".as_slice(), transaction, b"what?"].concat(),
    }
}

#[test]
fn an_announce_a_scrape_and_one_connection() {
    let (url, requests) = tracker(honest);
    let client = Client::start(quick()).unwrap();
    let reply = announce(&client, &url).unwrap();
    assert_eq!(reply.peers, ["1.2.3.4:6881".parse().unwrap()]);
    assert_eq!((reply.incomplete, reply.complete), (Some(1), Some(2)));
    let (answer, answered) = unbounded();
    let ask = Scrape { url, info_hashes: vec![[7; 20]] };
    client.scrape(ask, move |reply| answer.send(reply).unwrap());
    let counts = answered.recv_timeout(HANG).unwrap().unwrap().torrents[0];
    assert_eq!((counts.complete, counts.downloaded, counts.incomplete), (1, 2, 3));
    let actions: Vec<u8> = requests.try_iter().map(|request| request[11]).collect();
    assert_eq!(actions, [0, 1, 2]);
}

#[test]
fn the_urls_path_and_query_are_sent() {
    let (url, requests) = tracker(honest);
    announce(&Client::start(quick()).unwrap(), &url).unwrap();
    let request = requests.iter().nth(1).unwrap();
    assert_eq!(request[98..], *b"\x02\x0f/announce?key=1");
}

#[test]
fn our_address_is_the_one_we_are_bound_to() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let url = format!("udp://{}/announce", socket.local_addr().unwrap());
    let ip = Ipv4Addr::new(127, 0, 0, 3).into();
    let client = Client::start(Config { bind: Some(ip), ..quick() }).unwrap();
    client.announce(ask(&url), |_| {});
    socket.set_read_timeout(Some(HANG)).unwrap();
    assert_eq!(socket.recv_from(&mut [0; 100]).unwrap().1.ip(), ip);
}

#[test]
fn another_socket_cannot_answer() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let url = format!("udp://{}/announce", socket.local_addr().unwrap());
    let client =
        Client::start(Config { udp_timeout: Duration::from_millis(500), ..quick() }).unwrap();
    let liar = UdpSocket::bind("127.0.0.1:0").unwrap();
    thread::spawn(move || {
        let mut request = [0; 100];
        let (len, from) = socket.recv_from(&mut request).unwrap();
        liar.send_to(&honest(&request[..len]), from).unwrap();
        thread::park();
        drop(socket);
    });
    let error = announce(&client, &url).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!(error.to_string().contains("no answer at all"), "{error}");
}

#[test]
fn refusals_garbage_and_silence() {
    let config = Config { udp_timeout: Duration::from_millis(300), ..quick() };
    let client = Client::start(config).unwrap();
    let (refusing, _requests) =
        tracker(|request| [b"\0\0\0\x03".as_slice(), &request[12..16], b"go away"].concat());
    let error = announce(&client, &refusing).unwrap_err();
    assert_eq!(error.failure_reason(), Some("go away"));
    let (garbage, _requests) = tracker(|_| b"hello".to_vec());
    assert_eq!(announce(&client, &garbage).unwrap_err().kind(), ErrorKind::Timeout);
    let (silent, _requests) = tracker(|_| Vec::new());
    assert_eq!(announce(&client, &silent).unwrap_err().kind(), ErrorKind::Timeout);
}

#[test]
fn a_udp_tracker_on_loopback_needs_no_path() {
    let (url, requests) = tracker(honest);
    let url = url.replace("/announce?key=1", "");
    announce(&Client::start(quick()).unwrap(), &url).unwrap();
    // Nothing follows the announce itself.
    assert_eq!(requests.iter().nth(1).unwrap().len(), 98);
}

#[test]
fn a_lost_first_packet_costs_seconds_only() {
    let first = std::sync::atomic::AtomicBool::new(true);
    let (url, _requests) = tracker(move |request| {
        let lost = first.swap(false, std::sync::atomic::Ordering::Relaxed);
        if lost { Vec::new() } else { honest(request) }
    });
    let start = Instant::now();
    announce(&Client::start(quick()).unwrap(), &url).unwrap();
    let took = start.elapsed();
    assert!((Duration::from_secs(1)..Duration::from_secs(10)).contains(&took), "{took:?}");
}

#[test]
fn a_thousand_silent_trackers_do_not_delay_a_live_one() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let silent = format!("udp://{}/announce", silent.local_addr().unwrap());
    let (live, _requests) = tracker(honest);
    let client = Client::start(quick()).unwrap();
    let (ended, ends) = unbounded();
    for _ in 0..1_000 {
        let ended = ended.clone();
        client.announce(ask(&silent), move |result| ended.send(result).unwrap());
    }
    announce(&client, &live).unwrap();
    assert!(ends.is_empty());
}

#[test]
fn a_panicking_callback_harms_nobody_else() {
    let (url, _requests) = tracker(honest);
    let client = Client::start(quick()).unwrap();
    client.announce(ask(&url), |_| panic!("on purpose"));
    announce(&client, &url).unwrap();
}

#[test]
fn the_thread_ends_with_the_client() {
    let (url, requests) = tracker(|_| Vec::new());
    let client = Client::start(quick()).unwrap();
    let (answer, answered) = unbounded::<()>();
    client.announce(ask(&url), move |_| drop(answer));
    requests.recv_timeout(HANG).unwrap();
    drop(client);
    // The callback goes with the thread, long before the exchange's deadline.
    assert!(answered.recv_timeout(Duration::from_secs(10)).is_err_and(|e| e.is_disconnected()));
}

#[test]
fn of_two_answers_the_first_success_or_the_last_failure_counts() {
    let failure = || Err(Error::new(ErrorKind::Timeout, "late"));
    let success = || Ok(Answer::Scrape(crate::ScrapeReply::default()));
    for (answers, good) in [
        ([success(), failure()], true),
        ([failure(), success()], true),
        ([success(), success()], true),
        ([failure(), failure()], false),
    ] {
        let (answer, answered) = unbounded();
        let (one, two) = first_answer(Box::new(move |a| answer.send(a.is_ok()).unwrap()));
        let [a, b] = answers;
        one(a);
        two(b);
        assert_eq!(answered.iter().collect::<Vec<_>>(), [good]);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_port_that_refuses_is_told_at_once_and_costs_no_other_tracker_anything() {
    let (live, _requests) = tracker(honest);
    let config = Config { udp_timeout: HANG, ..quick() };
    let client = Client::start(config).unwrap();
    for local in ["127.0.0.1:0", "[::1]:0"] {
        let Ok(gone) = UdpSocket::bind(local) else { continue };
        let url = format!("udp://{}/announce", gone.local_addr().unwrap());
        drop(gone);
        let start = Instant::now();
        let error = announce(&client, &url).unwrap_err();
        assert!(start.elapsed() < HANG / 2, "{:?}", start.elapsed());
        assert_eq!(error.kind(), ErrorKind::Connect);
        assert!(error.to_string().contains("nothing listens there"), "{error}");
        announce(&client, &live).unwrap();
    }
}
