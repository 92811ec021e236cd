//! Another program writes to the torrent's files, so that the time of their last write tells nothing:
//! while they are hashed, while they are downloaded, and after a SIGKILL. Holds that no leecher gets a
//! false byte, that nothing is told as complete that is not, that the honest seed is not banned for it,
//! and that the next run finds out too.

use std::fs::{self, File, FileTimes};
use std::net::SocketAddr;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use testkit::PATIENCE;
use testkit::cli;
use testkit::message::Message;
use testkit::peer::{Handshake, Peer};
use testkit::process::Process;
use testkit::torrent::{Builder, Torrent};

use super::host::Host;
use super::{Case, Outcome, Stage, ensure, peer_arguments, whole_pieces};
use crate::Result;

const PIECE: u32 = 64 << 10;
const FILES: [&str; 3] = ["a.bin", "b.bin", "c.bin"];
const FILE_LEN: u64 = 1 << 20;
/// What is written over right bytes.
const FALSE: [u8; 100] = [0xee; 100];
/// Longer than the time between two saves of the resume state.
const PAST_A_SAVE: Duration = Duration::from_millis(5600);
/// How often something outside is looked at.
const LOOK: Duration = Duration::from_millis(2);
/// So large that hashing it takes a while.
const HASHED_LEN: u64 = 160 << 20;
/// Between two writes of another program to a file that is being downloaded.
const BETWEEN_WRITES: Duration = Duration::from_millis(20);
/// A piece larger than what stays in memory, so that a part of it is written before it is whole.
const LARGE_PIECE: u32 = 32 << 20;

pub(super) fn run(stage: &mut Stage) -> Result<Outcome> {
    let rounds = if stage.long { 20 } else { 1 };
    let (mut sent, mut writes) = (0, 0);
    for round in 0..rounds {
        let name = |what: &str| format!("{what} {round}");
        sent += while_hashed(stage, &name("hashed"))?;
        after_a_kill(stage, &name("killed"))?;
        writes += during_a_download(stage, &name("downloaded"))?;
        in_early_blocks(stage, &name("early"))?;
    }
    Ok(Outcome::Held(format!(
        "{rounds} rounds of 4: {sent} blocks at leechers all right, {writes} writes of another program \
         during downloads, 0 told as complete with a wrong byte, 0 honest seeds banned"
    )))
}

/// A part of a file that was hashed already is changed while the rest is hashed: it is neither served
/// now nor by the next run.
fn while_hashed(stage: &mut Stage, name: &str) -> Result<usize> {
    let torrent = Arc::new(Builder::single("hashed", HASHED_LEN).piece_length(256 << 10).build());
    let case = stage.case(name, &torrent, &[])?;
    torrent.write_files(&case.target)?;
    let path = torrent.path_in(&case.target, &torrent.files()[0]);
    let mut sent = 0;
    for run in 0..2 {
        let program =
            Process::start("pieces-cli", case.command("seed").args(["--partial", "--json", "-v"]))?;
        let addr = cli::listening(&program)?;
        if run == 0 {
            thread::sleep(Duration::from_millis(stage.rng.u64(5..60)));
            write(&path, 0, &FALSE)?;
        }
        program.wait_line(PATIENCE, |line| line.contains("\"event\":\"ready\"").then_some(()))?;
        sent += fetch_first(addr, &torrent).map_err(|error| program.failure(&error.to_string()))?;
        program.terminate();
        program.wait_exit(PATIENCE)?;
    }
    Ok(sent)
}

