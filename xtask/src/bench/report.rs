//! What came out: medians, spreads and ratios, as a table for people and as JSON.
//!
//! Owns the arithmetic and the words. Never measures anything.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use super::client::Client;
use super::measure::Cost;
use super::tasks::Outcome;
use super::{Setting, Task};

/// All runs of one client at one task.
pub(super) struct Cell {
    pub(super) client: Client,
    pub(super) task: Task,
    pub(super) costs: Vec<Cost>,
    /// What went wrong, if anything did.
    pub(super) error: Option<String>,
}

/// The middle of several measurements, and the ends.
#[derive(Clone, Copy)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) least: f64,
    pub(super) most: f64,
}

impl Cell {
    pub(super) fn cpu(&self) -> Option<Spread> {
        self.spread(|cost| cost.cpu.as_secs_f64())
    }

    pub(super) fn wall(&self) -> Option<Spread> {
        self.spread(|cost| cost.wall.as_secs_f64())
    }

    /// In MiB.
    pub(super) fn rss(&self) -> Option<Spread> {
        self.spread(|cost| f64::from(u32::try_from(cost.rss >> 10).unwrap_or(u32::MAX)) / 1024.0)
    }

    /// In milliseconds.
    pub(super) fn gap(&self) -> Option<Spread> {
        spread(self.costs.iter().filter_map(|cost| Some(cost.gap?.as_secs_f64() * 1e3)).collect())
    }

    fn spread(&self, of: impl Fn(&Cost) -> f64) -> Option<Spread> {
        spread(self.costs.iter().map(of).collect())
    }
}

pub(super) fn spread(mut values: Vec<f64>) -> Option<Spread> {
    values.sort_by(f64::total_cmp);
    let (least, most) = (*values.first()?, *values.last()?);
    let upper = *values.get(values.len() / 2)?;
    let lower = *values.get((values.len() - 1) / 2)?;
    Some(Spread { median: f64::midpoint(lower, upper), least, most })
}

/// The best of those that are neither ours nor the yardstick.
pub(super) fn best_other(
    cells: &[Cell],
    task: Task,
    of: impl Fn(&Cell) -> Option<Spread>,
) -> Option<(Client, f64)> {
    let others = cells.iter().filter(|cell| {
        cell.task == task && !matches!(cell.client, Client::Pieces | Client::Yardstick)
    });
    let medians = others.filter_map(|cell| Some((cell.client, of(cell)?.median)));
    medians.min_by(|(_, a), (_, b)| a.total_cmp(b))
}

/// The table of one task.
pub(super) fn table(cells: &[Cell], task: Task) -> String {
    let (cpu, wall) = (best_other(cells, task, Cell::cpu), best_other(cells, task, Cell::wall));
    let mut out = format!(
        "\n{}\n  {:<13}{:>8}{:>14}{:>8}{:>9}{:>14}{:>8}{:>9}\n",
        task.title(),
        "",
        "CPU s",
        "(spread)",
        "ratio",
        "wall s",
        "(spread)",
        "ratio",
        "MiB"
    );
    for cell in cells.iter().filter(|cell| cell.task == task) {
        let name = cell.client.name();
        let (Some(c), Some(w), Some(rss)) = (cell.cpu(), cell.wall(), cell.rss()) else {
            let error = cell.error.as_deref().unwrap_or("was not run");
            let _ = writeln!(out, "  {name:<13}{}", error.lines().next().unwrap_or_default());
            continue;
        };
        let range = |s: Spread| format!("{:.2}-{:.2}", s.least, s.most);
        let ratio = |s: Spread, best: Option<(Client, f64)>| {
            best.filter(|(_, best)| *best > 0.0)
                .map_or_else(|| "-".to_owned(), |(_, best)| format!("{:.2}", s.median / best))
        };
        let _ = writeln!(
            out,
            "  {name:<13}{:>8.2}{:>14}{:>8}{:>9.2}{:>14}{:>8}{:>9.0}",
            c.median,
            range(c),
            ratio(c, cpu),
            w.median,
            range(w),
            ratio(w, wall),
            rss.median
        );
    }
    if let (Some((a, _)), Some((b, _))) = (cpu, wall) {
        let (a, b) = (a.name(), b.name());
        let _ = writeln!(out, "  ratio: to the best other, {a} in CPU and {b} in wall time");
    }
    for cell in cells.iter().filter(|cell| cell.task == task) {
        if let Some(gap) = cell.gap() {
            let Spread { median, least, most } = gap;
            let name = cell.client.name();
            let _ = writeln!(
                out,
                "  {name}: the network thread's longest gap is {median:.1} ms ({least:.1}-{most:.1})"
            );
        }
    }
    out
}

/// Everything, for programs.
pub(super) fn json(outcome: &Outcome, setting: &Setting, took: Duration) -> Value {
    let figures =
        |s: Option<Spread>| s.map(|s| json!({ "median": s.median, "min": s.least, "max": s.most }));
    let results: Vec<Value> = outcome
        .cells
        .iter()
        .map(|cell| {
            json!({
                "client": cell.client.name(),
                "task": cell.task.word(),
                "cpu_seconds": figures(cell.cpu()),
                "wall_seconds": figures(cell.wall()),
                "rss_mib": figures(cell.rss()),
                "network_gap_ms": figures(cell.gap()),
                "runs": cell.costs.iter().map(|cost| json!({
                    "cpu_seconds": cost.cpu.as_secs_f64(),
                    "wall_seconds": cost.wall.as_secs_f64(),
                    "rss_bytes": cost.rss,
                })).collect::<Vec<_>>(),
                "error": cell.error,
            })
        })
        .collect();
    json!({
        "machine": setting.machine,
        "command": setting.command,
        "bytes": setting.size,
        "piece_length": setting.piece_len,
        "rounds": outcome.rounds,
        "seconds": took.as_secs_f64(),
        "results": results,
    })
}
