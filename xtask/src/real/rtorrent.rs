//! rtorrent, without its screen.

use testkit::process::Process;

use super::client::{Client, Job, Secrecy, first_line};
use crate::Result;

/// `rtorrent`.
pub(super) struct Rtorrent;

impl Client for Rtorrent {
    fn name(&self) -> &'static str {
        "rtorrent"
    }

    fn version(&self) -> Option<String> {
        first_line("rtorrent", "-h")
    }

    fn seed(&self, job: &Job<'_>) -> Result<Process> {
        start(job)
    }

    fn leech(&self, job: &Job<'_>) -> Result<Process> {
        start(job)
    }
}

/// A torrent without resume data is checked first, so seeding and leeching begin alike.
fn start(job: &Job<'_>) -> Result<Process> {
    let (ip, port) = (job.ip(), job.port);
    let (dir, scratch) = (job.dir.display(), job.scratch.display());
    let encryption = match job.secrecy {
        Secrecy::Off => "none",
        Secrecy::Allowed => "allow_incoming, try_outgoing, enable_retry",
        Secrecy::Required => "allow_incoming, try_outgoing, require, require_RC4",
    };
    let settings = job.write(
        "rtorrent.rc",
        &format!(
            "system.daemon.set = true
network.bind_address.set = {ip}
network.local_address.set = {ip}
network.port_range.set = {port}-{port}
network.port_random.set = no
protocol.encryption.set = {encryption}
protocol.pex.set = no
dht.mode.set = disable
trackers.use_udp.set = no
directory.default.set = \"{dir}\"
session.use_lock.set = no
log.open_file = \"log\", \"{scratch}/rtorrent.log\"
log.add_output = \"info\", \"log\"
log.add_output = \"tracker_debug\", \"log\"
log.add_output = \"connection_debug\", \"log\"
"
        ),
    )?;
    let mut command = job.command("rtorrent");
    command.arg("-n").arg("-o").arg(format!("import={}", settings.display())).arg(job.torrent);
    Process::start("rtorrent", command.env("TERM", "dumb"))
}
