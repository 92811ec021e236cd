//! Other people's bencode parsers beside ours: builds them, makes the torrents they read, and prints
//! what each took.
//!
//! Owns the table of parsers. Never parses anything itself; `rivals/` does.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::{Result, cargo};

/// Seconds for all parsers of one torrent together.
const SECONDS: &str = "6";

/// Pieces of the torrent whose hashes are 10 MB.
const MANY_PIECES: usize = 500_000;

/// Files of the torrent of many files.
pub(super) const MANY_FILES: usize = 100_000;

/// Builds what can be built here, which takes the registry, and a C++ compiler with libtorrent's
/// headers; says what is missing.
pub(super) fn build(root: &Path) -> Result<()> {
    println!("building  rivals (release)");
    let [_, libtorrent] = programs(root);
    let mut command = cargo();
    command.args(["build", "--quiet", "--release", "--locked", "--manifest-path"]);
    command.arg(root.join("rivals/Cargo.toml")).arg("--target-dir").arg(folder(root));
    if !command.status()?.success() {
        println!("  the Rust parsers are missing: they did not build");
    }
    let mut command = Command::new("c++");
    command.args(["-std=c++17", "-O2", "-o"]).arg(&libtorrent);
    command.arg(root.join("rivals/libtorrent.cpp")).arg("-ltorrent-rasterbar");
    if !command.output().is_ok_and(|output| output.status.success()) {
        println!("  libtorrent's decoder is missing: no c++, or no headers of libtorrent");
    }
    Ok(())
}

fn folder(root: &Path) -> PathBuf {
    root.join("target/rivals")
}

fn programs(root: &Path) -> [PathBuf; 2] {
    [folder(root).join("release/pieces-rivals"), folder(root).join("libtorrent")]
}

/// Times all that were built at both torrents, prints the tables and gives the figures.
pub(super) fn run(root: &Path) -> Result<Value> {
    let folder = tempfile::Builder::new().prefix("pieces-rivals-").tempdir()?;
    let mut tables = Vec::new();
    for (name, title, torrent) in [
        ("pieces", "a torrent of 10 MB, all of it hashes", many_pieces()),
        ("files", "a torrent of 100,000 files", many_files(|n| n * 1000, 100)),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, torrent)?;
        println!("\nbencode: {title}: bytes in, every path and length read");
        println!("  {:<20}{:>12}  (spread)", "", "us");
        let mut rows = Vec::new();
        for program in programs(root).iter().filter(|program| program.exists()) {
            rows.extend(time(program, &path)?);
        }
        rows.sort_by(|a, b| a.1.total_cmp(&b.1));
        for (name, median, least, most) in &rows {
            println!("  {name:<20}{median:>12.3}  {least:.3}-{most:.3}");
        }
        let figures = rows.iter().map(|(name, median, least, most)| {
            json!({ "parser": name, "median_us": median, "min_us": least, "max_us": most })
        });
        tables.push(json!({ "torrent": title, "parsers": figures.collect::<Vec<_>>() }));
    }
    Ok(Value::Array(tables))
}

/// Name, median, least and most, in microseconds.
type Row = (String, f64, f64, f64);

fn time(program: &Path, torrent: &Path) -> Result<Vec<Row>> {
    let output = Command::new(program).arg(torrent).arg(SECONDS).output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{}: {}", program.display(), said.trim()).into());
    }
    let text = String::from_utf8(output.stdout)?;
    let row = |line: &str| {
        let mut words = line.split_whitespace();
        let name = words.next()?.to_owned();
        let mut number = || words.next()?.parse().ok();
        Some((name, number()?, number()?, number()?))
    };
    Ok(text.lines().filter_map(row).collect())
}

fn many_pieces() -> Vec<u8> {
    let length = MANY_PIECES << 20;
    let head = format!("d4:infod6:lengthi{length}e4:name5:large12:piece lengthi1048576e6:pieces");
    torrent(&head, MANY_PIECES)
}

/// A torrent of many files, each as long as `length` says, in pieces of 4 MiB.
pub(super) fn many_files(length: fn(usize) -> usize, pieces: usize) -> Vec<u8> {
    let mut files = String::new();
    for n in 0..MANY_FILES {
        let (folder, name) = (format!("folder {:03}", n % 300), format!("file {n:06}.dat"));
        let (a, b, length) = (folder.len(), name.len(), length(n));
        files.extend([format!("d6:lengthi{length}e4:pathl{a}:{folder}{b}:{name}ee")]);
    }
    let head = format!("d4:infod5:filesl{files}e4:name4:many12:piece lengthi4194304e6:pieces");
    torrent(&head, pieces)
}

fn torrent(head: &str, pieces: usize) -> Vec<u8> {
    let mut bytes = format!("{head}{}:", pieces * 20).into_bytes();
    bytes.extend((0..=u8::MAX).cycle().take(pieces * 20));
    bytes.extend(b"ee");
    bytes
}
