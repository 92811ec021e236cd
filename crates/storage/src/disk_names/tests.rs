//! Which of the names that a file may have is used, on file systems of several kinds.

use std::fs;

use metainfo::Layout;
use tempfile::TempDir;

use super::*;
use crate::spec::FileSpec;

/// A torrent of such files, of one byte each.
fn spec(folder: &Path, paths: &[&str]) -> Spec {
    let layout = Layout::new(16_384, &vec![1; paths.len()]).unwrap();
    let files = paths.iter().map(|path| FileSpec { path: path.into(), on_disk: true }).collect();
    Spec::from_parts(folder, files, layout, vec![[0; 20]]).unwrap()
}

/// A folder with such files.
fn folder(files: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in files {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "x").unwrap();
    }
    folder
}

fn located_by(rules: NameRules, there: &[&str], paths: &[&str]) -> Vec<String> {
    let folder = folder(there);
    let before = tree(folder.path());
    let spec = look_by(&rules, spec(folder.path(), paths));
    assert_eq!(tree(folder.path()), before, "something was left behind");
    let found: Vec<String> =
        spec.files().iter().map(|file| file.path.to_str().unwrap().to_owned()).collect();
    // What is told as renamed is just what is.
    let renamed: Vec<&str> = spec.renamed().iter().map(|it| it.named.to_str().unwrap()).collect();
    let other = paths.iter().zip(&found).filter(|(named, found)| *named != found);
    assert_eq!(renamed, other.map(|(named, _)| *named).collect::<Vec<_>>());
    found
}

fn look_by(rules: &NameRules, spec: Spec) -> Spec {
    let root = Root::of(&spec).unwrap();
    let look = |path: &[u8]| root.look(Path::new(OsStr::from_bytes(path)));
    locate_by(spec, rules, Some(&look)).unwrap()
}

fn locate(spec: Spec) -> Spec {
    super::locate(spec, &AtomicBool::new(false)).unwrap()
}

fn located(there: &[&str], paths: &[&str]) -> Vec<String> {
    located_by(NameRules::UNIX, there, paths)
}

fn tree(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path.clone());
            }
            all.push(path);
        }
    }
    all.sort();
    all
}

/// Names that earlier versions of this program changed on every disk.
const CHANGED_EARLIER: [(&str, &str); 9] = [
    ("t/Vol. 1.", "t/Vol. 1_"),
    ("t/name ", "t/name_"),
    ("t/aux.c", "t/_aux.c"),
    ("t/a\\b", "t/a_b"),
    ("t/\u{fffd}", "t/_"),
    ("t/tab\t", "t/tab_"),
    ("t/\u{202e}cod", "t/_cod"),
    ("t/con/x", "t/_con/x"),
    ("t/nul.txt", "t/_nul.txt"),
];

#[test]
fn data_under_the_exact_name_is_used() {
    for (name, earlier) in CHANGED_EARLIER {
        assert_eq!(located(&[name], &[name]), [name]);
        assert_eq!(located(&[name, earlier], &[name]), [name]);
    }
    let all = CHANGED_EARLIER.map(|(name, _)| name);
    assert_eq!(located(&all, &all), all);
}

#[test]
fn data_under_an_earlier_name_is_used() {
    for (name, earlier) in CHANGED_EARLIER {
        assert_eq!(located(&[earlier], &[name]), [earlier]);
    }
    let [names, earlier] = [CHANGED_EARLIER.map(|it| it.0), CHANGED_EARLIER.map(|it| it.1)];
    assert_eq!(located(&earlier, &names), earlier);
    // In a folder that was called otherwise itself, some of it under the name of now.
    let files = ["Vol. 1./a", "Vol. 1./b."];
    assert_eq!(located(&["Vol. 1_/a", "Vol. 1_/b_"], &files), ["Vol. 1_/a", "Vol. 1_/b_"]);
    assert_eq!(located(&["Vol. 1./a", "Vol. 1_/b_"], &files), ["Vol. 1./a", "Vol. 1_/b_"]);
}

