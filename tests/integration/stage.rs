//! What most tests begin with: a torrent, a tracker that knows nothing yet, and a folder.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use tempfile::TempDir;
use testkit::torrent::{Builder, Torrent};
use testkit::tracker::Tracker;

pub(crate) struct Stage {
    pub(crate) torrent: Torrent,
    pub(crate) tracker: Tracker,
    /// The `.torrent`, which names the tracker.
    pub(crate) file: PathBuf,
    folder: TempDir,
}

impl Stage {
    /// A multi-file torrent of a megabyte in 31 pieces, so that its bitfield has a spare bit.
    pub(crate) fn new() -> Self {
        Self::with(Builder::varied("a torrent", 1_000_000).build())
    }

    pub(crate) fn with(torrent: Torrent) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let tracker = Tracker::start().unwrap();
        let file = torrent.save(folder.path(), &[&tracker.url()]).unwrap();
        Self { torrent, tracker, file, folder }
    }

    /// Where the program under test can be dialed, once it has looked at its files and announced.
    pub(crate) fn reachable(&self) -> SocketAddr {
        self.tracker.wait_event("started").unwrap().addr
    }

    /// An empty folder.
    pub(crate) fn dir(&self, name: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::create_dir(&path).unwrap();
        path
    }

    /// A folder with the whole torrent in it.
    pub(crate) fn full_dir(&self, name: &str) -> PathBuf {
        let path = self.dir(name);
        self.torrent.write_files(&path).unwrap();
        path
    }
}
