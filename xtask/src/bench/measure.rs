//! One run of one program: starts it, plays its counterpart, waits for the end, and tells what it took.
//!
//! Owns the process and the clock. Never decides how often something is measured.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use wait4::{ResUse, Wait4};

use super::client::{Client, End, Job};
use super::peer::Peer;
use super::work::{NAME, Work};
use super::{Setting, Task};
use crate::{Result, interrupt};

/// Where the client is, and where its counterpart is: some clients take only one peer an address, and
/// none that has their own.
pub(super) const THEIR_IP: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
pub(super) const OUR_IP: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);

/// A run that takes longer is given up.
const PATIENCE: Duration = Duration::from_mins(2);

/// How often it is looked whether a program has ended, and how much memory it has.
const GLANCE: Duration = Duration::from_millis(2);

/// The kernel counts the CPU time of a running process in hundredths of a second.
const TICK: Duration = Duration::from_millis(10);

/// Each run has a port of its own, for the one before may still be in TIME_WAIT.
static PORT: AtomicU16 = AtomicU16::new(20_000);

/// Where the next program listens.
pub(super) fn listen() -> SocketAddrV4 {
    SocketAddrV4::new(THEIR_IP, PORT.fetch_add(1, Ordering::Relaxed))
}

/// What a run took.
#[derive(Clone, Copy)]
pub(super) struct Cost {
    /// User and system time of the whole process.
    pub(super) cpu: Duration,
    pub(super) wall: Duration,
    /// The most memory that was ever resident, in bytes.
    pub(super) rss: u64,
    /// The most memory that was resident and of no file, in bytes: what it takes for itself.
    pub(super) anonymous: u64,
    /// The longest that its network thread kept its other tasks waiting, where it tells.
    pub(super) gap: Option<Duration>,
}

/// What pieces-cli says before the number of microseconds.
const GAP: &str = "longest gap so far: ";

/// Has `client` do `task` once.
pub(super) fn run(
    client: Client,
    task: Task,
    work: &Work,
    data: &[u8],
    setting: &Setting,
) -> Result<Cost> {
    let scratch = tempfile::tempdir_in(work.folder())?;
    let fresh = scratch.path().join("fresh");
    fs::create_dir(&fresh)?;
    let listen = listen();
    let scratch_path = scratch.path();
    let job =
        Job { work, setting, listen, scratch: scratch_path, fresh: &fresh, encryption: "off" };
    let end = client.end(task).ok_or("not a task of this client")?;
    let mut command = client.command(task, &job)?;
    work.warm();
    let mut running = Running::start(&mut command, &scratch.path().join("log"))?;
    running.is_watcher = client == Client::Pieces && !setting.under.is_empty();
    let here = SocketAddrV4::new(OUR_IP, 0);
    let cost = match (task, end) {
        (Task::Download, _) => {
            let over = AtomicBool::new(false);
            thread::scope(|scope| {
                let go_on = || !over.load(Ordering::Relaxed);
                scope.spawn(move || {
                    while go_on() {
                        // Whoever hangs up in the middle is called again.
                        let _ = Peer::dial(here, listen, work, &go_on)
                            .map(|mut peer| peer.serve(work, data));
                    }
                });
                let cost = running.finish();
                over.store(true, Ordering::Relaxed);
                cost
            })
        }
        (Task::Seed, _) => seed(&mut running, here, listen, work),
        (Task::Check | Task::Create, End::Exit) => running.finish(),
        (Task::Check | Task::Create, End::Ready) => {
            ready(here, listen, work)?;
            let wall = running.started.elapsed();
            Ok(Cost { wall, ..running.stop()? })
        }
    };
    let name = client.name();
    let cost = cost.map_err(|error| {
        let log = fs::read_to_string(scratch.path().join("log")).unwrap_or_default();
        format!("{name} {}: {error}\n{log}", task.word())
    })?;
    if task == Task::Download && fs::read(fresh.join(NAME))? != data {
        return Err(format!("{name} left with wrong data").into());
    }
    Ok(Cost { gap: longest_gap(&fs::read_to_string(scratch.path().join("log"))?), ..cost })
}

fn longest_gap(log: &str) -> Option<Duration> {
    let gaps = log.lines().filter_map(|line| line.split_once(GAP)?.1.split_once(' '));
    let micros = gaps.filter_map(|(number, _)| number.parse().ok());
    micros.map(Duration::from_micros).max()
}

