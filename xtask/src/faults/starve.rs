//! Hardly any file descriptors. Holds that the program does not spin, loses nothing and completes
//! although far more peers and files want descriptors than there are.
//!
//! What the program does not accept waits in the system's queue, and what finds no room there waits to
//! get into it. So each stranger has a thread of its own, and the seed keeps half of the torrent back
//! until the program was watched: how fast either is says nothing about what must hold.

use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use testkit::PATIENCE;
use testkit::cli;
use testkit::peer::{Handshake, Peer};
use testkit::process::Process;
use testkit::torrent::{Builder, Torrent};

use super::host::Host;
use super::many_files;
use super::{Outcome, Stage, cpu, ensure, peer_arguments};
use crate::Result;

const DESCRIPTORS: u32 = 64;
const STRANGERS: usize = 200;
const FILES: u32 = 300;
const FILE_LEN: u64 = 10_000;
/// Strangers that the program has taken in when it has no room left: of 64 descriptors 20 are for the
/// process itself, 11 for files and 5 for locks; an eighth of the 28 connections is kept for newcomers,
/// and the seed has one.
const TAKEN_IN: usize = 28 - 3 - 1;
/// How often the seed looks whether it may go on.
const HELD_LOOK: Duration = Duration::from_millis(5);
/// How long the program is watched while strangers hold every descriptor.
const WATCHED: Duration = Duration::from_secs(4);
/// Of that, processor time it may use.
const MOST_CPU: Duration = Duration::from_secs(1);

pub(super) fn run(stage: &mut Stage) -> Result<Outcome> {
    let mut builder = Builder::new("starve").piece_length(64 << 10);
    for number in 0..FILES {
        builder = builder.file(&format!("{number:03}"), FILE_LEN);
    }
    let torrent = Arc::new(builder.build());
    let case = stage.case("starve", &torrent, &[])?;
    let watched = Arc::new(AtomicBool::new(false));
    let seed = seed(&torrent, &watched)?;
    let mut shell = Command::new("sh");
    let script = format!("ulimit -n {DESCRIPTORS}; exec \"$0\" \"$@\"");
    shell.arg("-c").arg(script).arg(&case.binary);
    let mut command = case.prepare(shell, "download");
    let program =
        Process::start("pieces-cli", command.args(peer_arguments(&[seed.addr()])).arg("-vv"))?;
    let addr = cli::listening(&program)?;
    // Whoever comes before the files are open is sent away, and holds nothing.
    program.wait_line(PATIENCE, |line| line.contains("connected, Dialed").then_some(()))?;
    let (arrived, strangers) = mpsc::channel();
    for number in 0..STRANGERS {
        let ours = Handshake::new(torrent.info_hash(), &format!("stranger{number}"));
        let arrived = arrived.clone();
        thread::spawn(move || {
            let joined = Peer::dial_raw(addr).and_then(|mut peer| {
                peer.send_raw(&ours.encode())?;
                Ok(peer)
            });
            // Whose turn never comes has nothing to say, and nobody may be there to hear it.
            if let Ok(peer) = joined {
                drop(arrived.send(peer));
            }
        });
    }
    let mut taken_in = 0;
    program.wait_line(PATIENCE, |line| {
        taken_in += usize::from(line.contains("connected, Incoming"));
        (taken_in == TAKEN_IN).then_some(())
    })?;
    let before = cpu(&program)?;
    let started = Instant::now();
    while started.elapsed() < WATCHED && program.exit().is_none() {
        thread::sleep(Duration::from_millis(50));
    }
    ensure(program.exit().is_none(), &program, "left with few descriptors")?;
    let used = cpu(&program)?.saturating_sub(before);
    ensure(used < MOST_CPU, &program, &format!("used {used:?} of {WATCHED:?} while starved"))?;
    let warned = program.log().lines().filter(|line| line.starts_with("warn")).count();
    watched.store(true, Ordering::Relaxed);
    drop(strangers);
    program.wait_success(PATIENCE)?;
    torrent.compare(&case.target)?;
    ensure(warned > 0, &program, "did not warn that descriptors ran out")?;
    ensure(warned < 100, &program, "warned without end")?;
    let many = if stage.long { many_files::run(stage)? } else { String::new() };
    Ok(Outcome::Held(format!(
        "{DESCRIPTORS} descriptors, {FILES} files, {STRANGERS} strangers: {warned} warnings, {:.2} s of \
         processor in {} s, completed afterwards{many}",
        used.as_secs_f64(),
        WATCHED.as_secs()
    )))
}

/// A seed that sends one half of the torrent at once and the other when the program was `watched`.
fn seed(torrent: &Arc<Torrent>, watched: &Arc<AtomicBool>) -> Result<Host> {
    let (watched, left) = (Arc::clone(watched), AtomicU64::new(torrent.len() / 2));
    Host::seed(2, torrent, move |_, _, data| {
        let len = data.len() as u64;
        let take = |left: u64| left.checked_sub(len);
        while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_err()
            && !watched.load(Ordering::Relaxed)
        {
            thread::sleep(HELD_LOOK);
        }
    })
}
