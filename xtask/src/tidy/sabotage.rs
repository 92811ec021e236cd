//! Every campaign of `cargo xtask faults` has a patch that breaks what it watches over, and the patch
//! still applies. Whether the campaign notices it is for `cargo xtask faults --sabotage` to tell.

use std::path::Path;
use std::process::Command;

use crate::Result;
use crate::faults::{names, sabotage};

/// The complaints, one a line.
pub(super) fn check(root: &Path) -> Result<Vec<String>> {
    let mut complaints = Vec::new();
    for name in names() {
        let patch = sabotage::patch(name);
        let output = Command::new("git")
            .current_dir(root)
            .args(["apply", "--check"])
            .arg(&patch)
            .output()?;
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr);
            let words = words.lines().next().unwrap_or_default();
            complaints.push(format!("the campaign {name} has no patch that applies: {words}"));
        }
    }
    Ok(complaints)
}
