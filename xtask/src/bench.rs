//! `cargo xtask bench`: pieces beside every client we did not write, and beside a yardstick, in turn on
//! this machine.
//!
//! Owns what is measured, how often, and the report. Never sends a packet outside the machine: all of
//! it runs in a network namespace of its own.

mod client;
mod encryption;
mod growth;
mod machine;
mod measure;
mod peer;
mod picture;
mod report;
mod rivals;
mod work;
mod yardstick;

use std::fs;
use std::net::SocketAddrV4;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use testkit::binary::{self, Profile};

use crate::real::net;
use crate::{Result, root};
use client::Client;
use report::Cell;
use work::Work;

const MIB: usize = 1 << 20;

/// The piece length of everything measured here.
const PIECE_LEN: usize = MIB;

/// What the issues promise: this many of each, taken in turn.
const ROUNDS: usize = 7;

/// Rounds of a client that dawdles; `--quick` has none.
const DAWDLE_ROUNDS: usize = 3;

/// `--quick` begins no round that would end later.
const QUICK: Duration = Duration::from_secs(50);

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Less data and fewer rounds: under a minute, good for a first look only
    #[arg(long)]
    quick: bool,
    /// Write all figures to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Draw the medians into this file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Only these clients (pieces, yardstick and others' names)
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    only: Vec<String>,
    /// Only these tasks
    #[arg(long, value_delimiter = ',', value_name = "TASK")]
    task: Vec<Task>,
    /// Memory, rest and encryption of pieces too, which a run of everything has anyway
    #[arg(long)]
    alone: bool,
    /// How many rounds are counted
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,
    /// MiB of data
    #[arg(long, value_name = "MIB")]
    size: Option<usize>,
    /// This pieces-cli instead of the one of this tree
    #[arg(long, value_name = "PATH")]
    binary: Option<PathBuf>,
    /// Where the data goes: a folder on a local disk
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Set when this runs in a network of its own
    #[arg(long, hide = true)]
    inside: bool,
    /// Be the yardstick of this task
    #[arg(long, hide = true, requires_all = ["listen", "folder", "fresh"])]
    yardstick: Option<Task>,
    #[arg(long, hide = true)]
    listen: Option<SocketAddrV4>,
    #[arg(long, hide = true)]
    folder: Option<PathBuf>,
    #[arg(long, hide = true)]
    fresh: Option<PathBuf>,
}

impl Arguments {
    /// The call, as far as it changes what is measured.
    fn spoken(&self) -> String {
        let tasks: Vec<&str> = self.task.iter().map(|task| task.word()).collect();
        let number = |number: Option<usize>| number.map(|number| number.to_string());
        let list = |words: String| Some(words).filter(|words| !words.is_empty());
        let flag = |is_set: bool| is_set.then(String::new);
        let options = [
            ("--quick", flag(self.quick)),
            ("--alone", flag(self.alone)),
            ("--only", list(self.only.join(","))),
            ("--task", list(tasks.join(","))),
            ("--rounds", number(self.rounds)),
            ("--size", number(self.size)),
        ];
        let given = options.into_iter().filter_map(|(name, value)| Some([name.into(), value?]));
        let words = [String::from("cargo xtask bench")].into_iter().chain(given.flatten());
        words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
    }
}

/// A column of the table.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Task {
    Download,
    Seed,
    Check,
    Create,
}

impl Task {
    const ALL: [Self; 4] = [Self::Download, Self::Seed, Self::Check, Self::Create];

    fn word(self) -> &'static str {
        match self {
            Self::Download => "download",
            Self::Seed => "seed",
            Self::Check => "check",
            Self::Create => "create",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Download => "download from one fast seed",
            Self::Seed => "seed to one fast leecher",
            Self::Check => "check what is in the page cache",
            Self::Create => "create a torrent",
        }
    }
}

