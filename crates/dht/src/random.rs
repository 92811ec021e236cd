//! Random bytes of one seed: SHA-1 over the seed and a counter. What was handed out tells nothing
//! about what comes next, which transaction ids and tokens need and a fast generator does not give.

use sha1_smol::Sha1;

/// A stream of random bytes. The same seed gives the same stream.
#[derive(Clone)]
pub(crate) struct Random {
    seed: [u8; 32],
    counter: u64,
}

impl Random {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self { seed, counter: 0 }
    }

    /// 20 random bytes, as many as an id has.
    pub(crate) fn bytes(&mut self) -> [u8; 20] {
        let mut hash = Sha1::from(self.seed);
        hash.update(b"stream");
        hash.update(&self.counter.to_be_bytes());
        self.counter = self.counter.wrapping_add(1);
        hash.digest().bytes()
    }

    pub(crate) fn number(&mut self) -> u32 {
        let [a, b, c, d, ..] = self.bytes();
        u32::from_be_bytes([a, b, c, d])
    }

    /// A number below `end`; 0 if there is none.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let number = usize::try_from(self.number()).unwrap_or(usize::MAX);
        number.checked_rem(end).unwrap_or(0)
    }

    /// A secret with a name, which nothing of the stream tells.
    pub(crate) fn secret(&self, name: &str) -> [u8; 20] {
        let mut hash = Sha1::from(self.seed);
        hash.update(b"secret");
        hash.update(name.as_bytes());
        hash.digest().bytes()
    }
}

impl std::fmt::Debug for Random {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Random").field("counter", &self.counter).finish_non_exhaustive()
    }
}
