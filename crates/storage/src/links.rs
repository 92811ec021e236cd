//! Symbolic links: those of a torrent (BEP 47) are made and compared, and of one on disk that leads out
//! of the target folder it is said which one it is and where it leads.
//! What is refused is decided where files are opened, and where a torrent's link may lead in `metainfo`.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, ErrorKind};
use crate::file_cache::FileCache;
use crate::files::{Descriptors, FileId};
use crate::paths::Root;
use crate::spec::{Renamed, Spec};

/// More warnings than these about links say nothing more to a reader: the rest is counted.
const MAX_TOLD: usize = 10;

/// A symbolic link of a torrent, and how it is on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Link {
    /// Where it is, relative to the target folder.
    pub path: PathBuf,
    /// Its text: where it leads to, from the folder it lies in.
    pub text: PathBuf,
    /// How it is.
    pub state: LinkState,
}

/// How a link of a torrent is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkState {
    /// It is there and leads to what it should.
    Right,
    /// Nothing is there.
    Missing,
    /// Something else is there, or it cannot be looked at.
    Other,
}

/// The torrent's links by path and text, under the names that its files have on disk.
fn links(spec: &Spec) -> Vec<(PathBuf, PathBuf, PathBuf)> {
    let mut renamed: Vec<&Renamed> = spec.renamed().iter().collect();
    renamed.sort_unstable_by(|one, other| bytes(&one.named).cmp(bytes(&other.named)));
    spec.links()
        .map(|link| {
            let (path, target) = (on_disk(&link.path, &renamed), on_disk(&link.target, &renamed));
            let text = text(&path, &target);
            (path, target, text)
        })
        .collect()
}

/// What a path of the torrent is on disk: as far as it has folders in common with a renamed file, they are
/// called as that file's are. In order, the one that has most of them is next to it.
fn on_disk(path: &Path, renamed: &[&Renamed]) -> PathBuf {
    let at = renamed.partition_point(|renamed| bytes(&renamed.named) < bytes(path));
    let near = [at.checked_sub(1), Some(at)].into_iter().flatten();
    let near = near.filter_map(|at| renamed.get(at)).map(|renamed| {
        let both = renamed.named.components().zip(path.components());
        (both.take_while(|(named, part)| named == part).count(), renamed)
    });
    match near.max_by_key(|(common, _)| *common) {
        Some((common, renamed)) if common > 0 => {
            let called = renamed.on_disk.components().take(common);
            called.chain(path.components().skip(common)).collect()
        }
        _ => path.to_owned(),
    }
}

fn bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

/// The text of a link at `path` to `target`, both below one folder.
fn text(path: &Path, target: &Path) -> PathBuf {
    let folder = path.parent().unwrap_or(Path::new(""));
    let common = folder.components().zip(target.components()).take_while(|(a, b)| a == b).count();
    let up = folder.components().skip(common).map(|_| Component::ParentDir);
    let text: PathBuf = up.chain(target.components().skip(common)).collect();
    // To the folder that the link lies in.
    if text.as_os_str().is_empty() { ".".into() } else { text }
}

/// Makes the torrent's links that are not there. What can't be made is told and costs nothing more: a
/// link holds no bytes. Gives the folders in which some were made.
pub(crate) fn make(spec: &Spec, root: &Root, descriptors: &Descriptors) -> Vec<PathBuf> {
    let (mut changed, mut told) = (Vec::new(), 0_usize);
    let mut tell = |line: String| {
        told += 1;
        if told <= MAX_TOLD {
            log::warn!("{line}");
        }
    };
    for (path, target, text) in links(spec) {
        let is_right = || state(root, &path, &target, &text);
        match descriptors.patiently(|| root.make_link(&path, &text)) {
            Ok(true) => changed.push(path),
            Ok(false) if matches!(descriptors.patiently(is_right), Ok(LinkState::Right)) => {}
            Ok(false) => tell(format!(
                "{}: left as it is, though the torrent has a link to \"{}\" there",
                spec.root().join(&path).display(),
                text.display()
            )),
            Err(error) => tell(error.to_string()),
        }
    }
    if told > MAX_TOLD {
        log::warn!("and {} more links that could not be made", told - MAX_TOLD);
    }
    changed
}

