//! The system calls that only Linux has, each with what other systems do instead.
//! Nothing here knows of torrents, and no other file asks which system it runs on.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use memmap2::MmapRaw;
use rustix::fs::{Mode, OFlags};

/// Enough to look files up below a folder, on systems that can open one for just that.
pub(crate) const FOLDER: OFlags = LOOK.union(OFlags::DIRECTORY);

/// Enough to look at what is there, whatever it is.
#[cfg(target_os = "linux")]
pub(crate) const LOOK: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);
#[cfg(not(target_os = "linux"))]
pub(crate) const LOOK: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

/// Opens `path` below `root` in one call that refuses to follow a link out of it. `None` where
/// the system (or its sandbox) has no such call.
#[cfg(target_os = "linux")]
pub(crate) fn open_beneath(
    root: BorrowedFd<'_>,
    path: &Path,
    flags: OFlags,
    mode: Mode,
) -> Option<rustix::io::Result<OwnedFd>> {
    use rustix::fs::ResolveFlags;
    use rustix::io::Errno;

    /// The call gives up with EAGAIN when folders were renamed meanwhile; more than a few times in
    /// a row is an attack.
    const ATTEMPTS: usize = 8;

    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let mut result = Err(Errno::AGAIN);
    for _ in 0..ATTEMPTS {
        result = rustix::fs::openat2(root, path, flags, mode, resolve);
        match result {
            Err(Errno::AGAIN | Errno::INTR) => {}
            // Sandboxes answer EPERM to calls they do not know; the walk finds out which it is.
            Err(Errno::NOSYS | Errno::PERM) => return None,
            _ => break,
        }
    }
    Some(result)
}

