//! The geometry of a torrent: which bytes are which piece, which block, which part of which file.
//! It never looks at hashes or paths, and it never trusts an integer it did not make.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::error::{Error, ErrorKind};
use padding::Padding;

mod padding;
#[cfg(test)]
mod tests;

/// Bytes in a block, the unit of a request: 16 KiB, as every client has it.
pub const BLOCK_LEN: u32 = 16 * 1024;

/// The longest range a peer may ask for: 32 KiB, which a few clients use; more is refused by
/// the field.
pub const MAX_REQUEST_LEN: u32 = 32 * 1024;

/// The most pieces a torrent may have: 2,097,152. A bitfield is then 256 KiB and the hashes are
/// 40 MiB, which is what a torrent file of the largest accepted size can hold.
pub const MAX_PIECES: u32 = 2_097_152;

/// The longest piece: 1 GiB. Every offset in a piece then fits an `i32` too, and with
/// [`MAX_PIECES`] every offset in a torrent fits 51 bits, so nothing below can overflow.
pub const MAX_PIECE_LENGTH: u32 = 1 << 30;

/// The number of a piece. A number alone promises nothing: [`Layout::piece`] makes one that is
/// known to be in the torrent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PieceIndex(u32);

impl PieceIndex {
    /// The piece with this number, counted from 0.
    pub const fn new(index: u32) -> Self {
        Self(index)
    }

    /// The number, as it goes over the wire.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The number, to index a table.
    pub const fn as_usize(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for PieceIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A range of bytes inside one piece, never empty and never beyond the piece's end. Only a
/// [`Layout`] makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Block {
    piece: PieceIndex,
    offset: u32,
    len: u32,
}

impl Block {
    /// The piece it is part of.
    pub const fn piece(self) -> PieceIndex {
        self.piece
    }

    /// Bytes from the piece's start.
    pub const fn offset(self) -> u32 {
        self.offset
    }

    /// Bytes, at least 1.
    #[allow(clippy::len_without_is_empty, reason = "a block is never empty")]
    pub const fn len(self) -> u32 {
        self.len
    }
}

/// A range of bytes inside one file, never empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileSpan {
    /// Which file: an index into the list of lengths the layout was made of.
    pub file: usize,
    /// Bytes from the file's start.
    pub offset: u64,
    /// Bytes, at least 1.
    pub len: u64,
}

/// How the files of a torrent, laid end to end, are cut into pieces and blocks (BEP 3).
///
/// Cloning is cheap. Lookups are a division or a binary search, so hundreds of thousands of
/// files cost no more than a few.
///
/// Padding ([`with_padding`](Self::with_padding)) is part of pieces and of their hashes, and of no
/// block: a block that would be padding alone does not exist, and one that would begin or end with
/// padding is its other bytes only. Padding between other bytes of one block stays in it, so that a
/// block is always one range; storage takes it for zeros whatever a peer sends there.
///
/// ```
/// use metainfo::{Layout, BLOCK_LEN};
///
/// // 135,168 bytes in pieces of 49,152: two whole pieces and one of 36,864.
/// let layout = Layout::new(49_152, &[135_168])?;
/// let blocks: Vec<Vec<u32>> =
///     layout.pieces().map(|p| layout.blocks(p).map(|b| b.len()).collect()).collect();
/// assert_eq!(blocks, [
///     vec![BLOCK_LEN, BLOCK_LEN, BLOCK_LEN],
///     vec![BLOCK_LEN, BLOCK_LEN, BLOCK_LEN],
///     vec![BLOCK_LEN, BLOCK_LEN, 4_096],
/// ]);
/// # Ok::<(), metainfo::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Layout {
    piece_length: u32,
    piece_count: u32,
    total_len: u64,
    /// Where each file ends in the torrent; ascending, and equal neighbours are empty files.
    ends: Arc<[u64]>,
    padding: Padding,
}

