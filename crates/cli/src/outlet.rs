//! Stdout and stderr of what runs for long: each is written by a thread of its own from a bounded
//! queue. So a pipe that is not read and a terminal that is stopped hold up neither the engine nor its
//! end, and use no more memory than the queue. What passes (progress, notes, logs) is lost when it is
//! full, and how much was lost is told; results and errors are kept far longer. It decides nothing of
//! what is said.

use std::collections::VecDeque;
use std::io::{self, IsTerminal, Write};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::progress::bar;

/// What passes is kept up to this many bytes: some thousand lines, more than anybody reads at once.
const PASSING_BYTES: usize = 1 << 20;

/// Results and errors are kept up to this many bytes: those of ten thousand torrents.
const LASTING_BYTES: usize = 8 << 20;

/// As much is written by one call where lines wait.
const WRITE_BYTES: usize = 64 << 10;

/// How long the end of the process waits until what passes is written, and, once the user wants to
/// leave, until anything is.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How long who writes to both streams waits so that they are read in the order they were written. A
/// reader that takes part takes far less.
const ORDER: Duration = Duration::from_millis(20);

/// How long to wait where a stream that others made non-blocking takes no more.
const WOULD_BLOCK: Duration = Duration::from_millis(20);

/// What becomes of a line that finds the queue full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Worth {
    /// Something newer makes up for it.
    Passing,
    /// A result or an error.
    Lasting,
}

/// One of the two streams.
pub(crate) struct Outlet {
    state: Mutex<State>,
    changed: Condvar,
    /// The line that says how many were lost.
    loss: fn(u64) -> String,
    /// Writes bytes, all of them.
    write: fn(&[u8]) -> io::Result<()>,
}

struct State {
    queue: VecDeque<(String, Worth)>,
    bytes: usize,
    /// How many results and errors are not written yet.
    lasting: usize,
    lost: u64,
    /// What the lines on a terminal show next; nothing ends them.
    live: Option<String>,
    /// They show nothing any more.
    over: bool,
    /// The thread runs, or could not be started.
    thread: Option<bool>,
    /// It is writing at the moment.
    busy: bool,
    /// Why nothing can be written any more.
    failed: Option<io::Error>,
}

static STDOUT: Outlet = Outlet::new(loss_as_event, |bytes| {
    let write = || write_all(&mut io::stdout().lock(), bytes);
    // Only there the live lines could be torn.
    if io::stdout().is_terminal() { bar::undisturbed(write) } else { write() }
});

static STDERR: Outlet = Outlet::new(loss_as_warning, |bytes| {
    bar::suspended(|| write_all(&mut io::stderr().lock(), bytes))
});

/// Stdout, for lines of what runs for long.
pub(crate) fn stdout() -> &'static Outlet {
    &STDOUT
}

/// Stderr.
pub(crate) fn stderr() -> &'static Outlet {
    &STDERR
}

/// Waits until everything is written. Not for ever: what passes is given [`LAST_WORDS`], and so is
/// everything in a `hurry`.
pub(crate) fn finish(hurry: bool) {
    let until = Instant::now() + LAST_WORDS;
    for outlet in [stdout(), stderr()] {
        outlet.drain(until, hurry);
    }
}

