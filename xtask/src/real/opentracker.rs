//! The tracker of the lab: opentracker, a fresh one for each case, or the embedded tracker where it
//! is not installed or, without root, cannot run.
//!
//! Owns its start and the question who is in the swarm. Never judges a client.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use testkit::process::Process;
use testkit::torrent::Torrent;

use super::client::first_line;
use super::net::Host;
use crate::Result;

const PORT: u16 = 6969;

/// Whether the real one can be used. It insists on leaving root behind, which needs a real root.
pub(super) fn installed() -> bool {
    let mapped = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let all_users = mapped.split_whitespace().next_back() == Some("4294967295");
    rustix::process::geteuid().is_root() && all_users && first_line("opentracker", "-h").is_some()
}

/// It has no version of its own; the package has.
pub(super) fn version() -> String {
    let mut query = std::process::Command::new("dpkg-query");
    let output = query.args(["-W", "-f=${Version}", "opentracker"]).output();
    let version = output.map(|o| String::from_utf8_lossy(&o.stdout).into_owned());
    format!("opentracker {}", version.unwrap_or_default()).trim_end().to_owned()
}

/// How the tracker is asked.
#[derive(Clone, Copy)]
pub(super) enum Scheme {
    Http,
    Udp,
}

impl Scheme {
    /// As it stands in a URL.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Udp => "udp",
        }
    }

    /// What belongs into `announce`.
    pub(super) fn url(self, ip: Ipv4Addr) -> String {
        format!("{}://{ip}:{PORT}/announce", self.name())
    }
}

/// A running tracker.
pub(super) enum Tracker {
    Open { process: Process, addr: SocketAddr, info_hash: [u8; 20] },
    Embedded { tracker: testkit::tracker::Tracker, info_hash: [u8; 20] },
}

impl Tracker {
    /// Starts a tracker that knows this torrent only. `dir` becomes opentracker's root.
    pub(super) fn start(host: &Host, dir: &Path, torrent: &Torrent) -> Result<Self> {
        let addr = SocketAddr::from((host.ip, PORT));
        let info_hash = torrent.info_hash();
        if !installed() {
            let tracker = testkit::tracker::Tracker::start_on(addr)?;
            return Ok(Self::Embedded { tracker, info_hash });
        }
        // Read by `nobody`, after a chroot.
        fs::set_permissions(dir, fs::Permissions::from_mode(0o755))?;
        let whitelist = dir.join("whitelist");
        fs::write(&whitelist, format!("{}\n", torrent.info_hash_hex()))?;
        fs::set_permissions(&whitelist, fs::Permissions::from_mode(0o644))?;
        let mut command = host.command("opentracker");
        let (ip, port) = (host.ip.to_string(), PORT.to_string());
        command.args(["-i", &ip, "-p", &port, "-P", &port, "-w", "whitelist", "-d"]).arg(dir);
        let process = Process::start("opentracker", &mut command)?;
        Ok(Self::Open { process, addr, info_hash })
    }

    /// How many are in the swarm, asked by scraping (BEP 48); `None` while it does not answer.
    pub(super) fn members(&self) -> Option<usize> {
        match self {
            Self::Open { addr, info_hash, .. } => scrape(*addr, info_hash).ok(),
            Self::Embedded { tracker, info_hash } => {
                let (seeds, others) = tracker.swarm(*info_hash);
                Some(seeds + others)
            }
        }
    }

    /// Whether it died by itself, which opentracker does now and then under real announces.
    pub(super) fn died(&self) -> bool {
        matches!(self, Self::Open { process, .. } if process.exit().is_some())
    }

    /// What it said.
    pub(super) fn log(&self) -> String {
        match self {
            Self::Open { process, .. } => process.log(),
            Self::Embedded { tracker, .. } => format!("{:#?}\n", tracker.announces()),
        }
    }
}

fn scrape(addr: SocketAddr, info_hash: &[u8; 20]) -> Result<usize> {
    let mut stream = TcpStream::connect_timeout(&addr, Duration::from_secs(1))?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    let mut request = b"GET /scrape?info_hash=".to_vec();
    for byte in info_hash {
        write!(request, "%{byte:02x}")?;
    }
    request.extend(b" HTTP/1.0\r\n\r\n");
    stream.write_all(&request)?;
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply)?;
    Ok(count(&reply, b"8:completei") + count(&reply, b"10:incompletei"))
}

/// The number behind a key; 0 if it is not there.
fn count(reply: &[u8], key: &[u8]) -> usize {
    let at = reply.windows(key.len()).position(|window| window == key);
    let digits = at.and_then(|at| reply.get(at + key.len()..)).unwrap_or_default();
    let digits = digits.iter().take_while(|digit| digit.is_ascii_digit());
    digits.fold(0, |number, digit| number * 10 + usize::from(digit - b'0'))
}
