//! The paths of all files of a torrent together: no two may be the same, and none may be a folder of
//! another. It never refuses a path for that; the later one is renamed.

use std::collections::{BTreeMap, BTreeSet};

use unicode_normalization::UnicodeNormalization as _;

use crate::path::{split_extension, truncate};

#[cfg(test)]
mod tests;

/// Bytes kept free for a suffix: a dot and the ten digits of the largest `u32`.
const SUFFIX_LEN: usize = 11;

/// Which names are one name to a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SameName {
    /// Those of the same bytes.
    Bytes,
    /// Those too that differ in case or Unicode normalisation only.
    Folded,
}

impl SameName {
    /// What is equal for two paths that are the same here.
    pub fn key(self, path: &[u8]) -> Vec<u8> {
        match self {
            Self::Bytes => path.to_owned(),
            Self::Folded => fold(path),
        }
    }
}

/// The paths that have to change, so that no two meet: where each of them stands in `paths`, and what
/// it becomes. `paths` have `/` between their components, and no NUL.
///
/// Folders win over files, and earlier files over later ones; a loser gets the first free number
/// before its extension: `a.txt`, `a.1.txt`, `a.2.txt`. So the same paths give the same names on
/// every machine. A name with a number has at most `longest` bytes.
///
/// ```
/// use metainfo::{MAX_COMPONENT_LEN, SameName, separate_paths};
///
/// let paths: [&[u8]; 3] = [b"t/a.txt", b"t/b", b"t/A.txt"];
/// assert_eq!(separate_paths(&paths, SameName::Bytes, MAX_COMPONENT_LEN), []);
/// let folded = separate_paths(&paths, SameName::Folded, MAX_COMPONENT_LEN);
/// assert_eq!(folded, [(2, b"t/A.1.txt".to_vec())]);
/// ```
pub fn separate_paths(paths: &[&[u8]], same: SameName, longest: usize) -> Vec<(usize, Vec<u8>)> {
    let sorted = Sorted::new(paths, same);
    let losers = sorted.losers();
    // Nearly always there are none.
    if losers.is_empty() {
        return Vec::new();
    }
    let mut losers = losers.into_iter().peekable();
    let mut names = Names::new(&sorted, longest);
    let mut renamed = Vec::new();
    for ((index, path), key) in paths.iter().enumerate().zip(sorted.by_index()) {
        if losers.next_if_eq(&index).is_some() || names.is_given(key) {
            let (before, name) = split_after_last(path, b'/');
            renamed.push((index, [before, &names.free(index, key, name)].concat()));
        }
    }
    renamed
}

/// Up to and with the last `separator`, and what comes after it: the folder and the name of a path.
fn split_after_last(path: &[u8], separator: u8) -> (&[u8], &[u8]) {
    path.split_at(path.iter().rposition(|byte| *byte == separator).map_or(0, |at| at + 1))
}

/// What keys have in place of a slash: less than any other byte, so that a path comes right before what
/// lies in it.
pub(crate) const SEPARATOR: u8 = 0;

/// A path in the form in which it is compared and sorted.
pub(crate) fn with_separators(mut path: Vec<u8>) -> Vec<u8> {
    path.iter_mut().filter(|byte| **byte == b'/').for_each(|slash| *slash = SEPARATOR);
    path
}

/// Whether the path `key` lies in the folder `folder`.
pub(crate) fn lies_in(key: &[u8], folder: &[u8]) -> bool {
    key.strip_prefix(folder).is_some_and(|rest| rest.first() == Some(&SEPARATOR))
}

/// The keys of all paths, sorted, each with where its path stands. Folders are found by searching among
/// whole paths, so a deep one costs no more than its bytes.
struct Sorted {
    keys: Vec<(Vec<u8>, usize)>,
    same: SameName,
}

impl Sorted {
    fn new(paths: &[&[u8]], same: SameName) -> Self {
        let key = |(index, path): (usize, &&[u8])| (with_separators(same.key(path)), index);
        let mut keys: Vec<(Vec<u8>, usize)> = paths.iter().enumerate().map(key).collect();
        keys.sort_unstable();
        Self { keys, same }
    }

