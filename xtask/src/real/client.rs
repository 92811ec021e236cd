//! What the lab needs from a client. Owns the words; every client has a file of its own beside this
//! one.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::process::Process;

use super::net::Host;
use crate::Result;

/// A BitTorrent program that can be told to seed and to leech.
pub(super) trait Client {
    /// What it is called in the table and on the command line.
    fn name(&self) -> &'static str;

    /// Its version, or `None` if it is not installed.
    fn version(&self) -> Option<String>;

    /// Starts seeding the whole torrent that lies in the job's folder. The process has to stay.
    fn seed(&self, job: &Job<'_>) -> Result<Process>;

    /// Starts downloading into the job's empty folder.
    fn leech(&self, job: &Job<'_>) -> Result<Process>;

    /// Whether it speaks message stream encryption.
    fn encrypts(&self) -> bool {
        true
    }

    /// Whether it exits with code 0 when its download is whole; the others are watched from outside.
    fn leaves_when_done(&self) -> bool {
        false
    }

    /// Whether it can begin with a magnet URI that names a tracker.
    fn takes_magnets(&self) -> bool {
        true
    }

    /// Whether it is known not to create files without bytes.
    fn skips_empty_files(&self) -> bool {
        false
    }
}

/// What a client is told about encryption.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Secrecy {
    /// As little as it can be told.
    Off,
    /// What it does by itself, or would if Debian had not told it otherwise.
    Allowed,
    /// All, by RC4.
    Required,
}

/// Where a client looks for peers besides trackers; by default nowhere. Those that no row asks for this
/// never do.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Discovery {
    /// In the DHT, beginning with this node.
    pub(super) dht: Option<SocketAddr>,
    /// In the local network.
    pub(super) local: bool,
}

/// What a client shall do, and where.
pub(super) struct Job<'a> {
    /// The machine it runs on.
    pub(super) host: &'a Host,
    /// The port it listens on.
    pub(super) port: u16,
    /// The `.torrent`, or a magnet URI.
    pub(super) torrent: &'a Path,
    /// The folder that holds, or will hold, what the torrent names.
    pub(super) dir: &'a Path,
    /// A folder for its configuration and its logs.
    pub(super) scratch: &'a Path,
    /// Which connections it encrypts.
    pub(super) secrecy: Secrecy,
    /// Where it looks for peers.
    pub(super) discovery: Discovery,
}

impl Job<'_> {
    /// The address of the machine.
    pub(super) fn ip(&self) -> Ipv4Addr {
        self.host.ip
    }

    /// A program that will run on the job's machine, at home in the scratch folder.
    pub(super) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = self.host.command(program);
        command.current_dir(self.scratch).env("HOME", self.scratch);
        command.env_remove("XDG_CONFIG_HOME").env_remove("XDG_DATA_HOME");
        command.env_remove("XDG_STATE_HOME");
        command
    }

    /// Writes a file of configuration and returns its path.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.scratch.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&path, text)?;
        Ok(path)
    }
}

/// The first line that a program prints when asked for its version; `None` if it cannot be started.
pub(super) fn first_line(program: &str, argument: &str) -> Option<String> {
    let output = Command::new(program).arg(argument).output().ok()?;
    let text = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    Some(String::from_utf8_lossy(&text).lines().next().unwrap_or_default().trim().to_owned())
}
