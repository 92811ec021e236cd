//! Whether the campaigns would notice: each has a patch that breaks what it watches over, and must go
//! red with it.
//!
//! Owns the scratch copy of this tree that patches are applied to. It lies below the target folder and
//! stays there, with a target folder of its own: the first sabotage costs a whole build, each further
//! one what its patch touches. (In one target folder for both, cargo takes what it built of one tree
//! for the other's.) Never changes a file of the tree itself.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::binary::{self, Profile};

use crate::{Result, root};

/// The patch of a campaign.
pub(crate) fn patch(name: &str) -> PathBuf {
    root().join("xtask/sabotage").join(format!("{name}.patch"))
}

/// Builds the program with the campaign's patch, and copies it to `to`.
pub(super) fn build(name: &str, to: &Path) -> Result<()> {
    // Beside what cargo builds, wherever that is.
    let built = binary::build("pieces-cli", Profile::Dev)?;
    let target = built.parent().and_then(Path::parent).ok_or("the program is in no folder")?;
    let folder = target.join("sabotage");
    let tree = folder.join("tree");
    copy_tree(&tree)?;
    let mut apply = Command::new("git");
    // What is below the target folder counts as no part of the repository around it.
    apply.current_dir(&tree).env("GIT_CEILING_DIRECTORIES", &folder);
    let applied = apply.arg("apply").arg(patch(name)).output()?;
    if !applied.status.success() {
        return Err(String::from_utf8_lossy(&applied.stderr).trim().to_owned().into());
    }
    let sabotaged = binary::build_in(&tree, "pieces-cli", Profile::Dev, &folder.join("target"))?;
    fs::copy(sabotaged, to)?;
    Ok(())
}

/// Makes `tree` a copy of the files that git knows. A file that is as it should be keeps its time, so
/// that cargo sees what has changed and nothing else.
fn copy_tree(tree: &Path) -> Result<()> {
    let listed = Command::new("git").current_dir(root()).args(["ls-files", "-z"]).output()?;
    let listed = String::from_utf8(listed.stdout)?;
    let mut wanted = BTreeSet::new();
    for name in listed.split('\0').filter(|name| !name.is_empty()) {
        // One that is deleted and not committed yet is still listed.
        let Ok(bytes) = fs::read(root().join(name)) else { continue };
        let path = tree.join(name);
        if fs::read(&path).ok().as_ref() != Some(&bytes) {
            fs::create_dir_all(path.parent().unwrap_or(tree))?;
            fs::write(&path, bytes)?;
        }
        wanted.insert(path);
    }
    if wanted.is_empty() {
        return Err("git lists no files here".into());
    }
    let mut folders = vec![tree.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if !wanted.contains(&path) {
                fs::remove_file(path)?;
            }
        }
    }
    Ok(())
}