    /// The files whose path is also that of a folder or of an earlier file, in the order of the paths.
    fn losers(&self) -> Vec<usize> {
        let mut losers = Vec::new();
        let mut rest = self.keys.as_slice();
        for equal in self.keys.chunk_by(|(one, _), (other, _)| one == other) {
            rest = rest.get(equal.len()..).unwrap_or_default();
            let [(key, _), later @ ..] = equal else { continue };
            let is_folder = rest.first().is_some_and(|(next, _)| lies_in(next, key));
            let losing = if is_folder { equal } else { later };
            losers.extend(losing.iter().map(|(_, index)| *index));
        }
        losers.sort_unstable();
        losers
    }

    /// The keys in the order of the paths.
    fn by_index(&self) -> Vec<&[u8]> {
        let mut by_index: Vec<&[u8]> = vec![b""; self.keys.len()];
        for (key, index) in &self.keys {
            if let Some(slot) = by_index.get_mut(*index) {
                *slot = key;
            }
        }
        by_index
    }

    /// Whether it is a folder, or the path that a file before this one has or wanted.
    fn is_taken(&self, key: &[u8], index: usize) -> bool {
        let from = self.keys.partition_point(|(other, _)| other.as_slice() < key);
        let rest = self.keys.get(from..).unwrap_or_default();
        if rest.first().is_some_and(|(other, first)| other == key && *first < index) {
            return true;
        }
        let beyond = rest.partition_point(|(other, _)| other == key);
        rest.get(beyond).is_some_and(|(next, _)| lies_in(next, key))
    }
}

/// The names that were given to files in place of their own. Folders are numbers.
struct Names<'s> {
    sorted: &'s Sorted,
    longest: usize,
    folders: BTreeMap<&'s [u8], u32>,
    given: BTreeSet<(u32, Vec<u8>)>,
    /// The next number to try for a name, so that a million equal names cost a million tries
    /// and not their square.
    next_suffix: BTreeMap<(u32, Vec<u8>), u32>,
}

impl<'s> Names<'s> {
    fn new(sorted: &'s Sorted, longest: usize) -> Self {
        let (folders, given, next_suffix) = (BTreeMap::new(), BTreeSet::new(), BTreeMap::new());
        Self { sorted, longest, folders, given, next_suffix }
    }

    /// Whether the path was given to a file before.
    fn is_given(&self, key: &[u8]) -> bool {
        let (folder, name) = split_after_last(key, SEPARATOR);
        let folder = self.folders.get(folder);
        folder.is_some_and(|folder| self.given.contains(&(*folder, name.to_owned())))
    }

    /// A name that is free for the file of this index, key and name.
    fn free(&mut self, index: usize, key: &'s [u8], name: &[u8]) -> Vec<u8> {
        let Self { sorted, longest, .. } = *self;
        let (folder_key, _) = split_after_last(key, SEPARATOR);
        let next = u32::try_from(self.folders.len()).unwrap_or(u32::MAX);
        let folder = *self.folders.entry(folder_key).or_insert(next);
        let (stem, extension) = match split_extension(name) {
            (_, extension) if extension.len() + SUFFIX_LEN >= longest => (name, &b""[..]),
            split => split,
        };
        let stem = truncate(stem, longest.saturating_sub(SUFFIX_LEN + extension.len()));
        let pattern = (folder, sorted.same.key(&[stem, extension].concat()));
        let mut number = self.next_suffix.get(&pattern).copied().unwrap_or(1);
        loop {
            let free = [stem, format!(".{number}").as_bytes(), extension].concat();
            number += 1;
            let name_key = sorted.same.key(&free);
            let taken = sorted.is_taken(&[folder_key, &name_key].concat(), index);
            if !taken && self.given.insert((folder, name_key)) {
                self.next_suffix.insert(pattern, number);
                return free;
            }
        }
    }
}

/// What a name is to a file system that ignores case and normalisation. Full case mappings are
/// used (`ß` is `ss`): a needless number is better than a lost file. Bytes that are not UTF-8 stay.
fn fold(name: &[u8]) -> Vec<u8> {
    if name.is_ascii() {
        return name.to_ascii_lowercase();
    }
    let mut folded = Vec::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        let unaccented: String = chunk.valid().nfd().collect();
        let folded_chunk: String =
            unaccented.to_uppercase().chars().flat_map(char::to_lowercase).nfc().collect();
        folded.extend_from_slice(folded_chunk.as_bytes());
        folded.extend_from_slice(chunk.invalid());
    }
    folded
}
