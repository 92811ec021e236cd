//! Every program that is measured and how it is told to do each task.
//!
//! Owns command lines. Never starts anything but to ask for a version.

use std::fs;
use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use super::work::{NAME, Work};
use super::{Setting, Task};
use crate::Result;

/// Debian's `python3-libtorrent` is seen by Debian's Python only.
pub(super) const PYTHON: &str = "/usr/bin/python3";

const LIBTORRENT: &str = include_str!("libtorrent.py");

/// Ends the daemon that runs it.
const LEAVE: &str = "#!/bin/sh\nkill $PPID\n";

/// Who is measured, in the order of the table.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Client {
    Pieces,
    Aria2,
    Libtorrent,
    Transmission,
    Rqbit,
    Mktorrent,
    Yardstick,
}

pub(super) const ALL: [Client; 7] = {
    use Client::{Aria2, Libtorrent, Mktorrent, Pieces, Rqbit, Transmission, Yardstick};
    [Pieces, Aria2, Libtorrent, Transmission, Rqbit, Mktorrent, Yardstick]
};

/// How it is known that a task is done.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The program exits.
    Exit,
    /// It tells a peer that it has every piece.
    Ready,
}

/// One run of one program.
pub(super) struct Job<'a> {
    pub(super) work: &'a Work,
    pub(super) setting: &'a Setting,
    /// Where the program listens.
    pub(super) listen: SocketAddrV4,
    /// A new folder for its configuration and its home.
    pub(super) scratch: &'a Path,
    /// Where it downloads to.
    pub(super) fresh: &'a Path,
    /// What pieces is told about that; all others speak in the clear.
    pub(super) encryption: &'static str,
}

impl Client {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pieces => "pieces",
            Self::Aria2 => "aria2",
            Self::Libtorrent => "libtorrent",
            Self::Transmission => "transmission",
            Self::Rqbit => "rqbit",
            Self::Mktorrent => "mktorrent",
            Self::Yardstick => "yardstick",
        }
    }

    /// What it says its version is; `None` if it is not installed.
    pub(super) fn version(self, setting: &Setting) -> Option<String> {
        let program = setting.program.as_os_str();
        let mut command = Command::new(match self {
            Self::Pieces => program,
            Self::Aria2 => "aria2c".as_ref(),
            Self::Libtorrent => PYTHON.as_ref(),
            Self::Transmission => "transmission-daemon".as_ref(),
            Self::Rqbit => "rqbit".as_ref(),
            Self::Mktorrent => "mktorrent".as_ref(),
            Self::Yardstick => return Some("a bare loop of this bench".into()),
        });
        match self {
            Self::Libtorrent => command
                .args(["-c", "import libtorrent; print('libtorrent', libtorrent.__version__)"]),
            Self::Mktorrent => command.arg("-h"),
            _ => command.arg("--version"),
        };
        let output = command.output().ok()?;
        if self == Self::Libtorrent && !output.status.success() {
            return None;
        }
        let text = if output.stdout.is_empty() { output.stderr } else { output.stdout };
        Some(String::from_utf8_lossy(&text).lines().next().unwrap_or_default().trim().to_owned())
    }

    /// How its end is noticed; `None` for what it cannot do.
    pub(super) fn end(self, task: Task) -> Option<End> {
        match (self, task) {
            (Self::Mktorrent, Task::Create) => Some(End::Exit),
            (Self::Mktorrent, _) | (Self::Aria2 | Self::Rqbit, Task::Create) => None,
            (Self::Transmission, Task::Check) => Some(End::Ready),
            _ => Some(End::Exit),
        }
    }

    /// Whether what it takes is mostly waiting for timers of its own: half a minute for a GiB.
    pub(super) fn dawdles(self, task: Task) -> bool {
        self == Self::Transmission && matches!(task, Task::Download | Task::Seed)
    }

    /// The program with its arguments.
    pub(super) fn command(self, task: Task, job: &Job<'_>) -> Result<Command> {
        let folder = match task {
            Task::Download => job.fresh.to_owned(),
            Task::Seed | Task::Check | Task::Create => job.work.whole(),
        };
        let output = job.scratch.join("created.torrent");
        let mut command = match self {
            Self::Pieces => pieces(task, job, &folder, &output),
            Self::Aria2 => aria2(task, job, &folder),
            Self::Libtorrent => libtorrent(task, job, &folder, &output),
            Self::Transmission => transmission(task, job, &folder, &output)?,
            Self::Rqbit => rqbit(task, job, &folder),
            Self::Mktorrent => {
                let mut command = Command::new("mktorrent");
                let exponent = job.work.piece_len.ilog2().to_string();
                command.args(["-t", "2", "-l", &exponent, "-o"]).arg(output);
                command.arg(folder.join(NAME));
                command
            }
            Self::Yardstick => {
                let mut command = Command::new(std::env::current_exe()?);
                command.args(["bench", "--yardstick", task.word()]);
                command.args(["--listen", &job.listen.to_string()]);
                command.arg("--folder").arg(job.work.folder()).arg("--fresh").arg(&folder);
                command
            }
        };
        command.current_dir(job.scratch).env("HOME", job.scratch);
        for name in ["XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"] {
            command.env_remove(name);
        }
        Ok(command)
    }
}

