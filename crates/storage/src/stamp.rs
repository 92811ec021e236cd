//! A file's identity: enough to notice that its bytes may have changed between two looks.
//! It never reads a file's bytes.

use std::fs::File;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use rustix::fs::{Stat, fstat};

use crate::error::{Error, ErrorKind};
use crate::file_cache::FileCache;
use crate::files::FileId;
use crate::paths::Root;
use crate::spec::{FileSpec, Spec};
use crate::sys;

/// Which file it is, how long, and when it was last changed.
///
/// The time is that of the change of the file itself (`ctime`): the file system sets it at every write
/// and no program can set it back, unlike the time of the last write (`mtime`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStamp {
    /// The number of its file system, which may be another one after the system was started again.
    pub device: u64,
    /// Its inode: another one means that the file was replaced.
    pub inode: u64,
    /// When it was made, in nanoseconds since 1970, as a file system may give the inode of a file that is
    /// gone to the next one; 0 where it does not tell.
    pub born: u64,
    /// Bytes.
    pub len: u64,
    /// When it was last changed, in seconds since 1970 by the file system's clock.
    pub changed: i64,
    /// And nanoseconds beyond those.
    pub changed_nanos: u32,
    /// When its bytes were last written, as far as no program has set that back.
    pub modified: i64,
    /// And nanoseconds beyond those.
    pub modified_nanos: u32,
}

impl FileStamp {
    /// Of what the system says of a file, and of when it was made.
    pub(crate) fn of(stat: &Stat, born: u64) -> Self {
        let FileId { device, inode } = FileId::of(stat);
        Self {
            device,
            inode,
            born,
            len: len(stat),
            #[allow(clippy::useless_conversion, reason = "the type differs between systems")]
            changed: stat.st_ctime.into(),
            changed_nanos: u32::try_from(stat.st_ctime_nsec).unwrap_or(0),
            #[allow(clippy::useless_conversion, reason = "the type differs between systems")]
            modified: stat.st_mtime.into(),
            modified_nanos: u32::try_from(stat.st_mtime_nsec).unwrap_or(0),
        }
    }

    /// Of an open file.
    pub(crate) fn of_file(file: &File) -> std::io::Result<Self> {
        Ok(Self::of(&fstat(file)?, sys::born(file)))
    }

    /// Whether bytes were written between the two and not, say, rights or names changed, as far as no
    /// program has set the time of that back.
    pub(crate) fn is_written_since(self, then: Self) -> bool {
        self.len != then.len
            || (self.modified, self.modified_nanos) != (then.modified, then.modified_nanos)
    }

    /// Which inode it is.
    pub(crate) fn id(self) -> FileId {
        FileId { device: self.device, inode: self.inode }
    }

    /// Whether both are of one file, whatever its bytes are.
    pub fn is_same_file(self, other: Self) -> bool {
        self.id() == other.id() && self.born == other.born
    }

    /// Whether nothing was written between the two, as far as a file system tells that is `local` or
    /// not: a server sets times on its own.
    pub(crate) fn is_unchanged(self, other: Self, local: bool) -> bool {
        if local { self == other } else { self.is_same_file(other) && self.len == other.len }
    }
}

/// A file system: what [`FileStamp::device`] says of it now, and what it is called when the system was
/// started again and may have given it another number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileSystem {
    /// Its number, until it is mounted again.
    pub device: u64,
    /// Its own name; 0 if it has none.
    pub id: u64,
}

impl FileSystem {
    /// That of a folder; `None` where that can't be looked at.
    pub fn of(folder: &Path) -> Option<Self> {
        let device = FileId::of(&rustix::fs::stat(folder).ok()?).device;
        Some(Self { device, id: rustix::fs::statvfs(folder).map_or(0, |fs| fs.f_fsid) })
    }
}

/// How long to wait between a look at a file and reading it, so that its stamp changes with whatever is
/// written after the reading began: the coarsest clock of a Linux file system ticks so often. FAT, exFAT
/// and old file systems count whole seconds; there a write within the same second is not noticed.
const TICK: Duration = Duration::from_millis(10);

/// Waits until a write gets another time than one before [`stamps`] was called had.
pub fn wait_for_tick() {
    std::thread::sleep(TICK);
}

/// Bytes in the file.
pub(crate) fn len(stat: &Stat) -> u64 {
    u64::try_from(stat.st_size).unwrap_or(0)
}

/// The stamp of each file of the torrent, in its order; `None` for one that is not there, that can't be
/// looked at, or that never is on disk.
///
/// # Errors
/// [`ErrorKind::NoDescriptors`] where there is none until `cancel` becomes true.
pub fn stamps(spec: &Spec, cancel: &AtomicBool) -> Result<Vec<Option<FileStamp>>, Error> {
    let cache = FileCache::of_process();
    let nothing = || vec![None; spec.files().len()];
    let root = match cache.patiently(cancel, || Root::of(spec)) {
        Ok(root) => root,
        Err(error) if error.kind() == ErrorKind::NoDescriptors => return Err(error),
        Err(_) => return Ok(nothing()),
    };
    let stamp = |file: &FileSpec| {
        if !file.on_disk {
            return Ok(None);
        }
        match cache.patiently(cancel, || root.stamp(&file.path)) {
            Ok(stamp) => Ok(stamp),
            Err(error) if error.kind() == ErrorKind::NoDescriptors => Err(error),
            Err(_) => Ok(None),
        }
    };
    spec.files().iter().map(stamp).collect()
}
