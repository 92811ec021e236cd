//! Which pieces are whole on disk.
//! It never writes, creates or locks anything.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use metainfo::{Layout, PieceIndex, PieceSet, merkle_root};
use rustix::fs::{FileType, Stat};

use crate::backend::Backend;
use crate::error::{Error, ErrorKind};
use crate::file_cache::FileCache;
use crate::files::Files;
use crate::links::{self, Link};
use crate::paths::Root;
use crate::scan::{Digest, Hashed, Progress, Scan, Wanted, Zeros};
use crate::span::ReadError;
use crate::spec::{FileSpec, Spec};
use crate::stamp;

/// How to verify, or to hash for a new torrent.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Options<'a> {
    /// Threads to hash with; 0 for one per processor.
    pub threads: usize,
    /// How files are read.
    pub backend: Backend,
    /// Only these pieces; `None` for all. Without effect on
    /// [`hash_files`](crate::hash_files).
    pub pieces: Option<&'a PieceSet>,
    /// Follow links out of the folder, when hashing for a new torrent; [`verify`] goes by
    /// [`Spec::with_follow_links`].
    pub follow_links: bool,
}

/// What a verification found.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Verified {
    /// The pieces asked for that are whole.
    pub whole: PieceSet,
    /// The pieces asked for that are there, all their bytes, and hold something else: neither what they
    /// should nor zeros.
    pub wrong: PieceSet,
    /// Those of the whole pieces that are zeros throughout, as room is that nothing was written to.
    pub zeros: PieceSet,
    /// The state of each of the spec's files, in its order.
    pub files: Vec<FileState>,
    /// The torrent's symbolic links, in its order.
    pub links: Vec<Link>,
}

impl Verified {
    /// What there is to say where these pieces are known to be whole and no other one is looked at.
    pub fn known(whole: PieceSet) -> Self {
        let none = PieceSet::new_empty(whole.len());
        let (wrong, zeros) = (none.clone(), none);
        Self { whole, wrong, zeros, files: Vec::new(), links: Vec::new() }
    }
}

/// How a file's length on disk compares with the torrent's.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileState {
    /// As long as it has to be. Its pieces may still be wrong.
    Present,
    /// Not there.
    Missing,
    /// Shorter than it has to be.
    Short {
        /// Bytes there are.
        len: u64,
    },
    /// Longer than it has to be. What is beyond is neither read nor removed.
    Long {
        /// Bytes there are.
        len: u64,
    },
    /// Not to be had: a folder, a link out of the target folder, no permission.
    Unreadable(Error),
    /// Padding files and links, which are never on disk.
    NotOnDisk,
}

/// Hashes what is on disk and tells which pieces are whole.
///
/// `progress` is called from several threads, a few times a second each, and once at the end.
/// Files that are missing or unreadable are part of the answer, not errors.
///
/// # Errors
/// [`ErrorKind::Cancelled`] soon after `cancel` becomes true; and when the target folder can't be
/// opened though it is there.
pub fn verify(
    spec: &Spec,
    options: &Options<'_>,
    progress: &(dyn Fn(Progress) + Sync),
    cancel: &AtomicBool,
) -> Result<Verified, Error> {
    let layout = spec.layout();
    let mut states = states(spec, cancel)?;
    let wanted: Vec<PieceIndex> = match options.pieces {
        Some(pieces) => pieces.iter().filter(|piece| layout.piece_len(*piece) > 0).collect(),
        None => layout.pieces().collect(),
    };
    let bytes = |pieces: &[PieceIndex]| {
        pieces.iter().map(|piece| u64::from(layout.piece_content_len(*piece))).sum::<u64>()
    };
    let total = bytes(&wanted);
    let mut present = wanted;
    present.retain(|piece| is_present(layout, &states, *piece));
    let checked = total - bytes(&present);
    let files = Files::read_only(spec.clone());
    let none = || PieceSet::new_empty(layout.piece_count());
    let found =
        Mutex::new(Found { whole: none(), wrong: none(), zeros: none(), failed: Vec::new() });
    let hashes = if spec.is_merkle() { Wanted::LEAVES } else { Wanted::SHA1 };
    let zeros = Zeros::new(layout.piece_length());
    let judge = |piece: PieceIndex, digest: Digest| {
        let right = digest.map(|hashed| {
            let right = is_right(spec, piece, &hashed);
            let (len, content) = (layout.piece_len(piece), layout.piece_content_len(piece));
            // Where it was told to stop, the answer is not used any more.
            (right, zeros.hashed(len, content, hashes, cancel).is_some_and(|zeros| zeros == hashed))
        });
        let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
        match right {
            Ok((true, zeros)) => {
                found.whole.insert(piece);
                if zeros {
                    found.zeros.insert(piece);
                }
            }
            Ok((false, false)) => {
                found.wrong.insert(piece);
            }
            Ok((false, true)) => {}
            Err(failure) => found.failed.push(failure),
        }
    };
    let scan = Scan {
        files: &files,
        backend: options.backend,
        threads: options.threads,
        pieces: &present,
        wanted: hashes,
        progress: Progress { checked, total },
        report: progress,
        cancel,
    };
    scan.run(&judge)?;
    let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    for (index, failure) in found.failed {
        if let Some(state) = states.get_mut(index) {
            *state = FileState::Unreadable(read_error(&files, index, failure));
        }
    }
    let links = links::states(spec, open(spec, cancel)?.as_ref(), cancel)?;
    let Found { whole, wrong, zeros, .. } = found;
    Ok(Verified { whole, wrong, zeros, files: states, links })
}

