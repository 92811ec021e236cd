//! One peer of a swarm that is measured: how each client is told to take part. Owns command lines.

use std::fs;
use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use super::super::Setting;
use super::super::client::{Client, PYTHON};
use crate::Result;

const LIBTORRENT: &str = include_str!("../spread.py");

/// One peer.
pub(super) struct Member<'a> {
    pub(super) client: Client,
    pub(super) setting: &'a Setting,
    pub(super) torrent: &'a Path,
    /// What it has, or where it puts what it gets.
    pub(super) folder: &'a Path,
    /// A new folder for its configuration and its home.
    pub(super) scratch: &'a Path,
    pub(super) listen: SocketAddrV4,
    /// Bytes a second that it may upload.
    pub(super) up: usize,
    pub(super) seeds: bool,
}

impl Member<'_> {
    /// The file that is there once it has everything.
    pub(super) fn done(&self) -> PathBuf {
        self.scratch.join("done")
    }

    pub(super) fn command(&self) -> Result<Command> {
        let mut command = match self.client {
            Client::Pieces => self.pieces()?,
            Client::Libtorrent => self.libtorrent(),
            Client::Transmission => self.transmission()?,
            other => return Err(format!("{} takes no part in this", other.name()).into()),
        };
        command.current_dir(self.scratch).env("HOME", self.scratch);
        for name in ["XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"] {
            command.env_remove(name);
        }
        Ok(command)
    }

    fn pieces(&self) -> Result<Command> {
        let mut command = self.setting.pieces();
        command.arg("--quiet").arg(if self.seeds { "seed" } else { "download" });
        command.arg(self.torrent).arg("--dir").arg(self.folder);
        command.args(["--no-dht", "--no-lsd", "--no-pex", "--encryption", "off"]);
        command.args(["--bind", &self.listen.ip().to_string()]);
        command.args(["--port", &self.listen.port().to_string()]);
        command.args(["--max-upload", &self.up.to_string()]);
        if !self.seeds {
            command.arg("--seed").arg("--on-complete").arg(self.hook()?);
        }
        Ok(command)
    }

    fn libtorrent(&self) -> Command {
        let mut command = Command::new(PYTHON);
        command.args(["-c", LIBTORRENT]).arg(self.torrent).arg(self.folder);
        command.args([self.listen.to_string(), self.up.to_string()]).arg(self.done());
        command
    }

    /// The daemon takes torrents that lie in its watched folder.
    fn transmission(&self) -> Result<Command> {
        let watched = self.scratch.join("watched");
        fs::create_dir(&watched)?;
        fs::copy(self.torrent, watched.join("noise.torrent"))?;
        let settings = json!({
            "bind-address-ipv4": self.listen.ip().to_string(),
            "dht-enabled": false,
            "download-dir": self.folder,
            "encryption": 0,
            "lpd-enabled": false,
            "message-level": 1,
            "peer-port": self.listen.port(),
            "pex-enabled": false,
            "port-forwarding-enabled": false,
            "rpc-enabled": false,
            "script-torrent-done-enabled": true,
            "script-torrent-done-filename": self.hook()?,
            // It counts in thousands.
            "speed-limit-up": self.up / 1000,
            "speed-limit-up-enabled": true,
            "trash-original-torrent-files": false,
            "utp-enabled": false,
            "watch-dir": watched,
            "watch-dir-enabled": true,
        });
        fs::write(self.scratch.join("settings.json"), settings.to_string())?;
        let mut command = Command::new("transmission-daemon");
        command.args(["--foreground", "--config-dir"]).arg(self.scratch);
        Ok(command)
    }

    /// The program that it runs when it has everything.
    fn hook(&self) -> Result<PathBuf> {
        let path = self.scratch.join("hook");
        fs::write(&path, format!("#!/bin/sh\n: > '{}'\n", self.done().display()))?;
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        Ok(path)
    }
}
