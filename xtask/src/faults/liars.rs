//! One honest seed and four that lie. Holds that the download completes, that every liar that was
//! believed often enough to show is banned, and that the honest one never is.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use testkit::PATIENCE;
use testkit::torrent::{Builder, Torrent};

use super::host::Host;
use super::{Outcome, Stage, ensure};
use crate::Result;

const HONEST: u8 = 2;
/// The last byte of each liar's address, and how many blocks it sends for one that is false.
const LIARS: [(u8, u32); 4] = [(3, 1), (4, 1), (5, 3), (6, 20)];
/// False blocks that may be on their way before the first of them is found out.
const SHOWS: usize = 40;

/// A seed that lies, and how often it did.
struct Liar {
    host: Host,
    lies: Arc<AtomicUsize>,
}

impl Liar {
    fn start(last: u8, one_in: u32, torrent: &Arc<Torrent>, seed: u64) -> Result<Self> {
        let lies = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&lies);
        let host = Host::seed(last, torrent, move |piece, offset, data| {
            thread::sleep(Duration::from_millis(1));
            // Which blocks it lies about is settled by the seed, not by the order of requests.
            let of_block = seed ^ u64::from(piece) << 32 ^ u64::from(offset);
            let mut rng = fastrand::Rng::with_seed(of_block);
            if rng.u32(..one_in) == 0 {
                let at = rng.usize(..data.len());
                data[at] ^= 1;
                counter.fetch_add(1, Ordering::Relaxed);
            }
        })?;
        Ok(Self { host, lies })
    }
}

pub(super) fn run(stage: &mut Stage) -> Result<Outcome> {
    let runs = if stage.long { 20 } else { 5 };
    let torrent = Arc::new(Builder::varied("liars", 12 << 20).piece_length(64 << 10).build());
    let (mut banned, mut lies, mut bad_pieces) = (0, 0, 0);
    for number in 0..runs {
        let honest = Host::honest(HONEST, &torrent, Duration::from_millis(3))?;
        let seed = stage.rng.u64(..);
        let start = |(last, one_in)| Liar::start(last, one_in, &torrent, seed ^ u64::from(last));
        let liars = LIARS.into_iter().map(start).collect::<Result<Vec<_>>>()?;
        let mut addrs: Vec<SocketAddr> = liars.iter().map(|liar| liar.host.addr()).collect();
        addrs.push(honest.addr());
        stage.rng.shuffle(&mut addrs);
        let case = stage.case(&format!("run {number}"), &torrent, &[])?;
        let program = case.download(&addrs)?;
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
            banned += usize::from(caught);
            lies += told;
        }
        bad_pieces += log.lines().filter(|line| line.contains("failed its hash")).count();
    }
    let all = runs * LIARS.len();
    Ok(Outcome::Held(format!(
        "{runs} runs, {banned} of {all} liars banned, honest never; {lies} false blocks, {bad_pieces} failed pieces"
    )))
}
