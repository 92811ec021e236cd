//! `cargo xtask faults`: what goes wrong in the world, done to `pieces-cli` on purpose.
//!
//! Owns the list of campaigns, the table of their figures and the seed that replays them. A campaign
//! is one file below; it returns its figures, or the error that names what did not hold. Never uses
//! the internet, and never a crate of `crates/`.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use testkit::binary::{self, Profile};

use self::stage::{
    Case, Stage, cpu, ensure, found_pieces, median, memory, peer_arguments, whole_pieces,
};
use crate::Result;
use crate::table::{Align, Mood, Table, seconds};

mod claims;
mod crowd;
mod crowding;
mod disk;
mod full;
mod host;
mod hostile;
mod kill;
mod liars;
mod many_files;
mod paths;
mod policy;
mod power;
mod pulled;
pub(crate) mod sabotage;
mod stage;
mod starve;
mod torn;
mod tracker;

/// What a campaign did, and how it ended.
enum Outcome {
    /// Everything held; the figures.
    Held(String),
    /// It could not be run here, and why.
    Skipped(&'static str),
    /// It noticed that the program was sabotaged; in what words.
    Red(String),
}

/// Its name, and what runs it.
type Campaign = (&'static str, fn(&mut Stage) -> Result<Outcome>);

const CAMPAIGNS: &[Campaign] = &[
    ("hostile", hostile::run),
    ("kill", kill::run),
    ("power", power::run),
    ("torn", torn::run),
    ("claims", claims::run),
    ("full", full::run),
    ("pulled", pulled::run),
    ("liars", liars::run),
    ("tracker", tracker::run),
    ("paths", paths::run),
    ("starve", starve::run),
    ("crowd", crowd::run),
    ("crowding", crowding::run),
    ("policy", policy::run),
];

/// Campaigns that run side by side in the short form.
const LANES: usize = 2;

const COLUMNS: &[(&str, Align)] =
    &[("campaign", Align::Left(8)), ("seconds", Align::Right(8)), ("figures", Align::Left(0))];

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only this campaign
    name: Option<String>,
    /// As many cases as the promises speak of, instead of a sample
    #[arg(long)]
    long: bool,
    /// Replays the random choices of an earlier run
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Run this campaign, or all, against a program that was broken on purpose: it must go red
    #[arg(long, value_name = "NAME", conflicts_with_all = ["name", "long"])]
    sabotage: Option<String>,
    /// Campaigns that may be skipped where they cannot run; if given, any other skip is a failure
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    may_skip: Option<Vec<String>>,
}

/// The names of all campaigns.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    CAMPAIGNS.iter().map(|(name, _)| *name)
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let only = arguments.sabotage.as_ref().filter(|name| *name != "all");
    let only = only.or(arguments.name.as_ref());
    let wanted = |name: &str| only.is_none_or(|only| only == name);
    let campaigns: Vec<&Campaign> = CAMPAIGNS.iter().filter(|(name, _)| wanted(name)).collect();
    if campaigns.is_empty() {
        let names: Vec<&str> = names().collect();
        return Err(format!("no such campaign; there are {}", names.join(", ")).into());
    }
    let seed = arguments.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    println!("building  pieces-cli");
    // As users run it, where figures of speed and a gigabyte to check count.
    let profile = if arguments.long { Profile::Release } else { Profile::Dev };
    let built = binary::build("pieces-cli", profile)?;
    // A build that goes on meanwhile must not replace what is judged.
    let kept = tempfile::Builder::new().prefix("pieces-faults-").tempdir()?;
    let binary = kept.path().join("pieces-cli");
    fs::copy(&built, &binary)?;
    println!("seed      {seed} (replay with --seed {seed})");
    let run = Run {
        binary,
        seed,
        long: arguments.long,
        sabotage: arguments.sabotage.is_some(),
        may_skip: arguments.may_skip.clone(),
        table: Table::start(COLUMNS),
        failures: Mutex::default(),
    };
    // Most of what a campaign does is wait, but figures of speed want the machine for themselves.
    let lanes = if run.long || run.sabotage { 1 } else { LANES };
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(campaign) = campaigns.get(next.fetch_add(1, Ordering::Relaxed)) {
            run.one(campaign);
        }
    };
    thread::scope(|scope| (0..lanes).for_each(|_| drop(scope.spawn(work))));
    let failures = run.failures.into_inner().unwrap_or_else(PoisonError::into_inner);
    for failure in &failures {
        println!("\n{failure}");
    }
    match failures.len() {
        0 => Ok(()),
        failed => Err(format!("{failed} failed; replay with --seed {seed}").into()),
    }
}

/// One call of the command.
struct Run {
    binary: PathBuf,
    seed: u64,
    long: bool,
    sabotage: bool,
    may_skip: Option<Vec<String>>,
    table: Table,
    failures: Mutex<Vec<String>>,
}

impl Run {
    /// Runs a campaign and prints its row.
    fn one(&self, (name, campaign): &Campaign) {
        let started = Instant::now();
        let outcome = self.outcome(name, *campaign);
        let took = seconds(started.elapsed());
        let row = |mood, figures: &str| self.table.row(mood, &[name, &took, figures]);
        let fail = |why: String| {
            row(Mood::Bad, "failed, see below");
            self.failures.lock().unwrap_or_else(PoisonError::into_inner).push(why);
        };
        match outcome {
            Ok(Outcome::Skipped(why)) => {
                let listed = |names: &Vec<String>| names.iter().any(|listed| listed == name);
                if self.may_skip.as_ref().is_none_or(listed) {
                    row(Mood::Neutral, &format!("skipped: {why}"));
                } else {
                    fail(format!("{name}: skipped and not listed as one that may be: {why}"));
                }
            }
            Ok(Outcome::Held(figures)) if self.sabotage => {
                fail(format!("{name}: does not notice the sabotage: {figures}"));
            }
            Ok(Outcome::Held(figures)) => row(Mood::Good, &figures),
            Ok(Outcome::Red(words)) => row(Mood::Good, &format!("red, as it has to be: {words}")),
            Err(error) => fail(format!("{name}: {error}")),
        }
    }

    fn outcome(&self, name: &str, campaign: fn(&mut Stage) -> Result<Outcome>) -> Result<Outcome> {
        let folder = tempfile::Builder::new().prefix("pieces-faults-").tempdir()?;
        let rng = fastrand::Rng::with_seed(self.seed);
        let mut stage = Stage { binary: self.binary.clone(), folder, long: self.long, rng };
        if !self.sabotage {
            return campaign(&mut stage);
        }
        stage.binary = stage.folder.path().join("sabotaged");
        sabotage::build(name, &stage.binary)?;
        match campaign(&mut stage) {
            Err(error) => {
                let first = error.to_string().lines().next().unwrap_or_default().to_owned();
                Ok(Outcome::Red(first))
            }
            other => other,
        }
    }
}
