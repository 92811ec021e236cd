//! Reading from mappings whose files may be cut at that very moment: the signal that this raises is
//! caught and becomes an answer.
//! It never swallows a signal that another piece of the program raised.

#![allow(unsafe_code, reason = "a signal handler and the reading it guards")]

use std::cell::Cell;
use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::ptr;
use std::slice;
use std::sync::OnceLock;
use std::sync::atomic::{Ordering, compiler_fence};

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};

thread_local! {
    /// The addresses that this thread reads from mappings now: where the list begins and how many
    /// ranges it has.
    static READING: Cell<(*const Range<usize>, usize)> = const { Cell::new((ptr::null(), 0)) };
    /// Of which of them a page was missing.
    static TORN: Cell<Torn> = const { Cell::new(Torn(0)) };
}

/// The handler before ours, for signals that are none of our business.
static BEFORE: OnceLock<libc::sigaction> = OnceLock::new();

/// Which of the ranges that were read missed a page: their files were cut meanwhile.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Torn(u64);

impl Torn {
    /// Whether the range of this number did. Those from the 64th on are counted as one.
    pub(crate) fn contains(self, range: usize) -> bool {
        self.0 & Self::bit(range) != 0
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    fn bit(range: usize) -> u64 {
        1 << range.min(63)
    }
}

/// Proof that the handler is there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Guard(());

impl Guard {
    /// Installs the handler, once a process. `None` if the system refuses.
    ///
    /// `SIGBUS` belongs to the whole process. The handler answers for addresses that the same thread
    /// is reading under a guard, and hands every other signal to the handler before it, so
    /// that of the standard library still reports stack overflows.
    pub(super) fn install() -> Option<Self> {
        static INSTALLED: OnceLock<bool> = OnceLock::new();
        INSTALLED.get_or_init(install).then_some(Self(()))
    }

    /// Fills `into` from `from`. False if the file was cut meanwhile: then the pages that went
    /// missing were replaced by zeros, and the mapping is not the file's any more.
    ///
    /// # Safety
    /// As many bytes as `into` has, from `from`, must lie in a mapping that nobody else unmaps or
    /// replaces meanwhile.
    pub(super) unsafe fn copy(self, from: *const u8, into: &mut [u8]) -> bool {
        let start = from as usize;
        // SAFETY: the caller's promise, twice.
        let torn = unsafe {
            let range = start..start + into.len();
            self.watch(slice::from_ref(&range), || {
                ptr::copy_nonoverlapping(from, into.as_mut_ptr(), into.len());
            })
        };
        torn.is_empty()
    }

    /// Calls `act`, which may read what lies at `ranges`, and tells which of them it did not see as
    /// they were: there pages were replaced by zeros, as of [`copy`](Self::copy).
    ///
    /// # Safety
    /// The ranges must lie in mappings that nobody else unmaps or replaces meanwhile.
    #[allow(clippy::unused_self, reason = "having one proves that the handler is installed")]
    pub(super) unsafe fn watch(self, ranges: &[Range<usize>], act: impl FnOnce()) -> Torn {
        TORN.set(Torn(0));
        READING.set((ranges.as_ptr(), ranges.len()));
        let reading = Reading;
        // The handler runs on this thread: that the compiler keeps the order is enough.
        compiler_fence(Ordering::SeqCst);
        act();
        compiler_fence(Ordering::SeqCst);
        drop(reading);
        TORN.get()
    }
}

/// Ends the reading when dropped, also by a panic: the list is gone then.
struct Reading;

impl Drop for Reading {
    fn drop(&mut self) {
        READING.set((ptr::null(), 0));
    }
}

fn install() -> bool {
    // SAFETY: all zeros is a valid `sigaction`; its fields are set below.
    let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
    let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut libc::c_void) = on_bus_error;
    action.sa_sigaction = handler as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    // Sets the page size aside now, so that the handler only reads it.
    rustix::param::page_size();
    // First what is there, so that `BEFORE` is known when the handler can first be called.
    // SAFETY: as above.
    let mut before: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
    // SAFETY: both pointers are to live values of the right type; a null action changes nothing.
    unsafe {
        if libc::sigaction(libc::SIGBUS, ptr::null(), &raw mut before) != 0 {
            return false;
        }
        BEFORE.get_or_init(|| before);
        libc::sigaction(libc::SIGBUS, &raw const action, ptr::null_mut()) == 0
    }
}

/// Puts a page of zeros where this thread missed one that it reads, so that it can go on to its end.
/// Calls nothing but system calls and reads nothing but its own thread's cells.
extern "C" fn on_bus_error(signal: c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the system passes a valid `info` to a handler installed with SA_SIGINFO.
    let address = unsafe { (*info).si_addr() } as usize;
    let (list, count) = READING.get();
    // SAFETY: while it is not empty the list lives in `watch`, further up this thread's stack.
    let ranges = if count == 0 { &[] } else { unsafe { slice::from_raw_parts(list, count) } };
    if let Some(range) = ranges.iter().position(|range| range.contains(&address)) {
        let size = rustix::param::page_size();
        let page = (address / size * size) as *mut libc::c_void;
        let flags = MapFlags::PRIVATE | MapFlags::FIXED;
        // SAFETY: the page lies in a mapping that this thread is reading from, which its owner keeps
        // until that ends and then discards.
        if unsafe { mmap_anonymous(page, size, ProtFlags::READ, flags) }.is_ok() {
            TORN.set(Torn(TORN.get().0 | Torn::bit(range)));
            return;
        }
    }
    pass_on(signal, info, context);
}

/// Does what would have been done without us.
fn pass_on(signal: c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let before = BEFORE.get();
    match before.map(|before| (before.sa_sigaction, before.sa_flags)) {
        Some((handler, flags)) if handler != libc::SIG_DFL && handler != libc::SIG_IGN => {
            if flags & libc::SA_SIGINFO == 0 {
                // SAFETY: without SA_SIGINFO the address is that of a handler of this type.
                let handler: extern "C" fn(c_int) = unsafe { std::mem::transmute(handler) };
                handler(signal);
            } else {
                // SAFETY: with SA_SIGINFO the address is that of a handler of this type.
                let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut libc::c_void) =
                    unsafe { std::mem::transmute(handler) };
                handler(signal, info, context);
            }
        }
        _ => {
            // SAFETY: all zeros is the default action. Returning then raises the signal again.
            unsafe {
                let default: libc::sigaction = MaybeUninit::zeroed().assume_init();
                libc::sigaction(signal, &raw const default, ptr::null_mut());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    /// The race that the checks around it can't close: a file cut after its pages were made
    /// present and before they are copied.
    #[test]
    fn a_file_cut_before_the_copy_is_an_answer() {
        let guard = Guard::install().unwrap();
        let file: File = tempfile::tempfile().unwrap();
        let page = rustix::param::page_size();
        file.set_len(page as u64 * 4).unwrap();
        let map = memmap2::MmapOptions::new().len(page * 4).map_raw_read_only(&file).unwrap();
        let mut into = vec![1; page * 3];
        // SAFETY: the range lies in `map`, which lives to the end of the test.
        let copy = |into: &mut [u8]| unsafe { guard.copy(map.as_ptr().add(page), into) };
        assert!(copy(&mut into));
        file.set_len(page as u64 + 10).unwrap();
        assert!(!copy(&mut into));
        assert!(into.iter().all(|byte| *byte == 0));
        assert!(copy(&mut into[..10]));
    }
}
