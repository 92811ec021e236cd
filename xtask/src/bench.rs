//! `cargo xtask bench`: pieces beside every client we did not write, and beside a yardstick, in turn on
//! this machine; then what concerns pieces alone.
//!
//! Owns the order of the parts and where their figures go. Never sends a packet outside the machine: all
//! of it runs in a network namespace of its own.

mod arguments;
mod blocks;
mod client;
mod durability;
mod encryption;
mod growth;
mod machine;
mod measure;
mod overflow;
mod peer;
mod picture;
mod programs;
mod report;
mod rivals;
mod spread;
mod swarm;
mod tasks;
mod work;
mod yardstick;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use serde_json::Value;
use testkit::binary::{self, Profile};

use crate::real::net;
use crate::{Result, interrupt, root};
pub(crate) use arguments::Arguments;
use arguments::{Part, Task};
use work::Work;

const MIB: usize = 1 << 20;

/// The piece length of everything measured here.
const PIECE_LEN: usize = MIB;

/// MiB of data, unless told otherwise.
const SIZE: usize = 1024;

/// What all runs have in common.
#[derive(Clone)]
struct Setting {
    /// The pieces-cli that is measured.
    program: PathBuf,
    /// The program that runs it and watches, with its arguments; nothing for none.
    under: Vec<OsString>,
    machine: String,
    command: String,
    /// Bytes of data.
    size: usize,
    piece_len: usize,
}

impl Setting {
    /// A command that runs pieces-cli.
    fn pieces(&self) -> Command {
        let Some((watcher, arguments)) = self.under.split_first() else {
            return Command::new(&self.program);
        };
        let mut command = Command::new(watcher);
        command.args(arguments).arg(&self.program);
        command
    }

    /// The same with pieces-cli run by this program.
    fn run_by(&self, words: &[&OsStr]) -> Self {
        Self { under: words.iter().map(Into::into).collect(), ..self.clone() }
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if let Some(task) = arguments.yardstick {
        return yardstick(arguments, task);
    }
    let parts = arguments.parts();
    if !arguments.inside {
        programs::build(root(), parts)?;
        if arguments.binary.is_some() {
            return net::enter(&[]);
        }
        println!("building  pieces-cli (release)");
        let binary = binary::build("pieces-cli", Profile::Release)?;
        return net::enter(&["--binary".as_ref(), binary.as_os_str()]);
    }
    let started = Instant::now();
    prepare_network()?;
    let size = arguments
        .size
        .map_or(if arguments.quick { tasks::QUICK_SIZE } else { SIZE * MIB }, |size| size * MIB);
    let program = arguments.binary.as_ref().ok_or("--inside needs --binary")?;
    let setting = Setting {
        program: fs::canonicalize(program)?,
        under: Vec::new(),
        machine: machine::describe(),
        command: arguments.spoken(),
        size,
        piece_len: PIECE_LEN,
    };
    println!("{}\n{}, {} MiB, 1 MiB pieces", setting.machine, setting.command, size / MIB);

    let parent = arguments.dir.clone().unwrap_or_else(std::env::temp_dir);
    let (mut outcome, mut others) = (None, Vec::new());
    for part in parts {
        interrupt::check()?;
        let figures = match part {
            Part::Tasks => {
                outcome = Some(tasks::run(&parent, arguments, &setting)?);
                continue;
            }
            part => measure(*part, &parent, &setting)?,
        };
        others.push((part.word(), figures));
    }
    interrupt::check()?;
    let outcome = outcome.unwrap_or(tasks::Outcome { cells: Vec::new(), rounds: 0 });
    let mut report = report::json(&outcome, &setting, started.elapsed());
    for (word, figures) in others {
        report[word] = figures;
    }
    write(arguments, &report, &picture::svg(&outcome.cells, &setting))?;
    let failed: Vec<&str> = outcome.cells.iter().filter_map(|cell| cell.error.as_deref()).collect();
    if failed.is_empty() { Ok(()) } else { Err(failed.join("\n").into()) }
}

/// A part that concerns pieces alone.
fn measure(part: Part, parent: &Path, setting: &Setting) -> Result<Value> {
    match part {
        Part::Tasks => Ok(Value::Null),
        Part::Growth => growth::run(parent, setting),
        Part::Encryption => encryption::run(parent, setting),
        Part::Blocks => blocks::run(parent, setting),
        Part::Durability => durability::run(parent, setting),
        Part::Overflow => overflow::run(parent, setting),
        Part::Spread => spread::run(parent, setting),
        Part::Swarm => swarm::run(),
        Part::Bencode => rivals::run(root()),
    }
}

/// Writes what is to be kept.
fn write(arguments: &Arguments, report: &Value, picture: &str) -> Result<()> {
    let docs = |name| arguments.docs.then(|| root().join("docs").join(name));
    let text = serde_json::to_string_pretty(report)? + "\n";
    for path in arguments.json.clone().into_iter().chain(docs("bench.json")) {
        fs::write(path, &text)?;
    }
    for path in arguments.svg.clone().into_iter().chain(docs("bench.svg")) {
        fs::write(path, picture)?;
    }
    Ok(())
}

fn yardstick(arguments: &Arguments, task: Task) -> Result<()> {
    let missing = "a yardstick has --listen, --folder and --fresh";
    let folder = arguments.folder.as_ref().ok_or(missing)?;
    let (listen, fresh) = (arguments.listen.ok_or(missing)?, arguments.fresh.as_ref());
    let work = Work::open(folder, PIECE_LEN)?;
    match task {
        Task::Download => yardstick::download(listen, &work, fresh.ok_or(missing)?),
        Task::Seed => yardstick::seed(listen, &work),
        Task::Check | Task::Create => yardstick::check(&work),
    }
}

/// Gives the namespace, which has nothing but an interface that is down, the two addresses.
fn prepare_network() -> Result<()> {
    let mut steps = vec![vec!["link".to_owned(), "set".into(), "lo".into(), "up".into()]];
    for ip in [measure::THEIR_IP, measure::OUR_IP] {
        steps.push(vec![
            "addr".into(),
            "add".into(),
            format!("{ip}/24"),
            "dev".into(),
            "lo".into(),
        ]);
    }
    for step in steps {
        if !Command::new("ip").args(&step).status()?.success() {
            return Err(format!("ip {} failed", step.join(" ")).into());
        }
    }
    Ok(())
}
