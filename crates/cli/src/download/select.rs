//! `--select`: which files of a torrent the user means. Never looks at a disk.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use globset::{GlobBuilder, GlobMatcher};
use metainfo::{FileKind, Metainfo};

use crate::exit::{Code, Failure};
use crate::text;

/// The files that are meant, by their index in the torrent.
pub(super) fn files(torrent: &Metainfo, selections: &[String]) -> Result<BTreeSet<usize>, Failure> {
    let listed: Vec<(usize, Cow<'_, str>)> = (torrent.files().iter().enumerate())
        .filter(|(_, file)| file.kind() != FileKind::Padding)
        .map(|(index, file)| (index, file.path_str()))
        .collect();
    let mut chosen = BTreeSet::new();
    for selection in selections {
        let refused = |why: &str| {
            let message = format!("--select {}: {why}", text::escape(selection));
            Failure::new(Code::BadOption, message)
        };
        if selection.bytes().all(|byte| byte.is_ascii_digit() || b",-".contains(&byte)) {
            for part in selection.split(',') {
                let range = range(part).ok_or_else(|| refused("not as in 1-3,7"))?;
                if *range.end() > listed.len() {
                    let count = text::count(listed.len(), "file");
                    return Err(refused(&format!("the torrent has {count}")));
                }
                let numbers = listed.iter().skip(range.start() - 1).take(range.count());
                chosen.extend(numbers.map(|(index, _)| *index));
            }
        } else {
            let glob = glob(selection).map_err(|error| refused(&error.kind().to_string()))?;
            let meant = listed.iter().filter(|(_, path)| means(&glob, selection, path, torrent));
            let mut meant = meant.map(|(index, _)| *index).peekable();
            if meant.peek().is_none() {
                return Err(refused("no file of the torrent is called like that"));
            }
            chosen.extend(meant);
        }
    }
    Ok(chosen)
}

/// `7` or `1-3`, from 1 up.
fn range(text: &str) -> Option<RangeInclusive<usize>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (1 <= first && first <= last).then_some(first..=last)
}

fn glob(pattern: &str) -> Result<GlobMatcher, globset::Error> {
    Ok(GlobBuilder::new(pattern).literal_separator(true).build()?.compile_matcher())
}

/// Without a slash a pattern is held against the file's name, with one against its path below the
/// torrent's own folder.
fn means(glob: &GlobMatcher, pattern: &str, path: &str, torrent: &Metainfo) -> bool {
    if pattern.contains('/') {
        let below = path.strip_prefix(torrent.name()).and_then(|path| path.strip_prefix('/'));
        glob.is_match(below.unwrap_or(path))
    } else {
        glob.is_match(path.rsplit('/').next().unwrap_or(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `t/a.txt`, padding, `t/b/c.iso`, `t/b/d.txt`.
    fn torrent() -> Metainfo {
        let file = |path: &str, attr: &str| format!("d{attr}6:lengthi8e4:pathl{path}ee");
        let files = [
            file("5:a.txt", ""),
            file("4:.pad1:8", "4:attr1:p"),
            file("1:b5:c.iso", ""),
            file("1:b5:d.txt", ""),
        ];
        let info = format!(
            "d5:filesl{}e4:name1:t12:piece lengthi16384e6:pieces20:{}e",
            files.concat(),
            "x".repeat(20)
        );
        Metainfo::from_bytes(format!("d4:info{info}e").as_bytes()).unwrap()
    }

    fn chosen(selections: &[&str]) -> Option<Vec<usize>> {
        let selections: Vec<String> = selections.iter().map(|s| (*s).to_owned()).collect();
        files(&torrent(), &selections).ok().map(|set| set.into_iter().collect())
    }

    #[test]
    fn numbers_count_what_show_lists() {
        assert_eq!(chosen(&["1"]), Some(vec![0]));
        assert_eq!(chosen(&["1,3"]), Some(vec![0, 3]));
        assert_eq!(chosen(&["2-3"]), Some(vec![2, 3]));
        for bad in ["0", "4", "3-2", "1-", "", ",", "1,,2", "99999999999999999999"] {
            assert_eq!(chosen(&[bad]), None, "{bad}");
        }
    }

    #[test]
    fn globs_mean_names_or_paths() {
        assert_eq!(chosen(&["*.txt"]), Some(vec![0, 3]));
        assert_eq!(chosen(&["b/*"]), Some(vec![2, 3]));
        assert_eq!(chosen(&["b/*.txt", "1"]), Some(vec![0, 3]));
        // What is chosen already may be chosen again.
        assert_eq!(chosen(&["1", "a.*"]), Some(vec![0]));
        assert_eq!(chosen(&["*.zip"]), None);
        assert_eq!(chosen(&["["]), None);
    }
}
