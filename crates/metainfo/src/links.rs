//! The symbolic links of a torrent (BEP 47): each leads to a file or a folder of the torrent, or is left
//! out. It never touches a disk: what is followed here are the torrent's own names.

use std::collections::{BTreeMap, BTreeSet};

use crate::file::{File, FileKind};
use crate::path;
use crate::warnings::Warnings;

#[cfg(test)]
mod tests;

/// The longest text of a link, in bytes: Linux makes none longer.
const MAX_TARGET_LEN: usize = 4096;

/// The most components of what a link leads to: more than any path in use has, and a bound to the work
/// of following it.
const MAX_TARGET_PARTS: usize = 100;

/// How many links may be followed, one after the other, to what a link leads to: Linux follows no more.
const MAX_HOPS: usize = 40;

/// What a link leads to as the torrent has it: components as they are in paths, but for `.` and `..`,
/// with `/` between. `None` if it has nothing that could be the text of a link.
pub(crate) fn raw_target<'t>(components: impl Iterator<Item = &'t [u8]>) -> Option<Vec<u8>> {
    let mut target: Vec<u8> = Vec::new();
    for (number, raw) in components.enumerate() {
        if !target.is_empty() {
            target.push(b'/');
        }
        if path::goes_nowhere(raw) {
            target.extend(raw);
        } else {
            target.extend_from_slice(&path::component(raw));
        }
        if target.len() > MAX_TARGET_LEN || number >= MAX_TARGET_PARTS {
            return None;
        }
    }
    (!target.is_empty()).then_some(target)
}

/// Finds what each link leads to, in place of what the torrent has there: the path of a file or folder
/// of the torrent below `top`, the folder of all its files. Links that lead anywhere else lose their
/// target, and are told.
pub(crate) fn settle(files: &mut [File], top: &[u8], warnings: &mut Warnings) {
    if files.iter().all(|file| file.kind != FileKind::Symlink) {
        return;
    }
    let mut tree = Tree::new(files, top);
    let links = files.iter().enumerate().filter(|(_, file)| file.kind == FileKind::Symlink);
    let settled: Vec<(usize, Option<Vec<u8>>)> =
        links.map(|(index, _)| (index, tree.end(index, 0).map(|end| end.named))).collect();
    for (index, target) in settled {
        let Some(file) = files.get_mut(index) else { continue };
        let before = std::mem::replace(&mut file.target, target);
        if file.target.is_none() {
            let link = path::original([file.path.as_slice()]);
            let to = path::original([before.as_deref().unwrap_or_default()]);
            warnings.add(|| {
                format!("left out: the link \"{link}\" to \"{to}\" leads to nothing in the torrent")
            });
        }
    }
}

/// Where a link leads.
#[derive(Clone)]
struct End {
    /// What the link names; other links may be on the way.
    named: Vec<u8>,
    /// The file or folder it is in the end.
    real: Vec<u8>,
}

/// What is known of a link.
#[derive(Clone)]
enum Known {
    Nothing,
    /// It is being followed: who comes here again runs in a circle.
    Followed,
    Ends(Option<End>),
}

/// The torrent's files, their folders and its links, by their paths.
struct Tree<'f> {
    files: &'f [File],
    top: &'f [u8],
    regular: BTreeSet<&'f [u8]>,
    folders: BTreeSet<&'f [u8]>,
    /// Those that have a path of their own; the first of several with one path.
    links: BTreeMap<&'f [u8], usize>,
    known: Vec<Known>,
}

impl<'f> Tree<'f> {
    fn new(files: &'f [File], top: &'f [u8]) -> Self {
        let of = |kind| files.iter().enumerate().filter(move |(_, file)| file.kind == kind);
        let regular: BTreeSet<&[u8]> =
            of(FileKind::Regular).map(|(_, file)| file.path.as_slice()).collect();
        let folders: BTreeSet<&[u8]> = regular.iter().flat_map(|path| folders(path)).collect();
        let mut links = BTreeMap::new();
        for (index, file) in of(FileKind::Symlink) {
            let path = file.path.as_slice();
            if !regular.contains(path) && !folders.contains(path) {
                links.entry(path).or_insert(index);
            }
        }
        let known = vec![Known::Nothing; files.len()];
        Self { files, top, regular, folders, links, known }
    }

    /// Where the link leads, if that is something in the torrent.
    fn end(&mut self, link: usize, hops: usize) -> Option<End> {
        match self.known.get(link)? {
            Known::Ends(end) => return end.clone(),
            Known::Followed => return None,
            Known::Nothing => {}
        }
        if hops > MAX_HOPS {
            return None;
        }
        self.note(link, Known::Followed);
        let end = self.find(link, hops);
        self.note(link, Known::Ends(end.clone()));
        end
    }

    fn note(&mut self, link: usize, known: Known) {
        if let Some(slot) = self.known.get_mut(link) {
            *slot = known;
        }
    }

    /// BEP 47 counts from the torrent's folder; some programs count from the link's, and libtorrent
    /// takes both.
    fn find(&mut self, link: usize, hops: usize) -> Option<End> {
        let files = self.files;
        let file = files.get(link)?;
        let target = file.target.as_deref()?;
        if !self.has_its_place(link, &file.path) {
            return None;
        }
        let folder = parent(&file.path);
        let below_top = self.follow(self.top, target, hops);
        below_top.or_else(|| self.follow(folder, target, hops))
    }

    /// Whether nothing else of the torrent is where the link is, or in its way.
    fn has_its_place(&self, link: usize, path: &[u8]) -> bool {
        let in_the_way = |path| self.regular.contains(path) || self.links.contains_key(path);
        self.links.get(path) == Some(&link) && !folders(path).any(in_the_way)
    }

    fn follow(&mut self, from: &[u8], target: &[u8], hops: usize) -> Option<End> {
        let mut real = from.to_vec();
        let mut named = from.to_vec();
        for step in target.split(|byte| *byte == b'/') {
            match step {
                b"." => {}
                b".." => {
                    if real.len() <= self.top.len() {
                        return None;
                    }
                    real.truncate(parent(&real).len());
                    // After a link this is not where the names alone would lead.
                    named.clone_from(&real);
                }
                name => {
                    push(&mut real, name);
                    push(&mut named, name);
                    if let Some(link) = self.links.get(real.as_slice()).copied() {
                        real = self.end(link, hops + 1)?.real;
                    } else if !self.exists(&real) {
                        return None;
                    }
                }
            }
        }
        (real != self.top).then_some(End { named, real })
    }

    fn exists(&self, path: &[u8]) -> bool {
        self.regular.contains(path) || self.folders.contains(path)
    }
}

/// The folders that the path lies in, the outermost first.
fn folders(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
    slashes.filter_map(|(at, _)| path.get(..at))
}

/// The folder the path lies in; empty for one that lies in none.
fn parent(path: &[u8]) -> &[u8] {
    let slash = path.iter().rposition(|byte| *byte == b'/');
    slash.and_then(|at| path.get(..at)).unwrap_or_default()
}

fn push(path: &mut Vec<u8>, name: &[u8]) {
    if !path.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(name);
}
