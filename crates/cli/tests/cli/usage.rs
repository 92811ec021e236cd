//! The command line itself: help, wrong options, completions, output that nobody reads.

use std::process::{Command, Stdio};

use crate::kit::{Stage, run};

#[test]
fn wrong_options_are_told_in_one_line() {
    run(["downlaod", "x"]).refused(28, "similar subcommand exists: 'download'");
    run(["show", "--json"]).refused(28, "SOURCE");
    run(["create", "/", "--piece-size"]).refused(28, "--piece-size");
    run(["completions", "nonsense"]).refused(28, "nonsense");
}

#[test]
fn an_error_that_nobody_hears_has_its_exit_code_all_the_same() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut program = Command::new(env!("CARGO_BIN_EXE_pieces-cli"));
    let program = program.args(["show", "absent.torrent"]).stdin(Stdio::null()).stderr(writer);
    assert_eq!(program.status().unwrap().code(), Some(3));
}

#[test]
fn each_command_explains_itself_with_an_example() {
    for command in [
        &["download"][..],
        &["seed"],
        &["show"],
        &["create"],
        &["verify"],
        &["edit"],
        &["magnet"],
        &["magnet", "show"],
        &["announce"],
        &["scrape"],
        &["bencode", "check"],
        &["bencode", "show"],
        &["completions"],
    ] {
        let help = run(command.iter().chain(&["--help"])).success();
        assert!(help.contains("Example"), "{command:?}: {help}");
        assert!(help.contains("Usage: pieces-cli"), "{command:?}: {help}");
    }
}

#[test]
fn completions_know_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(["completions", shell]).success();
        assert!(script.contains("bencode") && script.contains("tracker"), "{shell}");
        // Hidden from help, so from these too.
        assert!(!script.contains("Write the man pages"), "{shell}");
        assert!(!script.contains("subcmd__man") && !script.contains("'man'"), "{shell}");
    }
}

#[test]
fn help_man_page_and_readme_list_the_same_exit_codes() {
    let help = run(["--help"]).success();
    let listed = help.split("Exit codes:").nth(1).unwrap();
    let codes: Vec<(&str, &str)> =
        listed.lines().filter_map(|line| line.trim().split_once("  ")).collect();
    assert_eq!(codes.len(), 13, "{help}");
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md"));
    let readme = readme.unwrap();
    let pages = Stage::new();
    run(["man".as_ref(), pages.folder().as_os_str()]).success();
    let page = std::fs::read_to_string(pages.path("pieces-cli.1")).unwrap();
    for (code, meaning) in codes {
        assert!(readme.contains(&format!("| {code} | {meaning} |")), "{code} {meaning}");
        assert!(page.contains(&meaning.replace('\'', "\\*(Aq").replace('-', "\\-")), "{page}");
    }
}

#[test]
fn every_command_has_a_man_page() {
    let pages = Stage::new();
    run(["man".as_ref(), pages.folder().as_os_str()]).success();
    for command in ["download", "seed", "create", "magnet-show", "bencode-check"] {
        let page = std::fs::read_to_string(pages.path(&format!("pieces-cli-{command}.1"))).unwrap();
        assert!(page.contains("Example"), "{command}: {page}");
        for section in ["\"EXIT STATUS\"", "ENVIRONMENT", "FILES"] {
            assert_eq!(page.matches(&format!(".SH {section}\n")).count(), 1, "{section}: {page}");
        }
    }
    run(["man", &pages.path("absent")]).refused(3, "absent");
}

#[test]
fn where_a_torrent_cannot_be_saved_is_told_before_anything_starts() {
    let stage = Stage::new();
    let magnet = "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567";
    let other = stage.write("other", b"notes");
    let dir = stage.path("target");
    let absent = stage.path("absent/t.torrent");
    let below = format!("{other}/t.torrent");
    // In /sys not even root may make a file.
    for (path, code, words) in [
        (absent.as_str(), 3, "absent: cannot open the folder"),
        (&below, 17, "other"),
        (&other, 28, "is there already and is not this torrent; choose another name"),
        ("/dev/null", 28, "not a regular file"),
        ("/sys/t.torrent", 17, "/sys: cannot write to the folder"),
        ("/sys", 17, "/sys: cannot write to the folder"),
    ] {
        let arguments = ["download", magnet, "-d", &dir, "--save-torrent", path, "--no-dht"];
        run(arguments.into_iter().chain(["--no-lsd", "--port", "0"])).refused(code, words);
    }
    assert_eq!(stage.names(), ["other"]);
}

#[test]
fn numbers_below_nothing_are_told_as_what_they_are() {
    for (command, option, words) in [
        ("download", "--max-download", "a rate is needed, as in 800K or 1.5M"),
        ("download", "--seed-time", "a time is needed"),
        ("download", "--seed-ratio", "a number is needed"),
        ("seed", "--max-peers", "-5"),
        ("seed", "--port", "-5 is not in 0..=65535"),
        ("create", "--piece-size", "a power of two"),
    ] {
        let told = run([command, "x", option, "-5"]);
        assert!(told.err.contains(option), "{}", told.err);
        told.refused(28, words);
    }
    let unknown = run(["show", "x", "--jsn"]);
    assert!(!unknown.err.contains("'-- "), "{}", unknown.err);
    unknown.refused(28, "a similar argument exists: '--json'");
    let unknown = run(["magnet", "x", "--json"]);
    assert!(!unknown.err.contains("as a value"), "{}", unknown.err);
    unknown.refused(28, "unexpected argument '--json'");
}
