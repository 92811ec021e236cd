//! The picture for the README: bars of CPU seconds and of wall seconds, one panel a task.
//!
//! Owns an SVG written by hand. Never scales to flatter: all bars of a panel share one scale from zero,
//! and a bar that would leave the others no room is visibly cut.

use std::fmt::Write as _;

use super::client::Client;
use super::report::{Cell, Spread};
use super::{Setting, Task};

const WIDTH: f64 = 760.0;
const PANEL: f64 = WIDTH / 2.0;
const ROW: f64 = 34.0;
const NAME: f64 = 92.0;
const BAR: f64 = PANEL - NAME - 60.0;

/// The longest bar, in lengths of the next longest: what takes longer still is drawn cut.
const MOST: f64 = 2.0;

/// The whole picture.
pub(super) fn svg(cells: &[Cell], setting: &Setting) -> String {
    let rows = |task: Task| cells.iter().filter(|c| c.task == task && c.cpu().is_some()).count();
    let mut body = String::new();
    let mut top = 40.0;
    for pair in Task::ALL.chunks(2) {
        let tallest = pair.iter().map(|task| rows(*task)).max().unwrap_or(0);
        for (column, task) in (0_u8..).zip(pair) {
            body += &panel(cells, *task, f64::from(column) * PANEL + 16.0, top);
        }
        top += 52.0 + ROW * f64::from(u32::try_from(tallest).unwrap_or(0));
    }
    let height = top + 20.0;
    let (mib, machine) = (setting.size >> 20, escape(&setting.machine));
    let cut =
        if body.contains("<path") { "; a bar with a gap is longer than it is drawn" } else { "" };
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="system-ui, sans-serif" font-size="12">
<rect width="100%" height="100%" fill="#fff"/>
<text x="16" y="22" font-size="14" font-weight="bold">{mib} MiB over loopback: seconds, less is better</text>
<g transform="translate({x} 12)"><rect width="10" height="10" fill="#555"/><text x="16" y="9">CPU</text><rect x="56" width="10" height="10" fill="#bbb"/><text x="72" y="9">wall</text></g>
{body}<text x="16" y="{foot}" fill="#777" font-size="10">{machine}{cut}</text>
</svg>
"##,
        x = WIDTH - 130.0,
        foot = height - 10.0,
    )
}

fn panel(cells: &[Cell], task: Task, left: f64, top: f64) -> String {
    let cells: Vec<(Client, Spread, Spread)> = cells
        .iter()
        .filter(|cell| cell.task == task)
        .filter_map(|cell| Some((cell.client, cell.cpu()?, cell.wall()?)))
        .collect();
    let longest = longest(cells.iter().flat_map(|(_, cpu, wall)| [cpu.median, wall.median]));
    let mut out = format!(
        "<g transform=\"translate({left} {top})\">\n<text y=\"14\" font-weight=\"bold\">{}</text>\n",
        task.title()
    );
    let mut y = 24.0;
    for (client, cpu, wall) in cells {
        let (weight, dark, light) = match client {
            Client::Pieces => ("bold", "#c2410c", "#fdba74"),
            Client::Yardstick => ("normal", "#15803d", "#bbf7d0"),
            _ => ("normal", "#555", "#bbb"),
        };
        let _ = writeln!(
            out,
            "<text y=\"{:.0}\" font-weight=\"{weight}\">{}</text>",
            y + 17.0,
            client.name()
        );
        for (spread, fill, at) in [(cpu, dark, y), (wall, light, y + 13.0)] {
            let width = spread.median.min(longest) / longest * BAR;
            let _ = writeln!(
                out,
                "<rect x=\"{NAME}\" y=\"{at:.0}\" width=\"{width:.1}\" height=\"11\" fill=\"{fill}\"/><text x=\"{:.1}\" y=\"{:.0}\" font-size=\"10\">{:.2}</text>",
                NAME + width + 4.0,
                at + 9.5,
                spread.median
            );
            if spread.median > longest {
                let x = NAME + width - 24.0;
                let _ = writeln!(
                    out,
                    "<path d=\"M{x:.1} {:.0}l6 -15\" stroke=\"#fff\" stroke-width=\"4\"/>",
                    at + 13.0
                );
            }
        }
        y += ROW;
    }
    out + "</g>\n"
}

/// What the whole width of a panel stands for.
fn longest(seconds: impl Iterator<Item = f64>) -> f64 {
    let (mut first, mut second) = (f64::MIN_POSITIVE, 0.0);
    for seconds in seconds {
        if seconds > first {
            (first, second) = (seconds, first);
        } else if seconds > second {
            second = seconds;
        }
    }
    if second > f64::MIN_POSITIVE { first.min(second * MOST) } else { first }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::longest;

    #[test]
    fn one_that_takes_far_longer_leaves_the_others_room() {
        for (seconds, whole) in [
            (&[1.0, 3.0, 2.5][..], 3.0),
            (&[80.0, 2.0, 1.0], 4.0),
            (&[1.0, 2.0, 80.0], 4.0),
            (&[7.0], 7.0),
            (&[], f64::MIN_POSITIVE),
        ] {
            assert!((longest(seconds.iter().copied()) - whole).abs() < 1e-9, "{seconds:?}");
        }
    }
}
