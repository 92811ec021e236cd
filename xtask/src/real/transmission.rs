//! transmission: the daemon in the foreground, told by `transmission-remote` what to do.

use std::time::Duration;

use serde_json::json;
use testkit::process::Process;

use super::client::{Client, Job, Secrecy, first_line};
use crate::Result;

const START: Duration = Duration::from_secs(20);

/// Debian's transmission-daemon.
pub(super) struct Transmission;

impl Client for Transmission {
    fn name(&self) -> &'static str {
        "transmission"
    }

    fn version(&self) -> Option<String> {
        first_line("transmission-remote", "--version")?;
        first_line("transmission-daemon", "--version")
    }

    fn seed(&self, job: &Job<'_>) -> Result<Process> {
        start(job)
    }

    fn leech(&self, job: &Job<'_>) -> Result<Process> {
        start(job)
    }

    fn skips_empty_files(&self) -> bool {
        true
    }
}

/// A torrent that is added is checked first, so seeding and leeching begin alike.
fn start(job: &Job<'_>) -> Result<Process> {
    let rpc_port = u32::from(job.port) + 20_000;
    let encryption = match job.secrecy {
        Secrecy::Off => 0,
        Secrecy::Allowed => 1,
        Secrecy::Required => 2,
    };
    let settings = json!({
        "bind-address-ipv4": job.ip().to_string(),
        "dht-enabled": job.discovery.dht.is_some(),
        "encryption": encryption,
        "lpd-enabled": job.discovery.local,
        "peer-port": job.port,
        "pex-enabled": false,
        "port-forwarding-enabled": false,
        "preallocation": 0,
        "rpc-bind-address": "127.0.0.1",
        "rpc-port": rpc_port,
        "utp-enabled": false,
    });
    job.write("settings.json", &settings.to_string())?;
    if let Some(node) = job.discovery.dht {
        job.write("dht.bootstrap", &format!("{} {}\n", node.ip(), node.port()))?;
    }
    let mut daemon = job.command("transmission-daemon");
    daemon.args(["--foreground", "--log-info", "--config-dir"]).arg(job.scratch);
    let daemon = Process::start("transmission", &mut daemon)?;
    daemon.wait_line(START, |line| line.contains("Serving RPC").then_some(()))?;

    let mut add = job.command("transmission-remote");
    add.arg(format!("127.0.0.1:{rpc_port}")).arg("--add").arg(job.torrent);
    add.arg("--download-dir").arg(job.dir);
    Process::start("transmission-remote", &mut add)?.wait_success(START)?;
    Ok(daemon)
}
