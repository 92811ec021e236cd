//! Running `pieces-cli` and looking at how it ended. Never knows a command.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use tempfile::TempDir;

/// How a call ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) raw: Vec<u8>,
    pub(crate) err: String,
}

impl Ended {
    /// Checks that it went well without a word on stderr, and gives stdout.
    pub(crate) fn success(self) -> String {
        assert_eq!((self.code, self.err.as_str()), (0, ""), "{}", self.out);
        self.out
    }

    /// Checks that it failed with `code` and one line of error that says `words`, and nothing on
    /// stdout.
    pub(crate) fn refused(self, code: i32, words: &str) {
        assert_eq!(self.out, "", "{}", self.err);
        self.failed(code, words);
    }

    /// As `refused`, but with results on stdout all the same.
    pub(crate) fn failed(self, code: i32, words: &str) -> String {
        assert_eq!(self.code, code, "{}", self.err);
        assert!(self.err.starts_with("error: "), "{}", self.err);
        assert_eq!(self.err.lines().count(), 1, "{}", self.err);
        assert!(self.err.contains(words), "{}", self.err);
        self.out
    }

    /// Stdout as JSON of format 1.
    pub(crate) fn json(&self) -> Value {
        let value: Value = serde_json::from_str(&self.out).expect(&self.err);
        assert_eq!(value["format"], 1);
        value
    }
}

/// Runs `pieces-cli` with these arguments.
pub(crate) fn run(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Ended {
    run_with(arguments, b"", &[])
}

/// The same in a folder.
pub(crate) fn run_in(folder: &Path, arguments: &[&str]) -> Ended {
    finish(command(arguments).current_dir(folder), b"")
}

/// The same with bytes on stdin and variables in the environment.
pub(crate) fn run_with(
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    stdin: &[u8],
    environment: &[(&str, &str)],
) -> Ended {
    finish(command(arguments).envs(environment.iter().copied()), stdin)
}

fn command(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pieces-cli"));
    command.args(arguments).env_remove("SOURCE_DATE_EPOCH").env_remove("RUST_LOG");
    command
}

fn finish(command: &mut Command, stdin: &[u8]) -> Ended {
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().unwrap();
    // It may have left without reading.
    let _ = child.stdin.take().unwrap().write_all(stdin);
    let ended = child.wait_with_output().unwrap();
    Ended {
        code: ended.status.code().unwrap(),
        out: String::from_utf8_lossy(&ended.stdout).into_owned(),
        raw: ended.stdout,
        err: String::from_utf8(ended.stderr).unwrap(),
    }
}

/// A folder of its own for one test.
pub(crate) struct Stage(TempDir);

impl Stage {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    /// The path of `name` in the folder, as text.
    pub(crate) fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    /// Writes a file, with its folders.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.0.path().join(name)).unwrap()
    }

    /// What is in the folder, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    pub(crate) fn folder(&self) -> &Path {
        self.0.path()
    }

    /// A folder "photos" of four files, one empty.
    pub(crate) fn photos(&self) -> PathBuf {
        self.write("photos/b/2.jpg", &pattern(40_000));
        self.write("photos/a/1.jpg", &pattern(20_000));
        self.write("photos/c.txt", b"hello\n");
        self.write("photos/empty", b"");
        self.folder().join("photos")
    }
}

/// Bytes that are not all alike.
pub(crate) fn pattern(len: u32) -> Vec<u8> {
    (0..len).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect()
}

/// What gzip makes of the bytes.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