/// Asks for blocks of the first two pieces, the first of which may be gone; false ones are an error. Gives
/// how many came.
fn fetch_first(addr: SocketAddr, torrent: &Torrent) -> Result<usize> {
    let (mut peer, _) = Peer::dial(addr, &Handshake::new(torrent.info_hash(), "leech"))?;
    peer.send(&Message::Interested)?;
    peer.expect(|message| matches!(message, Message::Unchoke).then_some(()))?;
    for piece in [0, 1] {
        peer.send(&Message::Request { piece, offset: 0, len: 16 << 10 })?;
    }
    let mut got = 0;
    // One that it does not have may end the connection.
    while let Ok(message) = peer.receive() {
        let Message::Piece { piece, offset, data } = message else { continue };
        if torrent.block(piece, offset, u32::try_from(data.len())?) != Some(&data[..]) {
            return Err(format!("a leecher got false data of piece {piece}").into());
        }
        got += 1;
        if piece == 1 {
            break;
        }
    }
    Ok(got)
}

/// Each file is changed in another way after the program was killed: replaced by one that is older, as
/// `cp -p` does; overwritten at once; overwritten with a time in the future.
fn after_a_kill(stage: &mut Stage, name: &str) -> Result<()> {
    let held = Held::new();
    let (case, torrent, seed) = held.case(stage, name)?;
    let program = download(&case, &seed, &["--sequential"])?;
    held.wait(&program, &torrent, &case)?;
    thread::sleep(PAST_A_SAVE);
    program.kill();
    program.wait_exit(PATIENCE)?;
    for (number, file) in FILES.into_iter().enumerate() {
        let path = path_of(&case, &torrent, file);
        let times = fs::metadata(&path)?;
        let modified = match number {
            0 => times.modified()? - Duration::from_hours(1),
            1 => times.modified()?,
            _ => SystemTime::now() + Duration::from_hours(24 * 365),
        };
        if number == 0 {
            let other = path.with_extension("new");
            fs::copy(&path, &other)?;
            fs::rename(&other, &path)?;
        }
        let at = stage.rng.u64(..u64::from(PIECE) * 8);
        write_at_time(&path, at, &FALSE, modified)?;
    }
    held.release();
    complete(&download(&case, &seed, &[])?, &case, &torrent)
}

/// Another program writes to whole pieces again and again while others are still fetched.
fn during_a_download(stage: &mut Stage, name: &str) -> Result<usize> {
    let held = Held::new();
    let (case, torrent, seed) = held.case(stage, name)?;
    let program = download(&case, &seed, &["--sequential", "--seed"])?;
    // The first file is written to from its second piece on, the second one once all is there.
    let first = path_of(&case, &torrent, FILES[0]);
    let mut writes = 0;
    while whole_pieces(&torrent, &case.target)? < 2 {
        ensure(program.exit().is_none(), &program, "left")?;
        thread::sleep(LOOK);
    }
    for _ in 0..10 {
        write(&first, stage.rng.u64(..u64::from(PIECE)), &FALSE)?;
        writes += 1;
        thread::sleep(BETWEEN_WRITES);
    }
    held.wait_sent(&program, &torrent)?;
    write(&path_of(&case, &torrent, FILES[1]), u64::from(PIECE) + 7, &FALSE)?;
    writes += 1;
    held.release();
    program.wait_line(PATIENCE, |line| line.contains(": complete, ").then_some(()))?;
    // What it says is so, and what it claims is so at the next start.
    torrent.compare(&case.target)?;
    program.terminate();
    program.wait_exit(PATIENCE)?;
    complete(&download(&case, &seed, &[])?, &case, &torrent)?;
    Ok(writes)
}

/// Another program changes what was written of a piece before it was whole.
fn in_early_blocks(stage: &mut Stage, name: &str) -> Result<()> {
    let builder = Builder::single("early", u64::from(LARGE_PIECE)).piece_length(LARGE_PIECE);
    let torrent = Arc::new(builder.build());
    let case = stage.case(name, &torrent, &[])?;
    let held = Held::new();
    let seed = held.seed(&torrent)?;
    let program = download(&case, &seed, &[])?;
    let path = torrent.path_in(&case.target, &torrent.files()[0]);
    held.wait_sent(&program, &torrent)?;
    // An unwritten block is zeros.
    let written = || -> Result<Option<u64>> {
        let bytes = fs::read(&path)?;
        let block = bytes.chunks(16 << 10).position(|block| block.iter().any(|byte| *byte != 0));
        Ok(block.map(|number| number as u64 * (16 << 10)))
    };
    let at = loop {
        if let Some(at) = written()? {
            break at;
        }
        ensure(program.exit().is_none(), &program, "left")?;
        thread::sleep(LOOK);
    };
    write(&path, at + 5, &FALSE)?;
    held.release();
    complete(&program, &case, &torrent)
}

