//! Reading from mappings: small windows of files, a few at a time, so that resident memory does
//! not grow with what is read.
//! Bytes leave a mapping as raw copies, or are looked at in a [`View`]; nothing beyond a file's
//! current end is believed.

#![allow(unsafe_code, reason = "pointers into a mapping")]

use std::io;
use std::sync::Arc;

use memmap2::{MmapOptions, MmapRaw};

use super::guard::Guard;
use super::{Reader, View, read_exact};
use crate::files::{FileId, OpenFile};
use crate::sys;

/// How a thread's mappings are cut: how long they are, and how many of them it keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Windows {
    /// Bytes of a file mapped at once.
    len: u64,
    count: usize,
}

impl Windows {
    /// One for each of sixteen places that are read from in turn, so that a thread has at most 16 MiB
    /// mapped.
    pub(crate) const MANY: Self = Self { len: 1024 * 1024, count: 16 };

    /// For what lies together. To take down a mapping interrupts the other processors, so there are
    /// fewer and longer ones; that they begin where they like makes it one more than 16 MiB need.
    const FEW: Self = Self { len: 4 * 1024 * 1024, count: 5 };

    /// For reading side by side what is within `span` bytes.
    pub(crate) fn within(span: u64) -> Self {
        let few = Self::FEW.len * (Self::FEW.count as u64 - 1);
        if span <= few { Self::FEW } else { Self::MANY }
    }

    /// Where in its window the byte at `offset` is.
    fn within_one(self, offset: u64) -> usize {
        usize::try_from(offset % self.len).unwrap_or(usize::MAX)
    }
}

/// Bytes made present with one call, before the first of them is touched: what a peer asks for next
/// is nearly always what follows.
const POPULATE: usize = 256 * 1024;

/// Reads from mappings where that is safe, and with `pread` where it is not.
pub(super) struct Mapped {
    guard: Option<Guard>,
    shape: Windows,
    /// The most recently used last.
    windows: Vec<Window>,
}

/// A mapped part of a file.
struct Window {
    file: FileId,
    /// Which part, counted in windows from the file's start.
    number: u64,
    map: Arc<MmapRaw>,
    /// The part of the window that was made present: where it begins and ends.
    present: (usize, usize),
}

impl Mapped {
    pub(super) fn new(shape: Windows) -> Self {
        Self { guard: Guard::install(), shape, windows: Vec::new() }
    }

    /// Copies from one window.
    fn copy(
        &mut self,
        guard: Guard,
        file: &OpenFile,
        offset: u64,
        into: &mut [u8],
    ) -> io::Result<()> {
        let Some(mut window) = self.window(file, offset)? else {
            return read_exact(file, offset, into);
        };
        // A window that failed is dropped: its pages may not be the file's any more.
        window.copy(guard, self.shape.within_one(offset), into)?;
        self.keep(window);
        Ok(())
    }

    /// The window that holds the file's byte at `offset`, taken out of those that are kept; `None` where
    /// there is no room for it (`ulimit -v`), which says nothing of the file.
    fn window(&mut self, file: &OpenFile, offset: u64) -> io::Result<Option<Window>> {
        let number = offset / self.shape.len;
        if let Some(window) = self.take(file.id, number) {
            return Ok(Some(window));
        }
        match Window::map(file, number, self.shape.len) {
            Err(error) if error.kind() == io::ErrorKind::OutOfMemory => {
                // What follows needs room too.
                self.windows.clear();
                Ok(None)
            }
            mapped => mapped.map(Some),
        }
    }

    fn keep(&mut self, window: Window) {
        if self.windows.len() >= self.shape.count {
            self.windows.remove(0);
        }
        self.windows.push(window);
    }

    fn take(&mut self, file: FileId, number: u64) -> Option<Window> {
        let wanted = |window: &Window| window.file == file && window.number == number;
        let index = self.windows.iter().rposition(wanted)?;
        Some(self.windows.remove(index))
    }
}

impl Reader for Mapped {
    fn view(&mut self, file: &OpenFile, offset: u64, len: usize) -> io::Result<Option<View>> {
        let Some(guard) = self.guard.filter(|_| file.local) else { return Ok(None) };
        // Pages come as they are looked at, sixteen with a fault: half the cost of asking for them
        // first. Nothing is lost by it: who looks has the guard, and checks the file's length.
        let Some(window) = self.window(file, offset)? else { return Ok(None) };
        let view = View::new(&window.map, self.shape.within_one(offset), len, guard);
        self.keep(window);
        Ok(view)
    }

    fn forget(&mut self) {
        self.windows.clear();
    }

