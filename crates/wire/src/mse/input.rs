//! Owns the bytes of the peer that a handshake has not made sense of yet. Never keeps more of them than a pad and what
//! follows it, beside what was handed over at once.

use crate::error::{Error, ErrorKind};
use crate::limits::MAX_PAD_LEN;

#[derive(Default)]
pub(super) struct Input {
    bytes: Vec<u8>,
    /// How many of them are known not to begin the mark that is searched for.
    searched: usize,
}

impl Input {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn begins_with(&self, bytes: &[u8]) -> bool {
        self.bytes.starts_with(bytes)
    }

    /// The next `len` bytes, if they are here.
    pub(super) fn take(&mut self, len: usize) -> Option<Vec<u8>> {
        (self.bytes.len() >= len).then(|| self.bytes.drain(..len).collect())
    }

    /// The next `N` bytes, if they are here.
    pub(super) fn take_array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let array = *self.bytes.first_chunk()?;
        self.bytes.drain(..N);
        Some(array)
    }

    /// Drops a pad and the `mark` that ends it. False if the mark is still to come.
    ///
    /// # Errors
    /// There is no mark where the longest pad ends.
    pub(super) fn skip_past(&mut self, mark: &[u8]) -> Result<bool, Error> {
        let unsearched = self.bytes.get(self.searched..).unwrap_or_default();
        let at = unsearched.windows(mark.len()).position(|window| window == mark);
        let pad = self.searched + at.unwrap_or(unsearched.len().saturating_sub(mark.len() - 1));
        if pad > MAX_PAD_LEN {
            return Err(Error::handshake(ErrorKind::BadEncryption));
        }
        if at.is_some() {
            self.bytes.drain(..pad + mark.len());
        }
        self.searched = if at.is_some() { 0 } else { pad };
        Ok(at.is_some())
    }

    /// What is left.
    pub(super) fn into_rest(self) -> Vec<u8> {
        self.bytes
    }
}
