//! The arguments of the commands that write torrents: `create` and `edit`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::{heading, values};

/// `pieces-cli create`.
///
/// Files are sorted and nothing that differs between machines is written, so the same folder gives
/// the same bytes everywhere. A symbolic link counts as what it leads to, if that is in PATH too;
/// other links, and what is neither file nor folder, are left out with a warning. Hidden files are
/// taken like any other.
#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct Create {
    /// The file or folder to make a torrent of
    #[arg(value_hint = ValueHint::AnyPath)]
    pub(crate) path: PathBuf,
    /// Where the torrent goes; - for stdout [default: NAME.torrent in the current folder]
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,
    /// Replace FILE if it is there
    #[arg(long)]
    pub(crate) force: bool,
    /// A tier of trackers: one URL, or several with commas between (repeatable)
    /// [default: none]
    #[arg(short, long = "tracker", value_name = "URL[,URL]", help_heading = heading::TRACKERS, value_hint = ValueHint::Url)]
    pub(crate) trackers: Vec<String>,
    /// A web seed (repeatable) [default: none]
    #[arg(short, long = "web-seed", value_name = "URL", help_heading = heading::TRACKERS, value_hint = ValueHint::Url)]
    pub(crate) web_seeds: Vec<String>,
    /// Peers may come from the trackers only
    #[arg(short, long, help_heading = heading::TORRENT)]
    pub(crate) private: bool,
    /// A tag that gives the torrent an info-hash of its own [default: none]
    #[arg(short, long, value_name = "TEXT", help_heading = heading::TORRENT, value_hint = ValueHint::Other)]
    pub(crate) source: Option<String>,
    /// A free comment [default: none]
    #[arg(short, long, value_name = "TEXT", help_heading = heading::TORRENT, value_hint = ValueHint::Other)]
    pub(crate) comment: Option<String>,
    /// The name in the torrent [default: that of PATH]
    ///
    /// Names are stored as they are on disk, to the byte: torrents cannot say in which encoding one is
    /// that is not UTF-8.
    #[arg(short, long, help_heading = heading::TORRENT, value_hint = ValueHint::Other)]
    pub(crate) name: Option<String>,
    /// Bytes of a piece, as in 256K or 4M: a power of two, K and M are of 1024 [default: by the size of
    /// the content]
    #[arg(short = 'l', long, value_name = "SIZE", help_heading = heading::TORRENT, value_hint = ValueHint::Other, value_parser = values::piece_size, allow_negative_numbers = true)]
    pub(crate) piece_size: Option<u32>,
    /// Leave out what this matches, as in '*.tmp' or 'cache/**' (repeatable) [default: nothing]
    ///
    /// A pattern without a slash is held against each file's and folder's name, one with a slash
    /// against its path below PATH. A folder that matches is left out with all that is in it. What
    /// PATH has exactly under that name is meant as it stands; upper and lower case count.
    #[arg(short = 'x', long = "exclude", value_name = "GLOB", help_heading = heading::FILES, value_hint = ValueHint::AnyPath)]
    pub(crate) excludes: Vec<String>,
    /// One JSON object on stdout (see docs/json.md)
    #[arg(long, help_heading = heading::OUTPUT)]
    pub(crate) json: bool,
    /// Follow symbolic links out of PATH: for data of your own
    #[arg(long, help_heading = heading::FILES)]
    pub(crate) follow_links: bool,
    /// Make a version 2 torrent (BEP 52)
    #[arg(long, help_heading = heading::TORRENT, conflicts_with = "hybrid")]
    pub(crate) v2: bool,
    /// Make a torrent of both versions
    #[arg(long, help_heading = heading::TORRENT)]
    pub(crate) hybrid: bool,
    /// Write the date into the torrent: now, or SOURCE_DATE_EPOCH where that is set
    ///
    /// With SOURCE_DATE_EPOCH in the environment its date is written even without this.
    #[arg(long, help_heading = heading::TORRENT)]
    pub(crate) date: bool,
}

/// `pieces-cli edit`.
#[derive(Debug, Args)]
pub(crate) struct Edit {
    /// The torrent file; its http(s) URL, or - for stdin, only with -o
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) torrent: PathBuf,
    /// Where the changed torrent goes; - for stdout [default: TORRENT itself]
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,
    /// Replace FILE if it is there
    #[arg(long)]
    pub(crate) force: bool,
    /// One JSON object on stdout (see docs/json.md)
    #[arg(long, help_heading = heading::OUTPUT)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) changes: Changes,
}

/// What to change; at least one of them.
#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[command(next_help_heading = heading::TORRENT)]
pub(crate) struct Changes {
    /// A tier of trackers in place of all there are: one URL, or several with commas between
    /// (repeatable) [default: they stay]
    #[arg(short, long = "tracker", value_name = "URL[,URL]", help_heading = heading::TRACKERS, value_hint = ValueHint::Url)]
    pub(crate) trackers: Vec<String>,
    /// Remove all trackers
    #[arg(long, help_heading = heading::TRACKERS, conflicts_with_all = ["trackers", "add_trackers", "remove_trackers"])]
    pub(crate) no_trackers: bool,
    /// A tier of trackers after those there are (repeatable) [default: none]
    #[arg(long = "add-tracker", help_heading = heading::TRACKERS, value_hint = ValueHint::Url, value_name = "URL[,URL]")]
    pub(crate) add_trackers: Vec<String>,
    /// A tracker to remove (repeatable) [default: none]
    #[arg(long = "remove-tracker", help_heading = heading::TRACKERS, value_hint = ValueHint::Url, value_name = "URL", conflicts_with = "trackers")]
    pub(crate) remove_trackers: Vec<String>,
    /// A web seed in place of all there are (repeatable) [default: they stay]
    #[arg(short, long = "web-seed", value_name = "URL", help_heading = heading::TRACKERS, value_hint = ValueHint::Url)]
    pub(crate) web_seeds: Vec<String>,
    /// Remove all web seeds
    #[arg(long, help_heading = heading::TRACKERS, conflicts_with = "web_seeds")]
    pub(crate) no_web_seeds: bool,
    /// The comment; an empty one removes it [default: it stays]
    #[arg(short, long, value_name = "TEXT", help_heading = heading::TORRENT, value_hint = ValueHint::Other)]
    pub(crate) comment: Option<String>,
    /// Peers may come from the trackers only; changes the info-hash
    #[arg(short, long, conflicts_with = "public")]
    pub(crate) private: bool,
    /// Peers may come from anywhere; changes the info-hash
    #[arg(long)]
    pub(crate) public: bool,
    /// The source tag; an empty one removes it; changes the info-hash [default: it stays]
    #[arg(short, long, value_name = "TEXT", help_heading = heading::TORRENT, value_hint = ValueHint::Other)]
    pub(crate) source: Option<String>,
}