impl Layout {
    /// Lays files of these lengths (bytes) end to end and cuts them into pieces of
    /// `piece_length` bytes, the last one shorter. A padding file is a file here, and counts as any
    /// other until [`with_padding`](Self::with_padding) says which ones are padding.
    ///
    /// # Errors
    /// When `piece_length` is 0 or above [`MAX_PIECE_LENGTH`], and when there would be more than
    /// [`MAX_PIECES`] pieces.
    pub fn new(piece_length: u32, file_lengths: &[u64]) -> Result<Self, Error> {
        if piece_length == 0 || piece_length > MAX_PIECE_LENGTH {
            return Err(Error::new(
                ErrorKind::BadValue,
                format!("piece length {piece_length} is not between 1 and {MAX_PIECE_LENGTH}"),
            ));
        }
        let mut end = 0_u64;
        let mut ends = Vec::with_capacity(file_lengths.len());
        for length in file_lengths {
            end = end.checked_add(*length).ok_or_else(|| {
                Error::new(ErrorKind::TooLarge, "the lengths of the files add up to over 2^64")
            })?;
            ends.push(end);
        }
        let count = end.div_ceil(u64::from(piece_length));
        let piece_count =
            u32::try_from(count).ok().filter(|n| *n <= MAX_PIECES).ok_or_else(|| {
                Error::new(
                    ErrorKind::TooLarge,
                    format!("{count} pieces; the limit is {MAX_PIECES} pieces"),
                )
            })?;
        let padding = Padding::default();
        Ok(Self { piece_length, piece_count, total_len: end, ends: ends.into(), padding })
    }

    /// The same, with the files that `is_padding` names being padding: zeros (BEP 47).
    pub fn with_padding(mut self, is_padding: impl Fn(usize) -> bool) -> Self {
        let files = (0..self.ends.len()).filter(|file| is_padding(*file));
        let range = |file| self.file_offset(file)..self.file_offset(file) + self.file_len(file);
        self.padding = Padding::new(files.map(range));
        self
    }

    /// No pieces and no files: what stands for the geometry of a torrent until it is known.
    pub fn empty() -> Self {
        Self {
            piece_length: BLOCK_LEN,
            piece_count: 0,
            total_len: 0,
            ends: Arc::default(),
            padding: Padding::default(),
        }
    }

    /// Bytes in all files, padding files included.
    pub fn total_len(&self) -> u64 {
        self.total_len
    }

    /// Bytes in all files that are not padding: what there is to download.
    pub fn content_len(&self) -> u64 {
        self.total_len - self.padding.before(self.total_len)
    }

    /// Whether any byte is padding.
    pub fn has_padding(&self) -> bool {
        !self.padding.is_empty()
    }

    /// Bytes in every piece but the last.
    pub fn piece_length(&self) -> u32 {
        self.piece_length
    }

    /// How many pieces there are; 0 when every file is empty.
    pub fn piece_count(&self) -> u32 {
        self.piece_count
    }

    /// The piece a peer's integer names, if this torrent has it.
    pub fn piece(&self, index: u32) -> Option<PieceIndex> {
        (index < self.piece_count).then_some(PieceIndex(index))
    }

    /// All pieces, first to last.
    pub fn pieces(
        &self,
    ) -> impl ExactSizeIterator<Item = PieceIndex> + DoubleEndedIterator + Clone + use<> {
        (0..self.piece_count).map(PieceIndex)
    }

    /// Bytes in this piece, padding included; 0 for a piece the torrent does not have.
    pub fn piece_len(&self, piece: PieceIndex) -> u32 {
        if piece.0 >= self.piece_count {
            return 0;
        }
        let left = self.total_len - self.start_of(piece);
        u32::try_from(left).map_or(self.piece_length, |left| left.min(self.piece_length))
    }

    /// Bytes in this piece that are not padding; 0 for one that is padding alone, and for one the
    /// torrent does not have.
    pub fn piece_content_len(&self, piece: PieceIndex) -> u32 {
        let len = self.piece_len(piece);
        if self.padding.is_empty() {
            return len;
        }
        let start = self.start_of(piece);
        let padding = self.padding.before(start + u64::from(len)) - self.padding.before(start);
        // Never more than the piece has.
        u32::try_from(padding).map_or(0, |padding| len.saturating_sub(padding))
    }

