//! qBittorrent without a desktop, prepared by a profile of its own.

use testkit::process::Process;

use super::client::{Client, Job, Secrecy, first_line};
use crate::Result;

/// `qbittorrent-nox`.
pub(super) struct Qbittorrent;

impl Client for Qbittorrent {
    fn name(&self) -> &'static str {
        "qbittorrent"
    }

    fn version(&self) -> Option<String> {
        first_line("qbittorrent-nox", "--version")
    }

    fn seed(&self, job: &Job<'_>) -> Result<Process> {
        start(job)
    }

    fn leech(&self, job: &Job<'_>) -> Result<Process> {
        start(job)
    }
}

/// A torrent that is added is checked first, so seeding and leeching begin alike.
fn start(job: &Job<'_>) -> Result<Process> {
    let (ip, port, web_port) = (job.ip(), job.port, u32::from(job.port) + 20_000);
    let dir = job.dir.display();
    let encryption = match job.secrecy {
        Secrecy::Off => 2,
        Secrecy::Allowed => 0,
        Secrecy::Required => 1,
    };
    job.write(
        "qBittorrent/config/qBittorrent.conf",
        &format!(
            "[LegalNotice]
Accepted=true

[BitTorrent]
Session\\BTProtocol=TCP
Session\\DHTEnabled=false
Session\\DefaultSavePath={dir}
Session\\Encryption={encryption}
Session\\InterfaceAddress={ip}
Session\\LSDEnabled=false
Session\\PeXEnabled=false
Session\\Port={port}

[Network]
PortForwardingEnabled=false

[Preferences]
WebUI\\Address=127.0.0.1
WebUI\\Port={web_port}
WebUI\\UseUPnP=false
"
        ),
    )?;
    let mut command = job.command("qbittorrent-nox");
    command.arg(format!("--profile={}", job.scratch.display()));
    command.arg(format!("--save-path={dir}")).arg("--skip-dialog=true").arg(job.torrent);
    Process::start("qbittorrent", &mut command)
}
