//! What hostile peers cost in speed: clean and disturbed downloads by turns, both with the same
//! limit, medians of each. Owns the measuring; what must hold of bytes and memory is not its matter.

use std::sync::Arc;
use std::time::Duration;

use testkit::PATIENCE;
use testkit::torrent::Builder;

use super::acts::{ASKED_OF_OTHERS, Act};
use super::{HONEST, PIECE, Play, Scene, wait_complete};
use crate::Result;
use crate::faults::host::Host;
use crate::faults::{Stage, median};

/// Two seconds at the limit.
const LEN: u64 = 64 << 20;
/// Eight: a peer that stops costs the wait for its last blocks once, however long the download is.
const LONG: u64 = 4 * LEN;
const LIMIT: &str = "32M";
const RUNS: usize = 5;
/// Of the clean speed, in percent, with one hostile peer and with all of them.
const LEAST_ALONE: u128 = 90;
const LEAST_TOGETHER: u128 = 60;

pub(super) fn run(stage: &Stage, acts: &[Act]) -> Result<String> {
    let (short, _hosts) = scene(LEN)?;
    let (long, _more_hosts) = scene(LONG)?;
    let mut worst = (u128::MAX, "");
    let mut slow = Vec::new();
    let together: Vec<&Act> = acts.iter().collect();
    let mut cases: Vec<(&str, Vec<&Act>, u128)> =
        acts.iter().map(|act| (act.name, vec![act], LEAST_ALONE)).collect();
    cases.push(("all together", together, LEAST_TOGETHER));
    let mut of_all = 0;
    for (name, acts, least) in cases {
        let (mut clean, mut disturbed) = (Vec::new(), Vec::new());
        let stops = acts.iter().any(|act| act.proof == ASKED_OF_OTHERS);
        let scene = if stops { &long } else { &short };
        for run in 0..RUNS {
            clean.push(scene.time(stage, &format!("clean {name} {run}"), &[])?);
            disturbed.push(scene.time(stage, &format!("ratio {name} {run}"), &acts)?);
        }
        let percent = median(clean).as_millis() * 100 / median(disturbed).as_millis().max(1);
        println!("   {name}: {percent}% of the clean speed");
        if percent < least {
            slow.push(format!("{name}: {percent}% of the clean speed, not {least}%"));
        }
        if acts.len() == 1 { worst = worst.min((percent, acts[0].name)) } else { of_all = percent }
    }
    if !slow.is_empty() {
        return Err(slow.join("\n").into());
    }
    let (percent, name) = worst;
    Ok(format!("speed {percent}% of clean at worst alone ({name}), {of_all}% together"))
}

/// Two honest seeds as fast as they can be.
fn scene(len: u64) -> Result<(Scene, Vec<Host>)> {
    let torrent = Arc::new(Builder::varied("ratio", len).piece_length(4 * PIECE).build());
    let honest = HONEST.map(|last| Host::honest(last, &torrent, Duration::ZERO));
    let honest = honest.into_iter().collect::<Result<Vec<_>>>()?;
    Ok((Scene::new(torrent, &honest, false), honest))
}

impl Scene {
    /// How long a download takes from its start until it is complete.
    fn time(&self, stage: &Stage, name: &str, acts: &[&Act]) -> Result<Duration> {
        let case = stage.case(name, &self.torrent, &[])?;
        let Play { program, .. } = &self.start(&case, acts, &["--max-download", LIMIT])?;
        wait_complete(program)?;
        let took = program.elapsed();
        program.terminate();
        program.wait_success(PATIENCE)?;
        self.torrent.compare(&case.target)?;
        std::fs::remove_dir_all(&case.target)?;
        Ok(took)
    }
}
