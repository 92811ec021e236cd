//! Who goes first: the queue alone, then with threads.

use std::sync::{Arc, Barrier};
use std::time::Duration;

use super::*;

fn job(host: &str) -> Job {
    Job { host: host.to_owned(), run: Box::new(|_| Health::Alive) }
}

fn queue(threads: usize, per_host: usize, hosts: &[&str]) -> Queue {
    let mut queue = Queue::new(threads, per_host);
    for host in hosts {
        queue.push(job(host));
    }
    queue
}

fn end(queue: &mut Queue, host: &str, started_as: Health, health: Health) {
    let id = queue.since.keys().next().copied().unwrap_or_default();
    let started = Started { id, health: started_as };
    queue.finished(&End { host: host.to_owned(), started, health });
}

fn drain_at(queue: &mut Queue, now: Instant) -> Vec<String> {
    std::iter::from_fn(|| queue.next(now)).map(|(job, _)| job.host).collect()
}

fn drain(queue: &mut Queue) -> Vec<String> {
    drain_at(queue, Instant::now())
}

#[test]
fn hosts_that_accept_and_say_nothing_hold_up_a_new_one_for_seconds_only() {
    let mut queue = Queue::new(32, 4);
    let now = Instant::now();
    for n in 0..100 {
        queue.push(job(&format!("silent{n}")));
    }
    queue.push(job("live"));
    let (mut started, mut seconds) = (Vec::new(), 0);
    while !started.contains(&"live".to_owned()) {
        assert!(seconds <= 15, "after {seconds} s {} were started", started.len());
        started.extend(drain_at(&mut queue, now + Duration::from_secs(seconds)));
        seconds += 1;
    }
    assert!(queue.running() <= 32 + 32 * SLOW_THREADS);
}

#[test]
fn hosts_take_turns_within_their_caps() {
    let mut queue = queue(6, 2, &["a", "a", "a", "a", "b", "b", "c"]);
    assert_eq!(drain(&mut queue), ["a", "b", "c", "a", "b"]);
    end(&mut queue, "c", Health::Unknown, Health::Alive);
    assert_eq!(drain(&mut queue), [""; 0]);
    end(&mut queue, "a", Health::Unknown, Health::Alive);
    assert_eq!(drain(&mut queue), ["a"]);
    end(&mut queue, "a", Health::Unknown, Health::Alive);
    end(&mut queue, "b", Health::Unknown, Health::Alive);
    assert_eq!(drain(&mut queue), ["a"]);
    end(&mut queue, "a", Health::Alive, Health::Alive);
    end(&mut queue, "a", Health::Alive, Health::Alive);
    end(&mut queue, "b", Health::Unknown, Health::Alive);
    assert_eq!(queue.running, [0; 3]);
}

#[test]
fn who_answered_goes_before_who_was_silent() {
    let mut queue = queue(3, 1, &["good", "bad1", "bad2"]);
    drain(&mut queue);
    end(&mut queue, "good", Health::Unknown, Health::Alive);
    end(&mut queue, "bad1", Health::Unknown, Health::Silent);
    end(&mut queue, "bad2", Health::Unknown, Health::Silent);
    for host in ["bad1", "bad2", "new", "good"] {
        queue.push(job(host));
    }
    // Three threads: the silent ones get one of them at most.
    assert_eq!(drain(&mut queue), ["good", "new", "bad1"]);
    end(&mut queue, "good", Health::Alive, Health::Alive);
    assert_eq!(drain(&mut queue), [""; 0]);
    end(&mut queue, "bad1", Health::Silent, Health::Silent);
    assert_eq!(drain(&mut queue), ["bad2"]);
}

#[test]
fn a_host_that_answers_changes_lanes_at_once() {
    let mut queue = queue(4, 1, &["a", "b", "c", "d", "a", "b"]);
    assert_eq!(drain(&mut queue), ["a", "b", "c"]);
    end(&mut queue, "b", Health::Unknown, Health::Alive);
    // "d" was there before, but "b" answers.
    assert_eq!(drain(&mut queue), ["b", "d"]);
}

#[test]
fn a_thousand_dead_hosts_leave_room_for_a_live_one() {
    let dead: Vec<String> = (0..1_000).map(|n| format!("dead{n}")).collect();
    let mut queue = Queue::new(8, 2);
    queue.push(job("live"));
    drain(&mut queue);
    end(&mut queue, "live", Health::Unknown, Health::Alive);
    // Never asked: six of eight threads at most.
    for host in &dead {
        queue.push(job(host));
    }
    assert_eq!(drain(&mut queue).len(), 6);
    queue.push(job("live"));
    assert_eq!(drain(&mut queue), ["live"]);
    end(&mut queue, "live", Health::Alive, Health::Alive);
    let mut running: VecDeque<String> = dead[..6].iter().cloned().collect();
    while let Some(host) = running.pop_front() {
        end(&mut queue, &host, Health::Unknown, Health::Silent);
        running.extend(drain(&mut queue));
    }
    // Known to be silent: half of them.
    for host in &dead {
        queue.push(job(host));
    }
    assert_eq!(drain(&mut queue).len(), 4);
    queue.push(job("new"));
    queue.push(job("live"));
    assert_eq!(drain(&mut queue), ["live", "new"]);
}

#[test]
fn nobody_is_remembered_for_ever() {
    let mut queue = Queue::new(1, 1);
    for n in 0..2 * MAX_HOSTS {
        let host = n.to_string();
        queue.push(job(&host));
        drain(&mut queue);
        end(&mut queue, &host, Health::Unknown, Health::Silent);
    }
    assert!(queue.hosts.len() <= MAX_HOSTS + 1);
}

#[test]
fn a_panicking_job_costs_nobody_a_thread() {
    let jobs = start(1, 1).unwrap();
    jobs.send(Job { host: "x".into(), run: Box::new(|_| panic!("on purpose")) }).unwrap();
    let (done, finished) = crossbeam_channel::bounded(1);
    let run = Box::new(move |_| {
        done.send(()).unwrap();
        Health::Alive
    });
    jobs.send(Job { host: "x".into(), run }).unwrap();
    finished.recv_timeout(Duration::from_secs(10)).unwrap();
}

#[test]
fn jobs_know_whether_others_wait() {
    let jobs = start(2, 2).unwrap();
    let (crowds, seen) = unbounded();
    let together = Arc::new(Barrier::new(3));
    for n in 0..2 {
        let (crowds, together) = (crowds.clone(), Arc::clone(&together));
        let run = Box::new(move |crowd| {
            crowds.send(crowd).unwrap();
            together.wait();
            Health::Alive
        });
        jobs.send(Job { host: n.to_string(), run }).unwrap();
        assert_eq!(seen.recv_timeout(Duration::from_secs(10)), Ok(Crowd::Alone));
    }
    // Both threads are busy: of the next two, one is started while the other waits.
    for n in 0..2 {
        let crowds = crowds.clone();
        let run = Box::new(move |crowd| {
            crowds.send(crowd).unwrap();
            Health::Alive
        });
        jobs.send(Job { host: n.to_string(), run }).unwrap();
    }
    drop(crowds);
    together.wait();
    let mut rest: Vec<Crowd> = seen.iter().collect();
    rest.sort_by_key(|crowd| *crowd == Crowd::Alone);
    assert_eq!(rest.last(), Some(&Crowd::Alone));
}
