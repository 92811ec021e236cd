//! A disk that is full at many points of a download. Holds that the program says so, leaves with
//! the exit code for it, keeps what was verified, and goes on when there is room.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use testkit::PATIENCE;
use testkit::process::{Process, Stream};
use testkit::torrent::Builder;

use super::disk::{self, Ext4, Tmpfs};
use super::host::Host;
use super::{Case, Outcome, Stage, ensure, found_pieces, peer_arguments, whole_pieces};
use crate::Result;

const LEN: u64 = 16 << 20;
const PIECE: u32 = 64 << 10;
const POINTS: u64 = 20;
/// The exit code of a full disk.
const DISK_FULL: i32 = 9;

/// A disk with so much room, and more on request.
enum Disk {
    Tmpfs(Tmpfs),
    Ext4(Ext4),
}

pub(super) fn run(stage: &mut Stage) -> Result<Outcome> {
    if let Some(why) = disk::missing() {
        return Ok(Outcome::Skipped(why));
    }
    let torrent = Arc::new(Builder::varied("full", LEN).piece_length(PIECE).build());
    // What is to happen when the first block is asked for: the files are there then, and empty.
    let at_first = Arc::<Mutex<Option<(Arc<Disk>, u64)>>>::default();
    let waiting = Arc::clone(&at_first);
    let seed = Host::seed(2, &torrent, move |_, _, _| {
        let first = waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((disk, room)) = first
            && let Err(error) = disk.leave_room(room)
        {
            println!("cannot fill the disk: {error}");
        }
    })?;
    let mut kept = 0;
    for (system, form) in
        [("tmpfs", "--sparse"), ("tmpfs", "up front"), ("ext4", "--sparse"), ("ext4", "up front")]
    {
        for point in 0..POINTS {
            // The least is a page or two: not even the folders fit.
            let size = (LEN * point / POINTS).max(8 << 10) + stage.rng.u64(..LEN / POINTS / 2);
            let name = format!("{system} {form} {point}");
            let path = stage.folder.path().join(&name);
            let disk = Arc::new(Disk::make(system, &path)?);
            if form == "--sparse" {
                // The program looks for room before it begins, so this is taken from it later.
                let mut first = at_first.lock().unwrap_or_else(PoisonError::into_inner);
                *first = Some((Arc::clone(&disk), size));
            } else {
                disk.leave_room(size)?;
            }
            let mut case = stage.case(&format!("case {name}"), &torrent, &[])?;
            case.target = path;
            let start = |case: &Case| {
                let mut command = case.command("download");
                command.args(peer_arguments(&[seed.addr()]));
                if form == "--sparse" {
                    command.arg(form);
                }
                Process::start("pieces-cli", &mut command)
            };
            let at = format!("with {size} bytes of room on {system}, {form}, ");
            let program = start(&case)?;
            let status = program.wait_exit(PATIENCE)?;
            let what = format!("{at}left with {status}");
            ensure(status.code() == Some(DISK_FULL), &program, &what)?;
            check_message(&program, &case.target, &at)?;
            let whole = whole_pieces(&torrent, &case.target)?;
            // One that filled up before a block was asked for has its turn no more.
            drop(at_first.lock().unwrap_or_else(PoisonError::into_inner).take());
            disk.make_room()?;
            let again = start(&case)?;
            again.wait_success(PATIENCE)?;
            torrent.compare(&case.target)?;
            let found = again.output(Stream::Stderr).lines().find_map(found_pieces).unwrap_or(0);
            let what = format!("{at}found {found} of {whole} whole pieces again");
            ensure(found == whole, &again, &what)?;
            kept += found;
        }
    }
    if kept == 0 {
        return Err("no disk became full after a piece was verified".into());
    }
    Ok(Outcome::Held(format!(
        "{POINTS} points each on tmpfs and ext4, sparse and up front: exit 9 each time, all {kept} \
         verified pieces kept, all went on"
    )))
}

/// One line says what is wrong, with a path of the target and how much room is missing.
fn check_message(program: &Process, target: &Path, at: &str) -> Result<()> {
    let errors = program.output(Stream::Stderr);
    let line = errors.lines().find(|line| line.starts_with("error:")).unwrap_or_default();
    let clear = line.contains("full") && line.contains(&target.display().to_string());
    let clear = clear && line.contains("iB are missing");
    ensure(clear, program, &format!("{at}does not say clearly that the disk is full: {line:?}"))
}

impl Disk {
    /// Room for all of it.
    fn make(system: &str, path: &Path) -> Result<Self> {
        if system == "tmpfs" {
            return Ok(Self::Tmpfs(Tmpfs::mount(path, 2 * LEN)?));
        }
        Ok(Self::Ext4(Ext4::mount(&path.with_extension("image"), path, 3 * LEN)?))
    }

    fn leave_room(&self, room: u64) -> Result<()> {
        match self {
            Self::Tmpfs(disk) => disk.resize(room),
            Self::Ext4(disk) => disk.leave_room(room),
        }
    }

    fn make_room(&self) -> Result<()> {
        match self {
            Self::Tmpfs(disk) => disk.resize(2 * LEN),
            Self::Ext4(disk) => disk.make_room(),
        }
    }
}