fn pieces(task: Task, job: &Job<'_>, folder: &Path, output: &Path) -> Command {
    let mut command = job.setting.pieces();
    command.arg("--quiet").env("RUST_LOG", "session::gap=debug");
    match task {
        Task::Create => {
            command.arg("create").arg(folder.join(NAME)).arg("--output").arg(output);
            command.args(["--piece-size", &job.work.piece_len.to_string()]);
        }
        Task::Check => {
            command.arg("verify").arg(job.work.torrent()).arg("--dir").arg(folder);
        }
        Task::Download | Task::Seed => {
            command.arg(task.word()).arg(job.work.torrent()).arg("--dir").arg(folder);
            // As the others are told: one peer.
            command.args(["--no-dht", "--no-lsd", "--encryption", job.encryption]);
            command.args(["--bind", &job.listen.ip().to_string()]);
            command.args(["--port", &job.listen.port().to_string()]);
        }
    }
    command
}

fn aria2(task: Task, job: &Job<'_>, folder: &Path) -> Command {
    let mut command = Command::new("aria2c");
    command.args(["--no-conf=true", "--file-allocation=none", "--summary-interval=0", "--quiet"]);
    command.args(["--enable-dht=false", "--enable-dht6=false", "--bt-enable-lpd=false"]);
    command.args(["--enable-peer-exchange=false", &format!("--listen-port={}", job.listen.port())]);
    command.args(match task {
        Task::Check => &["--check-integrity=true", "--hash-check-only=true"][..],
        Task::Seed => &["--check-integrity=true", "--seed-ratio=0"],
        Task::Download | Task::Create => &["--seed-time=0"],
    });
    command.arg("--dir").arg(folder).arg(job.work.torrent());
    command
}

fn libtorrent(task: Task, job: &Job<'_>, folder: &Path, output: &Path) -> Command {
    let mut command = Command::new(PYTHON);
    command.args(["-c", LIBTORRENT, task.word()]).arg(job.work.torrent()).arg(folder);
    command.arg(job.listen.to_string()).arg(output).arg(job.work.piece_len.to_string());
    command
}

fn rqbit(task: Task, job: &Job<'_>, folder: &Path) -> Command {
    let mut command = Command::new("rqbit");
    command.args(["-v", "error", "--disable-dht", "--disable-upnp-port-forward"]);
    command.args(["--listen-port", &job.listen.port().to_string()]);
    command.args(["download", "--disable-http-api", "--overwrite", "--output-folder"]).arg(folder);
    if task != Task::Seed {
        command.arg("--exit-on-finish");
    }
    command.arg(job.work.torrent());
    command
}

/// The daemon takes torrents that lie in its folder of torrents and the resume state beside it.
fn transmission(task: Task, job: &Job<'_>, folder: &Path, output: &Path) -> Result<Command> {
    if task == Task::Create {
        let mut command = Command::new("transmission-create");
        let kib = (job.work.piece_len >> 10).to_string();
        command.args(["-s", &kib, "-o"]).arg(output).arg(folder.join(NAME));
        return Ok(command);
    }
    let leave = write(job, "leave", LEAVE)?;
    fs::set_permissions(&leave, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    let watched = job.scratch.join("watched");
    fs::create_dir(&watched)?;
    fs::copy(job.work.torrent(), watched.join("noise.torrent"))?;
    let settings = json!({
        "bind-address-ipv4": job.listen.ip().to_string(),
        "dht-enabled": false,
        "download-dir": folder,
        "encryption": 0,
        "lpd-enabled": false,
        "message-level": 1,
        "peer-port": job.listen.port(),
        "pex-enabled": false,
        "port-forwarding-enabled": false,
        "preallocation": 0,
        "rpc-enabled": false,
        "script-torrent-done-enabled": task == Task::Download,
        "script-torrent-done-filename": leave,
        "trash-original-torrent-files": false,
        "utp-enabled": false,
        "watch-dir": watched,
        "watch-dir-enabled": true,
    });
    write(job, "settings.json", &settings.to_string())?;
    let mut command = Command::new("transmission-daemon");
    command.args(["--foreground", "--config-dir"]).arg(job.scratch);
    Ok(command)
}

fn write(job: &Job<'_>, name: &str, text: &str) -> Result<PathBuf> {
    let path = job.scratch.join(name);
    fs::write(&path, text)?;
    Ok(path)
}
