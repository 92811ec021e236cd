//! The threads that may block: a capped pool, fed by a channel, capped per host. Decides who runs
//! next; never knows what a job does.
//!
//! So that a thousand dead trackers do not starve a live one, hosts that answered last time go
//! first, hosts never asked come next, hosts that were silent last time come last and never get
//! more than half of the threads; and among equals hosts take turns, not jobs.

use std::collections::{BTreeMap, VecDeque};
use std::thread;

use crossbeam_channel::{Receiver, Sender, select, unbounded};

use crate::limits::MAX_HOSTS;

/// Work that may block, and the host it waits for.
pub(crate) struct Job {
    pub(crate) host: String,
    /// Does the work; says whether the host answered.
    pub(crate) run: Box<dyn FnOnce(Crowd) -> Health + Send>,
}

/// Whether others wait for the thread a job has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crowd {
    Alone,
    OthersWait,
}

/// What is known of a host. Ordered by who goes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Health {
    Alive,
    #[default]
    Unknown,
    Silent,
}

/// Starts the pool. It ends when the last sender is dropped: jobs that wait are dropped, those
/// that run finish in their own time, and nobody waits for them.
pub(crate) fn start(threads: usize, per_host: usize) -> std::io::Result<Sender<Job>> {
    let (jobs, incoming) = unbounded();
    let queue = Queue::new(threads.max(1), per_host.max(1));
    thread::Builder::new()
        .name("tracker-queue".into())
        .spawn(move || dispatch(queue, &incoming))?;
    Ok(jobs)
}

fn dispatch(mut queue: Queue, incoming: &Receiver<Job>) {
    let (work, for_workers) = unbounded::<(Job, Crowd)>();
    let (done, finished) = unbounded::<(String, Health)>();
    let mut workers = 0;
    loop {
        select! {
            recv(incoming) -> job => match job {
                Ok(job) => queue.push(job),
                Err(_) => return,
            },
            recv(finished) -> end => if let Ok((host, health)) = end {
                queue.finished(&host, health);
            },
        }
        while let Some(job) = queue.next() {
            if workers < queue.running() {
                let (for_worker, done) = (for_workers.clone(), done.clone());
                let spawned =
                    thread::Builder::new().name("tracker-worker".into()).spawn(move || {
                        for (job, crowd) in for_worker {
                            run(job, crowd, &done);
                        }
                    });
                match spawned {
                    Ok(_) => workers += 1,
                    Err(e) => log::warn!("no thread for a tracker: {e}"),
                }
            }
            // Without any worker the job waits in the channel until a thread can be had.
            let crowd = if queue.is_empty() { Crowd::Alone } else { Crowd::OthersWait };
            if work.send((job, crowd)).is_err() {
                return;
            }
        }
    }
}

fn run(job: Job, crowd: Crowd, done: &Sender<(String, Health)>) {
    /// Reports the end even if the job panics: its host must not stay occupied.
    struct Report<'a>(String, Health, &'a Sender<(String, Health)>);
    impl Drop for Report<'_> {
        fn drop(&mut self) {
            let _ = self.2.send((std::mem::take(&mut self.0), self.1));
        }
    }
    let mut report = Report(job.host, Health::Silent, done);
    let run = std::panic::AssertUnwindSafe(move || (job.run)(crowd));
    if let Ok(health) = std::panic::catch_unwind(run) {
        report.1 = health;
    }
}

/// Who waits and who runs.
struct Queue {
    threads: usize,
    per_host: usize,
    hosts: BTreeMap<String, Host>,
    /// Hosts that could start a job now, by health, each in one lane at most once.
    lanes: [VecDeque<String>; 3],
    running: usize,
    running_silent: usize,
}

#[derive(Default)]
struct Host {
    health: Health,
    waiting: VecDeque<Job>,
    running: usize,
    /// How many of the running ones were started as silent.
    running_silent: usize,
    in_lane: bool,
}

impl Queue {
    fn new(threads: usize, per_host: usize) -> Self {
        Self {
            threads,
            per_host,
            hosts: BTreeMap::new(),
            lanes: Default::default(),
            running: 0,
            running_silent: 0,
        }
    }

    fn running(&self) -> usize {
        self.running
    }

    fn is_empty(&self) -> bool {
        self.lanes.iter().all(VecDeque::is_empty)
    }

    fn push(&mut self, job: Job) {
        let name = job.host.clone();
        self.hosts.entry(name.clone()).or_default().waiting.push_back(job);
        self.line_up(&name);
    }

    /// The job to start now, if any may.
    fn next(&mut self) -> Option<Job> {
        if self.running >= self.threads {
            return None;
        }
        let [alive, unknown, silent] = &mut self.lanes;
        let spare = self.running_silent < (self.threads / 2).max(1);
        let name = alive
            .pop_front()
            .or_else(|| unknown.pop_front())
            .or_else(|| if spare { silent.pop_front() } else { None })?;
        let host = self.hosts.get_mut(&name)?;
        host.in_lane = false;
        let job = host.waiting.pop_front()?;
        host.running += 1;
        self.running += 1;
        if host.health == Health::Silent {
            host.running_silent += 1;
            self.running_silent += 1;
        }
        self.line_up(&name);
        Some(job)
    }

    fn finished(&mut self, name: &str, health: Health) {
        let remembered = self.hosts.len();
        let Some(host) = self.hosts.get_mut(name) else { return };
        host.running = host.running.saturating_sub(1);
        self.running = self.running.saturating_sub(1);
        if host.running_silent > 0 {
            host.running_silent -= 1;
            self.running_silent = self.running_silent.saturating_sub(1);
        }
        let idle = host.running == 0 && host.waiting.is_empty();
        if idle && remembered > MAX_HOSTS {
            self.hosts.remove(name);
            return;
        }
        host.health = health;
        self.line_up(name);
    }

    /// Puts a host into its lane if it has work, room, and is not there already.
    fn line_up(&mut self, name: &str) {
        let Some(host) = self.hosts.get_mut(name) else { return };
        if host.in_lane || host.waiting.is_empty() || host.running >= self.per_host {
            return;
        }
        host.in_lane = true;
        let [alive, unknown, silent] = &mut self.lanes;
        match host.health {
            Health::Alive => alive.push_back(name.to_owned()),
            Health::Unknown => unknown.push_back(name.to_owned()),
            Health::Silent => silent.push_back(name.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests;
