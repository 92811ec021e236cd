//! The text of progress: one line for a torrent, a block of lines for several, never wider than the
//! terminal. Never writes it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use console::{measure_text_width, pad_str, truncate_str};
use session::Source;

use super::row::{Metadata, Row, Stage, busiest};
use crate::text;

/// The narrowest a name is cut to, and the widest it may be where there is room.
const NAME_WIDTHS: (usize, usize) = (10, 40);
/// A bar narrower than this says less than the percentage does.
const MIN_BAR: usize = 10;
/// A bar wider than this is not easier to read.
const MAX_BAR: usize = 40;
/// Columns that the figures hardly ever exceed. A bar gets what they leave, whatever they are at the
/// moment, so that it neither comes and goes nor changes its length.
const FIGURES_WIDTH: usize = 66;
/// Columns of a percentage.
const PERCENT_WIDTH: usize = 4;
/// What stands between two parts of the line.
const GAP: &str = "  ";

/// A line for a torrent that is alone.
pub(super) fn one(row: &Row, width: usize) -> String {
    with_sources(line(row, width, None), &row.sources, width)
}

/// A line each for the busiest torrents that have not ended, how many others there are, and a last
/// line for all together, which are called `name`: `height` lines at the most, and at least that one.
pub(super) fn block(name: &str, rows: &[&Row], width: usize, height: usize) -> String {
    let live: Vec<&Row> = rows.iter().filter(|row| row.is_live()).copied().collect();
    let room = height.saturating_sub(1);
    let most = if live.len() > room { room.saturating_sub(1) } else { room };
    let shown = busiest(&live, most);
    let others = live.len().saturating_sub(shown.len());
    let sum = Row::sum(name, rows);
    let all = || shown.iter().copied().chain([&sum]);
    let widest = all().map(|row| measure_text_width(&text::escape(&row.name))).max().unwrap_or(0);
    let columns = width.saturating_sub(PERCENT_WIDTH + 2 * GAP.len() + FIGURES_WIDTH);
    let columns = columns.clamp(NAME_WIDTHS.0, NAME_WIDTHS.1);
    // What is not for a terminal need not be aligned.
    let names = (width < usize::MAX).then_some(widest.min(columns));
    let mut lines: Vec<String> = shown.iter().map(|row| line(row, width, names)).collect();
    if others > 0 && room > 0 {
        lines.push(format!("and {others} more"));
    }
    lines.push(with_sources(line(&sum, width, names), &sum.sources, width));
    lines.join("\n")
}

/// What fits into a line; one that the terminal would break could not be renewed.
pub(super) fn cut(line: &str, width: usize) -> String {
    truncate_str(line, width, "…").into_owned()
}

/// The line, with where its peers came from if there is room for that.
fn with_sources(line: String, sources: &BTreeMap<Source, usize>, width: usize) -> String {
    let parts = sources.iter().map(|(source, count)| format!("{} {count}", text::source(*source)));
    let words = parts.collect::<Vec<_>>().join(", ");
    let longer = format!("{line}{GAP}({words})");
    if words.is_empty() || measure_text_width(&longer) > width { line } else { longer }
}

/// What stands in place of figures while there are none: how much of the metadata is here, or of the
/// files is checked.
fn words(row: &Row) -> Option<String> {
    let peers = || text::count(row.peers, "peer");
    Some(match row.stage {
        Stage::Checking { done, total } => checking(done, total),
        Stage::Opening => "opening files".into(),
        Stage::Metadata(None) => format!("metadata is here{GAP}{}", peers()),
        Stage::Metadata(Some(Metadata { sources: 0, .. })) => {
            format!("waiting for the metadata{GAP}{}", peers())
        }
        Stage::Metadata(Some(Metadata { bytes, total, sources })) => {
            let percent = percent(bytes, total);
            format!("metadata {percent}%{GAP}{}, {sources} with it", peers())
        }
        _ => return None,
    })
}

/// How far the check of what is on disk is.
fn checking(done: u64, total: u64) -> String {
    format!("checking files {}%", percent(done, total))
}

/// One line of at most `width` columns: name, percent, a bar if there is room, bytes, rates, peers,
/// time left. What is least worth knowing is left out where there is no room for all. The name has as
/// many columns as `names` says, so that lines below each other are aligned.
fn line(row: &Row, width: usize, names: Option<usize>) -> String {
    let line = full_line(row, width, names);
    cut(&line, width)
}

/// The same, still too long for less than some 40 columns.
fn full_line(row: &Row, width: usize, names: Option<usize>) -> String {
    let name = text::escape(&row.name);
    let name = match names {
        Some(columns) => {
            let short = truncate_str(&name, columns, "…").into_owned();
            Cow::Owned(pad_str(&short, columns, console::Alignment::Left, None).into_owned())
        }
        None => name,
    };
    if let Some(words) = words(row) {
        return format!("{name}{GAP}{words}");
    }
    let known = row.has_total();
    let percent =
        if known { format!("{:>3}%", percent(row.have, row.total)) } else { "   ?".into() };
    let least = names.unwrap_or(NAME_WIDTHS.0);
    let figures = figures(row, width.saturating_sub(least + percent.len() + 2 * GAP.len()));
    if width == usize::MAX {
        return [&name, percent.as_str(), &figures].join(GAP);
    }
    let beside = |parts: usize| width.saturating_sub(percent.len() + 2 * GAP.len() + parts);
    let room = beside(measure_text_width(&figures));
    let name = truncate_str(&name, room.clamp(NAME_WIDTHS.0, NAME_WIDTHS.1), "…");
    let room = beside(FIGURES_WIDTH + measure_text_width(&name) + GAP.len());
    if room < MIN_BAR || !known {
        return [&name, percent.as_str(), &figures].join(GAP);
    }
    let bar = bar(row.have, row.total, room.min(MAX_BAR));
    [&name, percent.as_str(), &bar, &figures].join(GAP)
}

/// Bytes, rates, peers and time left, or as much of that as `width` columns hold.
fn figures(row: &Row, width: usize) -> String {
    let seeding = row.stage == Stage::Seeding;
    // The higher the first number, the sooner it is left out; 0 always stays.
    let known = row.has_total();
    let total = if known { text::bytes(row.total) } else { "?".into() };
    let mut figures = vec![(1, format!("{}/{total}", text::bytes(row.have)))];
    if row.has_rates() {
        figures.push((if seeding { 3 } else { 0 }, format!("↓ {}", text::rate(row.down))));
        figures.push((if seeding { 0 } else { 3 }, format!("↑ {}", text::rate(row.up))));
    }
    figures.push((2, text::count(row.peers, "peer")));
    let left = row.total.saturating_sub(row.have);
    match (row.stage, left.checked_div(row.down).filter(|_| known)) {
        (Stage::Downloading, Some(eta)) => {
            figures.push((0, format!("ETA {}", text::duration(Duration::from_secs(eta)))));
        }
        (Stage::Downloading, None) => {}
        (Stage::Seeding, _) => figures.push((0, "seeding".into())),
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
pub(super) fn percent(done: u64, total: u64) -> u64 {
    share(done, total, 100)
}

/// `done` of `total` as a share of `whole`, rounded down; all of it where there is nothing to do.
fn share(done: u64, total: u64, whole: u64) -> u64 {
    let share = u128::from(done) * u128::from(whole);
    share.checked_div(u128::from(total)).map_or(whole, |n| u64::try_from(n).unwrap_or(whole))
}

#[cfg(test)]
mod tests;
