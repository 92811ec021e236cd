//! Files that are cut, deleted, replaced and written to behind the program's back, every 100 ms, while
//! it seeds and while it downloads. Holds that it lives, that no leecher gets a wrong byte or one
//! beyond a file's end, that it says what happened and never claims the pieces again, and that another
//! torrent goes on as if nothing were.

use std::fs::{self, File};
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use testkit::process::{Process, Stream};
use testkit::torrent::{Builder, Torrent};
use testkit::{PATIENCE, cli};

use self::leecher::{Leecher, fetch_all};
use super::host::Host;
use super::{Case, Outcome, Stage, ensure, found_pieces, peer_arguments, whole_pieces};
use crate::Result;

mod leecher;

const PIECE: u32 = 64 << 10;
const FILE_LEN: u64 = 700_000;
const FILES: [&str; 3] = ["a.bin", "b.bin", "sub/c.bin"];
/// Between two attacks on a file.
const EVERY: Duration = Duration::from_millis(100);
/// The attacks go on for so many after the program has noticed.
const AFTERWARDS: usize = 3;
/// Attacks after which it must have noticed.
const MOST: usize = 100;

/// What is done to a file.
#[derive(Clone, Copy, Debug)]
enum Attack {
    Cut,
    CutAndGrow,
    Delete,
    Replace,
    Overwrite,
}

const ATTACKS: [Attack; 5] =
    [Attack::Cut, Attack::CutAndGrow, Attack::Delete, Attack::Replace, Attack::Overwrite];

/// The torrent that is attacked, and the one beside it.
struct Pair {
    attacked: Arc<Torrent>,
    calm: Arc<Torrent>,
    seeds: [Host; 2],
}

pub(super) fn run(stage: &mut Stage) -> Result<Outcome> {
    let rounds = if stage.long { 20 } else { 1 };
    let files = |name: &str, seed| {
        let builder = Builder::new(name).piece_length(PIECE).seed(seed);
        FILES.iter().fold(builder, |builder, file| builder.file(file, FILE_LEN)).build()
    };
    let attacked = Arc::new(files("attacked", 1));
    let calm = Arc::new(files("calm", 2));
    let seeds = [
        Host::honest(2, &attacked, Duration::from_millis(10))?,
        Host::honest(3, &calm, Duration::from_millis(10))?,
    ];
    let pair = Pair { attacked, calm, seeds };
    let (mut checked, mut attacks) = (0, 0);
    for round in 0..rounds {
        for attack in ATTACKS {
            for seeding in [true, false] {
                let doing = if seeding { "seeding" } else { "downloading" };
                let name = format!("{doing} {attack:?} {round}");
                let case = stage.case(&name, &pair.attacked, &[])?;
                let played = pair.play(&case, attack, seeding, &mut stage.rng);
                let (blocks, times) = played.map_err(|error| format!("{name}: {error}"))?;
                checked += blocks;
                attacks += times;
                fs::remove_dir_all(&case.target)?;
            }
        }
    }
    Ok(Outcome::Held(format!(
        "{} rounds, {attacks} attacks: the program lived, {checked} blocks at leechers all right and \
         within their files, 0 false claims afterwards, the other torrent untouched",
        rounds * ATTACKS.len() * 2
    )))
}

impl Pair {
    /// One kind of attack on one program. Gives how many blocks leechers got, and how many attacks
    /// there were.
    fn play(
        &self,
        case: &Case,
        attack: Attack,
        seeding: bool,
        rng: &mut fastrand::Rng,
    ) -> Result<(usize, usize)> {
        let calm_file = case.file.with_file_name("calm.torrent");
        fs::write(&calm_file, self.calm.metainfo(&[]))?;
        if seeding {
            // Whole, synced and claimed.
            self.start(case, &calm_file, &["--sync"])?.wait_success(PATIENCE)?;
        }
        let program = self.start(case, &calm_file, &["--seed"])?;
        let addr = cli::listening(&program)?;
        let leecher = Leecher::start(addr, &self.attacked)?;
        let mut times = 0;
        let mut left = AFTERWARDS;
        while left > 0 {
            thread::sleep(EVERY);
            let file = FILES[rng.usize(..FILES.len())];
            let path = case.target.join(self.attacked.name()).join(file);
            if path.exists() {
                attack.on(&path, rng)?;
                if matches!(attack, Attack::Cut) {
                    leecher.cut(file, FILE_LEN / 2);
                }
                times += 1;
            }
            if leecher.is_over() {
                left -= 1;
            }
            ensure(times < MOST, &program, "did not notice what happened to its files")?;
            let alive = program.exit().is_none();
            ensure(alive, &program, "left, although the other torrent goes on")?;
        }
        let blocks = leecher.finish().map_err(|error| program.failure(&error.to_string()))?;
        program.wait_line(PATIENCE, |line| line.contains("calm: complete").then_some(()))?;
        fetch_all(addr, &self.calm)?;
        program.terminate();
        let status = program.wait_exit(PATIENCE)?;
        ensure(status.signal().is_none(), &program, &format!("left with {status}"))?;
        let errors = program.output(Stream::Stderr);
        let place = case.target.join(self.attacked.name()).display().to_string();
        let said = errors.lines().any(|line| line.starts_with("error:") && line.contains(&place));
        ensure(said && !status.success(), &program, "did not say which file was changed")?;
        self.calm.compare(&case.target)?;

        let whole = whole_pieces(&self.attacked, &case.target)?;
        // A file that holds something else now is overwritten only where the user says so.
        let again = self.start(case, &calm_file, &["--force"])?;
        again.wait_success(PATIENCE)?;
        let found = again.output(Stream::Stderr);
        let mut found =
            found.lines().filter(|line| line.contains("attacked")).filter_map(found_pieces);
        let found = found.next().unwrap_or(0);
        let what = format!("claims {found} pieces, {whole} are whole");
        ensure(found <= whole, &again, &what)?;
        self.attacked.compare(&case.target)?;
        Ok((blocks, times))
    }

    fn start(&self, case: &Case, calm: &Path, more: &[&str]) -> Result<Process> {
        let mut command = case.command("download");
        let peers: Vec<SocketAddr> = self.seeds.iter().map(Host::addr).collect();
        command.arg(calm).args(peer_arguments(&peers)).args(more).arg("-vv");
        Process::start("pieces-cli", &mut command)
    }
}

impl Attack {
    fn on(self, path: &Path, rng: &mut fastrand::Rng) -> Result<()> {
        let open = || File::options().write(true).open(path);
        match self {
            Self::Cut => open()?.set_len(FILE_LEN / 2)?,
            Self::CutAndGrow => {
                let file = open()?;
                file.set_len(rng.u64(..FILE_LEN))?;
                file.set_len(FILE_LEN)?;
            }
            Self::Delete => fs::remove_file(path)?,
            Self::Replace => {
                let other = path.with_extension("new");
                fs::write(&other, vec![0xee; usize::try_from(FILE_LEN)?])?;
                fs::rename(other, path)?;
            }
            Self::Overwrite => open()?.write_all(&vec![0xee; 100_000])?,
        }
        Ok(())
    }
}
