//! Attending to long work on files: progress when it takes a while, and Ctrl-C. Never knows what
//! the work is.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::progress::{Progress, TICK};
use crate::signals;

/// Work that is done sooner than this shows no progress.
const PATIENCE: Duration = Duration::from_secs(1);

/// Somebody who shows how far work is, and passes Ctrl-C on.
pub(crate) struct Attendant<'a> {
    name: &'a str,
    work: &'static str,
    quiet: bool,
    cancel: Arc<AtomicBool>,
    shown: Mutex<Shown>,
}

struct Shown {
    next: Instant,
    progress: Option<Progress>,
}

impl<'a> Attendant<'a> {
    /// Begins to attend to some `work` ("hashing") on what is called `name`.
    pub(crate) fn start(name: &'a str, work: &'static str, quiet: bool) -> Self {
        let cancel = Arc::new(AtomicBool::new(false));
        let raise = Arc::clone(&cancel);
        signals::ask_first(move || raise.store(true, Ordering::Relaxed));
        let shown = Mutex::new(Shown { next: Instant::now() + PATIENCE, progress: None });
        Self { name, work, quiet, cancel, shown }
    }

    /// Becomes true when the user wants to stop.
    pub(crate) fn cancel(&self) -> &AtomicBool {
        &self.cancel
    }

    /// Shows that `now` is reached; may be called from any thread, as often as it likes.
    pub(crate) fn report(&self, now: storage::Progress) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if Instant::now() < shown.next {
            return;
        }
        shown.next = Instant::now() + TICK;
        let progress = shown.progress.get_or_insert_with(|| Progress::new(self.quiet));
        progress.working(self.name, self.work, now.checked, now.total);
    }
}
