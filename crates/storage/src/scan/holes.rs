//! Which bytes of a file are holes: asked of the file system, one question for each run of holes or of
//! data and not one for each piece. Room that was reserved and never written counts as a hole too.
//! It never reads a file's bytes: a page that was read looks like data from then on.

use std::ops::Range;

use metainfo::FileSpan;

use crate::files::OpenFile;
use crate::sys;

/// The run that was asked for last: pieces are mostly looked at in their order.
#[derive(Default)]
pub(super) struct Holes {
    file: usize,
    run: Range<u64>,
    /// Whether the run is a hole; else it is data.
    hole: bool,
}

impl Holes {
    /// Whether all bytes of the span are a hole, which reads as zeros. Never where the file system
    /// does not tell holes from data.
    pub(super) fn cover(&mut self, open: &OpenFile, span: FileSpan) -> bool {
        if self.file != span.file || !self.run.contains(&span.offset) {
            self.ask(open, span.file, span.offset);
        }
        self.hole && span.offset + span.len <= self.run.end
    }

    fn ask(&mut self, open: &OpenFile, file: usize, at: u64) {
        // A file that has no data from here on is a hole as far as it reaches.
        let len = || open.stamp().map_or(at, |stamp| stamp.len);
        let data = sys::next_data(&open.file, at).unwrap_or_else(len);
        let hole = data > at;
        let end = if hole { data } else { sys::next_hole(&open.file, at) };
        *self = Self { file, run: at..end, hole };
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::unix::fs::FileExt;

    use metainfo::Layout;

    use super::*;
    use crate::files::Files;
    use crate::paths::Access;
    use crate::spec::{FileSpec, Spec};

    const MIB: u64 = 1 << 20;

    #[test]
    #[cfg(target_os = "linux")]
    fn holes_are_told_from_data_whatever_is_asked_first() {
        let folder = tempfile::tempdir().unwrap();
        let file = File::create(folder.path().join("data")).unwrap();
        file.set_len(8 * MIB).unwrap();
        file.write_all_at(&[1; 4096], 2 * MIB).unwrap();
        file.write_all_at(&[1; 4096], 6 * MIB).unwrap();
        let layout = Layout::new(1 << 20, &[8 * MIB]).unwrap();
        let spec = FileSpec { path: "data".into(), on_disk: true };
        let spec = Spec::from_parts(folder.path(), vec![spec], layout, vec![[0; 20]; 8]).unwrap();
        let files = Files::read_only(spec);
        let open = files.open(0, Access::Read).unwrap();
        let whole: Vec<u64> = (0..8).collect();
        let back: Vec<u64> = (0..8).rev().collect();
        for order in [whole, back, vec![6, 1, 2, 3, 2, 7, 0, 5, 4]] {
            let mut holes = Holes::default();
            for mib in order {
                let span = FileSpan { file: 0, offset: mib * MIB, len: MIB };
                assert_eq!(holes.cover(&open, span), mib != 2 && mib != 6, "MiB {mib}");
            }
        }
        // What the file does not reach is no hole.
        let beyond = FileSpan { file: 0, offset: 8 * MIB, len: 1 };
        assert!(!Holes::default().cover(&open, beyond));
        assert!(
            !Holes::default().cover(&open, FileSpan { offset: 7 * MIB, len: 2 * MIB, ..beyond })
        );
    }
}
