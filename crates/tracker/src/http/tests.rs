//! HTTP trackers that are well, ill and hostile.

mod odd;

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::unbounded;

use crate::lookup::Lookup;
use crate::testkit::{HANG, Server, announce, ask, quick, response};
use crate::{Client, Config, ErrorKind, Scrape};

const OK: &[u8] = b"d8:intervali600e5:peers6:\x01\x02\x03\x04\x1a\xe1e";

fn client() -> Client {
    Client::start(quick()).unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn an_announce_and_its_answer() {
    let server = Server::fixed("200 OK", "", OK);
    let reply = announce(&client(), &server.url("/announce?passkey=x")).unwrap();
    assert_eq!(reply.interval, Duration::from_mins(10));
    assert_eq!(reply.peers, ["1.2.3.4:6881".parse().unwrap()]);
    let (head, _) = server.requests.recv_timeout(HANG).unwrap();
    assert!(head.starts_with("GET /announce?passkey=x&info_hash=%AB%AB"), "{head}");
    assert!(head.contains("&event=started&numwant=50 HTTP/1.1\r\n"), "{head}");
    assert!(head.contains(&format!("user-agent: {}\r\n", Config::default().user_agent)), "{head}");
    assert!(head.contains(&format!("host: {}\r\n", server.addr)), "{head}");
}

#[test]
fn a_scrape_and_its_answer() {
    let server = Server::fixed(
        "200 OK",
        "",
        [
            b"d5:filesd20:".as_slice(),
            &[0xAB; 20],
            b"d8:completei4e10:downloadedi5e10:incompletei6eeee",
        ]
        .concat(),
    );
    let (answer, answered) = unbounded();
    let ask = Scrape { url: server.url("/announce"), info_hashes: vec![[0xAB; 20]] };
    client().scrape(ask, move |reply| answer.send(reply).unwrap());
    let reply = answered.recv_timeout(HANG).unwrap().unwrap();
    assert_eq!((reply.torrents[0].complete, reply.torrents[0].incomplete), (4, 6));
    assert!(server.requests.recv_timeout(HANG).unwrap().0.starts_with("GET /scrape?info_hash=%AB"));
}

#[test]
fn gzip_is_read() {
    let server = Server::fixed("200 OK", "content-encoding: gzip\r\n", gzip(OK));
    assert_eq!(announce(&client(), &server.url("/announce")).unwrap().peers.len(), 1);
}

#[test]
fn our_address_is_the_one_we_are_bound_to() {
    let ip = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3));
    let client = Client::start(Config { bind: Some(ip), ..quick() }).unwrap();
    let server = Server::fixed("200 OK", "", OK);
    announce(&client, &server.url("/announce")).unwrap();
    assert_eq!(server.requests.recv_timeout(HANG).unwrap().1.ip(), ip);
    let error = announce(&client, "http://[::1]:1/announce").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
}

#[test]
fn errors_say_what_is_wrong() {
    let garbage: Vec<u8> = (0..5000u32).map(|n| (n * 31 % 251) as u8).collect();
    let refusal = b"d14:failure reason11:go away plee";
    for (status, body, kind) in [
        ("200 OK", &garbage[..], ErrorKind::Malformed),
        ("200 OK", b"", ErrorKind::Malformed),
        ("200 OK", refusal, ErrorKind::Failure),
        ("400 Bad Request", refusal, ErrorKind::Failure),
        ("404 Not Found", b"<html>", ErrorKind::Status),
        ("500 Oops", OK, ErrorKind::Status),
        ("302 Found", b"", ErrorKind::Status),
        ("no status", b"", ErrorKind::Malformed),
    ] {
        let server = Server::fixed(status, "", body);
        let error = announce(&client(), &server.url("/announce")).unwrap_err();
        assert_eq!(error.kind(), kind, "{status}: {error}");
        assert!(!error.to_string().contains(|c: char| c.is_control()), "{error}");
    }
}