/// It ends well, with the right bytes, and nobody was banned.
fn complete(program: &Process, case: &Case, torrent: &Torrent) -> Result<()> {
    program.wait_success(PATIENCE)?;
    ensure(!program.log().contains("banned"), program, "banned an honest seed")?;
    let right = torrent.compare(&case.target);
    right.map_err(|error| program.failure(&format!("complete, and yet: {error}")))
}

fn download(case: &Case, seed: &Host, more: &[&str]) -> Result<Process> {
    let mut command = case.command("download");
    command.args(peer_arguments(&[seed.addr()])).args(more).arg("-v");
    Process::start("pieces-cli", &mut command)
}

fn path_of(case: &Case, torrent: &Torrent, name: &str) -> PathBuf {
    case.target.join(torrent.name()).join(name)
}

/// Writes to a file and leaves the time of its last write as it was.
fn write(path: &Path, at: u64, bytes: &[u8]) -> Result<()> {
    let modified = fs::metadata(path)?.modified()?;
    write_at_time(path, at, bytes, modified)
}

fn write_at_time(path: &Path, at: u64, bytes: &[u8], modified: SystemTime) -> Result<()> {
    let file = File::options().write(true).open(path)?;
    file.write_all_at(bytes, at)?;
    Ok(file.set_times(FileTimes::new().set_modified(modified))?)
}

/// A seed that keeps the last of the torrent's blocks back until it is told to go on.
#[derive(Clone)]
struct Held {
    released: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
}

impl Held {
    fn new() -> Self {
        Self { released: Arc::default(), sent: Arc::default() }
    }

    /// Three files, a folder for them, and the seed.
    fn case(&self, stage: &Stage, name: &str) -> Result<(Case, Arc<Torrent>, Host)> {
        let builder = Builder::new("claims").piece_length(PIECE);
        let builder = FILES.iter().fold(builder, |builder, file| builder.file(file, FILE_LEN));
        let torrent = Arc::new(builder.build());
        let case = stage.case(name, &torrent, &[])?;
        let seed = self.seed(&torrent)?;
        Ok((case, torrent, seed))
    }

    fn seed(&self, torrent: &Arc<Torrent>) -> Result<Host> {
        let (held, last) = (self.clone(), torrent.len() - u64::from(16_u32 << 10));
        Host::seed(2, torrent, move |_, _, data| {
            while held.sent.load(Ordering::Relaxed) >= last
                && !held.released.load(Ordering::Relaxed)
            {
                thread::sleep(LOOK);
            }
            held.sent.fetch_add(data.len() as u64, Ordering::Relaxed);
        })
    }

    /// Waits until all but what is held back was sent.
    fn wait_sent(&self, program: &Process, torrent: &Torrent) -> Result<()> {
        while self.sent.load(Ordering::Relaxed) < torrent.len() - u64::from(16_u32 << 10) {
            ensure(program.exit().is_none(), program, "left")?;
            thread::sleep(LOOK);
        }
        Ok(())
    }

    /// The same, until all pieces but the last are on disk.
    fn wait(&self, program: &Process, torrent: &Torrent, case: &Case) -> Result<()> {
        self.wait_sent(program, torrent)?;
        while whole_pieces(torrent, &case.target)? < torrent.piece_count() - 1 {
            ensure(program.exit().is_none(), program, "left")?;
            thread::sleep(LOOK);
        }
        Ok(())
    }

    fn release(&self) {
        self.released.store(true, Ordering::Relaxed);
    }
}
