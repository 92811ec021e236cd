//! Power cuts in the middle of a download to an ext4. Holds that no piece is claimed that the disk
//! does not have, and that little is lost.
//!
//! Resume state and data are on the same disk, so the cut hits both. A claim that does not hold shows
//! as a piece that is counted at the next start although its bytes are wrong.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use testkit::PATIENCE;
use testkit::process::{Process, Stream};
use testkit::torrent::Builder;

use super::disk::{self, Ext4};
use super::host::Host;
use super::{Case, Outcome, Stage, ensure, peer_arguments, whole_pieces};
use crate::Result;

const PIECE: u32 = 256 << 10;
/// What was verified this long before the cut is still there: five seconds until it is synced, and
/// two for a slow disk to do so and to write the claim.
const SAFE_AFTER: Duration = Duration::from_secs(7);
/// Or else so little is lost that nobody minds.
const MOST_LOST: u64 = 16 << 20;
/// How often the program is asked how far it is.
const LOOK: Duration = Duration::from_millis(20);

pub(super) fn run(stage: &mut Stage) -> Result<Outcome> {
    if let Some(why) = disk::missing() {
        return Ok(Outcome::Skipped(why));
    }
    let (cuts, mib) = if stage.long { (30, 768) } else { (3, 192) };
    let torrent = Arc::new(Builder::varied("power", mib << 20).piece_length(PIECE).build());
    // About 8 MiB/s: several cuts hit one download.
    let seed = Host::honest(2, &torrent, Duration::from_micros(1900))?;
    let mount = stage.folder.path().join("mount");
    let disk = Ext4::mount(&stage.folder.path().join("image"), &mount, (mib + mib / 8 + 64) << 20)?;
    let mut case = stage.case("power", &torrent, &[])?;
    (case.target, case.state) = (mount.join("target"), mount.join("state"));
    let (mut worst, mut kept, mut claims) = (0, 0, 0);
    for number in 0..cuts {
        let program = start(&case, &[seed.addr()])?;
        // Every second life is long enough that something was synced in it.
        let life = Duration::from_millis(stage.rng.u64(200..6000));
        let life = if number % 2 == 0 { life + SAFE_AFTER } else { life };
        let verified = watch(&program, life)?;
        let cut_at = Instant::now();
        disk.cut_power()?;
        program.kill();
        program.wait_exit(PATIENCE)?;
        disk.switch_on()?;

        let whole = whole_pieces(&torrent, &case.target)?;
        let program = start(&case, &[])?;
        let found = program.wait_line(PATIENCE, ready)?;
        program.kill();
        program.wait_exit(PATIENCE)?;
        let at = format!("cut {number}, after {} ms: ", life.as_millis());
        let what = format!("{at}claims {found} pieces, {whole} are whole");
        ensure(found <= whole, &program, &what)?;
        let reached = verified.last().map_or(0, |(_, count)| *count);
        let lasting = verified.iter().rfind(|(when, _)| *when + SAFE_AFTER <= cut_at);
        let lasting = lasting.map_or(0, |(_, count)| *count);
        let lost = u64::from(reached.saturating_sub(found)) * u64::from(PIECE);
        let what =
            format!("{at}{found} pieces are left of {reached}, {lasting} of them long verified");
        ensure(found >= lasting || lost <= MOST_LOST, &program, &what)?;
        worst = worst.max(lost);
        kept += u64::from(found);
        claims += usize::from(found > 0);
        if found * 4 > torrent.piece_count() * 3 {
            fs::remove_dir_all(case.target.join(torrent.name()))?;
        }
    }
    if claims * 2 < cuts {
        return Err(format!("only {claims} of {cuts} cuts left anything to claim").into());
    }
    case.download(&[seed.addr()])?.wait_success(PATIENCE * 5)?;
    torrent.compare(&case.target)?;
    Ok(Outcome::Held(format!(
        "{cuts} cuts: 0 false claims, {kept} pieces found again, at most {} KiB lost a cut, all \
         complete afterwards",
        worst >> 10
    )))
}

fn start(case: &Case, peers: &[SocketAddr]) -> Result<Process> {
    let mut command = case.command("download");
    Process::start("pieces-cli", command.args(peer_arguments(peers)).arg("--json"))
}

/// Lets the program run, and notes how many pieces are verified when.
fn watch(program: &Process, life: Duration) -> Result<Vec<(Instant, u32)>> {
    let started = Instant::now();
    let mut all = Vec::new();
    while started.elapsed() < life {
        ensure(program.exit().is_none(), program, "left too early")?;
        let output = program.output(Stream::Stdout);
        let had = output.lines().find_map(ready).unwrap_or(0);
        let count = output.lines().filter(|line| is_event(line, "piece")).count();
        all.push((Instant::now(), had + u32::try_from(count)?));
        thread::sleep(LOOK);
    }
    Ok(all)
}

/// How many pieces the program has found when it begins.
fn ready(line: &str) -> Option<u32> {
    let event: Value = serde_json::from_str(line).ok()?;
    let have = event["have"].as_u64().filter(|_| event["event"] == "ready")?;
    u32::try_from(have).ok()
}

fn is_event(line: &str, name: &str) -> bool {
    line.contains(&format!("\"event\":\"{name}\""))
}
