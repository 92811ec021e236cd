//! One case of the matrix: a seed, a leecher, a tracker, a torrent, and a deadline.
//!
//! Owns the course of a case and its logs. Never knows how a client is driven.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use testkit::process::Process;
use testkit::torrent::{File, Torrent};

use super::PIECES;
use super::client::{Client, Discovery, Job, Secrecy};
use super::net::Network;
use super::opentracker::{Scheme, Tracker};
use crate::Result;

/// transmission alone takes up to 20 s to begin.
const DEADLINE: Duration = Duration::from_secs(90);

/// None of the other clients tells us when something happened, so they are looked at this often.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How often a case is begun again because opentracker died under it.
const TRACKERS: u16 = 4;

/// The first port of the first case; each case has its own, so nothing waits for an old socket.
const FIRST_PORT: u16 = 20_000;

/// Who gives what to whom.
pub(super) struct Case<'a> {
    pub(super) seed: &'a dyn Client,
    pub(super) leech: &'a dyn Client,
    /// Whether the seed is the one at our end of the cable.
    pub(super) seed_is_near: bool,
    pub(super) form: &'a str,
    pub(super) torrent: &'a Torrent,
    pub(super) told: Told,
    pub(super) encryption: Encryption,
}

/// What the leecher is told of the torrent.
#[derive(Clone, Copy)]
pub(super) enum Told {
    /// The `.torrent`.
    File,
    /// A magnet URI that names the seed and nothing else.
    Peer,
    /// A magnet URI that names the tracker and nothing else.
    Tracker,
}

/// Which end insists on encryption.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Encryption {
    /// Neither; the far end does without where it can be told to.
    Neither,
    /// The far end: the near one has to find out.
    Theirs,
    /// The near end: the far one has to go along.
    Ours,
}

impl Encryption {
    /// For the table.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Neither => "",
            Self::Theirs => "theirs",
            Self::Ours => "ours",
        }
    }

    /// What the near and the far end are told.
    fn secrecy(self) -> (Secrecy, Secrecy) {
        match self {
            Self::Neither => (Secrecy::Allowed, Secrecy::Off),
            Self::Theirs => (Secrecy::Allowed, Secrecy::Required),
            Self::Ours => (Secrecy::Required, Secrecy::Allowed),
        }
    }
}

/// A case whose bytes arrived.
pub(super) struct Done {
    pub(super) took: Duration,
    /// What is worth knowing besides.
    pub(super) notes: Vec<String>,
}

/// A case whose bytes did not arrive.
pub(super) struct Failure {
    pub(super) took: Duration,
    pub(super) error: testkit::Error,
    /// Where everything that was said is kept.
    pub(super) logs: PathBuf,
}

