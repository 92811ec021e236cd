//! A running program whose output nothing reads: both of its pipes are full from the start.
//!
//! Owns the child: it is killed when this is dropped.

use std::fs;
use std::io::{self, PipeReader, Write, pipe};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, Signal, kill_process};

use crate::{PATIENCE, Result};

/// How often something is looked at that nobody can tell of.
const LOOK: Duration = Duration::from_millis(20);

/// A program at rest has used no processor for this long.
const REST: Duration = Duration::from_millis(500);

/// A program that was started here.
#[derive(Debug)]
pub struct Unread {
    child: Child,
    _pipes: [PipeReader; 2],
}

impl Unread {
    /// Starts `command`.
    pub fn start(command: &mut Command) -> Result<Self> {
        let (stdout, out) = full_pipe()?;
        let (stderr, err) = full_pipe()?;
        let command = command.stdin(Stdio::null()).stdout(out).stderr(err);
        let child = command.spawn()?;
        // The pipes would stay open for writing here.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self { child, _pipes: [stdout, stderr] })
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it does not end of any signal any more, as it does before its `main`.
    pub fn wait_ready(&self) -> Result<()> {
        let term = 1_u64 << (Signal::TERM.as_raw() - 1);
        let path = format!("/proc/{}/status", self.child.id());
        wait(|| {
            let status = fs::read_to_string(&path)?;
            let masks = ["SigBlk:", "SigCgt:"].map(|name| {
                let mask = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("0");
                u64::from_str_radix(mask.trim(), 16).unwrap_or(0)
            });
            Ok(masks.iter().any(|mask| mask & term != 0).then_some(()))
        })
    }

    /// Waits until it does nothing, as when it waits for who reads its output.
    pub fn wait_rest(&self) -> Result<()> {
        let path = format!("/proc/{}/stat", self.child.id());
        let (mut last, mut since) = (String::new(), Instant::now());
        wait(|| {
            let stat = fs::read_to_string(&path)?;
            let (_, fields) = stat.rsplit_once(')').ok_or("a stat without a name")?;
            let times: Vec<&str> = fields.split_whitespace().skip(11).take(2).collect();
            let times = times.join(" ");
            if times != last {
                (last, since) = (times, Instant::now());
            }
            Ok((since.elapsed() >= REST).then_some(()))
        })
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        Ok(kill_process(pid.ok_or("no process id")?, signal)?)
    }

    /// Whether it has left already.
    pub fn exit(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Waits until it leaves, and says how long that took.
    pub fn wait_exit(&mut self) -> Result<(ExitStatus, Duration)> {
        let began = Instant::now();
        let status = wait(|| Ok(self.child.try_wait()?))?;
        Ok((status, began.elapsed()))
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        // One that has left already is only reaped.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A pipe that takes no more.
fn full_pipe() -> Result<(PipeReader, Stdio)> {
    let (reader, mut writer) = pipe()?;
    let flags = fcntl_getfl(&writer)?;
    fcntl_setfl(&writer, flags | OFlags::NONBLOCK)?;
    // A page is the least that is taken at once, then a byte.
    for fill in [&[b'\n'; 4096][..], b"\n"] {
        while writer.write_all(fill).is_ok() {}
    }
    fcntl_setfl(&writer, flags)?;
    Ok((reader, writer.into()))
}

fn wait<T>(mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if Instant::now() >= deadline {
            return Err(io::Error::from(io::ErrorKind::TimedOut).into());
        }
        thread::sleep(LOOK);
    }
}
