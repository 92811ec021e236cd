//! What a running download or seed shows on stderr: lines that renew themselves on a terminal, sparse
//! plain lines elsewhere. It only shows what it is told.

mod line;
mod row;

use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use console::Term;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::text;

pub(crate) use row::{Row, Stage};

/// How often the lines on a terminal are renewed: fast enough to look alive, slow enough to be read.
pub(crate) const TICK: Duration = Duration::from_millis(500);

/// How often lines are written where there is no terminal, as into a log file.
const PLAIN_EVERY: Duration = Duration::from_secs(30);

/// How many lines are written then at the most.
const PLAIN_LINES: usize = 8;

/// Lines of a terminal that are left to messages.
const LINES_LEFT: usize = 2;

/// The bar that log lines must not tear; none while nothing is drawn.
static BAR: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Shows how torrents stand.
pub(crate) struct Progress {
    style: Style,
}

enum Style {
    Quiet,
    Live(ProgressBar),
    Plain { last: Option<Instant> },
}

impl Progress {
    /// Progress that is silent if `quiet`, live on a terminal.
    pub(crate) fn new(quiet: bool) -> Self {
        let style = if quiet {
            Style::Quiet
        } else if std::io::stderr().is_terminal() {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("{msg}") {
                bar.set_style(style);
            }
            set_bar(Some(bar.clone()));
            Style::Live(bar)
        } else {
            Style::Plain { last: None }
        };
        Self { style }
    }

    /// Shows how far some `work` on what is called `name` is: `done` of `total` bytes.
    pub(crate) fn working(&mut self, name: &str, work: &str, done: u64, total: u64) {
        let percent = line::percent(done, total);
        self.show(|_, _| format!("{}  {work} {percent}%", text::escape(name)));
    }

    /// Shows how a torrent stands that is alone.
    pub(crate) fn one(&mut self, row: &Row) {
        if row.is_live() {
            self.show(|width, _| line::one(row, width));
        }
    }

    /// Shows how several torrents stand, which are called `name` together.
    pub(crate) fn several(&mut self, name: &str, rows: &[&Row]) {
        self.show(|width, height| line::block(name, rows, width, height));
    }

    /// Writes one line that stays, above the live ones.
    pub(crate) fn note(&self, message: &str) {
        if !matches!(self.style, Style::Quiet) {
            write_line(message);
        }
    }

    fn show(&mut self, lines: impl FnOnce(usize, usize) -> String) {
        match &mut self.style {
            Style::Quiet => {}
            Style::Live(bar) => {
                let (height, width) = Term::stderr().size();
                let height = usize::from(height).saturating_sub(LINES_LEFT);
                bar.set_message(lines(usize::from(width), height));
                bar.tick();
            }
            Style::Plain { last } => {
                if last.is_none_or(|at| at.elapsed() >= PLAIN_EVERY) {
                    *last = Some(Instant::now());
                    write_line(&lines(usize::MAX, PLAIN_LINES));
                }
            }
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Style::Live(bar) = &self.style {
            bar.finish_and_clear();
            set_bar(None);
        }
    }
}

/// Writes one line to stderr without tearing the live ones.
pub(crate) fn write_line(line: &str) {
    undisturbed(|| {
        // Where stderr is gone there is nobody left to tell.
        let _ = writeln!(std::io::stderr(), "{line}");
    });
}

/// Writes to the terminal what the live lines must not tear.
pub(crate) fn undisturbed<T>(write: impl FnOnce() -> T) -> T {
    match BAR.lock().unwrap_or_else(std::sync::PoisonError::into_inner).as_ref() {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}

fn set_bar(bar: Option<ProgressBar>) {
    *BAR.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = bar;
}
