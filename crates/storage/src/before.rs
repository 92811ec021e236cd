//! What was in a torrent's place before it: files that are in use, longer than the torrent says, or of
//! other content. They are told apart from what an earlier download left, before anything is written.
//! It never writes, and never decides whether to overwrite.

use std::collections::HashMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use metainfo::{FileSpan, Layout, PieceIndex, PieceSet, sanitise_name};
use rustix::fs::Stat;

use crate::backend::{Backend, Windows, reader};
use crate::error::{Error, ErrorKind};
use crate::file_cache::FileCache;
use crate::files::{FileId, Files};
use crate::fit;
use crate::lock::Locks;
use crate::paths::{Access, Root};
use crate::room::survey_unless;
use crate::span::ReadError;
use crate::spec::{Allocation, Spec};
use crate::stamp;
use crate::torrent::refuse_if_full;
use crate::verify::{Verified, read_error};

/// Bytes looked at in one go when it is asked whether a file is empty room.
const STEP: usize = 256 * 1024;

/// What is unlikely to be zeros in a file that is not of our making.
const PAGE: usize = 4096;

/// Whether a run of ours wrote what is in a file, whatever that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writer {
    /// Nothing says so.
    Unknown,
    /// It did, and nothing else did since.
    Ours,
    /// It did, and something may have been written since: a file that has room left is ours, as a run
    /// leaves it that is killed, and one that is full is not.
    Perhaps,
}

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
        self.stats.iter().flatten().all(|stat| stamp::len(stat) == 0)
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

    /// Refuses files that are not there.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`].
    pub fn refuse_missing(&self) -> Result<(), Error> {
        let on_disk =
            |index: &usize| self.spec.files().get(*index).is_some_and(|file| file.on_disk);
        let is_missing = |index: &usize| on_disk(index) && self.len(*index).is_none();
        match (0..self.stats.len()).find(is_missing) {
            None => Ok(()),
            Some(index) => {
                let (kind, path) = (ErrorKind::NotFound, self.spec.path_of(index));
                Err(Error::new(kind, &path, "is missing; `download` makes it"))
            }
        }
    }

    /// Refuses two names of one file, of which a piece is missing: what is written to one would be in the
    /// other too.
    ///
    /// # Errors
    /// [`ErrorKind::Unsafe`].
    pub fn refuse_doubles(&self, whole: &PieceSet) -> Result<(), Error> {
        let layout = self.spec.layout();
        let mut seen: HashMap<FileId, usize> = HashMap::new();
        for (index, stat) in self.stats.iter().enumerate() {
            let Some(stat) = stat.as_ref().filter(|_| self.len(index).is_some()) else { continue };
            let Some(first) = seen.insert(FileId::of(stat), index) else { continue };
            let lacks = |file| {
                let mut pieces = layout.file_pieces(file).filter_map(|piece| layout.piece(piece));
                pieces.any(|piece| !whole.contains(piece))
            };
            if lacks(first) || lacks(index) {
                let message = format!(
                    "is the same file on disk as {}, and not all of it is there; make a copy of one",
                    sanitise_name(self.spec.path_of(first).as_os_str().as_encoded_bytes())
                );
                return Err(Error::new(ErrorKind::Unsafe, &self.spec.path_of(index), message));
            }
        }
        Ok(())
    }

    /// The pieces that have to be hashed, beyond those that were `hashed`, before it can be said whose the
    /// files are: those of files of which nothing right is known yet. Files that are [`Writer::Ours`]
    /// need none.
    pub fn to_judge(&self, found: &Verified, ours: &[Writer], hashed: &PieceSet) -> PieceSet {
        let mut pieces = PieceSet::new_empty(hashed.len());
        for (index, _) in self.strange(ours).filter(|(index, _)| !self.is_proven(*index, found)) {
            for piece in self.pieces_of(index).filter(|piece| !hashed.contains(*piece)) {
                pieces.insert(piece);
            }
        }
        pieces
    }

    /// Refuses files that hold something else than the torrent does. A file is the torrent's if a piece
    /// that it has a part in is whole and not zeros, and room for it if it is blank. Files that are
    /// [`Writer::Ours`] hold what a run of ours has not checked yet.
    ///
    /// A file that is as long as it should be and in which no piece lies wholly can't be judged alone: it
    /// is taken for the torrent's if others are and none is not. Those are returned.
    ///
    /// # Errors
    /// [`ErrorKind::Occupied`]; [`ErrorKind::Cancelled`]; and when a file can't be read.
    pub fn refuse_foreign(
        &self,
        found: &Verified,
        ours: &[Writer],
        cancel: &AtomicBool,
    ) -> Result<Vec<PathBuf>, Error> {
        let layout = self.spec.layout();
        let files = Files::read_only(self.spec.clone());
        let (mut foreign, mut unknown) = (Vec::new(), Vec::new());
        let mut others = false;
        for (index, len) in self.strange(ours) {
            if self.is_proven(index, found) {
                others = true;
                continue;
            }
            let perhaps = ours.get(index) == Some(&Writer::Perhaps);
            if perhaps && len == layout.file_len(index) && has_room(&files, index, len, cancel)? {
                continue;
            }
            let inside =
                || self.pieces_of(index).filter(|piece| lies_in(layout, *piece, index, len));
            if inside().any(|piece| found.wrong.contains(piece)) {
                foreign.push(index);
                continue;
            }
            // What lies inside is zeros.
            let start_of = |piece| self.span_in(piece, index).map_or(0, |span| span.offset);
            let end_of =
                |piece| self.span_in(piece, index).map_or(0, |span| span.offset + span.len);
            let first = inside().next().map_or(len, start_of);
            let last = inside().last().map_or(len, end_of);
            if is_blank(&files, index, 0..first, cancel)?
                && is_blank(&files, index, last..len, cancel)?
            {
                continue;
            }
            if len == layout.file_len(index) && inside().next().is_none() {
                unknown.push(index);
            } else {
                foreign.push(index);
            }
        }
        if !others {
            foreign.append(&mut unknown);
            foreign.sort_unstable();
        }
        match foreign.split_first() {
            None => Ok(unknown.into_iter().map(|index| self.spec.path_of(index)).collect()),
            Some((first, others)) => {
                let why = "holds something else than the torrent does";
                Err(self.occupied(*first, why, others.len()))
            }
        }
    }

    /// The files with bytes that no run of ours wrote, and how many bytes.
    fn strange(&self, ours: &[Writer]) -> impl Iterator<Item = (usize, u64)> {
        let len = |index| Some((index, self.len(index).filter(|len| *len > 0)?));
        let is_ours = |index: usize| ours.get(index) == Some(&Writer::Ours);
        (0..self.stats.len()).filter(move |index| !is_ours(*index)).filter_map(len)
    }

    /// Whether a piece that the file has a part in is whole, and not zeros.
    fn is_proven(&self, index: usize, found: &Verified) -> bool {
        let is_right = |piece| found.whole.contains(piece) && !found.zeros.contains(piece);
        self.pieces_of(index).any(is_right)
    }

    fn pieces_of(&self, index: usize) -> impl Iterator<Item = PieceIndex> {
        let layout = self.spec.layout();
        layout.file_pieces(index).filter_map(|piece| layout.piece(piece))
    }

    /// The part of the piece that is in the file.
    fn span_in(&self, piece: PieceIndex, index: usize) -> Option<FileSpan> {
        self.spec.layout().piece_spans(piece).find(|span| span.file == index)
    }

    /// Bytes in the file, if it is there.
    fn len(&self, index: usize) -> Option<u64> {
        let on_disk = self.spec.files().get(index).is_some_and(|file| file.on_disk);
        let stat = self.stats.get(index)?.as_ref().filter(|_| on_disk)?;
        Some(stamp::len(stat))
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

/// Whether there is a page in the file that was not written to yet, or is zeros.
fn has_room(files: &Files, index: usize, len: u64, cancel: &AtomicBool) -> Result<bool, Error> {
    let is_zeros = |page: &[u8]| page.iter().all(|byte| *byte == 0);
    let mut written = 0;
    let none_left = each_step(files, index, 0..len, cancel, |bytes| {
        written += bytes.len() as u64;
        !bytes.chunks(PAGE).any(is_zeros)
    })?;
    // What was not looked at is holes.
    Ok(!none_left || written < len)
}

/// Whether a part of the file is room that was not written to yet: holes and zeros.
fn is_blank(
    files: &Files,
    index: usize,
    part: Range<u64>,
    cancel: &AtomicBool,
) -> Result<bool, Error> {
    each_step(files, index, part, cancel, |bytes| bytes.iter().all(|byte| *byte == 0))
}

/// Reads a part of the file but for its holes, as long as `goes_on` says yes to what was read. Gives whether
/// it always did.
fn each_step(
    files: &Files,
    index: usize,
    part: Range<u64>,
    cancel: &AtomicBool,
    mut goes_on: impl FnMut(&[u8]) -> bool,
) -> Result<bool, Error> {
    if part.is_empty() {
        return Ok(true);
    }
    let open = files.open_unless(cancel, index, Access::Read)?;
    let mut reader = reader(Backend::Positional, Windows::MANY);
    let mut bytes = vec![0; STEP];
    let mut at = part.start;
    while at < part.end {
        if cancel.load(Ordering::Relaxed) {
            return Err(Error::cancelled());
        }
        at = open.next_data(at).unwrap_or(part.end).min(part.end);
        let now = usize::try_from(part.end - at).unwrap_or(STEP).min(STEP);
        let now = bytes.get_mut(..now).unwrap_or_default();
        let read = reader.read(&open, at, now);
        read.map_err(|error| read_error(files, index, ReadError::Read(error)))?;
        if !now.is_empty() && !goes_on(now) {
            return Ok(false);
        }
        at += now.len() as u64;
    }
    Ok(true)
}
