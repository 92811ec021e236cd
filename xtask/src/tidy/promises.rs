//! SECURITY.md names what holds each of its promises. Owns the check that all of that exists; never
//! judges whether it is enough.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::Result;

/// The heading of the column that names them, which is the last one.
const HELD_BY: &str = "held by";

/// Complaints, one a line; `files` are all sources.
pub(super) fn check(root: &Path, files: &[PathBuf]) -> Result<Vec<String>> {
    let mut functions = BTreeSet::new();
    for file in files {
        functions.extend(functions_of(&fs::read_to_string(file)?));
    }
    let text = fs::read_to_string(root.join("SECURITY.md"))?;
    let rows = rows(&text);
    let mut complaints = Vec::new();
    if rows.is_empty() {
        complaints.push("SECURITY.md: no table says what holds a promise".to_owned());
    }
    for row in rows {
        let names = names(row);
        if names.is_empty() {
            complaints.push(format!("SECURITY.md: nothing holds this row: {row}"));
        }
        for name in names {
            let exists = match name.split_once(' ') {
                Some(("fuzz", target)) => root.join("fuzz/seeds").join(target).is_dir(),
                Some(("faults", campaign)) => {
                    root.join("xtask/src/faults").join(campaign).with_extension("rs").is_file()
                }
                _ => functions.contains(name),
            };
            if !exists {
                complaints.push(format!("SECURITY.md: `{name}` does not exist"));
            }
        }
    }
    Ok(complaints)
}

/// The rows of all tables that say what holds them.
fn rows(text: &str) -> Vec<&str> {
    let mut inside = false;
    let mut rows = Vec::new();
    for line in text.lines() {
        let starts = line.trim_end_matches(['|', ' ']).ends_with(HELD_BY);
        if inside && line.starts_with("| ") {
            rows.push(line);
        }
        inside = line.starts_with('|') && (inside || starts);
    }
    rows
}

/// What a row's last cell names.
fn names(row: &str) -> Vec<&str> {
    let cell = row.trim_end_matches(['|', ' ']).rsplit('|').next().unwrap_or_default();
    cell.split('`').skip(1).step_by(2).collect()
}

fn functions_of(text: &str) -> impl Iterator<Item = String> {
    text.lines().filter_map(|line| {
        let (_, after) = line.split_once("fn ")?;
        let (name, _) = after.split_once('(')?;
        Some(name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_column_names_what_holds() {
        let text =
            "| a | held by |\n|---|---|\n| `x` | `one`, `fuzz two` |\n\n| b |\n|---|\n| `c` |\n";
        let rows = rows(text);
        assert_eq!(rows, ["| `x` | `one`, `fuzz two` |"]);
        assert_eq!(names(rows[0]), ["one", "fuzz two"]);
    }

    #[test]
    fn functions_are_known_by_name() {
        let text = "#[test]\nfn holds() {\n    async fn later(a: u32) {}\n";
        assert_eq!(functions_of(text).collect::<Vec<_>>(), ["holds", "later"]);
    }
}
