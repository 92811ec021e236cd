//! The symbolic links of a torrent (BEP 47): each leads to a file or a folder of the torrent, or is left
//! out. It never touches a disk: what is followed here are the torrent's own names.

use crate::file::{File, FileKind};
use crate::path;
use crate::paths::{SEPARATOR, lies_in, with_separators};
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

/// How many bytes of paths are looked up to follow all links of a torrent: enough for a million links of
/// two steps each, and less than a second of work.
const MAX_FOLLOWED: usize = 512 << 20;

/// What a step of a link counts beside its bytes: looking up a short path takes time too.
const STEP: usize = 64;

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
    let settled: Vec<(usize, Option<Vec<u8>>)> = links
        .map(|(index, _)| (index, tree.end(index, 0).map(|end| with_slashes(end.named))))
        .collect();
    if tree.left == 0 {
        warnings.add(|| "left out: links that take too long to follow".into());
    }
    for (index, target) in settled {
        let Some(file) = files.get_mut(index) else { continue };
        let before = std::mem::replace(&mut file.target, target);
        if file.target.is_none() {
            warnings.add(|| {
                let link = path::original([file.path.as_slice()]);
                let to = path::original([before.as_deref().unwrap_or_default()]);
                format!("left out: the link \"{link}\" to \"{to}\" leads to nothing in the torrent")
            });
        }
    }
}

/// Where a link leads, with separators for slashes.
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

/// The torrent's files and links by their paths, sorted; folders are what lies in between. All paths have
/// separators for slashes.
struct Tree<'f> {
    files: &'f [File],
    top: Vec<u8>,
    regular: Vec<Vec<u8>>,
    links: Vec<LinkPlace>,
    /// By the index of the link's file.
    known: Vec<Known>,
    /// What is left of [`MAX_FOLLOWED`].
    left: usize,
}

/// A link that has a path of its own; the first of several with one path.
struct LinkPlace {
    path: Vec<u8>,
    index: usize,
    /// Whether a file or another link is where a folder of it would have to be.
    blocked: bool,
}

impl<'f> Tree<'f> {
    fn new(files: &'f [File], top: &[u8]) -> Self {
        let key = |path: &[u8]| with_separators(path.to_owned());
        let of = |kind| files.iter().enumerate().filter(move |(_, file)| file.kind == kind);
        let mut regular: Vec<Vec<u8>> =
            of(FileKind::Regular).map(|(_, file)| key(&file.path)).collect();
        regular.sort_unstable();
        let mut links: Vec<(Vec<u8>, usize)> =
            of(FileKind::Symlink).map(|(index, file)| (key(&file.path), index)).collect();
        links.sort_unstable();
        links.dedup_by(|later, first| later.0 == first.0);
        links.retain(|(path, _)| !exists(&regular, path));
        let links = find_blocked(&regular, links);
        let known = vec![Known::Nothing; files.len()];
        Self { files, top: key(top), regular, links, known, left: MAX_FOLLOWED }
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
        let file = self.files.get(link)?;
        let target = file.target.as_deref()?;
        let path = with_separators(file.path.clone());
        self.link_at(&path).filter(|place| place.index == link && !place.blocked)?;
        let below_top = self.follow(self.top.clone(), target, hops);
        below_top.or_else(|| self.follow(parent(&path).to_owned(), target, hops))
    }

    fn link_at(&self, path: &[u8]) -> Option<&LinkPlace> {
        let at = self.links.binary_search_by(|link| link.path.as_slice().cmp(path)).ok()?;
        self.links.get(at)
    }

    fn follow(&mut self, from: Vec<u8>, target: &[u8], hops: usize) -> Option<End> {
        let mut named = from.clone();
        let mut real = from;
        for step in target.split(|byte| *byte == b'/') {
            self.left = self.left.saturating_sub(real.len() + STEP);
            if self.left == 0 {
                return None;
            }
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
                    if let Some(link) = self.link_at(&real).map(|link| link.index) {
                        real = self.end(link, hops + 1)?.real;
                    } else if !exists(&self.regular, &real) {
                        return None;
                    }
                }
            }
        }
        (real != self.top).then_some(End { named, real })
    }
}

/// Whether the path is one of the sorted ones, or a folder of one.
fn exists(sorted: &[Vec<u8>], path: &[u8]) -> bool {
    let from = sorted.partition_point(|other| other.as_slice() < path);
    sorted.get(from).is_some_and(|next| next == path || lies_in(next, path))
}

/// Finds the links that lie in a regular file or in another link; all paths are sorted. One walk over
/// them, with what lies around the current one at hand: nothing is looked up for each folder.
fn find_blocked(regular: &[Vec<u8>], links: Vec<(Vec<u8>, usize)>) -> Vec<LinkPlace> {
    let mut files = regular.iter().map(Vec::as_slice).peekable();
    // The outermost file and link around the current path, or the last ones passed: whatever lies in
    // one of them is blocked, however deep.
    let mut file: Option<&[u8]> = None;
    let mut outer: Option<usize> = None;
    let mut found: Vec<LinkPlace> = Vec::with_capacity(links.len());
    for (path, index) in links {
        while let Some(passed) = files.next_if(|next| *next < path.as_slice()) {
            if !file.is_some_and(|file| lies_in(passed, file)) {
                file = Some(passed);
            }
        }
        let in_file = file.is_some_and(|file| lies_in(&path, file));
        let link = outer.and_then(|at| found.get(at));
        let in_link = link.is_some_and(|link| lies_in(&path, &link.path));
        if !in_link {
            outer = Some(found.len());
        }
        found.push(LinkPlace { path, index, blocked: in_file || in_link });
    }
    found
}

/// The folder the path lies in; empty for one that lies in none.
fn parent(path: &[u8]) -> &[u8] {
    let at = path.iter().rposition(|byte| *byte == SEPARATOR);
    at.and_then(|at| path.get(..at)).unwrap_or_default()
}

fn push(path: &mut Vec<u8>, name: &[u8]) {
    if !path.is_empty() {
        path.push(SEPARATOR);
    }
    path.extend_from_slice(name);
}

fn with_slashes(mut path: Vec<u8>) -> Vec<u8> {
    path.iter_mut().filter(|byte| **byte == SEPARATOR).for_each(|at| *at = b'/');
    path
}
