//! A disk that is full at many points of a download. Holds that the program says so, leaves with
//! the exit code for it, keeps what was verified, and goes on when there is room.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::getuid;
use testkit::PATIENCE;
use testkit::process::{Process, Stream};
use testkit::torrent::{Builder, Torrent};

use super::host::Host;
use super::{Case, Outcome, Stage, ensure, found_pieces, peer_arguments};
use crate::Result;

const LEN: u64 = 16 << 20;
const PIECE: u32 = 64 << 10;
const POINTS: u64 = 20;
/// The exit code of a full disk.
const DISK_FULL: i32 = 9;

pub(super) fn run(stage: &mut Stage) -> Result<Outcome> {
    if !getuid().is_root() {
        return Ok(Outcome::Skipped("mounting a small tmpfs takes root"));
    }
    let torrent = Arc::new(Builder::varied("full", LEN).piece_length(PIECE).build());
    let seed = Host::honest(2, &torrent, Duration::ZERO)?;
    let mut kept = 0;
    for form in ["--sparse", "up front"] {
        for point in 0..POINTS {
            // The least is a page or two: not even the folders fit.
            let size = (LEN * point / POINTS).max(8 << 10) + stage.rng.u64(..LEN / POINTS / 2);
            let path = stage.folder.path().join(format!("{form} {point}"));
            let disk = SmallDisk::mount(&path, size)?;
            let mut case = stage.case(&format!("case {form} {point}"), &torrent, &[])?;
            case.target = path;
            let start = |case: &Case| {
                let mut command = case.command("download");
                command.args(peer_arguments(&[seed.addr()]));
                if form == "--sparse" {
                    command.arg(form);
                }
                Process::start("pieces-cli", &mut command)
            };
            let at = format!("with {size} bytes of room, {form}, ");
            let program = start(&case)?;
            let status = program.wait_exit(PATIENCE)?;
            let what = format!("{at}left with {status}");
            ensure(status.code() == Some(DISK_FULL), &program, &what)?;
            check_message(&program, &case.target, &at)?;
            let whole = whole_pieces(&torrent, &case.target);
            disk.resize(2 * LEN)?;
            let again = start(&case)?;
            again.wait_success(PATIENCE)?;
            torrent.compare(&case.target)?;
            let found = again.output(Stream::Stderr).lines().find_map(found_pieces).unwrap_or(0);
            let what = format!("{at}found {found} of {whole} whole pieces again");
            ensure(found == whole, &again, &what)?;
            kept += found;
        }
    }
    Ok(Outcome::Held(format!(
        "{POINTS} points sparse, {POINTS} up front: exit 9 each time, all {kept} verified pieces kept, all went on"
    )))
}

/// One line says what is wrong, with a path of the target and a number of bytes.
fn check_message(program: &Process, target: &Path, at: &str) -> Result<()> {
    let errors = program.output(Stream::Stderr);
    let line = errors.lines().find(|line| line.starts_with("error:")).unwrap_or_default();
    let clear = line.contains("full") && line.contains(&target.display().to_string());
    let clear = clear && line.contains("bytes");
    ensure(clear, program, &format!("{at}does not say clearly that the disk is full: {line:?}"))
}

fn whole_pieces(torrent: &Torrent, target: &Path) -> u32 {
    let mut bytes = Vec::new();
    for file in torrent.files() {
        let mut found = fs::read(torrent.path_in(target, file)).unwrap_or_default();
        found.resize(usize::try_from(file.len).unwrap_or(usize::MAX), 0);
        bytes.extend(found);
    }
    let right = (0..).zip(bytes.chunks(PIECE as usize));
    let right = right.filter(|&(piece, bytes)| bytes == torrent.piece(piece)).count();
    u32::try_from(right).unwrap_or(u32::MAX)
}

/// A tmpfs of a given size, unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(path: &Path, bytes: u64) -> Result<Self> {
        fs::create_dir_all(path)?;
        mount(&["-t", "tmpfs", "-o", &format!("size={bytes}"), "pieces-faults"], path)?;
        Ok(Self(path.to_owned()))
    }

    fn resize(&self, bytes: u64) -> Result<()> {
        mount(&["-o", &format!("remount,size={bytes}")], &self.0)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a program that is still on its way out must not keep the mount.
        drop(Command::new("umount").arg("-l").arg(&self.0).status());
    }
}

fn mount(words: &[&str], path: &Path) -> Result<()> {
    let status = Command::new("mount").args(words).arg(path).status()?;
    if status.success() { Ok(()) } else { Err(format!("mount {words:?}: {status}").into()) }
}
