//! The command line: every command, flag and help text. Never acts on them.

mod inspect;
mod interface;
mod make;
mod values;

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand, ValueHint};

pub(crate) use inspect::{
    Announce, Bencode, BencodeCommand, Completions, Magnet, MagnetCommand, Man, Resolve,
};
pub(crate) use inspect::{Scrape, Show, Verify};
pub(crate) use make::{Changes, Create, Edit};
pub(crate) use values::Limit;

/// What the exit codes mean, for help and the man page; [`crate::exit::Code`] holds them.
pub(crate) const EXIT_CODES: &str = "Exit codes:
   0  done; also a seed that the user stopped
   1  anything that is not below, as too few descriptors (ulimit -n)
   3  a file, folder or URL that was named does not exist
   6  the network: an address that can't be bound, a source or tracker that does not answer
   7  stopped by Ctrl-C or SIGTERM before all was there or told, or at once by a second one
   9  the disk is full
  13  a file is there that is not the torrent's; --force overwrites it
  17  reading or writing a file failed
  25  not valid bencode
  26  not a valid torrent, or v2 only where that is not spoken yet
  27  not a valid magnet URI
  28  an option or argument that can't be used
  32  data on disk does not match its hashes, or is missing

Of several torrents the worst counts; from the worst down: 9, 17, 32, 13, 28, 27, 26, 25, 3, 1, 6, 7.";

/// Download, seed, make and inspect torrents.
#[derive(Debug, Parser)]
#[command(name = "pieces-cli", version, propagate_version = true)]
#[command(subcommand_required = true, arg_required_else_help = true)]
#[command(after_long_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) verbosity: Verbosity,
}

/// In help, what all commands have comes after what they have of their own.
const LAST: usize = 900;

/// How help groups options; each name is a heading.
mod heading {
    pub(super) const FILES: &str = "Files on disk";
    pub(super) const NETWORK: &str = "Network";
    pub(super) const LIMITS: &str = "Limits";
    pub(super) const AFTER: &str = "When it is complete";
    pub(super) const OUTPUT: &str = "Output";
    pub(super) const TRACKERS: &str = "Trackers and web seeds";
    pub(super) const TORRENT: &str = "What the torrent says";
}

/// How much is told on stderr.
#[derive(Debug, Args)]
#[command(next_help_heading = heading::OUTPUT)]
pub(crate) struct Verbosity {
    /// Say more: what trackers answer, which peers come and go and why; twice for what happens on each
    /// connection, three times for every message of every peer
    #[arg(short, long, action = ArgAction::Count, global = true, conflicts_with = "quiet",
          display_order = LAST)]
    pub(crate) verbose: u8,
    /// No progress, notes or warnings on stderr: only results and errors
    #[arg(short, long, global = true, display_order = LAST)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Fetch what a torrent describes; leaves when every piece is verified and written
    #[command(
        arg_required_else_help = true,
        after_help = "Examples: pieces-cli download debian.torrent -d ~/Downloads\n          \
                            pieces-cli download 'magnet:?xt=urn:btih:...'"
    )]
    Download(Box<Download>),
    /// Serve what is already on disk until stopped
    #[command(
        arg_required_else_help = true,
        after_help = "Example: pieces-cli seed debian.torrent -d ~/Downloads"
    )]
    Seed(Seed),
    /// Tell what torrents or magnet URIs hold
    #[command(
        arg_required_else_help = true,
        after_help = "Example: pieces-cli show debian.torrent --json"
    )]
    Show(Show),
    /// Make a torrent of a file or a folder
    #[command(
        arg_required_else_help = true,
        after_help = "Example: pieces-cli create photos/ -t https://tracker.example/announce \
                            -o photos.torrent"
    )]
    Create(Box<Create>),
    /// Compare files on disk with a torrent; exit 0 only if all of them are whole, else 32
    ///
    /// Symbolic links of the torrent that are missing, or other than they should be, are named; they
    /// hold no bytes, so the exit code does not depend on them.
    #[command(
        arg_required_else_help = true,
        after_help = "Example: pieces-cli verify debian.torrent -d ~/Downloads"
    )]
    Verify(Verify),
    /// Change what a torrent says beside its files
    #[command(
        arg_required_else_help = true,
        after_help = "Example: pieces-cli edit old.torrent --add-tracker \
                            udp://tracker.example:6969/announce -o new.torrent"
    )]
    Edit(Edit),
    /// Print the magnet URIs of torrents, take one apart, or get its torrent
    #[command(
        arg_required_else_help = true,
        after_help = "Examples: pieces-cli magnet debian.torrent\n          \
                            pieces-cli magnet show 'magnet:?xt=urn:btih:...' --json\n          \
                            pieces-cli magnet resolve 'magnet:?xt=urn:btih:...' -o debian.torrent\n\n\
                            A torrent in a file called \"show\" is ./show."
    )]
    Magnet(Magnet),
    /// Ask each tracker for peers, and tell what it answers and how fast
    #[command(
        arg_required_else_help = true,
        after_help = "Example: pieces-cli announce debian.torrent\n\n\
                            Each tracker that answers is told \"stopped\" right after, so that \
                            nobody is sent here."
    )]
    Announce(Announce),
    /// Ask each tracker how many seeds and leechers it counts
    #[command(
        arg_required_else_help = true,
        after_help = "Example: pieces-cli scrape debian.torrent --json"
    )]
    Scrape(Scrape),
    /// Look at bencode, the format of torrent files
    #[command(
        arg_required_else_help = true,
        after_help = "Example: pieces-cli bencode show debian.torrent"
    )]
    Bencode(Bencode),
    /// Print a completion script for a shell
    #[command(
        arg_required_else_help = true,
        after_help = "Example: pieces-cli completions bash \
                            > ~/.local/share/bash-completion/completions/pieces-cli"
    )]
    Completions(Completions),
    /// Write the man pages of all commands into a folder
    #[command(hide = true, after_help = "Example: pieces-cli man ~/.local/share/man/man1")]
    Man(Man),
}

