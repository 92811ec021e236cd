//! The paths of all files of a torrent together: no two may be the same, and none may be a folder of
//! another. It never refuses a path for that; the later one is renamed.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use unicode_normalization::UnicodeNormalization as _;

use crate::path::{MAX_COMPONENT_LEN, split_extension, truncate};

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
/// every machine.
///
/// ```
/// use metainfo::{SameName, separate_paths};
///
/// let paths: [&[u8]; 3] = [b"t/a.txt", b"t/b", b"t/A.txt"];
/// assert_eq!(separate_paths(&paths, SameName::Bytes), []);
/// assert_eq!(separate_paths(&paths, SameName::Folded), [(2, b"t/A.1.txt".to_vec())]);
/// ```
pub fn separate_paths(paths: &[&[u8]], same: SameName) -> Vec<(usize, Vec<u8>)> {
    if !any_meet(paths, same) {
        return Vec::new();
    }
    let mut names = Names::new(same);
    let folders: Vec<u32> = paths.iter().map(|path| names.folder(split_name(path).0)).collect();
    let mut renamed = Vec::new();
    for ((index, path), folder) in paths.iter().enumerate().zip(folders) {
        let (before, name) = split_name(path);
        if let Some(free) = names.file(folder, name) {
            renamed.push((index, [before, &free].concat()));
        }
    }
    renamed
}

/// Whether there is anything to do, which there nearly never is: a sort is quicker than a map.
fn any_meet(paths: &[&[u8]], same: SameName) -> bool {
    // With a slash before all other bytes, a path comes right before what lies in it.
    let key = |path: &&[u8]| {
        let mut key = same.key(path);
        key.iter_mut().filter(|byte| **byte == b'/').for_each(|slash| *slash = 0);
        key
    };
    let mut keys: Vec<Vec<u8>> = paths.iter().map(key).collect();
    keys.sort_unstable();
    keys.array_windows().any(|[one, other]| {
        let rest = other.strip_prefix(one.as_slice());
        rest.is_some_and(|rest| matches!(rest.first(), None | Some(0)))
    })
}

/// The path up to and with its last `/`, and the name after it.
fn split_name(path: &[u8]) -> (&[u8], &[u8]) {
    path.split_at(path.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1))
}

/// All names taken so far; folders are numbers, the target folder is 0.
struct Names {
    same: SameName,
    taken: BTreeMap<(u32, Vec<u8>), Taken>,
    folders: u32,
    /// The next number to try for a name, so that a million equal names cost a million tries
    /// and not their square.
    next_suffix: BTreeMap<(u32, Vec<u8>), u32>,
}

enum Taken {
    Folder(u32),
    File,
}

impl Names {
    fn new(same: SameName) -> Self {
        Self { same, taken: BTreeMap::new(), folders: 0, next_suffix: BTreeMap::new() }
    }

    /// The number of this folder (ending in `/`, or empty); enters it and those above it.
    fn folder(&mut self, path: &[u8]) -> u32 {
        let mut folder = 0;
        for part in path.split(|byte| *byte == b'/').filter(|part| !part.is_empty()) {
            let next = self.folders + 1;
            folder = match self.taken.entry((folder, self.same.key(part))) {
                Entry::Vacant(entry) => {
                    entry.insert(Taken::Folder(next));
                    self.folders = next;
                    next
                }
                Entry::Occupied(entry) => match entry.get() {
                    Taken::Folder(number) => *number,
                    // All folders are entered before the first file.
                    Taken::File => folder,
                },
            };
        }
        folder
    }

    /// Enters a file; the name it has to take instead, if its own is taken.
    fn file(&mut self, folder: u32, name: &[u8]) -> Option<Vec<u8>> {
        if self.claim(folder, name) {
            return None;
        }
        let (stem, extension) = split_extension(name);
        let room = MAX_COMPONENT_LEN.saturating_sub(SUFFIX_LEN + extension.len());
        let stem = truncate(stem, room);
        let pattern = (folder, self.same.key(&[stem, extension].concat()));
        let mut number = self.next_suffix.get(&pattern).copied().unwrap_or(1);
        loop {
            let free = [stem, format!(".{number}").as_bytes(), extension].concat();
            number += 1;
            if self.claim(folder, &free) {
                self.next_suffix.insert(pattern, number);
                return Some(free);
            }
        }
    }

    fn claim(&mut self, folder: u32, name: &[u8]) -> bool {
        match self.taken.entry((folder, self.same.key(name))) {
            Entry::Vacant(entry) => {
                entry.insert(Taken::File);
                true
            }
            Entry::Occupied(_) => false,
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
