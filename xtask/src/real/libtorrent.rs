//! libtorrent, through its Python binding and a script of our own.

use std::process::Command;

use testkit::process::Process;

use super::client::{Client, Job, Secrecy};
use crate::Result;

/// Debian's `python3-libtorrent` is seen by Debian's Python only.
pub(super) const PYTHON: &str = "/usr/bin/python3";

const SCRIPT: &str = include_str!("libtorrent.py");

/// libtorrent (rasterbar).
pub(super) struct Libtorrent;

impl Client for Libtorrent {
    fn name(&self) -> &'static str {
        "libtorrent"
    }

    fn version(&self) -> Option<String> {
        let program = "import libtorrent; print(libtorrent.__version__)";
        let output = Command::new(PYTHON).args(["-c", program]).output().ok()?;
        let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        output.status.success().then(|| format!("libtorrent {version}"))
    }

    fn seed(&self, job: &Job<'_>) -> Result<Process> {
        start(job)
    }

    fn leech(&self, job: &Job<'_>) -> Result<Process> {
        start(job)
    }
}

fn start(job: &Job<'_>) -> Result<Process> {
    let mut command = job.command(PYTHON);
    command.args(["-c", SCRIPT]).arg(job.torrent).arg(job.dir);
    command.args([job.ip().to_string(), job.port.to_string()]);
    // Whether it encrypts, and by which methods: 1 is plaintext behind an encrypted handshake, 2 is RC4.
    command.args(match job.secrecy {
        Secrecy::Off => ["2", "3"],
        Secrecy::Allowed => ["1", "3"],
        Secrecy::Required => ["0", "2"],
    });
    let node = job.discovery.dht.map(|node| node.to_string());
    command.arg(node.unwrap_or_default());
    Process::start("libtorrent", &mut command)
}
