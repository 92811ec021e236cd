//! What a running download or seed shows on stderr: one line that renews itself on a terminal,
//! sparse plain lines elsewhere. It only formats what snapshots say.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use console::{Term, measure_text_width, truncate_str};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use session::{Snapshot, State};

use crate::text;

/// How often the line on a terminal is renewed: fast enough to look alive, slow enough to be read.
pub(crate) const TICK: Duration = Duration::from_millis(500);

/// How often a line is written when nobody watches live, as into a log file.
const PLAIN_EVERY: Duration = Duration::from_secs(30);

/// The bar that log lines must not tear; none while nothing is drawn.
static BAR: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Shows how one torrent goes.
pub(crate) struct Progress {
    name: String,
    style: Style,
}

enum Style {
    Quiet,
    Live(ProgressBar),
    Plain { last: Option<Instant> },
}

impl Progress {
    /// Progress of the torrent called `name`: silent if `quiet`, live on a terminal.
    pub(crate) fn new(name: &str, quiet: bool) -> Self {
        let name = text::escape(name).into_owned();
        let style = if quiet {
            Style::Quiet
        } else if std::io::stderr().is_terminal() {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("{wide_msg}") {
                bar.set_style(style);
            }
            set_bar(Some(bar.clone()));
            Style::Live(bar)
        } else {
            Style::Plain { last: None }
        };
        Self { name, style }
    }

    /// Shows that files are being read: `done` of `total` bytes.
    pub(crate) fn checking(&mut self, done: u64, total: u64) {
        self.working("checking files", done, total);
    }

    /// Shows how far some `work` is: `done` of `total` bytes.
    pub(crate) fn working(&mut self, work: &str, done: u64, total: u64) {
        let percent = percent(done, total);
        self.show(|name, _| format!("{name}  {work} {percent}%"));
    }

    /// Shows how torrents stand, summed up where they are several.
    pub(crate) fn update(&mut self, now: &[Snapshot]) {
        if !now.is_empty() {
            let sum = Sum::of(now);
            self.show(|name, width| line(name, &sum, width));
        }
    }

    /// Writes one line that stays, above the live one.
    #[allow(clippy::unused_self, reason = "a line belongs to the progress it interrupts")]
    pub(crate) fn note(&self, message: &str) {
        if !matches!(self.style, Style::Quiet) {
            write_line(message);
        }
    }

    fn show(&mut self, line: impl FnOnce(&str, usize) -> String) {
        match &mut self.style {
            Style::Quiet => {}
            Style::Live(bar) => {
                let width = usize::from(Term::stderr().size().1);
                bar.set_message(line(&self.name, width));
                bar.tick();
            }
            Style::Plain { last } => {
                if last.is_none_or(|at| at.elapsed() >= PLAIN_EVERY) {
                    *last = Some(Instant::now());
                    write_line(&line(&self.name, usize::MAX));
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

/// Writes one line to stderr without tearing the live line.
pub(crate) fn write_line(line: &str) {
    let write = || {
        // Where stderr is gone there is nobody left to tell.
        let _ = writeln!(std::io::stderr(), "{line}");
    };
    match BAR.lock().unwrap_or_else(std::sync::PoisonError::into_inner).as_ref() {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}

fn set_bar(bar: Option<ProgressBar>) {
    *BAR.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = bar;
}

/// The narrowest a name is cut to, and the widest it may be where there is room.
const NAME_WIDTHS: (usize, usize) = (10, 40);
/// A bar narrower than this says less than the percentage does.
const MIN_BAR: usize = 10;
/// A bar wider than this is not easier to read.
const MAX_BAR: usize = 40;

/// How torrents stand together.
struct Sum {
    have: u64,
    total: u64,
    down: u64,
    up: u64,
    peers: usize,
    /// What the one that is busiest does.
    state: State,
}

impl Sum {
    fn of(all: &[Snapshot]) -> Self {
        let busy = |state| all.iter().any(|now| now.state == state);
        let states = [State::Downloading, State::Seeding];
        Self {
            have: all.iter().map(Snapshot::have_bytes).sum(),
            total: all.iter().map(|now| now.total_bytes).sum(),
            down: all.iter().map(|now| now.stats.download_rate).sum(),
            up: all.iter().map(|now| now.stats.upload_rate).sum(),
            peers: all.iter().map(|now| now.stats.peers).sum(),
            state: states.into_iter().find(|state| busy(*state)).unwrap_or(State::Stopping),
        }
    }
}

/// One line of at most `width` columns: name, percent, a bar if there is room, bytes, rates, peers,
/// time left.
fn line(name: &str, now: &Sum, width: usize) -> String {
    let (have, total) = (now.have, now.total);
    let eta = (total - have.min(total)).checked_div(now.down).map(Duration::from_secs);
    let mut figures = format!(
        "{}/{}  ↓ {}  ↑ {}  {} {}",
        text::bytes(have),
        text::bytes(total),
        text::rate(now.down),
        text::rate(now.up),
        now.peers,
        if now.peers == 1 { "peer" } else { "peers" },
    );
    match (now.state, eta) {
        (State::Downloading, Some(eta)) => {
            figures.push_str("  ETA ");
            figures.push_str(&text::duration(eta));
        }
        (State::Downloading, None) => {}
        (State::Seeding, _) => figures.push_str("  seeding"),
        _ => figures.push_str("  stopping"),
    }
    let percent = format!("{:>3}%", percent(have, total));
    if width == usize::MAX {
        return format!("{name}  {percent}  {figures}");
    }
    let fixed = measure_text_width(&figures) + measure_text_width(&percent) + 4;
    let room = width.saturating_sub(fixed);
    let name = truncate_str(name, room.clamp(NAME_WIDTHS.0, NAME_WIDTHS.1), "…");
    let room = room.saturating_sub(measure_text_width(&name) + 2);
    if room < MIN_BAR {
        return format!("{name}  {percent}  {figures}");
    }
    format!("{name}  {percent}  {}  {figures}", bar(have, total, room.min(MAX_BAR)))
}

/// `width` columns, filled in proportion.
fn bar(have: u64, total: u64, width: usize) -> String {
    let width = u64::try_from(width).unwrap_or(0);
    let filled = share(have, total, width);
    let cells = (0..width).map(|cell| if cell < filled { '█' } else { '░' });
    cells.collect()
}

/// Whole percent, rounded down: 100 means all of it.
fn percent(done: u64, total: u64) -> u64 {
    share(done, total, 100)
}

/// `done` of `total` as a share of `whole`, rounded down; all of it where there is nothing to do.
fn share(done: u64, total: u64, whole: u64) -> u64 {
    let share = u128::from(done) * u128::from(whole);
    share.checked_div(u128::from(total)).map_or(whole, |n| u64::try_from(n).unwrap_or(whole))
}
