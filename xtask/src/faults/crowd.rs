//! A crowd of connections that want nothing, at a seed. Holds that each costs little memory and next
//! to no processor time, and that a newcomer is answered at once all the same.

use std::net::SocketAddr;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use testkit::message::Message;
use testkit::peer::{Handshake, Peer};
use testkit::process::Process;
use testkit::torrent::{Builder, Torrent};
use testkit::{PATIENCE, cli};

use super::{Outcome, Stage, cpu, ensure, memory};
use crate::Result;

/// The crowd of the promise, and the one of every day.
const CROWD: usize = 10_000;
const SMALL_CROWD: usize = 1_000;
/// Memory of the program that a connection may cost.
const MOST_EACH: u64 = 32 << 10;
/// Handshakes that are timed while the crowd stands.
const NEWCOMERS: usize = 200;
const ANSWERED_WITHIN: Duration = Duration::from_millis(100);
/// How long the program is watched while nobody says anything.
const WATCHED: Duration = Duration::from_secs(5);
/// Threads that dial.
const DIALERS: usize = 4;

pub(super) fn run(stage: &mut Stage) -> Result<Outcome> {
    let crowd = if stage.long { CROWD } else { SMALL_CROWD };
    let places = crowd + NEWCOMERS + 100;
    // The program keeps up to a thousand descriptors for other things than connections.
    let descriptors = places as u64 + 1100;
    if !allow(descriptors) {
        return Ok(Outcome::Skipped("the limit of open files is too low for the crowd"));
    }
    let torrent = Builder::varied("crowd", 4 << 20).build();
    let case = stage.case("crowd", &torrent, &[])?;
    torrent.write_files(&case.target)?;
    let mut shell = Command::new("sh");
    let script = format!("ulimit -n {descriptors}; exec \"$0\" \"$@\"");
    shell.arg("-c").arg(script).arg(&case.binary);
    let mut command = case.prepare(shell, "seed");
    let program = Process::start("pieces-cli", command.args(["--max-peers", &places.to_string()]))?;
    let addr = cli::listening(&program)?;
    program.wait_line(PATIENCE, |line| line.contains("complete, seeding").then_some(()))?;

    // Buffers that are made once come with the first few.
    let first = join(addr, &torrent, 0..100)?;
    let before = memory(&program, "VmRSS")?;
    let rest = thread::scope(|scope| {
        let share = crowd.div_ceil(DIALERS);
        let dialers: Vec<_> = (0..DIALERS)
            .map(|number| {
                let torrent = &torrent;
                let from = 100 + number * share;
                scope.spawn(move || join(addr, torrent, from..(from + share).min(100 + crowd)))
            })
            .collect();
        let joined = dialers.into_iter().map(thread::ScopedJoinHandle::join);
        joined.map(|peers| peers.map_err(|_| "a dialer panicked")?).collect::<Result<Vec<_>>>()
    })?;
    let each = memory(&program, "VmRSS")?.saturating_sub(before) / crowd as u64;
    let used = cpu(&program)?;
    thread::sleep(WATCHED);
    let used = cpu(&program)?.saturating_sub(used);

    let mut times = Vec::new();
    let mut newcomers = Vec::new();
    for number in 0..NEWCOMERS {
        let started = Instant::now();
        let name = format!("new {number}");
        newcomers.push(Peer::dial(addr, &Handshake::new(torrent.info_hash(), &name))?);
        times.push(started.elapsed());
    }
    times.sort_unstable();
    let p99 = times[NEWCOMERS * 99 / 100 - 1];
    let here = first.len() + rest.iter().map(Vec::len).sum::<usize>();
    let mut all = first.into_iter().chain(rest.into_iter().flatten());
    let open = all.by_ref().filter(Peer::is_open).count();
    ensure(open == here, &program, &format!("closed {} of {here} idle peers", here - open))?;
    program.terminate();
    program.wait_success(PATIENCE)?;
    let figures = format!(
        "{crowd} idle connections, {each} bytes each, {:.2} s of processor in {} s; a handshake takes \
         {:.1} ms at the median and {:.1} ms at p99",
        used.as_secs_f64(),
        WATCHED.as_secs(),
        times[NEWCOMERS / 2].as_secs_f64() * 1000.0,
        p99.as_secs_f64() * 1000.0
    );
    // A machine that does other things too makes single handshakes late.
    if each > MOST_EACH || stage.long && p99 > ANSWERED_WITHIN {
        return Err(format!("too much: {figures}").into());
    }
    Ok(Outcome::Held(figures))
}

/// Connects, one after the other, each until the seed has told what it has.
fn join(addr: SocketAddr, torrent: &Torrent, numbers: std::ops::Range<usize>) -> Result<Vec<Peer>> {
    let one = |number| {
        let ours = Handshake::new(torrent.info_hash(), &format!("{number:05}"));
        let (mut peer, _) = Peer::dial(addr, &ours)?;
        peer.expect(|message| matches!(message, Message::Bitfield(_)).then_some(()))?;
        Ok(peer)
    };
    numbers.map(one).collect()
}

/// Raises our own limit of open files, and tells whether the program may raise its.
fn allow(descriptors: u64) -> bool {
    let limit = getrlimit(Resource::Nofile);
    let enough = |limit: Option<u64>| limit.is_none_or(|limit| limit >= descriptors);
    let maximum = if enough(limit.maximum) { limit.maximum } else { Some(descriptors) };
    // Root may raise the hard limit, too.
    enough(limit.current)
        || setrlimit(Resource::Nofile, Rlimit { current: Some(descriptors), maximum }).is_ok()
}
