//! `pieces-cli` as a user runs it. Owns the few words of its command line that tests rely on; never
//! looks inside.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use crate::process::Process;
use crate::unread::Unread;
use crate::{PATIENCE, Result, binary};

/// On the loopback, known to nobody that a test does not name.
const ALONE: [&str; 6] = ["--bind", "127.0.0.1", "--port", "0", "--no-dht", "--no-lsd"];

/// A call of `pieces-cli` that was not started yet.
#[derive(Debug)]
pub struct Cli {
    name: String,
    command: Command,
}

impl Cli {
    /// `pieces-cli`, built from this tree, with these arguments.
    pub fn new(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Result<Self> {
        Ok(Self::with_binary(&binary::pieces_cli()?, arguments))
    }

    /// The same with a binary that was built before.
    pub fn with_binary(
        binary: &Path,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Self {
        let mut command = Command::new(binary);
        command.args(arguments);
        Self { name: "pieces-cli".into(), command }
    }

    /// `download TORRENT -d DIR`, listening on a free port of 127.0.0.1.
    pub fn download(torrent: &Path, dir: &Path) -> Result<Self> {
        Ok(Self::new(["download"])?.on_loopback(torrent, dir))
    }

    /// `seed TORRENT -d DIR`, listening on a free port of 127.0.0.1.
    pub fn seed(torrent: &Path, dir: &Path) -> Result<Self> {
        Ok(Self::new(["seed"])?.on_loopback(torrent, dir))
    }

    /// `TORRENT -d DIR`, listening on a free port of 127.0.0.1, with its resume state beside the
    /// torrent: tests leave nothing in anybody's home.
    pub fn on_loopback(mut self, torrent: &Path, dir: &Path) -> Self {
        self.command.env("XDG_STATE_HOME", torrent.with_file_name("state"));
        self.arg(torrent).arg("-d").arg(dir).args(ALONE)
    }

    /// One more argument.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// More arguments.
    pub fn args(mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.args(arguments);
        self
    }

    /// A variable of its environment.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// The same with no more than so many file descriptors.
    pub fn descriptors(self, count: u32) -> Self {
        self.within(&format!("ulimit -n {count}"))
    }

    /// The same from a shell that did this before.
    pub fn within(mut self, commands: &str) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("{commands}; exec \"$0\" \"$@\"")]);
        shell.arg(self.command.get_program()).args(self.command.get_args());
        shell.envs(self.command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        self.command = shell;
        self
    }

    /// What it is called in messages, where several run.
    pub fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// Runs it, and reads nothing of what it says.
    pub fn start_unread(mut self) -> Result<Unread> {
        Unread::start(&mut self.command)
    }

    /// Runs it on a terminal of 80 columns.
    pub fn start_on_terminal(mut self) -> Result<Process> {
        Process::start_on_terminal(&self.name, self.command.env("TERM", "xterm"))
    }

    /// Runs it.
    pub fn start(mut self) -> Result<Process> {
        Process::start(&self.name, &mut self.command)
    }
}

/// Where a running `pieces-cli` listens, which it says on stderr.
pub fn listening(process: &Process) -> Result<SocketAddr> {
    process.wait_line(PATIENCE, |line| line.split_once("listening on ")?.1.trim().parse().ok())
}
