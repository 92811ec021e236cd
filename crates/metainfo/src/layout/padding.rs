//! Where in a torrent its padding lies (BEP 47): bytes that are zeros, known without asking.
//! It knows no pieces and no files.

use std::ops::Range;
use std::sync::Arc;

/// The padding of a torrent. Cloning is cheap, and a torrent without any costs one look at a length.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Padding {
    /// Ascending, none empty, none next to another.
    gaps: Arc<[Gap]>,
}

#[derive(PartialEq, Eq)]
struct Gap {
    bytes: Range<u64>,
    /// Bytes of padding before this gap.
    before: u64,
}

impl Padding {
    /// Of ranges in ascending order; empty ones, and some next to each other, may be among them.
    pub(super) fn new(ranges: impl Iterator<Item = Range<u64>>) -> Self {
        let mut gaps: Vec<Gap> = Vec::new();
        let mut before = 0;
        for bytes in ranges.filter(|bytes| !bytes.is_empty()) {
            let len = bytes.end - bytes.start;
            match gaps.last_mut() {
                Some(last) if last.bytes.end == bytes.start => last.bytes.end = bytes.end,
                _ => gaps.push(Gap { bytes, before }),
            }
            before += len;
        }
        Self { gaps: gaps.into() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.gaps.is_empty()
    }

    /// Bytes of padding before this position.
    pub(super) fn before(&self, position: u64) -> u64 {
        let begun = self.gaps.partition_point(|gap| gap.bytes.start < position);
        let last = begun.checked_sub(1).and_then(|last| self.gaps.get(last));
        last.map_or(0, |gap| gap.before + position.min(gap.bytes.end) - gap.bytes.start)
    }

    /// The bytes without the padding they begin with and end with; `None` if nothing is left.
    pub(super) fn trim(&self, mut bytes: Range<u64>) -> Option<Range<u64>> {
        let first = self.gaps.partition_point(|gap| gap.bytes.end <= bytes.start);
        if let Some(gap) = self.gaps.get(first).filter(|gap| gap.bytes.start <= bytes.start) {
            bytes.start = gap.bytes.end;
        }
        let beyond = self.gaps.partition_point(|gap| gap.bytes.start < bytes.end);
        let last = beyond.checked_sub(1).and_then(|last| self.gaps.get(last));
        if let Some(gap) = last.filter(|gap| gap.bytes.end >= bytes.end) {
            bytes.end = gap.bytes.start;
        }
        (bytes.start < bytes.end).then_some(bytes)
    }

    /// The padding among these bytes, in order.
    pub(super) fn within(&self, bytes: Range<u64>) -> impl Iterator<Item = Range<u64>> + '_ {
        let first = self.gaps.partition_point(|gap| gap.bytes.end <= bytes.start);
        let gaps = self.gaps.get(first..).unwrap_or_default().iter();
        let cut = move |gap: &Gap| gap.bytes.start.max(bytes.start)..gap.bytes.end.min(bytes.end);
        gaps.map(cut).take_while(|part| !part.is_empty())
    }
}