#[test]
fn data_under_an_earlier_number_is_used() {
    let files = ["t/a.txt", "t/A.txt", "t/é", "t/e\u{301}"];
    assert_eq!(located(&files, &files), files);
    let earlier = ["t/a.txt", "t/A.1.txt", "t/é", "t/e\u{301}.1"];
    assert_eq!(located(&earlier, &files), earlier);
}

#[test]
fn an_earlier_name_that_is_another_file_of_the_torrent_is_left_to_that() {
    let files = ["t/a\\b", "t/a_b"];
    assert_eq!(located(&["t/a_b"], &files), files);
    // Nor is one used that a new file is going to have.
    assert_eq!(located(&["t/a_b"], &["t/a\\b", "t/a\tb"]), ["t/a\\b", "t/a_b"]);
}

#[test]
fn new_files_have_the_exact_name_but_for_controls_and_bidi() {
    let files = ["t/Vol. 1.", "t/name ", "t/aux.c", "t/a\\b", "t/a:b", "t/A", "t/a"];
    assert_eq!(located(&[], &files), files);
    assert_eq!(located(&["t/other"], &files), files);
    assert_eq!(located(&[], &["t/a\nb", "t/\u{202e}x"]), ["t/a_b", "t/_x"]);
    // A folder in the place of the file is not its data.
    assert_eq!(located(&["t/a\nb/c"], &["t/a\nb"]), ["t/a_b"]);
}

#[test]
fn the_next_start_finds_what_was_made_anew() {
    let files = ["t./a?", "t./A?", "t./a\tb", "t./a_b", "t./con", "t./B", "t./b/c"];
    for rules in [NameRules::UNIX, NameRules::WINDOWS] {
        let first = located_by(rules, &[], &files);
        let made: Vec<&str> = first.iter().map(String::as_str).collect();
        assert_eq!(located_by(rules, &made, &files), first);
        // Also when only some of it was made.
        assert_eq!(located_by(rules, &made[..3], &files), first);
    }
}

#[test]
fn what_is_selected_does_not_change_what_a_file_is_called() {
    let (folder, files) = (folder(&[]), ["t/a\tb", "t/a\nb", "t/c"]);
    for selected in 0..files.len() {
        let spec = spec(folder.path(), &files).with_selection(|file| file == selected);
        let located = locate(spec);
        let paths: Vec<_> = located.files().iter().map(|file| file.path.to_str()).collect();
        assert_eq!(paths, [Some("t/a_b"), Some("t/a_b.1"), Some("t/c")]);
        assert_eq!(located.content(), folder.path().join("t"));
    }
}

#[test]
fn where_case_does_not_count_two_files_are_never_one() {
    let files = ["t/a", "t/A"];
    assert_eq!(located_by(NameRules::WINDOWS, &[], &files), ["t/a", "t/A.1"]);
    assert_eq!(located_by(NameRules::WINDOWS, &["t/a", "t/A.1"], &files), ["t/a", "t/A.1"]);
    // Where the system does tell them apart after all, both are there.
    assert_eq!(located_by(NameRules::WINDOWS, &files, &files), files);
    // Two names of one file, as a file system that ignores case would find them.
    let folder = folder(&["t/a"]);
    fs::hard_link(folder.path().join("t/a"), folder.path().join("t/A")).unwrap();
    let spec = look_by(&NameRules::WINDOWS, spec(folder.path(), &files));
    assert_eq!(spec.files()[1].path, Path::new("t/A.1"));
    assert_eq!(spec.content(), folder.path().join("t"));
}

