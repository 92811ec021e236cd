//! The paths of all files of a torrent together: no two may be the same to any file system, and
//! none may be a folder of another. It never refuses a file for that; the later one is renamed.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use unicode_normalization::UnicodeNormalization as _;

use crate::file::File;
use crate::path::{MAX_COMPONENT_LEN, split_extension, truncate};

#[cfg(test)]
mod tests;

/// Bytes kept free for a suffix: a dot and the ten digits of the largest `u32`.
const SUFFIX_LEN: usize = 11;

/// Renames files until no two paths meet, neither as they stand nor where case or Unicode
/// normalisation don't count, and notes what they were called.
///
/// Folders win over files, and earlier files over later ones; a loser gets the first free number
/// before its extension: `a.txt`, `a.1.txt`, `a.2.txt`. So the same torrent has the same names on
/// every machine.
pub(crate) fn separate(files: &mut [&mut File]) {
    let mut names = Names::default();
    let folders: Vec<u32> = files.iter().map(|f| names.folder(split_name(&f.path).0)).collect();
    for (file, folder) in files.iter_mut().zip(folders) {
        let (before, name) = split_name(&file.path);
        if let Some(free) = names.file(folder, name) {
            let path = format!("{before}{free}");
            let old = std::mem::replace(&mut file.path, path);
            file.renamed_from.get_or_insert(old);
        }
    }
}

/// The path up to and with its last `/`, and the name after it.
fn split_name(path: &str) -> (&str, &str) {
    path.split_at(path.rfind('/').map_or(0, |slash| slash + 1))
}

/// All names taken so far, folded; folders are numbers, the target folder is 0.
#[derive(Default)]
struct Names {
    taken: BTreeMap<(u32, String), Taken>,
    folders: u32,
    /// The next number to try for a name, so that a million equal names cost a million tries
    /// and not their square.
    next_suffix: BTreeMap<(u32, String), u32>,
}

enum Taken {
    Folder(u32),
    File,
}

impl Names {
    /// The number of this folder (ending in `/`, or empty); enters it and those above it.
    fn folder(&mut self, path: &str) -> u32 {
        let mut folder = 0;
        for part in path.split_terminator('/') {
            let next = self.folders + 1;
            folder = match self.taken.entry((folder, fold(part))) {
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
    fn file(&mut self, folder: u32, name: &str) -> Option<String> {
        if self.claim(folder, name) {
            return None;
        }
        let (stem, extension) = split_extension(name);
        let room = MAX_COMPONENT_LEN - SUFFIX_LEN - extension.len();
        let stem = truncate(stem, room);
        let pattern = (folder, fold(&format!("{stem}{extension}")));
        let mut number = self.next_suffix.get(&pattern).copied().unwrap_or(1);
        loop {
            let free = format!("{stem}.{number}{extension}");
            number += 1;
            if self.claim(folder, &free) {
                self.next_suffix.insert(pattern, number);
                return Some(free);
            }
        }
    }

    fn claim(&mut self, folder: u32, name: &str) -> bool {
        match self.taken.entry((folder, fold(name))) {
            Entry::Vacant(entry) => {
                entry.insert(Taken::File);
                true
            }
            Entry::Occupied(_) => false,
        }
    }
}

/// What a name is to a file system that ignores case and normalisation. Full case mappings are
/// used (`ß` is `ss`): a needless number is better than a lost file.
fn fold(name: &str) -> String {
    if name.is_ascii() {
        return name.to_ascii_lowercase();
    }
    let unaccented: String = name.nfd().collect();
    unaccented.to_uppercase().chars().flat_map(char::to_lowercase).nfc().collect()
}
