//! SIGKILL at random moments of a download, resumed each time. Holds that no byte is wrong, nothing
//! is claimed that is not there, little is fetched twice and each start gets going at once.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use testkit::PATIENCE;
use testkit::process::Process;
use testkit::torrent::Builder;

use super::host::Host;
use super::{Outcome, Stage, ensure, found_pieces, whole_pieces};
use crate::Result;
use crate::table::grouped;

const PIECE: u32 = 256 << 10;
/// Fetched again after one kill, at most.
const MOST_AGAIN: u64 = 16 << 20;
/// From the start of the program to its first request.
const MOVING_WITHIN: Duration = Duration::from_secs(3);
/// Longer than the time between two saves of the resume state.
const PAST_A_SAVE: Duration = Duration::from_millis(5600);
/// How often a seed that is held back looks whether it still is.
const HELD_LOOK: Duration = Duration::from_millis(5);
/// Every so many kills, the program lives long enough to have saved.
const LONG_LIFE_EVERY: usize = 5;

/// What the seed sent in one life of the program.
#[derive(Default)]
struct Life {
    /// Bytes by piece.
    sent: BTreeMap<u32, u64>,
    first: Option<Instant>,
}

pub(super) fn run(stage: &mut Stage) -> Result<Outcome> {
    let (kills, mib) = if stage.long { (200, 1024) } else { (20, 96) };
    let len = mib << 20;
    let torrent = Arc::new(Builder::varied("kill", len).piece_length(PIECE).build());
    let lives = Arc::new(Mutex::new(Vec::<Life>::new()));
    let for_seed = Arc::clone(&lives);
    let held = Arc::new(AtomicBool::new(false));
    let holds = Arc::clone(&held);
    let seed = Host::seed(2, &torrent, move |piece, _, data| {
        // About 16 MiB/s: the kills hit a download that is under way.
        thread::sleep(Duration::from_micros(900));
        while holds.load(Ordering::Relaxed) {
            thread::sleep(HELD_LOOK);
        }
        if let Some(life) = for_seed.lock().unwrap_or_else(PoisonError::into_inner).last_mut() {
            life.first.get_or_insert_with(Instant::now);
            *life.sent.entry(piece).or_default() += data.len() as u64;
        }
    })?;
    let sent = |lives: &Mutex<Vec<Life>>| -> u64 {
        let lives = lives.lock().unwrap_or_else(PoisonError::into_inner);
        lives.last().map_or(0, |life| life.sent.values().sum())
    };

    let case = stage.case("kill", &torrent, &[])?;
    let mut slowest = Duration::ZERO;
    let mut whole = 0;
    for number in 0..=kills {
        lives.lock().unwrap_or_else(PoisonError::into_inner).push(Life::default());
        let program = case.download(&[seed.addr()])?;
        let started = Instant::now();
        if number == kills {
            program.wait_success(PATIENCE * 4)?;
        } else if stage.rng.u8(..8) == 0 {
            // While it opens its files and checks them.
            thread::sleep(Duration::from_millis(stage.rng.u64(..300)));
        } else {
            let until = stage.rng.u64(1..2 * len / (kills as u64 + 4));
            while sent(&lives) < until && program.exit().is_none() {
                ensure(started.elapsed() < PATIENCE, &program, "fetches nothing")?;
                thread::sleep(Duration::from_millis(1));
            }
            if number % LONG_LIFE_EVERY == LONG_LIFE_EVERY - 1 {
                held.store(true, Ordering::Relaxed);
                thread::sleep(PAST_A_SAVE);
            }
        }
        let claimed = program.output(testkit::process::Stream::Stderr);
        let claimed = claimed.lines().find_map(found_pieces);
        check_claim(&program, claimed, whole)?;
        program.kill();
        let status = program.wait_exit(PATIENCE)?;
        held.store(false, Ordering::Relaxed);
        // What the seed still had to say to the dead one belongs to this life.
        thread::sleep(4 * HELD_LOOK);
        let first = lives.lock().unwrap_or_else(PoisonError::into_inner)[number].first;
        if let Some(first) = first {
            slowest = slowest.max(first.saturating_duration_since(started));
        }
        whole = whole_pieces(&torrent, &case.target)?;
        let honest = !status.success() || whole == torrent.piece_count();
        ensure(honest, &program, &format!("left as if complete with {whole} pieces whole"))?;
        if number < kills && whole == torrent.piece_count() {
            return Err(format!("only {number} of {kills} kills before it was complete").into());
        }
    }
    torrent.compare(&case.target)?;
    let again = fetched_again(&lives.lock().unwrap_or_else(PoisonError::into_inner));
    let worst = again.iter().max().copied().unwrap_or(0);
    let figures = format!(
        "{kills} kills of {mib} MiB: 0 wrong bytes, 0 false claims, at most {} KiB again a kill, \
         {} KiB in all, moving again within {:.2} s",
        grouped(worst >> 10),
        grouped(again.iter().sum::<u64>() >> 10),
        slowest.as_secs_f64()
    );
    if worst > MOST_AGAIN || slowest > MOVING_WITHIN {
        return Err(format!("too much: {figures}").into());
    }
    Ok(Outcome::Held(figures))
}

/// The program may find less than what is whole by the little that must be fetched again, and
/// never more.
fn check_claim(program: &Process, claimed: Option<u32>, whole: u32) -> Result<()> {
    let Some(claimed) = claimed else { return Ok(()) };
    ensure(claimed <= whole, program, &format!("claims {claimed} pieces of {whole} whole ones"))?;
    let lost = u64::from(whole - claimed) * u64::from(PIECE);
    ensure(lost <= MOST_AGAIN, program, &format!("found {claimed} of {whole} whole pieces"))
}

/// For each life, the bytes it fetched of pieces that a later one fetched again.
fn fetched_again(lives: &[Life]) -> Vec<u64> {
    let later = |number: usize, piece: u32| {
        lives[number + 1..].iter().any(|life| life.sent.contains_key(&piece))
    };
    let of_life = |(number, life): (usize, &Life)| {
        let again = life.sent.iter().filter(|(piece, _)| later(number, **piece));
        again.map(|(_, bytes)| bytes).sum()
    };
    lives.iter().enumerate().map(of_life).collect()
}
