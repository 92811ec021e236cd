//! The thread that makes what was written durable and hashes again what another program may have changed,
//! so that no other disk thread waits for that. It never writes torrent data.

use std::path::PathBuf;
use std::sync::Arc;

use crossbeam_channel::Receiver;
use metainfo::PieceSet;
use rustix::fs::fdatasync;

use crate::error::Error;
use crate::job::{Done, Job, TorrentId, What};
use crate::paths::{Access, Root};
use crate::recheck;
use crate::shared::{Closing, Shared};
use crate::torrent::{Dirty, Torrent};
use crate::watch::Identity;

/// What reaches the thread.
pub(crate) enum SyncMessage<B> {
    Recheck(TorrentId, PieceSet),
    Sync(TorrentId),
    Share(TorrentId),
    Close(Arc<Closing<B>>),
}

impl<B> SyncMessage<B> {
    /// A job that is not of one piece.
    pub(crate) fn of(torrent: TorrentId, job: Job<B>) -> Self {
        match job {
            Job::Recheck { pieces, .. } => Self::Recheck(torrent, pieces),
            _ => Self::Sync(torrent),
        }
    }
}

/// Serves the inbox until all its senders are gone.
pub(crate) fn run<B>(shared: &Shared<B>, inbox: &Receiver<SyncMessage<B>>) {
    for message in inbox {
        match message {
            SyncMessage::Close(closing) => closing.pass(),
            SyncMessage::Share(torrent) => {
                if let Some(open) = shared.torrent(torrent) {
                    open.locks.share();
                }
            }
            SyncMessage::Recheck(torrent, pieces) => {
                let open = shared.torrent(torrent).ok_or_else(Error::closed);
                let done = match open.and_then(|open| recheck::pieces(&open, &pieces)) {
                    Ok(wrong) => Done::Rechecked { torrent, wrong },
                    Err(error) => Done::Failed { torrent, what: What::Recheck, error },
                };
                (shared.done)(vec![done]);
            }
            SyncMessage::Sync(torrent) => {
                let done = if let Some(open) = shared.torrent(torrent) {
                    sync(torrent, &open)
                } else {
                    let what = What::Sync { pieces: Vec::new() };
                    Done::Failed { torrent, what, error: Error::closed() }
                };
                (shared.done)(vec![done]);
            }
        }
    }
}

/// Makes everything durable that is not yet; answers with the pieces it was about.
fn sync<B>(torrent: TorrentId, open: &Torrent) -> Done<B> {
    let mut dirty = open.take_dirty();
    let pieces = std::mem::take(&mut dirty.pieces);
    match sync_all(open, &dirty) {
        Ok(()) => {
            let Identity { stamps, doubtful, ours } = open.watch.identity();
            Done::Synced { torrent, pieces, stamps, doubtful, ours }
        }
        Err(error) => {
            open.put_back(dirty);
            Done::Failed { torrent, what: What::Sync { pieces }, error }
        }
    }
}

fn sync_all(torrent: &Torrent, dirty: &Dirty) -> Result<(), Error> {
    let Torrent { files, watch, .. } = torrent;
    for index in &dirty.files {
        let open = files.open(*index, Access::Read)?;
        // A file that was replaced can't be made durable by syncing the one we wrote.
        watch.before(files, *index, &open)?;
        fdatasync(&open.file)
            .map_err(|errno| Error::io("sync it", &files.path(*index), &errno.into()))?;
    }
    if dirty.folders.is_empty() {
        return Ok(());
    }
    let descriptors = &files.descriptors;
    let root = descriptors.patiently(|| Root::of(files.spec()))?;
    let sync = |folder: &PathBuf| descriptors.patiently(|| root.sync_folder(folder));
    dirty.folders.iter().try_for_each(sync)
}
