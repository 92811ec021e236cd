//! What a block costs in system calls, in context switches and in allocations.
//!
//! Owns this table: perf counts, in the kernel, over two lengths of the same task; what they differ by is
//! what blocks cost, without beginning and end. Never touches pieces-cli, which runs as it always does.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::client::Client;
use super::measure;
use super::work::{BLOCK, Work};
use super::{MIB, PIECE_LEN, Setting, Task};
use crate::{Result, interrupt};

/// MiB of the two torrents.
const SIZES: [usize; 2] = [128, 512];

/// Runs of each; the median counts.
const ROUNDS: usize = 3;

/// What is counted besides allocations: its name with perf, and ours.
const EVENTS: [(&str, &str); 8] = [
    ("raw_syscalls:sys_enter", "system calls"),
    ("syscalls:sys_enter_readv", "readv"),
    ("syscalls:sys_enter_writev", "writev"),
    ("syscalls:sys_enter_preadv2", "preadv2"),
    ("syscalls:sys_enter_pwritev", "pwritev"),
    ("syscalls:sys_enter_epoll_wait", "epoll_wait"),
    ("syscalls:sys_enter_futex", "futex"),
    ("context-switches", "context switches"),
];

/// The functions of the C library that allocate, on which probes are set.
const ALLOCATORS: [&str; 5] = ["malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc"];

/// The name that the probes have in common.
const GROUP: &str = "pieces_bench";

/// What each event counted.
type Counts = BTreeMap<String, f64>;

/// Measures, and prints what there is a block.
pub(super) fn run(parent: &Path, setting: &Setting) -> Result<Value> {
    let probes = Probes::set();
    let allocations = format!("{GROUP}:*");
    let mut events: Vec<&str> = EVENTS.iter().map(|(event, _)| *event).collect();
    if probes.is_some() {
        events.push(&allocations);
    }
    let events = events.join(",");
    let works = SIZES.map(|mib| Work::create(parent, mib * MIB, PIECE_LEN));
    let [small, large] = works;
    let works = [small?, large?];
    let mut rows = Vec::new();
    println!("\nof one block: what perf counts");
    println!("{}", line("", columns().map(str::to_owned)));
    for task in [Task::Download, Task::Seed] {
        let mut medians = Vec::new();
        for (work, data) in &works {
            let mut all = Vec::new();
            for _ in 0..ROUNDS {
                interrupt::check()?;
                let Some(counts) = count(&events, task, work, data, setting)? else {
                    println!("  was not measured: perf is missing, or may not look");
                    return Ok(Value::Null);
                };
                all.push(counts);
            }
            medians.push(median(&all));
        }
        let blocks = (SIZES[1] - SIZES[0]) * MIB / BLOCK;
        let blocks = f64::from(u32::try_from(blocks)?);
        let [small, large] = &medians[..] else { continue };
        let each = |name: &String| {
            let difference = large.get(name)? - small.get(name)?;
            Some((name.clone(), difference / blocks))
        };
        let each: Counts = large.keys().filter_map(each).collect();
        let cell = |name| each.get(name).map_or_else(|| "-".to_owned(), |n| format!("{n:.3}"));
        println!("{}", line(task.word(), columns().map(cell)));
        rows.push(json!({ "task": task.word(), "of_a_block": each }));
    }
    Ok(Value::Array(rows))
}

fn columns() -> impl Iterator<Item = &'static str> {
    EVENTS.iter().map(|(_, name)| *name).chain(["allocations"])
}

fn line(what: &str, cells: impl Iterator<Item = String>) -> String {
    cells.fold(format!("  {what:<10}"), |line, cell| format!("{line}{cell:>17}"))
}

/// One run; `None` if perf can't count.
fn count(
    events: &str,
    task: Task,
    work: &Work,
    data: &[u8],
    setting: &Setting,
) -> Result<Option<Counts>> {
    let file = work.folder().join("perf");
    let words = ["perf", "stat", "--field-separator=,", "--event", events, "--output"];
    let mut words = words.map(OsStr::new).to_vec();
    words.push(file.as_os_str());
    if Command::new("perf").arg("--version").output().is_err() {
        return Ok(None);
    }
    measure::run(Client::Pieces, task, work, data, &setting.run_by(&words))?;
    let counts = read(&fs::read_to_string(file)?);
    Ok((!counts.is_empty()).then_some(counts))
}

/// The lines of perf: the count, its unit, the event.
fn read(output: &str) -> Counts {
    let mut counts = Counts::new();
    for line in output.lines() {
        let mut cells = line.split(',');
        let count = cells.next().and_then(|count| count.parse::<f64>().ok());
        let (Some(count), Some(event)) = (count, cells.nth(1)) else { continue };
        let ours = EVENTS.iter().find(|(name, _)| *name == event).map(|(_, name)| *name);
        let name = match ours {
            Some(name) => name,
            None if event.starts_with(GROUP) => "allocations",
            None => continue,
        };
        *counts.entry(name.to_owned()).or_default() += count;
    }
    counts
}

fn median(all: &[Counts]) -> Counts {
    let names = all.first().into_iter().flat_map(BTreeMap::keys);
    let of = |name: &String| {
        let mut counts: Vec<f64> =
            all.iter().filter_map(|counts| counts.get(name)).copied().collect();
        counts.sort_by(f64::total_cmp);
        Some((name.clone(), *counts.get(counts.len() / 2)?))
    };
    names.filter_map(of).collect()
}

/// Probes on the functions that allocate, until this is dropped.
struct Probes;

impl Probes {
    /// `None` where perf may not set them.
    fn set() -> Option<Self> {
        let maps = fs::read_to_string("/proc/self/maps").ok()?;
        let library = maps.lines().find_map(|line| {
            line.split_whitespace()
                .last()
                .filter(|path| path.contains("/libc.so") || path.contains("/libc-"))
        })?;
        // Those that a run left that was killed.
        drop(Self);
        let probes = Self;
        for function in ALLOCATORS {
            let event = format!("{GROUP}:{function}={function}");
            let output =
                Command::new("perf").args(["probe", "-q", "-x", library, "--add", &event]).output();
            output.ok().filter(|output| output.status.success())?;
        }
        Some(probes)
    }
}

impl Drop for Probes {
    fn drop(&mut self) {
        // There may be none.
        let _ = Command::new("perf").args(["probe", "-q", "-d", &format!("{GROUP}:*")]).output();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_perf_are_read() {
        let output = "# started on a day

700,,pieces_bench:malloc,39668251,100.00,,
2,,pieces_bench:calloc,39668251,100.00,,
110,,raw_syscalls:sys_enter,39668251,100.00,,
<not counted>,,syscalls:sys_enter_readv,0,100.00,,
20,,context-switches,39668251,100.00,,
";
        let expected =
            [("allocations", 702.0), ("context switches", 20.0), ("system calls", 110.0)];
        assert_eq!(read(output), expected.map(|(name, count)| (name.to_owned(), count)).into());
    }
}
