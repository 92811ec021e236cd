//! What a block, a `have` and the first pick cost the swarm from 1,000 to 1,000,000 pieces.
//!
//! Owns the table. Never measures anything itself: the micro-benchmark of `crates/swarm` does, and its
//! output is read.

use std::process::Command;

use serde_json::{Value, json};

use super::programs;
use crate::{Result, root};

/// Benchmarks in which one sample is this many of what is counted (`BATCH` there).
const BATCH: f64 = 800.0;

/// The benchmark that has one pick a sample, and grows.
const ONCE: &str = "bitfield_and_first_pick";

/// The median of one benchmark at one size.
#[derive(Debug, PartialEq)]
struct Row {
    name: String,
    pieces: u32,
    nanoseconds: f64,
}

/// Runs the benchmark, and prints its medians a block, a `have` or a pick.
pub(super) fn run() -> Result<Value> {
    let output = Command::new(programs::scale(root())).arg("--bench").output()?;
    if !output.status.success() {
        return Err(format!("swarm: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let rows = rows(&String::from_utf8(output.stdout)?);
    if rows.is_empty() {
        return Err("swarm: the benchmark printed nothing that could be read".into());
    }
    let mut sizes: Vec<u32> = rows.iter().map(|row| row.pieces).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let heads = sizes.iter().map(|size| format!("{size:>11}"));
    println!(
        "\nthe swarm, ns each, by pieces of the torrent\n  {:<36}{}",
        "",
        heads.collect::<String>()
    );
    let mut names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
    names.dedup();
    for name in names {
        let figures = rows.iter().filter(|row| row.name == name).map(|row| row.nanoseconds);
        println!("{}", line(&name.replace('_', " "), figures));
    }
    let figures = rows
        .iter()
        .map(|row| json!({ "what": row.name, "pieces": row.pieces, "median_ns": row.nanoseconds }));
    Ok(Value::Array(figures.collect()))
}

fn line(what: &str, cells: impl Iterator<Item = f64>) -> String {
    cells.fold(format!("  {what:<34}"), |line, cell| format!("{line}{cell:>12.0}"))
}

/// The medians in the tree that divan prints: a line with the name of each benchmark, and below it one a
/// size, whose cells are parted by bars: fastest, slowest, median, mean, samples, iterations.
fn rows(output: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut name = String::new();
    for line in output.lines() {
        let words = line.trim_start_matches(|c: char| "│├─╰ ".contains(c));
        let Some(first) = words.split_whitespace().next() else { continue };
        let Ok(pieces) = first.parse() else {
            if first.starts_with(|c: char| c.is_ascii_lowercase()) {
                first.clone_into(&mut name);
            }
            continue;
        };
        let Some(median) = words.split('│').nth(2).and_then(nanoseconds) else { continue };
        let nanoseconds = if name == ONCE { median } else { median / BATCH };
        rows.push(Row { name: name.clone(), pieces, nanoseconds });
    }
    rows
}

/// `1.5 µs` as 1500.
fn nanoseconds(text: &str) -> Option<f64> {
    let (number, unit) = text.trim().split_once(' ')?;
    let scale = match unit {
        "ns" => 1.0,
        "µs" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_of_divan_is_read() {
        let output = "\
Timer precision: 10 ns
scale                  fastest       │ slowest       │ median        │ mean          │ samples │ iters
├─ bitfield_and_first_pick           │               │               │               │         │
│  ╰─ 1000             5.1 µs        │ 9 µs          │ 6.25 µs       │ 6.5 µs        │ 20      │ 20
╰─ have                              │               │               │               │         │
   ├─ 1000             39.1 µs       │ 71.5 µs       │ 40 µs         │ 43.4 µs       │ 20      │ 20
   │                   20.4 Mitem/s  │ 11.1 Mitem/s  │ 20 Mitem/s    │ 18.4 Mitem/s  │         │
   ╰─ 1000000          39.1 µs       │ 71.5 µs       │ 0.8 ms        │ 43.4 µs       │ 20      │ 20
";
        let row = |name: &str, pieces, nanoseconds| Row { name: name.into(), pieces, nanoseconds };
        assert_eq!(
            rows(output),
            [row(ONCE, 1000, 6250.0), row("have", 1000, 50.0), row("have", 1_000_000, 1000.0)]
        );
    }
}
