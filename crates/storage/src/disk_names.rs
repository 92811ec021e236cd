//! What the files of a torrent are called on this disk. Data that lies under the name of the torrent
//! is used, then data that lies under the name which an earlier version of this program gave it; a
//! file that is made anew keeps the torrent's name unless its file system can't hold it.
//! It only looks, so whoever asks gets the same answer: a download, a seed, a verification.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use metainfo::SameName;
use rustix::fs::{FileType, Stat};

use crate::error::{Error, ErrorKind};
use crate::file_cache::FileCache;
use crate::files::FileId;
use crate::fit::existing;
use crate::name_rules::{NameRules, earlier_paths, new_paths};
use crate::paths::Root;
use crate::spec::Spec;
use crate::stamp;
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
/// When the target folder is there and can't be opened, or when it can't be told whether a file is there:
/// another would be made beside it. [`ErrorKind::NoDescriptors`] once `cancel` is true; until then it
/// waits for one.
pub fn locate(spec: Spec, cancel: &AtomicBool) -> Result<Spec, Error> {
    let rules = sys::rules(existing(spec.root())).names;
    let cache = FileCache::of_process();
    let root = match cache.patiently(cancel, || Root::of(&spec)) {
        Ok(root) => root,
        Err(error) if error.kind() == ErrorKind::NotFound => return locate_by(spec, &rules, None),
        Err(error) => return Err(error),
    };
    let look = |path: &[u8]| {
        let path = Path::new(OsStr::from_bytes(path));
        cache.patiently(cancel, || root.look(path))
    };
    locate_by(spec, &rules, Some(&look))
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

/// What is at a path below the target folder.
type Look<'l> = &'l dyn Fn(&[u8]) -> Result<Option<Stat>, Error>;

/// `look` only where the target folder is there.
fn locate_by(spec: Spec, rules: &NameRules, look: Option<Look<'_>>) -> Result<Spec, Error> {
    let stored = spec.files().iter().enumerate().filter(|(index, _)| spec.is_stored(*index));
    let (indices, paths): (Vec<usize>, Vec<&[u8]>) =
        stored.map(|(index, file)| (index, file.path.as_os_str().as_bytes())).unzip();
    let chosen = match look {
        Some(look) => {
            let lens = indices.iter().map(|index| spec.layout().file_len(*index)).collect();
            Search::new(look, rules, &paths, lens).run()?
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
    look: Look<'s>,
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
    fn new(look: Look<'s>, rules: &'s NameRules, paths: &'s [&'s [u8]], lens: Vec<u64>) -> Self {
        let new = new_paths(paths, rules);
        Self { look, rules, paths, lens, new, earlier: Vec::new(), tops: BTreeMap::new() }
    }

    /// The path of each file that has another than the torrent says.
    fn run(mut self) -> Result<Vec<Option<Vec<u8>>>, Error> {
        if !self.anything_is_there()? {
            return Ok(self.new);
        }
        self.earlier = earlier_paths(self.paths);
        let mut earlier = std::mem::take(&mut self.earlier);
        for path in &mut earlier {
            // An earlier version has nothing where not even its folder is.
            if let Some(named) = path
                && !self.top_is_there(named)?
            {
                *path = None;
            }
        }
        self.earlier = earlier;
        let odd: Vec<usize> = (0..self.paths.len()).filter(|at| self.is_odd(*at)).collect();
        if odd.is_empty() {
            return Ok(self.new);
        }
        let claims = Claims::of(&self);
        let mut chosen = self.new.clone();
        for at in odd {
            let choice = self.choose(at, &claims)?;
            if let Some(slot) = chosen.get_mut(at) {
                *slot = choice;
            }
        }
        Ok(chosen)
    }

    /// Whether the file may be under another name than the torrent's.
    fn is_odd(&self, at: usize) -> bool {
        let is_some = |paths: &[Option<Vec<u8>>]| paths.get(at).is_some_and(Option::is_some);
        is_some(&self.new) || is_some(&self.earlier)
    }

    /// Whether there may be files, under whichever name.
    fn anything_is_there(&mut self) -> Result<bool, Error> {
        let paths = self.paths;
        let mut before = None;
        for path in paths {
            let top = top(path);
            if before == Some(top) {
                continue;
            }
            before = Some(top);
            if self.top_is_there(top)? || self.top_is_there(&NameRules::EARLIER.fit(top))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn top_is_there(&mut self, path: &[u8]) -> Result<bool, Error> {
        let top = top(path);
        if let Some(there) = self.tops.get(top) {
            return Ok(*there);
        }
        let there = match (self.look)(top) {
            Ok(found) => found.is_some(),
            // What stands in the way is found out file by file.
            Err(error) if is_in_the_way(&error) => true,
            Err(error) if means_nothing_is_there(&error) => false,
            Err(error) => return Err(error),
        };
        self.tops.insert(top.to_owned(), there);
        Ok(there)
    }

    /// The path of a file whose name may be another.
    fn choose(&mut self, at: usize, claims: &Claims) -> Result<Option<Vec<u8>>, Error> {
        let path = self.paths.get(at).copied().unwrap_or_default();
        let new = self.new.get(at).cloned().flatten();
        if self.top_is_there(path)? {
            match (self.look)(path) {
                Ok(Some(_)) if new.is_none() => return Ok(None),
                Ok(Some(stat))
                    if is_file(&stat) && !self.is_another(at, path, &stat, claims)? =>
                {
                    return Ok(None);
                }
                Ok(_) => {}
                // For the user to know.
                Err(error) if is_in_the_way(&error) => return Ok(None),
                Err(error) if means_nothing_is_there(&error) => {}
                Err(error) => return Err(error),
            }
        }
        let earlier = self.earlier.get(at).cloned().flatten();
        // Earlier versions gave each file its length at once, so one of another length is not ours.
        let len = self.lens.get(at).copied();
        let is_ours = |stat: &Stat| is_file(stat) && Some(stamp::len(stat)) == len;
        if let Some(earlier) = earlier.filter(|earlier| !claims.is_claimed(earlier, at))
            && self.find(&earlier)?.is_some_and(|stat| is_ours(&stat))
        {
            return Ok(Some(earlier));
        }
        Ok(new)
    }

    /// Whether what was found under the torrent's name is another of its files, since their names
    /// differ only in what the file system does not see.
    fn is_another(
        &self,
        at: usize,
        path: &[u8],
        found: &Stat,
        claims: &Claims,
    ) -> Result<bool, Error> {
        let owner = claims.owner(path).or_else(|| claims.owner(&without_tails(path)));
        let other = owner.filter(|owner| self.rules.ignores_case && *owner != at);
        let Some(other) = other else { return Ok(false) };
        let new = self.new.get(other).and_then(Option::as_deref);
        let theirs = new.or(self.paths.get(other).copied()).unwrap_or_default();
        let theirs = self.find(theirs)?;
        Ok(theirs.is_some_and(|stat| FileId::of(&stat) == FileId::of(found)))
    }

    /// What is at the path and could be a file of ours.
    fn find(&self, path: &[u8]) -> Result<Option<Stat>, Error> {
        match (self.look)(path) {
            Err(error) if error.kind() == ErrorKind::LinkOut => Ok(None),
            Err(error) if means_nothing_is_there(&error) => Ok(None),
            found => found,
        }
    }
}

/// Whether nothing can be at the path: a folder of it is a file, or a name is too long to be there.
fn means_nothing_is_there(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Unsafe | ErrorKind::NameTooLong)
}

/// Whether something stands between the user and the file.
fn is_in_the_way(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Unsafe | ErrorKind::LinkOut | ErrorKind::Denied)
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
