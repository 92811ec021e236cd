//! How fast one seed's data reaches a whole swarm whose uplinks are capped: pieces, others, and mixed.
//!
//! Owns these rows. What is told is the time of the last leecher, from the start of the seed, over the
//! time that the uplinks need at best: the greater of `size / seed's rate` (it has to send everything
//! once) and `leechers * size / sum of all rates` (all together send everything to each). The leechers
//! know each other before the seed comes.

mod delay;
mod member;
mod tracker;

use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::client::Client;
use super::measure::Running;
use super::work::{NAME, Work};
use super::{MIB, Setting};
use crate::{Result, interrupt};
use member::Member;
use tracker::Tracker;

/// MiB of the torrent, and the bytes of its pieces.
const DATA: usize = 48;
const PIECE: usize = 256 << 10;

/// What the seed may send a second.
const SEED_UP: usize = 2 * MIB;

/// Where everyone listens. Of the benchmark network (RFC 2544): libtorrent keeps no limit in private
/// ones.
const PORT: u16 = 7_000;

/// How long the leechers have to find each other before the seed comes.
const ACQUAINT: Duration = Duration::from_secs(8);

/// How often it is looked who is done.
const GLANCE: Duration = Duration::from_millis(20);

/// A swarm that takes longer is given up.
const PATIENCE: Duration = Duration::from_mins(5);

/// One swarm.
struct Row {
    what: &'static str,
    seed: Client,
    /// Who the leechers are, in turn.
    clients: &'static [Client],
    leechers: usize,
    /// Their rates in KiB a second, in turn.
    ups: &'static [usize],
    /// How long a message takes, one way.
    delay: Duration,
}

const EQUAL: &[usize] = &[2048];
const UNEQUAL: &[usize] = &[512, 1024, 2048, 4096];
const SLOW: Duration = Duration::from_millis(25);

#[rustfmt::skip]
const ROWS: [Row; 11] = {
    use Client::{Libtorrent as L, Pieces as P, Transmission as T};
    let now = Duration::ZERO;
    [
        Row { what: "pieces", seed: P, clients: &[P], leechers: 8, ups: EQUAL, delay: now },
        Row { what: "pieces, 50 ms", seed: P, clients: &[P], leechers: 8, ups: EQUAL, delay: SLOW },
        Row { what: "pieces", seed: P, clients: &[P], leechers: 20, ups: EQUAL, delay: now },
        Row { what: "pieces, unequal", seed: P, clients: &[P], leechers: 8, ups: UNEQUAL, delay: now },
        Row { what: "libtorrent", seed: L, clients: &[L], leechers: 8, ups: EQUAL, delay: now },
        Row { what: "libtorrent", seed: L, clients: &[L], leechers: 20, ups: EQUAL, delay: now },
        Row { what: "libtorrent, unequal", seed: L, clients: &[L], leechers: 8, ups: UNEQUAL, delay: now },
        Row { what: "transmission", seed: T, clients: &[T], leechers: 8, ups: EQUAL, delay: now },
        Row { what: "pieces seeds libtorrent", seed: P, clients: &[L], leechers: 8, ups: EQUAL, delay: now },
        Row { what: "libtorrent seeds pieces", seed: L, clients: &[P], leechers: 8, ups: EQUAL, delay: now },
        Row { what: "pieces seeds a mixture", seed: P, clients: &[P, L, T, P], leechers: 8, ups: EQUAL, delay: now },
    ]
};

/// Measures every swarm whose clients are installed, and prints a line for each.
pub(super) fn run(parent: &Path, setting: &Setting) -> Result<Value> {
    let (work, data) = Work::create(parent, DATA * MIB, PIECE)?;
    println!(
        "\none seed of {} MiB/s and n leechers, {DATA} MiB: the last one, over the best possible\n  {:<26}{:>4}{:>9}{:>8}{:>16}{:>16}",
        SEED_UP / MIB,
        "",
        "n",
        "seconds",
        "ratio",
        "slowest done",
        "fastest done"
    );
    let mut rows = Vec::new();
    for (number, row) in (0_u8..).zip(&ROWS) {
        interrupt::check()?;
        let mut clients = row.clients.iter().chain([&row.seed]);
        if let Some(missing) = clients.find(|client| client.version(setting).is_none()) {
            println!("  {:<26}not measured: {} is missing", row.what, missing.name());
            continue;
        }
        let done = match swarm(row, number, &work, &data, setting) {
            Ok(done) => done,
            Err(error) => {
                interrupt::check()?;
                println!("  {:<26}{:>4}  failed: {error}", row.what, row.leechers);
                rows.push(json!({ "what": row.what, "error": error.to_string() }));
                continue;
            }
        };
        let last = done.iter().copied().max().unwrap_or_default().as_secs_f64();
        let (ratio, n) = (last / row.bound(), row.leechers);
        // Of those with the lowest, and the highest, rate: the mean.
        let of = |up: Option<&usize>| {
            let its = |at: &usize| Some(row.up(*at)) == up.copied();
            let times = done.iter().enumerate().filter(|(at, _)| its(at)).map(|(_, time)| *time);
            let times: Vec<Duration> = times.collect();
            let count = u32::try_from(times.len()).unwrap_or(u32::MAX).max(1);
            (times.iter().sum::<Duration>() / count).as_secs_f64()
        };
        let (slow, fast) = (of(row.ups.iter().min()), of(row.ups.iter().max()));
        println!("  {:<26}{n:>4}{last:>9.1}{ratio:>8.2}{slow:>16.1}{fast:>16.1}", row.what);
        rows.push(json!({
            "what": row.what,
            "leechers": n,
            "kib_s": row.ups,
            "delay_ms": u64::try_from(row.delay.as_millis())?,
            "last_s": last,
            "ratio": ratio,
            "slowest_done_s": slow,
            "fastest_done_s": fast,
        }));
    }
    Ok(Value::Array(rows))
}

