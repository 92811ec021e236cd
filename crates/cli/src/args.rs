//! The command line: every command, flag and help text. Never acts on them.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand};

/// Download, seed, make and inspect torrents.
#[derive(Debug, Parser)]
#[command(name = "pieces-cli", version, propagate_version = true, subcommand_required = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) verbosity: Verbosity,
}

/// How much is told on stderr.
#[derive(Debug, Args)]
pub(crate) struct Verbosity {
    /// Say more; twice for every message of every peer
    #[arg(short, long, action = ArgAction::Count, global = true, conflicts_with = "quiet")]
    pub(crate) verbose: u8,
    /// Say nothing but errors
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Fetch what a torrent describes; leaves when every piece is verified and written
    #[command(after_help = "Example: pieces-cli download debian.torrent -d ~/Downloads")]
    Download(Download),
    /// Serve what is already on disk until stopped
    #[command(after_help = "Example: pieces-cli seed debian.torrent -d ~/Downloads")]
    Seed(Seed),
    /// Tell what a torrent holds
    #[command(after_help = "Example: pieces-cli show debian.torrent --json")]
    Show(Show),
}

/// `pieces-cli download`.
#[derive(Debug, Args)]
pub(crate) struct Download {
    /// The torrent file
    pub(crate) torrent: PathBuf,
    #[command(flatten)]
    pub(crate) target: Target,
    #[command(flatten)]
    pub(crate) network: Network,
    /// Go on seeding when the download is done, until stopped
    #[arg(long)]
    pub(crate) seed: bool,
    /// Leave holes in files until their pieces come, instead of taking all room up front
    #[arg(long)]
    pub(crate) sparse: bool,
    /// Before leaving, wait until the disk has everything
    #[arg(long)]
    pub(crate) sync: bool,
}

/// `pieces-cli seed`.
#[derive(Debug, Args)]
pub(crate) struct Seed {
    /// The torrent file
    pub(crate) torrent: PathBuf,
    #[command(flatten)]
    pub(crate) target: Target,
    #[command(flatten)]
    pub(crate) network: Network,
}

/// `pieces-cli show`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The torrent file
    pub(crate) torrent: PathBuf,
    /// One JSON object on stdout (see docs/json.md)
    #[arg(long)]
    pub(crate) json: bool,
}

/// Where data lives.
#[derive(Debug, Args)]
pub(crate) struct Target {
    /// The folder that holds the torrent's files
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,
    /// Hash everything that is there already, whatever was noted at the end of the last run
    #[arg(long)]
    pub(crate) verify: bool,
}

/// How to reach other peers.
#[derive(Debug, Args)]
pub(crate) struct Network {
    /// TCP port to listen on; 0 takes any free one [default: the first free of 6881 to 6889]
    #[arg(long, value_name = "N")]
    pub(crate) port: Option<u16>,
    /// Local address for the listener, outgoing peers and trackers
    #[arg(long, value_name = "IP")]
    pub(crate) bind: Option<IpAddr>,
    /// A peer to connect to besides those that trackers name (repeatable)
    #[arg(long = "peer", value_name = "IP:PORT")]
    pub(crate) peers: Vec<SocketAddr>,
}