/// `pieces-cli download`.
#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct Download {
    /// Torrent files, http(s) URLs of them, magnet URIs in quotes, or info-hashes; - for one on stdin
    #[arg(required = true, value_name = "TORRENT", value_hint = ValueHint::FilePath)]
    pub(crate) torrents: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) target: Target,
    #[command(flatten)]
    pub(crate) network: Network,
    #[command(flatten)]
    pub(crate) limits: Limits,
    #[command(flatten)]
    pub(crate) choice: Choice,
    /// Fetch pieces from the first to the last
    #[arg(long, help_heading = heading::FILES)]
    pub(crate) sequential: bool,
    /// Keep the torrent that a magnet URI leads to: as this file, or in this folder under its name
    /// [default: it is not kept]
    #[arg(long, value_name = "FILE|DIR", help_heading = heading::FILES, value_hint = ValueHint::AnyPath)]
    pub(crate) save_torrent: Option<PathBuf>,
    /// Go on seeding when the download is done, until stopped
    #[arg(long, help_heading = heading::AFTER)]
    pub(crate) seed: bool,
    /// Go on seeding until so many times the size was uploaded, as in 1.5; 0 for no limit
    /// [default: leave when it is complete]
    ///
    /// With --seed-time, whichever is reached first counts.
    #[arg(long, value_name = "R", value_parser = values::ratio, help_heading = heading::AFTER, value_hint = ValueHint::Other, allow_negative_numbers = true)]
    pub(crate) seed_ratio: Option<f64>,
    /// Go on seeding for this long: seconds, or as in 90m, 1h30m, 2d; 0 leaves at once
    /// [default: leave when it is complete]
    #[arg(long, value_name = "TIME", value_parser = values::duration, help_heading = heading::AFTER, value_hint = ValueHint::Other, allow_negative_numbers = true)]
    pub(crate) seed_time: Option<Duration>,
    /// Run this program when a torrent is complete; PIECES_* variables say which (see docs/json.md)
    /// [default: none]
    ///
    /// It is run as it stands, without a shell and without arguments.
    #[arg(long, value_name = "PROGRAM", help_heading = heading::AFTER, value_hint = ValueHint::ExecutablePath)]
    pub(crate) on_complete: Option<PathBuf>,
    /// One JSON object a line on stdout for whatever happens (see docs/json.md)
    #[arg(long, help_heading = heading::OUTPUT)]
    pub(crate) json: bool,
    /// Leave holes in files until their pieces come, instead of taking all room up front
    #[arg(long, help_heading = heading::FILES)]
    pub(crate) sparse: bool,
    /// Overwrite files that were there before and are not the torrent's
    ///
    /// Without it nothing is written where a file is longer than the torrent says, or holds something
    /// else: not one of its pieces is right, it is not zeros, and no earlier run left it so. A file that
    /// is partly right, or shorter, is continued. With it, what is too long is cut.
    #[arg(long)]
    pub(crate) force: bool,
    /// Before leaving, wait until the disk has everything
    #[arg(long, help_heading = heading::FILES)]
    pub(crate) sync: bool,
}

/// `pieces-cli seed`.
#[derive(Debug, Args)]
pub(crate) struct Seed {
    /// Torrent files, http(s) URLs of them, magnet URIs in quotes, or info-hashes; - for one on stdin
    #[arg(required = true, value_name = "TORRENT", value_hint = ValueHint::FilePath)]
    pub(crate) torrents: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) target: Target,
    #[command(flatten)]
    pub(crate) choice: Choice,
    /// Seed the pieces that are there, also where others are missing
    #[arg(long, help_heading = heading::FILES)]
    pub(crate) partial: bool,
    #[command(flatten)]
    pub(crate) network: Network,
    #[command(flatten)]
    pub(crate) limits: Limits,
    /// One JSON object a line on stdout for whatever happens (see docs/json.md)
    #[arg(long, help_heading = heading::OUTPUT)]
    pub(crate) json: bool,
}