impl Outlet {
    const fn new(loss: fn(u64) -> String, write: fn(&[u8]) -> io::Result<()>) -> Self {
        let state = State {
            queue: VecDeque::new(),
            bytes: 0,
            lasting: 0,
            lost: 0,
            live: None,
            over: false,
            thread: None,
            busy: false,
            failed: None,
        };
        Self { state: Mutex::new(state), changed: Condvar::new(), loss, write }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change of the state is whole before anything can panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes one line, soon. Never waits for who reads it.
    pub(crate) fn line(&'static self, mut line: String, worth: Worth) {
        line.push('\n');
        let mut state = self.started();
        if state.thread == Some(false) {
            drop(state);
            // Without a thread there is no other way. Where nobody reads there is nobody to tell.
            let _ = (self.write)(line.as_bytes());
            return;
        }
        state.push(line, worth, self.loss);
        self.changed.notify_all();
    }

    /// The same of a result that is to be read before what the other stream says next.
    pub(crate) fn line_in_order(&'static self, line: String) {
        let waits = self.lock().bytes > 0;
        self.line(line, Worth::Lasting);
        // Who does not read now is not waited for each time.
        if !waits {
            self.settle();
        }
    }

    /// What the lines of a terminal that renew themselves show from now on; no text ends
    /// them.
    pub(crate) fn live(&'static self, text: String) {
        let mut state = self.started();
        if !state.over {
            state.live = Some(text);
            self.changed.notify_all();
        }
    }

    /// Ends them, whatever else is to be shown: the process is about to end.
    pub(crate) fn end_live(&'static self) {
        self.live(String::new());
        self.lock().over = true;
    }

    /// Waits a moment until all was written that was said so far.
    pub(crate) fn settle(&self) {
        self.wait(Some(Instant::now() + ORDER), State::is_done);
    }

    /// Why nothing can be written any more, once.
    pub(crate) fn failure(&self) -> Option<io::Error> {
        let failed = self.lock().failed.take();
        // A reader that went away wants no more; that is no failure.
        failed.filter(|error| error.kind() != io::ErrorKind::BrokenPipe)
    }

    fn drain(&self, until: Instant, hurry: bool) {
        let mut state = self.lock();
        state.tell_loss(self.loss);
        drop(state);
        if !hurry {
            self.wait(None, |state| state.lasting == 0);
        }
        self.wait(Some(until), State::is_done);
    }

    fn wait(&self, until: Option<Instant>, done: impl Fn(&State) -> bool) {
        let mut state = self.lock();
        while !done(&state) && state.thread == Some(true) && state.failed.is_none() {
            let poisoned = PoisonError::into_inner;
            state = match until {
                None => self.changed.wait(state).unwrap_or_else(poisoned),
                Some(until) => {
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return;
                    }
                    let waited = self.changed.wait_timeout(state, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// The state, with the thread that writes.
    fn started(&'static self) -> MutexGuard<'static, State> {
        let mut state = self.lock();
        if state.thread.is_none() {
            let thread = thread::Builder::new().name("output".into()).spawn(|| self.run());
            state.thread = Some(thread.is_ok());
        }
        state
    }

    fn run(&self) {
        let mut bar = bar::Bar::default();
        let mut state = self.lock();
        loop {
            let lines = state.take();
            if lines.is_empty() && state.live.is_none() {
                state.busy = false;
                self.changed.notify_all();
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            state.busy = true;
            let live = if lines.is_empty() { state.live.take() } else { None };
            let lasting = lines.iter().filter(|(_, worth)| *worth == Worth::Lasting).count();
            let wanted = state.failed.is_none();
            drop(state);
            if let Some(text) = live {
                bar.show(text);
            }
            let bytes: Vec<u8> =
                lines.into_iter().flat_map(|(line, _)| line.into_bytes()).collect();
            let wanted = wanted && !bytes.is_empty();
            let written = if wanted { (self.write)(&bytes) } else { Ok(()) };
            state = self.lock();
            state.lasting = state.lasting.saturating_sub(lasting);
            if let Err(error) = written {
                state.failed = Some(error);
            }
        }
    }
}

impl State {
    fn push(&mut self, line: String, worth: Worth, loss: fn(u64) -> String) {
        let most = match worth {
            Worth::Passing => PASSING_BYTES,
            Worth::Lasting => LASTING_BYTES,
        };
        if self.bytes.saturating_add(line.len()) > most {
            self.lost = self.lost.saturating_add(1);
            return;
        }
        self.tell_loss(loss);
        self.add(line, worth);
    }

    /// There is room again: what was lost before is told where it is missing.
    fn tell_loss(&mut self, loss: fn(u64) -> String) {
        let count = std::mem::take(&mut self.lost);
        if count > 0 {
            self.add(loss(count) + "\n", Worth::Lasting);
        }
    }

    fn add(&mut self, line: String, worth: Worth) {
        self.bytes = self.bytes.saturating_add(line.len());
        self.lasting += usize::from(worth == Worth::Lasting);
        self.queue.push_back((line, worth));
    }

    /// The next lines to write.
    fn take(&mut self) -> Vec<(String, Worth)> {
        let (mut lines, mut bytes) = (Vec::new(), 0_usize);
        while bytes < WRITE_BYTES
            && let Some((line, worth)) = self.queue.pop_front()
        {
            bytes = bytes.saturating_add(line.len());
            lines.push((line, worth));
        }
        self.bytes = self.bytes.saturating_sub(bytes);
        lines
    }

    fn is_done(&self) -> bool {
        self.queue.is_empty() && self.live.is_none() && !self.busy
    }
}

/// As `Write::write_all`, and waits where others made the stream non-blocking.
fn write_all(out: &mut impl Write, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match out.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(WOULD_BLOCK),
            Err(error) => return Err(error),
        }
    }
    out.flush()
}

fn loss_as_warning(lines: u64) -> String {
    format!("warning: {lines} lines are missing here, as nothing read them")
}

/// As docs/json.md has it.
pub(crate) fn loss_as_event(lines: u64) -> String {
    crate::output::event(None, &serde_json::json!({ "event": "lost", "events": lines }))
}

#[cfg(test)]
mod tests;
