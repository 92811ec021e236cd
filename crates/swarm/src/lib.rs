//! Decides for one torrent, without I/O.

mod border;
mod close;
pub mod limits;
mod stats;
mod torrent;

pub use border::{
    Action, Checked, Config, Control, DiskDone, DiskJob, Event, Input, Origin, PeerKey, Phase,
    Source,
};
pub use close::CloseReason;
pub use stats::{PeerStats, Stats};
pub use torrent::Torrent;
