//! Torrents that `pieces-cli create` makes, as others see them: libtorrent must read the same
//! hashes, names and lengths, and make the same torrent of the same files itself; transmission must
//! read the same of version 1.
//!
//! Owns what the torrents are made of and what is compared. Never uses a network.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use serde_json::Value;

use super::libtorrent::PYTHON;
use crate::Result;
use crate::table::{Align, Mood, Table, seconds};

const SCRIPT: &str = include_str!("made.py");

const VERSIONS: [&str; 3] = ["v1", "v2", "hybrid"];

const COLUMNS: &[(&str, Align)] = &[
    ("made of", Align::Left(13)),
    ("torrent", Align::Left(7)),
    ("seconds", Align::Right(8)),
    ("result", Align::Left(0)),
];

/// Makes every kind of torrent and compares. Gives how many were right, and what was not. Where
/// `long`, the kinds that take half a minute too.
pub(super) fn run(binary: &Path, long: bool) -> Result<(usize, Vec<String>)> {
    let folder = tempfile::Builder::new().prefix("pieces-made-").tempdir()?;
    let transmission = super::client::first_line("transmission-show", "--version").is_some();
    let table = Table::start(COLUMNS);
    let (mut right, mut failures) = (0, Vec::new());
    for (kind, content) in contents(folder.path(), long)? {
        for version in VERSIONS {
            let started = Instant::now();
            let case = Case { binary, content: &content, version, folder: folder.path() };
            let outcome = case.run(transmission);
            let took = seconds(started.elapsed());
            match outcome {
                Ok(agreed) => {
                    right += 1;
                    table.row(Mood::Good, &[kind, version, &took, &agreed]);
                }
                Err(error) => {
                    table.row(Mood::Bad, &[kind, version, &took, "failed, see below"]);
                    failures.push(format!("── made of {kind}, {version}\n{error}"));
                }
            }
        }
    }
    Ok((right, failures))
}

/// What to make torrents of: what it is called, and where it is.
fn contents(folder: &Path, long: bool) -> Result<Vec<(&'static str, PathBuf)>> {
    let write = |path: PathBuf, len: usize| -> Result<()> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let bytes: Vec<u8> = (0..251_u8).cycle().take(len).collect();
        Ok(fs::write(path, bytes)?)
    };
    let one = folder.join("one file.bin");
    write(one.clone(), 3_000_001)?;
    let many = folder.join("many");
    for number in 0..10_000_usize {
        write(many.join(format!("{:02}/ü {number}", number % 100)), number % 97)?;
    }
    let empty = folder.join("empty");
    // Before, between and behind files with bytes; one folder sorts before "-", one after.
    for (path, len) in [
        ("0", 0),
        ("a", 40_000),
        ("b", 0),
        ("b-", 7),
        ("c/d", 0),
        ("c-", 0),
        ("e", 16_384),
        ("f", 0),
    ] {
        write(empty.join(path), len)?;
    }
    let mut contents = vec![("one file", one), ("10,000 files", many), ("empty files", empty)];
    if long {
        let sparse = folder.join("sparse.img");
        fs::File::create(&sparse)?.set_len(5 << 30)?;
        contents.push(("5 GiB sparse", sparse));
    }
    Ok(contents)
}

/// One torrent.
struct Case<'a> {
    binary: &'a Path,
    content: &'a Path,
    version: &'a str,
    folder: &'a Path,
}

/// What is compared.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    name: String,
    piece_length: u64,
    hashes: [Option<String>; 2],
    /// Paths and lengths.
    files: BTreeSet<(String, u64)>,
}

impl Case<'_> {
    /// Gives who agreed.
    fn run(&self, transmission: bool) -> Result<String> {
        let torrent = self.folder.join("made.torrent");
        let mut create = Command::new(self.binary);
        create.arg("create").arg(self.content).arg("-o").arg(&torrent).args(["--force", "-q"]);
        if self.version != "v1" {
            create.arg(format!("--{}", self.version));
        }
        output(&mut create)?;
        let ours = output(Command::new(self.binary).arg("show").arg(&torrent).arg("--json"))?;
        let ours = Seen::in_ours(&serde_json::from_str(&ours)?)?;
        let mut python = Command::new(PYTHON);
        python.args(["-c", SCRIPT]).arg(&torrent).arg(self.content).arg(self.version);
        let theirs: Value = serde_json::from_str(&output(&mut python)?)?;
        for (what, value) in [("reads", &theirs["read"]), ("makes", &theirs["own"])] {
            let theirs = Seen::in_theirs(value)?;
            if ours != theirs {
                return Err(differ(&ours, &format!("libtorrent {what}"), &theirs));
            }
        }
        if self.version != "v1" || !transmission {
            return Ok("as in libtorrent".to_owned());
        }
        let shown = output(Command::new("transmission-show").arg(&torrent))?;
        ours.compare_with_transmission(&shown)?;
        Ok("as in libtorrent and transmission".to_owned())
    }
}

