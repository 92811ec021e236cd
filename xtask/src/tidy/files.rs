//! The look of a source file. Owns what every file must and must not contain; never parses Rust.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Result;

/// A file is one idea; beyond this many lines it is two.
const LONGEST: usize = 500;

/// Tests are lists of cases, read one at a time.
const LONGEST_TESTS: usize = 900;

/// Where sources are.
const FOLDERS: &[&str] = &["crates", "xtask", "tests", "fuzz", "rivals"];

/// What may contain `unsafe`: kernels, the mapping, and the ioctl that cuts the power of a test's disk.
const UNSAFE: &[&str] = &["crates/piecehash", "crates/storage", "xtask/src/faults/disk.rs"];

/// How many files were read, and the complaints, one a line.
pub(super) fn check(root: &Path) -> Result<(usize, Vec<String>)> {
    let files = all(root)?;
    let mut complaints = Vec::new();
    for path in &files {
        let shown = path.strip_prefix(root).unwrap_or(path);
        let text = fs::read_to_string(path)?;
        complaints.extend(look(shown, &text).map(|what| format!("{}: {what}", shown.display())));
    }
    Ok((files.len(), complaints))
}

/// Every source file, sorted.
pub(super) fn all(root: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for folder in FOLDERS.iter().map(|folder| root.join(folder)).filter(|folder| folder.exists()) {
        sources(&folder, &mut files)?;
    }
    files.sort();
    Ok(files)
}

fn sources(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() && !path.ends_with("target") {
            sources(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

/// What is wrong with a file.
fn look(path: &Path, text: &str) -> impl Iterator<Item = String> {
    let mut wrong = Vec::new();
    if !text.starts_with("//!") && !text.starts_with("#![doc = include_str!(") {
        wrong
            .push("does not open with `//!` saying what it owns and what it never does".to_owned());
    }
    let of_tests = path.ends_with("tests.rs") || path.iter().any(|part| part == "tests");
    let (longest, lines) = (if of_tests { LONGEST_TESTS } else { LONGEST }, text.lines().count());
    if lines > longest {
        wrong.push(format!("{lines} lines; {longest} are the most: it holds more than one idea"));
    }
    // Put together at run time, or this file would complain about itself.
    let allows_unsafe = text.contains(concat!("allow(", "unsafe_code"));
    if allows_unsafe && !UNSAFE.iter().any(|folder| path.starts_with(folder)) {
        wrong.push(format!("allows unsafe code; only {UNSAFE:?} may"));
    }
    for word in [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")] {
        if text.contains(word) {
            wrong.push(format!("says {word}: do it, or file an issue"));
        }
    }
    wrong.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(path: &str, text: &str) -> Vec<String> {
        look(Path::new(path), text).collect()
    }

    #[test]
    fn a_tidy_file_passes() {
        assert!(complaints("crates/swarm/src/lib.rs", "//! Owns it.\nfn a() {}\n").is_empty());
        let mapping = format!("//! Owns it.\n#![{}unsafe_code)]\n", "allow(");
        assert!(complaints("crates/storage/src/map.rs", &mapping).is_empty());
        let long = "//! Owns it.\n".repeat(LONGEST + 1);
        assert!(complaints("crates/swarm/src/tests.rs", &long).is_empty());
    }

    #[test]
    fn each_rule_complains() {
        let long = "fn a() {}\n".repeat(LONGEST + 1);
        assert_eq!(complaints("crates/swarm/src/lib.rs", &long).len(), 2);
        let open = format!("//! Owns it.\n#![{}unsafe_code)] // {}{}\n", "allow(", "TO", "DO");
        assert_eq!(complaints("crates/swarm/src/lib.rs", &open).len(), 2);
    }
}
