//! What a running download or seed shows on stderr: lines that renew themselves on a terminal, sparse
//! plain lines elsewhere. It only shows what it is told, and never waits for who reads it.

pub(crate) mod bar;
mod line;
mod row;

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use console::Term;

use crate::outlet::{self, Worth};
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

/// Shows how torrents stand.
pub(crate) struct Progress {
    style: Style,
}

enum Style {
    Quiet,
    Live,
    Plain { last: Option<Instant> },
}

impl Progress {
    /// Progress that is silent if `quiet`, live on a terminal.
    pub(crate) fn new(quiet: bool) -> Self {
        let style = if quiet {
            Style::Quiet
        } else if std::io::stderr().is_terminal() {
            Style::Live
        } else {
            Style::Plain { last: None }
        };
        Self { style }
    }

    /// Shows how far some `work` on what is called `name` is: `done` of `total` bytes.
    pub(crate) fn working(&mut self, name: &str, work: &str, done: u64, total: u64) {
        let percent = line::percent(done, total);
        self.show(|width, _| {
            line::cut(&format!("{}  {work} {percent}%", text::escape(name)), width)
        });
    }

    /// Shows what is waited for, in words that are safe to print.
    pub(crate) fn waiting(&mut self, words: &str) {
        self.show(|width, _| line::cut(words, width));
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

    /// Takes the live lines off until more is shown.
    pub(crate) fn hide(&self) {
        if matches!(self.style, Style::Live) {
            outlet::stderr().live(String::new());
        }
    }

    /// Writes one line that stays, above the live ones.
    pub(crate) fn note(&self, message: &str) {
        if !matches!(self.style, Style::Quiet) {
            write_passing_line(message);
        }
    }

    fn show(&mut self, lines: impl FnOnce(usize, usize) -> String) {
        match &mut self.style {
            Style::Quiet => {}
            Style::Live => {
                let (height, width) = Term::stderr().size();
                let height = usize::from(height).saturating_sub(LINES_LEFT);
                outlet::stderr().live(lines(usize::from(width), height));
            }
            Style::Plain { last } => {
                if last.is_none_or(|at| at.elapsed() >= PLAIN_EVERY) {
                    *last = Some(Instant::now());
                    write_passing_line(&lines(usize::MAX, PLAIN_LINES));
                }
            }
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.hide();
    }
}

/// Writes one line to stderr that must not get lost: an error.
pub(crate) fn write_line(line: &str) {
    outlet::stderr().line(line.to_owned(), Worth::Lasting);
}

/// The same of one that may, if nothing reads it.
pub(crate) fn write_passing_line(line: &str) {
    outlet::stderr().line(line.to_owned(), Worth::Passing);
}

/// Takes the live lines off the terminal for good, since the process is about to end.
pub(crate) fn leave() {
    outlet::stderr().end_live();
}
