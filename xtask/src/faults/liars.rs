//! One honest seed and five that lie, one of them in one block of a hundred. Holds that the download completes, that every liar that was
//! believed often enough to show is banned, by little evidence, and that the honest one never is.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use testkit::PATIENCE;
use testkit::process::Process;
use testkit::torrent::{Builder, Torrent};

use super::host::Host;
use super::{Outcome, Stage, ensure, peer_arguments};
use crate::Result;

const HONEST: u8 = 2;
/// The last byte of each liar's address, and how many blocks it sends for one that is false.
const LIARS: [(u8, u32); 5] = [(3, 1), (4, 1), (5, 3), (6, 20), (7, 100)];
/// False blocks that may be on their way before the first of them is found out.
const SHOWS: usize = 40;
/// Pieces that a liar spoiled and that came out right in the end, each of them evidence, at most until
/// it is convicted.
const MOST_EVIDENCE: usize = 2;

/// A seed that lies, and how often it did.
struct Liar {
    host: Host,
    lies: Arc<AtomicUsize>,
    /// The pieces it lied in.
    pieces: Arc<Mutex<BTreeSet<u32>>>,
}

impl Liar {
    fn start(last: u8, one_in: u32, torrent: &Arc<Torrent>, seed: u64) -> Result<Self> {
        let lies = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&lies);
        let pieces = Arc::<Mutex<BTreeSet<u32>>>::default();
        let spoiled = Arc::clone(&pieces);
        let host = Host::seed(last, torrent, move |piece, offset, data| {
            thread::sleep(Duration::from_millis(1));
            // Which blocks it lies about is settled by the seed, not by the order of requests.
            let of_block = seed ^ u64::from(piece) << 32 ^ u64::from(offset);
            let mut rng = fastrand::Rng::with_seed(of_block);
            if rng.u32(..one_in) == 0 {
                let at = rng.usize(..data.len());
                data[at] ^= 1;
                counter.fetch_add(1, Ordering::Relaxed);
                spoiled.lock().unwrap_or_else(PoisonError::into_inner).insert(piece);
            }
        })?;
        Ok(Self { host, lies, pieces })
    }

    /// How many pieces became evidence against it before it was convicted, or never was.
    fn evidence(&self, log: &str) -> usize {
        let convicted = format!("{} is proved to have sent false data", self.host.addr().ip());
        let lines = log.lines().take_while(|line| !line.contains(&convicted));
        let settled = lines.filter_map(|line| {
            let (_, rest) = line.split_once("piece ")?;
            rest.strip_suffix(" is good, after copies that were not")?.parse::<u32>().ok()
        });
        let spoiled = self.pieces.lock().unwrap_or_else(PoisonError::into_inner);
        settled.filter(|piece| spoiled.contains(piece)).count()
    }
}

pub(super) fn run(stage: &mut Stage) -> Result<Outcome> {
    let runs = if stage.long { 20 } else { 5 };
    let torrent = Arc::new(Builder::varied("liars", 12 << 20).piece_length(64 << 10).build());
    let (mut banned, mut lies, mut bad_pieces, mut most) = (0, 0, 0, 0);
    for number in 0..runs {
        let honest = Host::honest(HONEST, &torrent, Duration::from_millis(3))?;
        let seed = stage.rng.u64(..);
        let start = |(last, one_in)| Liar::start(last, one_in, &torrent, seed ^ u64::from(last));
        let liars = LIARS.into_iter().map(start).collect::<Result<Vec<_>>>()?;
        let mut addrs: Vec<SocketAddr> = liars.iter().map(|liar| liar.host.addr()).collect();
        addrs.push(honest.addr());
        stage.rng.shuffle(&mut addrs);
        let case = stage.case(&format!("run {number}"), &torrent, &[])?;
        let mut command = case.command("download");
        let program =
            Process::start("pieces-cli", command.args(peer_arguments(&addrs)).arg("-vv"))?;
        program.wait_success(PATIENCE)?;
        torrent.compare(&case.target)?;

        let log = program.log();
        let is_banned = |addr: SocketAddr| log.contains(&format!("{} sent false data", addr.ip()));
        ensure(!is_banned(honest.addr()), &program, "banned the honest seed")?;
        for (liar, (_, one_in)) in liars.iter().zip(LIARS) {
            let told = liar.lies.load(Ordering::Relaxed);
            let caught = is_banned(liar.host.addr());
            let what = format!("believed a liar (one in {one_in}) {told} times");
            ensure(caught || told < SHOWS, &program, &what)?;
            let evidence = liar.evidence(&log);
            let what = format!("convicted a liar (one in {one_in}) only after {evidence} pieces");
            ensure(evidence <= MOST_EVIDENCE, &program, &what)?;
            most = most.max(evidence);
            banned += usize::from(caught);
            lies += told;
        }
        bad_pieces += log.lines().filter(|line| line.contains("failed its hash, of")).count();
    }
    let all = runs * LIARS.len();
    Ok(Outcome::Held(format!(
        "{runs} runs, {banned} of {all} liars banned, honest never; {lies} false blocks, {bad_pieces} failed \
         pieces, convicted after at most {most} of them in evidence"
    )))
}