/// How the torrent's links are on disk. All are missing where `root` is.
///
/// # Errors
/// When told to stop.
pub(crate) fn states(
    spec: &Spec,
    root: Option<&Root>,
    cancel: &AtomicBool,
) -> Result<Vec<Link>, Error> {
    let cache = FileCache::of_process();
    let link = |(path, target, text): (PathBuf, PathBuf, PathBuf)| {
        if cancel.load(Ordering::Relaxed) {
            return Err(Error::cancelled());
        }
        let state = match root {
            Some(root) => cache.patiently(cancel, || state(root, &path, &target, &text))?,
            None => LinkState::Missing,
        };
        Ok(Link { path, text, state })
    };
    links(spec).into_iter().map(link).collect()
}

/// How a link is.
///
/// # Errors
/// Only without a descriptor: try again.
fn state(root: &Root, path: &Path, target: &Path, text: &Path) -> Result<LinkState, Error> {
    let found = match root.link_text(path) {
        Err(error) if error.kind() == ErrorKind::NoDescriptors => return Err(error),
        found => found,
    };
    Ok(match found {
        Ok(Some(found)) if found == text => LinkState::Right,
        // Other programs may say the same with other words.
        Ok(Some(_)) if is_same(root, path, target)? => LinkState::Right,
        Err(error) if error.kind() == ErrorKind::NotFound => LinkState::Missing,
        _ => LinkState::Other,
    })
}

fn is_same(root: &Root, path: &Path, target: &Path) -> Result<bool, Error> {
    let id = |path| match root.look(path) {
        Err(error) if error.kind() == ErrorKind::NoDescriptors => Err(error),
        found => Ok(found.ok().flatten().map(|stat| FileId::of(&stat))),
    };
    let link = id(path)?;
    Ok(link.is_some() && link == id(target)?)
}

/// Checks that what is at `relative` below the folder `root` is reached without leaving it, with links
/// followed on the way: what is opened below a target folder has to be.
///
/// # Errors
/// [`ErrorKind::LinkOut`] with the link and where it leads; and when it can't be looked at.
pub fn stays_within(root: &Path, relative: &Path) -> Result<(), Error> {
    Root::open(root)?.look(relative).map(drop)
}

/// The error for a path below `root` that was refused because of a link.
pub(crate) fn refused(root: &Path, relative: &Path) -> Error {
    let mut below = PathBuf::new();
    for component in relative.components() {
        below.push(component);
        let path = root.join(&below);
        let Ok(target) = fs::read_link(&path) else { continue };
        let why = if target.is_absolute() || leads_out(root, &path, &below, &target) {
            "which leads out of the target folder"
        } else if path.metadata().is_err() {
            "which leads nowhere"
        } else {
            continue;
        };
        let message = format!("is a link to \"{}\", {why}", target.display());
        return Error::new(ErrorKind::LinkOut, &path, message);
    }
    let message = "is a link, or below a link, that leads out of the target folder";
    Error::new(ErrorKind::LinkOut, &root.join(relative), message)
}

/// Whether the link at `path`, which is `root` and `below`, leads out of `root`; for one that leads
/// nowhere, as its text has it.
fn leads_out(root: &Path, path: &Path, below: &Path, target: &Path) -> bool {
    if let (Ok(root), Ok(real)) = (root.canonicalize(), path.canonicalize()) {
        return !real.starts_with(root);
    }
    let folders = below.components().count().saturating_sub(1);
    let step = |depth: usize, component| match component {
        Component::ParentDir => depth.checked_sub(1),
        Component::Normal(_) => Some(depth + 1),
        _ => Some(depth),
    };
    target.components().try_fold(folders, step).is_none()
}

#[cfg(test)]
mod tests;
