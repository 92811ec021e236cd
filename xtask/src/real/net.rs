//! Two machines in one: a pair of network namespaces joined by a virtual cable, and nothing else.
//!
//! Owns addresses and isolation. Many clients refuse 127.0.0.0/8, keep one connection an address, or
//! announce from whatever address the kernel picks, so each side needs a network stack of its own.
//! Never touches the network of the machine it runs on.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use crate::Result;

/// Where the tracker and pieces live.
const OUR_IP: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);

/// Where the other client lives.
const THEIR_IP: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);

/// Runs this very command again, with `more` arguments, in a new network namespace. Returns only if
/// that fails.
pub(crate) fn enter(more: &[&OsStr]) -> Result<()> {
    let root = rustix::process::geteuid().is_root();
    let mut command = Command::new("unshare");
    // Without root, a user namespace gives the right to make a network namespace.
    command.arg(if root { "-n" } else { "-Urn" });
    command.arg(std::env::current_exe()?).args(std::env::args_os().skip(1));
    let error = command.arg("--inside").args(more).exec();
    Err(format!("unshare (of util-linux) does not start: {error}").into())
}

/// One of the two machines.
pub(super) struct Host {
    /// Its address.
    pub(super) ip: Ipv4Addr,
    /// A process of the namespace that is not ours.
    holder: Option<u32>,
}

impl Host {
    /// A program that will run on this machine.
    pub(super) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let Some(holder) = self.holder else {
            return Command::new(program);
        };
        let mut command = Command::new("nsenter");
        command.args(["--net", &format!("--target={holder}")]).arg("--").arg(program);
        command
    }
}

/// Both machines, gone when dropped.
pub(super) struct Network {
    /// Where this process is.
    pub(super) ours: Host,
    /// At the other end of the cable.
    pub(super) theirs: Host,
    /// Keeps the other namespace alive. It ends when its stdin closes, even if we are killed.
    _holder: Child,
}

impl Network {
    /// Lays the cable. Refuses where there is any interface already: that is no namespace of ours.
    pub(super) fn build() -> Result<Self> {
        let interfaces = fs::read_to_string("/proc/self/net/dev")?;
        let foreign =
            |line: &str| line.split_once(':').is_some_and(|(name, _)| name.trim() != "lo");
        if interfaces.lines().any(foreign) {
            return Err("the lab refuses to run in a namespace with network interfaces".into());
        }
        let mut holder = Command::new("unshare")
            .args(["-n", "sh", "-c", "echo ready; exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut ready = String::new();
        BufReader::new(holder.stdout.take().ok_or("no stdout")?).read_line(&mut ready)?;
        let ours = Host { ip: OUR_IP, holder: None };
        let theirs = Host { ip: THEIR_IP, holder: Some(holder.id()) };

        let namespace = holder.id().to_string();
        let cable = ["type", "veth", "peer", "name", "cable", "netns", &namespace];
        ip(&ours, &[&["link", "add", "cable"][..], &cable].concat())?;
        for (host, other) in [(&ours, &theirs), (&theirs, &ours)] {
            ip(host, &["link", "set", "lo", "up"])?;
            ip(host, &["addr", "add", &format!("{}/24", host.ip), "dev", "cable"])?;
            ip(host, &["link", "set", "cable", "up"])?;
            // Clients look for a default route to learn which interface they are reached through.
            ip(host, &["route", "add", "default", "via", &other.ip.to_string()])?;
        }
        Ok(Self { ours, theirs, _holder: holder })
    }
}

fn ip(host: &Host, arguments: &[&str]) -> Result<()> {
    let output = host.command("ip").args(arguments).output()?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(format!("ip {}: {}", arguments.join(" "), words.trim()).into())
}
