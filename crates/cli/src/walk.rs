//! Which files of a folder go into a torrent. Links are followed as far as storage follows them, as other
//! programs do; a file is never opened.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
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
    names: Globs,
    /// Held against paths.
    paths: Globs,
}

/// Patterns, as the user wrote them, and which of them left something out.
#[derive(Default)]
struct Globs {
    set: GlobSet,
    written: Vec<String>,
    used: RefCell<BTreeSet<usize>>,
}

impl Globs {
    fn new(written: Vec<String>, set: &GlobSetBuilder) -> Result<Self, Failure> {
        let set = set.build().map_err(|error| refused(&error))?;
        Ok(Self { set, written, used: RefCell::default() })
    }

    fn is_match(&self, text: &[u8]) -> bool {
        let found = self.set.matches(OsStr::from_bytes(text));
        self.used.borrow_mut().extend(&found);
        !found.is_empty()
    }
}

impl Excludes {
    /// From the patterns the user gave: those without a slash are for names.
    ///
    /// What `folder` has exactly under that name is meant as it stands, not as a pattern.
    pub(crate) fn new(patterns: &[String], folder: &Path) -> Result<Self, Failure> {
        let (mut names, mut paths) = (GlobSetBuilder::new(), GlobSetBuilder::new());
        let (mut of_names, mut of_paths) = (Vec::new(), Vec::new());
        for pattern in patterns {
            let is_path = pattern.trim_end_matches('/').contains('/');
            (if is_path { &mut of_paths } else { &mut of_names }).push(pattern.clone());
            let (set, pattern) = match pattern.trim_end_matches('/') {
                path if path.contains('/') => (&mut paths, path.trim_start_matches('/')),
                name => (&mut names, name),
            };
            let is_there = folder.join(pattern).symlink_metadata().is_ok();
            let pattern = if is_there { globset::escape(pattern) } else { pattern.to_owned() };
            let glob = GlobBuilder::new(&pattern).literal_separator(true).build();
            set.add(glob.map_err(|error| refused(&error))?);
        }
        Ok(Self { names: Globs::new(of_names, &names)?, paths: Globs::new(of_paths, &paths)? })
    }

    /// The patterns that left nothing out so far, as they were written.
    pub(crate) fn unused(&self) -> Vec<String> {
        let all = [&self.names, &self.paths].into_iter();
        let unused = |globs: &'_ Globs| {
            let used = globs.used.borrow();
            let numbered = globs.written.iter().enumerate();
            let unused = numbered.filter(|(at, _)| !used.contains(at));
            unused.map(|(_, pattern)| pattern.clone()).collect::<Vec<_>>()
        };
        all.flat_map(unused).collect()
    }

    fn leave_out(&self, path: &[Vec<u8>]) -> bool {
        // Both are asked, so that each pattern that matches counts as used.
        let by_name = path.last().is_some_and(|name| self.names.is_match(name));
        let by_path = !self.paths.set.is_empty() && self.paths.is_match(&path.join(&b'/'));
        by_name || by_path
    }
}

fn refused(error: &globset::Error) -> Failure {
    Failure::new(Code::BadOption, format!("--exclude: {}", text::escape(&error.to_string())))
}

/// A folder on the way.
struct Folder {
    full: PathBuf,
    path: Vec<Vec<u8>>,
    /// Which folder it is, and which ones it lies in: a link back to one of them would have no end.
    within: Vec<(u64, u64)>,
}

/// All files in `folder`, but for what is excluded and the file at `output`. A link counts as what it
/// leads to if that lies in `folder` too, or anywhere where `follow_links` says so. Other links, devices
/// and the like are left out with a warning. In no order.
pub(crate) fn files(
    folder: &Path,
    excludes: &Excludes,
    output: Option<&Path>,
    follow_links: bool,
) -> Result<Vec<Found>, Failure> {
    let mut files = Vec::new();
    let mut left_out = LeftOut::default();
    let top = folder;
    let meta = top.metadata().map_err(|error| Failure::io("look at it", top, &error))?;
    let first = Folder { full: top.to_owned(), path: Vec::new(), within: vec![id(&meta)] };
    let mut folders = vec![first];
    while let Some(Folder { full: folder, path, within }) = folders.pop() {
        if path.len() > MAX_DEPTH {
            let message = format!("{}: nested too deep for a torrent", text::path(&folder));
            return Err(Failure::new(Code::BadOption, message));
        }
        let failed = |error| Failure::io("list the folder", &folder, &error);
        for entry in storage::with_descriptors(|| std::fs::read_dir(&folder)).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let mut path = path.clone();
            path.push(entry.file_name().into_vec());
            let full = entry.path();
            if excludes.leave_out(&path) || output == Some(&full) {
                continue;
            }
            let failed = |error| Failure::io("look at it", &full, &error);
            let is_link = entry.file_type().map_err(failed)?.is_symlink();
            // First, as no switch helps against it.
            let meta = match full.metadata() {
                Err(_) if is_link => {
                    left_out.add(format!("{} is a link that leads nowhere", text::path(&full)));
                    continue;
                }
                meta => meta.map_err(failed)?,
            };
            if is_link
                && !follow_links
                && let Err(error) = storage::stays_within(top, &relative(&path))
            {
                left_out.add(text::escape(&text::storage(&error)).into_owned());
                continue;
            }
            if meta.is_dir() && within.contains(&id(&meta)) {
                let shown = text::path(&full);
                left_out.add(format!("{shown} is a link to a folder that it lies in"));
            } else if meta.is_dir() {
                let within = within.iter().copied().chain([id(&meta)]).collect();
                folders.push(Folder { full, path, within });
            } else if meta.is_file() {
                files.push(Found { path, length: meta.len() });
            } else {
                left_out.add(format!("{} is not a regular file", text::path(&full)));
            }
        }
    }
    left_out.tell();
    Ok(files)
}

/// Which folder it is, by whatever path.
fn id(meta: &std::fs::Metadata) -> (u64, u64) {
    (meta.dev(), meta.ino())
}

fn relative(path: &[Vec<u8>]) -> PathBuf {
    path.iter().map(|name| OsStr::from_bytes(name)).collect()
}

/// What is left out, to be told when all is known.
#[derive(Default)]
struct LeftOut {
    lines: Vec<String>,
    more: usize,
}

impl LeftOut {
    /// More lines than these say nothing more to a reader: the rest is counted.
    const MAX_LINES: usize = 20;

    /// `line` is safe to print.
    fn add(&mut self, line: String) {
        if self.lines.len() < Self::MAX_LINES {
            self.lines.push(line);
        } else {
            self.more += 1;
        }
    }

    fn tell(self) {
        for line in self.lines {
            log::warn!("left out: {line}");
        }
        if self.more > 0 {
            log::warn!("and {} more left out", self.more);
        }
    }
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
