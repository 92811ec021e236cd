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
    /// Whether no write of ours was going on at either time, or began in between: then what a look
    /// between the two saw is what stands there.
    fn is_quiet_since(&self, then: &Self) -> bool {
        then.writing == 0 && self.writing == 0 && self.writes == then.writes
    }

    fn looked_lately(&self) -> bool {
        self.looked.is_some_and(|looked| looked.elapsed() < LOOK_EVERY)
    }
}

/// A file as it was before a read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    /// Unknown if a write of ours was going on: its mark may have come before or after the look.
    stamp: Option<Stamp>,
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
        if open.opened.elapsed() < LOOK_EVERY {
            self.with(index, |known| {
                known.looked = known.looked.max(Some(open.opened));
                known.id = Some(open.id);
            });
        } else if !known.looked_lately() {
            self.look(files, index, open)?;
        }
        let stamp = stamp(files, index, open)?;
        self.long_enough(files, index, stamp)?;
        let untouched = self.with(index, |known_now| {
            let quiet = known_now.is_quiet_since(&known);
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
        Ok(Seen { stamp: (known.writing == 0).then_some(stamp), writes: known.writes })
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
            let then = seen.stamp.filter(|_| quiet);
            !known.changed && then.is_none_or(|then| open.untouched(then, stamp))
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
        let descriptors = &files.descriptors;
        let Ok(root) = descriptors.patiently(|| Root::of(spec)) else { return true };
        let local = root.is_local();
        let on_disk = spec.files().iter().zip(known).enumerate().filter(|(_, (f, _))| f.on_disk);
        for (index, (file, known)) in on_disk {
            let look = || root.look(&file.path);
            let Ok(Some(stat)) = descriptors.patiently(look) else { return true };
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
        let found = || Root::of(spec).and_then(|root| root.look(&file.path));
        let found = match files.descriptors.cache.at_once(found) {
            Ok(found) => found,
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            // The next time then: who looks has the file in use, and must not wait.
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use metainfo::Layout;

    use super::*;
    use crate::files::Descriptors;
    use crate::paths::Access;
    use crate::spec::{FileSpec, Spec};

    #[test]
    fn a_write_of_ours_that_was_under_way_is_not_taken_for_anothers() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("data"), vec![0; 20_000]).unwrap();
        let layout = Layout::new(16_384, &[20_000]).unwrap();
        let file = FileSpec { path: "data".into(), on_disk: true };
        let spec = Spec::from_parts(folder.path(), vec![file], layout, vec![[0; 20]; 2]).unwrap();
        let files = Files::new(spec, Descriptors::of(4));
        let open = files.open(0, Access::Write).unwrap();
        let watch = Watch::new(1);
        let old = std::time::SystemTime::now() - Duration::from_mins(1);
        open.file.set_modified(old).unwrap();
        watch.know(0, open.id, open.stamp().unwrap());
        // One thread is about to write when another begins to read, and is done when that ends.
        watch.writing(&files, 0, &open).unwrap();
        let seen = watch.before(&files, 0, &open).unwrap();
        open.file.write_all_at(b"ours", 0).unwrap();
        watch.written(0);
        watch.after(&files, 0, &open, seen).unwrap();
        // What nobody of ours wrote is still noticed.
        let seen = watch.before(&files, 0, &open).unwrap();
        open.file.set_modified(old).unwrap();
        assert_eq!(watch.after(&files, 0, &open, seen).unwrap_err().kind(), ErrorKind::Changed);
    }
}