/// How much of the line to take.
#[derive(Debug, Default, Args)]
#[allow(clippy::struct_field_names, reason = "named as the flags are")]
#[command(next_help_heading = heading::LIMITS)]
pub(crate) struct Limits {
    /// Most bytes a second to download, over all torrents, as in 800K or 1.5MB; 0 for no limit
    /// [default: 0]
    ///
    /// K, M, G and T are powers of 1024, as are KiB, MiB, GiB and TiB; KB, MB, GB and TB are powers of
    /// 1000.
    #[arg(long, value_name = "RATE", value_parser = values::rate, value_hint = ValueHint::Other, allow_negative_numbers = true)]
    pub(crate) max_download: Option<Limit>,
    /// Most bytes a second to upload, over all torrents; 0 for no limit [default: 0]
    #[arg(long, value_name = "RATE", value_parser = values::rate, value_hint = ValueHint::Other, allow_negative_numbers = true)]
    pub(crate) max_upload: Option<Limit>,
    /// Most peers of a torrent; 0 for as many as the system has descriptors for [default: 200]
    #[arg(long, value_name = "N", value_hint = ValueHint::Other, allow_negative_numbers = true)]
    pub(crate) max_peers: Option<u32>,
}

/// Which files of a torrent are meant.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = heading::FILES)]
pub(crate) struct Choice {
    /// Only these files: numbers as in 1-3,7 (show lists the files; the first is 1), a name, a folder, or
    /// a glob (repeatable) [default: all]
    ///
    /// A folder is all that is below it. What is called exactly like that counts more than what a glob
    /// matches, and what matches in upper and lower case more than what does not. Without a slash names
    /// are compared, with one paths in the torrent; ./7 is the file called 7. A download creates a file
    /// that shares a piece with a chosen one with holes, and gets the bytes of that piece alone.
    #[arg(long = "select", value_name = "FILES", value_hint = ValueHint::Other)]
    pub(crate) selections: Vec<OsString>,
    /// Not these files, named as for --select: all others, or all others that it selects (repeatable)
    /// [default: none]
    #[arg(short = 'x', long = "exclude", value_name = "FILES", value_hint = ValueHint::Other)]
    pub(crate) excludes: Vec<OsString>,
}

/// Where data lives.
#[derive(Debug, Args)]
#[command(next_help_heading = heading::FILES)]
pub(crate) struct Target {
    /// The folder that holds the torrent's files
    #[arg(short, long, value_name = "DIR", default_value = ".", value_hint = ValueHint::DirPath)]
    pub(crate) dir: PathBuf,
    /// Hash everything that is there already, whatever was noted at the end of the last run
    #[arg(long)]
    pub(crate) verify: bool,
    /// Follow symbolic links out of DIR: for data of your own
    ///
    /// Links on disk that stay in DIR are followed without it; others are refused, since a torrent
    /// must not be able to read or write anything else.
    #[arg(long)]
    pub(crate) follow_links: bool,
}

/// How to reach other peers.
#[derive(Debug, Args)]
#[command(next_help_heading = heading::NETWORK)]
pub(crate) struct Network {
    /// TCP port to listen on; 0 takes any free one [default: the first free of 6881 to 6889]
    #[arg(long, value_name = "N", value_hint = ValueHint::Other, allow_negative_numbers = true)]
    pub(crate) port: Option<u16>,
    /// Local address for the listener, outgoing peers and trackers, or the interface that has it
    /// [default: every address]
    ///
    /// Of an interface with addresses of both families, the one of IPv4 is taken. To use IPv6, name its
    /// address.
    #[arg(long, value_name = "IP|INTERFACE", value_parser = interface::address, value_hint = ValueHint::Other)]
    pub(crate) bind: Option<IpAddr>,
    /// Which connections are encrypted (MSE): none, whatever the peer wants, or all
    ///
    /// prefer begins in the clear, tries again encrypted where that is refused, and takes both from
    /// peers that come. require is RC4 only: it hides what passes from the network, proves nobody's
    /// identity, and costs processor time. off refuses encrypted peers.
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = values::Encryption::Prefer)]
    pub(crate) encryption: values::Encryption,
    // Not a doc comment: rustdoc would read the address in brackets as a link.
    #[arg(
        long = "peer",
        value_name = "HOST:PORT",
        value_parser = values::host_port,
        value_hint = ValueHint::Hostname,
        help = "A peer to connect to besides those that are found, as in 192.0.2.7:6881, \
                [2001:db8::7]:6881 or box.example:6881 (repeatable) [default: none]"
    )]
    pub(crate) peers: Vec<String>,
    /// Look for no peers in the DHT
    #[arg(long)]
    pub(crate) no_dht: bool,
    /// A DHT node to begin with, in place of the well-known ones (repeatable)
    /// [default: dht.libtorrent.org:25401, dht.transmissionbt.com:6881, router.bittorrent.com:6881]
    #[arg(long, value_name = "HOST:PORT", value_hint = ValueHint::Hostname, conflicts_with = "no_dht", value_parser = values::host_port)]
    pub(crate) dht_bootstrap: Vec<String>,
    /// Look for no peers in the local network
    #[arg(long)]
    pub(crate) no_lsd: bool,
    /// Don't tell peers of each other, and don't hear of peers from them
    #[arg(long)]
    pub(crate) no_pex: bool,
}

#[cfg(test)]
mod tests;
