//! Notices when somebody else truncates, replaces, removes or writes a file of an open torrent.
//! It never reads a file's bytes, and it keeps no descriptor.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind};
use crate::files::{FileId, Files, OpenFile, Stamp};
use crate::paths::Root;

/// How long a removed or replaced file may go unnoticed. Looking costs a few system calls, so not
/// at every read; what is read meanwhile is what was verified, only no longer under that name.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What is known of each file of one torrent.
#[derive(Debug)]
pub(crate) struct Watch {
    files: Mutex<Vec<Known>>,
}

#[derive(Debug, Clone, Default)]
struct Known {
    id: Option<FileId>,
    /// The file as we left it; unknown while and after we write, until it is looked at again.
    stamp: Option<Stamp>,
    /// Writes of ours going on now.
    writing: u32,
    /// Writes of ours begun so far.
    writes: u64,
    /// When its name was last looked up.
    looked: Option<Instant>,
    /// It was changed by somebody else; stays so until the torrent is opened again.
    changed: bool,
}

impl Known {
    fn looked_lately(&self) -> bool {
        self.looked.is_some_and(|looked| looked.elapsed() < LOOK_EVERY)
    }
}

/// A file as it was before a read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    stamp: Stamp,
    writes: u64,
}

impl Watch {
    pub(crate) fn new(files: usize) -> Self {
        Self { files: Mutex::new(vec![Known::default(); files]) }
    }

    /// Remembers a file as it was when the torrent was opened.
    pub(crate) fn know(&self, index: usize, id: FileId, stamp: Stamp) {
        self.with(index, |known| {
            known.id = Some(id);
            known.stamp = Some(stamp);
        });
    }

    /// Makes sure that the open file is still the torrent's, whole and untouched.
    pub(crate) fn before(
        &self,
        files: &Files,
        index: usize,
        open: &OpenFile,
    ) -> Result<Seen, Error> {
        let known = self.with(index, |known| known.clone()).unwrap_or_default();
        if known.changed {
            return Err(changed(files, index, "was changed by another program"));
        }
        if known.id.is_some_and(|id| id != open.id) {
            return Err(self.lost(files, index, "was replaced"));
        }
        if !known.looked_lately() {
            self.look(files, index, open)?;
        }
        let stamp = stamp(files, index, open)?;
        self.long_enough(files, index, stamp)?;
        let untouched = self.with(index, |known_now| {
            // Only when none of our own writes could have changed it meanwhile.
            let quiet = known_now.writing == 0 && known_now.writes == known.writes;
            match known_now.stamp {
                Some(then) if quiet => open.untouched(then, stamp),
                None if quiet => {
                    known_now.stamp = Some(stamp);
                    true
                }
                _ => true,
            }
        });
        if untouched == Some(false) {
            return Err(self.lost(files, index, "was written by another program"));
        }
        Ok(Seen { stamp, writes: known.writes })
    }

    /// Makes sure that what was read since [`before`](Self::before) was read from an untouched
    /// file.
    pub(crate) fn after(
        &self,
        files: &Files,
        index: usize,
        open: &OpenFile,
        seen: Seen,
    ) -> Result<(), Error> {
        let stamp = stamp(files, index, open)?;
        self.long_enough(files, index, stamp)?;
        let untouched = self.with(index, |known| {
            let quiet = known.writing == 0 && known.writes == seen.writes;
            !known.changed && (!quiet || open.untouched(seen.stamp, stamp))
        });
        if untouched == Some(false) {
            return Err(self.lost(files, index, "was written by another program"));
        }
        Ok(())
    }

    /// To be called before each write of ours; [`written`](Self::written) after it.
    pub(crate) fn writing(
        &self,
        files: &Files,
        index: usize,
        open: &OpenFile,
    ) -> Result<(), Error> {
        self.before(files, index, open)?;
        self.with(index, |known| {
            known.writing += 1;
            known.writes += 1;
            known.stamp = None;
        });
        Ok(())
    }

    /// To be called after each write of ours.
    pub(crate) fn written(&self, index: usize) {
        self.with(index, |known| known.writing = known.writing.saturating_sub(1));
    }

    /// Whether [`before`](Self::before) would not look the file's name up, which may take a disk.
    pub(crate) fn looked_lately(&self, index: usize) -> bool {
        self.with(index, |known| known.looked_lately()).unwrap_or(false)
    }

    /// Marks the file as changed by somebody else and says so.
    pub(crate) fn lost(&self, files: &Files, index: usize, how: &str) -> Error {
        self.with(index, |known| known.changed = true);
        changed(files, index, how)
    }

    /// Whether any file is not as we left it, by a last look at all of them.
    pub(crate) fn is_touched(&self, files: &Files) -> bool {
        let spec = files.spec();
        let known = self.lock().clone();
        if known.iter().any(|known| known.changed) {
            return true;
        }
        let Ok(root) = Root::open(spec.root()) else { return true };
        let local = root.is_local();
        let on_disk = spec.files().iter().zip(known).enumerate().filter(|(_, (f, _))| f.on_disk);
        for (index, (file, known)) in on_disk {
            let Ok(Some(stat)) = root.look(&file.path) else { return true };
            let (id, now) = (FileId::of(&stat), Stamp::of(&stat));
            let other = known.id.is_some_and(|then| then != id);
            let short = now.len < spec.layout().file_len(index);
            let written = known.stamp.is_some_and(|then| !then.is_same(now, local));
            if other || short || written {
                return true;
            }
        }
        false
    }

    fn look(&self, files: &Files, index: usize, open: &OpenFile) -> Result<(), Error> {
        let spec = files.spec();
        let Some(file) = spec.files().get(index) else { return Ok(()) };
        let found = match Root::open(spec.root()).and_then(|root| root.look(&file.path)) {
            Ok(found) => found,
            Err(error) if error.kind() == ErrorKind::NotFound => None,
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
                    known.id = Some(open.id);
                });
                Ok(())
            }
        }
    }

    fn long_enough(&self, files: &Files, index: usize, stamp: Stamp) -> Result<(), Error> {
        let len = files.spec().layout().file_len(index);
        if stamp.len < len {
            let how = format!("was cut to {} of its {len} bytes", stamp.len);
            return Err(self.lost(files, index, &how));
        }
        Ok(())
    }

    fn with<T>(&self, index: usize, act: impl FnOnce(&mut Known) -> T) -> Option<T> {
        self.lock().get_mut(index).map(act)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Known>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn stamp(files: &Files, index: usize, open: &OpenFile) -> Result<Stamp, Error> {
    open.stamp().map_err(|error| Error::io("look at it", &files.path(index), &error))
}

fn changed(files: &Files, index: usize, how: &str) -> Error {
    Error::new(ErrorKind::Changed, &files.path(index), format!("{how}; verify the torrent again"))
}
