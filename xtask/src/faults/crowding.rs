//! Strangers that come first, fill every place and do nothing, or next to nothing. Holds that a peer the
//! user named is dialed and kept all the same, and that a newcomer is let in by a seed.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use testkit::message::Message;
use testkit::peer::{Handshake, Peer};
use testkit::process::Process;
use testkit::torrent::{Builder, Torrent};
use testkit::{PATIENCE, cli};

use super::host::{Host, shake};
use super::{Outcome, Stage, ensure, peer_arguments};
use crate::Result;

/// Places of the program.
const PLACES: usize = 60;
const LONG_PLACES: usize = 200;
/// The last bytes of addresses.
const SEED: u8 = 2;
const CROWD: u8 = 3;
const NEWCOMER: u8 = 4;
/// How long it may take until the seed is connected, from when it would be kept: the program dials it
/// again after waits of five seconds and twice as many each time.
const CONNECTED_WITHIN: Duration = Duration::from_secs(40);
/// How often a connection that should be let in is tried.
const TRIES: usize = 5;
const TRY_AGAIN: Duration = Duration::from_millis(100);

pub(super) fn run(stage: &mut Stage) -> Result<Outcome> {
    let places = if stage.long { LONG_PLACES } else { PLACES };
    let torrent = Arc::new(Builder::varied("crowding", 2 << 20).piece_length(64 << 10).build());
    let dialed = dial_beside(stage, &torrent, places)?;
    let let_in = come_beside(stage, &torrent, places)?;
    Ok(Outcome::Held(format!(
        "{places} silent connections of one address: a seed is dialed and done with in {:.1} s, a \
         newcomer let in after {:.0} ms",
        dialed.as_secs_f64(),
        let_in.as_secs_f64() * 1000.0
    )))
}

/// A download, all of whose places are taken when the seed that the user named has room at last.
fn dial_beside(stage: &Stage, torrent: &Arc<Torrent>, places: usize) -> Result<Duration> {
    let case = stage.case("download", torrent, &[])?;
    let crowded = Arc::new(AtomicBool::new(false));
    let seed = Host::start(SEED, {
        let (crowded, torrent) = (Arc::clone(&crowded), Arc::clone(torrent));
        move |peer| {
            // Until then it is full itself.
            if crowded.load(Ordering::Relaxed) {
                let serve = |peer: Peer| peer.serve(&torrent, &|_, _, _: &mut Vec<u8>| {});
                drop(shake(peer, &torrent, SEED).and_then(serve));
            }
        }
    })?;
    let mut command = case.command("download");
    command.args(["--max-peers", &places.to_string()]).args(peer_arguments(&[seed.addr()]));
    let program = Process::start("pieces-cli", command.arg("-v"))?;
    let addr = cli::listening(&program)?;
    let crowd = fill(addr, torrent, places)?;
    crowded.store(true, Ordering::Relaxed);
    let since = Instant::now();
    program.wait_success(CONNECTED_WITHIN)?;
    torrent.compare(&case.target)?;
    drop(crowd);
    Ok(since.elapsed())
}

/// A seed, all of whose places are taken by peers that each take a byte.
fn come_beside(stage: &Stage, torrent: &Arc<Torrent>, places: usize) -> Result<Duration> {
    let case = stage.case("seed", torrent, &[])?;
    torrent.write_files(&case.target)?;
    let mut command = case.command("seed");
    let program =
        Process::start("pieces-cli", command.args(["--max-peers", &places.to_string(), "-v"]))?;
    let addr = cli::listening(&program)?;
    program.wait_line(PATIENCE, |line| line.contains("complete, seeding").then_some(()))?;
    let crowd = fill(addr, torrent, places)?;
    let since = Instant::now();
    let mut newcomer = come(addr, torrent, NEWCOMER, 0)?;
    newcomer.expect(|message| matches!(message, Message::Bitfield(_)).then_some(()))?;
    let let_in = since.elapsed();
    newcomer.send(&Message::Interested)?;
    let stranger = format!("127.0.0.{CROWD}:");
    let gave_way = |line: &str| line.contains(&stranger) && line.contains(" is closed: ");
    program.wait_line(PATIENCE, |line| gave_way(line).then_some(()))?;
    ensure(newcomer.is_open(), &program, "no place was given to the newcomer")?;
    drop(crowd);
    program.terminate();
    program.wait_success(PATIENCE)?;
    Ok(let_in)
}

/// Takes every place.
fn fill(addr: SocketAddr, torrent: &Torrent, places: usize) -> Result<Vec<Peer>> {
    (0..places).map(|number| come(addr, torrent, CROWD, number)).collect()
}

/// Connects from 127.0.0.`last`. The files may have to be opened first.
fn come(addr: SocketAddr, torrent: &Torrent, last: u8, number: usize) -> Result<Peer> {
    let from = IpAddr::V4(Ipv4Addr::new(127, 0, 0, last));
    let ours = Handshake::new(torrent.info_hash(), &format!("{last} {number:05}"));
    let mut tries = 0;
    loop {
        let came = Peer::dial_raw_from(from, addr).and_then(|peer| peer.speak_first(&ours));
        match came {
            Ok((peer, _)) => return Ok(peer),
            Err(error) if tries == TRIES => return Err(error),
            Err(_) => tries += 1,
        }
        thread::sleep(TRY_AGAIN);
    }
}
