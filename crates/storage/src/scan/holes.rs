//! Which bytes of a file are holes: asked of the file system, one question for each run of holes or of
//! data and not one for each piece. Room that was reserved and never written counts as a hole too.
//! It never reads a file's bytes: a page that was read looks like data from then on.

use std::ops::Range;

use metainfo::FileSpan;

use crate::files::OpenFile;

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
    /// does not tell holes from data, or is not known to tell the truth about them.
    pub(super) fn cover(&mut self, open: &OpenFile, span: FileSpan) -> bool {
        if self.file != span.file || !self.run.contains(&span.offset) {
            self.ask(open, span.file, span.offset);
        }
        self.hole && span.offset + span.len <= self.run.end
    }

    fn ask(&mut self, open: &OpenFile, file: usize, at: u64) {
        // A file that has no data from here on is a hole as far as it reaches.
        let len = || open.stamp().map_or(at, |stamp| stamp.len);
        let data = open.next_data(at).unwrap_or_else(len);
        let hole = data > at;
        let end = if hole { data } else { open.next_hole(at) };
        *self = Self { file, run: at..end, hole };
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::unix::fs::FileExt;
    use std::path::Path;

    use metainfo::Layout;

    use super::*;
    use crate::files::Files;
    use crate::paths::Access;
    use crate::spec::{FileSpec, Spec};

    const MIB: u64 = 1 << 20;

    /// A file of 8 MiB with data at the third and the seventh.
    fn make(folder: &Path) -> Files {
        let file = File::create(folder.join("data")).unwrap();
        file.set_len(8 * MIB).unwrap();
        file.write_all_at(&[1; 4096], 2 * MIB).unwrap();
        file.write_all_at(&[1; 4096], 6 * MIB).unwrap();
        let layout = Layout::new(1 << 20, &[8 * MIB]).unwrap();
        let spec = FileSpec { path: "data".into(), on_disk: true };
        let spec = Spec::from_parts(folder, vec![spec], layout, vec![[0; 20]; 8]).unwrap();
        Files::read_only(spec)
    }

    fn span(mib: u64) -> FileSpan {
        FileSpan { file: 0, offset: mib * MIB, len: MIB }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn holes_are_told_from_data_whatever_is_asked_first() {
        // The second is tmpfs nearly everywhere; the first may be a file system that is not believed.
        for folder in [tempfile::tempdir(), tempfile::tempdir_in("/dev/shm")] {
            let Ok(folder) = folder else { continue };
            let files = make(folder.path());
            let open = files.open(0, Access::Read).unwrap();
            let whole: Vec<u64> = (0..8).collect();
            let back: Vec<u64> = (0..8).rev().collect();
            for order in [whole, back, vec![6, 1, 2, 3, 2, 7, 0, 5, 4]] {
                let mut holes = Holes::default();
                for mib in order {
                    let hole = open.true_holes && mib != 2 && mib != 6;
                    assert_eq!(holes.cover(&open, span(mib)), hole, "MiB {mib}");
                }
            }
            // What the file does not reach is no hole.
            let beyond = FileSpan { file: 0, offset: 8 * MIB, len: 1 };
            assert!(!Holes::default().cover(&open, beyond));
            let long = FileSpan { len: 2 * MIB, ..span(7) };
            assert!(!Holes::default().cover(&open, long));
        }
    }

    #[test]
    fn a_file_system_that_may_lie_about_holes_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let files = make(folder.path());
        let open = files.open(0, Access::Read).unwrap();
        let doubted = open.with_doubtful_holes();
        let mut holes = Holes::default();
        assert!((0..8).all(|mib| !holes.cover(&doubted, span(mib))));
        assert_eq!(doubted.next_data(0), Some(0));
    }
}
