//! Files that no torrent may write to, known by their inodes, so that every path to them counts. It
//! never opens a file.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{Stat, stat};

use crate::error::{Error, ErrorKind};
use crate::files::FileId;
use crate::spec::Spec;

/// Files that are not overwritten, whatever a torrent calls its own: its `.torrent` file. Cloning is
/// cheap.
#[derive(Debug, Clone, Default)]
pub struct Keep(Arc<HashSet<FileId>>);

impl Keep {
    /// Those of the paths at which something is now; links are followed.
    pub fn new<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> Self {
        let id = |path: P| stat(path.as_ref()).ok().map(|stat| FileId::of(&stat));
        Self(Arc::new(paths.into_iter().filter_map(id).collect()))
    }

    /// The same and one more.
    pub fn and(mut self, path: &Path) -> Self {
        if let Ok(stat) = stat(path) {
            Arc::make_mut(&mut self.0).insert(FileId::of(&stat));
        }
        self
    }

    /// Refuses a torrent of which one of these is a file, by what is in the place of each.
    pub(crate) fn check(&self, spec: &Spec, stats: &[Option<Stat>]) -> Result<(), Error> {
        let is_kept = |stat: &Option<Stat>| {
            stat.as_ref().is_some_and(|stat| self.0.contains(&FileId::of(stat)))
        };
        let mut pairs = stats.iter().zip(spec.files());
        let Some((_, file)) = pairs.find(|(stat, _)| is_kept(stat)) else { return Ok(()) };
        let path = spec.root().join(&file.path);
        let message = "is a torrent file in use and would be overwritten; choose another folder";
        Err(Error::new(ErrorKind::Kept, &path, message))
    }
}
