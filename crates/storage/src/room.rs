//! How much room a torrent needs on disk, and how much there is.
//! It never creates or reserves anything.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use metainfo::{PieceIndex, PieceSet};
use rustix::fs::{FileType, Stat};

use crate::error::{Error, ErrorKind};
use crate::file_cache::FileCache;
use crate::fit;
use crate::paths::{IN_THE_WAY, Root};
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

/// The room a torrent needs below its target folder, which need not exist yet, when the pieces in
/// `have` are there already.
///
/// # Errors
/// When the target can't be looked at or can't hold the torrent's files, or something that is not a
/// regular file is in a file's place.
pub fn room(spec: &Spec, have: &PieceSet) -> Result<Room, Error> {
    fit::check(spec)?;
    let stats = survey(spec)?;
    let fetched = bytes_to_fetch(spec, have);
    let holes = stats.iter().enumerate().map(|(index, stat)| {
        let taken = stat.as_ref().map_or(0, allocated);
        let to_fetch = fetched.get(index).copied().unwrap_or(0);
        spec.layout().file_len(index).saturating_sub(taken).min(to_fetch)
    });
    let needed = holes.fold(0, u64::saturating_add);
    Ok(Room { needed, free: free_space(spec.root())? })
}

/// Refuses to fetch what there is no room for. Full allocation knows when it takes the room; this
/// is for sparse files, whose holes count only as far as pieces are missing: a file that is whole
/// may have holes too.
///
/// # Errors
/// [`ErrorKind::Full`]; and as [`room`].
pub fn check_room(spec: &Spec, have: &PieceSet) -> Result<(), Error> {
    let Room { needed, free } = room(spec, have)?;
    match needed.saturating_sub(free) {
        0 => Ok(()),
        missing => Err(full_by(spec.root(), missing)),
    }
}

/// The error of a disk that lacks so many bytes.
pub(crate) fn full_by(path: &Path, missing: u64) -> Error {
    let size = size(missing);
    Error::new(
        ErrorKind::Full { missing },
        path,
        format!("the disk is full: {size} are missing; make room and start again"),
    )
}

/// So many bytes, for people: in KiB, or from 1 MiB on with a larger unit and one decimal, always
/// rounded up, as less room is too little.
fn size(bytes: u64) -> String {
    let kib = bytes.div_ceil(1 << 10);
    if kib < 1 << 10 {
        return format!("{kib} KiB");
    }
    let (mut shift, mut unit) = (20, "MiB");
    for (larger, name) in [(30, "GiB"), (40, "TiB")] {
        if bytes >> larger > 0 {
            (shift, unit) = (larger, name);
        }
    }
    // In 128 bits ten times as much always fits.
    let tenths = (u128::from(bytes) * 10).div_ceil(1 << shift);
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

/// For each file, its bytes in wanted pieces that are not in `have`; 0 for what is never on disk.
fn bytes_to_fetch(spec: &Spec, have: &PieceSet) -> Vec<u64> {
    let layout = spec.layout();
    let mut bytes = vec![0_u64; spec.files().len()];
    let wanted = |piece: &PieceIndex| spec.wanted_pieces().is_none_or(|set| set.contains(*piece));
    for piece in layout.pieces().filter(wanted).filter(|piece| !have.contains(*piece)) {
        for span in layout.piece_spans(piece) {
            let on_disk = spec.files().get(span.file).is_some_and(|file| file.on_disk);
            if let Some(sum) = bytes.get_mut(span.file).filter(|_| on_disk) {
                *sum = sum.saturating_add(span.len);
            }
        }
    }
    bytes
}

/// Bytes that a file has taken on disk.
fn allocated(stat: &Stat) -> u64 {
    u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(512)
}

/// Bytes that this user can still write to the file system of `folder`, which need not exist yet:
/// its nearest existing parent counts. A file system that counts no blocks (`/proc`, some in user
/// space) says nothing about its room, so it is not held against it.
pub fn free_space(folder: &Path) -> Result<u64, Error> {
    let stat = fit::file_system(folder)?;
    if stat.f_blocks == 0 {
        return Ok(u64::MAX);
    }
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// What is in the place of each file: `None` for what is missing and for what never is on disk.
pub(crate) fn survey(spec: &Spec) -> Result<Vec<Option<Stat>>, Error> {
    survey_unless(spec, &AtomicBool::new(false))
}

/// The same, until told to stop.
pub(crate) fn survey_unless(spec: &Spec, cancel: &AtomicBool) -> Result<Vec<Option<Stat>>, Error> {
    let cache = FileCache::of_process();
    let root = match cache.patiently(cancel, || Root::of(spec)) {
        Ok(root) => root,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Ok(vec![None; spec.files().len()]);
        }
        Err(error) => return Err(error),
    };
    let look = |file: &FileSpec| {
        if cancel.load(Ordering::Relaxed) {
            return Err(Error::cancelled());
        }
        let look = || cache.patiently(cancel, || root.look(&file.path));
        let stat = if file.on_disk { look()? } else { None };
        match stat {
            Some(stat) if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile => {
                let path = spec.root().join(&file.path);
                Err(Error::new(ErrorKind::Unsafe, &path, IN_THE_WAY))
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
            Some(stat) if counts(stat, len) => len.saturating_sub(allocated(stat)),
            Some(_) => 0,
        }
    };
    spec.files().iter().enumerate().zip(stats).map(missing).fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_rounded_up() {
        for (bytes, text) in [
            (1, "1 KiB"),
            (4_096, "4 KiB"),
            (12_427_029, "11.9 MiB"),
            (1 << 20, "1.0 MiB"),
            ((1 << 30) + 1, "1.1 GiB"),
            (1 << 47, "128.0 TiB"),
            (u64::MAX, "16777216.0 TiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }
}
