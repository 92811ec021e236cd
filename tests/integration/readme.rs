//! README's tour, typed line by line as it stands there: every command is run, and what it prints is held
//! against what README shows.
//!
//! The commands run in one empty folder, on a terminal of 80 columns. Three things are not as README has
//! them. `pieces-cli` is given `--no-dht`, `--no-lsd` and `--bind 127.0.0.1`, since tests do not leave the
//! machine; it listens on a port that is free; and README's port of the other terminal is the one that
//! the seed there got.
//!
//! What differs from run to run is not compared, see [`fixed`]. Everything else is compared to the byte.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use tempfile::TempDir;
use testkit::process::Process;
use testkit::terminal::ERASED;
use testkit::{PATIENCE, binary, cli};

/// The port on which the seed in the other terminal listens, by README.
const PORT: &str = "7011";

/// What README has where the user presses Ctrl-C.
const CTRL_C: &str = "^C";

/// A command of the tour and what README shows below it.
struct Step {
    command: String,
    shown: Vec<String>,
}

/// What README says, in its order.
enum Part {
    /// `COMMAND` in another terminal.
    Elsewhere(String),
    Here(Step),
}

fn readme() -> String {
    fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap()
}

/// The commands of the tour.
fn parts(readme: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = readme;
    while let Some((prose, after)) = rest.split_once("```console\n") {
        let (block, after) = after.split_once("\n```\n").unwrap();
        rest = after;
        let prose = prose.split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some((before, _)) = prose.split_once("` in another terminal") {
            parts.push(Part::Elsewhere(before.rsplit('`').next().unwrap().to_owned()));
        }
        let mut lines = block.lines();
        while let Some(line) = lines.next() {
            let Some(command) = line.strip_prefix("$ ") else {
                let Some(Part::Here(step)) = parts.last_mut() else { panic!("no command: {line}") };
                step.shown.push(line.to_owned());
                continue;
            };
            let mut command = command.to_owned();
            while command.ends_with('\\') {
                command = command + "\n" + lines.next().unwrap();
            }
            parts.push(Part::Here(Step { command, shown: Vec::new() }));
        }
    }
    parts
}

/// Where the tour is taken.
struct Tour {
    folder: TempDir,
    /// How the command before ended, as the shell's `$?`.
    status: i32,
    /// What to write in place of README's port.
    port: String,
}

