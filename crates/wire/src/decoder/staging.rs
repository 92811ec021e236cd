//! Owns the bytes that arrived and are not yet known to be a block's: a small area to read into, and what was spilled from
//! the places that were made for blocks. Never knows what the bytes mean.

/// Bytes of the staging area, which takes all that is not known to be a block's. It bounds what is copied of a block
/// (the part that came together with its header), and holds a hundred requests.
pub(super) const STAGING_LEN: usize = 2048;

/// A queue of bytes: first the area, then what is spilled.
pub(super) struct Staging {
    area: Box<[u8; STAGING_LEN]>,
    /// The staged bytes are `start..end`; never outside of the area.
    start: usize,
    end: usize,
    /// What waits for room in the area, but for the first `unspilled` bytes: they have gone there.
    spilled: Vec<u8>,
    unspilled: usize,
}

impl Staging {
    pub(super) fn new() -> Self {
        let area = Box::new([0; STAGING_LEN]);
        Self { area, start: 0, end: 0, spilled: Vec::new(), unspilled: 0 }
    }

    /// The staged bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        self.area.get(self.start..self.end).unwrap_or_default()
    }

    /// Whether nothing is staged. What is spilled does not count: see [`refill`](Self::refill).
    pub(super) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Whether bytes are spilled.
    pub(super) fn is_spilled(&self) -> bool {
        !self.spilled.is_empty()
    }

    /// Takes up to `max` staged bytes.
    pub(super) fn take(&mut self, max: usize) -> &[u8] {
        let staged = self.area.get(self.start..self.end).unwrap_or_default();
        let taken = staged.get(..max).unwrap_or(staged);
        self.start += taken.len();
        taken
    }

    /// Where to read the next bytes to.
    pub(super) fn room(&mut self) -> &mut [u8] {
        // What is left over is at most part of a head, unless a block waits for a buffer: so this moves a few bytes.
        self.area.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        self.area.get_mut(self.end..).unwrap_or_default()
    }

    /// Takes note that the first `n` bytes of [`room`](Self::room) were written. They come after what is spilled.
    pub(super) fn came(&mut self, n: usize) {
        debug_assert!(n <= STAGING_LEN - self.end, "more than there was room for");
        let end = (self.end + n).min(STAGING_LEN);
        if self.is_spilled() {
            self.spilled.extend_from_slice(self.area.get(self.end..end).unwrap_or_default());
        } else {
            self.end = end;
        }
    }

    /// Keeps bytes that have no room in the area.
    pub(super) fn spill(&mut self, bytes: &[u8]) {
        self.spilled.extend_from_slice(bytes);
    }

    /// Stages spilled bytes; false if there are none, or no room.
    pub(super) fn refill(&mut self) -> bool {
        let spilled = std::mem::take(&mut self.spilled);
        let rest = spilled.get(self.unspilled..).unwrap_or_default();
        let room = self.room();
        let n = rest.len().min(room.len());
        room.split_at_mut(n).0.copy_from_slice(rest.split_at(n).0);
        self.end += n;
        self.unspilled += n;
        if self.unspilled < spilled.len() {
            self.spilled = spilled;
        } else {
            self.unspilled = 0;
        }
        n > 0
    }
}
