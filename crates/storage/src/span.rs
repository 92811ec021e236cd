//! Reads a range of a torrent across its files, with padding as zeros, and watches that the files
//! stay what they were.
//! It never decides what to do about a file that did not.

use std::io;
use std::sync::Arc;

use metainfo::FileSpan;

use crate::backend::Reader;
use crate::error::{Error, ErrorKind};
use crate::file_cache::InUse;
use crate::files::Files;
use crate::paths::Access;
use crate::torrent::Torrent;
use crate::watch::Seen;

/// Fills `into` from the files, span after span. `open` finds the file of a span.
pub(crate) fn read_spans(
    files: &Files,
    reader: &mut dyn Reader,
    spans: impl Iterator<Item = FileSpan>,
    mut into: &mut [u8],
    mut open: impl FnMut(usize) -> Result<InUse, Error>,
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

/// Why what was read is not to be believed.
#[derive(Debug)]
pub(crate) enum Doubt {
    /// The file was written to by another program meanwhile: it may be read again.
    Written,
    /// The file is lost.
    Lost(Error),
}

/// Reads of one batch: each file is looked at once before the first read and once after the last,
/// and only then are the reads to be believed. No more files are in use at a time than one job may
/// have: those before them are looked at for the last time, and used again if they are needed again.
pub(crate) struct Batch {
    files: Vec<Used>,
    /// Torrents of which something that was read is not to be believed.
    doubtful: Vec<(Arc<Torrent>, Doubt)>,
    /// Whether a file may be opened and looked up, which can wait for a disk.
    patient: bool,
}

struct Used {
    torrent: Arc<Torrent>,
    index: usize,
    open: InUse,
    seen: Seen,
}

impl Batch {
    pub(crate) fn new() -> Self {
        Self { files: Vec::new(), doubtful: Vec::new(), patient: true }
    }

    /// Reads only from files that are open and were looked up lately.
    pub(crate) fn impatient() -> Self {
        Self { patient: false, ..Self::new() }
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
    pub(crate) fn settle(mut self) -> Vec<(Arc<Torrent>, Doubt)> {
        self.let_go();
        self.doubtful
    }

    /// Looks at the files again, and has none in use from then on.
    fn let_go(&mut self) {
        for Used { torrent, index, open, seen } in self.files.drain(..) {
            match torrent.watch.after(&torrent.files, index, &open, seen) {
                Ok(true) => {}
                Ok(false) => self.doubtful.push((torrent, Doubt::Written)),
                Err(error) => self.doubtful.push((torrent, Doubt::Lost(error))),
            }
        }
    }

    /// The file, to be read from and believed once that is [settled](Self::settle).
    pub(crate) fn open(&mut self, torrent: &Arc<Torrent>, index: usize) -> Result<InUse, Error> {
        // The last one used is nearly always the one.
        let same = |used: &&Used| used.index == index && Arc::ptr_eq(&used.torrent, torrent);
        if let Some(used) = self.files.iter().rev().find(same) {
            return Ok(used.open.clone());
        }
        let files = &torrent.files;
        if self.files.len() >= files.descriptors.cache.share() {
            self.let_go();
        }
        let open = if self.patient {
            if let Some(open) = files.open_now(index, Access::Read)? {
                open
            } else {
                // Who waits has none in use.
                self.let_go();
                files.open(index, Access::Read)?
            }
        } else {
            let open = files.is_open(index).filter(|_| torrent.watch.looked_lately(index));
            open.ok_or_else(|| Error::plain(ErrorKind::Io, "it would have to be looked up"))?
        };
        let seen = torrent.watch.before(files, index, &open)?;
        let used = Used { torrent: Arc::clone(torrent), index, open: open.clone(), seen };
        self.files.push(used);
        Ok(open)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use metainfo::Layout;

    use super::*;
    use crate::backend::Positional;
    use crate::files::Descriptors;
    use crate::lock::SpareLocks;
    use crate::spec::{FileSpec, Spec};

    /// A torrent of 400 files of 5 bytes, open with so many descriptors, its bytes and their folder.
    fn tiny_files(descriptors: usize) -> (tempfile::TempDir, Vec<u8>, Arc<Torrent>) {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(16_384, &[5; 400]).unwrap();
        let bytes: Vec<u8> = (0..2_000_u16).map(|n| n.to_le_bytes()[0]).collect();
        let file = |(number, bytes): (usize, &[u8])| {
            fs::write(folder.path().join(number.to_string()), bytes).unwrap();
            FileSpec { path: number.to_string().into(), on_disk: true }
        };
        let files = bytes.chunks(5).enumerate().map(file).collect();
        let spec = Spec::from_parts(folder.path(), files, layout, vec![[0; 20]]).unwrap();
        let descriptors = Descriptors::of(descriptors);
        let torrent = Torrent::open(&spec, None, &descriptors, SpareLocks::of(4)).unwrap();
        (folder, bytes, Arc::new(torrent))
    }

    fn read(batch: &mut Batch, torrent: &Arc<Torrent>, into: &mut [u8]) -> Result<(), Error> {
        let layout = torrent.files.spec().layout();
        batch.read(torrent, &mut Positional, layout.spans_between(0..2_000), into)
    }

    #[test]
    fn reads_that_want_more_files_than_there_are_descriptors_all_end() {
        for descriptors in [1, 2, 9] {
            let (_folder, bytes, torrent) = tiny_files(descriptors);
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        let mut batch = Batch::new();
                        for _ in 0..5 {
                            let mut into = vec![0; 2_000];
                            read(&mut batch, &torrent, &mut into).unwrap();
                            assert!(into == bytes);
                            assert!(torrent.files.descriptors.cache.open_files() <= descriptors);
                        }
                        assert!(batch.settle().is_empty());
                    });
                }
            });
        }
    }

    #[test]
    fn what_was_written_by_another_is_noticed_though_its_file_was_let_go_in_between() {
        let (_folder, _, torrent) = tiny_files(3);
        let mut batch = Batch::new();
        let first = batch.open(&torrent, 0).unwrap();
        let before = first.stamp().unwrap();
        // As often as it takes for a clock that is too coarse.
        while first.stamp().unwrap() == before {
            first.file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
        }
        drop(first);
        for index in 1..10 {
            batch.open(&torrent, index).unwrap();
        }
        let doubtful = batch.settle();
        assert_eq!(doubtful.len(), 1);
        assert!(matches!(doubtful[0].1, Doubt::Written));
    }
}
