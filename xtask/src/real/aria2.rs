//! aria2: one process a torrent, which leaves when the download is whole.

use std::process::Command;

use testkit::process::Process;

use super::client::{Client, Job, Secrecy, first_line};
use crate::Result;

/// `aria2c`.
pub(super) struct Aria2;

impl Client for Aria2 {
    fn name(&self) -> &'static str {
        "aria2"
    }

    fn version(&self) -> Option<String> {
        first_line("aria2c", "--version")
    }

    fn seed(&self, job: &Job<'_>) -> Result<Process> {
        let mut command = command(job);
        command.args(["--check-integrity=true", "--seed-ratio=0"]).arg(job.torrent);
        Process::start(self.name(), &mut command)
    }

    fn leech(&self, job: &Job<'_>) -> Result<Process> {
        let mut command = command(job);
        command.args(["--seed-time=0"]).arg(job.torrent);
        Process::start(self.name(), &mut command)
    }

    fn leaves_when_done(&self) -> bool {
        true
    }
}

fn command(job: &Job<'_>) -> Command {
    let mut command = job.command("aria2c");
    command.args(["--no-conf=true", "--file-allocation=none", "--summary-interval=0"]);
    command.args(["--enable-dht6=false", "--bt-enable-lpd=false"]);
    match job.discovery.dht {
        Some(node) => {
            command.args(["--enable-dht=true", &format!("--dht-entry-point={node}")]);
            command.arg(format!("--dht-listen-port={}", job.port));
            command.arg("--dht-file-path").arg(job.scratch.join("dht.dat"));
        }
        None => {
            command.arg("--enable-dht=false");
        }
    }
    command.args(["--enable-peer-exchange=false", "--console-log-level=info"]);
    command.arg(format!("--listen-port={}", job.port)).arg("--dir").arg(job.dir);
    if job.secrecy == Secrecy::Required {
        command.arg("--bt-force-encryption=true");
    }
    command
}
