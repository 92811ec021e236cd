//! Completions, by the shells themselves: each is run on a terminal, a command line is typed with a Tab
//! at its end, and what then stands on the line is read back.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::kit::{Stage, run};

/// Programs and packages that must be there, with commas between; without it, what is missing is
/// skipped.
const REQUIRE: &str = "PIECES_TESTS_REQUIRE";

/// What is typed before the Tab, and what must stand on the line then.
const CASES: &[(&str, &str)] = &[
    // A command, and a command of a command.
    ("pieces-cli dow", "pieces-cli download"),
    ("pieces-cli magnet res", "pieces-cli magnet resolve"),
    ("pieces-cli bencode che", "pieces-cli bencode check"),
    // An option of a command.
    ("pieces-cli download --seq", "pieces-cli download --sequential"),
    ("pieces-cli create photos --pie", "pieces-cli create photos --piece-size"),
    ("pieces-cli magnet resolve --time", "pieces-cli magnet resolve --timeout"),
    // A value of an option.
    ("pieces-cli seed --encryption req", "pieces-cli seed --encryption require"),
    ("pieces-cli completions fi", "pieces-cli completions fish"),
    // A file: begun, as the only one there is, after an option, for an option.
    ("pieces-cli show debi", "pieces-cli show debian.torrent"),
    ("pieces-cli show ", "pieces-cli show debian.torrent"),
    ("pieces-cli verify -d x debi", "pieces-cli verify -d x debian.torrent"),
    ("pieces-cli create x -o debi", "pieces-cli create x -o debian.torrent"),
];

/// Whether a shell, or a package of one, is there. Says by name what is skipped.
fn has(name: &str, there: bool) -> bool {
    let required = std::env::var(REQUIRE).unwrap_or_default();
    let required: BTreeSet<&str> = required.split(',').collect();
    assert!(there || !required.contains(name), "{REQUIRE} names {name}, which is not installed");
    if !there {
        // Past the harness, which keeps what tests that pass print to itself.
        let _ = writeln!(std::io::stderr(), "skipped: completions of {name}, not installed");
    }
    there
}

fn has_program(name: &str) -> bool {
    let status = Command::new(name).arg("--version").stdout(Stdio::null()).status();
    has(name, status.is_ok_and(|status| status.success()))
}

/// A folder with one file in it, which is the working folder, and beside it one with the program and
/// the script of `shell`.
fn stage(shell: &str) -> Stage {
    let stage = Stage::new();
    stage.write("work/debian.torrent", b"");
    stage.write("bin/script", run(["completions", shell]).success().as_bytes());
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_pieces-cli"), stage.path("bin/pieces-cli"))
        .unwrap();
    stage
}

/// Types `line` and a Tab into a shell on a terminal of its own, and gives what stands on the line
/// then. `start` runs the shell with a startup file that prints `READY`, and binds Ctrl-T to writing
/// the line to the file `line`, and leaving.
fn typed(stage: &Stage, start: &str, line: &str) -> String {
    let path = format!("{}:{}", stage.path("bin"), std::env::var("PATH").unwrap());
    let mut shell = Command::new("script")
        .args(["--quiet", "--return", "--command", start, "/dev/null"])
        .current_dir(stage.folder().join("work"))
        .envs([("PATH", path.as_str()), ("HOME", &stage.path("bin")), ("TERM", "xterm")])
        .env("ZDOTDIR", stage.path("bin"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut keyboard = shell.stdin.take().unwrap();
    let mut screen = shell.stdout.take().unwrap();
    let mut shown = Vec::new();
    let mut byte = [0];
    while !shown.ends_with(b"READY>") {
        assert_eq!(screen.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&shown));
        shown.extend_from_slice(&byte);
    }
    keyboard.write_all(format!("{line}\t\x14").as_bytes()).unwrap();
    screen.read_to_end(&mut shown).unwrap();
    shell.wait().unwrap();
    let shown = String::from_utf8_lossy(&shown).into_owned();
    std::fs::read_to_string(stage.path("line")).unwrap_or_else(|_| panic!("{shown:?}"))
}

fn complete_all(stage: &Stage, start: &str) {
    for (line, wanted) in CASES {
        let found = typed(stage, start, line);
        // Zsh also writes what comes between an option and its value.
        assert_eq!(found.trim_end_matches(['=', ' ']), *wanted, "{line:?} became {found:?}");
    }
}

fn bash(setup: &str) {
    let stage = stage("bash");
    let out = stage.path("line");
    stage.write(
        "bin/rc",
        format!(
            "{setup}\n. '{}'\n\
             keep() {{ printf %s \"$READLINE_LINE\" > '{out}'; exit; }}\n\
             bind -x '\"\\C-t\": keep'\n\
             PS1='READY>'\n",
            stage.path("bin/script")
        )
        .as_bytes(),
    );
    complete_all(&stage, &format!("bash --noprofile --rcfile '{}' -i", stage.path("bin/rc")));
}

#[test]
fn bash_completes_commands_options_values_and_files() {
    if has_program("bash") && has_program("script") {
        bash("");
    }
}

#[test]
fn bash_with_the_package_bash_completion_completes_the_same() {
    const PACKAGE: &str = "/usr/share/bash-completion/bash_completion";
    if has_program("bash") && has("bash-completion", Path::new(PACKAGE).exists()) {
        bash(&format!(". {PACKAGE}"));
    }
}

#[test]
fn zsh_completes_commands_options_values_and_files() {
    if !has_program("zsh") {
        return;
    }
    let stage = stage("zsh");
    std::fs::rename(stage.path("bin/script"), stage.path("bin/_pieces-cli")).unwrap();
    let (functions, out) = (stage.path("bin"), stage.path("line"));
    stage.write(
        "bin/.zshrc",
        format!(
            "fpath=('{functions}' $fpath)\n\
             autoload -Uz compinit && compinit -D -u\n\
             keep() {{ print -rn -- \"$BUFFER\" > '{out}'; exit }}\n\
             zle -N keep && bindkey '^T' keep\n\
             unsetopt zle_bracketed_paste prompt_cr prompt_sp\n\
             PS1='READY>'\n"
        )
        .as_bytes(),
    );
    complete_all(&stage, "zsh -d -i");
}

#[test]
fn fish_completes_commands_options_values_and_files() {
    if !has_program("fish") {
        return;
    }
    let stage = stage("fish");
    for (line, wanted) in CASES {
        // Fish can be asked without a terminal. It gives what the last word may become.
        let asked = Command::new("fish")
            .args(["--no-config", "--command"])
            .arg(format!("source ../bin/script; complete --do-complete '{line}'"))
            .current_dir(stage.folder().join("work"))
            .env("HOME", stage.path("bin"))
            .output()
            .unwrap();
        let found = String::from_utf8_lossy(&asked.stdout).into_owned();
        let words: Vec<&str> = found.lines().filter_map(|line| line.split('\t').next()).collect();
        let wanted = wanted.rsplit(' ').next().unwrap();
        assert!(words.contains(&wanted), "{line:?}: {words:?}");
    }
}