/// What all runs have in common.
struct Setting {
    /// The pieces-cli that is measured.
    program: PathBuf,
    machine: String,
    command: String,
    /// Bytes of data.
    size: usize,
    piece_len: usize,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if let Some(task) = arguments.yardstick {
        return yardstick(arguments, task);
    }
    let everything = !arguments.quick && arguments.only.is_empty() && arguments.task.is_empty();
    if !arguments.inside {
        if everything {
            rivals::build(root())?;
        }
        if arguments.binary.is_some() {
            return net::enter(&[]);
        }
        println!("building  pieces-cli (release)");
        let binary = binary::build("pieces-cli", Profile::Release)?;
        return net::enter(&["--binary".as_ref(), binary.as_os_str()]);
    }
    let started = Instant::now();
    prepare_network()?;
    let size = arguments.size.unwrap_or(if arguments.quick { 128 } else { 1024 }) * MIB;
    let mut setting = Setting {
        program: arguments.binary.clone().ok_or("--inside needs --binary")?,
        machine: machine::describe(),
        command: arguments.spoken(),
        size,
        piece_len: PIECE_LEN,
    };
    setting.program = fs::canonicalize(&setting.program)?;
    println!("{}\n{}, {} MiB, 1 MiB pieces", setting.machine, setting.command, size / MIB);

    let wanted = |c: &Client| {
        arguments.only.is_empty() || arguments.only.iter().any(|name| name == c.name())
    };
    let mut clients = Vec::new();
    for client in client::ALL.into_iter().filter(wanted) {
        let version = client.version(&setting);
        println!("  {:<13}{}", client.name(), version.as_deref().unwrap_or("missing"));
        clients.extend(version.map(|_| client));
    }
    let tasks = if arguments.task.is_empty() { &Task::ALL[..] } else { &arguments.task };
    let mut cells: Vec<Cell> = Vec::new();
    for &task in tasks {
        let able = clients.iter().filter(|client| {
            client.end(task).is_some() && !(arguments.quick && client.dawdles(task))
        });
        cells.extend(able.map(|&client| Cell { client, task, costs: Vec::new(), error: None }));
    }

    let parent = arguments.dir.clone().unwrap_or_else(std::env::temp_dir);
    let (work, data) = Work::create(&parent, size, PIECE_LEN)?;
    let rounds = arguments.rounds.unwrap_or(if arguments.quick { 3 } else { ROUNDS });
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
            match measure::run(cell.client, cell.task, &work, &data, &setting) {
                Ok(cost) if round >= skipped => cell.costs.push(cost),
                Ok(_) => {}
                Err(error) => cell.error = Some(error.to_string()),
            }
        }
        counted += usize::from(round >= skipped);
        longest = longest.max(began.elapsed());
        eprintln!(
            "round {} of {}: {:.1} s",
            round + 1,
            rounds + skipped,
            began.elapsed().as_secs_f64()
        );
    }

    for &task in tasks {
        print!("{}", report::table(&cells, task));
    }
    println!("\nmedians of {counted} rounds, taken in turn; {}", machine::load());
    let alone = everything || arguments.alone;
    let growth = alone.then(|| growth::run(&parent, &setting)).transpose()?;
    let encryption = alone.then(|| encryption::run(&parent, &setting)).transpose()?;
    let parsers = if everything { Some(rivals::run(root())?) } else { None };
    let took = started.elapsed();
    if let Some(path) = &arguments.json {
        let mut report = report::json(&cells, &setting, counted, took);
        report["bencode"] = parsers.into();
        report["growth"] = growth.into();
        report["encryption"] = encryption.into();
        fs::write(path, serde_json::to_string_pretty(&report)? + "\n")?;
    }
    if let Some(path) = &arguments.svg {
        fs::write(path, picture::svg(&cells, &setting))?;
    }
    let failed: Vec<&str> = cells.iter().filter_map(|cell| cell.error.as_deref()).collect();
    if failed.is_empty() { Ok(()) } else { Err(failed.join("\n").into()) }
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
