//! The programs that are measured beside pieces-cli: other people's parsers, a pieces-cli without
//! checked arithmetic, and the benchmark of the swarm.
//!
//! Owns how and where they are built, which may take the registry, so it is done outside of the network
//! that the measurements run in. Never runs them.

use std::fs;
use std::path::{Path, PathBuf};

use testkit::binary::executable;

use super::arguments::Part;
use super::rivals;
use crate::{Result, cargo};

/// Builds what these parts need.
pub(super) fn build(root: &Path, parts: &[Part]) -> Result<()> {
    for part in parts {
        match part {
            Part::Bencode => rivals::build(root)?,
            Part::Overflow => {
                println!("building  pieces-cli without overflow checks (release)");
                let mut cargo = cargo();
                cargo.env("CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS", "false");
                cargo.args(["build", "--release", "--bin", "pieces-cli", "--target-dir"]);
                executable({
                    cargo.arg(unchecked_target(root));
                    cargo
                })?;
            }
            Part::Swarm => {
                println!("building  the benchmark of the swarm (release)");
                let mut cargo = cargo();
                cargo.args(["bench", "--package", "pieces-swarm", "--bench", "scale", "--no-run"]);
                let built = executable(cargo)?;
                let here = scale(root);
                fs::create_dir_all(here.parent().unwrap_or(root))?;
                fs::copy(built, here)?;
            }
            Part::Tasks
            | Part::Growth
            | Part::Encryption
            | Part::Blocks
            | Part::Durability
            | Part::Spread => {}
        }
    }
    Ok(())
}

fn unchecked_target(root: &Path) -> PathBuf {
    root.join("target/unchecked")
}

/// The pieces-cli without overflow checks.
pub(super) fn unchecked(root: &Path) -> PathBuf {
    unchecked_target(root).join("release/pieces-cli")
}

/// The benchmark of the swarm.
pub(super) fn scale(root: &Path) -> PathBuf {
    root.join("target/bench/scale")
}
