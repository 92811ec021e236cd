//! Writing a torrent: all of it under its name, or nothing. Never replaces what it was not told to.

use std::fs::Permissions;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::Builder;

use crate::exit::{Code, Failure};
use crate::{dash, output, text};

/// The mode of a new file, before the user's umask.
const NEW_FILE: u32 = 0o666;

/// How the name of a torrent file ends.
pub(crate) const ENDING: &str = ".torrent";

/// Fails early where [`save`] would fail late: when `path` is there and may not be replaced.
pub(crate) fn check(path: &Path, replace: bool) -> Result<(), Failure> {
    if dash::is(path) {
        return Ok(());
    }
    let shown = text::path(path);
    match std::fs::metadata(path) {
        Ok(there) if !there.is_file() => Err(Failure::new(
            Code::BadOption,
            format!("{shown}: is there and not a regular file; choose another name"),
        )),
        Ok(_) if !replace => Err(taken(path)),
        Ok(_) => Ok(()),
        Err(_) => match folder(path).metadata() {
            Ok(folder) if folder.is_dir() => Ok(()),
            Ok(_) => Err(Failure::new(
                Code::Io,
                format!("{shown}: a file is where its folder has to be; choose another place"),
            )),
            Err(error) => Err(Failure::io("open the folder", folder(path), &error)),
        },
    }
}

/// Makes the folder that a path means by the slash at its end, as `-d` makes its own.
pub(crate) fn make_folder(path: &Path) -> Result<(), Failure> {
    if path.as_os_str().as_bytes().ends_with(b"/") {
        std::fs::create_dir_all(path)
            .map_err(|error| Failure::io("make the folder", path, &error))?;
    }
    Ok(())
}

/// Fails early where keeping a torrent at `path`, or in it if it is a folder, would fail late. What a
/// file that is there holds is for its caller to judge.
pub(crate) fn check_kept(path: &Path) -> Result<(), Failure> {
    if dash::is(path) {
        return Ok(());
    }
    let folder = if path.is_dir() {
        path
    } else {
        check(path, true)?;
        folder(path)
    };
    // It has no name, and is gone when it is closed.
    let probe = tempfile::tempfile_in(folder);
    probe.map(drop).map_err(|error| Failure::io("write to the folder", folder, &error))
}

/// [`save`] for a command that has no switch to replace what is there.
pub(crate) fn save_new(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    write(path, bytes, false, || {
        let shown = text::path(path);
        Failure::new(Code::BadOption, format!("{shown}: is there already; choose another name"))
    })
}

/// Writes `bytes` to the file at `path`, or to stdout (`-`). A file appears complete or not at
/// all; one that is replaced keeps its mode, and a link stays a link.
pub(crate) fn save(path: &Path, bytes: &[u8], replace: bool) -> Result<(), Failure> {
    write(path, bytes, replace, || taken(path))
}

/// What `taken` says if something is there and may not be replaced.
fn write(
    path: &Path,
    bytes: &[u8],
    replace: bool,
    taken: impl FnOnce() -> Failure,
) -> Result<(), Failure> {
    if dash::is(path) {
        return output::text(|out| out.write_all(bytes));
    }
    let failed = |error: std::io::Error| Failure::io("write it", path, &error);
    let before = std::fs::metadata(path).ok();
    let target = match &before {
        Some(_) => path.canonicalize().map_err(failed)?,
        None => path.to_owned(),
    };
    let mut file = Builder::new()
        .prefix(".pieces-")
        .permissions(Permissions::from_mode(NEW_FILE))
        .tempfile_in(folder(&target))
        .map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    if let Some(before) = before {
        file.as_file().set_permissions(before.permissions()).map_err(failed)?;
    }
    file.as_file().sync_all().map_err(failed)?;
    let persisted = if replace { file.persist(&target) } else { file.persist_noclobber(&target) };
    match persisted {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => Err(taken()),
        Err(error) => Err(failed(error.error)),
    }
}

/// The folder that a file is in.
fn folder(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Where a file is, or is going to be, whichever way it is named.
pub(crate) fn place(path: &Path) -> Option<PathBuf> {
    path.canonicalize()
        .ok()
        .or_else(|| Some(folder(path).canonicalize().ok()?.join(path.file_name()?)))
}

fn taken(path: &Path) -> Failure {
    let shown = text::path(path);
    Failure::new(Code::BadOption, format!("{shown}: is there already; --force replaces it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_at_the_end_makes_a_folder() {
        let root = tempfile::tempdir().unwrap();
        for (name, made) in [("plain", false), ("deep/folder/", true), ("deep/folder/", true)] {
            make_folder(&root.path().join(name)).unwrap();
            assert_eq!(root.path().join(name).is_dir(), made, "{name}");
        }
        std::fs::write(root.path().join("file"), "").unwrap();
        assert!(make_folder(&root.path().join("file/")).is_err());
    }
}
