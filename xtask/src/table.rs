//! Aligned columns on stdout. Owns widths and number formats; never knows what stands in a table.

use std::io::IsTerminal;
use std::time::Duration;

/// A table whose rows are printed as they become known.
pub(crate) struct Table {
    columns: &'static [(&'static str, Align)],
    colour: bool,
}

/// Which side of a column the text is pushed to, and the column's width.
#[derive(Clone, Copy)]
pub(crate) enum Align {
    Left(usize),
    Right(usize),
}

/// How a row ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Good,
    Bad,
    Neutral,
}

impl Table {
    /// Prints the line of headings.
    pub(crate) fn start(columns: &'static [(&'static str, Align)]) -> Self {
        let table = Self { columns, colour: std::io::stdout().is_terminal() };
        let headings: Vec<&str> = columns.iter().map(|(heading, _)| *heading).collect();
        println!();
        table.print(Mood::Neutral, "1", &headings);
        table
    }

    /// Prints a row.
    pub(crate) fn row(&self, mood: Mood, cells: &[&str]) {
        let colour = match mood {
            Mood::Good => "32",
            Mood::Bad => "31",
            Mood::Neutral => "2",
        };
        self.print(mood, colour, cells);
    }

    fn print(&self, mood: Mood, colour: &str, cells: &[&str]) {
        let mut line = String::from(match mood {
            Mood::Good => "✓",
            Mood::Bad => "✗",
            Mood::Neutral => " ",
        });
        for (cell, (_, align)) in cells.iter().zip(self.columns) {
            line += "  ";
            let (Align::Left(width) | Align::Right(width)) = *align;
            let padding = " ".repeat(width.saturating_sub(cell.chars().count()));
            line.extend(match align {
                Align::Left(_) => [cell, padding.as_str()],
                Align::Right(_) => [padding.as_str(), cell],
            });
        }
        let line = line.trim_end();
        if self.colour {
            println!("\x1b[{colour}m{line}\x1b[0m");
        } else {
            println!("{line}");
        }
    }
}

/// `67108864` as `67,108,864`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A duration in seconds with two digits behind the point.
pub(crate) fn seconds(duration: Duration) -> String {
    format!("{:.2}", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        let grouped: Vec<String> = [0, 999, 1000, 1_234_567].map(grouped).into();
        assert_eq!(grouped, ["0", "999", "1,000", "1,234,567"]);
    }
}
