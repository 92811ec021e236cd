#![doc = include_str!("../README.md")]
//! Owns everything torrent data meets on disk: paths, allocation, locks, reading, writing, hashing
//! and the threads that do so. Knows no peer, no policy and no async runtime.
// What comes from outside is never used as an index unchecked.
#![warn(clippy::indexing_slicing)]
#![cfg_attr(test, allow(clippy::indexing_slicing, reason = "a test that indexes wrongly fails"))]

mod advice;
mod backend;
mod before;
mod cached;
mod descriptors;
mod disk;
mod disk_names;
mod error;
mod file_cache;
mod files;
mod fit;
mod hash;
mod hold;
mod job;
mod keep;
mod lane;
mod links;
mod lock;
mod name_rules;
mod paths;
mod recheck;
mod regular;
mod room;
mod scan;
mod shared;
mod span;
mod spec;
mod stamp;
mod sync;
mod sys;
mod torrent;
mod verify;
mod watch;
mod write;

pub use advice::explain;
pub use backend::Backend;
pub use before::{Before, Writer};
pub use descriptors::{
    Budget, LEAST_FOR_FILES, LEAST_FOR_SESSION, Taken, Use, close_idle_file, make_room, ran_out,
    there_are, with_descriptors,
};
pub use disk::{Config, Disk, HOLD_BUDGET, Opened};
pub use disk_names::{locate, new_file_name};
pub use error::{Error, ErrorKind};
pub use hash::{Hashes, hash_files, hash_plan};
pub use job::{Checked, Done, Job, TorrentId, What};
pub use keep::Keep;
pub use links::{Link, LinkState, stays_within};
pub use regular::{open_regular, read_regular};
pub use room::{Room, check_room, free_space, room};
pub use scan::Progress;
pub use spec::{Allocation, FileSpec, Renamed, Spec};
pub use stamp::{FileStamp, FileSystem, stamps, wait_for_tick};
pub use verify::{FileState, Options, Verified, verify};
