//! `cargo xtask tidy`: the rules of the house that a compiler does not check.
//!
//! Owns the list of rules and prints everything that breaks one. Never changes a file.

mod arrows;
mod files;
mod others;
mod promises;
mod sabotage;

use crate::{Result, root};

pub(crate) fn run() -> Result<()> {
    let mut complaints = arrows::check(root())?;
    let (files, of_files) = files::check(root())?;
    complaints.extend(of_files);
    complaints.extend(promises::check(root(), &files::all(root())?)?);
    let (others, of_others) = others::check(root())?;
    complaints.extend(of_others);
    complaints.extend(sabotage::check(root())?);
    for complaint in &complaints {
        println!("{complaint}");
    }
    if complaints.is_empty() {
        println!("tidy: the arrows hold; {files} files and {others} packages of others checked");
        return Ok(());
    }
    Err(format!("tidy: {} rules broken", complaints.len()).into())
}
