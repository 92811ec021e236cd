//! What the files of a torrent are called on this disk. Data that lies under the name of the torrent
//! is used, then data that lies under the name which an earlier version of this program gave it; a
//! file that is made anew keeps the torrent's name unless its file system can't hold it.
//! It only looks, so whoever asks gets the same answer: a download, a seed, a verification.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use metainfo::SameName;
use rustix::fs::{FileType, Stat};

use crate::error::{Error, ErrorKind};
use crate::files::{FileId, Stamp};
use crate::fit::existing;
use crate::name_rules::{NameRules, earlier_paths, new_paths};
use crate::paths::Root;
use crate::spec::Spec;
use crate::sys;

#[cfg(test)]
mod tests;

/// The same torrent with its files where they are, or are going to be, on this disk; see
/// [`Spec::renamed`]. What a file is called depends on all others, whichever are
/// [selected](Spec::with_selection).
///
/// Where the names of the torrent are such that every file system holds them, or there is nothing yet
/// below the target folder, no file is looked for.
///
/// # Errors
/// When the target folder is there and can't be opened.
pub fn locate(spec: Spec) -> Result<Spec, Error> {
    let rules = sys::rules(existing(spec.root())).names;
    locate_by(spec, &rules)
}

/// What a new file in `folder` is to be called instead of `name`, so that its file system holds it
/// and it is safe to look at. `ending` is put behind it, and counts.
pub fn new_file_name(folder: &Path, name: &[u8], ending: &str) -> OsString {
    let mut rules = sys::rules(existing(folder)).names;
    rules.longest = rules.longest.saturating_sub(ending.len());
    let mut name = rules.fit(name).into_owned();
    name.extend_from_slice(ending.as_bytes());
    OsString::from_vec(name)
}

fn locate_by(spec: Spec, rules: &NameRules) -> Result<Spec, Error> {
    let root = match Root::of(&spec) {
        Ok(root) => Some(root),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let stored = spec.files().iter().enumerate().filter(|(index, _)| spec.is_stored(*index));
    let (indices, paths): (Vec<usize>, Vec<&[u8]>) =
        stored.map(|(index, file)| (index, file.path.as_os_str().as_bytes())).unzip();
    let chosen = match &root {
        Some(root) => {
            let lens = indices.iter().map(|index| spec.layout().file_len(*index)).collect();
            Search::new(root, rules, &paths, lens).run()
        }
        None => new_paths(&paths, rules),
    };
    let changed = indices.into_iter().zip(chosen);
    let changed: Vec<(usize, PathBuf)> = changed
        .filter_map(|(index, path)| Some((index, OsString::from_vec(path?).into())))
        .collect();
    Ok(if changed.is_empty() { spec } else { spec.with_paths(changed) })
}

/// A search for the files of a torrent below a folder that exists.
struct Search<'s> {
    root: &'s Root,
    rules: &'s NameRules,
    /// What the torrent calls the files.
    paths: &'s [&'s [u8]],
    /// How long they are.
    lens: Vec<u64>,
    /// What they are called if they are made anew, where that is something else.
    new: Vec<Option<Vec<u8>>>,
    /// What they were called by earlier versions, where that is something else.
    earlier: Vec<Option<Vec<u8>>>,
    /// Whether something is there, by the first component of a path.
    tops: BTreeMap<Vec<u8>, bool>,
}

