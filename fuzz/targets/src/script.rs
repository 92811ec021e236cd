//! Reads fuzzed bytes as a script of small choices. Gives zeros when they are used up; never fails.

/// What is left of the bytes.
pub(crate) struct Script<'a>(pub(crate) &'a [u8]);

impl Script<'_> {
    /// Takes steps until all is read, or `most` of them.
    pub(crate) fn play(&mut self, most: usize, mut step: impl FnMut(&mut Self)) {
        for _ in 0..most {
            if self.0.is_empty() {
                break;
            }
            step(self);
        }
    }

    pub(crate) fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    /// A number below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::from(self.byte()) % end
    }

    /// Mostly a number below `end`, sometimes just beyond, sometimes any at all.
    pub(crate) fn number(&mut self, end: u32) -> u32 {
        match self.byte() {
            255 => u32::from_be_bytes([self.byte(), self.byte(), self.byte(), self.byte()]),
            254 => end,
            253 => u32::MAX,
            small => u32::from(small) % end.max(1),
        }
    }

    /// Up to `len` bytes.
    pub(crate) fn take(&mut self, len: usize) -> &[u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }
}
