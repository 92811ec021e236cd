//! Logging: what the libraries say through `log`, on stderr. Never mixes with results.

use std::io::{self, Write};

use env_logger::{Builder, Target};
use log::{Level, LevelFilter};

use crate::args::Verbosity;
use crate::{progress, text};

/// Installs the logger: warnings by default, more with `-v`, what happens to connections with `-vv`, each
/// message with `-vvv`, only errors with `-q`. `RUST_LOG` overrides all of them.
pub(crate) fn start(verbosity: &Verbosity) {
    let level = match (verbosity.quiet, verbosity.verbose) {
        (true, _) => LevelFilter::Error,
        (false, 0) => LevelFilter::Warn,
        (false, 1) => LevelFilter::Info,
        (false, 2) => LevelFilter::Debug,
        (false, _) => LevelFilter::Trace,
    };
    // Other people's libraries speak up only when they have a problem.
    let mut builder = Builder::new();
    builder.filter_level(level.min(LevelFilter::Warn));
    let ours =
        ["pieces_cli", "session", "swarm", "storage", "tracker", "dht", "lsd", "wire", "metainfo"];
    for ours in ours {
        builder.filter_module(ours, level);
    }
    builder.parse_default_env();
    builder.format(|out, record| {
        let level = match record.level() {
            Level::Error => "error",
            // As all other warnings of the program are written.
            Level::Warn => "warning",
            Level::Info => "info",
            Level::Debug => "debug",
            Level::Trace => "trace",
        };
        // A message may quote a peer or a tracker.
        writeln!(out, "{level}: {}", text::escape(&record.args().to_string()))
    });
    builder.target(Target::Pipe(Box::new(AboveProgress)));
    builder.init();
}

/// Stderr, one line at a time, without tearing the progress line.
struct AboveProgress;

impl Write for AboveProgress {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        progress::write_passing_line(String::from_utf8_lossy(line).trim_end_matches('\n'));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