    /// The pieces that are padding alone: known without asking, should their hashes be those of zeros.
    pub fn padding_pieces(&self) -> impl Iterator<Item = PieceIndex> + '_ {
        let piece_length = u64::from(self.piece_length);
        // Neighbouring padding is one gap, so such a piece lies in one.
        self.padding.within(0..self.total_len).flat_map(move |gap| {
            let first = self.narrow(gap.start.div_ceil(piece_length));
            let last = gap.end == self.total_len;
            let beyond = if last { self.piece_count } else { self.narrow(gap.end / piece_length) };
            (first..beyond).map(PieceIndex)
        })
    }

    /// How many blocks the piece is cut into, those that are padding alone included; 0 for a piece
    /// the torrent does not have.
    pub fn block_count(&self, piece: PieceIndex) -> u32 {
        self.piece_len(piece).div_ceil(BLOCK_LEN)
    }

    /// How many of [`block_count`](Self::block_count) are padding alone, so that no block has their
    /// number.
    pub fn padding_block_count(&self, piece: PieceIndex) -> u32 {
        if self.piece_content_len(piece) == self.piece_len(piece) {
            return 0;
        }
        let numbers = 0..self.block_count(piece);
        let absent = numbers.filter(|number| self.block(piece, *number).is_none());
        absent.fold(0, |count, _| count + 1)
    }

    /// Block `number` of the piece, counted from 0. It is [`BLOCK_LEN`] long, or shorter at the
    /// piece's end and where padding begins or ends. `None` beyond the piece's end, and where all is
    /// padding.
    pub fn block(&self, piece: PieceIndex, number: u32) -> Option<Block> {
        let whole = block_in(piece, self.piece_len(piece), number)?;
        if self.padding.is_empty() { Some(whole) } else { self.trimmed(whole) }
    }

    /// The blocks of the piece, first to last.
    pub fn blocks(&self, piece: PieceIndex) -> impl Iterator<Item = Block> + Clone + '_ {
        let len = self.piece_len(piece);
        let whole =
            (0..len.div_ceil(BLOCK_LEN)).filter_map(move |number| block_in(piece, len, number));
        whole.filter_map(
            |block| {
                if self.padding.is_empty() { Some(block) } else { self.trimmed(block) }
            },
        )
    }

    /// The padding within the block, as bytes from the block's start, in order.
    pub fn padding_in(&self, block: Block) -> impl Iterator<Item = Range<usize>> + '_ {
        let bytes = self.range_of(block);
        // What lies within a block fits whatever a block's length fits.
        let place = |from: u64, at: u64| usize::try_from(at - from).unwrap_or(usize::MAX);
        let start = bytes.start;
        self.padding.within(bytes).map(move |part| place(start, part.start)..place(start, part.end))
    }

    /// The range a peer asked for, if it lies inside a piece of this torrent and is neither
    /// empty nor longer than [`MAX_REQUEST_LEN`]. It need not be one of [`blocks`](Self::blocks).
    pub fn range(&self, piece: u32, offset: u32, len: u32) -> Option<Block> {
        let piece = self.piece(piece)?;
        let end = offset.checked_add(len)?;
        (len > 0 && len <= MAX_REQUEST_LEN && end <= self.piece_len(piece)).then_some(Block {
            piece,
            offset,
            len,
        })
    }

    /// Which of [`blocks`](Self::blocks) of its piece this is; `None` when it is a range that
    /// does not coincide with one. Numbers of blocks that are padding alone are passed over.
    pub fn block_number(&self, block: Block) -> Option<u32> {
        let number = block.offset / BLOCK_LEN;
        (self.block(block.piece, number) == Some(block)).then_some(number)
    }

    /// The block's bytes, counted from the torrent's start.
    pub fn range_of(&self, block: Block) -> Range<u64> {
        let start = self.start_of(block.piece) + u64::from(block.offset);
        start..start + u64::from(block.len)
    }

    /// Where the block's bytes are, in order. Empty files are skipped.
    pub fn spans(&self, block: Block) -> impl Iterator<Item = FileSpan> + Clone + '_ {
        self.spans_between(self.range_of(block))
    }

    /// Where the piece's bytes are, in order. Empty files are skipped.
    pub fn piece_spans(&self, piece: PieceIndex) -> impl Iterator<Item = FileSpan> + Clone + '_ {
        let start = self.start_of(piece);
        self.spans_between(start..start + u64::from(self.piece_len(piece)))
    }

    /// Where these bytes are, counted from the torrent's start and cut short at its end, in order.
    /// Empty files are skipped.
    pub fn spans_between(&self, bytes: Range<u64>) -> impl Iterator<Item = FileSpan> + Clone + '_ {
        let end = bytes.end.min(self.total_len);
        Spans { ends: &self.ends, file: 0, position: bytes.start, end }
    }

    /// The pieces that hold bytes of this file; an empty range for an empty file, and for one the
    /// torrent does not have.
    pub fn file_pieces(&self, file: usize) -> Range<u32> {
        let (start, len) = (self.file_offset(file), self.file_len(file));
        if len == 0 {
            return 0..0;
        }
        let piece_length = u64::from(self.piece_length);
        let first = start / piece_length;
        let beyond = (start + len).div_ceil(piece_length);
        self.narrow(first)..self.narrow(beyond)
    }

    /// Where in the torrent this file's bytes begin; the torrent's end for a file it has not.
    pub fn file_offset(&self, file: usize) -> u64 {
        match file.checked_sub(1) {
            None => 0,
            Some(before) => self.ends.get(before).copied().unwrap_or(self.total_len),
        }
    }

    /// Bytes in this file; 0 for a file the torrent does not have.
    pub fn file_len(&self, file: usize) -> u64 {
        self.ends.get(file).map_or(0, |end| end - self.file_offset(file))
    }

    /// How many files there are, empty ones and padding files included.
    pub fn file_count(&self) -> usize {
        self.ends.len()
    }

    /// The block without the padding at its ends; `None` if it is padding alone.
    fn trimmed(&self, block: Block) -> Option<Block> {
        let start = self.start_of(block.piece);
        let bytes = self.padding.trim(self.range_of(block))?;
        // Both lie within the piece.
        let offset = u32::try_from(bytes.start - start).ok()?;
        let len = u32::try_from(bytes.end - bytes.start).ok()?;
        Some(Block { piece: block.piece, offset, len })
    }

    /// A number of pieces, which never exceeds `piece_count`.
    fn narrow(&self, pieces: u64) -> u32 {
        u32::try_from(pieces).unwrap_or(self.piece_count)
    }

    fn start_of(&self, piece: PieceIndex) -> u64 {
        u64::from(piece.0) * u64::from(self.piece_length)
    }
}