impl<'s> Search<'s> {
    fn new(root: &'s Root, rules: &'s NameRules, paths: &'s [&'s [u8]], lens: Vec<u64>) -> Self {
        let new = new_paths(paths, rules);
        Self { root, rules, paths, lens, new, earlier: Vec::new(), tops: BTreeMap::new() }
    }

    /// The path of each file that has another than the torrent says.
    fn run(mut self) -> Vec<Option<Vec<u8>>> {
        if !self.anything_is_there() {
            return self.new;
        }
        self.earlier = earlier_paths(self.paths);
        let earlier = std::mem::take(&mut self.earlier);
        // An earlier version has nothing where not even its folder is.
        self.earlier =
            earlier.into_iter().map(|path| path.filter(|path| self.top_is_there(path))).collect();
        let odd: Vec<usize> = (0..self.paths.len()).filter(|at| self.is_odd(*at)).collect();
        if odd.is_empty() {
            return self.new;
        }
        let claims = Claims::of(&self);
        let mut chosen = self.new.clone();
        for at in odd {
            let choice = self.choose(at, &claims);
            if let Some(slot) = chosen.get_mut(at) {
                *slot = choice;
            }
        }
        chosen
    }

    /// Whether the file may be under another name than the torrent's.
    fn is_odd(&self, at: usize) -> bool {
        let is_some = |paths: &[Option<Vec<u8>>]| paths.get(at).is_some_and(Option::is_some);
        is_some(&self.new) || is_some(&self.earlier)
    }

    /// Whether there may be files, under whichever name.
    fn anything_is_there(&mut self) -> bool {
        let paths = self.paths;
        let mut before = None;
        for path in paths {
            let top = top(path);
            if before == Some(top) {
                continue;
            }
            before = Some(top);
            if self.top_is_there(top) || self.top_is_there(&NameRules::EARLIER.fit(top)) {
                return true;
            }
        }
        false
    }

    fn top_is_there(&mut self, path: &[u8]) -> bool {
        let top = top(path);
        if let Some(there) = self.tops.get(top) {
            return *there;
        }
        // What can't be looked at is found out about file by file.
        let there = !matches!(self.look(top), Ok(None));
        self.tops.insert(top.to_owned(), there);
        there
    }

    /// The path of a file whose name may be another.
    fn choose(&mut self, at: usize, claims: &Claims) -> Option<Vec<u8>> {
        let path = self.paths.get(at).copied().unwrap_or_default();
        let new = self.new.get(at).cloned().flatten();
        if self.top_is_there(path) {
            match self.look(path) {
                Ok(Some(_)) if new.is_none() => return None,
                Ok(Some(stat)) if is_file(&stat) && !self.is_another(at, path, &stat, claims) => {
                    return None;
                }
                // That is in the way, and for the user to know.
                Err(error) => match error.kind() {
                    ErrorKind::Unsafe | ErrorKind::LinkOut | ErrorKind::Denied => return None,
                    _ => {}
                },
                _ => {}
            }
        }
        let earlier = self.earlier.get(at).cloned().flatten();
        // Earlier versions gave each file its length at once, so one of another length is not ours.
        let len = self.lens.get(at).copied();
        let is_ours = |stat: &Stat| is_file(stat) && Some(Stamp::of(stat).len) == len;
        let found = earlier.filter(|earlier| {
            !claims.is_claimed(earlier, at)
                && matches!(self.look(earlier), Ok(Some(stat)) if is_ours(&stat))
        });
        found.or(new)
    }

    /// Whether what was found under the torrent's name is another of its files, since their names
    /// differ only in what the file system does not see.
    fn is_another(&self, at: usize, path: &[u8], found: &Stat, claims: &Claims) -> bool {
        let owner = claims.owner(path).or_else(|| claims.owner(&without_tails(path)));
        let other = owner.filter(|owner| self.rules.ignores_case && *owner != at);
        let Some(other) = other else { return false };
        let new = self.new.get(other).and_then(Option::as_deref);
        let theirs = new.or(self.paths.get(other).copied()).unwrap_or_default();
        matches!(self.look(theirs), Ok(Some(stat)) if FileId::of(&stat) == FileId::of(found))
    }

    fn look(&self, path: &[u8]) -> Result<Option<Stat>, Error> {
        self.root.look(Path::new(OsStr::from_bytes(path)))
    }
}

/// The names that files of the torrent have or would be given here.
struct Claims {
    same: SameName,
    /// By what a new file would be called.
    new: BTreeMap<Vec<u8>, usize>,
    /// By what the torrent calls it, where that is something else.
    exact: BTreeMap<Vec<u8>, usize>,
}

impl Claims {
    fn of(search: &Search<'_>) -> Self {
        let same = search.rules.same();
        let mut claims = Self { same, new: BTreeMap::new(), exact: BTreeMap::new() };
        for (at, (path, new)) in search.paths.iter().zip(&search.new).enumerate() {
            claims.new.insert(same.key(new.as_deref().unwrap_or(path)), at);
            if new.is_some() {
                claims.exact.insert(same.key(path), at);
            }
        }
        claims
    }

    /// The file that would be called so if it were made anew.
    fn owner(&self, path: &[u8]) -> Option<usize> {
        self.new.get(&self.same.key(path)).copied()
    }

    /// Whether the name belongs to another file than this one.
    fn is_claimed(&self, path: &[u8], at: usize) -> bool {
        let key = self.same.key(path);
        [&self.new, &self.exact].into_iter().filter_map(|names| names.get(&key)).any(|by| *by != at)
    }
}

/// The path without the dots and spaces at the end of its components, which Windows and its file
/// systems do not see.
fn without_tails(path: &[u8]) -> Vec<u8> {
    let name = |name: &[u8]| {
        let end = name.iter().rposition(|byte| !matches!(byte, b'.' | b' ')).map_or(0, |at| at + 1);
        name.get(..end).unwrap_or_default().to_owned()
    };
    path.split(|byte| *byte == b'/').map(name).collect::<Vec<_>>().join(&b'/')
}

/// The first component of a path.
fn top(path: &[u8]) -> &[u8] {
    path.split(|byte| *byte == b'/').next().unwrap_or(path)
}

fn is_file(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
}
