//! Which pieces are whole on disk, and the hashes of pieces for a torrent that is being made.
//! It never writes, creates or locks anything.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};

use metainfo::{Layout, PieceIndex, PieceSet};
use rustix::fs::{FileType, Stat};

use crate::backend::Backend;
use crate::error::{Error, ErrorKind};
use crate::files::{Files, Stamp};
use crate::paths::Root;
use crate::room::survey;
use crate::scan::{Digest, Progress, Scan};
use crate::span::ReadError;
use crate::spec::{FileSpec, Spec};

/// How to verify, or to hash.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Options<'a> {
    /// Threads to hash with; 0 for one per processor.
    pub threads: usize,
    /// How files are read.
    pub backend: Backend,
    /// Only these pieces; `None` for all. Without effect on [`hash_files`].
    pub pieces: Option<&'a PieceSet>,
}

/// What a verification found.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Verified {
    /// The pieces asked for that are whole.
    pub whole: PieceSet,
    /// The state of each file on disk, in the torrent's order.
    pub files: Vec<FileState>,
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
    let mut states = states(spec)?;
    let wanted: Vec<PieceIndex> = match options.pieces {
        Some(pieces) => pieces.iter().filter(|piece| layout.piece_len(*piece) > 0).collect(),
        None => layout.pieces().collect(),
    };
    let bytes = |pieces: &[PieceIndex]| {
        pieces.iter().map(|piece| u64::from(layout.piece_len(*piece))).sum::<u64>()
    };
    let total = bytes(&wanted);
    let mut present = wanted;
    present.retain(|piece| is_present(layout, &states, *piece));
    let checked = total - bytes(&present);
    let files = Files::read_only(spec.clone());
    let found = Mutex::new((PieceSet::new_empty(layout.piece_count()), Vec::new()));
    let judge = |piece: PieceIndex, digest: Digest| {
        let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
        match digest {
            Ok(digest) if spec.expected(piece) == Some(&digest) => {
                found.0.insert(piece);
            }
            Ok(_) => {}
            Err(failure) => found.1.push(failure),
        }
    };
    let scan = Scan {
        files: &files,
        backend: options.backend,
        threads: options.threads,
        pieces: &present,
        progress: Progress { checked, total },
        report: progress,
        cancel,
    };
    scan.run(&judge)?;
    let (whole, failures) = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    for (index, failure) in failures {
        if let Some(state) = states.get_mut(index) {
            *state = FileState::Unreadable(read_error(&files, index, failure));
        }
    }
    Ok(Verified { whole, files: states })
}

/// The SHA-1 of each piece of the files at `root`, laid out as `layout` says: what a new torrent
/// lists. Files that are not on disk (padding) count as zeros.
///
/// # Errors
/// When a file can't be read, is not as long as the layout says, or changes meanwhile
/// ([`ErrorKind::Changed`]); [`ErrorKind::Cancelled`] soon after `cancel` becomes true.
pub fn hash_files(
    root: &Path,
    files: &[FileSpec],
    layout: &Layout,
    options: &Options<'_>,
    progress: &(dyn Fn(Progress) + Sync),
    cancel: &AtomicBool,
) -> Result<Vec<[u8; 20]>, Error> {
    let unknown = vec![[0; 20]; layout.piece_count() as usize];
    let spec = Spec::from_parts(root, files.to_vec(), layout.clone(), unknown)?;
    let before = stamps(&spec)?;
    let pieces: Vec<PieceIndex> = layout.pieces().collect();
    let files = Files::read_only(spec.clone());
    let found = Mutex::new((vec![[0; 20]; pieces.len()], None));
    let note = |piece: PieceIndex, digest: Digest| {
        let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
        match (digest, found.0.get_mut(piece.as_usize())) {
            (Ok(digest), Some(slot)) => *slot = digest,
            (Ok(_), None) => {}
            (Err(failure), _) => found.1 = Some(failure),
        }
    };
    let scan = Scan {
        files: &files,
        backend: options.backend,
        threads: options.threads,
        pieces: &pieces,
        progress: Progress { checked: 0, total: layout.total_len() },
        report: progress,
        cancel,
    };
    scan.run(&note)?;
    let (hashes, failure) = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some((index, failure)) = failure {
        return Err(read_error(&files, index, failure));
    }
    let after = stamps(&spec)?;
    match before.iter().zip(&after).position(|(before, after)| before != after) {
        None => Ok(hashes),
        Some(index) => Err(Error::new(
            ErrorKind::Changed,
            &files.path(index),
            "changed while it was hashed; start again when it is left alone",
        )),
    }
}

fn states(spec: &Spec) -> Result<Vec<FileState>, Error> {
    let root = match Root::open(spec.root()) {
        Ok(root) => Some(root),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let state = |(index, file): (usize, &FileSpec)| {
        let Some(root) = root.as_ref().filter(|_| file.on_disk) else {
            return if file.on_disk { FileState::Missing } else { FileState::NotOnDisk };
        };
        match root.look(&file.path) {
            Err(error) => FileState::Unreadable(error),
            Ok(None) => FileState::Missing,
            Ok(Some(stat)) => compare(spec, index, &stat),
        }
    };
    Ok(spec.files().iter().enumerate().map(state).collect())
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
    let len = Stamp::of(stat).len;
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

/// What each file is now; an error where it is not what the layout says.
fn stamps(spec: &Spec) -> Result<Vec<Option<Stamp>>, Error> {
    let stamp = |((index, file), stat): ((usize, &FileSpec), Option<Stat>)| {
        let path = || spec.root().join(&file.path);
        let stamp = stat.as_ref().map(Stamp::of);
        match stamp {
            _ if !file.on_disk => Ok(None),
            None => Err(Error::new(ErrorKind::NotFound, &path(), "is not there")),
            Some(now) if now.len == spec.layout().file_len(index) => Ok(stamp),
            Some(now) => {
                let message = format!("is {} bytes long now; start again", now.len);
                Err(Error::new(ErrorKind::Changed, &path(), message))
            }
        }
    };
    spec.files().iter().enumerate().zip(survey(spec)?).map(stamp).collect()
}

fn read_error(files: &Files, index: usize, failure: ReadError) -> Error {
    match failure {
        ReadError::Open(error) => error,
        ReadError::Read(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            Error::new(ErrorKind::Changed, &files.path(index), "was cut while it was read")
        }
        ReadError::Read(error) => Error::io("read it", &files.path(index), &error),
    }
}
