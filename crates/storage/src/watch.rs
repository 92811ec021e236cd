//! Notices when another program truncates, replaces, removes or writes a file of an open torrent.
//!
//! Each write of ours goes from a known stamp of its file to the next known one. A stamp that is not the
//! last known one means that another program wrote: from then on every piece of the file is doubtful,
//! which means that it is hashed again before it is served, claimed or told as complete.
//! It never reads a file's bytes, and it keeps no descriptor.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use metainfo::{Layout, PieceIndex, PieceSet};

use crate::error::{Error, ErrorKind};
use crate::files::{FileId, Files, OpenFile};
use crate::paths::Root;
use crate::stamp::FileStamp;

/// How long a removed or replaced file may go unnoticed. Looking costs a few system calls, so not
/// at every read; what is read meanwhile is what was verified, only no longer under that name.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What is known of each file of one torrent.
#[derive(Debug)]
pub(crate) struct Watch {
    inner: Mutex<Inner>,
    /// Whether any piece is doubtful, to be known without the lock.
    doubting: AtomicBool,
}

#[derive(Debug)]
struct Inner {
    files: Vec<Known>,
    /// Pieces in files that another program wrote to, until they are hashed again.
    doubtful: PieceSet,
}

#[derive(Debug, Clone, Default)]
struct Known {
    id: Option<(FileId, u64)>,
    /// A write of ours went to it, or we made it.
    ours: bool,
    /// The file as we left it; unknown while we write.
    stamp: Option<FileStamp>,
    /// Writes of ours going on now.
    writing: u32,
    /// Writes of ours begun so far.
    writes: u64,
    /// When its name was last looked up.
    looked: Option<Instant>,
    /// How often it was noticed that another program wrote to it.
    written: u64,
    /// It was cut, removed or replaced, or a piece of it is wrong; stays so until the torrent is opened
    /// again.
    lost: bool,
}

impl Known {
    /// Whether no write of ours was going on at either time, or began in between: then what a look
    /// between the two saw is what is there.
    fn is_quiet_since(&self, then: &Self) -> bool {
        then.writing == 0 && self.writing == 0 && self.writes == then.writes
    }

    fn looked_lately(&self) -> bool {
        self.looked.is_some_and(|looked| looked.elapsed() < LOOK_EVERY)
    }
}

impl Inner {
    /// How often another program wrote to the files of a piece, as far as it was noticed.
    fn writes_to(&self, files: &Files, piece: PieceIndex) -> u64 {
        let spans = files.spec().layout().piece_spans(piece);
        spans.filter_map(|span| self.files.get(span.file)).map(|known| known.written).sum()
    }
}

/// What was known of the files of a piece before it was hashed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark(u64);

/// A file as it was before a read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    /// Unknown if a write of ours was going on: its mark may have come before or after the look.
    stamp: Option<FileStamp>,
    writes: u64,
}

/// What a torrent's files are, as far as it was noticed.
#[derive(Debug)]
pub(crate) struct Identity {
    /// For each file how it looks with all that is known of its pieces; `None` where that is not known.
    pub(crate) stamps: Vec<Option<FileStamp>>,
    /// Pieces of which nothing is known any more.
    pub(crate) doubtful: PieceSet,
    /// Which files were made or written to by us.
    pub(crate) ours: Vec<bool>,
}

impl Watch {
    pub(crate) fn new(layout: &Layout) -> Self {
        let files = vec![Known::default(); layout.file_count()];
        let doubtful = PieceSet::new_empty(layout.piece_count());
        Self { inner: Mutex::new(Inner { files, doubtful }), doubting: AtomicBool::new(false) }
    }

    /// Remembers a file as it was when the torrent was opened.
    pub(crate) fn know(&self, index: usize, stamp: FileStamp) {
        self.with(index, |known| {
            known.id = Some((stamp.id(), stamp.born));
            known.stamp = Some(stamp);
        });
    }

