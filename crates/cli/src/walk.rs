//! Which files of a folder go into a torrent. Never follows a link and never opens a file.

use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::exit::{Code, Failure};
use crate::text;

/// Deeper than any torrent may be; a guard against folders without end.
const MAX_DEPTH: usize = 200;

/// A file found in a folder.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// Folders and name below the folder.
    pub(crate) path: Vec<Vec<u8>>,
    pub(crate) length: u64,
}

/// What is left out, by glob.
pub(crate) struct Excludes {
    /// Held against names.
    names: GlobSet,
    /// Held against paths.
    paths: GlobSet,
}

impl Excludes {
    /// From the patterns the user gave: those without a slash are for names.
    ///
    /// What `folder` has exactly under that name is meant as it stands, not as a pattern.
    pub(crate) fn new(patterns: &[String], folder: &Path) -> Result<Self, Failure> {
        let (mut names, mut paths) = (GlobSetBuilder::new(), GlobSetBuilder::new());
        for pattern in patterns {
            let (set, pattern) = match pattern.trim_end_matches('/') {
                path if path.contains('/') => (&mut paths, path.trim_start_matches('/')),
                name => (&mut names, name),
            };
            let is_there = folder.join(pattern).symlink_metadata().is_ok();
            let pattern = if is_there { globset::escape(pattern) } else { pattern.to_owned() };
            let glob = GlobBuilder::new(&pattern).literal_separator(true).build();
            set.add(glob.map_err(|error| refused(&error))?);
        }
        let build = |set: GlobSetBuilder| set.build().map_err(|error| refused(&error));
        Ok(Self { names: build(names)?, paths: build(paths)? })
    }

    fn leave_out(&self, path: &[Vec<u8>]) -> bool {
        path.last().is_some_and(|name| self.names.is_match(OsStr::from_bytes(name)))
            || (!self.paths.is_empty() && self.paths.is_match(OsStr::from_bytes(&path.join(&b'/'))))
    }
}

fn refused(error: &globset::Error) -> Failure {
    Failure::new(Code::BadOption, format!("--exclude: {}", text::escape(&error.to_string())))
}

/// All files in `folder`, but for what is excluded and the file at `output`. Links, devices and the
/// like are left out with a warning. In no order.
pub(crate) fn files(
    folder: &Path,
    excludes: &Excludes,
    output: Option<&Path>,
) -> Result<Vec<Found>, Failure> {
    let mut files = Vec::new();
    let mut folders: Vec<(PathBuf, Vec<Vec<u8>>)> = vec![(folder.to_owned(), Vec::new())];
    while let Some((folder, path)) = folders.pop() {
        if path.len() > MAX_DEPTH {
            let message = format!("{}: nested too deep for a torrent", text::path(&folder));
            return Err(Failure::new(Code::BadOption, message));
        }
        let failed = |error| Failure::io("list the folder", &folder, &error);
        for entry in std::fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let mut path = path.clone();
            path.push(entry.file_name().into_vec());
            let full = entry.path();
            if excludes.leave_out(&path) || output == Some(&full) {
                continue;
            }
            let failed = |error| Failure::io("look at it", &full, &error);
            let kind = entry.file_type().map_err(failed)?;
            if kind.is_dir() {
                folders.push((full, path));
            } else if kind.is_file() {
                let length = entry.metadata().map_err(failed)?.len();
                files.push(Found { path, length });
            } else {
                let what = if kind.is_symlink() { "a symbolic link" } else { "not a regular file" };
                log::warn!("{} is {what} and left out", text::path(&full));
            }
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_names_or_paths() {
        let patterns = ["*.tmp", ".git", "a/*.o", "deep/**", "cache/"].map(str::to_owned);
        let excludes = Excludes::new(&patterns, Path::new("nowhere")).unwrap();
        let out =
            |path: &str| excludes.leave_out(&path.split('/').map(Into::into).collect::<Vec<_>>());
        for path in ["x.tmp", "b/x.tmp", "b/.git", "a/x.o", "deep/er/file", "b/cache"] {
            assert!(out(path), "{path}");
        }
        for path in ["x.tmp2", "a/b/x.o", "b/a/x.o", "x.o", "deep"] {
            assert!(!out(path), "{path}");
        }
        assert!(Excludes::new(&["[".to_owned()], Path::new("nowhere")).is_err());
    }
}
