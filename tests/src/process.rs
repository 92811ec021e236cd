//! A running program whose output is kept line by line and can be awaited.
//!
//! Owns the child: it is killed when this is dropped. Never blocks the child on a full pipe.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::{Result, terminal};

/// How long after its exit a program's pipes are given to run dry.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Which pipe a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the two streams")]
pub enum Stream {
    Stdout,
    Stderr,
}

/// A program that was started here.
#[derive(Debug)]
pub struct Process {
    name: String,
    pid: Pid,
    started: Instant,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lines: Vec<(Stream, String)>,
    open_pipes: usize,
    exit: Option<(ExitStatus, Instant)>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `done` is content with the state or the time is over.
    fn wait(&self, deadline: Instant, done: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        while !done(&state) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state
    }
}

impl Process {
    /// Starts `command` with nothing on stdin. `name` stands in messages.
    pub fn start(name: &str, command: &mut Command) -> Result<Self> {
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self::spawn(name, command)
    }

    /// Starts `command` on a terminal of 80 columns. Each text that it shows is a line of stdout, also
    /// one that takes the place of another; where one is erased, [`terminal::ERASED`] is. Other escape
    /// sequences are left out.
    pub fn start_on_terminal(name: &str, command: &mut Command) -> Result<Self> {
        let (screen, inside) = terminal::open()?;
        command.stdin(inside.try_clone()?).stdout(inside.try_clone()?).stderr(inside);
        let process = Self::spawn(name, command);
        // The screen ends when nothing has the terminal open any more, so this process may not either.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = process?;
        follow(terminal::Lines::new(screen), Stream::Stdout, &process.shared);
        Ok(process)
    }

    fn spawn(name: &str, command: &mut Command) -> Result<Self> {
        let mut child = command.spawn().map_err(|e| format!("{name} does not start: {e}"))?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or("no process id")?;
        let shared = Arc::new(Shared::default());
        if let Some(pipe) = child.stdout.take() {
            follow(pipe, Stream::Stdout, &shared);
        }
        if let Some(pipe) = child.stderr.take() {
            follow(pipe, Stream::Stderr, &shared);
        }
        let for_thread = Arc::clone(&shared);
        thread::spawn(move || {
            if let Ok(status) = child.wait() {
                for_thread.lock().exit = Some((status, Instant::now()));
                for_thread.changed.notify_all();
            }
        });
        Ok(Self { name: name.to_owned(), pid, started: Instant::now(), shared })
    }

    /// The name given at the start.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Waits for a line of output that `pick` wants, those of the past included. An error with the
    /// output so far if the time is over or the program leaves without saying it.
    pub fn wait_line<T>(
        &self,
        patience: Duration,
        mut pick: impl FnMut(&str) -> Option<T>,
    ) -> Result<T> {
        let deadline = Instant::now() + patience;
        let mut seen = 0;
        loop {
            let state = self.shared.wait(deadline, |s| s.lines.len() > seen || s.open_pipes == 0);
            let fresh = state.lines.get(seen..).unwrap_or_default();
            if let Some(found) = fresh.iter().find_map(|(_, line)| pick(line)) {
                return Ok(found);
            }
            let over = state.open_pipes == 0 || Instant::now() >= deadline;
            seen = state.lines.len();
            drop(state);
            if over {
                return Err(self.failure("did not say what was waited for"));
            }
        }
    }

    /// Waits until the program leaves by itself.
    pub fn wait_exit(&self, patience: Duration) -> Result<ExitStatus> {
        let state = self.shared.wait(Instant::now() + patience, |s| s.exit.is_some());
        let status = state.exit.map(|(status, _)| status);
        drop(state);
        let status = status.ok_or_else(|| self.failure("did not leave in time"))?;
        drop(self.shared.wait(Instant::now() + LAST_WORDS, |s| s.open_pipes == 0));
        Ok(status)
    }

    /// Waits for exit code 0; anything else is an error with the program's output.
    pub fn wait_success(&self, patience: Duration) -> Result<()> {
        let status = self.wait_exit(patience)?;
        if status.success() { Ok(()) } else { Err(self.failure(&format!("left with {status}"))) }
    }

    /// The exit status, if it has left already.
    pub fn exit(&self) -> Option<ExitStatus> {
        self.shared.lock().exit.map(|(status, _)| status)
    }

    /// How long it ran, or has been running.
    pub fn elapsed(&self) -> Duration {
        let end = self.shared.lock().exit.map_or_else(Instant::now, |(_, when)| when);
        end.saturating_duration_since(self.started)
    }

    /// Ctrl-C.
    pub fn interrupt(&self) {
        self.send(Signal::INT);
    }

    /// SIGTERM.
    pub fn terminate(&self) {
        self.send(Signal::TERM);
    }

    /// SIGKILL.
    pub fn kill(&self) {
        self.send(Signal::KILL);
    }

    /// Any signal. Nothing happens to a program that has left already.
    pub fn send(&self, signal: Signal) {
        if self.exit().is_none() {
            let _ = kill_process(self.pid, signal);
        }
    }

    /// What it wrote so far to one stream.
    pub fn output(&self, stream: Stream) -> String {
        let state = self.shared.lock();
        let lines = state.lines.iter().filter(|(from, _)| *from == stream);
        lines.flat_map(|(_, line)| [line.as_str(), "\n"]).collect()
    }

    /// Everything it wrote so far, both streams in the order they were read.
    pub fn log(&self) -> String {
        let state = self.shared.lock();
        state.lines.iter().flat_map(|(_, line)| [line.as_str(), "\n"]).collect()
    }

    /// An error that says what is wrong with this program and ends with its last words.
    pub fn failure(&self, what: &str) -> crate::Error {
        let log = self.log();
        let from = log.char_indices().rev().nth(4000).map_or(0, |(at, _)| at);
        let tail = log.get(from..).unwrap_or_default();
        format!("{} {what}; its output:\n{tail}", self.name).into()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Reads a pipe to its end on a thread.
fn follow(pipe: impl Read + Send + 'static, stream: Stream, shared: &Arc<Shared>) {
    shared.lock().open_pipes += 1;
    let shared = Arc::clone(shared);
    thread::spawn(move || {
        let mut reader = BufReader::new(pipe);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            let text = String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned();
            shared.lock().lines.push((stream, text));
            shared.changed.notify_all();
            line.clear();
        }
        shared.lock().open_pipes -= 1;
        shared.changed.notify_all();
    });
}