    /// Makes sure that the open file is still the torrent's and whole. What another program wrote to it
    /// since it was last looked at makes its pieces doubtful.
    pub(crate) fn before(
        &self,
        files: &Files,
        index: usize,
        open: &OpenFile,
    ) -> Result<Seen, Error> {
        let (known, stamp) = self.look_at(files, index, open)?;
        self.compare(files, index, stamp, open.local, &known);
        Ok(Seen { stamp: (known.writing == 0).then_some(stamp), writes: known.writes })
    }

    /// What is known of the file and how it looks now, if it is still the torrent's and whole.
    fn look_at(
        &self,
        files: &Files,
        index: usize,
        open: &OpenFile,
    ) -> Result<(Known, FileStamp), Error> {
        let known = self.with(index, |known| known.clone()).unwrap_or_default();
        if known.lost {
            return Err(changed(files, index, "was changed by another program"));
        }
        if known.id.is_some_and(|id| id != (open.id, open.born)) {
            return Err(self.lost(files, index, "was replaced"));
        }
        if open.opened.elapsed() < LOOK_EVERY {
            self.with(index, |known| {
                known.looked = known.looked.max(Some(open.opened));
                known.id = Some((open.id, open.born));
            });
        } else if !known.looked_lately() {
            self.look(files, index, open)?;
        }
        let stamp = stamp(files, index, open)?;
        self.long_enough(files, index, stamp)?;
        Ok((known, stamp))
    }

    /// Whether what was read since [`before`](Self::before) was read from an untouched file, so that it
    /// can be believed as far as its pieces are.
    pub(crate) fn after(
        &self,
        files: &Files,
        index: usize,
        open: &OpenFile,
        seen: Seen,
    ) -> Result<bool, Error> {
        let stamp = stamp(files, index, open)?;
        self.long_enough(files, index, stamp)?;
        let known = self.with(index, |known| known.clone()).unwrap_or_default();
        if known.lost {
            return Err(changed(files, index, "was changed by another program"));
        }
        let quiet = known.writing == 0 && known.writes == seen.writes;
        let then = seen.stamp.filter(|_| quiet);
        let untouched = then.is_none_or(|then| then.is_unchanged(stamp, open.local));
        if !untouched {
            self.compare(files, index, stamp, open.local, &known);
        }
        Ok(untouched)
    }

    /// Notes that the file was made for the torrent.
    pub(crate) fn made(&self, index: usize) {
        self.with(index, |known| known.ours = true);
    }

    /// To be called before each write of ours; [`written`](Self::written) after it. The caller has the
    /// file's [turn](OpenFile::turn) to write. What another program wrote to the file is not overwritten.
    pub(crate) fn writing(
        &self,
        files: &Files,
        index: usize,
        open: &OpenFile,
    ) -> Result<(), Error> {
        let (known, now) = self.look_at(files, index, open)?;
        let then = known.stamp.filter(|_| open.local);
        if then.is_some_and(|then| now.is_written_since(then)) {
            return Err(self.lost(files, index, "was written by another program"));
        }
        self.compare(files, index, now, open.local, &known);
        self.with(index, |known| {
            known.ours = true;
            known.writing += 1;
            known.writes += 1;
            known.stamp = None;
        });
        Ok(())
    }

    /// To be called after each write of ours, before the turn is given back.
    pub(crate) fn written(&self, index: usize, open: &OpenFile) {
        // Without a stamp the next look makes the file doubtful.
        let stamp = open.stamp().ok();
        self.with(index, |known| {
            known.writing = known.writing.saturating_sub(1);
            known.stamp = stamp.filter(|_| known.writing == 0);
        });
    }

    /// Whether [`before`](Self::before) would not look the file's name up, which may take a disk.
    pub(crate) fn looked_lately(&self, index: usize) -> bool {
        self.with(index, |known| known.looked_lately()).unwrap_or(false)
    }

    /// Marks the file as none of which anything is known any more, and says so.
    pub(crate) fn lost(&self, files: &Files, index: usize, how: &str) -> Error {
        self.with(index, |known| known.lost = true);
        self.doubt(files, index);
        changed(files, index, how)
    }

