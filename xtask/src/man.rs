//! `cargo xtask man`: the man pages, written by the program they describe.
//!
//! Owns where they go. Never knows a command or a flag.

use std::fs;
use std::process::Command;

use testkit::binary::{self, Profile};

use crate::Result;

pub(crate) fn run() -> Result<()> {
    let program = binary::build("pieces-cli", Profile::Dev)?;
    let built = program.parent().ok_or("the program is in no folder")?;
    let folder = built.join("man").join("man1");
    fs::create_dir_all(&folder)?;
    let status = Command::new(&program).arg("man").arg(&folder).status()?;
    if !status.success() {
        return Err(format!("pieces-cli man: {status}").into());
    }
    let pages = fs::read_dir(&folder)?.count();
    println!("{pages} pages in {}; read one with man -l", folder.display());
    Ok(())
}