/// Takes room on disk for the first `len` bytes of the file and makes it at least that long.
/// `false` where the file system can't.
#[cfg(target_os = "linux")]
pub(crate) fn reserve(file: &File, len: u64) -> io::Result<bool> {
    use rustix::fs::{FallocateFlags, fallocate};
    use rustix::io::Errno;

    loop {
        match fallocate(file, FallocateFlags::empty(), 0, len) {
            Ok(()) => return Ok(true),
            Err(Errno::INTR) => {}
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Where the first byte of data at or after `offset` is; `None` when there is none, or when the
/// file system does not tell holes from data.
#[cfg(target_os = "linux")]
pub(crate) fn next_data(file: &File, offset: u64) -> Option<u64> {
    use rustix::fs::{SeekFrom, seek};
    use rustix::io::Errno;

    match seek(file, SeekFrom::Data(offset)) {
        Ok(data) => Some(data),
        Err(Errno::NXIO) => None,
        Err(_) => Some(offset),
    }
}

/// Where the first hole at or after `offset` is, at the file's end at the latest; as far as can be
/// where the file system does not tell holes from data.
#[cfg(target_os = "linux")]
pub(crate) fn next_hole(file: &File, offset: u64) -> u64 {
    use rustix::fs::{SeekFrom, seek};

    seek(file, SeekFrom::Hole(offset)).unwrap_or(u64::MAX)
}

/// Asks for a range of the file to be read ahead.
#[cfg(target_os = "linux")]
pub(crate) fn will_need(file: &File, offset: u64, len: u64) {
    let Some(len) = std::num::NonZeroU64::new(len) else { return };
    // Advice only: reading works without.
    let _ = rustix::fs::fadvise(file, offset, Some(len), rustix::fs::Advice::WillNeed);
}

/// Reads into `into`, one after the other, from the page cache alone, and gives how many bytes that
/// were: fewer where not all of it is there, none where nobody can tell.
#[cfg(target_os = "linux")]
pub(crate) fn read_cached(file: &File, offset: u64, into: &mut [io::IoSliceMut<'_>]) -> u64 {
    use rustix::io::{ReadWriteFlags, preadv2};

    // What fails in any way is for a thread that may wait to find out about.
    preadv2(file, into, offset, ReadWriteFlags::NOWAIT).map_or(0, |read| read as u64)
}

/// Reads a range of a mapping in now. `InvalidInput` where the system knows no such advice (Linux
/// before 5.14, others); `EFAULT` where the file ends within.
#[cfg(target_os = "linux")]
pub(crate) fn populate(map: &MmapRaw, offset: usize, len: usize) -> io::Result<()> {
    map.advise_range(memmap2::Advice::PopulateRead, offset, len)
}

/// Whether the file lies on a local file system where a mapping and `pwrite` always see the same
/// bytes, and times change only with what is done here.
#[cfg(target_os = "linux")]
pub(crate) fn is_local(file: impl AsFd) -> bool {
    /// ext2 to ext4, XFS, Btrfs, F2FS, bcachefs, tmpfs, ramfs, FAT, exFAT: all through the one page
    /// cache. Left out on purpose: network and FUSE file systems, and overlayfs, where a file opened
    /// for reading before its first write stays the old file.
    const COHERENT: [u64; 9] = [
        0xef53,
        0x5846_5342,
        0x9123_683e,
        0xf2f5_2010,
        0xca45_1a4e,
        0x0102_1994,
        0x8584_58f6,
        0x4d44,
        0x2011_bab0,
    ];
    rustix::fs::fstatfs(file).is_ok_and(|fs| COHERENT.contains(&magic(&fs)))
}

/// What a file system can't hold.
pub(crate) struct Rules {
    /// What it is called.
    pub(crate) name: &'static str,
    /// Bytes that no name may have, besides those that no system takes.
    pub(crate) forbidden: &'static [u8],
    /// The longest file, in bytes.
    pub(crate) largest: u64,
}

/// No file system is known to refuse these.
const NO_RULES: Rules = Rules { name: "the file system", forbidden: b"", largest: u64::MAX };

/// Bytes in a path that programs can open: `PATH_MAX` without its final NUL.
#[cfg(target_os = "linux")]
pub(crate) const LONGEST_PATH: usize = 4095;
#[cfg(not(target_os = "linux"))]
pub(crate) const LONGEST_PATH: usize = 1023;

/// The rules of the file system that holds this folder, as far as they are known.
#[cfg(target_os = "linux")]
pub(crate) fn rules(folder: &Path) -> Rules {
    /// What the kernel's drivers for FAT and exFAT refuse; a backslash is in no name of ours.
    const FORBIDDEN: &[u8] = b"\"*:<>?|";

    match rustix::fs::statfs(folder).map(|fs| magic(&fs)) {
        Ok(0x4d44) => Rules { name: "FAT", forbidden: FORBIDDEN, largest: (1 << 32) - 1 },
        Ok(0x2011_bab0) => Rules { name: "exFAT", forbidden: FORBIDDEN, ..NO_RULES },
        _ => NO_RULES,
    }
}

/// The type's width and sign differ between architectures; the magic numbers have 32 bits.
#[cfg(target_os = "linux")]
#[allow(clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "32 bits count")]
fn magic(fs: &rustix::fs::StatFs) -> u64 {
    u64::from(fs.f_type as u32)
}

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use super::{AsFd, BorrowedFd, File, MmapRaw, Mode, OFlags, OwnedFd, Path, io};

    pub(crate) fn open_beneath(
        _: BorrowedFd<'_>,
        _: &Path,
        _: OFlags,
        _: Mode,
    ) -> Option<rustix::io::Result<OwnedFd>> {
        None
    }

    pub(crate) fn reserve(_: &File, _: u64) -> io::Result<bool> {
        Ok(false)
    }

    pub(crate) fn next_data(_: &File, offset: u64) -> Option<u64> {
        Some(offset)
    }

    pub(crate) fn next_hole(_: &File, _: u64) -> u64 {
        u64::MAX
    }

    pub(crate) fn will_need(_: &File, _: u64, _: u64) {}

    pub(crate) fn read_cached(_: &File, _: u64, _: &mut [io::IoSliceMut<'_>]) -> u64 {
        0
    }

    pub(crate) fn populate(_: &MmapRaw, _: usize, _: usize) -> io::Result<()> {
        Err(io::ErrorKind::InvalidInput.into())
    }

    pub(crate) fn is_local(_: impl AsFd) -> bool {
        false
    }

    pub(crate) fn rules(_: &Path) -> super::Rules {
        super::NO_RULES
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) use elsewhere::{
    is_local, next_data, next_hole, open_beneath, populate, read_cached, reserve, rules, will_need,
};