impl Case<'_> {
    /// Runs the case; `number` is its place in the matrix.
    pub(super) fn run(
        &self,
        network: &Network,
        number: u16,
    ) -> std::result::Result<Done, Box<Failure>> {
        let started = Instant::now();
        let mut trackers = 1;
        loop {
            let port = FIRST_PORT + number * 16 + trackers * 2;
            let mut stage = Stage::default();
            let outcome = self.play(&mut stage, network, port);
            let took = started.elapsed();
            match outcome {
                Ok(mut done) => {
                    if trackers > 1 {
                        done.notes.push(format!("tracker {trackers}, the others died"));
                    }
                    return Ok(done);
                }
                Err(_) if stage.tracker_died() && trackers < TRACKERS => trackers += 1,
                Err(error) => return Err(Box::new(Failure { took, error, logs: stage.keep() })),
            }
        }
    }

    fn play(&self, stage: &mut Stage, network: &Network, port: u16) -> Result<Done> {
        let prefix = format!("pieces-{}-{}-{}-", self.seed.name(), self.leech.name(), self.form);
        let folder = tempfile::Builder::new().prefix(&prefix).tempdir()?.keep();
        stage.folder = Some(folder.clone());
        let [seed_dir, leech_dir, tracker_dir, seed_scratch, leech_scratch] =
            ["seed", "leech", "tracker", "seed.scratch", "leech.scratch"]
                .map(|name| folder.join(name));
        for dir in [&seed_dir, &leech_dir, &tracker_dir, &seed_scratch, &leech_scratch] {
            fs::create_dir(dir)?;
        }
        self.torrent.write_files(&seed_dir)?;
        let url = Scheme::Http.url(network.ours.ip);
        let torrent = self.torrent.save(&folder, &[&url])?;
        // pieces is always on our side of the cable, the other client on theirs.
        let (near, far) = (&network.ours, &network.theirs);
        let (seed_host, leech_host) = if self.seed_is_near { (near, far) } else { (far, near) };
        let (ours, theirs) = self.encryption.secrecy();
        let (seed_secrecy, leech_secrecy) =
            if self.seed_is_near { (ours, theirs) } else { (theirs, ours) };
        let seed_job = Job {
            host: seed_host,
            port,
            torrent: &torrent,
            dir: &seed_dir,
            scratch: &seed_scratch,
            secrecy: seed_secrecy,
            discovery: Discovery::default(),
        };
        let seed_addr = SocketAddr::from((seed_host.ip, port));
        let told = match self.told {
            Told::File => torrent.clone(),
            Told::Peer => self.torrent.magnet(&[], &[seed_addr]).into(),
            Told::Tracker => self.torrent.magnet(&[&url], &[]).into(),
        };
        let leech_job = Job {
            host: leech_host,
            port: port + 1,
            torrent: &told,
            dir: &leech_dir,
            scratch: &leech_scratch,
            secrecy: leech_secrecy,
            discovery: Discovery::default(),
        };

        stage.tracker = Some(Tracker::start(near, &tracker_dir, self.torrent)?);
        let deadline = Instant::now() + DEADLINE;
        stage.await_tracker(deadline)?;
        stage.seed = Some(self.seed.seed(&seed_job)?);
        stage.await_seed(deadline)?;
        let begun = Instant::now();
        stage.leech = Some(self.leech.leech(&leech_job)?);
        self.await_files(stage, &leech_dir, deadline)?;
        self.check_secrecy(stage)?;
        Ok(Done { took: begun.elapsed(), notes: self.notes(&leech_dir) })
    }

    /// Waits until everything is on the leecher's disk, byte for byte.
    fn await_files(&self, stage: &Stage, dir: &Path, deadline: Instant) -> Result<()> {
        let counts = |file: &File| file.len > 0 || !self.leech.skips_empty_files();
        let leaves = self.leech.leaves_when_done();
        loop {
            stage.everybody_lives(leaves)?;
            let left = stage.leech.as_ref().is_some_and(|leech| leech.exit().is_some());
            if leaves && left {
                return self.torrent.compare_where(dir, counts);
            }
            let found = self.torrent.compare_where(dir, counts);
            if !leaves && found.is_ok() {
                return found;
            }
            if Instant::now() > deadline {
                let missing = found.map_or_else(|e| e.to_string(), |()| "it did not leave".into());
                return Err(format!("not done after {} s: {missing}", DEADLINE.as_secs()).into());
            }
            sleep(LOOK_EVERY);
        }
    }

    /// Whether pieces says that every connection was encrypted, if that is what the case is about.
    fn check_secrecy(&self, stage: &Stage) -> Result<()> {
        let ends = [(self.seed, &stage.seed), (self.leech, &stage.leech)];
        for (client, process) in ends {
            let Some(process) = process.as_ref().filter(|_| client.name() == PIECES) else {
                continue;
            };
            let log = process.log();
            let mut connected =
                log.lines().filter(|line| line.contains(": connected, ")).peekable();
            let any = connected.peek().is_some();
            let encrypted = any && connected.all(|line| line.contains(", encrypted, "));
            if self.encryption != Encryption::Neither && !encrypted {
                return Err(process.failure("not every connection was encrypted"));
            }
        }
        Ok(())
    }

    /// What the leecher left out.
    fn notes(&self, dir: &Path) -> Vec<String> {
        let empty = self.torrent.files().iter().filter(|file| file.len == 0);
        let absent = empty.filter(|file| !self.torrent.path_in(dir, file).exists()).count();
        if absent == 0 { Vec::new() } else { vec![format!("skipped: {absent} empty files")] }
    }
}

/// Everything that runs in a case; dropped, all is killed and, unless kept, removed.
#[derive(Default)]
struct Stage {
    folder: Option<PathBuf>,
    tracker: Option<Tracker>,
    seed: Option<Process>,
    leech: Option<Process>,
}

impl Stage {
    fn tracker_died(&self) -> bool {
        self.tracker.as_ref().is_some_and(Tracker::died)
    }

    fn await_tracker(&self, deadline: Instant) -> Result<()> {
        self.await_members(0, deadline)
    }

    /// Waits until the seed is known to the tracker.
    fn await_seed(&self, deadline: Instant) -> Result<()> {
        self.await_members(1, deadline)
    }

    fn await_members(&self, wanted: usize, deadline: Instant) -> Result<()> {
        let tracker = self.tracker.as_ref().ok_or("no tracker")?;
        while tracker.members().is_none_or(|members| members < wanted) {
            self.everybody_lives(false)?;
            if Instant::now() > deadline {
                let what = if wanted == 0 {
                    "the tracker does not answer"
                } else {
                    "the seed did not announce itself"
                };
                return Err(what.into());
            }
            sleep(LOOK_EVERY);
        }
        Ok(())
    }

    /// An error if somebody is gone who should be here. A leecher that `may_leave` must do so with
    /// exit code 0.
    fn everybody_lives(&self, may_leave: bool) -> Result<()> {
        if self.tracker_died() {
            return Err("opentracker died".into());
        }
        for (process, may_leave) in [(&self.seed, false), (&self.leech, may_leave)] {
            let Some(process) = process else { continue };
            match process.exit() {
                Some(status) if !(may_leave && status.success()) => {
                    return Err(process.failure(&format!("left with {status}")));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Ends everything, writes down what was said, and leaves the folder where it is.
    fn keep(mut self) -> PathBuf {
        let Some(folder) = self.folder.take() else { return PathBuf::new() };
        let logs = [
            ("seed.log", self.seed.as_ref().map(Process::log)),
            ("leech.log", self.leech.as_ref().map(Process::log)),
            ("tracker.log", self.tracker.as_ref().map(Tracker::log)),
        ];
        for (name, log) in logs {
            // The failure itself is what has to be reported, not that its log cannot be written.
            let _ = fs::write(folder.join(name), log.unwrap_or_default());
        }
        folder
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for process in [self.seed.take(), self.leech.take()].into_iter().flatten() {
            process.kill();
            // It must not write into a folder that is being removed.
            let _ = process.wait_exit(DEADLINE);
        }
        if let Some(folder) = self.folder.take() {
            let _ = fs::remove_dir_all(folder);
        }
    }
}
