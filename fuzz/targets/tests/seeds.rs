//! Every seed and every case that fuzzing once found, as an ordinary test. It makes up nothing.

use std::fs;
use std::path::Path;

#[test]
fn every_rule_holds_for_every_seed() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../seeds");
    for (name, run) in targets::ALL {
        let mut files: Vec<_> =
            fs::read_dir(seeds.join(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        assert!(!files.is_empty(), "{name} has no seeds");
        for file in files {
            let bytes = fs::read(&file).unwrap();
            let result = std::panic::catch_unwind(|| run(&bytes));
            assert!(result.is_ok(), "a rule of {name} is broken by {}", file.display());
        }
    }
}