/// Once it is ready to serve, only serving counts.
fn seed(
    running: &mut Running,
    here: SocketAddrV4,
    there: SocketAddrV4,
    work: &Work,
) -> Result<Cost> {
    let mut peer = ready(here, there, work)?;
    let mut begin = None;
    let pid = running.child.id();
    peer.leech(work, work.size, &mut || begin = Some((Instant::now(), cpu_of(pid))))?;
    let (started, cpu) = begin.ok_or("never unchoked")?;
    let wall = started.elapsed();
    let cpu = cpu_of(pid)?.saturating_sub(cpu?);
    let Cost { rss, anonymous, .. } = running.stop()?;
    Ok(Cost { cpu, wall, rss, anonymous, gap: None })
}

/// Calls until the client says that it has everything.
pub(super) fn ready(here: SocketAddrV4, there: SocketAddrV4, work: &Work) -> Result<Peer> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        interrupt::check()?;
        let mut peer = Peer::dial(here, there, work, &|| true)?;
        if peer.await_seed(work).unwrap_or(false) {
            return Ok(peer);
        }
        thread::sleep(GLANCE);
    }
    Err("it is never ready".into())
}

/// A program that is measured. Killed when dropped.
pub(super) struct Running {
    child: Child,
    started: Instant,
    ended: bool,
    /// Whether it only runs and watches the one that does the task.
    is_watcher: bool,
    /// The most bytes that were resident. What the kernel reports at the end would count those of the
    /// process that started it too.
    rss: u64,
    /// The most of them that were of no file.
    anonymous: u64,
}

impl Running {
    pub(super) fn start(command: &mut Command, log: &std::path::Path) -> Result<Self> {
        interrupt::check()?;
        let log = fs::File::create(log)?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let started = Instant::now();
        let child = command.spawn().map_err(|error| format!("does not start: {error}"))?;
        Ok(Self { child, started, ended: false, is_watcher: false, rss: 0, anonymous: 0 })
    }

    /// Waits until it leaves by itself.
    pub(super) fn finish(&mut self) -> Result<Cost> {
        let used = self.wait()?;
        if used.status.success() {
            Ok(self.cost(&used))
        } else {
            Err(used.status.to_string().into())
        }
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Looks at the memory it has now.
    pub(super) fn glance(&mut self) {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.unwrap_or_default();
        self.rss = self.rss.max(bytes(&status, "VmHWM:"));
        self.anonymous = self.anonymous.max(bytes(&status, "RssAnon:"));
    }

    /// The most bytes it had whenever it was looked at: all of them, and those of no file.
    pub(super) fn memory(&self) -> (u64, u64) {
        (self.rss, self.anonymous)
    }

    /// Asks it to leave.
    pub(super) fn stop(&mut self) -> Result<Cost> {
        self.glance();
        match interrupt::descendants(self.pid()).first() {
            // A watcher leaves with the one it watches.
            Some(watched) if self.is_watcher => signal(*watched, Signal::TERM),
            _ => signal(self.pid(), Signal::TERM),
        }
        let used = self.wait()?;
        Ok(self.cost(&used))
    }

    fn wait(&mut self) -> Result<ResUse> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(used) = self.child.try_wait4()? {
                self.ended = true;
                return Ok(used);
            }
            self.glance();
            thread::sleep(GLANCE);
        }
        Err("it does not end".into())
    }

    fn cost(&self, used: &ResUse) -> Cost {
        let cpu = used.rusage.utime + used.rusage.stime;
        let (rss, anonymous) = (self.rss, self.anonymous);
        Cost { cpu, wall: self.started.elapsed(), rss, anonymous, gap: None }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.ended {
            // What a watcher runs would outlive it.
            let watched = interrupt::descendants(self.pid());
            for pid in watched.into_iter().chain([self.pid()]) {
                signal(pid, Signal::KILL);
            }
            let _ = self.child.wait();
        }
    }
}

fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // It may be gone already.
        let _ = kill_process(pid, signal);
    }
}

/// What /proc says of a process under this name, in bytes; 0 if it has gone.
fn bytes(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.unwrap_or(0) << 10
}

/// The CPU time of a running process so far.
pub(super) fn cpu_of(pid: u32) -> io::Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name in brackets may hold anything; user and system time are the 12th and 13th after it.
    let fields = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
    let ticks = fields.split_whitespace().skip(11).take(2).filter_map(|n| n.parse::<u32>().ok());
    Ok(TICK * ticks.sum())
}