#[test]
fn where_dots_at_the_end_do_not_count_two_files_are_never_one() {
    // As FAT finds it: "x." is "x".
    let folder = folder(&["t/x"]);
    fs::hard_link(folder.path().join("t/x"), folder.path().join("t/x.")).unwrap();
    let both = look_by(&NameRules::WINDOWS, spec(folder.path(), &["t/x", "t/x."]));
    assert_eq!(both.files()[1].path, Path::new("t/x_"));
    // On its own it is the file's data.
    let one = look_by(&NameRules::WINDOWS, spec(folder.path(), &["t/x."]));
    assert_eq!(one.files()[0].path, Path::new("t/x."));
}

#[test]
fn a_file_of_another_length_under_an_earlier_name_is_not_ours() {
    let folder = folder(&[]);
    fs::write(folder.path().join("_aux.c"), "of the user").unwrap();
    let located = locate(spec(folder.path(), &["aux.c"]));
    assert_eq!(located.files()[0].path, Path::new("aux.c"));
}

#[test]
fn a_link_that_leads_out_is_not_avoided_by_another_name() {
    let folder = folder(&["t/other"]);
    std::os::unix::fs::symlink("/etc/passwd", folder.path().join("t/a\tb")).unwrap();
    let spec = locate(spec(folder.path(), &["t/a\tb"]));
    assert_eq!(spec.files()[0].path, Path::new("t/a\tb"));
}

#[test]
fn a_file_of_the_users_own_has_a_name_that_fits() {
    let folder = tempfile::tempdir().unwrap();
    let long = [b'x'; 255];
    let name = new_file_name(folder.path(), &long, ".torrent");
    assert_eq!(name.len(), 255);
    fs::write(folder.path().join(&name), "").unwrap();
    assert!(name.to_str().unwrap().ends_with("x.torrent"));
    assert_eq!(new_file_name(folder.path(), b"a\nb.", ".torrent"), "a_b..torrent");
}

#[test]
fn a_file_that_can_not_be_looked_at_is_not_taken_for_missing() {
    let files = ["t/a\tb", "t/Vol. 1."];
    let folder = folder(&["t/a\tb", "t/Vol. 1_"]);
    let spec = spec(folder.path(), &files);
    let root = Root::of(&spec).unwrap();
    // Whichever of the looks fails, and for whatever reason that does not lie in the path.
    for errno in [rustix::io::Errno::MFILE, rustix::io::Errno::IO, rustix::io::Errno::NOMEM] {
        let mut failed = 0;
        for at in 0.. {
            let count = std::cell::Cell::new(0);
            let look = |path: &[u8]| {
                let path = Path::new(OsStr::from_bytes(path));
                count.set(count.get() + 1);
                if count.get() == at + 1 {
                    return Err(Error::io("look at it", path, &errno.into()));
                }
                root.look(path)
            };
            let located = locate_by(spec.clone(), &NameRules::UNIX, Some(&look));
            if count.get() <= at {
                let paths: Vec<_> =
                    located.unwrap().files().iter().map(|f| f.path.clone()).collect();
                assert_eq!(paths, [Path::new("t/a\tb"), Path::new("t/Vol. 1_")]);
                break;
            }
            assert!(located.is_err(), "look {at}");
            failed += 1;
        }
        assert!(failed >= 3, "{failed}");
    }
}

#[test]
fn a_name_that_its_file_system_can_not_hold_is_not_there() {
    let long = format!("t/{}\t", "x".repeat(300));
    let rules = NameRules { longest: 100, ..NameRules::UNIX };
    let [name] = located_by(rules, &["t/other"], &[&long]).try_into().unwrap();
    assert_eq!(name.len(), 102);
}

#[test]
fn numbered_names_fit_their_file_system() {
    let rules = NameRules { longest: 20, ..NameRules::WINDOWS };
    let (one, other) = ("t/".to_owned() + &"x".repeat(20), "t/".to_owned() + &"X".repeat(20));
    let names = located_by(rules, &[], &[&one, &other]);
    assert_eq!(names, [one, format!("t/{}.1", "X".repeat(9))]);
}
