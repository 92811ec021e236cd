//! Links of a torrent on disk: made once, never over anything, never below another link.

use std::os::unix::fs::symlink;

use metainfo::Metainfo;

use super::*;
use crate::lock::SpareLocks;
use crate::torrent::Torrent;

/// `t/a`, `t/sub/c`, and links: `t/sub/l` to `a`, `t/x/y/d` to `sub`, `t/out` to what lies outside.
fn torrent() -> Metainfo {
    let file = |path: &str| format!("d6:lengthi1e4:pathl{path}ee");
    let link = |path: &str, to: &str| format!("d4:attr1:l4:pathl{path}e12:symlink pathl{to}ee");
    let files = [
        file("1:a"),
        file("3:sub1:c"),
        link("3:sub1:l", "1:a"),
        link("1:x1:y1:d", "3:sub"),
        link("3:out", "2:..2:..3:etc"),
    ];
    let info = format!(
        "d5:filesl{}e4:name1:t12:piece lengthi16384e6:pieces20:{}e",
        files.concat(),
        "x".repeat(20)
    );
    Metainfo::from_bytes(format!("d4:info{info}e").as_bytes()).unwrap()
}

fn open(spec: &Spec) {
    Torrent::open(spec, None, &Descriptors::of(4), SpareLocks::of(4)).unwrap();
}

fn states_of(spec: &Spec) -> Vec<(String, String, LinkState)> {
    let name = |path: PathBuf| path.to_str().unwrap().to_owned();
    let root = Root::of(spec).ok();
    let links = states(spec, root.as_ref(), &AtomicBool::new(false)).unwrap();
    links.into_iter().map(|link| (name(link.path), name(link.text), link.state)).collect()
}

#[test]
fn links_that_stay_inside_are_made_with_the_files_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let spec = Spec::new(folder.path(), &torrent()).unwrap();
    let states = |state| {
        [("t/sub/l", "../a"), ("t/x/y/d", "../../sub")]
            .map(|(path, text)| (path.to_owned(), text.to_owned(), state))
    };
    assert_eq!(states_of(&spec), states(LinkState::Missing));
    open(&spec);
    assert_eq!(states_of(&spec), states(LinkState::Right));
    let at = |path: &str| folder.path().join(path);
    assert_eq!(fs::read_link(at("t/sub/l")).unwrap(), Path::new("../a"));
    assert_eq!(fs::read_link(at("t/x/y/d")).unwrap(), Path::new("../../sub"));
    assert!(fs::symlink_metadata(at("t/out")).is_err());
    // Once more changes nothing, and the files are not written through them.
    open(&spec);
    assert_eq!(states_of(&spec), states(LinkState::Right));
}

#[test]
fn what_is_in_a_links_place_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let spec = Spec::new(folder.path().join("target"), &torrent()).unwrap();
    let at = |path: &str| folder.path().join("target/t").join(path);
    fs::create_dir_all(at("sub")).unwrap();
    fs::write(at("sub/l"), b"mine").unwrap();
    // The folder for the other link leads to a folder outside.
    fs::create_dir(folder.path().join("outside")).unwrap();
    symlink("../../outside", at("x")).unwrap();
    open(&spec);
    assert_eq!(fs::read(at("sub/l")).unwrap(), b"mine");
    assert_eq!(fs::read_dir(folder.path().join("outside")).unwrap().count(), 0);
    assert!(states_of(&spec).iter().all(|(_, _, state)| *state == LinkState::Other));
}

#[test]
fn a_link_is_not_made_below_another_link_even_with_links_followed() {
    let folder = tempfile::tempdir().unwrap();
    let spec = Spec::new(folder.path(), &torrent()).unwrap().with_follow_links(true);
    let at = |path: &str| folder.path().join("t").join(path);
    // From there `../../sub` would lead out.
    fs::create_dir_all(at("")).unwrap();
    fs::create_dir_all(folder.path().join("y")).unwrap();
    symlink("..", at("x")).unwrap();
    open(&spec);
    assert!(fs::symlink_metadata(folder.path().join("y/d")).is_err());
}

#[test]
fn links_with_other_words_for_the_same_are_right() {
    let folder = tempfile::tempdir().unwrap();
    let spec = Spec::new(folder.path(), &torrent()).unwrap();
    open(&spec);
    let link = folder.path().join("t/sub/l");
    fs::remove_file(&link).unwrap();
    symlink("../../t/a", &link).unwrap();
    assert_eq!(states_of(&spec)[0].2, LinkState::Right);
    fs::remove_file(&link).unwrap();
    symlink("c", &link).unwrap();
    assert_eq!(states_of(&spec)[0].2, LinkState::Other);
    fs::remove_file(&link).unwrap();
    assert_eq!(states_of(&spec)[0].2, LinkState::Missing);
}

#[test]
fn only_links_that_are_wanted_are_made() {
    let folder = tempfile::tempdir().unwrap();
    let spec = Spec::new(folder.path(), &torrent()).unwrap().with_selection(|file| file == 0);
    open(&spec);
    assert!(states_of(&spec).is_empty());
    assert!(fs::symlink_metadata(folder.path().join("t/sub/l")).is_err());
}

#[test]
fn a_links_text_leads_from_its_folder_to_its_target() {
    for (path, target, wanted) in [
        ("t/l", "t/a", "a"),
        ("t/x/y/l", "t/x/z", "../z"),
        ("t/x/l", "t/x", "."),
        ("t/x/y/l", "t/x", ".."),
        ("t/l", "t/x/y", "x/y"),
    ] {
        assert_eq!(text(Path::new(path), Path::new(target)), Path::new(wanted), "{path} {target}");
    }
}

#[test]
fn a_path_goes_where_renamed_files_beside_it_are() {
    let renamed = |named: &str, on_disk: &str| Renamed {
        file: 0,
        named: named.into(),
        on_disk: on_disk.into(),
    };
    let renamed = [
        renamed("t/a./b:/x", "t/a_/b_/x"),
        renamed("t/a./b:/y", "t/a_/b_/y.1"),
        renamed("t/z?", "t/z_"),
    ];
    let renamed: Vec<&Renamed> = renamed.iter().collect();
    for (path, wanted) in [
        ("t/a./b:/y", "t/a_/b_/y.1"),
        ("t/a./b:", "t/a_/b_"),
        ("t/a./l", "t/a_/l"),
        ("t/a./b:/l", "t/a_/b_/l"),
        ("t/a./b:/y/l", "t/a_/b_/y.1/l"),
        ("t/a.", "t/a_"),
        ("t/b", "t/b"),
        ("t/z?", "t/z_"),
        ("u", "u"),
    ] {
        assert_eq!(on_disk(Path::new(path), &renamed), Path::new(wanted), "{path}");
    }
}
