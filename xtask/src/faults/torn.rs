//! Resume files cut short and with flipped bits. Holds that the program never crashes and never
//! believes one: it hashes the files instead, as it says by how many bytes it checks. The last piece is
//! lost, so that there is something to check every time.

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
    let all = torrent.piece_count();
    let program = Process::start("pieces-cli", case.command("download").arg("--sync"))?;
    let found = program.wait_line(PATIENCE, found_pieces)?;
    ensure(found == all - 1, &program, "did not notice a touched file")?;
    // A clean end after a sync: the resume file now claims all pieces but the last.
    program.terminate();
    program.wait_exit(PATIENCE)?;
    let file = resume_file(&case)?;
    let intact = fs::read(&file)?;
    let checked = start(&case, &torrent, &file, &intact)?;
    let last = torrent.piece(all - 1).len() as u64;
    if checked != last {
        return Err(format!("the intact file is not believed: {checked} bytes are hashed").into());
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
    let checked = start(case, torrent, file, bytes).map_err(|error| format!("{what}: {error}"))?;
    if checked == LEN {
        Ok(())
    } else {
        Err(format!("{what}: {checked} bytes of {LEN} are hashed").into())
    }
}

/// How many bytes the program hashes with this resume file.
fn start(case: &Case, torrent: &Torrent, file: &Path, bytes: &[u8]) -> Result<u64> {
    fs::write(file, bytes)?;
    let program = Process::start("pieces-cli", case.command("download").arg("--json"))?;
    let checked = program.wait_line(PATIENCE, |line| number(line, "checking", "total"))?;
    let have = program.wait_line(PATIENCE, |line| number(line, "ready", "have"))?;
    program.kill();
    program.wait_exit(PATIENCE)?;
    let right = u64::from(torrent.piece_count() - 1);
    if have == right {
        Ok(checked)
    } else {
        Err(format!("{have} pieces found, not {right}").into())
    }
}

/// A number in a line of JSON that tells of this event.
fn number(line: &str, event: &str, key: &str) -> Option<u64> {
    let line: serde_json::Value = serde_json::from_str(line).ok()?;
    line.get(key)?.as_u64().filter(|_| line["event"] == event)
}

fn resume_file(case: &Case) -> Result<PathBuf> {
    let folder = case.state.join("pieces");
    let entries = fs::read_dir(folder)?.collect::<std::io::Result<Vec<_>>>()?;
    let paths = entries.into_iter().map(|entry| entry.path());
    let mut paths = paths.filter(|path| path.extension().is_some_and(|e| e == "resume"));
    paths.next().ok_or_else(|| "no resume file was written".into())
}

/// Changes one byte.
fn spoil(path: &Path, at: u64) -> Result<()> {
    let byte = fs::read(path)?[usize::try_from(at)?];
    let mut file = File::options().write(true).open(path)?;
    file.seek(SeekFrom::Start(at))?;
    Ok(file.write_all(&[!byte])?)
}
