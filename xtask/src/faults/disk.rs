//! Disks of a campaign's own: a small tmpfs, and an ext4 in a file. Owns their making, mounting and
//! going away; takes root. Never touches a file system that it did not make.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{FallocateFlags, fallocate, statvfs};
use rustix::process::geteuid;

use crate::Result;

/// The ioctl of `<linux/ext4.h>` that shuts the file system down, as a power cut would.
const EXT4_IOC_SHUTDOWN: rustix::ioctl::Opcode = 0x8004_587D;
/// Its flag for not even writing out the journal.
const NO_LOG_FLUSH: u32 = 2;
/// What keeps the rest of an ext4 occupied.
const FILLER: &str = "filler";

/// Why no disk can be made here, if none can.
pub(super) fn missing() -> Option<&'static str> {
    if !geteuid().is_root() {
        return Some("mounting takes root");
    }
    let known = fs::read_to_string("/proc/filesystems").unwrap_or_default();
    if !Path::new("/dev/loop-control").exists() || !known.contains("ext4") {
        return Some("there are no loop devices, or no ext4");
    }
    let mkfs = Command::new("mkfs.ext4").arg("-V").output();
    if mkfs.is_err() { Some("mkfs.ext4 is not installed") } else { None }
}

/// A tmpfs of a given size, unmounted when dropped.
pub(super) struct Tmpfs(PathBuf);

impl Tmpfs {
    pub(super) fn mount(path: &Path, bytes: u64) -> Result<Self> {
        fs::create_dir_all(path)?;
        mount(&["-t", "tmpfs", "-o", &format!("size={bytes}"), "pieces-faults"], path)?;
        Ok(Self(path.to_owned()))
    }

    pub(super) fn resize(&self, bytes: u64) -> Result<()> {
        mount(&["-o", &format!("remount,size={bytes}")], &self.0)
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        leave(&self.0);
    }
}

/// An ext4 in a file, unmounted when dropped.
pub(super) struct Ext4 {
    image: PathBuf,
    path: PathBuf,
}

impl Ext4 {
    /// Makes one of so many bytes in the file `image` and mounts it at `path`.
    pub(super) fn mount(image: &Path, path: &Path, bytes: u64) -> Result<Self> {
        File::create(image)?.set_len(bytes)?;
        fs::create_dir_all(path)?;
        run(Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0"]).arg(image))?;
        let disk = Self { image: image.to_owned(), path: path.to_owned() };
        disk.mount_again()?;
        Ok(disk)
    }

    fn mount_again(&self) -> Result<()> {
        mount(&["-t", "ext4", "-o", "loop", &self.image.display().to_string()], &self.path)
    }

    /// Takes all room but so many bytes.
    pub(super) fn leave_room(&self, bytes: u64) -> Result<()> {
        let stat = statvfs(&self.path)?;
        let free = stat.f_bavail.saturating_mul(stat.f_frsize);
        let filler = File::create(self.path.join(FILLER))?;
        Ok(fallocate(filler, FallocateFlags::empty(), 0, free.saturating_sub(bytes))?)
    }

    /// Gives the room back that [`leave_room`](Self::leave_room) took.
    pub(super) fn make_room(&self) -> Result<()> {
        Ok(fs::remove_file(self.path.join(FILLER))?)
    }

    /// Cuts the power: what was not synced is lost, and nothing reaches the disk any more.
    #[allow(unsafe_code, reason = "rustix has no safe form of this ioctl")]
    pub(super) fn cut_power(&self) -> Result<()> {
        let folder = File::open(&self.path)?;
        // SAFETY: EXT4_IOC_SHUTDOWN reads one `u32` and writes no memory of ours.
        let how = unsafe { rustix::ioctl::Setter::<EXT4_IOC_SHUTDOWN, u32>::new(NO_LOG_FLUSH) };
        // SAFETY: `folder` is open, and `how` is what this ioctl reads.
        Ok(unsafe { rustix::ioctl::ioctl(folder, how) }?)
    }

    /// Switches it off and on again. Nobody may have a file of it open.
    pub(super) fn switch_on(&self) -> Result<()> {
        run(Command::new("umount").arg(&self.path))?;
        self.mount_again()
    }
}

impl Drop for Ext4 {
    fn drop(&mut self) {
        leave(&self.path);
    }
}

fn mount(words: &[&str], path: &Path) -> Result<()> {
    run(Command::new("mount").args(words).arg(path))
}

/// Unmounts lazily: a program that is still on its way out must not keep the mount.
fn leave(path: &Path) {
    drop(Command::new("umount").arg("-l").arg(path).status());
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    Err(format!("{command:?}: {}", words.trim()).into())
}
