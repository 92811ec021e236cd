//! The long form of `starve`: a torrent of very many files, seeded and downloaded with few file
//! descriptors on both sides. Holds that neither ends early, and what it costs at the most.

use std::fmt::Write as _;
use std::fs;
use std::process::{Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use testkit::cli;
use testkit::process::Process;
use testkit::torrent::Builder;

use super::{Case, Stage, cpu, ensure, peer_arguments};
use crate::Result;

const FILES: u32 = 100_000;
const FILE_LEN: u64 = 40;
const PIECE: u32 = 64 << 10;
const DESCRIPTORS: [u32; 3] = [64, 256, 1_024];
/// A hundred thousand files are made, synced and looked at twice.
const PATIENCE: Duration = Duration::from_mins(10);
/// How often the program is looked at.
const LOOK: Duration = Duration::from_millis(50);
/// Processor time that each side may use. Five seconds are usual, and several times that where the disk's
/// journal is busy with others: nearly all of it goes to the making of files.
const MOST_CPU: Duration = Duration::from_mins(3);

/// Its figures.
pub(super) fn run(stage: &Stage) -> Result<String> {
    let mut builder = Builder::new("very many").piece_length(PIECE);
    for number in 0..FILES {
        builder = builder.file(&format!("{:03}/{number}", number / 1_000), FILE_LEN);
    }
    let torrent = builder.build();
    let whole = stage.case("whole", &torrent, &[])?;
    torrent.write_files(&whole.target)?;
    let mut figures = format!("; {FILES} files");
    for descriptors in DESCRIPTORS {
        let seed = start(&whole, "seed", descriptors, &["--verify"])?;
        seed.wait_line(PATIENCE, |line| line.contains("complete, seeding").then_some(()))?;
        let peer = peer_arguments(&[cli::listening(&seed)?]);
        let case = stage.case(&format!("with {descriptors}"), &torrent, &[])?;
        let arguments: Vec<&str> = peer.iter().map(String::as_str).collect();
        let download = start(&case, "download", descriptors, &arguments)?;
        let (status, used) = follow(&download)?;
        ensure(status.success(), &download, &format!("left with {status}"))?;
        ensure(used < MOST_CPU, &download, &format!("used {used:?} of processor"))?;
        torrent.compare(&case.target)?;
        ensure(seed.exit().is_none(), &seed, "ended while it was asked")?;
        let served = cpu(&seed)?;
        ensure(served < MOST_CPU, &seed, &format!("used {served:?} of processor"))?;
        seed.terminate();
        let status = seed.wait_exit(PATIENCE)?;
        ensure(status.success(), &seed, &format!("left with {status}"))?;
        write!(
            figures,
            ", with {descriptors} descriptors {:.1} s and {:.1} s of processor, the seed {:.1} s",
            download.elapsed().as_secs_f64(),
            used.as_secs_f64(),
            served.as_secs_f64()
        )?;
        fs::remove_dir_all(&case.target)?;
    }
    fs::remove_dir_all(&whole.target)?;
    Ok(figures)
}

/// The program with so many descriptors.
fn start(case: &Case, verb: &str, descriptors: u32, arguments: &[&str]) -> Result<Process> {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("ulimit -n {descriptors}; exec \"$0\" \"$@\"")).arg(&case.binary);
    let mut command = case.prepare(shell, verb);
    Process::start(verb, command.args(arguments))
}

/// Waits until it leaves; how, and what it had used of the processor just before.
fn follow(program: &Process) -> Result<(ExitStatus, Duration)> {
    let (began, mut used) = (Instant::now(), Duration::ZERO);
    loop {
        if let Some(status) = program.exit() {
            return Ok((status, used));
        }
        // One that leaves at this moment has no times any more.
        used = cpu(program).unwrap_or(used);
        ensure(began.elapsed() < PATIENCE, program, "did not leave in time")?;
        thread::sleep(LOOK);
    }
}
