//! Copying out of a mapping whose file may be cut at that very moment: the signal that this raises
//! is caught and becomes an answer.
//! It never swallows a signal that another piece of the program raised.

#![allow(unsafe_code, reason = "a signal handler and the copy it guards")]

use std::cell::Cell;
use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{Ordering, compiler_fence};

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};

thread_local! {
    /// Where the copy of this thread reads now: start and end of the range.
    static COPYING: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
    /// Whether a page of that range was missing.
    static FAULTED: Cell<bool> = const { Cell::new(false) };
}

/// The handler before ours, for signals that are none of our business.
static BEFORE: OnceLock<libc::sigaction> = OnceLock::new();

/// Proof that the handler is there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Guard(());

impl Guard {
    /// Installs the handler, once a process. `None` if the system refuses.
    ///
    /// `SIGBUS` belongs to the whole process. The handler answers for addresses that a guarded copy
    /// of the same thread is reading, and hands every other signal to the handler before it, so
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
    #[allow(clippy::unused_self, reason = "having one proves that the handler is installed")]
    pub(super) unsafe fn copy(self, from: *const u8, into: &mut [u8]) -> bool {
        let start = from as usize;
        FAULTED.set(false);
        COPYING.set((start, start + into.len()));
        // The handler runs on this thread: that the compiler keeps the order is enough.
        compiler_fence(Ordering::SeqCst);
        // SAFETY: the caller's promise; a fault in the range is dealt with by the handler.
        unsafe { ptr::copy_nonoverlapping(from, into.as_mut_ptr(), into.len()) };
        compiler_fence(Ordering::SeqCst);
        COPYING.set((0, 0));
        !FAULTED.get()
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

/// Puts a page of zeros where the copy of this thread missed one, so that it can go on to its end.
/// Calls nothing but system calls and reads nothing but its own thread's cells.
extern "C" fn on_bus_error(signal: c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the system passes a valid `info` to a handler installed with SA_SIGINFO.
    let address = unsafe { (*info).si_addr() } as usize;
    let (start, end) = COPYING.get();
    if (start..end).contains(&address) {
        let size = rustix::param::page_size();
        let page = (address / size * size) as *mut libc::c_void;
        let flags = MapFlags::PRIVATE | MapFlags::FIXED;
        // SAFETY: the page lies in the mapping that this thread is copying from, which its owner
        // keeps until the copy ends and then discards.
        if unsafe { mmap_anonymous(page, size, ProtFlags::READ, flags) }.is_ok() {
            FAULTED.set(true);
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
