//! Both ways of opening, against links planted in the target folder.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::{Access, Root};
use crate::error::ErrorKind;

/// Runs the test with the kernel's own check and with the walk.
fn both_ways(test: impl Fn(&Path, Root)) {
    for walk in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        let root = Root::create(&target).unwrap();
        test(folder.path(), if walk { root.walking() } else { root });
    }
}

#[test]
fn creates_files_and_folders() {
    both_ways(|folder, root| {
        root.file(Path::new("a/b/c/file"), Access::Create).unwrap();
        root.file(Path::new("a/b/other"), Access::Create).unwrap();
        assert!(folder.join("target/a/b/c/file").is_file());
        root.file(Path::new("a/b/other"), Access::Read).unwrap();
        assert_eq!(root.look(Path::new("a/b/other")).unwrap().unwrap().st_size, 0);
        assert!(root.look(Path::new("a/b/nothing")).unwrap().is_none());
        let error = root.file(Path::new("a/x/file"), Access::Write).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains("a/x/file: cannot open it for writing"), "{error}");
        root.sync_folder(Path::new("a/b")).unwrap();
        root.sync_folder(Path::new("")).unwrap();
    });
}

#[test]
fn links_that_lead_out_are_refused() {
    both_ways(|folder, root| {
        fs::create_dir(folder.join("outside")).unwrap();
        fs::write(folder.join("outside/secret"), b"keep").unwrap();
        let target = folder.join("target");
        symlink("../outside", target.join("relative")).unwrap();
        symlink(folder.join("outside"), target.join("absolute")).unwrap();
        symlink("../outside/secret", target.join("file")).unwrap();
        symlink("../outside/new", target.join("dangling")).unwrap();
        for path in ["relative/secret", "absolute/secret", "file", "dangling", "relative/new/deep"]
        {
            for access in [Access::Read, Access::Write, Access::Create] {
                let error = root.file(Path::new(path), access).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::LinkOut, "{path}: {error}");
                // The link and where it leads.
                let link = path.split('/').next().unwrap();
                let leads = fs::read_link(target.join(link)).unwrap();
                let message = format!(
                    "{}: is a link to \"{}\", which leads out of the target folder",
                    target.join(link).display(),
                    leads.display()
                );
                assert_eq!(error.to_string(), message);
            }
            assert_eq!(root.look(Path::new(path)).unwrap_err().kind(), ErrorKind::LinkOut);
        }
        let left: Vec<_> = fs::read_dir(folder.join("outside")).unwrap().collect();
        assert_eq!(left.len(), 1);
        assert_eq!(fs::read(folder.join("outside/secret")).unwrap(), b"keep");
    });
}

#[test]
fn only_regular_files_are_opened() {
    both_ways(|folder, root| {
        let target = folder.join("target");
        fs::create_dir(target.join("folder")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            target.join("fifo"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        for path in ["folder", "fifo"] {
            for access in [Access::Read, Access::Write, Access::Create] {
                let error = root.file(Path::new(path), access).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Unsafe, "{path}: {error}");
            }
        }
        fs::write(target.join("plain"), b"").unwrap();
        let error = root.file(Path::new("plain/below"), Access::Create).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsafe, "{error}");
    });
}

#[test]
fn links_are_followed_out_only_where_the_user_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("target");
    let root = Root::create(&target).unwrap().following();
    fs::create_dir(folder.path().join("outside")).unwrap();
    fs::write(folder.path().join("outside/data"), b"mine").unwrap();
    symlink("../outside", target.join("relative")).unwrap();
    symlink(folder.path().join("outside/data"), target.join("absolute")).unwrap();
    for path in ["relative/data", "absolute"] {
        for access in [Access::Read, Access::Write] {
            root.file(Path::new(path), access).unwrap();
        }
        let error = root.file(Path::new(path), Access::Create).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Changed, "{error}");
        assert_eq!(root.look(Path::new(path)).unwrap().unwrap().st_size, 4);
    }
    root.file(Path::new("relative/new/deep"), Access::Create).unwrap();
    assert!(folder.path().join("outside/new/deep").is_file());
    // One that leads in a circle leads nowhere, with the switch too.
    symlink("circle", target.join("circle")).unwrap();
    let error = root.file(Path::new("circle"), Access::Read).unwrap_err();
    assert!(error.to_string().contains("circle: cannot open it for reading"), "{error}");
    let error = Root::open(&target).unwrap().file(Path::new("circle"), Access::Read).unwrap_err();
    assert!(error.to_string().ends_with("circle: is a link to \"circle\", which leads nowhere"));
}