    /// Whether the piece has to be hashed again before it is believed.
    pub(crate) fn is_doubtful(&self, piece: PieceIndex) -> bool {
        self.doubting.load(Ordering::Acquire) && self.lock().doubtful.contains(piece)
    }

    /// Those of the pieces that have to be hashed again, but for those that are known to be `wrong`.
    pub(crate) fn doubtful_of(&self, pieces: &PieceSet, wrong: &PieceSet) -> PieceSet {
        let mut found = PieceSet::new_empty(pieces.len());
        if self.doubting.load(Ordering::Acquire) {
            let inner = self.lock();
            let known = pieces.iter().filter(|piece| !wrong.contains(*piece));
            for piece in known.filter(|piece| inner.doubtful.contains(*piece)) {
                found.insert(piece);
            }
        }
        found
    }

    /// Marks a file of a piece that another program changed, and says so.
    pub(crate) fn lost_piece(&self, files: &Files, piece: PieceIndex) -> Error {
        let spans = || files.spec().layout().piece_spans(piece).map(|span| span.file);
        let written = |index: &usize| self.with(*index, |known| known.written) > Some(0);
        let index = spans().find(written).or_else(|| spans().next()).unwrap_or(0);
        self.lost(files, index, "was changed by another program")
    }

    /// Says so if a file was cut, removed or replaced.
    pub(crate) fn refuse_lost(&self, files: &Files) -> Result<(), Error> {
        let lost = self.lock().files.iter().position(|known| known.lost);
        let how = "was cut, removed or replaced by another program";
        lost.map_or(Ok(()), |index| Err(changed(files, index, how)))
    }

    /// To be taken before a piece is hashed, for [`hashed`](Self::hashed); `None` where it is believed
    /// already, so that nothing follows from its hash.
    pub(crate) fn mark(&self, files: &Files, piece: PieceIndex) -> Option<Mark> {
        if !self.is_doubtful(piece) {
            return None;
        }
        Some(Mark(self.lock().writes_to(files, piece)))
    }

    /// The piece was hashed and is right: it is believed again, unless another program wrote to its files
    /// since the mark was taken.
    pub(crate) fn hashed(&self, files: &Files, piece: PieceIndex, mark: Mark) {
        let mut inner = self.lock();
        if inner.writes_to(files, piece) == mark.0 {
            inner.doubtful.remove(piece);
            self.doubting.store(!inner.doubtful.is_empty(), Ordering::Release);
        }
    }

    /// What is known of the files now, without a look at them.
    pub(crate) fn identity(&self) -> Identity {
        let inner = self.lock();
        let stamp = |known: &Known| known.stamp.filter(|_| !known.lost && known.writing == 0);
        let stamps = inner.files.iter().map(stamp).collect();
        let ours = inner.files.iter().map(|known| known.ours).collect();
        Identity { stamps, doubtful: inner.doubtful.clone(), ours }
    }

    /// Looks at all files, so that what was done to one that was not read since is noticed too.
    pub(crate) fn look_at_all(&self, files: &Files) -> Identity {
        let spec = files.spec();
        let descriptors = &files.descriptors;
        let root = descriptors.patiently(|| Root::of(spec));
        let mut stamps = vec![None; spec.files().len()];
        for (index, file) in spec.files().iter().enumerate().filter(|(_, file)| file.on_disk) {
            let known = self.with(index, |known| known.clone()).unwrap_or_default();
            let look = |root: &Root| descriptors.patiently(|| root.stamp(&file.path));
            let now = root.as_ref().ok().and_then(|root| look(root).ok().flatten());
            let long_enough = |now: &FileStamp| now.len >= spec.layout().file_len(index);
            let same = |now: &FileStamp| known.id.is_none_or(|id| id == (now.id(), now.born));
            let Some(now) = now.filter(|now| !known.lost && same(now) && long_enough(now)) else {
                // One that was not there when the torrent was opened is not missed.
                if known.id.is_some() {
                    self.with(index, |known| known.lost = true);
                    self.doubt(files, index);
                }
                continue;
            };
            let local = root.as_ref().is_ok_and(Root::is_local);
            self.compare(files, index, now, local, &known);
            if let Some(stamp) = stamps.get_mut(index) {
                *stamp = Some(now);
            }
        }
        let Identity { doubtful, ours, .. } = self.identity();
        if !doubtful.is_empty() {
            let layout = spec.layout();
            for (index, stamp) in stamps.iter_mut().enumerate() {
                let mut pieces = layout.file_pieces(index).filter_map(|piece| layout.piece(piece));
                if pieces.any(|piece| doubtful.contains(piece)) {
                    *stamp = None;
                }
            }
        }
        Identity { stamps, doubtful, ours }
    }

