//! Resume files cut short and with flipped bits. Holds that the program never crashes and never
//! believes one: it looks at the files instead.
//!
//! One byte of a piece that the intact resume file claims is changed behind the program's back, in a
//! way that only a hash can see. So whoever believes the file counts one piece too many.

use std::fs::{self, File};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use testkit::PATIENCE;
use testkit::process::Process;
use testkit::torrent::{Builder, Torrent};

use super::host::Host;
use super::{Case, Outcome, Stage, ensure, found_pieces};
use crate::Result;

const LEN: u64 = 1 << 20;

pub(super) fn run(stage: &mut Stage) -> Result<Outcome> {
    let torrent = Arc::new(Builder::single("torn.bin", LEN).build());
    let case = stage.case("torn", &torrent, &[])?;
    let seed = Host::honest(2, &torrent, Duration::ZERO)?;
    case.download(&[seed.addr()])?.wait_success(PATIENCE)?;
    // Not complete, so that every start says what it found; the last piece is the one that is lost.
    let data = torrent.path_in(&case.target, &torrent.files()[0]);
    spoil(&data, LEN - 1)?;
    touch(&data)?;
    let all = torrent.piece_count();
    let program = Process::start("pieces-cli", case.command("download").arg("--sync"))?;
    let found = program.wait_line(PATIENCE, found_pieces)?;
    ensure(found == all - 1, &program, "did not notice a touched file")?;
    // A clean end after a sync: the resume file now claims all pieces but the last.
    program.terminate();
    program.wait_exit(PATIENCE)?;
    let file = resume_file(&case)?;
    let intact = fs::read(&file)?;
    spoil(&data, 0)?;
    let believed = start(&case, &file, &intact)?;
    if believed != all - 1 {
        return Err(format!("the intact file is not believed: {believed} of {all} pieces").into());
    }

    let (cuts, flips) = if stage.long { (intact.len(), 10_000) } else { (60, 60) };
    for number in 0..cuts {
        let at = if cuts == intact.len() { number } else { stage.rng.usize(..intact.len()) };
        check(&case, &torrent, &file, &intact[..at], &format!("cut at byte {at}"))?;
    }
    for _ in 0..flips {
        let bit = stage.rng.usize(..intact.len() * 8);
        let mut flipped = intact.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        check(&case, &torrent, &file, &flipped, &format!("bit {bit} flipped"))?;
    }
    let len = intact.len();
    Ok(Outcome::Held(format!(
        "{cuts} cuts and {flips} flips of {len} bytes: 0 crashes, 0 believed"
    )))
}

fn check(case: &Case, torrent: &Torrent, file: &Path, bytes: &[u8], what: &str) -> Result<()> {
    let found = start(case, file, bytes).map_err(|error| format!("{what}: {error}"))?;
    // The last piece is known to be lost, the first one only to whoever hashes it.
    let right = torrent.piece_count() - 2;
    if found == right {
        Ok(())
    } else {
        Err(format!("{what}: {found} pieces found, {right} are right").into())
    }
}

/// How many pieces the program finds with this resume file.
fn start(case: &Case, file: &Path, bytes: &[u8]) -> Result<u32> {
    fs::write(file, bytes)?;
    let program = Process::start("pieces-cli", &mut case.command("download"))?;
    let found = program.wait_line(PATIENCE, found_pieces)?;
    program.kill();
    program.wait_exit(PATIENCE)?;
    Ok(found)
}

fn resume_file(case: &Case) -> Result<PathBuf> {
    let folder = case.state.join("pieces");
    let entries = fs::read_dir(folder)?.collect::<std::io::Result<Vec<_>>>()?;
    let paths = entries.into_iter().map(|entry| entry.path());
    let mut paths = paths.filter(|path| path.extension().is_some_and(|e| e == "resume"));
    paths.next().ok_or_else(|| "no resume file was written".into())
}

/// Changes one byte and nothing else: length, time and inode stay.
fn spoil(path: &Path, at: u64) -> Result<()> {
    let modified = fs::metadata(path)?.modified()?;
    let byte = fs::read(path)?[usize::try_from(at)?];
    let mut file = File::options().write(true).open(path)?;
    file.seek(SeekFrom::Start(at))?;
    file.write_all(&[!byte])?;
    Ok(file.set_modified(modified)?)
}

/// Gives the file another time.
fn touch(path: &Path) -> Result<()> {
    let file = File::options().write(true).open(path)?;
    Ok(file.set_modified(std::time::SystemTime::now() - Duration::from_hours(1))?)
}
