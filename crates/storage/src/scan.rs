//! Hashes many pieces from their files: on all processors, several pieces side by side on each,
//! through windows so small that memory does not grow with piece or torrent.
//! It never judges a digest and never writes.

use std::cell::Cell;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use metainfo::{Layout, MAX_REQUEST_LEN, PieceIndex};

use crate::backend::{Backend, Reader, Source, View, Windows, look, reader};
use crate::error::{Error, ErrorKind};
use crate::file_cache::InUse;
use crate::files::Files;
use crate::paths::Access;
use crate::span::{ReadError, read_spans};
use crate::sys;
use holes::Holes;
use stream::{Length, Stream, hash};
pub(crate) use zeros::Zeros;

mod holes;
mod stream;
#[cfg(test)]
mod tests;
mod zeros;

/// Bytes of each piece hashed at a time, where they lie if they can be seen there. If not, sixteen
/// such windows stay in a processor's cache, so that they are hashed where they were read to.
const WINDOW: u32 = MAX_REQUEST_LEN;

/// Bytes of each piece that are asked for ahead: enough for a spinning disk to go to each of
/// sixteen pieces in turn and still read at its speed.
const READ_AHEAD: u32 = 1024 * 1024;

/// Bytes of a file that are worth asking for ahead: below a page, opening the file costs more than the
/// reading, and it would have to be opened twice.
const WORTH_READING_AHEAD: u64 = 4 * 1024;

/// Bytes of a piece for each further file it is in that are worth asking whether they are holes: with
/// smaller files, opening them costs as much as reading them.
const WORTH_ASKING: u64 = 64 * 1024;

/// How often each thread reports progress.
const REPORT_EVERY: Duration = Duration::from_millis(100);

/// How far a verification or creation is. Padding does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Bytes looked at so far.
    pub checked: u64,
    /// Bytes to look at.
    pub total: u64,
}

/// What to hash, and who wants to know.
pub(crate) struct Scan<'a> {
    pub(crate) files: &'a Files,
    pub(crate) backend: Backend,
    /// 0 for one per processor.
    pub(crate) threads: usize,
    /// Pieces whose files are all there.
    pub(crate) pieces: &'a [PieceIndex],
    pub(crate) wanted: Wanted,
    /// Bytes already accounted for, and all there are.
    pub(crate) progress: Progress,
    pub(crate) report: &'a (dyn Fn(Progress) + Sync),
    pub(crate) cancel: &'a AtomicBool,
}

/// Which hashes of a piece to compute.
#[derive(Clone, Copy)]
pub(crate) struct Wanted {
    /// The SHA-1 of the whole piece.
    pub(crate) sha1: bool,
    /// The SHA-256 of each of its blocks, for a merkle tree (BEP 52).
    pub(crate) leaves: bool,
}

impl Wanted {
    /// What version 1 needs.
    pub(crate) const SHA1: Self = Self { sha1: true, leaves: false };
    /// What version 2 needs.
    pub(crate) const LEAVES: Self = Self { sha1: false, leaves: true };
}

/// The hashes of a piece, as far as they were wanted.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Hashed {
    pub(crate) sha1: [u8; 20],
    /// One for each block that holds bytes of a file on disk: padding is no part of the tree.
    pub(crate) leaves: Vec<[u8; 32]>,
}

/// The hashes of a piece, or why it has none: the file at fault and what happened.
pub(crate) type Digest = Result<Hashed, (usize, ReadError)>;

