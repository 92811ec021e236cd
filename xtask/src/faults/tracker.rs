//! Trackers that are dead, slow, endless or malicious, beside a seed that is fine. Holds that the
//! download is not delayed, the program leaves in time and nothing inside the network is reached.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use testkit::PATIENCE;
use testkit::process::Process;
use testkit::torrent::Builder;

use super::host::Host;
use super::{Outcome, Stage, ensure, median, peer_arguments};
use crate::Result;

/// The download takes about a second.
const WITHIN: Duration = Duration::from_secs(20);
/// From its end until the program has left.
const LEFT_WITHIN: Duration = Duration::from_secs(5);
/// Connections to one tracker in the life of the program: three announces, each with five redirects.
const MOST_ASKED: usize = 3 * 6;
/// Peers that are dialed, of however many that a tracker names: as many as are kept.
const MOST_DIALED: usize = 2000;
/// Runs of each kind that a median is taken of, and the least speed in percent of the clean one.
const RUNS: usize = 5;
const LEAST_SPEED: u128 = 98;
/// A canary's address: inside, and not the tracker's.
const CANARY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// What a tracker does with a connection once it has read the request.
type Behaviour = Box<dyn Fn(&mut TcpStream) -> std::io::Result<()> + Send + Sync>;

pub(super) fn run(stage: &mut Stage) -> Result<Outcome> {
    let torrent = Arc::new(Builder::varied("tracker", 4 << 20).build());
    let seed = Host::honest(9, &torrent, Duration::from_millis(1))?;
    let (canary, touched) = canary()?;
    let mut trackers = vec![("dead", format!("http://{}/announce", unused()?), Arc::default())];
    for (name, behaviour) in behaviours(canary) {
        let asked = Arc::<AtomicUsize>::default();
        let addr = tracker(behaviour, Arc::clone(&asked))?;
        trackers.push((name, format!("http://{addr}/announce"), asked));
    }
    let alone = trackers.iter().map(|(name, url, _)| (*name, vec![url.as_str()]));
    let together = ("all of them", trackers.iter().map(|(_, url, _)| url.as_str()).collect());
    let cases: Vec<(&str, Vec<&str>)> = alone.chain([together]).collect();
    let (mut slowest, mut most_asked, mut most_dialed) = (Duration::ZERO, 0, 0);
    for (name, urls) in &cases {
        for (_, _, asked) in &trackers {
            asked.store(0, Ordering::Relaxed);
        }
        let case = stage.case(name, &torrent, urls)?;
        let mut command = case.command("download");
        command.args(peer_arguments(&[seed.addr()])).args(["-vv", "--json"]);
        let program = Process::start("pieces-cli", &mut command)?;
        complete(&program, WITHIN)?;
        let done = Instant::now();
        program.wait_success(LEFT_WITHIN).map_err(|error| format!("{name}: {error}"))?;
        slowest = slowest.max(done.elapsed());
        torrent.compare(&case.target)?;
        let reached = touched.load(Ordering::Relaxed);
        ensure(reached == 0, &program, &format!("{name}: was led to the canary"))?;
        let log = program.log();
        ensure(!log.contains('\u{1b}'), &program, &format!("{name}: printed an escape sequence"))?;
        let asked = trackers.iter().map(|(_, _, asked)| asked.load(Ordering::Relaxed));
        most_asked = asked.fold(most_asked, usize::max);
        let dialed = log.lines().filter(|line| line.contains("cannot connect")).count();
        most_dialed = most_dialed.max(dialed);
        let what = format!("{name}: asked a tracker {most_asked} times, dialed {dialed} peers");
        ensure(most_asked <= MOST_ASKED && dialed <= MOST_DIALED, &program, &what)?;
    }
    let figures = format!(
        "{} cases, gone {:.2} s after the end at most, canary reached 0 times, a tracker asked {most_asked} \
         times and {most_dialed} peers dialed at most",
        cases.len(),
        slowest.as_secs_f64()
    );
    if !stage.long {
        return Ok(Outcome::Held(figures));
    }
    let ratio = speed(stage, &cases)?;
    Ok(Outcome::Held(format!("{figures}; {ratio}% of the clean speed at worst")))
}

/// Waits until the torrent is complete.
fn complete(program: &Process, patience: Duration) -> Result<()> {
    program.wait_line(patience, |line| line.contains("\"event\":\"complete\"").then_some(()))
}

/// What the trackers cost in speed: clean and disturbed downloads by turns, both with the same limit.
/// Gives the worst median, in percent.
fn speed(stage: &Stage, cases: &[(&str, Vec<&str>)]) -> Result<u128> {
    let torrent = Arc::new(Builder::varied("speed", 128 << 20).piece_length(256 << 10).build());
    let seed = Host::honest(9, &torrent, Duration::ZERO)?;
    let time = |name: &str, urls: &[&str]| -> Result<Duration> {
        let case = stage.case(name, &torrent, urls)?;
        let mut command = case.command("download");
        command.args(peer_arguments(&[seed.addr()])).args(["--json", "--max-download", "32M"]);
        let program = Process::start("pieces-cli", &mut command)?;
        complete(&program, PATIENCE)?;
        let took = program.elapsed();
        program.wait_success(LEFT_WITHIN)?;
        fs::remove_dir_all(&case.target)?;
        Ok(took)
    };
    let mut worst = u128::MAX;
    for (name, urls) in cases {
        let (mut clean, mut disturbed) = (Vec::new(), Vec::new());
        for run in 0..RUNS {
            clean.push(time(&format!("clean {name} {run}"), &[])?);
            disturbed.push(time(&format!("speed {name} {run}"), urls)?);
        }
        let percent = median(clean).as_millis() * 100 / median(disturbed).as_millis().max(1);
        if percent < LEAST_SPEED {
            return Err(format!("{name}: only {percent}% of the clean speed").into());
        }
        worst = worst.min(percent);
    }
    Ok(worst)
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
fn tracker(behaviour: Behaviour, asked: Arc<AtomicUsize>) -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let addr = listener.local_addr()?;
    let behaviour = Arc::new(behaviour);
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            asked.fetch_add(1, Ordering::Relaxed);
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
