//! Finds the programs of this workspace by asking cargo to build them.
//!
//! A test package cannot depend on another package's binary, so the first test that needs one builds
//! it; for the others, and when nothing changed, that costs nothing. Never assumes where cargo puts
//! its output.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::Result;

/// How the program is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// `cargo build`.
    Dev,
    /// `cargo build --release`.
    Release,
}

/// The path of `pieces-cli`, built in the profile of the tests that ask.
pub fn pieces_cli() -> Result<PathBuf> {
    static BUILT: OnceLock<std::result::Result<PathBuf, String>> = OnceLock::new();
    let profile = if cfg!(debug_assertions) { Profile::Dev } else { Profile::Release };
    let built = BUILT.get_or_init(|| build("pieces-cli", profile).map_err(|e| e.to_string()));
    Ok(built.clone()?)
}

/// Builds the program `name` of this workspace and returns its path. What cargo says of
/// its progress, and compiler messages, go to stderr.
///
/// No package is named, so cargo builds it with the features that the whole workspace asks for, and
/// what `cargo test --workspace` compiled is used again.
pub fn build(name: &str, profile: Profile) -> Result<PathBuf> {
    build_with(cargo(), name, profile)
}

/// The same of another workspace, into a target folder that is given. Not the one of this workspace:
/// cargo would take what it built of the one for the other's.
pub fn build_in(root: &Path, name: &str, profile: Profile, target: &Path) -> Result<PathBuf> {
    let mut cargo = cargo();
    cargo.current_dir(root).env("CARGO_TARGET_DIR", target);
    build_with(cargo, name, profile)
}

fn build_with(mut cargo: Command, name: &str, profile: Profile) -> Result<PathBuf> {
    cargo.args(["build", "--bin", name]);
    if profile == Profile::Release {
        cargo.arg("--release");
    }
    executable(cargo)
}

/// Runs a cargo that builds one program, and returns the program's path. Compiler messages go to stderr.
pub fn executable(mut cargo: Command) -> Result<PathBuf> {
    cargo.arg("--message-format=json-render-diagnostics");
    let output = cargo.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        let words: Vec<_> = cargo.get_args().map(|word| word.to_string_lossy()).collect();
        return Err(format!("cargo {} failed", words.join(" ")).into());
    }
    let messages = String::from_utf8(output.stdout)?;
    for message in messages.lines() {
        let message: serde_json::Value = serde_json::from_str(message)?;
        if let Some(path) = message["executable"].as_str() {
            return Ok(PathBuf::from(path));
        }
    }
    Err("cargo did not say where it put the program".into())
}

/// The cargo that runs us, or the one in the search path, in the workspace's folder.
///
/// It does not inherit what the cargo around us says of the package that we are. Build scripts ask for
/// those variables, so for each other value cargo would build them, and all that depends on them, anew.
pub fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let ours = ["CARGO_BIN_", "CARGO_CRATE_", "CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_PRIMARY_"];
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(|name| ours.iter().any(|prefix| name.starts_with(prefix))) {
            cargo.env_remove(name);
        }
    }
    cargo.env_remove("OUT_DIR");
    cargo
}