impl Tour {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["bin", "work", "home"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let program = binary::pieces_cli().unwrap();
        let wrapper = format!(
            "#!/bin/bash\n\
             alone=()\n\
             case $1 in download | seed) alone=(--no-dht --no-lsd --bind 127.0.0.1) ;; esac\n\
             case \"$1 $*\" in *--port*) ;; download* | seed*) alone+=(--port 0) ;; esac\n\
             exec '{}' \"$@\" \"${{alone[@]}}\"\n",
            program.display()
        );
        let path = folder.path().join("bin/pieces-cli");
        fs::write(&path, wrapper).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        // The first free one; where that is, the seed says.
        Self { folder, status: 0, port: "0".into() }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn start(&self, command: &str) -> Process {
        let command = command.replace(PORT, &self.port);
        // So that a signal reaches the program, and the shell knows how the last one ended.
        let script = match command.strip_prefix("pieces-cli ") {
            Some(arguments) => format!("exec pieces-cli {arguments}"),
            None => format!("(exit {}); {command}", self.status),
        };
        let path = std::env::var("PATH").unwrap_or_default();
        let mut shell = Command::new("bash");
        shell.args(["-c", &script]).current_dir(self.path("work"));
        shell.env("PATH", format!("{}:{path}", self.path("bin").display()));
        shell.env("HOME", self.path("home")).env("TERM", "xterm");
        for name in ["XDG_STATE_HOME", "SOURCE_DATE_EPOCH", "RUST_LOG"] {
            shell.env_remove(name);
        }
        Process::start_on_terminal(&command, &mut shell).unwrap()
    }

    /// Starts the seed of the other terminal, and waits until it seeds.
    fn elsewhere(&mut self, command: &str) -> Process {
        let seed = self.start(command);
        self.port = cli::listening(&seed).unwrap().port().to_string();
        seed.wait_line(PATIENCE, |line| line.contains("seeding").then_some(())).unwrap();
        seed
    }

    /// Runs a command, and compares what it prints with what README shows.
    fn here(&mut self, step: &Step) -> Result<(), String> {
        let program = self.start(&step.command);
        let mut seen = 0;
        for shown in step.shown.iter().filter(|line| !line.is_empty()) {
            if shown == CTRL_C {
                program.interrupt();
                continue;
            }
            let mut at = 0;
            let found = program.wait_line(PATIENCE, |line| {
                at += 1;
                match at > seen && !line.is_empty() {
                    true if fits(shown, line) => Some(Ok(at)),
                    true if !is_live(line) => Some(Err(line.to_owned())),
                    _ => None,
                }
            });
            seen = found.map_err(|error| format!("README shows\n  {shown}\n{error}"))?.map_err(
                |line| format!("$ {}\nprinted\n  {line}\nREADME shows\n  {shown}", step.command),
            )?;
        }
        let status = program.wait_exit(PATIENCE).map_err(|error| error.to_string())?;
        self.status = status.code().unwrap_or(-1);
        let log = program.log();
        let more = log.lines().skip(seen).find(|line| !line.is_empty() && !is_live(line));
        more.map_or(Ok(()), |line| {
            Err(format!("$ {}\nprinted, and README does not show it\n  {line}", step.command))
        })
    }
}

/// Whether a line is one that renews itself, of which README shows one where it shows any: a name, two
/// blanks, and how far it is.
fn is_live(line: &str) -> bool {
    let state = line.split_once("  ").map_or("", |(_, after)| after.trim_start());
    let percent = state.split_whitespace().next().is_some_and(|word| word.ends_with('%'));
    let words = ["opening files", "checking files ", "waiting for the metadata", "metadata "];
    line == ERASED || percent || words.iter().any(|words| state.starts_with(words))
}

/// Whether a line is what README shows.
fn fits(shown: &str, line: &str) -> bool {
    shown == line || (fixed(shown) != shown && fixed(shown) == fixed(line))
}

/// The line with what differs from run to run replaced:
///
/// - the address that is listened on;
/// - rates (`4.00 MiB/s`) and times (`3s`, `1m02s`);
/// - how far a download is: the percentage, the bytes before a slash and those that an interrupted one
///   brought, and the pieces that it left.
///
/// Blanks that align those are taken as one.
fn fixed(line: &str) -> String {
    if line.starts_with("listening on ") {
        return "listening on ADDRESS".into();
    }
    let is_number = |word: &str| word.parse::<f64>().is_ok();
    let is_size = |word: &str| ["B", "KiB", "MiB", "GiB"].contains(&word);
    let words: Vec<&str> = line.split_whitespace().collect();
    let mut fixed: Vec<String> = Vec::new();
    let mut at = 0;
    while let Some(word) = words.get(at) {
        at += 1;
        let bare = word.trim_matches(['(', ')', ',']);
        let next = words.get(at).map_or("", |next| next.trim_matches(['(', ')', ',']));
        let brought = || fixed.last().is_some_and(|before| before == "downloaded");
        if is_number(bare) && next.strip_suffix("/s").is_some_and(is_size) {
            fixed.push("RATE".into());
            at += 1;
        } else if is_number(bare) && next.split_once('/').is_some_and(|(unit, _)| is_size(unit)) {
            fixed.push("SIZE".into());
            fixed.push(next.split_once('/').unwrap().1.to_owned());
            at += 1;
        } else if is_number(bare) && is_size(next) && brought() {
            fixed.push("SIZE".into());
            at += 1;
        } else if is_number(bare) && line.ends_with(" pieces are here already") && next == "of" {
            fixed.push("COUNT".into());
        } else if is_time(bare) {
            fixed.push("TIME".into());
        } else if bare.strip_suffix('%').is_some_and(is_number) {
            fixed.push("PERCENT".into());
        } else {
            fixed.push((*word).to_owned());
        }
    }
    // A line without any of these keeps its blanks.
    let wild = ["RATE", "SIZE", "COUNT", "TIME", "PERCENT"];
    if fixed.iter().any(|word| wild.contains(&word.as_str())) {
        fixed.join(" ")
    } else {
        line.into()
    }
}

/// Numbers with units of time: `3s`, `2m05s`.
fn is_time(word: &str) -> bool {
    let begins = word.starts_with(|c: char| c.is_ascii_digit());
    let ends = word.ends_with(['s', 'm', 'h', 'd']);
    begins && ends && word.chars().all(|c| c.is_ascii_digit() || "smhd".contains(c))
}

/// Takes the tour through what a README says.
fn take(readme: &str) -> Result<usize, String> {
    let mut tour = Tour::new();
    let mut elsewhere = Vec::new();
    let mut commands = 0;
    for part in parts(readme) {
        match part {
            Part::Elsewhere(command) => elsewhere.push(tour.elsewhere(&command)),
            Part::Here(step) => {
                tour.here(&step)?;
                commands += 1;
            }
        }
    }
    Ok(commands)
}

#[test]
fn the_tour_of_the_readme_is_what_the_program_prints() {
    let readme = readme();
    let commands = take(&readme).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(commands, readme.matches("\n$ ").count());
    assert!(commands > 10, "{commands}");
}

#[test]
fn a_readme_that_shows_something_else_is_noticed() {
    let start = "```console\n$ seq 3000 > a\n$ pieces-cli create a -o t\n";
    let good = "t: 13.6 KiB in 1 piece of 16.0 KiB\n\
                info-hash     00e8c2bd2ad0c6b7d2c5e19ea2d3a3ea3e14b5c3\n";
    let right = |text: &str| take(&format!("{start}{text}```\n"));
    // The hash that README would show is what the program prints.
    let printed = right(good).unwrap_err();
    let hash = printed.lines().find_map(|line| line.trim().strip_prefix("info-hash     ")).unwrap();
    let good = good.replace("00e8c2bd2ad0c6b7d2c5e19ea2d3a3ea3e14b5c3", hash);
    assert_eq!(right(&good), Ok(2));
    for bad in [
        good.replace("13.6", "13.7"),
        good.replace("hash     ", "hash  "),
        good.replace("16.0 KiB\n", "16.0 KiB\nand a line\n"),
        good.lines().next().unwrap().to_owned() + "\n",
    ] {
        assert!(right(&bad).is_err(), "{bad}");
    }
}

#[test]
fn what_differs_from_run_to_run_is_not_compared_and_all_else_is() {
    let live = "multi   32%  7.00 MiB/21.9 MiB  ↓ 4.00 MiB/s  ↑ 0 B/s  1 peer  ETA 3s";
    assert!(fits(live, "multi    8%  1.80 MiB/21.9 MiB  ↓ 3.99 MiB/s  ↑ 1 B/s  1 peer  ETA 1m02s"));
    assert!(!fits(live, "multi    8%  1.80 MiB/21.8 MiB  ↓ 3.99 MiB/s  ↑ 1 B/s  1 peer  ETA 4s"));
    assert!(!fits(live, "multi    8%  1.80 MiB/21.9 MiB  ↓ 3.99 MiB/s  ↑ 1 B/s  2 peers  ETA 4s"));
    assert!(fits("listening on [::]:6881", "listening on 127.0.0.1:40000"));
    let over = "multi: downloaded 11.9 MiB in 2s (4.00 MiB/s), ratio 0.00";
    assert!(fits(over, "multi: downloaded 2.00 MiB in 1s (3.50 MiB/s), ratio 0.00"));
    assert!(!fits(over, "multi: downloaded 2.00 MiB in 1s (3.50 MiB/s), ratio 0.01"));
    let complete = "multi: complete, 21.9 MiB in 0s (432 MiB/s)";
    assert!(fits(complete, "multi: complete, 21.9 MiB in 12s (1.82 MiB/s)"));
    assert!(!fits(complete, "multi: complete, 21.8 MiB in 0s (432 MiB/s)"));
    assert!(!fits(
        "size          21.9 MiB (22912789 bytes)",
        "size          21.9 MiB (22912788 bytes)"
    ));
    assert!(is_live(live) && is_live("multi  checking files 8%") && !is_live(complete));
}
