//! `--on-complete`: running the user's program when a torrent is complete. Never goes through a
//! shell, and never lets the program's failure be the download's.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, at, never, select, unbounded};

use crate::text;

/// What the program is told about a torrent.
pub(super) struct Facts<'a> {
    pub(super) name: &'a str,
    pub(super) info_hash: &'a str,
    pub(super) dir: &'a Path,
    /// The torrent's file, or the folder of its files.
    pub(super) path: &'a Path,
    pub(super) bytes: u64,
}

/// Programs that may still run.
pub(super) struct Hook {
    program: Option<PathBuf>,
    /// Dropped by each program's thread when the program has ended.
    running: Sender<()>,
    ended: Receiver<()>,
}

impl Hook {
    pub(super) fn new(program: Option<PathBuf>) -> Self {
        let (running, ended) = unbounded();
        Self { program, running, ended }
    }

    /// Runs the program, if there is one, with its output on stderr, since stdout is for results.
    pub(super) fn run(&self, facts: &Facts<'_>) {
        let Some(program) = &self.program else { return };
        let mut command = Command::new(program);
        command
            .stdin(Stdio::null())
            .stdout(std::io::stderr())
            .env("PIECES_NAME", facts.name)
            .env("PIECES_PATH", facts.path)
            .env("PIECES_INFO_HASH", facts.info_hash)
            .env("PIECES_DIR", facts.dir)
            .env("PIECES_BYTES", facts.bytes.to_string());
        let shown = text::path(program);
        let running = self.running.clone();
        thread::spawn(move || {
            match storage::with_descriptors(|| command.status()) {
                Ok(status) if status.success() => {}
                Ok(status) => log::warn!("{shown}: {status}"),
                Err(error) => {
                    log::warn!("{shown}: cannot run it: {error}");
                }
            }
            drop(running);
        });
    }

    /// Waits for what still runs, but not beyond `leave_at`, and not when the user wants to leave.
    /// What runs on then is nobody's any more.
    pub(super) fn wait(self, signals: &Receiver<()>, leave_at: Option<Instant>) {
        let Self { running, ended, .. } = self;
        drop(running);
        select! {
            // Nothing is ever sent: this is the last sender's end.
            recv(ended) -> _ => {}
            recv(signals) -> _ => {}
            recv(leave_at.map_or_else(never, at)) -> _ => {}
        }
    }
}
