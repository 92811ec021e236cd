//! Hashes pieces again that are in files another program wrote to, before they are served or told as
//! whole. It never writes, and decides nothing about files that were not written to.

use std::iter;
use std::sync::Arc;

use metainfo::{Block, FileSpan, PieceIndex, PieceSet};
use piecehash::Sha1;

use crate::backend::Positional;
use crate::error::{Error, ErrorKind};
use crate::span::{Batch, Doubt};
use crate::torrent::Torrent;
use crate::verify::{Options, verify};

/// How often something is hashed again because another program wrote to its file meanwhile. One that
/// goes on writing is not waited for.
pub(crate) const ATTEMPTS: usize = 3;

/// Bytes read at a time.
const STEP: usize = 256 * 1024;

/// Looks at all files and hashes those of the pieces again that are doubtful. Gives those that are wrong.
///
/// # Errors
/// [`ErrorKind::Changed`] for a file that was cut, removed or replaced, or that keeps being written to.
pub(crate) fn pieces(torrent: &Torrent, pieces: &PieceSet) -> Result<Vec<PieceIndex>, Error> {
    let Torrent { files, watch, .. } = torrent;
    let mut wrong = PieceSet::new_empty(pieces.len());
    for _ in 0..ATTEMPTS {
        watch.look_at_all(files);
        watch.refuse_lost(files)?;
        let doubtful = watch.doubtful_of(pieces, &wrong);
        if doubtful.is_empty() {
            return Ok(wrong.iter().collect());
        }
        let mark = |piece| Some((piece, watch.mark(files, piece)?));
        let marks: Vec<_> = doubtful.iter().filter_map(mark).collect();
        let options = Options { threads: 1, pieces: Some(&doubtful), ..Options::default() };
        let found = verify(files.spec(), &options, &|_| {}, &files.descriptors.over)?;
        for (piece, mark) in marks {
            if found.whole.contains(piece) {
                watch.hashed(files, piece, mark);
            } else {
                wrong.insert(piece);
            }
        }
    }
    Err(keeps_changing())
}

/// Reads a block of a piece that may be doubtful, and hashes that first if it is.
///
/// # Errors
/// As those of [`Batch::read`], and [`ErrorKind::Changed`] when the piece is wrong.
pub(crate) fn read(torrent: &Arc<Torrent>, block: Block, into: &mut [u8]) -> Result<(), Error> {
    let Torrent { files, watch, .. } = &**torrent;
    let piece = block.piece();
    for _ in 0..ATTEMPTS {
        if let Some(mark) = watch.mark(files, piece) {
            let Some(digest) = hash(torrent, piece)? else { continue };
            if files.spec().expected(piece) != Some(&digest) {
                return Err(watch.lost_piece(files, piece));
            }
            watch.hashed(files, piece, mark);
        }
        let mut batch = Batch::new();
        let spans = files.spec().layout().spans(block);
        batch.read(torrent, &mut Positional, spans, into)?;
        match batch.settle().pop() {
            Some((_, Doubt::Lost(error))) => return Err(error),
            None if !watch.is_doubtful(piece) => return Ok(()),
            _ => {}
        }
    }
    Err(keeps_changing())
}

/// The SHA-1 of a piece as it is on disk; `None` if its files were written to meanwhile.
fn hash(torrent: &Arc<Torrent>, piece: PieceIndex) -> Result<Option<[u8; 20]>, Error> {
    let mut hash = Sha1::new();
    let mut batch = Batch::new();
    let mut buffer = vec![0; STEP];
    for FileSpan { file, mut offset, mut len } in torrent.files.spec().layout().piece_spans(piece) {
        while len > 0 {
            let now = len.min(STEP as u64);
            let into = buffer.get_mut(..usize::try_from(now).unwrap_or(STEP)).unwrap_or_default();
            let span = FileSpan { file, offset, len: now };
            batch.read(torrent, &mut Positional, iter::once(span), into)?;
            hash.update(into);
            offset = offset.saturating_add(now);
            len -= now;
        }
    }
    match batch.settle().pop() {
        Some((_, Doubt::Lost(error))) => Err(error),
        Some((_, Doubt::Written)) => Ok(None),
        None => Ok(Some(hash.finish())),
    }
}

fn keeps_changing() -> Error {
    let message = "another program keeps writing to the torrent's files; end it and start again";
    Error::plain(ErrorKind::Changed, message)
}
