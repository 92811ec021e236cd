//! The words of `cargo xtask bench`: what can be asked for, and what is measured unless asked.
//!
//! Owns the command line. Never measures anything.

use std::net::SocketAddrV4;
use std::path::PathBuf;

#[derive(clap::Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Arguments {
    /// Less data and fewer rounds: under a minute, good for a first look only
    #[arg(long)]
    pub(super) quick: bool,
    /// Write docs/bench.json and docs/bench.svg
    #[arg(long)]
    pub(super) docs: bool,
    /// Write all figures to this file
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
    /// Draw the medians into this file
    #[arg(long, value_name = "FILE")]
    pub(super) svg: Option<PathBuf>,
    /// Only these clients (pieces, yardstick and others' names)
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    pub(super) only: Vec<String>,
    /// Only these tasks
    #[arg(long, value_delimiter = ',', value_name = "TASK")]
    pub(super) task: Vec<Task>,
    /// Only these parts of the report
    #[arg(long, value_delimiter = ',', value_name = "PART")]
    pub(super) part: Vec<Part>,
    /// All parts, whatever clients and tasks are chosen; as without any choice
    #[arg(long)]
    pub(super) alone: bool,
    /// How many rounds are counted
    #[arg(long, value_name = "N")]
    pub(super) rounds: Option<usize>,
    /// MiB of data
    #[arg(long, value_name = "MIB")]
    pub(super) size: Option<usize>,
    /// This pieces-cli instead of the one of this tree
    #[arg(long, value_name = "PATH")]
    pub(super) binary: Option<PathBuf>,
    /// Where the data goes: a folder on a local disk
    #[arg(long, value_name = "DIR")]
    pub(super) dir: Option<PathBuf>,
    /// Set when this runs in a network of its own
    #[arg(long, hide = true)]
    pub(super) inside: bool,
    /// Be the yardstick of this task
    #[arg(long, hide = true, requires_all = ["listen", "folder", "fresh"])]
    pub(super) yardstick: Option<Task>,
    #[arg(long, hide = true)]
    pub(super) listen: Option<SocketAddrV4>,
    #[arg(long, hide = true)]
    pub(super) folder: Option<PathBuf>,
    #[arg(long, hide = true)]
    pub(super) fresh: Option<PathBuf>,
}

/// A column of the table.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Task {
    Download,
    Seed,
    Check,
    Create,
}

/// A part of the report.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Part {
    /// Every client at every task
    Tasks,
    /// Memory as torrents and pieces grow, and rest
    Growth,
    /// Download and seed by RC4
    Encryption,
    /// System calls, wake-ups and allocations of a block
    Blocks,
    /// What it costs that nothing is claimed before it is synced
    Durability,
    /// What it costs that arithmetic is checked
    Overflow,
    /// How fast one seed's data reaches a whole swarm
    Spread,
    /// What a block and a `have` cost as torrents grow
    Swarm,
    /// Bencode parsers
    Bencode,
}

impl Part {
    const ALL: [Self; 9] = {
        use Part::{
            Bencode, Blocks, Durability, Encryption, Growth, Overflow, Spread, Swarm, Tasks,
        };
        [Tasks, Growth, Encryption, Blocks, Durability, Overflow, Spread, Swarm, Bencode]
    };

    /// Its name in JSON and on the command line.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Tasks => "tasks",
            Self::Growth => "growth",
            Self::Encryption => "encryption",
            Self::Blocks => "blocks",
            Self::Durability => "durability",
            Self::Overflow => "overflow",
            Self::Spread => "spread",
            Self::Swarm => "swarm",
            Self::Bencode => "bencode",
        }
    }
}

impl Task {
    pub(super) const ALL: [Self; 4] = [Self::Download, Self::Seed, Self::Check, Self::Create];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Download => "download",
            Self::Seed => "seed",
            Self::Check => "check",
            Self::Create => "create",
        }
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Download => "download from one fast seed",
            Self::Seed => "seed to one fast leecher",
            Self::Check => "check what is in the page cache",
            Self::Create => "create a torrent",
        }
    }
}

impl Arguments {
    /// What is measured, in the order of the report.
    pub(super) fn parts(&self) -> &[Part] {
        let chosen = self.quick || !self.only.is_empty() || !self.task.is_empty();
        if !self.part.is_empty() {
            &self.part
        } else if chosen && !self.alone {
            &[Part::Tasks]
        } else {
            &Part::ALL
        }
    }

    /// The call, as far as it changes what is measured.
    pub(super) fn spoken(&self) -> String {
        let tasks: Vec<&str> = self.task.iter().map(|task| task.word()).collect();
        let parts: Vec<&str> = self.part.iter().map(|part| part.word()).collect();
        let number = |number: Option<usize>| number.map(|number| number.to_string());
        let list = |words: String| Some(words).filter(|words| !words.is_empty());
        let flag = |is_set: bool| is_set.then(String::new);
        let options = [
            ("--quick", flag(self.quick)),
            ("--alone", flag(self.alone)),
            ("--docs", flag(self.docs)),
            ("--only", list(self.only.join(","))),
            ("--task", list(tasks.join(","))),
            ("--part", list(parts.join(","))),
            ("--rounds", number(self.rounds)),
            ("--size", number(self.size)),
        ];
        let given = options.into_iter().filter_map(|(name, value)| Some([name.into(), value?]));
        let words = [String::from("cargo xtask bench")].into_iter().chain(given.flatten());
        words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
    }
}
