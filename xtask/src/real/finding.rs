//! How peers are found where no tracker names them: by the DHT, by the local network, by each other;
//! and that private torrents are found in none of these ways.
//!
//! Owns the rows and their order. Never judges a transfer's speed.

mod capture;
mod dht;
mod local;
mod pex;
mod private;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use testkit::process::Process;
use testkit::torrent::Torrent;

use super::client::{Client, Discovery, Job, Secrecy};
use super::net::{Host, Network};
use super::{libtorrent, transmission};
use crate::Result;
use crate::table::{Align, Mood, Table, seconds};

const COLUMNS: &[(&str, Align)] =
    &[("finding", Align::Left(30)), ("seconds", Align::Right(8)), ("result", Align::Left(0))];

/// Runs what needs no long wait, and with `long` the rest. Gives how many went well, and what did not.
pub(super) fn run(binary: &Path, network: &Network, long: bool) -> (usize, Vec<String>) {
    let Some(mut rows) = Rows::start() else { return (0, Vec::new()) };
    rows.add("private torrent, capture", || private::run(binary, network));
    if long {
        if transmission::Transmission.version().is_some() {
            rows.add("lsd: two of us, transmission", || local::run(binary, network));
        }
        rows.add("pex: one peer known of ten", || pex::run(binary, network));
    }
    (rows.right, rows.failures)
}

/// Runs what the DHT is needed for.
pub(super) fn run_dht(binary: &Path, network: &Network) -> (usize, Vec<String>) {
    let Some(mut rows) = Rows::start() else { return (0, Vec::new()) };
    dht::run(binary, network, &mut rows);
    (rows.right, rows.failures)
}

struct Rows {
    table: Table,
    right: usize,
    failures: Vec<String>,
}

impl Rows {
    /// `None` if libtorrent is not here, which all of them need.
    fn start() -> Option<Self> {
        let table = Table::start(COLUMNS);
        if libtorrent::Libtorrent.version().is_none() {
            table.row(Mood::Neutral, &["", "", "libtorrent is not installed"]);
            return None;
        }
        Some(Self { table, right: 0, failures: Vec::new() })
    }

    /// Plays one row, which says what was seen.
    fn add(&mut self, name: &str, play: impl FnOnce() -> Result<String>) {
        let started = Instant::now();
        let outcome = play();
        let took = seconds(started.elapsed());
        match outcome {
            Ok(seen) => {
                self.right += 1;
                self.table.row(Mood::Good, &[name, &took, &seen]);
            }
            Err(error) => {
                self.table.row(Mood::Bad, &[name, &took, "failed, see below"]);
                self.failures.push(format!("── {name}\n{error}"));
            }
        }
    }
}

/// Somebody's folders, gone when dropped.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("pieces-finding-").tempdir()?;
        for name in ["data", "scratch"] {
            std::fs::create_dir(folder.path().join(name))?;
        }
        Ok(Self { folder })
    }

    /// With everything that the torrent has.
    fn with(content: &Torrent) -> Result<Self> {
        let place = Self::new()?;
        content.write_files(&place.data())?;
        Ok(place)
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    fn scratch(&self) -> PathBuf {
        self.path().join("scratch")
    }
}

/// Starts a client that is to `seed` or to fetch what `torrent` names: a file or a magnet URI.
fn start(
    client: &dyn Client,
    seed: bool,
    (host, port): (&Host, u16),
    torrent: &Path,
    place: &Place,
    discovery: Discovery,
) -> Result<Process> {
    let (dir, scratch, secrecy) = (&place.data(), &place.scratch(), Secrecy::Allowed);
    let job = Job { host, port, torrent, dir, scratch, secrecy, discovery };
    if seed { client.seed(&job) } else { client.leech(&job) }
}

/// The peer ids of those that a pieces-cli was connected to, by what it says at `-vv`.
fn met(line: &str, ids: &mut BTreeSet<String>) {
    if let Some((_, id)) =
        line.split_once(": connected, ").and_then(|(_, l)| l.split_once("peer id "))
    {
        ids.insert(id.to_owned());
    }
}
