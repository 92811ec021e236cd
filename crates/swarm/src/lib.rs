//! Decides for one torrent, without I/O.

mod bans;
mod border;
mod bucket;
mod candidates;
mod choker;
mod close;
pub mod limits;
mod partial;
mod peer;
mod picker;
mod pieces;
mod rate;
mod requests;
mod stats;
mod torrent;
mod uploads;

pub use border::{
    Action, Checked, Config, Control, DiskDone, DiskJob, Event, Input, Origin, PeerKey, Phase,
    Source,
};
pub use close::CloseReason;
pub use stats::{PeerStats, Stats};
pub use torrent::Torrent;
