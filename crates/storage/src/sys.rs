//! The system calls that only Linux has, each with what other systems do instead.
//! Nothing here knows of torrents, and no other file asks which system it runs on.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use memmap2::MmapRaw;
use rustix::fs::{Mode, OFlags};

use crate::name_rules::NameRules;

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

/// Whether the file lies on a file system whose holes are known to be none of data, data that is only in
/// the page cache included.
#[cfg(target_os = "linux")]
pub(crate) fn has_true_holes(file: impl AsFd) -> bool {
    /// ext2 to ext4, XFS, Btrfs, F2FS, tmpfs: each answers from its own map of blocks and the page cache.
    /// Left out on purpose: ZFS, which told written data as holes for years; bcachefs, which is young;
    /// NFS, FUSE and Windows shares, where a server answers that may be anything; overlayfs, which asks
    /// the file system below, whichever that is. FAT and exFAT have no holes.
    const TRUE: [u64; 5] = [0xef53, 0x5846_5342, 0x9123_683e, 0xf2f5_2010, 0x0102_1994];
    rustix::fs::fstatfs(file).is_ok_and(|fs| TRUE.contains(&magic(&fs)))
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

/// What a file system can hold.
#[derive(Clone, Copy)]
pub(crate) struct Rules {
    /// What it is called.
    pub(crate) name: &'static str,
    /// Which names.
    pub(crate) names: NameRules,
    /// The longest file, in bytes.
    pub(crate) largest: u64,
}

/// The rules that hold where nothing else is known.
const NO_RULES: Rules =
    Rules { name: "the file system", names: NameRules::UNIX, largest: u64::MAX };

/// The rules of the file system that holds this folder, as far as they are known.
pub(crate) fn rules(folder: &Path) -> Rules {
    let mut rules = known_rules(folder).unwrap_or_else(|| {
        let names = NameRules { ignores_case: ignores_case(folder), ..NO_RULES.names };
        Rules { names, ..NO_RULES }
    });
    // 0 where it does not say.
    let longest = rustix::fs::statvfs(folder).map_or(0, |fs| fs.f_namemax);
    if let Some(longest) = usize::try_from(longest).ok().filter(|longest| *longest > 0) {
        rules.names.longest = rules.names.longest.min(longest);
    }
    rules
}

/// Whether the file system takes two names for one that differ in case only: it does if it finds the
/// folder, or one above it, under its name in the other case.
fn ignores_case(folder: &Path) -> bool {
    let Ok(folder) = folder.canonicalize() else { return false };
    let id = |path: &Path| path.metadata().map(|meta| (meta.dev(), meta.ino()));
    let found = folder.ancestors().find_map(|folder| {
        let (parent, name) = (folder.parent()?, folder.file_name()?.as_bytes());
        let other: Vec<u8> = name
            .iter()
            .map(|byte| if byte.is_ascii_alphabetic() { byte ^ 0x20 } else { *byte })
            .collect();
        let (own, above) = (id(folder).ok()?, id(parent).ok()?);
        // A folder that something is mounted on says nothing about that.
        (other != name && own.0 == above.0)
            .then(|| id(&parent.join(OsStr::from_bytes(&other))).is_ok_and(|it| it == own))
    });
    found.unwrap_or(false)
}

/// Bytes in a path that programs can open: `PATH_MAX` without its final NUL.
#[cfg(target_os = "linux")]
pub(crate) const LONGEST_PATH: usize = 4095;
#[cfg(not(target_os = "linux"))]
pub(crate) const LONGEST_PATH: usize = 1023;

/// The rules of a file system that is known by its number.
#[cfg(target_os = "linux")]
fn known_rules(folder: &Path) -> Option<Rules> {
    let fs = rustix::fs::statfs(folder).ok()?;
    let windows = |name| Rules { name, names: NameRules::WINDOWS, ..NO_RULES };
    Some(match magic(&fs) {
        0x4d44 => Rules { largest: (1 << 32) - 1, ..windows("FAT") },
        0x2011_bab0 => windows("exFAT"),
        0x7366_746e | 0x5346_544e => windows("NTFS"),
        0xff53_4d42 | 0xfe53_4d42 => windows("the Windows share"),
        // In user space it may be any; NTFS is known by an attribute that no other has.
        0x6573_5546
            if rustix::fs::getxattr(folder, "system.ntfs_attrib", &mut [0_u8; 4]).is_ok() =>
        {
            windows("NTFS")
        }
        // ext4, F2FS and tmpfs, where single folders can be set to ignore case.
        0xef53 | 0xf2f5_2010 | 0x0102_1994 => {
            let names = NameRules { ignores_case: is_case_folded(folder), ..NameRules::UNIX };
            Rules { names, ..NO_RULES }
        }
        // XFS, Btrfs and ramfs.
        0x5846_5342 | 0x9123_683e | 0x8584_58f6 => NO_RULES,
        _ => return None,
    })
}

/// Whether the folder was set to ignore case, which those in it inherit.
#[cfg(target_os = "linux")]
fn is_case_folded(folder: &Path) -> bool {
    /// `FS_CASEFOLD_FL` of `linux/fs.h`.
    const CASE_FOLDED: u32 = 0x4000_0000;

    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(folder, flags, Mode::empty())
        .and_then(rustix::fs::ioctl_getflags)
        .is_ok_and(|flags| flags.bits() & CASE_FOLDED != 0)
}

/// When the file was made, in nanoseconds since 1970; 0 where its file system does not tell.
#[cfg(target_os = "linux")]
pub(crate) fn born(file: impl AsFd) -> u64 {
    use rustix::fs::{AtFlags, StatxFlags, statx};

    let Ok(stat) = statx(file, "", AtFlags::EMPTY_PATH, StatxFlags::BTIME) else { return 0 };
    let secs = u64::try_from(stat.stx_btime.tv_sec).unwrap_or(0);
    secs.saturating_mul(1_000_000_000).saturating_add(stat.stx_btime.tv_nsec.into())
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

    pub(crate) fn has_true_holes(_: impl AsFd) -> bool {
        false
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

    pub(crate) fn born(_: impl AsFd) -> u64 {
        0
    }

    pub(super) fn known_rules(_: &Path) -> Option<super::Rules> {
        None
    }
}

#[cfg(not(target_os = "linux"))]
use elsewhere::known_rules;
#[cfg(not(target_os = "linux"))]
pub(crate) use elsewhere::{
    born, has_true_holes, is_local, next_data, next_hole, open_beneath, populate, read_cached,
    reserve, will_need,
};