#[test]
fn a_port_that_nobody_listens_on() {
    let addr = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = announce(&client(), &format!("http://{addr}/announce")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
}

#[test]
fn a_connection_that_breaks() {
    let server = Server::start(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nd8:int");
    });
    let error = announce(&client(), &server.url("/announce")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
}

/// Sends `start`, then `more` again and again until the client has had enough.
fn endless(start: &'static [u8], more: &'static [u8], pause: Duration) -> Server {
    Server::start(move |_, stream: &mut TcpStream| {
        let _ = stream.write_all(start);
        while stream.write_all(more).is_ok() {
            thread::sleep(pause);
        }
    })
}

#[test]
fn dripping_does_not_extend_the_deadline() {
    let client = Client::start(Config { timeout: Duration::from_millis(400), ..quick() }).unwrap();
    let pause = Duration::from_millis(20);
    for server in [
        endless(b"HTTP/1.1 200 OK\r\n", b"x", pause),
        endless(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n", b"d", pause),
        endless(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"1\r\nd\r\n", pause),
        endless(b"", b"", HANG),
    ] {
        let start = Instant::now();
        let error = announce(&client, &server.url("/announce")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        assert!(start.elapsed() < HANG, "{:?}", start.elapsed());
    }
}

#[test]
fn what_is_endless_is_cut() {
    let x = &[b'x'; 4096];
    for server in [
        endless(b"HTTP/1.1 200 OK\r\n\r\n", x, Duration::ZERO),
        endless(b"HTTP/1.1 200 OK\r\nx: ", x, Duration::ZERO),
        endless(b"HTTP/1.1 200 OK\r\n", b"x: y\r\n", Duration::ZERO),
    ] {
        let error = announce(&client(), &server.url("/announce")).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::TooLarge | ErrorKind::Malformed), "{error}");
    }
}

#[test]
fn a_gzip_bomb_is_cut() {
    let bomb = gzip(&vec![b'0'; 64 << 20]);
    assert!(bomb.len() < 1 << 17);
    for headers in ["content-encoding: gzip\r\n", "content-encoding: gzip\r\nx: y\r\n"] {
        let server = Server::fixed("200 OK", headers, bomb.clone());
        let error = announce(&client(), &server.url("/announce")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
    }
}

fn redirect(to: impl Fn(&str) -> String + Send + Sync + 'static) -> Server {
    Server::start(move |head, stream| {
        let path = head.split(' ').nth(1).unwrap();
        let location = format!("location: {}\r\n", to(path));
        let _ = stream.write_all(&response("302 Found", &location, b""));
    })
}

#[test]
fn a_redirect_is_followed() {
    let target = Server::fixed("200 OK", "", OK);
    let url = target.url("/announce?there");
    let server = redirect(move |_| url.clone());
    announce(&client(), &server.url("/announce")).unwrap();
    assert!(target.requests.recv_timeout(HANG).unwrap().0.starts_with("GET /announce?there HTTP"));
}

#[test]
fn a_circle_of_redirects_is_named_at_once() {
    let server = redirect(str::to_owned);
    let error = announce(&client(), &server.url("/announce")).unwrap_err();
    assert_eq!(error.to_string(), "127.0.0.1: its redirects lead in a circle");
    assert_eq!(server.requests.len(), 1);
}

#[test]
fn a_redirect_loop_ends() {
    let server = redirect(|path| format!("/announce{}", "e".repeat(path.len())));
    let error = announce(&client(), &server.url("/announce")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Status, "{error}");
    assert_eq!(server.requests.len(), crate::limits::MAX_REDIRECTS + 1);
}

/// Something on another loopback address that must not hear from us.
fn canary() -> Server {
    Server::on(Ipv4Addr::new(127, 0, 0, 2).into(), |_, _| {})
}

#[test]
fn a_redirect_to_another_inside_address_is_refused() {
    let canary = canary();
    for to in [
        canary.url("/announce"),
        canary.url("/").replace("127.0.0.2", "0x7f.2"),
        canary.url("/announce").replace("127.0.0.2", "[::ffff:127.0.0.2]"),
        canary.url("/announce").replace("127.0.0.2", "localhost"),
        "http://169.254.169.254/announce".into(),
        "http://0.0.0.0/announce".into(),
        "/admin".into(),
    ] {
        let target = to.clone();
        let server = redirect(move |_| target.clone());
        let lookup = Lookup::with(|_| Ok(vec![Ipv4Addr::new(127, 0, 0, 2).into()]));
        let client = Client::with_lookup(quick(), lookup).unwrap();
        let error = announce(&client, &server.url("/announce")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{to}: {error}");
        assert_eq!(server.requests.len(), 1, "{to}");
    }
    for to in ["file:///etc/passwd", "udp://127.0.0.1:1/announce", "gopher://x/", "http://"] {
        let server = redirect(|_| to.to_owned());
        let error = announce(&client(), &server.url("/announce")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Status, "{to}: {error}");
    }
    assert!(canary.requests.is_empty());
}

#[test]
fn a_name_that_moves_is_not_followed_inside() {
    let (server, canary) = (Server::fixed("200 OK", "", OK), canary());
    let asked = AtomicUsize::new(0);
    let lookup = Lookup::with(move |name| {
        assert_eq!(name, "rebind.example");
        let last = if asked.fetch_add(1, Ordering::Relaxed) == 0 { 1 } else { 2 };
        Ok(vec![Ipv4Addr::new(127, 0, 0, last).into()])
    });
    let client = Client::with_lookup(quick(), lookup).unwrap();
    let named = |server: &Server| format!("http://rebind.example:{}/announce", server.addr.port());
    announce(&client, &named(&server)).unwrap();
    let error = announce(&client, &named(&canary)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    assert!(canary.requests.is_empty());
}

#[test]
fn loopback_is_asked_for_tracker_paths_only() {
    let server = Server::fixed("200 OK", "", OK);
    let error = announce(&client(), &server.url("/shutdown")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    assert!(server.requests.is_empty());
}

#[test]
fn a_look_up_that_hangs_meets_the_deadline() {
    let (hold, hanging) = unbounded::<()>();
    let lookup = Lookup::with(move |_| {
        let _ = hanging.recv();
        Ok(vec![])
    });
    let config = Config { timeout: Duration::from_millis(100), ..quick() };
    let client = Client::with_lookup(config, lookup).unwrap();
    let error = announce(&client, "http://slow.example/announce").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    drop(hold);
}

#[test]
fn dropping_the_client_waits_for_nobody() {
    let server = endless(b"", b"", HANG);
    let client = Client::start(Config { threads: 1, ..quick() }).unwrap();
    let (answer, answered) = unbounded();
    for _ in 0..3 {
        let answer = answer.clone();
        client.announce(ask(&server.url("/announce")), move |result| {
            let _ = answer.send(result);
        });
    }
    server.requests.recv_timeout(HANG).unwrap();
    let start = Instant::now();
    drop((client, answer));
    assert!(start.elapsed() < quick().timeout);
    drop(answered);
}