impl Scan<'_> {
    /// Calls `found` for every piece, from several threads and in no order.
    pub(crate) fn run(&self, found: &(dyn Fn(PieceIndex, Digest) + Sync)) -> Result<(), Error> {
        let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let threads = if self.threads == 0 { processors } else { self.threads };
        // As many side by side as hash best, but with something to do for every thread.
        let side_by_side =
            piecehash::lanes().min(self.pieces.len().div_ceil(threads.max(1))).max(1);
        let groups: Vec<&[PieceIndex]> = self.pieces.chunks(side_by_side).collect();
        let common = Common {
            scan: self,
            groups: &groups,
            next: AtomicUsize::new(0),
            checked: AtomicU64::new(self.progress.checked),
            zeros: Zeros::new(self.files.spec().layout().piece_length()),
            found,
        };
        std::thread::scope(|scope| {
            // The first is this thread.
            for _ in 1..threads.min(groups.len()) {
                let common = &common;
                let worker = move || Worker::new(common, side_by_side).run();
                if std::thread::Builder::new().spawn_scoped(scope, worker).is_err() {
                    log::warn!("the system gives us no more threads; hashing with fewer");
                    break;
                }
            }
            Worker::new(&common, side_by_side).run();
        });
        if self.cancel.load(Ordering::Relaxed) {
            return Err(Error::cancelled());
        }
        (self.report)(Progress { checked: self.progress.total, total: self.progress.total });
        Ok(())
    }
}

/// What the threads of one scan share.
struct Common<'a> {
    scan: &'a Scan<'a>,
    groups: &'a [&'a [PieceIndex]],
    next: AtomicUsize,
    checked: AtomicU64,
    zeros: Zeros,
    found: &'a (dyn Fn(PieceIndex, Digest) + Sync),
}

/// Pieces that one thread takes together.
struct Group {
    /// Wholly in holes: their bytes are known.
    holes: Vec<PieceIndex>,
    to_read: Vec<PieceIndex>,
}

/// Where the next bytes of a piece are.
enum Filled {
    /// In their file.
    View(View, Length),
    /// In the window they were read to.
    Window,
    /// Nowhere yet: there is no descriptor for their file now.
    Later,
}

/// One thread of a scan.
struct Worker<'a> {
    common: &'a Common<'a>,
    reader: Box<dyn Reader>,
    /// One window for each piece of a group.
    windows: Vec<u8>,
    /// The file used last: nearly always the next one, too.
    last: Option<(usize, InUse)>,
    holes: Holes,
    reported: Instant,
}

impl<'a> Worker<'a> {
    fn new(common: &'a Common<'a>, side_by_side: usize) -> Self {
        let windows = vec![0; side_by_side * WINDOW as usize];
        let piece_length = u64::from(common.scan.files.spec().layout().piece_length());
        let span = piece_length.saturating_mul(side_by_side as u64);
        let reader = reader(common.scan.backend, Windows::within(span));
        let holes = Holes::default();
        Self { common, reader, windows, last: None, holes, reported: Instant::now() }
    }

    fn run(mut self) {
        let mut next = self.claim();
        while let Some(group) = next {
            if self.is_cancelled() {
                return;
            }
            next = self.claim();
            // The disk works on the next group while we hash this one.
            for piece in next.iter().flat_map(|group| &group.to_read) {
                self.read_ahead(*piece, 0);
            }
            if self.hash(&group).is_none() {
                return;
            }
        }
    }

    fn is_cancelled(&self) -> bool {
        self.common.scan.cancel.load(Ordering::Relaxed)
    }

    /// The next group. What is a hole is found out now, before anything of it is read ahead.
    fn claim(&mut self) -> Option<Group> {
        let pieces = self.common.groups.get(self.common.next.fetch_add(1, Ordering::Relaxed))?;
        let (holes, to_read) = pieces.iter().partition(|piece| self.is_hole(**piece));
        Some(Group { holes, to_read })
    }