    /// Holds a look at the file against what is known of it, unless a write of ours came in between.
    fn compare(&self, files: &Files, index: usize, stamp: FileStamp, local: bool, then: &Known) {
        let mut inner = self.lock();
        let Some(known) = inner.files.get_mut(index) else { return };
        let same = known.stamp.is_some_and(|known| known.is_unchanged(stamp, local));
        if same || !known.is_quiet_since(then) {
            return;
        }
        known.stamp = Some(stamp);
        known.written += 1;
        self.note_doubt(&mut inner, files, index);
    }

    fn doubt(&self, files: &Files, index: usize) {
        self.note_doubt(&mut self.lock(), files, index);
    }

    /// Before the lock is given back, so that nobody sees the new stamp without the doubt.
    fn note_doubt(&self, inner: &mut Inner, files: &Files, index: usize) {
        let layout = files.spec().layout();
        for piece in layout.file_pieces(index).filter_map(|piece| layout.piece(piece)) {
            inner.doubtful.insert(piece);
        }
        self.doubting.store(!inner.doubtful.is_empty(), Ordering::Release);
        log::info!(
            "{}: changed by another program; its pieces are hashed again before they are used",
            files.path(index).display()
        );
    }

    fn look(&self, files: &Files, index: usize, open: &OpenFile) -> Result<(), Error> {
        let spec = files.spec();
        let Some(file) = spec.files().get(index) else { return Ok(()) };
        let found = || Root::of(spec).and_then(|root| root.look(&file.path));
        let found = match files.descriptors.cache.at_once(found) {
            Ok(found) => found,
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            // The next time then: the caller has the file in use, and must not wait.
            Err(error) if error.kind() == ErrorKind::NoDescriptors => return Ok(()),
            Err(error) => return Err(error),
        };
        match found {
            None => Err(self.lost(files, index, "was removed")),
            Some(stat) if FileId::of(&stat) != open.id => {
                Err(self.lost(files, index, "was replaced"))
            }
            Some(_) => {
                self.with(index, |known| {
                    known.looked = Some(Instant::now());
                    known.id = Some((open.id, open.born));
                });
                Ok(())
            }
        }
    }

    fn long_enough(&self, files: &Files, index: usize, stamp: FileStamp) -> Result<(), Error> {
        let len = files.spec().layout().file_len(index);
        if stamp.len < len {
            let how = format!("was cut to {} of its {len} bytes", stamp.len);
            return Err(self.lost(files, index, &how));
        }
        Ok(())
    }

    fn with<T>(&self, index: usize, act: impl FnOnce(&mut Known) -> T) -> Option<T> {
        self.lock().files.get_mut(index).map(act)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn stamp(files: &Files, index: usize, open: &OpenFile) -> Result<FileStamp, Error> {
    open.stamp().map_err(|error| Error::io("look at it", &files.path(index), &error))
}

fn changed(files: &Files, index: usize, how: &str) -> Error {
    Error::new(ErrorKind::Changed, &files.path(index), format!("{how}; verify the torrent again"))
}

#[cfg(test)]
mod tests;
