//! The lines of a terminal that renew themselves, drawn by the thread that writes stderr. Never decides
//! what they say.

use std::sync::{Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// What must not be torn by others; none while nothing is drawn.
static DRAWN: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// The lines, as far as there are any.
#[derive(Default)]
pub(crate) struct Bar(Option<ProgressBar>);

impl Bar {
    /// Draws this text; no text takes the lines away.
    pub(crate) fn show(&mut self, text: String) {
        if text.is_empty() {
            if let Some(bar) = self.0.take() {
                set(None);
                bar.finish_and_clear();
            }
            return;
        }
        let bar = self.0.get_or_insert_with(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("{msg}") {
                bar.set_style(style);
            }
            set(Some(bar.clone()));
            bar
        });
        bar.set_message(text);
        bar.tick();
    }
}

/// Writes to the terminal, from another thread, what the lines must not tear.
pub(crate) fn undisturbed<T>(write: impl FnOnce() -> T) -> T {
    let drawn = DRAWN.lock().unwrap_or_else(PoisonError::into_inner);
    match drawn.as_ref() {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}

/// The same on the thread that draws them, which waits for no other.
pub(crate) fn suspended<T>(write: impl FnOnce() -> T) -> T {
    let drawn = DRAWN.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match drawn {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}

fn set(bar: Option<ProgressBar>) {
    *DRAWN.lock().unwrap_or_else(PoisonError::into_inner) = bar;
}