impl fmt::Debug for Layout {
    /// Without the table of files, which can be very long.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layout")
            .field("piece_length", &self.piece_length)
            .field("piece_count", &self.piece_count)
            .field("total_len", &self.total_len)
            .field("files", &self.ends.len())
            .field("padding", &!self.padding.is_empty())
            .finish()
    }
}

fn block_in(piece: PieceIndex, piece_len: u32, number: u32) -> Option<Block> {
    let offset = number.checked_mul(BLOCK_LEN)?;
    let left = piece_len.checked_sub(offset).filter(|left| *left > 0)?;
    Some(Block { piece, offset, len: left.min(BLOCK_LEN) })
}

/// Walks a range of the torrent file by file.
#[derive(Clone)]
struct Spans<'a> {
    ends: &'a [u64],
    /// No file before this one holds bytes at or after `position`.
    file: usize,
    position: u64,
    end: u64,
}

impl Iterator for Spans<'_> {
    type Item = FileSpan;

    fn next(&mut self) -> Option<FileSpan> {
        if self.position >= self.end {
            return None;
        }
        // The first file that ends beyond `position`: passes finished and empty files at once.
        let later = self.ends.get(self.file..)?;
        self.file += later.partition_point(|end| *end <= self.position);
        let file_end = *self.ends.get(self.file)?;
        let file_start = match self.file.checked_sub(1) {
            None => 0,
            Some(before) => *self.ends.get(before)?,
        };
        let until = file_end.min(self.end);
        let span = FileSpan {
            file: self.file,
            offset: self.position - file_start,
            len: until - self.position,
        };
        self.position = until;
        Some(span)
    }
}
