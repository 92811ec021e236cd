//! Every seed and every case that fuzzing once found, as an ordinary test. It makes up nothing.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

#[path = "../examples/seeds/made.rs"]
mod made;

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder);
    let mut files: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn every_rule_holds_for_every_seed() {
    for (name, run) in targets::ALL {
        let seeds = files(&format!("seeds/{name}"));
        assert!(!seeds.is_empty(), "{name} has no seeds");
        for file in seeds {
            let bytes = fs::read(&file).unwrap();
            let result = std::panic::catch_unwind(|| run(&bytes));
            assert!(result.is_ok(), "a rule of {name} is broken by {}", file.display());
        }
    }
}

#[test]
fn the_first_seeds_are_those_that_are_made_today() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../seeds");
    let mut made = BTreeSet::new();
    for (target, name, bytes) in made::all().unwrap().0 {
        let file = folder.join(target).join(name);
        let kept = fs::read(&file).unwrap();
        assert!(kept == bytes, "{}: write it anew with --example seeds", file.display());
        made.insert(file);
    }
    for (target, _) in targets::ALL {
        for file in files(&format!("seeds/{target}")) {
            let name = file.file_name().unwrap().to_str().unwrap();
            let by_fuzzing = name.starts_with("grown-") || name.starts_with("found-");
            let file = folder.join(target).join(name);
            assert!(by_fuzzing || made.contains(&file), "nobody makes {}", file.display());
        }
    }
}

#[test]
fn every_target_has_its_entry_point() {
    let name = |path: PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let entries: BTreeSet<String> = files("fuzz_targets").into_iter().map(name).collect();
    assert_eq!(entries, targets::ALL.iter().map(|(name, _)| (*name).to_owned()).collect());
}
