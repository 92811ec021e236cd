//! Nothing reads what the program says. It works on, keeps its memory, and the first signal ends it.

use std::fs;
use std::time::Duration;

use rustix::process::Signal;
use testkit::PATIENCE;
use testkit::cli::{self, Cli};
use testkit::seed::Seed;
use testkit::torrent::Builder;
use testkit::unread::Unread;

use crate::stage::Stage;

/// How soon the first signal has to end it: what stopping a torrent may take, and the last words.
const LEAVES_WITHIN: Duration = Duration::from_secs(8);

/// More memory than any of this takes.
const MOST_MEMORY: u64 = 200 << 20;

/// The first signal of this kind ends the program with this code.
fn ends(program: &mut Unread, signal: Signal, code: i32, what: &str) {
    program.signal(signal).unwrap();
    let (status, took) = program.wait_exit().unwrap();
    assert_eq!(status.code(), Some(code), "{what}: {status}");
    assert!(took < LEAVES_WITHIN, "{what}: {took:?}");
}

#[test]
fn whatever_prints_once_ends_at_the_first_signal() {
    let stage = Stage::new();
    let whole = stage.full_dir("whole");
    let made = stage.dir("made");
    let verify = || Cli::new(["verify"]).unwrap().arg(&stage.file).arg("-d").arg(&whole);
    let create = |name: &str| {
        let create = Cli::new(["create", "-o"]).unwrap().arg(made.join(name));
        create.arg(whole.join(stage.torrent.name()))
    };
    let calls = [
        ("--help", Cli::new(["--help"]).unwrap()),
        ("no argument", Cli::new([""; 0]).unwrap()),
        ("a wrong one", Cli::new(["--nonsense"]).unwrap()),
        ("show", Cli::new(["show"]).unwrap().arg(&stage.file)),
        ("show --json", Cli::new(["show", "--json"]).unwrap().arg(&stage.file)),
        ("bencode show", Cli::new(["bencode", "show"]).unwrap().arg(&stage.file)),
        ("completions", Cli::new(["completions", "bash"]).unwrap()),
        ("verify", verify()),
        ("verify -vvv --json", verify().args(["-vvv", "--json"])),
        ("verify of what is missing", verify().arg("-d").arg(&made)),
        ("create", create("a.torrent")),
        ("create --json", create("b.torrent").arg("--json")),
        ("scrape", Cli::new(["scrape"]).unwrap().arg(&stage.file)),
        ("announce", Cli::new(["announce"]).unwrap().arg(&stage.file)),
    ];
    for (what, call) in calls {
        let mut program = call.start_unread().unwrap();
        program.wait_ready().unwrap();
        program.wait_rest().unwrap();
        assert!(program.exit().unwrap().is_none(), "{what} waits for its reader");
        program.signal(Signal::TERM).unwrap();
        let (status, took) = program.wait_exit().unwrap();
        assert!(status.code().is_some_and(|code| code > 0), "{what}: {status}");
        assert!(took < LEAVES_WITHIN, "{what}: {took:?}");
    }
}

#[test]
fn a_download_goes_on_and_ends_with_its_code_at_the_first_signal() {
    let stage = Stage::new();
    let seed = Seed::start(&stage.torrent, "seed").unwrap();
    stage.tracker.add_peer(stage.torrent.info_hash(), seed.addr());
    for json in [false, true] {
        let dir = stage.dir(&format!("json {json}"));
        let download = Cli::download(&stage.file, &dir).unwrap().arg("-vvv");
        let download = if json { download.arg("--json") } else { download };
        let mut download = download.start_unread().unwrap();
        stage.tracker.wait_event("completed").unwrap();
        download.wait_rest().unwrap();
        stage.torrent.compare(&dir).unwrap();
        assert!(download.exit().unwrap().is_none(), "its result is not lost");
        ends(&mut download, Signal::TERM, 0, "complete, and that could not be told");
    }
}

#[test]
fn a_download_that_waits_for_peers_ends_at_the_first_signal_of_any_kind() {
    let stage = Stage::new();
    let signals = [Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT];
    for (number, signal) in signals.into_iter().enumerate() {
        let dir = stage.dir(&number.to_string());
        let download = Cli::download(&stage.file, &dir).unwrap().args(["-vvv", "--json"]);
        let mut download = download.start_unread().unwrap();
        stage
            .tracker
            .wait_for(PATIENCE, |seen| {
                let started = seen.iter().filter(|a| a.event == "started");
                (started.count() > number).then_some(())
            })
            .unwrap();
        ends(&mut download, signal, 7, &format!("{signal:?}"));
    }
}

#[test]
fn a_seed_serves_on_within_its_memory() {
    let torrent = Builder::single("many pieces", 8 << 20).piece_length(16 << 10).build();
    let stage = Stage::with(torrent);
    let whole = stage.full_dir("whole");
    let seed = Cli::seed(&stage.file, &whole).unwrap().args(["-vvv", "--json"]);
    let mut seed = seed.start_unread().unwrap();
    let addr = stage.reachable().to_string();
    for number in 0..4 {
        let dir = stage.dir(&number.to_string());
        let leech = Cli::download(&stage.file, &dir).unwrap().args(["--peer", &addr]);
        leech.start().unwrap().wait_success(PATIENCE).unwrap();
        stage.torrent.compare(&dir).unwrap();
    }
    let status = fs::read_to_string(format!("/proc/{}/status", seed.pid())).unwrap();
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let most: u64 = most.split_whitespace().next().unwrap().parse().unwrap();
    assert!(most << 10 < MOST_MEMORY, "{most} KiB");
    ends(&mut seed, Signal::TERM, 0, "seed");
}

#[test]
fn streams_that_are_closed_from_the_start_stop_nothing() {
    let stage = Stage::new();
    let seed = Seed::start(&stage.torrent, "seed").unwrap();
    let addr = seed.addr().to_string();
    for (number, closed) in ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"].into_iter().enumerate() {
        let dir = stage.dir(&number.to_string());
        let download = Cli::download(&stage.file, &dir).unwrap().args(["--peer", &addr]);
        let download = download.within(&format!("exec {closed}")).start().unwrap();
        download.wait_success(PATIENCE).unwrap();
        stage.torrent.compare(&dir).unwrap();
    }
    let full = Cli::new(["show"]).unwrap().arg(&stage.file).within("exec >/dev/full");
    let full = full.start().unwrap();
    assert_eq!(full.wait_exit(PATIENCE).unwrap().code(), Some(9), "{}", full.log());
    let dir = stage.dir("full");
    let full = Cli::download(&stage.file, &dir).unwrap().args(["--peer", &addr, "--json"]);
    let full = full.within("exec >/dev/full").start().unwrap();
    assert_eq!(full.wait_exit(PATIENCE).unwrap().code(), Some(9), "{}", full.log());
    assert!(full.log().contains("error: cannot write to stdout: No space left"), "{}", full.log());
    stage.torrent.compare(&dir).unwrap();
    drop(cli::listening(&full));
}
