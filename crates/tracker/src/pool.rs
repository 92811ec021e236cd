//! The threads that may block: a capped pool, fed by a channel, capped per host. Decides who runs
//! next; never knows what a job does.
//!
//! So that a thousand dead trackers do not starve a live one, hosts that answered last time go
//! first, and a quarter of the threads is kept for them; hosts never asked come next; hosts that
//! were silent last time come last and never get more than half of the threads. Among equals,
//! hosts take turns, not jobs. A job that takes long, of a host that never answered, gives its place
//! to the next and has a thread beside the others from then on, as far as there are such threads.

use std::collections::{BTreeMap, VecDeque};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, never, select, tick, unbounded};

use crate::limits::{MAX_HOSTS, SLOW_AFTER, SLOW_THREADS};

/// How often it is looked for jobs that take long, while others wait.
const LOOK: Duration = Duration::from_millis(250);

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
    let (work, for_workers) = unbounded::<(Job, Started, Crowd)>();
    let (done, finished) = unbounded::<End>();
    let looks = tick(LOOK);
    let mut workers = 0;
    loop {
        let look = if queue.is_empty() { never() } else { looks.clone() };
        select! {
            recv(look) -> _ => {},
            recv(incoming) -> job => match job {
                Ok(job) => queue.push(job),
                Err(_) => return,
            },
            recv(finished) -> end => if let Ok(end) = end {
                queue.finished(&end);
            },
        }
        while let Some((job, started)) = queue.next(Instant::now()) {
            if workers < queue.running() {
                let (for_worker, done) = (for_workers.clone(), done.clone());
                let spawned =
                    thread::Builder::new().name("tracker-worker".into()).spawn(move || {
                        for (job, started, crowd) in for_worker {
                            run(job, started, crowd, &done);
                        }
                    });
                match spawned {
                    Ok(_) => workers += 1,
                    Err(e) => log::warn!("no thread for a tracker: {e}"),
                }
            }
            // Without any worker the job waits in the channel until a thread can be had.
            let crowd = if queue.is_empty() { Crowd::Alone } else { Crowd::OthersWait };
            if work.send((job, started, crowd)).is_err() {
                return;
            }
        }
    }
}

/// A job that runs.
#[derive(Clone, Copy, Debug)]
struct Started {
    id: u64,
    /// What the host was thought to be when the job started.
    health: Health,
}

/// How a job ended.
struct End {
    host: String,
    started: Started,
    health: Health,
}

fn run(job: Job, started: Started, crowd: Crowd, done: &Sender<End>) {
    let run = std::panic::AssertUnwindSafe(move || (job.run)(crowd));
    // A panic must neither end the thread nor leave the job's host occupied.
    let health = std::panic::catch_unwind(run).unwrap_or(Health::Silent);
    let _ = done.send(End { host: job.host, started, health });
}

/// Who waits and who runs.
struct Queue {
    threads: usize,
    per_host: usize,
    hosts: BTreeMap<String, Host>,
    /// Hosts that could start a job now, by health, each in one lane at most once.
    lanes: [VecDeque<String>; 3],
    /// Running jobs, by what their host was thought to be.
    running: [usize; 3],
    /// Since when jobs run, of hosts that did not answer last time.
    since: BTreeMap<u64, Instant>,
    last_id: u64,
}

#[derive(Default)]
struct Host {
    health: Health,
    waiting: VecDeque<Job>,
    running: usize,
    in_lane: bool,
}

impl Queue {
    fn new(threads: usize, per_host: usize) -> Self {
        Self {
            threads,
            per_host,
            hosts: BTreeMap::new(),
            lanes: Default::default(),
            running: [0; 3],
            since: BTreeMap::new(),
            last_id: 0,
        }
    }

    fn running(&self) -> usize {
        self.running.iter().sum()
    }

    fn is_empty(&self) -> bool {
        self.lanes.iter().all(VecDeque::is_empty)
    }

    fn push(&mut self, job: Job) {
        let name = job.host.clone();
        self.hosts.entry(name.clone()).or_default().waiting.push_back(job);
        self.line_up(&name);
    }

    /// Jobs that take long and so have threads beside the others.
    fn slow(&self, now: Instant) -> usize {
        let long = |since: &&Instant| now.saturating_duration_since(**since) >= SLOW_AFTER;
        self.since.values().filter(long).count().min(self.threads * SLOW_THREADS)
    }

    /// The job to start now, if any may.
    fn next(&mut self, now: Instant) -> Option<(Job, Started)> {
        let slow = self.slow(now);
        let running = self.running() - slow;
        if running >= self.threads {
            return None;
        }
        let [running_alive, _, running_silent] = self.running;
        let strangers = running.saturating_sub(running_alive) < self.threads - self.threads / 4;
        let silent_ones = strangers && running_silent < (self.threads / 2).max(1);
        let [alive, unknown, silent] = &mut self.lanes;
        let name = alive
            .pop_front()
            .or_else(|| if strangers { unknown.pop_front() } else { None })
            .or_else(|| if silent_ones { silent.pop_front() } else { None })?;
        let host = self.hosts.get_mut(&name)?;
        let health = host.health;
        host.in_lane = false;
        let job = host.waiting.pop_front()?;
        host.running += 1;
        *health.of(&mut self.running) += 1;
        self.last_id += 1;
        let id = self.last_id;
        if health != Health::Alive {
            self.since.insert(id, now);
        }
        self.line_up(&name);
        Some((job, Started { id, health }))
    }

    fn finished(&mut self, end: &End) {
        let remembered = self.hosts.len();
        self.since.remove(&end.started.id);
        let count = end.started.health.of(&mut self.running);
        *count = count.saturating_sub(1);
        let Some(host) = self.hosts.get_mut(&end.host) else { return };
        host.running = host.running.saturating_sub(1);
        if host.running == 0 && host.waiting.is_empty() && remembered > MAX_HOSTS {
            self.hosts.remove(&end.host);
            return;
        }
        if host.in_lane && host.health != end.health {
            host.in_lane = false;
            host.health.of(&mut self.lanes).retain(|name| *name != end.host);
        }
        host.health = end.health;
        self.line_up(&end.host);
    }

    /// Puts a host into its lane if it has work, room, and is not there already.
    fn line_up(&mut self, name: &str) {
        let Some(host) = self.hosts.get_mut(name) else { return };
        if host.in_lane || host.waiting.is_empty() || host.running >= self.per_host {
            return;
        }
        host.in_lane = true;
        host.health.of(&mut self.lanes).push_back(name.to_owned());
    }
}

impl Health {
    /// Its part of a table that has one for each.
    fn of<T>(self, [alive, unknown, silent]: &mut [T; 3]) -> &mut T {
        match self {
            Self::Alive => alive,
            Self::Unknown => unknown,
            Self::Silent => silent,
        }
    }
}

#[cfg(test)]
mod tests;