    /// Hashes the pieces of a group side by side; `None` when told to stop.
    fn hash(&mut self, group: &Group) -> Option<()> {
        for piece in &group.holes {
            let (len, content) = (self.layout().piece_len(*piece), self.content(*piece));
            let Common { zeros, scan, .. } = self.common;
            let hashed = zeros.hashed(len, content, scan.wanted, scan.cancel)?;
            self.finish(*piece, 0, Ok(hashed));
        }
        let stream = |piece: &PieceIndex| Stream::new(*piece, self.content(*piece));
        let mut streams: Vec<Stream> = group.to_read.iter().map(stream).collect();
        while !streams.is_empty() {
            if self.is_cancelled() {
                return None;
            }
            self.advance(&mut streams);
            let layout = self.layout();
            for index in (0..streams.len()).rev() {
                let ended = streams.get(index).is_some_and(|stream| stream.ended(layout));
                if ended {
                    let ended = streams.swap_remove(index);
                    let Stream { piece, hash, leaves, failed, offset, .. } = ended;
                    let hashed = || Hashed { sha1: hash.finish(), leaves };
                    self.finish(piece, offset, failed.map_or_else(|| Ok(hashed()), Err));
                }
            }
        }
        Some(())
    }

    /// Gets the next bytes of each piece, then hashes them all.
    fn advance(&mut self, streams: &mut [Stream]) {
        let mut windows = std::mem::take(&mut self.windows);
        let mut sources = Vec::with_capacity(streams.len());
        let mut lengths = Vec::new();
        for (stream, window) in streams.iter_mut().zip(windows.chunks_exact_mut(WINDOW as usize)) {
            if stream.offset.is_multiple_of(READ_AHEAD) {
                self.read_ahead(stream.piece, stream.offset.saturating_add(READ_AHEAD));
            }
            let others = lengths.iter().any(Option::is_some);
            match self.fill(stream, window, others) {
                Ok(Filled::View(view, length)) => {
                    sources.push(Source::Mapped(view));
                    lengths.push(Some(length));
                    continue;
                }
                Ok(Filled::Window) => {}
                Ok(Filled::Later) => stream.put_off(),
                Err(failure) => stream.failed = Some(failure),
            }
            sources.push(Source::Copied(window.get(..stream.filled as usize).unwrap_or_default()));
            lengths.push(None);
        }
        let wanted = self.common.scan.wanted;
        let torn = look(&sources, |bytes| hash(streams, bytes, wanted));
        drop(sources);
        let mut known = None;
        let counted = |stream: &Stream| content_before(self.layout(), stream.piece, stream.offset);
        let mut looked_at = 0;
        for (number, (stream, length)) in streams.iter_mut().zip(lengths).enumerate() {
            let before = counted(stream);
            stream.offset += stream.filled;
            looked_at += counted(stream) - before;
            let failure = |length: Length| length.failure(torn.contains(number), &mut known);
            if let Some(failure) = length.and_then(failure) {
                stream.failed.get_or_insert(failure);
            }
        }
        if !torn.is_empty() {
            self.reader.forget();
        }
        self.windows = windows;
        self.report(looked_at);
    }

    /// Bytes of the piece that are on disk; what follows them is padding.
    fn content(&self, piece: PieceIndex) -> u32 {
        let on_disk = |file| self.common.scan.files.on_disk(file);
        let spans = self.layout().piece_spans(piece).filter(|span| on_disk(span.file));
        u32::try_from(spans.map(|span| span.len).sum::<u64>()).unwrap_or(u32::MAX)
    }

    /// Finds the next bytes of the piece where they lie in a file, or else reads them into `window`.
    /// Puts it off if the files that `others` have in use must be let go before.
    fn fill(
        &mut self,
        stream: &mut Stream,
        window: &mut [u8],
        others: bool,
    ) -> Result<Filled, (usize, ReadError)> {
        let layout = self.layout();
        let left = layout.piece_len(stream.piece).saturating_sub(stream.offset);
        stream.begin(left.min(WINDOW));
        let Some(range) = layout.range(stream.piece.get(), stream.offset, stream.filled) else {
            return Ok(Filled::Window);
        };
        let into = window.get_mut(..stream.filled as usize).unwrap_or_default();
        let scan = self.common.scan;
        let last = &mut self.last;
        let put_off = Cell::new(false);
        let mut open = |index| match find(scan.files, last, index)? {
            Some(open) => Ok(open),
            None if others => {
                put_off.set(true);
                Err(Error::plain(ErrorKind::NoDescriptors, "later"))
            }
            None => scan.files.open_unless(scan.cancel, index, Access::Read),
        };
        if let Some(span) = layout.spans(range).next()
            && span.len == u64::from(stream.filled)
            && scan.files.on_disk(span.file)
        {
            let failed = |error| (span.file, error);
            let file = match open(span.file) {
                Err(_) if put_off.get() => return Ok(Filled::Later),
                opened => opened.map_err(|e| failed(ReadError::Open(e)))?,
            };
            let view = self.reader.view(&file, span.offset, into.len());
            if let Some(view) = view.map_err(|e| failed(ReadError::Read(e)))? {
                let end = span.offset + span.len;
                return Ok(Filled::View(view, Length { file, index: span.file, end }));
            }
        }
        match read_spans(scan.files, &mut *self.reader, layout.spans(range), into, &mut open) {
            Err(_) if put_off.get() => Ok(Filled::Later),
            read => read.map(|()| Filled::Window),
        }
    }

