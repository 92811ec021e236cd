//! Reads a range of a torrent across its files, with padding as zeros, and watches that the files
//! stay what they were.
//! It never decides what to do about a file that did not.

use std::io;
use std::sync::Arc;

use metainfo::FileSpan;

use crate::backend::Reader;
use crate::error::{Error, ErrorKind};
use crate::files::{Files, OpenFile};
use crate::paths::Access;
use crate::torrent::Torrent;
use crate::watch::Seen;

/// Fills `into` from the files, span after span. `open` finds the file of a span.
pub(crate) fn read_spans(
    files: &Files,
    reader: &mut dyn Reader,
    spans: impl Iterator<Item = FileSpan>,
    mut into: &mut [u8],
    mut open: impl FnMut(usize) -> Result<Arc<OpenFile>, Error>,
) -> Result<(), (usize, ReadError)> {
    for span in spans {
        let len = usize::try_from(span.len).unwrap_or(usize::MAX).min(into.len());
        let (part, rest) = std::mem::take(&mut into).split_at_mut(len);
        into = rest;
        if files.on_disk(span.file) {
            let file = open(span.file).map_err(|error| (span.file, ReadError::Open(error)))?;
            reader
                .read(&file, span.offset, part)
                .map_err(|error| (span.file, ReadError::Read(error)))?;
        } else {
            part.fill(0);
        }
    }
    Ok(())
}

/// Why a range could not be read.
#[derive(Debug)]
pub(crate) enum ReadError {
    Open(Error),
    Read(io::Error),
}

/// Reads of one batch: each file is looked at once before the first read and once after the last,
/// and only then are the reads to be believed.
pub(crate) struct Batch {
    files: Vec<Used>,
    /// Whether a file may be opened and looked up, which can wait for a disk.
    patient: bool,
}

struct Used {
    torrent: Arc<Torrent>,
    index: usize,
    open: Arc<OpenFile>,
    seen: Seen,
}

impl Batch {
    pub(crate) fn new() -> Self {
        Self { files: Vec::new(), patient: true }
    }

    /// Reads only from files that are open and were looked up lately.
    pub(crate) fn impatient() -> Self {
        Self { files: Vec::new(), patient: false }
    }

    /// Reads into `into`; not to be used before [`settle`](Self::settle) says so.
    pub(crate) fn read(
        &mut self,
        torrent: &Arc<Torrent>,
        reader: &mut dyn Reader,
        spans: impl Iterator<Item = FileSpan>,
        into: &mut [u8],
    ) -> Result<(), Error> {
        let files = &torrent.files;
        let result = read_spans(files, reader, spans, into, |index| self.open(torrent, index));
        result.map_err(|(index, error)| match error {
            ReadError::Open(error) => error,
            ReadError::Read(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                torrent.watch.lost(files, index, "was cut")
            }
            ReadError::Read(error) => Error::io("read it", &files.path(index), &error),
        })
    }

    /// Looks at the files again. What was read of a torrent can be believed if it is not among
    /// those returned.
    pub(crate) fn settle(self) -> Vec<(Arc<Torrent>, Error)> {
        let check = |used: Used| {
            let Used { torrent, index, open, seen } = used;
            let result = torrent.watch.after(&torrent.files, index, &open, seen);
            result.err().map(|error| (torrent, error))
        };
        self.files.into_iter().filter_map(check).collect()
    }

    /// The file, to be read from and believed once that is [settled](Self::settle).
    pub(crate) fn open(
        &mut self,
        torrent: &Arc<Torrent>,
        index: usize,
    ) -> Result<Arc<OpenFile>, Error> {
        // The last one used is nearly always the one.
        let same = |used: &&Used| used.index == index && Arc::ptr_eq(&used.torrent, torrent);
        if let Some(used) = self.files.iter().rev().find(same) {
            return Ok(Arc::clone(&used.open));
        }
        let ready = || {
            let open = torrent.files.is_open(index)?;
            torrent.watch.looked_lately(index).then_some(open)
        };
        let open = if self.patient {
            torrent.files.open(index, Access::Read)?
        } else {
            ready().ok_or_else(|| Error::plain(ErrorKind::Io, "it would have to be looked up"))?
        };
        let seen = torrent.watch.before(&torrent.files, index, &open)?;
        let used = Used { torrent: Arc::clone(torrent), index, open: Arc::clone(&open), seen };
        self.files.push(used);
        Ok(open)
    }
}
