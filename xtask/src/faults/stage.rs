//! What campaigns share: folders and calls of the program for each case, and what can be seen of a
//! program and its files from outside. Never decides what must hold.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;
use testkit::process::Process;
use testkit::torrent::Torrent;

use crate::Result;

/// What every campaign is given.
pub(super) struct Stage {
    pub(super) binary: PathBuf,
    pub(super) folder: TempDir,
    pub(super) long: bool,
    pub(super) rng: fastrand::Rng,
}

impl Stage {
    /// A folder of its own for one case: target, resume state and `.torrent`.
    pub(super) fn case(&self, name: &str, torrent: &Torrent, trackers: &[&str]) -> Result<Case> {
        self.case_in(&self.folder.path().join(name), &torrent.metainfo(trackers))
    }

    /// The same in a given folder, of any `.torrent`.
    pub(super) fn case_in(&self, folder: &Path, metainfo: &[u8]) -> Result<Case> {
        let case = Case {
            binary: self.binary.clone(),
            target: folder.join("target"),
            state: folder.join("state"),
            file: folder.join("case.torrent"),
        };
        fs::create_dir_all(&case.target)?;
        fs::write(&case.file, metainfo)?;
        Ok(case)
    }
}

/// One torrent, one target folder, one memory of earlier runs.
pub(super) struct Case {
    pub(super) binary: PathBuf,
    /// Where the files go.
    pub(super) target: PathBuf,
    /// `XDG_STATE_HOME` of the program.
    pub(super) state: PathBuf,
    /// The `.torrent`.
    pub(super) file: PathBuf,
}

impl Case {
    /// A call of the program with this verb, on the loopback, not started yet.
    pub(super) fn command(&self, verb: &str) -> Command {
        self.prepare(Command::new(&self.binary), verb)
    }

    /// The same with a node in the DHT, which knows no other.
    pub(super) fn command_with_dht(&self, verb: &str) -> Command {
        self.on_loopback(Command::new(&self.binary), verb)
    }

    /// Without one, and with what the program is run by, if it is not run directly.
    pub(super) fn prepare(&self, command: Command, verb: &str) -> Command {
        let mut command = self.on_loopback(command, verb);
        command.arg("--no-dht");
        command
    }

    fn on_loopback(&self, mut command: Command, verb: &str) -> Command {
        command.arg(verb).arg(&self.file).arg("-d").arg(&self.target);
        command.args(["--bind", "127.0.0.1", "--port", "0", "--no-lsd"]);
        command.env("XDG_STATE_HOME", &self.state).env("NO_COLOR", "1");
        command
    }

    /// A call that only looks at the `.torrent`.
    pub(super) fn look(&self, verb: &str) -> Command {
        let mut command = Command::new(&self.binary);
        command.arg(verb).arg(&self.file).env("NO_COLOR", "1");
        command
    }

    /// `download` with these peers.
    pub(super) fn download(&self, peers: &[SocketAddr]) -> Result<Process> {
        Process::start("pieces-cli", self.command("download").args(peer_arguments(peers)).arg("-v"))
    }
}

pub(super) fn peer_arguments(peers: &[SocketAddr]) -> Vec<String> {
    peers.iter().flat_map(|peer| ["--peer".to_owned(), peer.to_string()]).collect()
}

/// How many pieces the program says it found, if it said so.
pub(super) fn found_pieces(line: &str) -> Option<u32> {
    let (before, _) = line
        .split_once(" pieces are here already")
        .or_else(|| line.split_once(" pieces is here already"))?;
    before.rsplit(' ').nth(2)?.parse().ok()
}

/// Fails with `what` and the program's last words unless `holds`.
pub(super) fn ensure(holds: bool, process: &Process, what: &str) -> Result<()> {
    if holds { Ok(()) } else { Err(process.failure(what)) }
}

/// How many pieces of the torrent are right in the files below `target`, as far as there are any.
pub(super) fn whole_pieces(torrent: &Torrent, target: &Path) -> Result<u32> {
    let mut bytes = Vec::new();
    for file in torrent.files() {
        let mut found = match fs::read(torrent.path_in(target, file)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            found => found?,
        };
        found.resize(usize::try_from(file.len).unwrap_or(usize::MAX), 0);
        bytes.extend(found);
    }
    let pieces = bytes.chunks(torrent.piece_length() as usize);
    let right = (0..).zip(pieces).filter(|&(piece, bytes)| bytes == torrent.piece(piece));
    Ok(u32::try_from(right.count())?)
}

/// Processor time of a program so far.
pub(super) fn cpu(program: &Process) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", program.pid()))?;
    let (_, fields) = stat.rsplit_once(')').ok_or("a stat without a name")?;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
    let ticks = ticks.sum::<std::result::Result<u64, _>>()?;
    // Linux counts a hundred a second on every machine that matters here.
    Ok(Duration::from_millis(ticks * 10))
}

/// A size of `/proc/PID/status`, in bytes: `VmRSS` is the memory a program has now, `VmHWM` the most
/// it has had.
pub(super) fn memory(program: &Process, which: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", program.pid()))?;
    let line = status.lines().find_map(|line| line.strip_prefix(which));
    let kib = line.and_then(|rest| rest.split_whitespace().nth(1)).ok_or("no such size")?;
    Ok(kib.parse::<u64>()? << 10)
}

/// The median; of no times at all, none.
pub(super) fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
