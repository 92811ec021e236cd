//! The life of a torrent that began as a magnet, until its files are open: what its task does with the
//! metadata, and where that is kept for the next time. Fetching it is `swarm`'s.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use metainfo::{InfoHash, MAX_TORRENT_LEN, Magnet, Metainfo};
use swarm::{Begin, Input, Source};

use crate::driver::{Driver, Files};
use crate::error::{Error, ErrorKind};
use crate::event::{Event, State};
use crate::mail::Mail;
use crate::start::Opened;

/// What trackers are told is left while nobody knows (BEP 3 has no word for that): a block, as libtorrent
/// does. Not 0, or we would pass for a seed.
pub(crate) const LEFT: u64 = 16 * 1024;

/// How long trackers are given to hear `stopped` of a torrent of which nothing was begun. They are told so
/// that they send nobody here; the user has no data that this would wait for.
pub(crate) const GOODBYE: Duration = Duration::from_secs(1);

impl Driver {
    /// The metadata is here: it is kept for the next time, then the user is told, who may leave at once.
    pub(crate) fn metadata(&mut self, now: Instant, info: &[u8]) {
        let Some(magnet) = &self.magnet else { return };
        match (magnet.torrent_file(info), &self.state_dir) {
            (Ok(file), Some(folder)) => {
                let path = place(folder, self.entry.info_hash);
                let mailbox = self.entry.mailbox.clone();
                self.shared.saver.keep(path, file.clone(), move || {
                    // A torrent that has ended is no longer asked what to do with it.
                    let _ = mailbox.send(Mail::Kept(file));
                });
            }
            (Ok(file), None) => self.kept(file),
            (Err(error), _) => self.fail(now, ErrorKind::Metadata(error)),
        }
    }

    /// The user is told the metadata, and decides.
    pub(crate) fn kept(&self, file: Vec<u8>) {
        if self.state != State::Stopping {
            self.tell(Event::Metadata { torrent: self.id, file });
        }
    }

    /// The files are open: the download begins.
    pub(crate) fn begin(&mut self, now: Instant, opened: Opened) {
        self.files = Files::Open;
        self.durable = opened.durable;
        if self.state == State::Stopping {
            self.shared.disk.close(self.id);
            return;
        }
        self.magnet = None;
        self.layout = opened.layout.clone();
        self.total_bytes = opened.total_bytes;
        self.state = opened.state;
        self.tell(opened.ready);
        let Opened { layout, have, wanted, sequential, peers, .. } = opened;
        let begin = Box::new(Begin { layout, have, wanted, sequential });
        self.swarm.handle(now, Input::Begin(begin));
        self.swarm.handle(now, Input::Found { addrs: peers, source: Source::Given });
    }

    /// The files could not be opened.
    pub(crate) fn open_failed(&mut self, now: Instant, error: Error) {
        self.files = Files::None;
        self.work.files_closed |= self.state == State::Stopping;
        self.fail(now, error);
    }
}

/// Where metadata is kept: a torrent file, as useful to a user as to us.
fn place(folder: &Path, info_hash: InfoHash) -> PathBuf {
    folder.join(format!("{info_hash}.torrent"))
}

/// The torrent file of a magnet whose metadata was kept by an earlier run.
pub(crate) fn kept(folder: &Path, magnet: &Magnet) -> Option<Vec<u8>> {
    let path = place(folder, magnet.info_hash?);
    let most = u64::try_from(MAX_TORRENT_LEN).unwrap_or(u64::MAX);
    let bytes = match storage::read_regular(&path, most) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => {
            log::warn!("{}: {error}", path.display());
            return None;
        }
    };
    // With the trackers of this URI, which may be others; and held against its info-hash again.
    let torrent = Metainfo::from_bytes(&bytes);
    torrent
        .and_then(|torrent| magnet.torrent_file(torrent.info_bytes()))
        .inspect_err(|error| log::warn!("{}: {error}", path.display()))
        .ok()
}
