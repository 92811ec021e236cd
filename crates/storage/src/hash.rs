//! The hashes of pieces for a torrent that is being made.
//! It never writes, and never judges what it reads.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};

use metainfo::{Layout, PieceIndex, Plan, Version, merkle_root};
use rustix::fs::Stat;

use crate::error::{Error, ErrorKind};
use crate::files::Files;
use crate::room::survey_unless;
use crate::scan::{Digest, Hashed, Progress, Scan, Wanted};
use crate::spec::{FileSpec, Spec};
use crate::stamp::{self, FileStamp};
use crate::verify::{Options, read_error};

/// The hashes of a new torrent's pieces, in order: what [`Plan::encode`] takes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hashes {
    /// The SHA-1 of each piece; empty for a version 2 torrent.
    pub sha1: Vec<[u8; 20]>,
    /// The merkle root of each piece; empty for a version 1 torrent.
    pub roots: Vec<[u8; 32]>,
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
    let subject = Subject { layout, wanted: Wanted::SHA1, width: &|_| 1 };
    hash(root, files, &subject, options, progress, cancel).map(|hashes| hashes.sha1)
}

/// All hashes that a planned torrent of whichever version needs, in one pass over the files at
/// `root`. `files` are those of the plan's layout, in its order; padding is not on disk.
///
/// # Errors
/// As [`hash_files`].
pub fn hash_plan(
    root: &Path,
    files: &[FileSpec],
    plan: &Plan,
    options: &Options<'_>,
    progress: &(dyn Fn(Progress) + Sync),
    cancel: &AtomicBool,
) -> Result<Hashes, Error> {
    let wanted = match plan.version() {
        Version::V1 => Wanted::SHA1,
        Version::V2 => Wanted::LEAVES,
        Version::Hybrid => Wanted { sha1: true, leaves: true },
    };
    let subject = Subject { layout: plan.layout(), wanted, width: &|piece| plan.width(piece) };
    hash(root, files, &subject, options, progress, cancel)
}

/// What to compute.
struct Subject<'a> {
    layout: &'a Layout,
    wanted: Wanted,
    /// Leaves of a piece's tree.
    width: &'a (dyn Fn(PieceIndex) -> u32 + Sync),
}

fn hash(
    root: &Path,
    files: &[FileSpec],
    subject: &Subject<'_>,
    options: &Options<'_>,
    progress: &(dyn Fn(Progress) + Sync),
    cancel: &AtomicBool,
) -> Result<Hashes, Error> {
    let Subject { layout, wanted, width } = *subject;
    let unknown = vec![[0; 20]; layout.piece_count() as usize];
    let spec = Spec::from_parts(root, files.to_vec(), layout.clone(), unknown)?;
    let spec = spec.with_follow_links(options.follow_links);
    let before = stamps(&spec, cancel)?;
    stamp::wait_for_tick();
    let pieces: Vec<PieceIndex> = layout.pieces().collect();
    let files = Files::read_only(spec.clone());
    let slots = |wanted| if wanted { pieces.len() } else { 0 };
    let empty = Hashes {
        sha1: vec![[0; 20]; slots(wanted.sha1)],
        roots: vec![[0; 32]; slots(wanted.leaves)],
    };
    let found = Mutex::new((empty, None));
    let note = |piece: PieceIndex, digest: Digest| {
        // The leaves go here: those of a large torrent would fill the memory.
        let hashes = digest.map(|Hashed { sha1, leaves }| {
            (sha1, wanted.leaves.then(|| merkle_root(&leaves, width(piece))))
        });
        let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
        match hashes {
            Ok((sha1, root)) => {
                if let Some(slot) = found.0.sha1.get_mut(piece.as_usize()) {
                    *slot = sha1;
                }
                if let Some((slot, root)) = found.0.roots.get_mut(piece.as_usize()).zip(root) {
                    *slot = root;
                }
            }
            Err(failure) => found.1 = Some(failure),
        }
    };
    let scan = Scan {
        files: &files,
        backend: options.backend,
        threads: options.threads,
        pieces: &pieces,
        wanted,
        progress: Progress { checked: 0, total: layout.content_len() },
        report: progress,
        cancel,
    };
    scan.run(&note)?;
    let (hashes, failure) = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some((index, failure)) = failure {
        return Err(read_error(&files, index, failure));
    }
    let after = stamps(&spec, cancel)?;
    match before.iter().zip(&after).position(|(before, after)| before != after) {
        None => Ok(hashes),
        Some(index) => Err(Error::new(
            ErrorKind::Changed,
            &files.path(index),
            "changed while it was hashed; start again when it is left alone",
        )),
    }
}

/// What each file is now; an error where it is not what the layout says.
fn stamps(spec: &Spec, cancel: &AtomicBool) -> Result<Vec<Option<FileStamp>>, Error> {
    let stamp = |((index, file), stat): ((usize, &FileSpec), Option<Stat>)| {
        let path = || spec.root().join(&file.path);
        let stamp = stat.as_ref().map(|stat| FileStamp::of(stat, 0));
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
    spec.files().iter().enumerate().zip(survey_unless(spec, cancel)?).map(stamp).collect()
}
