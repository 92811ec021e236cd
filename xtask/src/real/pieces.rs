//! `pieces-cli`, in the same role as everybody else.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::process::Process;

use super::PIECES;
use super::client::{Client, Job, Secrecy, first_line};
use crate::Result;

/// Ours.
pub(super) struct Pieces {
    binary: PathBuf,
}

impl Pieces {
    pub(super) fn new(binary: &Path) -> Self {
        Self { binary: binary.to_owned() }
    }

    /// The command for a job, which more can be added to.
    pub(super) fn command(&self, verb: &str, job: &Job<'_>) -> Command {
        let mut command = job.command(&self.binary);
        command.arg("-vv").arg(verb).arg(job.torrent).arg("-d").arg(job.dir);
        command.args(["--bind", &job.ip().to_string(), "--port", &job.port.to_string()]);
        match job.discovery.dht {
            Some(node) => command.args(["--dht-bootstrap", &node.to_string()]),
            None => command.arg("--no-dht"),
        };
        if !job.discovery.local {
            command.arg("--no-lsd");
        }
        match job.secrecy {
            Secrecy::Off => command.arg("--encryption=off"),
            Secrecy::Allowed => &mut command,
            Secrecy::Required => command.arg("--encryption=require"),
        };
        command
    }

    fn start(&self, verb: &str, job: &Job<'_>) -> Result<Process> {
        Process::start(PIECES, &mut self.command(verb, job))
    }
}

impl Client for Pieces {
    fn name(&self) -> &'static str {
        PIECES
    }

    fn version(&self) -> Option<String> {
        let binary: OsString = self.binary.clone().into();
        first_line(binary.to_str()?, "--version")
    }

    fn seed(&self, job: &Job<'_>) -> Result<Process> {
        self.start("seed", job)
    }

    fn leech(&self, job: &Job<'_>) -> Result<Process> {
        self.start("download", job)
    }

    fn leaves_when_done(&self) -> bool {
        true
    }
}
