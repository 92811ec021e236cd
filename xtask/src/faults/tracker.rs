//! Trackers that are dead, slow, endless or malicious, beside a seed that is fine. Holds that the
//! download is not delayed, the program leaves in time and nothing inside the network is reached.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use testkit::torrent::Builder;

use super::host::Host;
use super::{Outcome, Stage, ensure};
use crate::Result;

/// The download takes about a second; leaving may take five more.
const WITHIN: Duration = Duration::from_secs(8);
/// A canary's address: inside, and not the tracker's.
const CANARY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// What a tracker does with a connection once it has read the request.
type Behaviour = Box<dyn Fn(&mut TcpStream) -> std::io::Result<()> + Send + Sync>;

pub(super) fn run(stage: &mut Stage) -> Result<Outcome> {
    let torrent = Arc::new(Builder::varied("tracker", 4 << 20).build());
    let seed = Host::honest(9, &torrent, Duration::from_millis(1))?;
    let (canary, touched) = canary()?;
    let (mut slowest, mut cases) = (Duration::ZERO, 0);
    let dead = format!("http://{}/announce", unused()?);
    let mut urls = vec![("dead", dead)];
    for (name, behaviour) in behaviours(canary) {
        urls.push((name, format!("http://{}/announce", tracker(behaviour)?)));
    }
    let all: Vec<(&str, Vec<&str>)> = urls.iter().map(|(n, url)| (*n, vec![&url[..]])).collect();
    let together = ("all of them", urls.iter().map(|(_, url)| &url[..]).collect());
    for (name, trackers) in all.into_iter().chain([together]) {
        let case = stage.case(name, &torrent, &trackers)?;
        let program = case.download(&[seed.addr()])?;
        let started = Instant::now();
        program.wait_success(WITHIN).map_err(|error| format!("{name}: {error}"))?;
        slowest = slowest.max(started.elapsed());
        torrent.compare(&case.target)?;
        let reached = touched.load(Ordering::Relaxed);
        ensure(reached == 0, &program, &format!("{name}: was led to the canary"))?;
        let raw = program.log().contains('\u{1b}');
        ensure(!raw, &program, &format!("{name}: an escape sequence reached the terminal"))?;
        cases += 1;
    }
    Ok(Outcome::Held(format!(
        "{cases} cases, the slowest done and gone in {:.2} s, canary reached 0 times",
        slowest.as_secs_f64()
    )))
}

fn behaviours(canary: SocketAddr) -> Vec<(&'static str, Behaviour)> {
    let fixed = |bytes: Vec<u8>| -> Behaviour { Box::new(move |stream| stream.write_all(&bytes)) };
    let body = |body: &[u8]| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        [head.as_bytes(), body].concat()
    };
    let redirect = |to: &str| {
        format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n").into_bytes()
    };
    let mut crowd = b"d8:intervali1800e5:peers600000:".to_vec();
    // None of them is there: 127.1.0.0/16 refuses at once.
    for number in 0..100_000_u32 {
        crowd.extend([127, 1]);
        crowd.extend(&number.to_be_bytes()[2..]);
        crowd.extend([0, 1]);
    }
    crowd.push(b'e');
    vec![
        ("silent", Box::new(silent)),
        ("dripping", Box::new(drip)),
        (
            "endless head",
            Box::new(|stream| endless(stream, b"HTTP/1.1 200 OK\r\n", b"X-More: yes\r\n")),
        ),
        (
            "endless body",
            Box::new(|stream| endless(stream, b"HTTP/1.1 200 OK\r\n\r\n", b"d8:interval")),
        ),
        ("gzip bomb", fixed(bomb())),
        ("redirect loop", fixed(redirect("/announce"))),
        ("redirect to the canary", fixed(redirect(&format!("http://{canary}/")))),
        ("redirect to a file", fixed(redirect("file:///etc/passwd"))),
        ("100,000 peers", fixed(body(&crowd))),
        ("garbage", fixed(b"\x00\xff\x1b[31m not HTTP at all".to_vec())),
        ("garbage in HTTP", fixed(body(b"\x1b[31mli1ei2e"))),
        ("a failure with escapes", fixed(body(b"d14:failure reason9:\x1b[31m no!e"))),
        ("deep nesting", fixed(body(&[b'l'; 100_000]))),
        (
            "a length that lies",
            fixed(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nd".to_vec()),
        ),
        ("hangs up", Box::new(|_| Ok(()))),
    ]
}

/// Says nothing until the client hangs up.
fn silent(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.read(&mut [0]).map(drop)
}

/// One byte a second.
fn drip(stream: &mut TcpStream) -> std::io::Result<()> {
    for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\nd8:intervali1800e5:peers0:e" {
        stream.write_all(&[*byte])?;
        thread::sleep(Duration::from_secs(1));
    }
    Ok(())
}

fn endless(stream: &mut TcpStream, head: &[u8], again: &[u8]) -> std::io::Result<()> {
    stream.write_all(head)?;
    loop {
        stream.write_all(again)?;
    }
}

/// 64 MiB of the same byte in 65 KB of gzip: one stored deflate block cannot do that, so the blocks
/// are of fixed codes, each match as long as one can be.
fn bomb() -> Vec<u8> {
    let mut bits = Bits::default();
    bits.put(0b011, 3);
    // The literal 0 is the code 0011_0000, sent from its highest bit.
    bits.put(0b0000_1100, 8);
    for _ in 0..(64 << 20) / 258 {
        // Length 258 is the code 1100_0101, distance 1 the code 00000.
        bits.put(0b1010_0011, 8);
        bits.put(0, 5);
    }
    bits.put(0, 7);
    bits.put(0, 7);
    let mut out = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n".to_vec();
    out.extend([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
    out.extend(bits.bytes);
    out
}

/// Bits from the lowest up, as deflate packs them.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    used: u32,
}

impl Bits {
    fn put(&mut self, bits: u32, count: u32) {
        for at in 0..count {
            if self.used.is_multiple_of(8) {
                self.bytes.push(0);
            }
            if let Some(last) = self.bytes.last_mut() {
                *last |= u8::from(bits >> at & 1 == 1) << (self.used % 8);
            }
            self.used += 1;
        }
    }
}

/// A tracker that treats every request alike. It lives as long as the program that runs this.
fn tracker(behaviour: Behaviour) -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let addr = listener.local_addr()?;
    let behaviour = Arc::new(behaviour);
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let behaviour = Arc::clone(&behaviour);
            thread::spawn(move || {
                let mut request = [0; 4096];
                // A client that hangs up is what is hoped for.
                drop(stream.read(&mut request).and_then(|_| behaviour(&mut stream)));
            });
        }
    });
    Ok(addr)
}

/// A listener that nobody may be led to, and how often somebody was.
fn canary() -> Result<(SocketAddr, Arc<AtomicUsize>)> {
    let listener = TcpListener::bind((CANARY, 0))?;
    let addr = listener.local_addr()?;
    let touched = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&touched);
    thread::spawn(move || {
        for stream in listener.incoming() {
            count.fetch_add(1, Ordering::Relaxed);
            drop(stream);
        }
    });
    Ok((addr, touched))
}

/// An address where nobody listens.
fn unused() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
