#![doc = include_str!("../README.md")]
//! Owns everything torrent data meets on disk: paths, allocation, locks, reading, writing, hashing
//! and the threads that do so. Knows no peer, no policy and no async runtime.

mod disk;
mod error;
mod job;
mod spec;
mod verify;

pub use disk::{Backend, Config, Disk, HOLD_BUDGET, Opened};
pub use error::{Error, ErrorKind};
pub use job::{Checked, Done, Job, TorrentId, What};
pub use spec::{Allocation, FileSpec, Spec};
pub use verify::{FileState, Options, Progress, Verified, verify};
