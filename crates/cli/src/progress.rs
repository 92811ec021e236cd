//! What a running download or seed shows on stderr: one line that renews itself on a terminal,
//! sparse plain lines elsewhere. It only formats what snapshots say.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use console::{Term, measure_text_width, truncate_str};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use session::{Snapshot, Source, State};

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

    /// It is called otherwise from now on.
    pub(crate) fn rename(&mut self, name: &str) {
        self.name = text::escape(name).into_owned();
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
        if !now.is_empty() && now.iter().all(|now| now.state == State::Metadata) {
            let sources = sources(now);
            self.show(|name, width| with_sources(metadata_line(name, now), &sources, width));
        } else if !now.is_empty() {
            let sum = Sum::of(now);
            self.show(|name, width| with_sources(line(name, &sum, width), &sum.sources, width));
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
/// Columns that the figures hardly ever exceed. A bar gets what they leave, whatever they are at the
/// moment, so that it neither comes and goes nor changes its length.
const FIGURES_WIDTH: usize = 66;
/// What stands between two parts of the line.
const GAP: &str = "  ";

/// How torrents stand together.
struct Sum {
    have: u64,
    total: u64,
    down: u64,
    up: u64,
    peers: usize,
    sources: BTreeMap<Source, usize>,
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
            sources: sources(all),
            state: states.into_iter().find(|state| busy(*state)).unwrap_or(State::Stopping),
        }
    }
}

/// How many of the peers came from where.
fn sources(all: &[Snapshot]) -> BTreeMap<Source, usize> {
    let mut sources = BTreeMap::new();
    for peer in all.iter().flat_map(|now| &now.peers) {
        *sources.entry(peer.source).or_default() += 1;
    }
    sources
}

/// The line, with where its peers came from if there is room for that.
fn with_sources(line: String, sources: &BTreeMap<Source, usize>, width: usize) -> String {
    let parts = sources.iter().map(|(source, count)| format!("{} {count}", text::source(*source)));
    let words = parts.collect::<Vec<_>>().join(", ");
    let longer = format!("{line}{GAP}({words})");
    if words.is_empty() || measure_text_width(&longer) > width { line } else { longer }
}

/// One line for magnets whose metadata is not here: how much of it is, or what it waits for.
fn metadata_line(name: &str, all: &[Snapshot]) -> String {
    let metadata = || all.iter().filter_map(|now| now.stats.metadata);
    let sources: usize = metadata().map(|metadata| metadata.sources).sum();
    let bytes: u64 = metadata().map(|metadata| u64::from(metadata.bytes)).sum();
    let total: u64 = metadata().map(|metadata| u64::from(metadata.len)).sum();
    let peers: usize = all.iter().map(|now| now.stats.peers).sum();
    let peers = format!("{peers} {}", if peers == 1 { "peer" } else { "peers" });
    match (metadata().next(), sources) {
        (None, _) => format!("{name}  metadata is here  {peers}"),
        (_, 0) => format!("{name}  waiting for the metadata  {peers}"),
        _ => format!("{name}  metadata {}%  {peers}, {sources} with it", percent(bytes, total)),
    }
}

/// One line of at most `width` columns: name, percent, a bar if there is room, bytes, rates, peers,
/// time left. What is least worth knowing is left out where there is no room for all.
fn line(name: &str, now: &Sum, width: usize) -> String {
    let percent = format!("{:>3}%", percent(now.have, now.total));
    let figures = figures(now, width.saturating_sub(NAME_WIDTHS.0 + percent.len() + 2 * GAP.len()));
    if width == usize::MAX {
        return [name, &percent, &figures].join(GAP);
    }
    let beside = |parts: usize| width.saturating_sub(percent.len() + 2 * GAP.len() + parts);
    let room = beside(measure_text_width(&figures));
    let name = truncate_str(name, room.clamp(NAME_WIDTHS.0, NAME_WIDTHS.1), "…");
    let room = beside(FIGURES_WIDTH + measure_text_width(&name) + GAP.len());
    if room < MIN_BAR {
        return [&name, percent.as_str(), &figures].join(GAP);
    }
    let bar = bar(now.have, now.total, room.min(MAX_BAR));
    [&name, percent.as_str(), &bar, &figures].join(GAP)
}

