//! Owns the bytes of one block while they travel between socket, memory and disk. Never shares them: a payload has one
//! owner, and dropping it gives the memory back.

use std::fmt;
use std::ops::{Deref, DerefMut};

use crate::pool::Home;

/// The bytes of one block, together with the share of the memory budget that they use up.
///
/// Made by [`Pool`](crate::Pool); dropping it returns buffer and share to that pool. It dereferences to its bytes.
pub struct Payload {
    buffer: Box<[u8]>,
    /// How much of the buffer is the block; never more than there is.
    len: usize,
    home: Option<Home>,
}

impl Payload {
    pub(crate) fn pooled(buffer: Box<[u8]>, len: usize, home: Home) -> Self {
        debug_assert!(len <= buffer.len());
        Self { buffer, len, home: Some(home) }
    }

    /// A payload that belongs to no pool and counts against no budget, for tests and tools.
    pub fn detached(bytes: Vec<u8>) -> Self {
        let len = bytes.len();
        Self { buffer: bytes.into_boxed_slice(), len, home: None }
    }
}

impl Drop for Payload {
    fn drop(&mut self) {
        if let Some(home) = self.home.take() {
            home.give_back(std::mem::take(&mut self.buffer));
        }
    }
}

impl Deref for Payload {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.buffer.get(..self.len).unwrap_or_default()
    }
}

impl DerefMut for Payload {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.buffer.get_mut(..self.len).unwrap_or_default()
    }
}

impl AsRef<[u8]> for Payload {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl AsMut<[u8]> for Payload {
    fn as_mut(&mut self) -> &mut [u8] {
        self
    }
}

impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        self[..] == other[..]
    }
}

impl Eq for Payload {}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.len)
    }
}
