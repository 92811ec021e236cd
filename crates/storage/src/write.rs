//! Writes blocks to a torrent's files: neighbours in one call, across as few calls as the files
//! allow. Always positional, never through a mapping, so that a full disk is an error to report.

use std::io::IoSlice;

use metainfo::Block;
use rustix::io::{Errno, pwritev};

use crate::error::Error;
use crate::paths::Access;
use crate::torrent::Torrent;

/// The most slices one `pwritev` takes (`IOV_MAX` on every system we know).
pub(crate) const MAX_SLICES: usize = 1024;

/// The most blocks that go to the kernel at once: 256 KiB. It gives a file pages as large as the write,
/// up to 2 MiB, and in a virtual machine that gives free memory back to its host the large ones are
/// those that must be asked for again, at six times the cost of the write. Smaller writes cost more
/// calls.
const AT_ONCE: usize = 16;

/// Writes the blocks, in ascending order, to where they belong. Bytes of padding are dropped.
pub(crate) fn write_blocks<'a>(
    torrent: &Torrent,
    blocks: impl Iterator<Item = (Block, &'a [u8])>,
) -> Result<(), Error> {
    let layout = torrent.files.spec().layout();
    let mut run = Run { torrent, file: 0, start: 0, len: 0, slices: Vec::new() };
    for (block, mut data) in blocks {
        for span in layout.spans(block) {
            let len = usize::try_from(span.len).unwrap_or(usize::MAX);
            let Some((part, rest)) = data.split_at_checked(len) else { break };
            data = rest;
            if torrent.files.on_disk(span.file) {
                run.push(span.file, span.offset, part)?;
            }
        }
    }
    run.flush()
}

/// Neighbouring slices of one file, waiting to be written together.
struct Run<'a, 't> {
    torrent: &'t Torrent,
    file: usize,
    start: u64,
    len: u64,
    slices: Vec<IoSlice<'a>>,
}

impl<'a> Run<'a, '_> {
    fn push(&mut self, file: usize, offset: u64, part: &'a [u8]) -> Result<(), Error> {
        let adjoins = file == self.file && offset == self.start + self.len;
        if !adjoins || self.slices.len() == MAX_SLICES {
            self.flush()?;
            (self.file, self.start) = (file, offset);
        }
        self.slices.push(IoSlice::new(part));
        self.len += part.len() as u64;
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Error> {
        if self.slices.is_empty() {
            return Ok(());
        }
        let Torrent { files, watch, .. } = self.torrent;
        let open = files.open(self.file, Access::Write)?;
        self.torrent.note_file(self.file);
        let turn = open.turn();
        watch.writing(files, self.file, &open)?;
        let mut slices = self.slices.as_mut_slice();
        let (mut offset, mut left) = (self.start, self.len);
        let mut result = Ok(());
        while !slices.is_empty() && result.is_ok() {
            let now = slices.get(..AT_ONCE).unwrap_or(slices);
            match pwritev(&open.file, now, offset) {
                Ok(0) => result = Err(Errno::NOSPC),
                Ok(written) => {
                    IoSlice::advance_slices(&mut slices, written);
                    offset += written as u64;
                    left -= written as u64;
                }
                Err(Errno::INTR) => {}
                Err(errno) => result = Err(errno),
            }
        }
        watch.written(self.file, &open);
        drop(turn);
        self.slices.clear();
        self.len = 0;
        result.map_err(|errno| self.torrent.write_error(self.file, errno, left))
    }
}
