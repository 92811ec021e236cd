//! What grows and what must not: the memory of pieces with the length of a torrent and of its pieces,
//! its rest with a thousand connections and with a thousand torrents.
//!
//! Owns these rows. Never compares with other clients: that is what the tables of tasks are for.

use std::net::SocketAddrV4;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::client::{Client, Job};
use super::measure::{self, Running, cpu_of, listen, ready};
use super::peer::Peer;
use super::work::Work;
use super::{MIB, Setting, Task};
use crate::Result;

/// Of torrents that are holes: 1 to 64 GiB.
const SIZES: [usize; 4] = [1 << 10, 4 << 10, 16 << 10, 64 << 10];

/// How much of them is asked for, in MiB.
const TAKEN: usize = 256;

/// KiB of a piece.
const PIECES: [usize; 5] = [16, 256, 1 << 10, 4 << 10, 16 << 10];

/// MiB of the torrents with those.
const DATA: usize = 512;

/// Connections of one torrent, and torrents of one session.
const MANY: usize = 1_000;

/// How long rest is watched.
const REST: Duration = Duration::from_secs(5);

/// How long what was just begun may take to come to rest.
const SETTLE: Duration = Duration::from_secs(3);

/// What one row says.
struct Row {
    what: String,
    /// Bytes of memory at the most: all of it, and what belongs to no file.
    rss: u64,
    anonymous: u64,
    /// Of one core, where that was watched.
    busy: Option<f64>,
}

/// Measures all rows and prints them.
pub(super) fn run(parent: &Path, setting: &Setting) -> Result<Value> {
    println!(
        "\nmemory and rest of pieces\n  {:<46}{:>9}{:>11}{:>9}",
        "", "MiB", "anonymous", "CPU %"
    );
    let mut rows = Vec::new();
    let mut note = |row: Row| {
        let busy = row.busy.map_or_else(String::new, |busy| format!("{:.2}", busy * 100.0));
        let (rss, anonymous) = (mib(row.rss), mib(row.anonymous));
        println!("  {:<46}{rss:>9.1}{anonymous:>11.1}{busy:>9}", row.what);
        rows.push(json!({
            "what": row.what,
            "rss_mib": rss,
            "anonymous_mib": anonymous,
            "busy": row.busy,
        }));
    };
    for size in SIZES {
        note(seed_a_hole(parent, size * MIB, setting)?);
    }
    for kib in PIECES {
        let (work, data) = Work::create(parent, DATA * MIB, kib << 10)?;
        for task in [Task::Check, Task::Download] {
            let cost = measure::run(Client::Pieces, task, &work, &data, setting)?;
            note(Row {
                what: format!("{}, {DATA} MiB in pieces of {kib} KiB", task.word()),
                rss: cost.rss,
                anonymous: cost.anonymous,
                busy: None,
            });
        }
    }
    note(many_connections(parent, setting)?);
    note(many_torrents(parent, setting)?);
    Ok(Value::Array(rows))
}

fn mib(bytes: u64) -> f64 {
    f64::from(u32::try_from(bytes >> 10).unwrap_or(u32::MAX)) / 1024.0
}

/// A seed of this work, and where it listens.
fn seed(
    work: &Work,
    setting: &Setting,
    scratch: &Path,
    more: &[&str],
) -> Result<(Running, SocketAddrV4)> {
    let listen = listen();
    let job = Job { work, setting, listen, scratch, fresh: scratch, encryption: "off" };
    let mut command = Client::Pieces.command(Task::Seed, &job)?;
    let running = Running::start(command.args(more), &scratch.join("log"))?;
    Ok((running, listen))
}

fn seed_a_hole(parent: &Path, size: usize, setting: &Setting) -> Result<Row> {
    let work = Work::hole(parent, size, super::PIECE_LEN)?;
    let scratch = tempfile::tempdir_in(work.folder())?;
    let (mut running, there) = seed(&work, setting, scratch.path(), &[])?;
    let mut peer = ready(SocketAddrV4::new(measure::OUR_IP, 0), there, &work)?;
    peer.leech(&work, TAKEN * MIB, &mut || ())?;
    let cost = running.stop()?;
    let what = format!("seed {TAKEN} MiB of {} GiB", size >> 30);
    Ok(Row { what, rss: cost.rss, anonymous: cost.anonymous, busy: None })
}

/// A seed with connections that say nothing.
fn many_connections(parent: &Path, setting: &Setting) -> Result<Row> {
    let work = Work::hole(parent, MIB * 64, super::PIECE_LEN)?;
    let scratch = tempfile::tempdir_in(work.folder())?;
    let (mut running, there) = seed(&work, setting, scratch.path(), &["--max-peers", "2000"])?;
    let here = SocketAddrV4::new(measure::OUR_IP, 0);
    let mut peers = vec![ready(here, there, &work)?];
    while peers.len() < MANY {
        let mut peer = Peer::dial(here, there, &work, &|| true)?;
        if !peer.await_seed(&work)? {
            return Err(format!("connection {} was closed", peers.len() + 1).into());
        }
        peers.push(peer);
    }
    let busy = rest(&mut running)?;
    let cost = running.stop()?;
    let what = format!("seed, {MANY} connections at rest");
    Ok(Row { what, rss: cost.rss, anonymous: cost.anonymous, busy: Some(busy) })
}

/// A session of torrents that nobody else has.
fn many_torrents(parent: &Path, setting: &Setting) -> Result<Row> {
    let folder = tempfile::Builder::new().prefix("pieces-bench-").tempdir_in(parent)?;
    let mut command = setting.pieces();
    command.args(["--quiet", "download", "--no-dht", "--no-lsd", "--dir"]).arg(folder.path());
    let listen = listen();
    command.args(["--bind", &listen.ip().to_string(), "--port", &listen.port().to_string()]);
    for number in 0..MANY {
        let name = format!("{number:04}");
        let torrent = format!(
            "d4:infod6:lengthi16384e4:name4:{name}12:piece lengthi16384e6:pieces20:{name:>20}ee"
        );
        let path = folder.path().join(name).with_extension("torrent");
        std::fs::write(&path, torrent)?;
        command.arg(path);
    }
    command.env("HOME", folder.path()).env_remove("XDG_STATE_HOME");
    let mut running = Running::start(&mut command, &folder.path().join("log"))?;
    let deadline = Instant::now() + Duration::from_mins(1);
    // All of them are open once all of their files are there.
    let last = |number| folder.path().join(format!("{number:04}")).exists();
    while !(0..MANY).all(last) {
        if Instant::now() > deadline {
            let log = std::fs::read_to_string(folder.path().join("log"))?;
            return Err(format!("the torrents were never opened\n{log}").into());
        }
        thread::sleep(Duration::from_millis(50));
    }
    let busy = rest(&mut running)?;
    running.glance();
    let (rss, anonymous) = running.memory();
    let what = format!("{MANY} torrents at rest");
    Ok(Row { what, rss, anonymous, busy: Some(busy) })
}

/// How busy a program is that has nothing to do, as a share of one core.
fn rest(running: &mut Running) -> Result<f64> {
    thread::sleep(SETTLE);
    let (began, before) = (Instant::now(), cpu_of(running.pid())?);
    thread::sleep(REST);
    let used = cpu_of(running.pid())?.saturating_sub(before);
    Ok(used.as_secs_f64() / began.elapsed().as_secs_f64())
}
