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

/// The third byte of the addresses of [`Network::segment`].
const SEGMENT: u8 = 255;

/// Where peers of ours live that may be banned, and nobody else with them.
const OUR_OTHER_IP: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 3);

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
    /// That process, which ends when its stdin closes, even if we are killed.
    _own: Option<Child>,
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
}

impl Network {
    /// One more address of ours. Can be had once.
    pub(super) fn another_ip(&self) -> Result<Ipv4Addr> {
        ip(&self.ours, &["addr", "add", &format!("{OUR_OTHER_IP}/24"), "dev", "cable"])?;
        Ok(OUR_OTHER_IP)
    }

    /// One more machine, behind a cable of its own to ours, which forwards what it sends. Each number, of
    /// 1 to 254, can be had once. Programs that tie their sockets to an interface, as libtorrent does,
    /// are deaf to neighbours that share it.
    pub(super) fn neighbour(&self, number: u8) -> Result<Host> {
        fs::write("/proc/sys/net/ipv4/ip_forward", "1")?;
        let [a, b, ..] = OUR_IP.octets();
        let [gateway, inner] = [1, 2].map(|last| Ipv4Addr::new(a, b, number, last));
        let (holder, name) = (namespace()?, format!("cable{number}"));
        let target = holder.id().to_string();
        let host = Host { ip: inner, holder: Some(holder.id()), _own: Some(holder) };
        let other = ["type", "veth", "peer", "name", "cable", "netns", &target];
        ip(&self.ours, &[&["link", "add", &name][..], &other].concat())?;
        for (end, addr, name) in [(&self.ours, gateway, name.as_str()), (&host, inner, "cable")] {
            ip(end, &["addr", "add", &format!("{addr}/24"), "dev", name])?;
            ip(end, &["link", "set", name, "up"])?;
        }
        ip(&host, &["link", "set", "lo", "up"])?;
        ip(&host, &["route", "add", "default", "via", &gateway.to_string()])?;
        Ok(host)
    }

    /// Machines in a local network of their own, in which all hear what is sent to groups. Can be had once.
    pub(super) fn segment(&self, machines: u8) -> Result<Vec<Host>> {
        ip(&self.ours, &["link", "add", "segment", "type", "bridge"])?;
        ip(&self.ours, &["link", "set", "segment", "up"])?;
        let [a, b, ..] = OUR_IP.octets();
        let machine = |number: u8| {
            let (holder, name) = (namespace()?, format!("segment{number}"));
            let (target, addr) = (holder.id().to_string(), Ipv4Addr::new(a, b, SEGMENT, number));
            let host = Host { ip: addr, holder: Some(holder.id()), _own: Some(holder) };
            let other = ["type", "veth", "peer", "name", "cable", "netns", &target];
            ip(&self.ours, &[&["link", "add", &name][..], &other].concat())?;
            ip(&self.ours, &["link", "set", &name, "master", "segment", "up"])?;
            ip(&host, &["addr", "add", &format!("{addr}/24"), "dev", "cable"])?;
            ip(&host, &["link", "set", "lo", "up"])?;
            ip(&host, &["link", "set", "cable", "up"])?;
            ip(&host, &["route", "add", "default", "dev", "cable"])?;
            Ok(host)
        };
        (1..=machines).map(machine).collect()
    }

    /// Lays the cable. Refuses where there is any interface already: that is no namespace of ours.
    pub(super) fn build() -> Result<Self> {
        let interfaces = fs::read_to_string("/proc/self/net/dev")?;
        let foreign =
            |line: &str| line.split_once(':').is_some_and(|(name, _)| name.trim() != "lo");
        if interfaces.lines().any(foreign) {
            return Err("the lab refuses to run in a namespace with network interfaces".into());
        }
        let holder = namespace()?;
        let namespace = holder.id().to_string();
        let ours = Host { ip: OUR_IP, holder: None, _own: None };
        let theirs = Host { ip: THEIR_IP, holder: Some(holder.id()), _own: Some(holder) };

        let cable = ["type", "veth", "peer", "name", "cable", "netns", &namespace];
        ip(&ours, &[&["link", "add", "cable"][..], &cable].concat())?;
        for (host, other) in [(&ours, &theirs), (&theirs, &ours)] {
            ip(host, &["link", "set", "lo", "up"])?;
            ip(host, &["addr", "add", &format!("{}/24", host.ip), "dev", "cable"])?;
            ip(host, &["link", "set", "cable", "up"])?;
            // Clients look for a default route to learn which interface they are reached through.
            ip(host, &["route", "add", "default", "via", &other.ip.to_string()])?;
        }
        Ok(Self { ours, theirs })
    }
}

/// A namespace with nothing in it but a process that keeps it.
fn namespace() -> Result<Child> {
    let mut holder = Command::new("unshare")
        .args(["-n", "sh", "-c", "echo ready; exec cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut ready = String::new();
    BufReader::new(holder.stdout.take().ok_or("no stdout")?).read_line(&mut ready)?;
    Ok(holder)
}

fn ip(host: &Host, arguments: &[&str]) -> Result<()> {
    let output = host.command("ip").args(arguments).output()?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(format!("ip {}: {}", arguments.join(" "), words.trim()).into())
}
