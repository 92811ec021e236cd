//! What is refused for which file system, and in which words.

use metainfo::Layout;

use super::*;
use crate::name_rules::NameRules;

const FAT: Rules = Rules { name: "FAT", names: NameRules::WINDOWS, largest: (1 << 32) - 1 };
const ANY: Rules = Rules { name: "", names: NameRules::UNIX, largest: u64::MAX };

fn file(path: &str) -> FileSpec {
    FileSpec { path: path.into(), on_disk: true }
}

fn refuse(rules: Rules, path: &str, len: u64) -> Option<(ErrorKind, String)> {
    let limits = Limits { longest_name: 255, longest_path: 4095, rules };
    limits.refuse(Path::new("/target"), &file(path), len)
}

#[test]
fn names_and_paths_have_a_longest() {
    let (name, long) = ("x".repeat(255), "x".repeat(256));
    assert_eq!(refuse(ANY, &format!("{name}/{name}"), 1), None);
    for path in [long.clone(), format!("{long}/x")] {
        let (kind, why) = refuse(ANY, &path, 1).unwrap();
        assert_eq!(kind, ErrorKind::NameTooLong);
        assert!(why.contains("longer than the 255 bytes"), "{why}");
    }
    // "/target", a slash, and sixteen names with the slashes between them.
    let folders = vec![name; 15].join("/");
    let longest = format!("{folders}/{}", "x".repeat(4095 - 8 - folders.len() - 1));
    assert_eq!(refuse(ANY, &longest, 1), None);
    let (kind, why) = refuse(ANY, &format!("{longest}x"), 1).unwrap();
    assert_eq!(kind, ErrorKind::NameTooLong);
    assert!(why.contains("longer than the 4095 bytes"), "{why}");
}

#[test]
fn fat_holds_all_names_but_not_all_lengths() {
    // They are replaced, which is for others to see to.
    for path in ["what?", "a: b/c", "x/\"y\""] {
        assert_eq!(refuse(FAT, path, 1), None);
    }
    assert_eq!(refuse(FAT, "a/ü.iso", (1 << 32) - 1), None);
    let (kind, why) = refuse(FAT, "a/ü.iso", 1 << 32).unwrap();
    assert_eq!(
        (kind, why.as_str()),
        (ErrorKind::TooLarge, "FAT can't hold a file of 4294967296 bytes")
    );
}

#[test]
fn the_message_names_one_file_and_counts_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let long = "x".repeat(300);
    let files = vec![file("fine"), file(&long), file(&format!("{long}/a")), file("b/c")];
    let layout = Layout::new(16_384, &[1, 1, 1, 1]).unwrap();
    let root = folder.path().join("not/there/yet");
    let spec = Spec::from_parts(&root, files, layout, vec![[0; 20]]).unwrap();
    let error = check(&spec).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NameTooLong);
    assert_eq!(error.path(), Some(root.join(&long).as_path()));
    assert!(error.to_string().ends_with("holds (and one more file); choose another folder"));
    // What is not selected is not in the way.
    assert!(check(&spec.with_selection(|index| index == 9)).is_ok());
}