    fn layout(&self) -> &'a Layout {
        self.common.scan.files.spec().layout()
    }

    /// Passes the digest on; what comes after `offset` in the piece was not reported yet.
    fn finish(&mut self, piece: PieceIndex, offset: u32, digest: Digest) {
        (self.common.found)(piece, digest);
        let layout = self.layout();
        self.report(layout.piece_content_len(piece) - content_before(layout, piece, offset));
    }

    fn report(&mut self, looked_at: u32) {
        let scan = self.common.scan;
        let len = u64::from(looked_at);
        let checked = self.common.checked.fetch_add(len, Ordering::Relaxed).saturating_add(len);
        if self.reported.elapsed() >= REPORT_EVERY {
            self.reported = Instant::now();
            (scan.report)(Progress { checked, total: scan.progress.total });
        }
    }

    /// Asks for up to [`READ_AHEAD`] bytes of the piece from `offset`.
    fn read_ahead(&mut self, piece: PieceIndex, offset: u32) {
        let mut skip = u64::from(offset);
        let mut wanted = u64::from(READ_AHEAD);
        for span in self.layout().piece_spans(piece) {
            let skipped = skip.min(span.len);
            skip -= skipped;
            let len = (span.len - skipped).min(wanted);
            wanted -= len;
            if len >= WORTH_READING_AHEAD && self.common.scan.files.on_disk(span.file) {
                // What can't be opened fails when it is read.
                if let Ok(Some(open)) = find(self.common.scan.files, &mut self.last, span.file) {
                    sys::will_need(&open.file, span.offset + skipped, len);
                }
            }
            if wanted == 0 {
                break;
            }
        }
    }

    /// Whether the piece was never written: all of it is holes or padding.
    fn is_hole(&mut self, piece: PieceIndex) -> bool {
        let files = self.common.scan.files;
        let spans = || self.common.scan.files.spec().layout().piece_spans(piece);
        let others = spans().filter(|span| files.on_disk(span.file)).skip(1).count() as u64;
        if u64::from(self.layout().piece_len(piece)) < others.saturating_mul(WORTH_ASKING) {
            return false;
        }
        spans().filter(|span| files.on_disk(span.file)).all(|span| {
            let open = find(files, &mut self.last, span.file);
            matches!(open, Ok(Some(open)) if self.holes.cover(&open, span))
        })
    }
}

/// How many of the first bytes of a piece are counted: all that are not padding, which counts as if it
/// came last.
fn content_before(layout: &Layout, piece: PieceIndex, offset: u32) -> u32 {
    layout.piece_content_len(piece).min(offset)
}

/// The file; `None` where there is no descriptor for it now. The one used before is let go.
fn find(
    files: &Files,
    last: &mut Option<(usize, InUse)>,
    index: usize,
) -> Result<Option<InUse>, Error> {
    if let Some((_, open)) = last.as_ref().filter(|(used, _)| *used == index) {
        return Ok(Some(open.clone()));
    }
    *last = None;
    let open = files.open_now(index, Access::Read)?;
    *last = open.clone().map(|open| (index, open));
    Ok(open)
}
