//! Peers that break the rules, one at a time and all together, beside two honest seeds. Holds that
//! the download completes with the right bytes and in bounded memory, and that the program's log
//! names the rule that each of them broke; with `--long` also that little speed is lost.
//!
//! Owns the cases. What the peers do is listed in [`mod@acts`], and how in the files beside it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use testkit::process::Process;
use testkit::torrent::{Builder, Torrent};
use testkit::{PATIENCE, cli};

use self::acts::{Act, Role, acts, of_magnets};
use super::host::Host;
use super::{Case, Outcome, Stage, ensure, memory, peer_arguments};
use crate::Result;

mod acts;
mod datagrams;
mod encrypted;
mod extended;
mod fast;
mod floods;
mod magnets;
mod ratio;
mod seeds;
mod strangers;

const PIECE: u32 = 64 << 10;
/// So small that the metadata is of more than one piece.
const MAGNET_PIECE: u32 = 8 << 10;
/// Not a multiple of eight pieces, so that a bitfield has spare bits.
const LEN: u64 = (8 << 20) + 200_000;
/// Pause of an honest seed before each block: two of them take two seconds.
const PAUSE: Duration = Duration::from_millis(7);
/// The same where all are dialed at once: the last of them must still be asked for something.
const PAUSE_AMONG_ALL: Duration = Duration::from_millis(35);
/// The last bytes of the addresses of the honest seeds.
const HONEST: [u8; 2] = [2, 3];
/// The last byte of the first hostile host's address.
const FIRST_HOSTILE: u8 = 10;
/// Most cases side by side: nearly all they do is wait.
const AT_ONCE: usize = 8;
/// Memory beyond that of a clean download, at most.
const MOST_MEMORY: u64 = 64 << 20;

pub(super) fn run(stage: &mut Stage) -> Result<Outcome> {
    let mut acts = acts(stage.long);
    // Those that take long begin first, and the others fill the time.
    acts.sort_by_key(|act| std::cmp::Reverse(act.patience));
    let bitten = bitten(stage, &acts);
    if !stage.long {
        return bitten.map(Outcome::Held);
    }
    // Takes most of an hour, so whatever else there is to say is said with it.
    match (bitten, ratio::run(stage, &acts)) {
        (Ok(figures), Ok(ratios)) => Ok(Outcome::Held(format!("{figures}; {ratios}"))),
        (Err(one), Err(other)) => Err(format!("{one}\n\n{other}").into()),
        (Err(error), Ok(_)) | (Ok(_), Err(error)) => Err(error),
    }
}

/// Plays every act alone, and all together.
fn bitten(stage: &Stage, acts: &[Act]) -> Result<String> {
    let torrent = Arc::new(Builder::varied("hostile", LEN).piece_length(PIECE).build());
    let among_all = Arc::new(AtomicBool::new(false));
    let honest = HONEST.map(|last| {
        let among_all = Arc::clone(&among_all);
        Host::seed(last, &torrent, move |_, _, _| {
            thread::sleep(if among_all.load(Ordering::Relaxed) { PAUSE_AMONG_ALL } else { PAUSE });
        })
    });
    let honest = honest.into_iter().collect::<Result<Vec<_>>>()?;
    let known = Scene::new(torrent, &honest, false);
    let torrent = Arc::new(Builder::varied("magnet", LEN).piece_length(MAGNET_PIECE).build());
    let giving = HONEST.map(|last| magnets::honest(last, &torrent));
    let giving = giving.into_iter().collect::<Result<Vec<_>>>()?;
    let magnet = Scene::new(torrent, &giving, true);

    let of_magnets = of_magnets();
    let alone = |scene| move |act| (scene, act);
    let cases: Vec<(&Scene, &Act)> =
        acts.iter().map(alone(&known)).chain(of_magnets.iter().map(alone(&magnet))).collect();
    let clean = known.play(stage, "clean", &[])?.max(magnet.play(stage, "clean magnet", &[])?);
    let datagrams = datagrams::play(stage, &known)?;
    let peaks = Mutex::new(Vec::new());
    let failures = Mutex::new(Vec::new());
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some((scene, act)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            match scene.play(stage, act.name, &[act]) {
                Ok(peak) => lock(&peaks).push((peak, act.name)),
                Err(error) => lock(&failures).push(format!("{}: {error}", act.name)),
            }
        }
    };
    thread::scope(|scope| (0..AT_ONCE).for_each(|_| drop(scope.spawn(work))));
    let failures = failures.into_inner().unwrap_or_else(PoisonError::into_inner);
    if !failures.is_empty() {
        return Err(failures.join("\n\n").into());
    }
    let all: Vec<&Act> = acts.iter().collect();
    among_all.store(true, Ordering::Relaxed);
    let together = known.play(stage, "together", &all)?;
    let all: Vec<&Act> = of_magnets.iter().collect();
    let together = together.max(magnet.play(stage, "together, a magnet", &all)?);
    let peaks = peaks.into_inner().unwrap_or_else(PoisonError::into_inner);
    let (alone, who) = peaks.into_iter().max().ok_or("no peer was hostile")?;
    let figures = format!(
        "{} behaviours, each shown to have bitten, alone and together, and strangers' datagrams to the \
         DHT: all complete; memory {} MiB clean, {} MiB at most alone ({who}), {} MiB together, {} MiB \
         with datagrams",
        cases.len(),
        clean >> 20,
        alone >> 20,
        together >> 20,
        datagrams >> 20
    );
    if alone.max(together).max(datagrams) > clean + MOST_MEMORY {
        return Err(format!("too much memory: {figures}").into());
    }
    Ok(figures)
}

