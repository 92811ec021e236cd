//! Hardly any file descriptors. Holds that the program does not spin, loses nothing and completes
//! although far more peers and files want descriptors than there are.

use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use testkit::PATIENCE;
use testkit::cli;
use testkit::peer::{Handshake, Peer};
use testkit::process::Process;
use testkit::torrent::Builder;

use super::host::Host;
use super::{Outcome, Stage, cpu, ensure, peer_arguments};
use crate::Result;

const DESCRIPTORS: u32 = 64;
const STRANGERS: usize = 200;
const FILES: u32 = 300;
/// How long the program is watched while strangers hold every descriptor.
const WATCHED: Duration = Duration::from_secs(4);
/// Of that, processor time it may use.
const MOST_CPU: Duration = Duration::from_secs(1);

pub(super) fn run(stage: &mut Stage) -> Result<Outcome> {
    let mut builder = Builder::new("starve").piece_length(64 << 10);
    for number in 0..FILES {
        builder = builder.file(&format!("{number:03}"), 10_000);
    }
    let torrent = Arc::new(builder.build());
    let case = stage.case("starve", &torrent, &[])?;
    let seed = Host::honest(2, &torrent, Duration::from_millis(30))?;
    let mut shell = Command::new("sh");
    let script = format!("ulimit -n {DESCRIPTORS}; exec \"$0\" \"$@\"");
    shell.arg("-c").arg(script).arg(&case.binary);
    let mut command = case.prepare(shell, "download");
    let program =
        Process::start("pieces-cli", command.args(peer_arguments(&[seed.addr()])).arg("-vv"))?;
    let addr = cli::listening(&program)?;
    // Whoever comes before the files are open is sent away, and holds nothing.
    program.wait_line(PATIENCE, |line| line.contains("connected, Dialed").then_some(()))?;
    let mut strangers = Vec::new();
    for number in 0..STRANGERS {
        let mut peer = Peer::dial_raw(addr)?;
        let ours = Handshake::new(torrent.info_hash(), &format!("stranger{number}"));
        // Most wait in the backlog, and their turn may never come.
        drop(peer.send_raw(&ours.encode()));
        strangers.push(peer);
    }
    let before = cpu(&program)?;
    let started = Instant::now();
    while started.elapsed() < WATCHED && program.exit().is_none() {
        thread::sleep(Duration::from_millis(50));
    }
    let status = program.exit();
    let dead = status.is_some_and(|status| status.signal().is_some() || !status.success());
    ensure(!dead, &program, "died with few descriptors")?;
    let used = cpu(&program).map_or(Duration::ZERO, |now| now.saturating_sub(before));
    ensure(used < MOST_CPU, &program, &format!("used {used:?} of {WATCHED:?} while starved"))?;
    let warned = program.log().lines().filter(|line| line.starts_with("warn")).count();
    drop(strangers);
    program.wait_success(PATIENCE)?;
    torrent.compare(&case.target)?;
    ensure(warned > 0, &program, "did not warn that descriptors ran out")?;
    ensure(warned < 100, &program, "warned without end")?;
    Ok(Outcome::Held(format!(
        "{DESCRIPTORS} descriptors, {FILES} files, {STRANGERS} strangers: {warned} warnings, {:.2} s of \
         processor in {} s, completed afterwards",
        used.as_secs_f64(),
        WATCHED.as_secs()
    )))
}
