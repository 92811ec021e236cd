//! placeholder until measured
use super::{OpenFile, Reader, io, read_exact};

pub(super) struct Mapped;

impl Mapped {
    pub(super) fn new() -> Self {
        Self
    }
}

impl Reader for Mapped {
    fn read(&mut self, file: &OpenFile, offset: u64, into: &mut [u8]) -> io::Result<()> {
        read_exact(file, offset, into)
    }
}
