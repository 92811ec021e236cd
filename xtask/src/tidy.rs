//! `cargo xtask tidy`: the rules of the house that a compiler does not check.
//!
//! Owns the list of rules and prints everything that breaks one. Never changes a file.

mod arrows;
mod files;

use crate::{Result, root};

pub(crate) fn run() -> Result<()> {
    let mut complaints = arrows::check(root())?;
    let (files, of_files) = files::check(root())?;
    complaints.extend(of_files);
    for complaint in &complaints {
        println!("{complaint}");
    }
    if complaints.is_empty() {
        println!("tidy: the arrows of ARCHITECTURE.md hold, {files} files checked");
        return Ok(());
    }
    Err(format!("tidy: {} rules broken", complaints.len()).into())
}
