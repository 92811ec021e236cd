//! Every client at every task, in turn, round after round.
//!
//! Owns how often each is measured. Never decides how, or what is said of it.

use std::path::Path;
use std::time::{Duration, Instant};

use super::arguments::{Arguments, Task};
use super::client::{self, Client};
use super::report::Cell;
use super::work::Work;
use super::{MIB, PIECE_LEN, Setting, machine, measure, report};
use crate::{Result, interrupt};

/// What the issues promise: this many of each, taken in turn.
const ROUNDS: usize = 7;

/// Rounds of a client that dawdles; `--quick` has none.
const DAWDLE_ROUNDS: usize = 3;

/// What `--quick` takes: this many rounds of this many MiB, unless the next would end later.
const QUICK_ROUNDS: usize = 3;
pub(super) const QUICK_SIZE: usize = 128 * MIB;
const QUICK: Duration = Duration::from_secs(50);

/// All cells, and how many rounds each that does not dawdle has.
pub(super) struct Outcome {
    pub(super) cells: Vec<Cell>,
    pub(super) rounds: usize,
}

/// Measures, and prints a table a task.
pub(super) fn run(parent: &Path, arguments: &Arguments, setting: &Setting) -> Result<Outcome> {
    let started = Instant::now();
    let tasks = if arguments.task.is_empty() { &Task::ALL[..] } else { &arguments.task };
    let mut cells = cells(tasks, arguments, setting);
    let (work, data) = Work::create(parent, setting.size, PIECE_LEN)?;
    let rounds = arguments.rounds.unwrap_or(if arguments.quick { QUICK_ROUNDS } else { ROUNDS });
    // The first of many rounds only wakes everything up.
    let skipped = usize::from(!arguments.quick);
    let (mut counted, mut longest) = (0, Duration::ZERO);
    for round in 0..rounds + skipped {
        if arguments.quick && round > 0 && started.elapsed() + longest > QUICK {
            break;
        }
        let began = Instant::now();
        for cell in cells.iter_mut().filter(|cell| cell.error.is_none()) {
            if cell.client.dawdles(cell.task) && round >= skipped + DAWDLE_ROUNDS {
                continue;
            }
            interrupt::check()?;
            match measure::run(cell.client, cell.task, &work, &data, setting) {
                Ok(cost) if round >= skipped => cell.costs.push(cost),
                Ok(_) => {}
                Err(error) => cell.error = Some(error.to_string()),
            }
        }
        counted += usize::from(round >= skipped);
        longest = longest.max(began.elapsed());
        let (round, rounds) = (round + 1, rounds + skipped);
        eprintln!("round {round} of {rounds}: {:.1} s", began.elapsed().as_secs_f64());
    }
    interrupt::check()?;
    for &task in tasks {
        print!("{}", report::table(&cells, task));
    }
    println!("\nmedians of {counted} rounds, taken in turn; {}", machine::load());
    Ok(Outcome { cells, rounds: counted })
}

/// Who takes part; says who is missing.
fn cells(tasks: &[Task], arguments: &Arguments, setting: &Setting) -> Vec<Cell> {
    let wanted = |c: &Client| {
        arguments.only.is_empty() || arguments.only.iter().any(|name| name == c.name())
    };
    let mut clients = Vec::new();
    for client in client::ALL.into_iter().filter(wanted) {
        let version = client.version(setting);
        println!("  {:<13}{}", client.name(), version.as_deref().unwrap_or("missing"));
        clients.extend(version.map(|_| client));
    }
    let mut cells = Vec::new();
    for &task in tasks {
        let able = clients.iter().filter(|client| {
            client.end(task).is_some() && !(arguments.quick && client.dawdles(task))
        });
        cells.extend(able.map(|&client| Cell { client, task, costs: Vec::new(), error: None }));
    }
    cells
}
