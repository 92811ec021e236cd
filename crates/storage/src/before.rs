//! What was in a torrent's place before it: files that are in use, longer than the torrent says, or of
//! other content. They are told apart from what an earlier download left, before anything is written.
//! It never writes, and never decides whether to overwrite.

use std::sync::atomic::{AtomicBool, Ordering};

use metainfo::{Layout, PieceIndex, PieceSet};
use rustix::fs::Stat;

use crate::backend::{Backend, Windows, reader};
use crate::error::{Error, ErrorKind};
use crate::file_cache::FileCache;
use crate::files::{Files, Stamp};
use crate::fit;
use crate::lock::Locks;
use crate::paths::{Access, Root};
use crate::room::survey_unless;
use crate::span::ReadError;
use crate::spec::{Allocation, Spec};
use crate::torrent::refuse_if_full;
use crate::verify::read_error;

/// Bytes looked at in one go when it is asked whether a file is empty room.
const STEP: usize = 256 * 1024;

/// What is in the place of a torrent's files, by a look that reads none of them.
#[derive(Debug)]
pub struct Before {
    spec: Spec,
    stats: Vec<Option<Stat>>,
}

impl Before {
    /// Looks, and refuses early what [`Disk::open`](crate::Disk::open) would refuse late.
    ///
    /// # Errors
    /// [`ErrorKind::Locked`] when one of the files is in use, [`ErrorKind::Full`] when the others do not
    /// fit on the disk, [`ErrorKind::Cancelled`] soon after `cancel` becomes true; and when something
    /// that is not a file is in the place of one.
    pub fn look(spec: &Spec, cancel: &AtomicBool) -> Result<Self, Error> {
        fit::check(spec)?;
        let stats = survey_unless(spec, cancel)?;
        if spec.allocation() != Allocation::AsFound {
            spec.kept().check(spec, &stats)?;
            refuse_if_full(spec, &stats)?;
        }
        if stats.iter().any(Option::is_some) {
            let root = || Root::of(spec);
            let root = FileCache::of_process().patiently(cancel, root)?;
            Locks::probe(&root, spec, &stats)?;
        }
        Ok(Self { spec: spec.clone(), stats })
    }

    /// Whether there is not a byte in any of the files.
    pub fn is_empty(&self) -> bool {
        self.stats.iter().flatten().all(|stat| Stamp::of(stat).len == 0)
    }

    /// Refuses files that are longer than the torrent says.
    ///
    /// # Errors
    /// [`ErrorKind::Occupied`].
    pub fn refuse_longer(&self) -> Result<(), Error> {
        let longer = |index: usize| {
            let len = self.spec.layout().file_len(index);
            self.len(index).filter(|there| *there > len).map(|there| (index, there - len))
        };
        let mut found = (0..self.stats.len()).filter_map(longer);
        let Some((first, by)) = found.next() else { return Ok(()) };
        let bytes = if by == 1 { "byte" } else { "bytes" };
        Err(self.occupied(
            first,
            &format!("is {by} {bytes} longer than the torrent says"),
            found.count(),
        ))
    }

    /// Refuses files that hold something else than the torrent does: not one piece of theirs is among
    /// those that are whole, and what there is instead is `wrong`, not zeros. Files that are `ours` hold
    /// what a run of ours has not checked yet. One in which no piece lies wholly can't be judged alone:
    /// it is the torrent's if anything else in the folder is.
    ///
    /// # Errors
    /// [`ErrorKind::Occupied`]; [`ErrorKind::Cancelled`]; and when a file can't be read.
    pub fn refuse_foreign(
        &self,
        (whole, wrong): (&PieceSet, &PieceSet),
        ours: &[bool],
        cancel: &AtomicBool,
    ) -> Result<(), Error> {
        let layout = self.spec.layout();
        let is_right =
            |piece: PieceIndex| whole.contains(piece) && layout.piece_content_len(piece) > 0;
        let anything_right = layout.pieces().any(is_right);
        let files = Files::read_only(self.spec.clone());
        let mut found = Vec::new();
        for index in 0..self.stats.len() {
            let Some(len) = self.len(index).filter(|len| *len > 0) else { continue };
            if ours.get(index).copied().unwrap_or(false) {
                continue;
            }
            let pieces = || layout.file_pieces(index).filter_map(|piece| layout.piece(piece));
            if pieces().any(is_right) {
                continue;
            }
            let mut inside =
                pieces().filter(|piece| lies_in(layout, *piece, index, len)).peekable();
            let foreign = if inside.peek().is_some() {
                inside.any(|piece| wrong.contains(piece))
            } else {
                !anything_right && !is_blank(&files, index, len, cancel)?
            };
            if foreign {
                found.push(index);
            }
        }
        let Some((first, others)) = found.split_first() else { return Ok(()) };
        Err(self.occupied(*first, "holds something else than the torrent does", others.len()))
    }

    /// Bytes in the file, if it is there.
    fn len(&self, index: usize) -> Option<u64> {
        let on_disk = self.spec.files().get(index).is_some_and(|file| file.on_disk);
        let stat = self.stats.get(index)?.as_ref().filter(|_| on_disk)?;
        Some(Stamp::of(stat).len)
    }

    fn occupied(&self, index: usize, why: &str, others: usize) -> Error {
        let others = match others {
            0 => String::new(),
            1 => " (and one more file)".into(),
            more => format!(" (and {more} more files)"),
        };
        let path = self.spec.path_of(index);
        Error::new(ErrorKind::Occupied, &path, format!("{why}{others}"))
    }
}

/// Whether all of the piece is in this one file, within its first `len` bytes.
fn lies_in(layout: &Layout, piece: PieceIndex, file: usize, len: u64) -> bool {
    let content = u64::from(layout.piece_content_len(piece));
    let mut spans = layout.piece_spans(piece).filter(|span| span.file == file);
    spans.any(|span| span.len >= content && span.offset + span.len <= len)
}

/// Whether the file is room that nobody wrote to yet: holes and zeros.
fn is_blank(files: &Files, index: usize, len: u64, cancel: &AtomicBool) -> Result<bool, Error> {
    let open = files.open_unless(cancel, index, Access::Read)?;
    let mut reader = reader(Backend::Positional, Windows::MANY);
    let mut bytes = vec![0; STEP];
    let mut at = 0;
    while at < len {
        if cancel.load(Ordering::Relaxed) {
            return Err(Error::cancelled());
        }
        at = open.next_data(at).unwrap_or(len);
        let part = usize::try_from(len.saturating_sub(at)).unwrap_or(STEP).min(STEP);
        let part = bytes.get_mut(..part).unwrap_or_default();
        let read = reader.read(&open, at, part);
        read.map_err(|error| read_error(files, index, ReadError::Read(error)))?;
        if part.iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
        at += part.len() as u64;
    }
    Ok(true)
}