impl Row {
    /// The rate of a leecher, in KiB a second.
    fn up(&self, at: usize) -> usize {
        self.ups.get(at % self.ups.len()).copied().unwrap_or_default()
    }

    /// Seconds that the uplinks need at best.
    fn bound(&self) -> f64 {
        let sum: usize = (0..self.leechers).map(|at| self.up(at) << 10).sum::<usize>() + SEED_UP;
        #[expect(clippy::cast_precision_loss, reason = "a few bits less do not matter")]
        let (size, all) = ((DATA * MIB) as f64, (DATA * MIB * self.leechers) as f64);
        #[expect(clippy::cast_precision_loss, reason = "a few bits less do not matter")]
        let (seed, sum) = (SEED_UP as f64, sum as f64);
        (size / seed).max(all / sum)
    }
}

/// Runs one swarm. Gives when each leecher was done.
fn swarm(
    row: &Row,
    number: u8,
    work: &Work,
    data: &[u8],
    setting: &Setting,
) -> Result<Vec<Duration>> {
    let scratch = tempfile::tempdir_in(work.folder())?;
    let addrs: Vec<SocketAddrV4> = (0..=row.leechers)
        .map(|at| {
            Ok(SocketAddrV4::new(Ipv4Addr::new(198, 18, number, u8::try_from(at)? + 1), PORT))
        })
        .collect::<Result<_>>()?;
    let announce_at = SocketAddrV4::new(Ipv4Addr::new(198, 18, number, 200), PORT);
    let far = |at: &SocketAddrV4| SocketAddrV4::new(seen_through_delay(*at.ip()), PORT);
    for addr in addrs.iter().chain([&announce_at]) {
        add_address(*addr.ip())?;
    }
    let mut known = addrs.clone();
    if row.delay > Duration::ZERO {
        known = addrs.iter().map(far).collect();
        for (near, far) in addrs.iter().zip(&known) {
            add_address(*far.ip())?;
            delay::start(*far, *near, row.delay, seen_through_delay)?;
        }
    }
    let tracker = Tracker::start(announce_at, &known)?;
    let torrent = scratch.path().join("tracked.torrent");
    work.write_torrent(&torrent, &tracker.url)?;

    let mut members = Vec::new();
    let start = |at: usize, seeds: bool| -> Result<_> {
        let home = scratch.path().join(at.to_string());
        let fresh = home.join("fresh");
        fs::create_dir_all(&fresh)?;
        let client = row.clients.get(at % row.clients.len()).copied().unwrap_or(row.seed);
        let member = Member {
            client: if seeds { row.seed } else { client },
            setting,
            torrent: &torrent,
            folder: if seeds { &work.whole() } else { &fresh },
            scratch: &home,
            listen: *addrs.get(at).ok_or("no address")?,
            up: if seeds { SEED_UP } else { row.up(at) << 10 },
            seeds,
        };
        let running = Running::start(&mut member.command()?, &home.join("log"))?;
        Ok((running, member.done(), fresh.join(NAME)))
    };
    for at in 0..row.leechers {
        members.push(start(at, false)?);
    }
    for addr in addrs.iter().take(row.leechers) {
        await_listener(*addr)?;
    }
    thread::sleep(ACQUAINT);
    let started = Instant::now();
    let _seed = start(row.leechers, true)?;
    let mut done = vec![None; row.leechers];
    while done.iter().any(Option::is_none) {
        interrupt::check()?;
        if started.elapsed() > PATIENCE {
            return Err(format!("{}: the swarm does not end", row.what).into());
        }
        for (done, (_, file, _)) in done.iter_mut().zip(&members) {
            if done.is_none() && file.exists() {
                *done = Some(started.elapsed());
            }
        }
        thread::sleep(GLANCE);
    }
    for (running, _, _) in &mut members {
        running.stop()?;
    }
    for (_, _, file) in &members {
        if fs::read(file)? != data {
            return Err(format!("{}: a leecher has wrong data", row.what).into());
        }
    }
    Ok(done.into_iter().flatten().collect())
}

/// The address under which a peer is seen through the delay.
fn seen_through_delay(ip: Ipv4Addr) -> Ipv4Addr {
    let [_, _, net, host] = ip.octets();
    Ipv4Addr::new(198, 19, net, host)
}

fn add_address(ip: Ipv4Addr) -> Result<()> {
    let status =
        Command::new("ip").args(["addr", "add", &format!("{ip}/32"), "dev", "lo"]).status()?;
    if status.success() { Ok(()) } else { Err(format!("{ip} cannot be added").into()) }
}

fn await_listener(addr: SocketAddrV4) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect(addr).is_err() {
        interrupt::check()?;
        if Instant::now() > deadline {
            return Err(format!("{addr} does not listen").into());
        }
        thread::sleep(GLANCE);
    }
    Ok(())
}
