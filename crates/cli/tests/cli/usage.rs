//! The command line itself: help, wrong options, completions, output that nobody reads.

use crate::kit::run;

#[test]
fn wrong_options_are_told_in_one_line() {
    run([""; 0]).refused(28, "--help");
    run(["downlaod", "x"]).refused(28, "similar subcommand exists: 'download'");
    run(["show"]).refused(28, "SOURCE");
    run(["create", "/", "--piece-size"]).refused(28, "--piece-size");
    run(["completions", "nonsense"]).refused(28, "nonsense");
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
    }
}
