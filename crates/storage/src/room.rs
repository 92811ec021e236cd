//! How much room a torrent needs on disk, and how much there is.
//! It never creates or reserves anything.

use std::path::Path;

use rustix::fs::{FileType, Stat, statvfs};

use crate::error::{Error, ErrorKind};
use crate::paths::Root;
use crate::spec::{FileSpec, Spec};

/// Room for a torrent, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Room {
    /// What the torrent's files still have to take.
    pub needed: u64,
    /// What the file system has for us.
    pub free: u64,
}

/// The room a torrent needs below its target folder, which need not exist yet.
///
/// # Errors
/// When the target can't be looked at, a name is too long for its file system, or something that
/// is not a regular file is in a file's place.
pub fn room(spec: &Spec) -> Result<Room, Error> {
    check_names(spec)?;
    let stats = survey(spec)?;
    Ok(Room { needed: unallocated(spec, &stats, |_, _| true), free: free_space(spec.root())? })
}

/// Bytes that this user can still write to the file system of `folder`, which need not exist yet:
/// its nearest existing parent counts. A file system that counts no blocks (`/proc`, some in user
/// space) says nothing about its room, so it is not held against it.
pub fn free_space(folder: &Path) -> Result<u64, Error> {
    let stat = file_system(folder)?;
    if stat.f_blocks == 0 {
        return Ok(u64::MAX);
    }
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

fn file_system(folder: &Path) -> Result<rustix::fs::StatVfs, Error> {
    let mut result = Err(rustix::io::Errno::NOENT);
    for existing in folder.ancestors() {
        let here = if existing.as_os_str().is_empty() { Path::new(".") } else { existing };
        result = statvfs(here);
        if !matches!(result, Err(rustix::io::Errno::NOENT)) {
            break;
        }
    }
    result.map_err(|errno| Error::io("look at the file system", folder, &errno.into()))
}

/// Refuses names the target file system can't hold for their length.
pub(crate) fn check_names(spec: &Spec) -> Result<(), Error> {
    let longest = file_system(spec.root())?.f_namemax;
    for file in spec.files().iter().filter(|file| file.on_disk) {
        let too_long = |part: std::path::Component<'_>| part.as_os_str().len() as u64 > longest;
        if longest > 0 && file.path.components().any(too_long) {
            return Err(Error::new(
                ErrorKind::NameTooLong,
                &spec.root().join(&file.path),
                format!("a name is longer than the {longest} bytes its file system holds"),
            ));
        }
    }
    Ok(())
}

/// What is in the place of each file: `None` for what is missing and for what never is on disk.
pub(crate) fn survey(spec: &Spec) -> Result<Vec<Option<Stat>>, Error> {
    let root = match Root::open(spec.root()) {
        Ok(root) => root,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Ok(vec![None; spec.files().len()]);
        }
        Err(error) => return Err(error),
    };
    let look = |file: &FileSpec| {
        let stat = if file.on_disk { root.look(&file.path)? } else { None };
        match stat {
            Some(stat) if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile => {
                let path = spec.root().join(&file.path);
                Err(Error::new(ErrorKind::Unsafe, &path, "is in the way: not a regular file"))
            }
            other => Ok(other),
        }
    };
    spec.files().iter().map(look).collect()
}

/// Bytes of the torrent's files that have no room on disk yet, counting missing files and those
/// that `counts` says yes to, given what is there and the length it should have.
pub(crate) fn unallocated(
    spec: &Spec,
    stats: &[Option<Stat>],
    counts: impl Fn(&Stat, u64) -> bool,
) -> u64 {
    let missing = |((index, file), stat): ((usize, &FileSpec), &Option<Stat>)| {
        let len = spec.layout().file_len(index);
        match stat {
            _ if !file.on_disk || !spec.is_wanted(index) => 0,
            None => len,
            Some(stat) if counts(stat, len) => {
                let taken = u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(512);
                len.saturating_sub(taken)
            }
            Some(_) => 0,
        }
    };
    spec.files().iter().enumerate().zip(stats).map(missing).fold(0, u64::saturating_add)
}
