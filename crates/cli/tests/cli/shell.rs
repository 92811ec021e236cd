//! What a shell's user meets first: a call without arguments, a pipe that closes, `-q`, numbers and
//! times as people write them.

use std::process::{Command, Stdio};

use crate::kit::{Stage, run};

/// Runs the program with these arguments and with a pipe as stdout whose other end is closed.
fn unread(arguments: &[&str]) -> (Option<i32>, String) {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let program = Command::new(env!("CARGO_BIN_EXE_pieces-cli"))
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(writer)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let ended = program.wait_with_output().unwrap();
    (ended.status.code(), String::from_utf8(ended.stderr).unwrap())
}

#[test]
fn a_call_without_arguments_shows_help_and_fails() {
    for command in [
        &[][..],
        &["download"],
        &["seed"],
        &["show"],
        &["create"],
        &["verify"],
        &["edit"],
        &["magnet"],
        &["magnet", "resolve"],
        &["magnet", "show"],
        &["announce"],
        &["scrape"],
        &["bencode"],
        &["bencode", "check"],
        &["bencode", "show"],
        &["completions"],
    ] {
        let ended = run(command);
        assert_eq!((ended.code, ended.out.as_str()), (28, ""), "{command:?}");
        assert!(ended.err.contains("Usage: pieces-cli"), "{command:?}: {}", ended.err);
        assert!(!ended.err.contains("error:"), "{command:?}: {}", ended.err);
    }
}

#[test]
fn a_reader_that_went_away_is_no_error() {
    let stage = Stage::new();
    let torrent = stage.path("photos.torrent");
    run(["create".as_ref(), stage.photos().as_os_str(), "-o".as_ref(), torrent.as_ref()]).success();
    let folder = stage.folder().to_str().unwrap();
    for arguments in [
        &["help"][..],
        &["--help"],
        &["--version"],
        &["download", "--help"],
        &["completions", "bash"],
        &["show", &torrent],
        &["show", "--json", &torrent],
        &["magnet", &torrent],
        &[
            "magnet",
            "show",
            "--json",
            "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567",
        ],
        &["verify", &torrent, "-d", folder],
        &["verify", "--json", &torrent, "-d", folder],
        &["bencode", "show", &torrent],
        &["create", folder, "-o", "-"],
        &["edit", &torrent, "--comment", "x"],
    ] {
        assert_eq!(unread(arguments), (Some(0), String::new()), "{arguments:?}");
    }
}

#[test]
fn verify_has_no_option_that_asks_it_to_verify() {
    run(["verify", "x.torrent", "--verify"]).refused(28, "--verify");
    assert!(!run(["verify", "--help"]).success().contains("--verify"));
}

#[test]
fn help_tells_what_can_be_given_in_place_of_a_torrent_file() {
    for (command, words) in [
        ("download", &["URL", "magnet", "info-hash", "stdin"][..]),
        ("seed", &["URL", "magnet", "info-hash", "stdin"]),
        ("show", &["URL", "magnet", "info-hash", "stdin"]),
        ("announce", &["URL", "magnet", "info-hash", "stdin"]),
        ("scrape", &["URL", "magnet", "info-hash", "stdin"]),
        ("verify", &["URL", "stdin"]),
        ("edit", &["URL", "stdin"]),
        ("magnet", &["URL", "stdin"]),
    ] {
        let help = run([command, "-h"]).success();
        let arguments = help.split("Arguments:").nth(1).unwrap();
        let arguments = arguments.split("\n\n").next().unwrap();
        for word in words {
            assert!(arguments.contains(word), "{command}: {word}: {arguments}");
        }
    }
}

#[test]
fn what_cannot_be_bound_or_reached_is_refused_with_what_is_possible() {
    let bind = run(["download", "x.torrent", "--bind", "no-such-interface"]);
    bind.refused(28, "neither an IP address nor an interface; the interfaces are ");
    run(["download", "x.torrent", "--peer", "box.example"]).refused(28, "[2001:db8::7]:6881");
    run(["download", "x.torrent", "--seed-time", "1h90"]).refused(28, "as in 90, 30m, 1h30m or 2d");
    run(["download", "x.torrent", "--max-upload", "fast"]).refused(28, "0 for no limit");
}

#[test]
fn one_of_a_kind_is_told_as_one() {
    let stage = Stage::new();
    let file = stage.write("one", b"1");
    let torrent = stage.path("one.torrent");
    let made = run(["create", &file, "-o", &torrent]).success();
    assert!(made.contains(": 1 B in 1 piece of 16.0 KiB"), "{made}");
    let shown = run(["show", &torrent]).success();
    assert!(shown.contains(" 1 B (1 byte)\n"), "{shown}");
    let verified = run(["verify", &torrent, "-d", stage.folder().to_str().unwrap()]).success();
    assert_eq!(verified, "one: whole, 1 file and 1 piece\n");
    let absent = stage.write("elsewhere/x", b"");
    let absent = absent.trim_end_matches("/x");
    let found = run(["verify", &torrent, "-d", absent]);
    found.failed(32, "one: 1 of 1 file and 1 of 1 piece are not whole");
}

#[test]
fn quiet_leaves_results_and_errors() {
    let stage = Stage::new();
    let folder = stage.folder().to_str().unwrap().to_owned();
    let torrent = stage.path("photos.torrent");
    let photos = stage.photos();
    std::os::unix::fs::symlink("/", photos.join("link")).unwrap();
    let made = run(["-q", "create", photos.to_str().unwrap(), "-o", &torrent]).success();
    assert!(made.contains("info-hash"), "{made}");
    assert!(run(["-q", "show", &torrent]).success().contains("photos"));
    assert!(run(["-q", "verify", &torrent, "-d", &folder]).success().contains("whole"));
    assert!(run(["-q", "edit", &torrent, "--comment", "x"]).success().contains("written"));
    run(["-q", "show", "absent.torrent"]).refused(3, "absent.torrent");
}
