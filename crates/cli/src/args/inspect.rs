//! The arguments of the commands that only look: at torrents, magnet URIs, files, trackers,
//! bencode.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueHint};
use clap_complete::Shell;

use super::{Choice, Network, heading, interface};

/// `pieces-cli show`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Torrent files or their http(s) URLs, magnet URIs in quotes, or info-hashes; - for one on stdin
    #[arg(required = true, value_name = "SOURCE", value_hint = ValueHint::FilePath)]
    pub(crate) sources: Vec<PathBuf>,
    /// One JSON object on stdout for each of them (see docs/json.md)
    #[arg(long, help_heading = heading::OUTPUT)]
    pub(crate) json: bool,
}

/// `pieces-cli verify`.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The torrent files or their http(s) URLs; - for one on stdin
    #[arg(required = true, value_name = "TORRENT", value_hint = ValueHint::FilePath)]
    pub(crate) torrents: Vec<PathBuf>,
    /// The folder that holds the torrent's files
    #[arg(short, long, value_name = "DIR", default_value = ".", value_hint = ValueHint::DirPath,
          help_heading = heading::FILES)]
    pub(crate) dir: PathBuf,
    #[command(flatten)]
    pub(crate) choice: Choice,
    /// Follow symbolic links out of DIR: for data of your own
    #[arg(long, help_heading = heading::FILES)]
    pub(crate) follow_links: bool,
    /// One JSON object on stdout, whatever was found (see docs/json.md)
    #[arg(long, help_heading = heading::OUTPUT)]
    pub(crate) json: bool,
}

/// `pieces-cli magnet`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Magnet {
    /// Torrent files or their http(s) URLs; - for one on stdin
    #[arg(required = true, value_name = "TORRENT", value_hint = ValueHint::FilePath)]
    pub(crate) torrents: Vec<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Option<MagnetCommand>,
}

/// What else can be done with magnet URIs.
#[derive(Debug, Subcommand)]
pub(crate) enum MagnetCommand {
    /// Get the torrent of a magnet URI from its peers, without downloading what it describes
    #[command(
        arg_required_else_help = true,
        after_help = "Example: pieces-cli magnet resolve 'magnet:?xt=urn:btih:...' \
                            -o debian.torrent"
    )]
    Resolve(Box<Resolve>),
    /// Take a magnet URI apart
    #[command(
        arg_required_else_help = true,
        after_help = "Example: pieces-cli magnet show 'magnet:?xt=urn:btih:...' --json"
    )]
    Show {
        /// The magnet URI, in quotes; an info-hash; a file that holds one, or - for stdin
        #[arg(value_hint = ValueHint::FilePath)]
        uri: PathBuf,
        /// One JSON object on stdout (see docs/json.md)
        #[arg(long, help_heading = heading::OUTPUT)]
        json: bool,
    },
}

/// `pieces-cli magnet resolve`.
#[derive(Debug, Args)]
pub(crate) struct Resolve {
    /// The magnet URI, in quotes; an info-hash; a file that holds one, or - for stdin
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) uri: PathBuf,
    /// Where the torrent goes; - for stdout
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: PathBuf,
    /// Replace the file if it is there
    #[arg(long)]
    pub(crate) force: bool,
    /// Give up after this long: seconds, or as in 90s, 30m, 1h30m; 0 for no limit [default: 0]
    #[arg(long, value_name = "TIME", value_parser = super::values::duration,
          help_heading = heading::LIMITS, value_hint = ValueHint::Other, allow_negative_numbers = true)]
    pub(crate) timeout: Option<Duration>,
    /// One JSON object on stdout (see docs/json.md)
    #[arg(long, help_heading = heading::OUTPUT)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) network: Network,
}

/// `pieces-cli announce`.
#[derive(Debug, Args)]
pub(crate) struct Announce {
    /// A torrent file or its http(s) URL, a magnet URI in quotes, or an info-hash; - for stdin
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) source: PathBuf,
    /// One JSON object on stdout (see docs/json.md)
    #[arg(long, help_heading = heading::OUTPUT)]
    pub(crate) json: bool,
    /// The TCP port to tell the trackers
    #[arg(long, value_name = "N", default_value_t = 6881, help_heading = heading::NETWORK, value_hint = ValueHint::Other, allow_negative_numbers = true)]
    pub(crate) port: u16,
    /// Local address to ask from, or the interface that has it [default: every address]
    #[arg(long, value_name = "IP|INTERFACE", value_parser = interface::address,
          help_heading = heading::NETWORK, value_hint = ValueHint::Other)]
    pub(crate) bind: Option<IpAddr>,
}

/// `pieces-cli scrape`.
#[derive(Debug, Args)]
pub(crate) struct Scrape {
    /// A torrent file or its http(s) URL, a magnet URI in quotes, or an info-hash; - for stdin
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) source: PathBuf,
    /// One JSON object on stdout (see docs/json.md)
    #[arg(long, help_heading = heading::OUTPUT)]
    pub(crate) json: bool,
    /// Local address to ask from, or the interface that has it [default: every address]
    #[arg(long, value_name = "IP|INTERFACE", value_parser = interface::address,
          help_heading = heading::NETWORK, value_hint = ValueHint::Other)]
    pub(crate) bind: Option<IpAddr>,
}

/// `pieces-cli bencode`.
#[derive(Debug, Args)]
pub(crate) struct Bencode {
    #[command(subcommand)]
    pub(crate) command: BencodeCommand,
}

/// What can be done with bencode.
#[derive(Debug, Subcommand)]
pub(crate) enum BencodeCommand {
    /// Exit 0 only for one complete canonical value with nothing after it, else 25
    #[command(
        arg_required_else_help = true,
        after_help = "Example: pieces-cli bencode check debian.torrent"
    )]
    Check {
        /// The file or its http(s) URL; - for stdin
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
    /// Print a value as a tree
    #[command(
        arg_required_else_help = true,
        after_help = "Example: pieces-cli bencode show debian.torrent --json"
    )]
    Show {
        /// The file or its http(s) URL; - for stdin
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// JSON on stdout (see docs/json.md)
        #[arg(long, help_heading = heading::OUTPUT)]
        json: bool,
    },
}

/// `pieces-cli man`.
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// The folder for the pages, which must exist
    #[arg(value_hint = ValueHint::DirPath)]
    pub(crate) folder: PathBuf,
}

/// `pieces-cli completions`.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    pub(crate) shell: Shell,
}