    fn read(&mut self, file: &OpenFile, offset: u64, into: &mut [u8]) -> io::Result<()> {
        let Some(guard) = self.guard.filter(|_| file.local) else {
            return read_exact(file, offset, into);
        };
        let end = offset.saturating_add(into.len() as u64);
        let mut at = offset;
        let mut rest = into;
        while !rest.is_empty() {
            let room = self.shape.len - at % self.shape.len;
            let room = usize::try_from(room).unwrap_or(usize::MAX);
            let (part, after) = rest.split_at_mut(room.min(rest.len()));
            self.copy(guard, file, at, part)?;
            at = at.saturating_add(part.len() as u64);
            rest = after;
        }
        // The rest of a file's last page reads as zeros, without any fault.
        if file.stamp()?.len < end {
            self.windows.retain(|window| window.file != file.id);
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }
}

impl Window {
    fn map(file: &OpenFile, number: u64, len: u64) -> io::Result<Self> {
        let offset = number.checked_mul(len).ok_or(io::ErrorKind::UnexpectedEof)?;
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        // May reach beyond the file's end; those pages can't be made present.
        let map = MmapOptions::new().offset(offset).len(len).map_raw_read_only(&file.file)?;
        Ok(Self { file: file.id, number, map: Arc::new(map), present: (0, 0) })
    }

    fn copy(&mut self, guard: Guard, start: usize, into: &mut [u8]) -> io::Result<()> {
        let end = start.saturating_add(into.len());
        if end > self.map.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.make_present(start, end)?;
        // SAFETY: `start` is within the mapping, since `end` is.
        let from = unsafe { self.map.as_ptr().add(start) };
        // SAFETY: `from` and the bytes after it, as many as `into` has, lie within the mapping,
        // which lives as long as `self`; `into` is ours alone. That another process may write the
        // file meanwhile can tear the bytes, which the caller's hash or check of the file's stamp
        // finds out, but nothing else looks at them.
        if unsafe { guard.copy(from, into) } {
            Ok(())
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }

    /// Makes the range present, and a little more if the file has it.
    fn make_present(&mut self, start: usize, end: usize) -> io::Result<()> {
        if start >= self.present.0 && end <= self.present.1 {
            return Ok(());
        }
        let first = start / POPULATE * POPULATE;
        let last = end.div_ceil(POPULATE) * POPULATE;
        let last = last.min(self.map.len());
        if sys::populate(&self.map, first, last - first).is_ok() {
            self.present = (first, last);
            return Ok(());
        }
        // Most likely the file ends within: then exactly what was asked for, or an error.
        match sys::populate(&self.map, start, end - start) {
            // Where there is no such advice the guard serves alone.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
            Err(error) if error.raw_os_error() == Some(libc::EFAULT) => {
                Err(io::ErrorKind::UnexpectedEof.into())
            }
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::files::Files;
    use crate::paths::Access;
    use crate::spec::{FileSpec, Spec};

    #[test]
    fn a_file_that_finds_no_room_for_a_mapping_is_read_without() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("data"), b"what is in it").unwrap();
        let layout = metainfo::Layout::new(1 << 20, &[13]).unwrap();
        let file = FileSpec { path: "data".into(), on_disk: true };
        let spec = Spec::from_parts(folder.path(), vec![file], layout, vec![[0; 20]]).unwrap();
        let open = Files::read_only(spec).open(0, Access::Read).unwrap();
        // More than any address space has.
        let mut reader = Mapped::new(Windows { len: 1 << 62, count: 1 });
        assert!(reader.view(&open, 0, 13).unwrap().is_none());
        let mut into = [0; 13];
        reader.read(&open, 0, &mut into).unwrap();
        assert_eq!(&into, b"what is in it");
    }

    #[test]
    fn a_file_that_is_cut_and_grown_all_the_time_kills_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        let len = 3 * Windows::MANY.len;
        fs::write(&path, vec![7; usize::try_from(len).unwrap()]).unwrap();
        let layout = metainfo::Layout::new(1 << 20, &[len]).unwrap();
        let file = FileSpec { path: "data".into(), on_disk: true };
        let spec = Spec::from_parts(folder.path(), vec![file], layout, vec![[0; 20]; 3]).unwrap();
        let files = Files::read_only(spec);
        let open = files.open(0, Access::Read).unwrap();
        let writer = fs::File::options().write(true).open(&path).unwrap();
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    writer.set_len(5_000).unwrap();
                    writer.set_len(len).unwrap();
                }
            });
            let mut reader = Mapped::new(Windows::MANY);
            let mut into = vec![0; 100_000];
            for round in 0..3_000_u64 {
                let offset = round * 65_537 % (len - 100_000);
                match reader.read(&open, offset, &mut into) {
                    Ok(()) => assert!(into.iter().all(|byte| [0, 7].contains(byte))),
                    Err(error) => assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof),
                }
            }
            stop.store(true, Ordering::Relaxed);
        });
    }
}
