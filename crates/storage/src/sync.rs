//! The thread that makes what was written durable, so that no other disk thread waits for that.
//! It never writes torrent data.

use std::path::PathBuf;
use std::sync::Arc;

use crossbeam_channel::Receiver;
use metainfo::PieceIndex;
use rustix::fs::fdatasync;

use crate::error::Error;
use crate::job::{Done, TorrentId, What};
use crate::paths::{Access, Root};
use crate::shared::{Closing, Shared};
use crate::torrent::{Dirty, Torrent};

/// What reaches the thread.
pub(crate) enum SyncMessage<B> {
    Sync(TorrentId),
    Share(TorrentId),
    Close(Arc<Closing<B>>),
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
            SyncMessage::Sync(torrent) => {
                let (pieces, result) = match shared.torrent(torrent) {
                    Some(open) => sync(&open),
                    None => (Vec::new(), Err(Error::closed())),
                };
                let done = match result {
                    Ok(()) => Done::Synced { torrent, pieces },
                    Err(error) => Done::Failed { torrent, what: What::Sync { pieces }, error },
                };
                (shared.done)(vec![done]);
            }
        }
    }
}

/// Makes everything durable that is not yet; answers with the pieces it was about.
fn sync(torrent: &Torrent) -> (Vec<PieceIndex>, Result<(), Error>) {
    let mut dirty = torrent.take_dirty();
    let pieces = std::mem::take(&mut dirty.pieces);
    let result = sync_all(torrent, &dirty);
    if result.is_err() {
        torrent.put_back(dirty);
    }
    (pieces, result)
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
