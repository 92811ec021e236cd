//! How files look from outside: enough to notice that somebody touched them between two runs.
//! It never opens a file.

use std::fs;
use std::os::unix::fs::MetadataExt;

use crate::spec::Spec;

/// A file's length, time of last change and identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStamp {
    /// Bytes.
    pub len: u64,
    /// When its bytes were last written, in seconds since 1970.
    pub modified: i64,
    /// And nanoseconds beyond those.
    pub modified_nanos: u32,
    /// Its inode: another one means that the file was replaced.
    pub inode: u64,
}

/// The stamp of each file of the torrent, in its order; `None` for one that is not there, or that
/// never is on disk.
pub fn stamps(spec: &Spec) -> Vec<Option<FileStamp>> {
    let stamp = |file: &crate::spec::FileSpec| {
        let path = spec.root().join(&file.path);
        let look = if spec.follows_links() { fs::metadata } else { fs::symlink_metadata };
        let meta = look(path).ok()?;
        let modified_nanos = u32::try_from(meta.mtime_nsec()).ok()?;
        let (len, modified, inode) = (meta.len(), meta.mtime(), meta.ino());
        (file.on_disk && meta.is_file()).then_some(FileStamp {
            len,
            modified,
            modified_nanos,
            inode,
        })
    };
    spec.files().iter().map(stamp).collect()
}