/// The torrent, and where the two that are honest listen.
struct Scene {
    torrent: Arc<Torrent>,
    honest: Vec<SocketAddr>,
    /// The program is given a magnet instead of the torrent.
    magnet: bool,
}

/// A download, and those that disturb it.
struct Play {
    program: Process,
    /// What a peer saw that must not be. That it was cut off is as it should be.
    complaints: Arc<Mutex<Vec<String>>>,
    /// Until when those that are dialed can be.
    _hosts: Vec<Host>,
}

impl Scene {
    fn new(torrent: Arc<Torrent>, honest: &[Host], magnet: bool) -> Self {
        Self { torrent, honest: honest.iter().map(Host::addr).collect(), magnet }
    }

    /// Starts a download among these peers, which stays and seeds when it is done.
    fn start(&self, case: &Case, acts: &[&Act], more: &[&str]) -> Result<Play> {
        let mut hosts = Vec::new();
        let complaints = Arc::<Mutex<Vec<String>>>::default();
        let mut peers = self.honest.clone();
        for (number, act) in (FIRST_HOSTILE..).zip(acts) {
            let (script, clear) = match act.role {
                Role::Dialed(script) => (script, true),
                Role::DialedAgain(script) => (script, false),
                Role::Comes(_) => continue,
            };
            let torrent = Arc::clone(&self.torrent);
            let seen = Arc::clone(&complaints);
            let host = Host::start(number, move |peer| {
                // Whoever does not speak a dialect hangs up on it.
                if peer.is_dialed_in_the_clear().is_ok_and(|is_clear| is_clear == clear) {
                    note(&seen, script(peer, &torrent));
                }
            })?;
            peers.push(host.addr());
            hosts.push(host);
        }
        let mut command = case.command("download");
        command.args(peer_arguments(&peers)).args(["--seed", "-vv"]).args(more);
        let program = Process::start("pieces-cli", &mut command)?;
        let addr = cli::listening(&program)?;
        // Whoever comes before the files are open is sent away.
        program.wait_line(PATIENCE, |line| line.contains("connected, Dialed").then_some(()))?;
        for act in acts {
            if let Role::Comes(script) = act.role {
                let torrent = Arc::clone(&self.torrent);
                let seen = Arc::clone(&complaints);
                thread::spawn(move || note(&seen, script(addr, &torrent)));
            }
        }
        Ok(Play { program, complaints, _hosts: hosts })
    }

    /// Plays one case to its end, and gives the most memory that the program had.
    fn play(&self, stage: &Stage, name: &str, acts: &[&Act]) -> Result<u64> {
        let mut case = stage.case(name, &self.torrent, &[])?;
        if self.magnet {
            case.file = self.torrent.magnet(&[], &[]).into();
        }
        let Play { program, complaints, _hosts } = self.start(&case, acts, &[])?;
        wait_complete(&program)?;
        let deadline = Instant::now();
        for act in acts {
            let left = (deadline + act.patience).saturating_duration_since(Instant::now());
            let mut found = 0;
            let proof = program.wait_line(left, |line| {
                found += usize::from(line.contains(act.proof));
                (found >= act.times).then_some(())
            });
            proof.map_err(|_| {
                let what = format!(
                    "never said {:?} ({} of {} times), so {:?} did not bite",
                    act.proof, found, act.times, act.name
                );
                program.failure(&what)
            })?;
        }
        let peak = self.end(&program, &case)?;
        let complaints = lock(&complaints).join("; ");
        ensure(complaints.is_empty(), &program, &format!("was seen by a peer: {complaints}"))?;
        Ok(peak)
    }

    /// Ends a program that has everything, and gives the most memory that it had.
    fn end(&self, program: &Process, case: &Case) -> Result<u64> {
        let peak = memory(program, "VmHWM")?;
        program.terminate();
        program.wait_success(PATIENCE)?;
        self.torrent.compare(&case.target)?;
        ensure(!program.log().contains("panicked"), program, "panicked")?;
        Ok(peak)
    }
}

fn wait_complete(program: &Process) -> Result<()> {
    let is_it = |line: &str| line.contains(": complete, ") && line.ends_with(", seeding");
    program.wait_line(PATIENCE, |line| is_it(line).then_some(()))
}

/// Keeps what a script has to say, unless it is that the program hung up.
fn note(complaints: &Mutex<Vec<String>>, result: Result<()>) {
    if let Err(error) = result
        && !error.is::<std::io::Error>()
    {
        lock(complaints).push(error.to_string());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
