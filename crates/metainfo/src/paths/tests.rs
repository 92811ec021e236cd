//! Paths that meet on some file system, and who has to move.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::path::MAX_COMPONENT_LEN;

fn separated_as<S: AsRef<str>>(paths: &[S], same: SameName) -> Vec<String> {
    let bytes: Vec<&[u8]> = paths.iter().map(|path| path.as_ref().as_bytes()).collect();
    let mut all: Vec<String> = paths.iter().map(|path| path.as_ref().to_owned()).collect();
    for (index, renamed) in separate_paths(&bytes, same, MAX_COMPONENT_LEN) {
        let renamed = String::from_utf8(renamed).unwrap();
        assert_ne!(all[index], renamed);
        all[index] = renamed;
    }
    all
}

/// The same by the rule as it is written, file by file: what the quick way must not differ from.
fn by_the_rule(paths: &[&[u8]], same: SameName, longest: usize) -> Vec<(usize, Vec<u8>)> {
    let mut taken: BTreeSet<Vec<u8>> = BTreeSet::new();
    for path in paths {
        let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        taken.extend(slashes.map(|(at, _)| same.key(&path[..at])));
    }
    let mut renamed = Vec::new();
    for (index, path) in paths.iter().enumerate() {
        if taken.insert(same.key(path)) {
            continue;
        }
        let (folder, name) = split_after_last(path, b'/');
        let (stem, extension) = split_extension(name);
        let stem = truncate(stem, longest - SUFFIX_LEN - extension.len());
        let free = |n: u32| [folder, stem, format!(".{n}").as_bytes(), extension].concat();
        let free = (1..=u32::MAX).map(free).find(|free| taken.insert(same.key(free))).unwrap();
        renamed.push((index, free));
    }
    renamed
}

fn folder_of(path: &str) -> &[u8] {
    split_after_last(path.as_bytes(), b'/').0
}

fn separated<S: AsRef<str>>(paths: &[S]) -> Vec<String> {
    separated_as(paths, SameName::Folded)
}

#[test]
fn where_bytes_count_only_equal_bytes_meet() {
    let bytes = |paths: &[&str]| separated_as(paths, SameName::Bytes);
    let different = ["t/a", "t/A", "t/é", "t/e\u{301}", "t/b", "t/b c", "t/b!/d"];
    assert_eq!(bytes(&different), different);
    assert_eq!(bytes(&["t/a", "t/a", "t/a/b", "t/a c"]), ["t/a.1", "t/a.2", "t/a/b", "t/a c"]);
    let raw: [&[u8]; 4] = [b"\xff.x", b"\xfe.x", b"\xff.x", b"\xff.x"];
    let renamed = separate_paths(&raw, SameName::Bytes, MAX_COMPONENT_LEN);
    assert_eq!(renamed, [(2, b"\xff.1.x".to_vec()), (3, b"\xff.2.x".to_vec())]);
    assert_eq!(separate_paths(&raw[..2], SameName::Folded, MAX_COMPONENT_LEN), []);
}

#[test]
fn different_paths_stay() {
    let paths = ["t/a", "t/b", "t/d/a", "t/D/b", "t/d/c/a", "t/a.1"];
    assert_eq!(separated(&paths), paths);
}

#[test]
fn the_later_file_gets_a_number() {
    assert_eq!(
        separated(&["t/a.txt", "t/a.txt", "t/A.TXT", "t/a.1.txt", "t/.rc", "t/.RC"]),
        ["t/a.txt", "t/a.1.txt", "t/A.2.TXT", "t/a.1.1.txt", "t/.rc", "t/.RC.1"]
    );
}

#[test]
fn a_number_that_is_taken_is_skipped() {
    assert_eq!(separated(&["a", "a.1", "a"]), ["a", "a.1", "a.2"]);
}

#[test]
fn normalisation_and_case_do_not_count() {
    assert_eq!(separated(&["é", "e\u{301}", "É"]), ["é", "e\u{301}.1", "É.2"]);
    assert_eq!(separated(&["straße", "STRASSE", "ς", "Σ"]), ["straße", "STRASSE.1", "ς", "Σ.1"]);
    assert_eq!(separated(&["D/x", "d/X"]), ["D/x", "d/X.1"]);
}

#[test]
fn folders_win_over_files() {
    assert_eq!(
        separated(&["t/a", "t/A/b", "t/x.d/y", "t/x.d"]),
        ["t/a.1", "t/A/b", "t/x.d/y", "t/x.1.d"]
    );
}

#[test]
fn a_number_fits_into_a_full_name() {
    let full = format!("{}.txt", "é".repeat(125));
    let names = separated(&[&full, &full]);
    assert_eq!(names[1], format!("{}.1.txt", "é".repeat(120)));
    assert!(names[1].len() <= MAX_COMPONENT_LEN);
}

#[test]
fn a_number_fits_into_what_the_file_system_holds() {
    for longest in 14..40 {
        let full = format!("{}.tar", "x".repeat(longest - 4));
        let paths: Vec<&[u8]> = vec![full.as_bytes(); 3];
        for (_, name) in separate_paths(&paths, SameName::Folded, longest) {
            assert!(name.len() <= longest, "{longest}: {}", name.escape_ascii());
        }
    }
}

#[test]
fn many_equal_names_are_cheap() {
    // Names that differ only where they are cut off for the number share one count.
    let paths: Vec<String> =
        (0..20_000).map(|i| format!("{}{:05}", "x".repeat(250), i / 2)).collect();
    let paths = separated(&paths);
    assert_eq!(paths.iter().collect::<BTreeSet<_>>().len(), 20_000);
    assert!(paths[19_999].ends_with(".10000"));
}

proptest! {
    #[test]
    fn names_are_given_by_the_rule(
        paths in prop::collection::vec("[aAéÉ](\\.[1x]){0,2}(/[aB](\\.1)?){0,3}", 0..40),
        folds: bool,
        longest in 14_usize..30,
    ) {
        let paths: Vec<&[u8]> = paths.iter().map(String::as_bytes).collect();
        let same = if folds { SameName::Folded } else { SameName::Bytes };
        prop_assert_eq!(separate_paths(&paths, same, longest), by_the_rule(&paths, same, longest));
    }

    #[test]
    fn nothing_meets_afterwards(
        before in prop::collection::vec("[aAéÉ](\\.[1x])?(/[aB](\\.1)?){0,2}", 0..40),
    ) {
        let paths = separated(&before);
        let folded: Vec<String> = paths
            .iter()
            .map(|path| String::from_utf8(fold(path.as_bytes())).unwrap())
            .collect();
        let all: BTreeSet<&String> = folded.iter().collect();
        prop_assert_eq!(all.len(), paths.len());
        for path in &folded {
            let mut above = path.as_str();
            while let Some(slash) = above.rfind('/') {
                above = &above[..slash];
                prop_assert!(!folded.iter().any(|other| other == above), "{above} is a folder");
            }
        }
        // Only names change, never folders.
        for (before, after) in before.iter().zip(&paths) {
            prop_assert_eq!(folder_of(before), folder_of(after));
        }
    }
}
