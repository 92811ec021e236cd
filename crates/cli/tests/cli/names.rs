//! What a Linux folder may be called, from `create` to `verify`, and what of it a terminal is sent.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::kit::{Ended, Stage, run, run_in};

/// Names that some system or some terminal takes badly.
fn names() -> Vec<Vec<u8>> {
    let mut names: Vec<Vec<u8>> = [
        "Vol.",
        "Vol. 1.",
        "name ",
        " ",
        "...",
        "aux.c",
        "con",
        "nul.txt",
        "a\\b",
        "a:b",
        "C:",
        "a_b",
        "tab\tbed",
        "two\nlines",
        "\x1b[31mred",
        "\u{202e}gpj.exe",
        "\u{200f}rtl",
        "A",
        "a",
        "é",
        "e\u{301}",
        "\u{fffd}",
        "-rf",
        "*?<>|\"",
        "[x]",
    ]
    .iter()
    .map(|name| name.as_bytes().to_vec())
    .collect();
    names.extend([vec![b'x'; 255], b"\xff\xfe.txt".to_vec(), b"gr\xfcn\n".to_vec()]);
    names
}

fn folder_of(stage: &Stage, name: &[u8]) -> PathBuf {
    let folder = stage.folder().join(OsStr::from_bytes(name));
    for (number, name) in names().iter().enumerate() {
        let inside = folder.join(format!("{}", number % 2)).join(OsStr::from_bytes(name));
        fs::create_dir_all(&inside).unwrap();
        fs::write(inside.join(OsStr::from_bytes(name)), format!("{number}")).unwrap();
    }
    folder
}

/// No control reached the terminal, and all of it was UTF-8.
fn is_clean(ended: &Ended) {
    let raw = |c: char| c.is_control() && c != '\n' || matches!(c, '\u{202e}' | '\u{200f}');
    assert!(std::str::from_utf8(&ended.raw).is_ok());
    assert!(!ended.out.contains(raw) && !ended.err.contains(raw), "{ended:?}");
}

#[test]
fn create_and_verify_take_every_name_a_folder_can_contain() {
    let versions = ["--hybrid", "--v2", "--private"];
    for (top, version) in names().into_iter().zip(versions.into_iter().cycle()) {
        let stage = Stage::new();
        let folder = folder_of(&stage, &top);
        let torrent = stage.path("made");
        let arguments: [&OsStr; 6] = [
            "create".as_ref(),
            folder.as_ref(),
            version.as_ref(),
            "-o".as_ref(),
            torrent.as_ref(),
            "--force".as_ref(),
        ];
        let made = run(arguments);
        assert_eq!((made.code, made.err.as_str()), (0, ""), "{}", top.escape_ascii());
        let dir = stage.folder().to_str().unwrap();
        let found = run(["verify", &torrent, "-d", dir]);
        assert_eq!((found.code, found.err.as_str()), (0, ""), "{}", top.escape_ascii());
        assert!(found.out.contains(": whole, 28 files"), "{}", found.out);
        let json = run(["verify", &torrent, "-d", dir, "--json"]);
        assert_eq!(json.json()["whole"], true);
        let shown = run(["show", &torrent]);
        assert_eq!((shown.code, shown.err.as_str()), (0, ""));
        [&made, &found, &json, &shown].into_iter().for_each(is_clean);
    }
}

#[test]
fn names_are_shown_escaped_and_parsed_to_what_they_are() {
    let stage = Stage::new();
    let folder = folder_of(&stage, b"t");
    let torrent = stage.path("made");
    run(["create", folder.to_str().unwrap(), "-o", &torrent]).success();
    let text = run(["show", &torrent]).success();
    for shown in [r"tab\tbed", r"two\nlines", r"\u{1b}[31mred", r"\u{202e}gpj.exe", r"gr\xfcn\n"] {
        assert!(text.contains(shown), "{text}");
    }
    let json = run(["show", &torrent, "--json"]).json();
    let files = json["files"].as_array().unwrap();
    let has = |path: &str| files.iter().any(|file| file["path"] == path);
    assert!(has("t/1/two\nlines/two\nlines") && has("t/1/gr\u{fffd}n\n/gr\u{fffd}n\n"), "{text}");
}

#[test]
fn what_is_missing_is_named_escaped() {
    let stage = Stage::new();
    let folder = folder_of(&stage, b"t");
    let torrent = stage.path("made");
    run(["create", folder.to_str().unwrap(), "-o", &torrent]).success();
    fs::remove_dir_all(&folder).unwrap();
    let dir = stage.folder().to_str().unwrap();
    let found = run(["verify", &torrent, "-d", dir]);
    is_clean(&found);
    assert_eq!(found.code, 32);
    assert!(found.out.contains(r"missing     t/1/gr\xfcn\n/gr\xfcn\n"), "{}", found.out);
    // What a download would call them is told, a folder once.
    assert!(found.err.contains(r#""t/0/tab\tbed" of the torrent is "t/0/tab_bed" on disk"#));
}

#[test]
fn what_an_earlier_version_downloaded_is_found() {
    let stage = Stage::new();
    let folder = stage.folder().join("Vol. 1.");
    for name in ["aux.c", "a\\b", "x.", "A", "a", "plain"] {
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(name), name).unwrap();
    }
    let torrent = stage.path("made");
    run(["create", folder.to_str().unwrap(), "-o", &torrent]).success();
    // The order of the torrent is that of the bytes, so the later "a" had the number.
    let earlier = [
        ("aux.c", "_aux.c"),
        ("a\\b", "a_b"),
        ("x.", "x_"),
        ("A", "A"),
        ("a", "a.1"),
        ("plain", "plain"),
    ];
    let other = stage.folder().join("other");
    fs::create_dir_all(other.join("Vol. 1_")).unwrap();
    for (name, called) in earlier {
        fs::rename(folder.join(name), other.join("Vol. 1_").join(called)).unwrap();
    }
    let found = run(["verify", &torrent, "-d", other.to_str().unwrap(), "--json"]);
    let json = found.json();
    assert_eq!((found.code, &json["whole"]), (0, &true.into()), "{json}");
    let file = |path: &str| {
        let files = json["files"].as_array().unwrap();
        files.iter().find(|file| file["path"] == path).unwrap()["path_on_disk"].clone()
    };
    assert_eq!(file("Vol. 1./aux.c"), "Vol. 1_/_aux.c");
    assert_eq!(file("Vol. 1./a"), "Vol. 1_/a.1");
    assert!(
        found.err.contains("\"Vol. 1.\" of the torrent is \"Vol. 1_\" on disk"),
        "{}",
        found.err
    );
}

#[test]
fn the_torrent_of_a_folder_with_the_longest_name_is_written() {
    let stage = Stage::new();
    let name = "n".repeat(255);
    stage.write(&format!("{name}/file"), b"x");
    let made = run_in(stage.folder(), &["create", &name]);
    assert_eq!((made.code, made.err.as_str()), (0, ""));
    let torrent = format!("{}.torrent", "n".repeat(247));
    assert!(stage.names().contains(&torrent), "{:?}", stage.names());
    run_in(stage.folder(), &["verify", &torrent]).success();
    assert!(Path::new(&stage.path(&torrent)).is_file());
}