/// Bytes, rates, peers and time left, or as much of that as `width` columns hold.
fn figures(now: &Sum, width: usize) -> String {
    let seeding = now.state == State::Seeding;
    // The higher the first number, the sooner it is left out; 0 always stays.
    let mut figures = vec![
        (1, format!("{}/{}", text::bytes(now.have), text::bytes(now.total))),
        (if seeding { 3 } else { 0 }, format!("↓ {}", text::rate(now.down))),
        (if seeding { 0 } else { 3 }, format!("↑ {}", text::rate(now.up))),
        (2, text::count(now.peers, "peer")),
    ];
    let left = now.total.saturating_sub(now.have);
    match (now.state, left.checked_div(now.down)) {
        (State::Downloading, Some(eta)) => {
            figures.push((0, format!("ETA {}", text::duration(Duration::from_secs(eta)))));
        }
        (State::Downloading, None) => {}
        (State::Seeding, _) => figures.push((0, "seeding".into())),
        _ => figures.push((0, "stopping".into())),
    }
    for least in (1..=3).rev() {
        let texts = figures.iter().map(|(_, figure)| measure_text_width(figure) + GAP.len());
        if texts.sum::<usize>() <= width.saturating_add(GAP.len()) {
            break;
        }
        figures.retain(|(worth, _)| *worth != least);
    }
    figures.into_iter().map(|(_, figure)| figure).collect::<Vec<_>>().join(GAP)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(down: u64, up: u64) -> Sum {
        let (have, total) = (123 << 20, 7_654 << 20);
        let sources = [(Source::Tracker, 100), (Source::Dht, 20), (Source::Pex, 3)].into();
        Sum { have, total, down, up, peers: 123, sources, state: State::Downloading }
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for width in 30..200 {
            for now in [sum(0, 0), sum(123 << 20, 123 << 20), sum(1 << 10, 0)] {
                let line = line("a name that is rather long for a terminal", &now, width);
                assert!(measure_text_width(&line) <= width.max(42), "{width}: {line}");
                assert!(line.contains('↓'), "{width}: {line}");
                assert_eq!(line.contains("ETA"), now.down > 0, "{width}: {line}");
            }
        }
    }

    #[test]
    fn eighty_columns_have_room_for_all() {
        let line = line("debian.iso", &sum(12 << 20, 3 << 20), 80);
        let wanted =
            "debian.iso    1%  123 MiB/7.47 GiB  ↓ 12.0 MiB/s  ↑ 3.00 MiB/s  123 peers  ETA 10m27s";
        assert_eq!(line, wanted.replace("  ↑ 3.00 MiB/s", ""));
    }

    #[test]
    fn where_peers_came_from_is_told_where_there_is_room() {
        let now = sum(12 << 20, 3 << 20);
        let at = |width| with_sources(line("debian.iso", &now, width), &now.sources, width);
        assert!(at(200).ends_with("  (tracker 100, dht 20, pex 3)"), "{}", at(200));
        assert!(at(usize::MAX).ends_with("  (tracker 100, dht 20, pex 3)"));
        assert_eq!(at(100), line("debian.iso", &now, 100));
        for width in 80..200 {
            let line = line("debian.iso", &now, width);
            assert!(at(width) == line || measure_text_width(&at(width)) <= width, "{width}");
        }
        assert_eq!(with_sources("line".into(), &BTreeMap::new(), 99), "line");
    }

    #[test]
    fn a_bar_does_not_come_and_go() {
        let bar = |now, width| line("name", &now, width).matches(['█', '░']).count();
        for width in 30..200 {
            assert_eq!(bar(sum(0, 0), width), bar(sum(99 << 20, 99 << 20), width), "{width}");
        }
        assert_eq!(bar(sum(0, 0), 80), 0);
        assert!(bar(sum(0, 0), 120) > 20);
    }
}
