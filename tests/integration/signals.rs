//! No signal but SIGKILL ends the program without a word and an exit code, and none costs data.

use std::fs;

use rustix::process::Signal;
use testkit::PATIENCE;
use testkit::cli::{self, Cli};
use testkit::seed::Seed;
use testkit::torrent::Builder;
use testkit::tracker::Answer;

use crate::stage::Stage;

#[test]
fn signals_that_mean_nothing_stop_nothing() {
    let stage = Stage::new();
    let dir = stage.dir("target");
    let download = Cli::download(&stage.file, &dir).unwrap().start().unwrap();
    stage.tracker.wait_event("started").unwrap();
    let nothing = [
        Signal::USR1,
        Signal::USR2,
        Signal::ALARM,
        Signal::VTALARM,
        Signal::PROF,
        Signal::IO,
        Signal::XFSZ,
        Signal::PIPE,
        Signal::WINCH,
        Signal::CHILD,
        Signal::URG,
        Signal::STOP,
        Signal::CONT,
    ];
    for signal in nothing {
        download.send(signal);
    }
    let seed = Seed::start(&stage.torrent, "seed").unwrap();
    let ours = cli::listening(&download).unwrap();
    let helper = stage.dir("helper");
    let helper = Cli::download(&stage.file, &helper).unwrap();
    let helper = helper.args(["--peer", &seed.addr().to_string(), "--peer", &ours.to_string()]);
    let helper = helper.arg("--seed").start().unwrap();
    download.wait_success(PATIENCE).unwrap();
    stage.torrent.compare(&dir).unwrap();
    drop(helper);
}

#[test]
fn each_signal_that_asks_to_stop_is_told_and_has_a_code() {
    let stage = Stage::new();
    let signals = [
        (Signal::TERM, "stopped before"),
        (Signal::INT, "stopped before"),
        (Signal::HUP, "stopped before"),
        (Signal::XCPU, "the limit of processor time is used up (ulimit -t)"),
        (Signal::QUIT, "error: stopped by SIGQUIT"),
    ];
    for (number, (signal, told)) in signals.into_iter().enumerate() {
        let dir = stage.dir(&number.to_string());
        let download = Cli::download(&stage.file, &dir).unwrap().start().unwrap();
        cli::listening(&download).unwrap();
        download.send(signal);
        let status = download.wait_exit(PATIENCE).unwrap();
        assert_eq!(status.code(), Some(7), "{signal:?}: {}", download.log());
        assert!(download.log().contains(told), "{signal:?}: {}", download.log());
        assert!(download.log().contains("error: "), "{signal:?}: {}", download.log());
    }
}

/// As `timeout` sends it: to the program, and to the group it is in.
#[test]
fn a_signal_that_is_sent_twice_at_once_is_one() {
    let stage = Stage::new();
    stage.tracker.set_warning("a last word");
    let dir = stage.dir("target");
    let download = Cli::download(&stage.file, &dir).unwrap().start().unwrap();
    download.wait_line(PATIENCE, |line| line.contains("a last word").then_some(())).unwrap();
    // So that its good-bye takes a while.
    stage.tracker.set_answer(Answer::Silence);
    for _ in 0..3 {
        download.terminate();
    }
    let status = download.wait_exit(PATIENCE).unwrap();
    assert_eq!(status.code(), Some(7), "{}", download.log());
    assert!(!download.log().contains("stopped by"), "in order: {}", download.log());
}

#[test]
fn what_was_ignored_when_it_was_started_stays_ignored() {
    let stage = Stage::new();
    let whole = stage.full_dir("whole");
    let seed = Cli::seed(&stage.file, &whole).unwrap().within("trap '' HUP INT");
    let seed = seed.start().unwrap();
    let addr = cli::listening(&seed).unwrap().to_string();
    stage.reachable();
    seed.send(Signal::HUP);
    seed.send(Signal::INT);
    let dir = stage.dir("target");
    let download = Cli::download(&stage.file, &dir).unwrap().args(["--peer", &addr]);
    download.start().unwrap().wait_success(PATIENCE).unwrap();
    assert!(seed.exit().is_none(), "{}", seed.log());
    seed.terminate();
    assert_eq!(seed.wait_exit(PATIENCE).unwrap().code(), Some(0), "{}", seed.log());
}

/// Two files, of which only the first is shorter than the limit.
#[test]
fn the_limit_of_file_sizes_is_an_error_and_whole_pieces_are_kept() {
    let builder = Builder::new("album").piece_length(64 << 10);
    let builder = builder.file("short", 256 << 10).file("long", 1 << 20);
    let stage = Stage::with(builder.build());
    let seed = Seed::start(&stage.torrent, "seed").unwrap();
    let addr = seed.addr().to_string();
    let dir = stage.dir("target");
    let download = || Cli::download(&stage.file, &dir).unwrap().args(["--peer", &addr]);
    let limited = || {
        // In blocks of 512 bytes for some shells, of 1,024 for others: half a megabyte, or all of it.
        let limited = download().within("ulimit -f 1024").start().unwrap();
        let status = limited.wait_exit(PATIENCE).unwrap();
        assert_eq!(status.code(), Some(17), "{status}: {}", limited.log());
        assert!(limited.log().contains("File too large"), "{}", limited.log());
        assert!(limited.log().contains("ulimit -f"), "{}", limited.log());
    };
    // The long file cannot even be made.
    limited();
    // It is there already, and cannot be written to its end.
    let long = dir.join("album/long");
    fs::create_dir_all(dir.join("album")).unwrap();
    fs::File::create(&long).unwrap().set_len(1 << 20).unwrap();
    limited();
    let before = stage.tracker.announces().len();
    let rest = download().arg("--json").start().unwrap();
    rest.wait_success(PATIENCE).unwrap();
    stage.torrent.compare(&dir).unwrap();
    assert!(stage.tracker.announces().len() > before);
    let ready = rest.log().lines().find(|line| line.contains("\"ready\"")).unwrap().to_owned();
    assert!(!ready.contains("\"have\":0"), "what was whole is kept: {ready}");
}
