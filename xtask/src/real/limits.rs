//! `--max-download` and `--max-upload`, measured: a pieces-cli that fetches one half of a torrent
//! from a scripted seed while it gives the other to a scripted leecher.
//!
//! Owns what is demanded of ten seconds, as a whole and one by one. Never measures speed itself.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use testkit::PATIENCE;
use testkit::cli::{self, Cli};
use testkit::message::Message;
use testkit::peer::{Handshake, Peer};
use testkit::seed::Seed;
use testkit::torrent::{Builder, Torrent};

use crate::Result;
use crate::table::{Align, Mood, Table};

const MIB: u64 = 1 << 20;
const BYTES: u64 = 160 * MIB;
const PIECE_LENGTH: u32 = 256 << 10;
const BLOCK: u32 = 16 << 10;

/// What the seed gives at most, so that half of the torrent lasts for the measurement.
const SEED_RATE: u64 = 3 * MIB;

/// Requests the leecher keeps under way.
const WINDOW: u32 = 128;

/// Until choking and windows have settled.
const WARM_UP: Duration = Duration::from_secs(3);
const SECONDS: u32 = 10;

const DOWN: u64 = 2 * MIB;
const UP: u64 = MIB;

const COLUMNS: &[(&str, Align)] = &[
    ("limits", Align::Left(17)),
    ("down MiB/s", Align::Right(20)),
    ("up MiB/s", Align::Right(20)),
    ("result", Align::Left(0)),
];

/// Measures each direction limited, and both. Gives how many kept to it, and what did not.
pub(super) fn run(binary: &Path) -> Result<(usize, Vec<String>)> {
    let torrent = Builder::single("limited", BYTES).piece_length(PIECE_LENGTH).build();
    let table = Table::start(COLUMNS);
    let (mut right, mut failures) = (0, Vec::new());
    for (name, down, up) in [
        ("down 2M", Some(DOWN), None),
        ("up 1M", None, Some(UP)),
        ("down 2M, up 1M", Some(DOWN), Some(UP)),
    ] {
        let samples = measure(binary, &torrent, down, up)?;
        let figures = samples.iter().map(|direction| figures(direction)).collect::<Vec<_>>();
        let [got_down, got_up] = &samples;
        // Without a limit there must still be plenty: half of what the seed gives, and many times
        // the other limit.
        let verdicts = [judge(got_down, down, SEED_RATE / 2), judge(got_up, up, 4 * UP)];
        let wrong: Vec<String> = verdicts.into_iter().flatten().collect();
        let (mood, result) =
            if wrong.is_empty() { (Mood::Good, "kept") } else { (Mood::Bad, "failed, see below") };
        table.row(mood, &[name, &figures[0], &figures[1], result]);
        if wrong.is_empty() {
            right += 1;
        } else {
            failures.push(format!("── limits {name}\n{}\n{samples:?}", wrong.join("\n")));
        }
    }
    Ok((right, failures))
}

/// Mean, least and most of the seconds.
fn figures(samples: &[u64]) -> String {
    let mean = samples.iter().sum::<u64>() / u64::from(SECONDS);
    let (least, most) = (samples.iter().min(), samples.iter().max());
    let mib = |bytes: u64| {
        let hundredths = bytes * 100 / MIB;
        format!("{}.{:02}", hundredths / 100, hundredths % 100)
    };
    let range = least.zip(most).map(|(least, most)| format!("{}-{}", mib(*least), mib(*most)));
    format!("{} ({})", mib(mean), range.unwrap_or_default())
}

/// What is wrong with the bytes of each second.
fn judge(samples: &[u64], limit: Option<u64>, plenty: u64) -> Option<String> {
    let total: u64 = samples.iter().sum();
    let Some(limit) = limit else {
        let starved = total < plenty * u64::from(SECONDS);
        return starved.then(|| format!("starved without a limit: {total} bytes"));
    };
    let due = limit * u64::from(SECONDS);
    if total.abs_diff(due) > due / 20 {
        return Some(format!("{total} bytes in {SECONDS} s, more than 5% off {due}"));
    }
    // A quarter of a second is what the limit may save up.
    let jerk = samples.iter().find(|second| second.abs_diff(limit) > limit / 4 + u64::from(BLOCK));
    jerk.map(|second| format!("{second} bytes in a second, not smooth"))
}