fn differ(ours: &Seen, who: &str, theirs: &Seen) -> testkit::Error {
    let one = |seen: &Seen| {
        let Seen { name, piece_length, hashes, files } = seen;
        format!("{name}, pieces of {piece_length}, {hashes:?}, {} files", files.len())
    };
    let first = ours.files.symmetric_difference(&theirs.files).next();
    format!("pieces: {}\n{who}: {}\nfirst other file: {first:?}", one(ours), one(theirs)).into()
}

impl Seen {
    /// Out of `show --json`.
    fn in_ours(shown: &Value) -> Result<Self> {
        let files = shown["files"].as_array().ok_or("no files")?.iter();
        let real = files.filter(|file| file["padding"] == false);
        Self::new(shown, real.map(|file| (&file["path"], &file["length"])))
    }

    /// Out of what the script says.
    fn in_theirs(said: &Value) -> Result<Self> {
        let files = said["files"].as_array().ok_or("no files")?.iter();
        Self::new(said, files.map(|file| (&file[0], &file[1])))
    }

    fn new<'v>(value: &Value, files: impl Iterator<Item = (&'v Value, &'v Value)>) -> Result<Self> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let file = |(path, length): (&Value, &Value)| Some((text(path)?, length.as_u64()?));
        Ok(Self {
            name: text(&value["name"]).ok_or("no name")?,
            piece_length: value["piece_length"].as_u64().ok_or("no piece length")?,
            hashes: [text(&value["info_hash"]), text(&value["info_hash_v2"])],
            files: files.map(file).collect::<Option<_>>().ok_or("a file without path or length")?,
        })
    }

    /// transmission rounds lengths to two digits behind the point of a unit of 1000.
    fn compare_with_transmission(&self, shown: &str) -> Result<()> {
        let fact = |key: &str| shown.lines().find_map(|line| line.trim().strip_prefix(key));
        let [hash, _] = &self.hashes;
        let (name, v1) = (fact("Name: "), fact("Hash: "));
        if name != Some(&self.name) || v1 != hash.as_deref() {
            return Err(format!("transmission shows {name:?} with {v1:?}").into());
        }
        let listed = shown.split_once("\nFILES\n").ok_or("transmission lists no files")?.1;
        let listed = listed.lines().filter(|line| !line.trim().is_empty());
        let files: Option<BTreeSet<(&str, u64)>> = listed.map(transmission_file).collect();
        let files = files.ok_or("a file that transmission shows in a way of its own")?;
        let paths: Vec<&str> = files.iter().map(|(path, _)| *path).collect();
        let ours: Vec<&str> = self.files.iter().map(|(path, _)| path.as_str()).collect();
        if paths != ours {
            return Err("transmission shows other names".into());
        }
        for ((path, shown), (_, length)) in files.iter().zip(&self.files) {
            if shown.abs_diff(*length) > (length / 100).max(10) {
                return Err(format!("transmission shows {shown} bytes of {path}: {length}").into());
            }
        }
        Ok(())
    }
}

/// `  folder/name (12.34 MB)`
fn transmission_file(line: &str) -> Option<(&str, u64)> {
    let (path, size) = line.trim_start().rsplit_once(" (")?;
    let (number, unit) = size.strip_suffix(')')?.split_once(' ')?;
    let power = ["B", "kB", "MB", "GB", "TB"].iter().position(|known| *known == unit)?;
    let scale = 1000_f64.powi(i32::try_from(power).ok()?);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is compared roughly"
    )]
    let bytes = (number.parse::<f64>().ok()? * scale) as u64;
    Some((path, bytes))
}

/// What a program says; an error with its last words if it fails.
fn output(command: &mut Command) -> Result<String> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(String::from_utf8(output.stdout)?);
    }
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(format!("{}: {}: {words}", command.get_program().display(), output.status).into())
}
