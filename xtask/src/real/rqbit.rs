//! rqbit: one process a torrent, which leaves when the download is whole if asked to.

use std::process::Command;

use testkit::process::Process;

use super::client::{Client, Job, first_line};
use crate::Result;

/// `rqbit`.
pub(super) struct Rqbit;

impl Client for Rqbit {
    fn name(&self) -> &'static str {
        "rqbit"
    }

    fn version(&self) -> Option<String> {
        first_line("rqbit", "--version")
    }

    fn seed(&self, job: &Job<'_>) -> Result<Process> {
        let mut command = command(job);
        Process::start(self.name(), command.arg("--overwrite").arg(job.torrent))
    }

    fn leech(&self, job: &Job<'_>) -> Result<Process> {
        let mut command = command(job);
        Process::start(self.name(), command.arg("--exit-on-finish").arg(job.torrent))
    }

    fn encrypts(&self) -> bool {
        false
    }

    fn leaves_when_done(&self) -> bool {
        true
    }
}

fn command(job: &Job<'_>) -> Command {
    let mut command = job.command("rqbit");
    command.args(["-v", "info", "--disable-dht", "--disable-upnp-port-forward"]);
    command.args(["--listen-port", &job.port.to_string()]);
    command.args(["download", "--disable-http-api", "--output-folder"]).arg(job.dir);
    command
}
