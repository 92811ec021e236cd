//! How bytes are read from a file: one trait, two back ends.
//! It never opens a file, never writes, and never returns bytes beyond a file's current end.

use std::io;

use rustix::io::{Errno, pread};

use crate::files::OpenFile;

mod guard;
mod mapped;
mod view;

pub(crate) use mapped::Windows;
pub(crate) use view::{Source, View, look};

/// How files are read. Writing is positional with both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Backend {
    /// From mappings on local file systems that keep them coherent with writes, else as
    /// [`Backend::Positional`].
    #[default]
    Mapped,
    /// With `pread`.
    Positional,
}

/// Reads ranges of files. Each disk thread has its own.
pub(crate) trait Reader: Send {
    /// Fills `into` with the file's bytes from `offset`.
    ///
    /// # Errors
    /// `UnexpectedEof` when the file ends before that; else what the system says. What is in
    /// `into` is then undefined and must not be used.
    fn read(&mut self, file: &OpenFile, offset: u64, into: &mut [u8]) -> io::Result<()>;

    /// The file's bytes from `offset` where they lie, to [`look`] at; `None` where they have to be
    /// read. Neither the view nor looking says that the file still reaches so far.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    fn view(&mut self, _: &OpenFile, _: u64, _: usize) -> io::Result<Option<View>> {
        Ok(None)
    }

    /// Lets go of all files, so that those that were deleted give their room back.
    fn forget(&mut self) {}
}

/// The reader of this back end, whose mappings, if it has any, are cut like this.
pub(crate) fn reader(backend: Backend, windows: Windows) -> Box<dyn Reader> {
    match backend {
        Backend::Mapped => Box::new(mapped::Mapped::new(windows)),
        Backend::Positional => Box::new(Positional),
    }
}

/// Reads with `pread`. Serves every file system, and what is read once: a mapping of it would stay.
pub(crate) struct Positional;

impl Reader for Positional {
    fn read(&mut self, file: &OpenFile, offset: u64, into: &mut [u8]) -> io::Result<()> {
        read_exact(file, offset, into)
    }
}

fn read_exact(file: &OpenFile, mut offset: u64, mut into: &mut [u8]) -> io::Result<()> {
    while !into.is_empty() {
        match pread(&file.file, &mut *into, offset) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => {
                into = into.get_mut(read..).unwrap_or_default();
                offset = offset.saturating_add(read as u64);
            }
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}
