//! Every signal that would end the process without a word, but for SIGKILL and those of a fault in the
//! program itself. They are blocked in all threads and waited for by one, so none interrupts anything.
//! The first that asks us to stop asks a command that has something to put in order; the second, or the
//! first where there is no such thing, ends the process at once, whatever it is doing. The others are
//! taken and mean nothing. Never knows what is being stopped.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{fs, thread};

use nix::sys::signal::{SigSet, Signal};

use crate::exit::{Code, Failure};
use crate::outlet;
use crate::progress;

/// They ask us to stop: Ctrl-C, `kill`, a terminal that is closed, Ctrl-\, and the limit of processor
/// time.
const STOP: [Signal; 5] =
    [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGXCPU];

/// They would end the process if they were not taken, and mean nothing to us. Without SIGXFSZ a write
/// beyond `ulimit -f` fails as one to a full disk does.
const NOTHING: [Signal; 7] = [
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGALRM,
    Signal::SIGVTALRM,
    Signal::SIGPROF,
    Signal::SIGIO,
    Signal::SIGXFSZ,
];

/// How long a result that is being written when the user wants to leave is given.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A signal that comes again so soon is the same one: `timeout` sends it to us and to the group that we
/// are in. Ctrl-C is never sent like that.
const SAME: Duration = Duration::from_millis(50);

/// What the next signal does.
static STATE: Mutex<State> =
    Mutex::new(State { ask: None, asked: None, at_once: 0, code: Code::Unfinished });

type Ask = Box<dyn Fn() + Send>;

struct State {
    /// What the first one calls.
    ask: Option<Ask>,
    /// The one that asked, and when.
    asked: Option<(Signal, Instant)>,
    /// How many times whoever runs wants the next signal to end the process.
    at_once: usize,
    /// With which code that is.
    code: Code,
}

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on signals end the process with an exit code. To be called before any thread is started.
pub(crate) fn listen() -> Result<(), Failure> {
    let failed =
        |why: String| Failure::new(Code::Other, format!("cannot listen for signals: {why}"));
    let ignored = ignored();
    // What was ignored when we were started, as by `nohup` or in the background of a script, stays so.
    let taken = STOP.into_iter().filter(|signal| !ignored.contains(signal)).chain(NOTHING);
    let set: SigSet = taken.collect();
    set.thread_block().map_err(|errno| failed(errno.desc().to_owned()))?;
    let thread = thread::Builder::new().name("signals".into());
    let wait = move || {
        // The only error would be a set that is none.
        while let Ok(signal) = set.wait() {
            if STOP.contains(&signal) {
                stop(signal);
            } else {
                log::debug!("{signal} means nothing here");
            }
        }
    };
    thread.spawn(wait).map(drop).map_err(|error| failed(error.to_string()))
}

/// What the process that started us had ignored, where the system tells.
fn ignored() -> Vec<Signal> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    // Bit 0 is signal 1.
    let has = |signal: &Signal| {
        u32::try_from(*signal as i32 - 1)
            .is_ok_and(|bit| mask.checked_shr(bit).unwrap_or(0) & 1 == 1)
    };
    STOP.into_iter().filter(has).collect()
}

/// The first signal from now on calls `ask`, which must not wait for anything.
pub(crate) fn ask_first(ask: impl Fn() + Send + 'static) {
    state().ask = Some(Box::new(ask));
}

/// Whether the user wants to leave.
pub(crate) fn have_asked() -> bool {
    state().asked.is_some()
}

fn stop(signal: Signal) {
    let mut state = state();
    if signal == Signal::SIGXCPU {
        // It comes again each second.
        if state.asked.is_some() {
            return;
        }
        progress::write_line(
            "warning: the limit of processor time is used up (ulimit -t); stopping",
        );
    }
    let first = state.asked.is_none() && state.at_once == 0 && signal != Signal::SIGQUIT;
    if let (true, Some(ask)) = (first, &state.ask) {
        ask();
        state.asked = Some((signal, Instant::now()));
        return;
    }
    let same = |(first, when): (Signal, Instant)| first == signal && when.elapsed() < SAME;
    if signal != Signal::SIGINT && state.asked.is_some_and(same) {
        return;
    }
    let code = state.code;
    drop(state);
    leave(signal, code);
}

/// Ends the process, after a word to who listens.
fn leave(signal: Signal, code: Code) -> ! {
    progress::leave();
    progress::write_line(&format!("error: stopped by {signal}"));
    outlet::finish(true);
    std::process::exit(i32::from(code as u8))
}

/// While it lives, the next signal ends the process: there is nothing to put in order, and what runs
/// may wait for ever for who reads what is written.
pub(crate) struct AtOnce(Arc<AtomicBool>);

impl AtOnce {
    /// `code` is how the process ends then.
    pub(crate) fn begin(code: Code) -> Self {
        let mut state = state();
        state.at_once += 1;
        state.code = code;
        let over = Arc::new(AtomicBool::new(false));
        if let Some((signal, _)) = state.asked {
            // It came already; nobody should have to send another.
            let over = Arc::clone(&over);
            let leave = move || {
                thread::sleep(LAST_WORDS);
                if !over.load(Ordering::Relaxed) {
                    leave(signal, code);
                }
            };
            if let Err(error) = thread::Builder::new().name("last-words".into()).spawn(leave) {
                log::debug!("what is written now may take a second signal to end: {error}");
            }
        }
        Self(over)
    }
}

impl Drop for AtOnce {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
        let mut state = state();
        state.at_once = state.at_once.saturating_sub(1);
        state.code = Code::Unfinished;
    }
}
