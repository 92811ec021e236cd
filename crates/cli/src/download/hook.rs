//! `--on-complete`: running the user's program when a torrent is complete. Never goes through a
//! shell, and never lets the program's failure be the download's.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::{self, JoinHandle};

use crate::{progress, text};

/// What the program is told about a torrent.
pub(super) struct Facts<'a> {
    pub(super) name: &'a str,
    pub(super) info_hash: &'a str,
    pub(super) dir: &'a Path,
    pub(super) bytes: u64,
}

/// Programs that may still run.
pub(super) struct Hook {
    program: Option<PathBuf>,
    running: Vec<JoinHandle<()>>,
}

impl Hook {
    pub(super) fn new(program: Option<PathBuf>) -> Self {
        Self { program, running: Vec::new() }
    }

    /// Runs the program, if there is one, with its output on stderr, since stdout is for results.
    pub(super) fn run(&mut self, facts: &Facts<'_>) {
        let Some(program) = &self.program else { return };
        let mut command = Command::new(program);
        command
            .stdin(Stdio::null())
            .stdout(std::io::stderr())
            .env("PIECES_NAME", facts.name)
            .env("PIECES_PATH", facts.dir.join(facts.name))
            .env("PIECES_INFO_HASH", facts.info_hash)
            .env("PIECES_DIR", facts.dir)
            .env("PIECES_BYTES", facts.bytes.to_string());
        let shown = text::path(program);
        self.running.push(thread::spawn(move || match command.status() {
            Ok(status) if status.success() => {}
            Ok(status) => progress::write_line(&format!("warning: {shown}: {status}")),
            Err(error) => {
                progress::write_line(&format!("warning: {shown}: cannot run it: {error}"));
            }
        }));
    }

    /// Waits for what still runs.
    pub(super) fn wait(self) {
        for thread in self.running {
            // It has no way to panic that would matter here.
            let _ = thread.join();
        }
    }
}