/// Bytes of each second, down and up.
fn measure(
    binary: &Path,
    torrent: &Torrent,
    down: Option<u64>,
    up: Option<u64>,
) -> Result<[Vec<u64>; 2]> {
    let folder = tempfile::Builder::new().prefix("pieces-limits-").tempdir()?;
    let dir = folder.path().join("target");
    torrent.write_files(&dir)?;
    // Half of it is not there.
    fs::File::options().write(true).open(dir.join("limited"))?.set_len(BYTES / 2)?;
    let file = torrent.save(folder.path(), &[])?;

    let counters = [Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0))];
    let seed = paced_seed(torrent, &counters[0])?;
    let mut download = Cli::with_binary(binary, ["download"]).on_loopback(&file, &dir);
    download = download.args(["--peer", &seed.addr().to_string()]);
    for (flag, rate) in [("--max-download", down), ("--max-upload", up)] {
        if let Some(rate) = rate {
            download = download.args([flag, &rate.to_string()]);
        }
    }
    let download = download.start()?;
    let addr = cli::listening(&download)?;
    let (hash, counter) = (torrent.info_hash(), Arc::clone(&counters[1]));
    let leecher = thread::spawn(move || leech(addr, hash, &counter));

    let begun = Instant::now();
    while counters.iter().any(|counter| counter.load(Ordering::Relaxed) == 0) {
        if begun.elapsed() > PATIENCE || leecher.is_finished() {
            return Err(download.failure("moves nothing in one direction"));
        }
        sleep(Duration::from_millis(50));
    }
    sleep(WARM_UP);
    let read = || counters.each_ref().map(|counter| counter.load(Ordering::Relaxed));
    let (start, mut before) = (Instant::now(), read());
    let mut samples = [Vec::new(), Vec::new()];
    for second in 1..=SECONDS {
        sleep((start + Duration::from_secs(1) * second).saturating_duration_since(Instant::now()));
        let now = read();
        for ((samples, now), before) in samples.iter_mut().zip(now).zip(before) {
            samples.push(now - before);
        }
        before = now;
    }
    Ok(samples)
}

/// A seed that counts what it gives and keeps to [`SEED_RATE`].
fn paced_seed(torrent: &Torrent, counter: &Arc<AtomicU64>) -> Result<Seed> {
    let (begun, counter) = (Instant::now(), Arc::clone(counter));
    let pace = move |_, _, data: &mut Vec<u8>| {
        let given = counter.fetch_add(data.len() as u64, Ordering::Relaxed);
        let due = begun + Duration::from_millis(given * 1000 / SEED_RATE);
        sleep(due.saturating_duration_since(Instant::now()));
    };
    Seed::spoiling(torrent, "paced", Box::new(pace))
}

/// Takes pieces of the first half again and again, until it is hung up on.
fn leech(addr: SocketAddr, info_hash: [u8; 20], counter: &AtomicU64) -> Result<()> {
    // It listens before it has looked at its files.
    let ours = Handshake::new(info_hash, "greedy");
    let begun = Instant::now();
    let (mut peer, _) = loop {
        match Peer::dial(addr, &ours) {
            Err(_) if begun.elapsed() < PATIENCE => sleep(Duration::from_millis(100)),
            other => break other?,
        }
    };
    peer.send(&Message::Interested)?;
    let (mut next, mut open, mut under_way) = (0_u32, false, 0);
    let blocks = u32::try_from(BYTES / 2 / u64::from(BLOCK))?;
    let per_piece = PIECE_LENGTH / BLOCK;
    loop {
        while open && under_way < WINDOW {
            let (piece, offset) = (next / per_piece, next % per_piece * BLOCK);
            peer.send(&Message::Request { piece, offset, len: BLOCK })?;
            next = (next + 1) % blocks;
            under_way += 1;
        }
        match peer.receive()? {
            Message::Unchoke => open = true,
            Message::Choke => (open, under_way) = (false, 0),
            Message::Piece { data, .. } => {
                under_way = under_way.saturating_sub(1);
                counter.fetch_add(data.len() as u64, Ordering::Relaxed);
            }
            _ => {}
        }
    }
}
