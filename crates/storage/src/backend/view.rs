//! Bytes of files looked at where they lie in a mapping, without a copy: what hashing needs.
//! It never lets a reference into a mapping out of [`look`], and believes nothing about a file's
//! length: whoever looks checks that afterwards.

#![allow(unsafe_code, reason = "slices of a mapping")]

use std::slice;
use std::sync::Arc;

use memmap2::MmapRaw;

use super::guard::{Guard, Torn};

/// A part of a mapping that stays mapped as long as this lives.
pub(crate) struct View {
    map: Arc<MmapRaw>,
    start: usize,
    len: usize,
    guard: Guard,
}

/// Bytes to look at.
pub(crate) enum Source<'a> {
    /// In memory of ours.
    Copied(&'a [u8]),
    /// In their file.
    Mapped(View),
}

impl View {
    /// The part of `map` from `start`; `None` if that is not within it.
    pub(super) fn new(map: &Arc<MmapRaw>, start: usize, len: usize, guard: Guard) -> Option<Self> {
        let within = start.checked_add(len)? <= map.len();
        within.then(|| Self { map: Arc::clone(map), start, len, guard })
    }

    fn start(&self) -> *const u8 {
        // SAFETY: `new` has checked that the start lies within the mapping.
        unsafe { self.map.as_ptr().add(self.start) }
    }
}

/// Calls `act` with the bytes of each source, in order, and tells of which sources it saw zeros
/// instead, since their files were cut meanwhile. Then the mappings are not the files' any more.
pub(crate) fn look(sources: &[Source<'_>], act: impl FnOnce(&[&[u8]])) -> Torn {
    let mut guard = None;
    let mut ranges = Vec::with_capacity(sources.len());
    for source in sources {
        ranges.push(match source {
            Source::Copied(_) => 0..0,
            Source::Mapped(view) => {
                guard = Some(view.guard);
                let start = view.start() as usize;
                start..start + view.len
            }
        });
    }
    let slices: Vec<&[u8]> = sources.iter().map(bytes).collect();
    let Some(guard) = guard else {
        act(&slices);
        return Torn::default();
    };
    // SAFETY: the views keep their mappings, which nobody unmaps or replaces, beyond the call.
    unsafe { guard.watch(&ranges, || act(&slices)) }
}

fn bytes<'a>(source: &'a Source<'_>) -> &'a [u8] {
    match source {
        Source::Copied(bytes) => bytes,
        // SAFETY: the range lies within the mapping, as `new` has checked, and the view keeps it.
        // We don't write to a file while it is hashed. Another process may: then the bytes that are
        // read are of before or of after, which makes a digest wrong and nothing else.
        Source::Mapped(view) => unsafe { slice::from_raw_parts(view.start(), view.len) },
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    /// Nothing checks between looking and looking: a file cut in between is what the guard is for.
    #[test]
    fn what_was_cut_is_told_of_the_sources_it_was_cut_from() {
        let page = rustix::param::page_size();
        let guard = Guard::install().unwrap();
        let mapped = || {
            let file: File = tempfile::tempfile().unwrap();
            file.set_len(page as u64 * 4).unwrap();
            let map = memmap2::MmapOptions::new().len(page * 4).map_raw_read_only(&file).unwrap();
            (file, Arc::new(map))
        };
        let ((_whole, whole), (cut, torn)) = (mapped(), mapped());
        let sources = [
            Source::Mapped(View::new(&torn, page, page * 2, guard).unwrap()),
            Source::Copied(b"abc"),
            Source::Mapped(View::new(&whole, 0, page * 4, guard).unwrap()),
            Source::Mapped(View::new(&torn, 0, page, guard).unwrap()),
        ];
        let mut seen = Vec::new();
        let lengths = |bytes: &[&[u8]]| bytes.iter().map(|bytes| bytes.to_vec().len()).collect();
        assert!(look(&sources, |bytes| seen = lengths(bytes)).is_empty());
        assert_eq!(seen, [page * 2, 3, page * 4, page]);
        cut.set_len(page as u64 + 10).unwrap();
        let missed = look(&sources, |bytes| seen = lengths(bytes));
        assert_eq!([0, 1, 2, 3].map(|source| missed.contains(source)), [true, false, false, false]);
        assert_eq!(seen, [page * 2, 3, page * 4, page]);
        assert!(View::new(&whole, page * 3, page + 1, guard).is_none());
    }
}
