//! What was started here ends when this is told to end.
//!
//! Owns the answer to SIGINT, SIGTERM and SIGHUP. Never touches a process that does not descend from
//! this one.

use std::collections::HashMap;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::Result;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// How long the rest of the program has to clean up, once all it waits for has ended.
const GRACE: Duration = Duration::from_secs(5);

/// What a shell reports of a program that Ctrl-C ended.
const EXIT_CODE: i32 = 130;

/// From now on a signal ends whatever was started, then this. Whoever waits for a child sees it end,
/// and has a moment to remove what it left.
pub(crate) fn watch() -> Result<()> {
    ctrlc::set_handler(|| {
        if !INTERRUPTED.swap(true, Ordering::Relaxed) {
            thread::spawn(end);
        }
    })?;
    Ok(())
}

/// An error once a signal came: for whoever is about to start something.
pub(crate) fn check() -> Result<()> {
    if INTERRUPTED.load(Ordering::Relaxed) { Err("interrupted".into()) } else { Ok(()) }
}

fn end() {
    kill_all();
    thread::sleep(GRACE);
    // Whoever did not see that there is nothing to go on with has started more.
    kill_all();
    std::process::exit(EXIT_CODE);
}

fn kill_all() {
    for pid in descendants(std::process::id()) {
        if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
            // It may be gone already.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

/// All processes that this one, or one of its children, has started and that are still tied to it.
pub(crate) fn descendants(of: u32) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let pid = entry.file_name().to_str().and_then(|name| name.parse().ok());
        let stat = fs::read_to_string(entry.path().join("stat"));
        if let (Some(pid), Some(parent)) = (pid, stat.ok().as_deref().and_then(parent)) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = children.remove(&of).unwrap_or_default();
    let mut next = 0;
    while let Some(pid) = found.get(next) {
        found.extend(children.remove(pid).unwrap_or_default());
        next += 1;
    }
    found
}

/// The parent that a process's `stat` names: the second word after the name in brackets, which may
/// hold anything.
fn parent(stat: &str) -> Option<u32> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn grandchildren_are_found() {
        let mut shell = Command::new("sh")
            .args(["-c", "sleep 60 & echo $!; wait"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(shell.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let sleep: u32 = line.trim().parse().unwrap();
        let found = descendants(std::process::id());
        assert!(found.contains(&shell.id()) && found.contains(&sleep), "{found:?}");
        assert_eq!(descendants(shell.id()), [sleep]);
        let pid = Pid::from_raw(i32::try_from(sleep).unwrap()).unwrap();
        kill_process(pid, Signal::KILL).unwrap();
        shell.wait().unwrap();
    }

    #[test]
    fn a_name_may_hold_brackets() {
        assert_eq!(parent("7 (a) b) S 42 7 7 0"), Some(42));
        assert_eq!(parent("7 (a"), None);
    }
}