/// What hashing found so far.
struct Found {
    whole: PieceSet,
    wrong: PieceSet,
    zeros: PieceSet,
    failed: Vec<(usize, ReadError)>,
}

fn is_right(spec: &Spec, piece: PieceIndex, hashed: &Hashed) -> bool {
    match spec.tree(piece) {
        Some(tree) => merkle_root(&hashed.leaves, tree.width) == tree.root,
        None => spec.expected(piece) == Some(&hashed.sha1),
    }
}

fn states(spec: &Spec, cancel: &AtomicBool) -> Result<Vec<FileState>, Error> {
    let cache = FileCache::of_process();
    let root = open(spec, cancel)?;
    let state = |(index, file): (usize, &FileSpec)| {
        let Some(root) = root.as_ref().filter(|_| file.on_disk) else {
            let state = if file.on_disk { FileState::Missing } else { FileState::NotOnDisk };
            return Ok(state);
        };
        if cancel.load(Ordering::Relaxed) {
            return Err(Error::cancelled());
        }
        Ok(match cache.patiently(cancel, || root.look(&file.path)) {
            Err(error) => FileState::Unreadable(error),
            Ok(None) => FileState::Missing,
            Ok(Some(stat)) => compare(spec, index, &stat),
        })
    };
    spec.files().iter().enumerate().map(state).collect()
}

/// The target folder; `None` where there is none.
fn open(spec: &Spec, cancel: &AtomicBool) -> Result<Option<Root>, Error> {
    match FileCache::of_process().patiently(cancel, || Root::of(spec)) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        root => root.map(Some),
    }
}

fn compare(spec: &Spec, index: usize, stat: &Stat) -> FileState {
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        let path = spec.files().get(index).map(|file| spec.root().join(&file.path));
        let path = path.unwrap_or_default();
        return FileState::Unreadable(Error::new(
            ErrorKind::Unsafe,
            &path,
            "is in the way: not a regular file",
        ));
    }
    let len = stamp::len(stat);
    match len.cmp(&spec.layout().file_len(index)) {
        std::cmp::Ordering::Less => FileState::Short { len },
        std::cmp::Ordering::Equal => FileState::Present,
        std::cmp::Ordering::Greater => FileState::Long { len },
    }
}

/// Whether there are bytes on disk for all of the piece.
fn is_present(layout: &Layout, states: &[FileState], piece: PieceIndex) -> bool {
    layout.piece_spans(piece).all(|span| match states.get(span.file) {
        Some(FileState::Present | FileState::Long { .. } | FileState::NotOnDisk) => true,
        Some(FileState::Short { len }) => span.offset + span.len <= *len,
        _ => false,
    })
}

/// Why a file could not be read, as an error that names it.
pub(crate) fn read_error(files: &Files, index: usize, failure: ReadError) -> Error {
    match failure {
        ReadError::Open(error) => error,
        ReadError::Read(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            Error::new(ErrorKind::Changed, &files.path(index), "was cut while it was read")
        }
        ReadError::Read(error) => Error::io("read it", &files.path(index), &error),
    }
}
