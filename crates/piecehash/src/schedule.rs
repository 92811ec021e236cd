//! Keeps the lanes of a kernel full: messages of any lengths run side by side, and one that ends
//! gives its lane to the next. Never looks into a message beyond its blocks.

use crate::stream::Job;
use crate::{Algorithm, Block, Kernel, MAX_LANES, plan::Plan};

/// Runs all jobs to their ends, as many at a time as the plan has lanes.
///
/// Each step takes the longest stretch of whole blocks that every active lane can offer.
pub(crate) fn run<'a, A: Algorithm + 'a>(plan: &Plan, jobs: impl Iterator<Item = Job<'a, A>>) {
    let mut jobs = jobs.fuse();
    let mut active: Vec<Job<'a, A>> = Vec::with_capacity(plan.lanes());
    loop {
        active.retain_mut(Job::prepare);
        while active.len() < plan.lanes()
            && let Some(mut job) = jobs.next()
        {
            if job.prepare() {
                active.push(job);
            }
        }
        if active.is_empty() {
            return;
        }
        step(plan.kernel(active.len()), &mut active);
    }
}

/// Runs a single job to its end.
pub(crate) fn run_one<A: Algorithm>(mut job: Job<'_, A>) {
    let kernel = Kernel::single();
    while job.prepare() {
        step(kernel, std::slice::from_mut(&mut job));
    }
}

fn step<A: Algorithm>(kernel: Kernel, active: &mut [Job<'_, A>]) {
    let mut states = [A::INITIAL; MAX_LANES];
    let mut runs: [&[Block]; MAX_LANES] = [&[]; MAX_LANES];
    for ((job, state), run) in active.iter().zip(&mut states).zip(&mut runs) {
        *state = job.state();
        *run = job.run();
    }
    let count = active.len().min(MAX_LANES);
    let (states, runs) = (&mut states[..count], &mut runs[..count]);
    let blocks = runs.iter().map(|run| run.len()).min().unwrap_or(0);
    for run in runs.iter_mut() {
        *run = &run[..blocks];
    }
    A::compress(kernel, states, runs);
    for (job, &mut state) in active.iter_mut().zip(states) {
        job.advance(state, blocks);
    }
}
