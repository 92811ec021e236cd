//! The words about files that have another name on disk than in the torrent. Never prints.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use storage::Renamed;

use crate::text;

/// More lines than these say nothing more to a reader: the rest is counted.
const MAX_LINES: usize = 10;

/// A line for each folder or file that is called otherwise, safe to print. A folder is named once, and
/// not each file in it.
pub(crate) fn lines(renamed: &[Renamed]) -> Vec<String> {
    let mut told: BTreeSet<(PathBuf, PathBuf)> = BTreeSet::new();
    let mut lines = Vec::new();
    let mut more = 0_usize;
    for Renamed { named, on_disk, .. } in renamed {
        for pair in differences(named, on_disk) {
            if told.contains(&pair) {
                continue;
            }
            if lines.len() < MAX_LINES {
                let (named, on_disk) = (text::path(&pair.0), text::path(&pair.1));
                lines.push(format!("\"{named}\" of the torrent is \"{on_disk}\" on disk"));
            } else {
                more = more.saturating_add(1);
            }
            told.insert(pair);
        }
    }
    if more > 0 {
        lines.push(format!("and {} on disk", text::count(more, "other name")));
    }
    lines
}

/// Each folder on the way, and the file itself, whose own name differs: both paths up to it.
fn differences(named: &Path, on_disk: &Path) -> Vec<(PathBuf, PathBuf)> {
    let (mut one, mut other) = (PathBuf::new(), PathBuf::new());
    let mut found = Vec::new();
    for (name, called) in named.iter().zip(on_disk) {
        one.push(name);
        other.push(called);
        if name != called {
            found.push((one.clone(), other.clone()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn renamed(named: &str, on_disk: &str) -> Renamed {
        Renamed { file: 0, named: named.into(), on_disk: on_disk.into() }
    }

    #[test]
    fn a_folder_is_named_once_and_controls_are_escaped() {
        let all =
            [renamed("t./a", "t_/a"), renamed("t./b\n", "t_/b_"), renamed("t./c/d", "t_/c/d")];
        assert_eq!(
            lines(&all),
            [
                "\"t.\" of the torrent is \"t_\" on disk",
                r#""t./b\n" of the torrent is "t_/b_" on disk"#
            ]
        );
        let many: Vec<Renamed> =
            (0..30).map(|n| renamed(&format!("t/{n}?"), &format!("t/{n}_"))).collect();
        let lines = lines(&many);
        assert_eq!(lines.len(), MAX_LINES + 1);
        assert_eq!(lines.last().unwrap(), "and 20 other names on disk");
    }
}
