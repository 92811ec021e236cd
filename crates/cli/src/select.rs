//! `--select` and `--exclude`: which files of a torrent the user means. Never looks at a disk.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::ops::RangeInclusive;
use std::os::unix::ffi::OsStrExt as _;

use globset::{GlobBuilder, GlobMatcher};
use metainfo::{FileKind, Metainfo, sanitise_name};

use crate::args::Choice;
use crate::exit::{Code, Failure};
use crate::{near, text};

/// The files that are wanted, by their index in the torrent; `None` if that is all of them: what is
/// selected, or else what `preset` says, but for what is excluded.
pub(crate) fn wanted(
    torrent: &Metainfo,
    choice: &Choice,
    preset: Option<BTreeSet<usize>>,
) -> Result<Option<BTreeSet<usize>>, Failure> {
    let wanted = match choice.selections.as_slice() {
        [] => preset,
        selections => Some(files(torrent, "--select", selections)?),
    };
    if choice.excludes.is_empty() {
        return Ok(wanted);
    }
    let excluded = files(torrent, EXCLUDE, &choice.excludes)?;
    let all = || (0..torrent.files().len()).collect();
    let mut wanted = wanted.unwrap_or_else(all);
    wanted.retain(|index| !excluded.contains(index));
    let is_regular = |index: &usize| {
        torrent.files().get(*index).is_some_and(|file| file.kind() == FileKind::Regular)
    };
    if !wanted.iter().any(is_regular) {
        return Err(Failure::new(Code::BadOption, "--exclude leaves no file of the torrent"));
    }
    Ok(Some(wanted))
}

/// The option that leaves out what it names. Something that is not there is left out already.
const EXCLUDE: &str = "--exclude";

/// The files that are meant by the values of an `option`.
fn files(
    torrent: &Metainfo,
    option: &str,
    selections: &[OsString],
) -> Result<BTreeSet<usize>, Failure> {
    let listed: Vec<(usize, &[u8])> = (torrent.files().iter().enumerate())
        .filter(|(_, file)| file.kind() != FileKind::Padding)
        .map(|(index, file)| (index, file.path_bytes()))
        .collect();
    let mut chosen = BTreeSet::new();
    for selection in selections {
        let refused = |why: &str| {
            let message = format!("{option} {}: {why}", sanitise_name(selection.as_bytes()));
            Failure::new(Code::BadOption, message)
        };
        let is_number = |byte: &u8| byte.is_ascii_digit() || b",-".contains(byte);
        if let Some(numbers) =
            selection.to_str().filter(|text| text.as_bytes().iter().all(is_number))
        {
            for part in numbers.split(',') {
                let range = range(part).ok_or_else(|| refused("not as in 1-3,7"))?;
                if *range.end() > listed.len() {
                    let count = text::count(listed.len(), "file");
                    return Err(refused(&format!("the torrent has {count}")));
                }
                let numbers = listed.iter().skip(range.start() - 1).take(range.count());
                chosen.extend(numbers.map(|(index, _)| *index));
            }
        } else {
            let meant = named(torrent, &listed, (option, selection.as_bytes()));
            if meant.is_empty() {
                let paths: Vec<Cow<'_, str>> =
                    listed.iter().map(|(_, path)| String::from_utf8_lossy(path)).collect();
                let names = paths.iter().flat_map(|path| path.split('/'));
                let refused = refused(&near::unknown(&selection.to_string_lossy(), names));
                if option != EXCLUDE {
                    return Err(refused);
                }
                log::warn!("{refused}");
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

/// The files that a name, a folder or a pattern means. What is called exactly like that counts more
/// than what a pattern matches, and both count more where upper and lower case are right.
fn named(
    torrent: &Metainfo,
    listed: &[(usize, &[u8])],
    (option, selection): (&str, &[u8]),
) -> Vec<usize> {
    let folder = sanitise_name(torrent.name_bytes());
    for ignore_case in [false, true] {
        let meaning = Meaning::of(selection, ignore_case);
        for exact in [true, false] {
            let means = |path: &[u8]| {
                let shown = sanitise_name(path);
                let all = [path, shown.as_bytes()];
                // Names are accepted as they are and as `show` prints them.
                let torrents = [torrent.name_bytes(), folder.as_bytes()];
                all.into_iter().zip(torrents).any(|(path, torrent)| {
                    let below = path.strip_prefix(torrent).and_then(|path| path.strip_prefix(b"/"));
                    let below = below.unwrap_or(path);
                    [path, below].iter().any(|path| meaning.means(path, exact))
                })
            };
            let found = listed.iter().filter(|(_, path)| means(path));
            let found: Vec<usize> = found.map(|(index, _)| *index).collect();
            if !found.is_empty() {
                if ignore_case {
                    let selection = sanitise_name(selection);
                    log::warn!(
                        "{option} {selection}: taken without regard to upper and lower case"
                    );
                }
                return found;
            }
        }
    }
    Vec::new()
}

/// What the user wrote, ready to be held against paths.
struct Meaning {
    /// Without what says that a name or a folder is meant.
    name: Vec<u8>,
    /// It ends with a slash.
    is_folder: bool,
    /// It has a slash within, so it is held against whole paths.
    is_path: bool,
    /// `None` if it is no pattern; one that is not UTF-8 is none.
    glob: Option<GlobMatcher>,
    ignore_case: bool,
}

impl Meaning {
    fn of(selection: &[u8], ignore_case: bool) -> Self {
        // As for a shell, what begins like this is a name, whatever it looks like.
        let named = selection.strip_prefix(b"./").unwrap_or(selection);
        let end = named.iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1);
        let name = named.get(..end).unwrap_or_default();
        let glob = |pattern: &str| {
            let mut glob = GlobBuilder::new(pattern);
            glob.literal_separator(true).case_insensitive(ignore_case);
            Some(glob.build().ok()?.compile_matcher())
        };
        Self {
            name: if ignore_case { lower(name) } else { name.to_owned() },
            is_folder: named.ends_with(b"/"),
            is_path: name.contains(&b'/'),
            glob: std::str::from_utf8(name).ok().and_then(glob),
            ignore_case,
        }
    }

    /// Whether the file at `path`, or a folder it is in, is meant: by its exact name or by the pattern.
    /// Without a slash names are compared, with one paths.
    fn means(&self, path: &[u8], exact: bool) -> bool {
        let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        let candidates = slashes.map(|(end, _)| (end, true));
        let mut candidates = candidates.chain([(path.len(), false)]);
        candidates.any(|(end, is_folder)| {
            // A pattern is for files, unless it says that it is for folders.
            let counts =
                if exact { is_folder || !self.is_folder } else { is_folder == self.is_folder };
            let (whole, _) = path.split_at(end);
            let last = whole.rsplit(|byte| *byte == b'/').next().unwrap_or(whole);
            counts && self.is_called(if self.is_path { whole } else { last }, exact)
        })
    }

    fn is_called(&self, name: &[u8], exact: bool) -> bool {
        match (&self.glob, exact) {
            (_, true) if self.ignore_case => lower(name) == self.name,
            (_, true) => name == self.name,
            (Some(glob), false) => glob.is_match(OsStr::from_bytes(name)),
            (None, false) => false,
        }
    }
}

/// The name in lower case, as far as it is text.
fn lower(name: &[u8]) -> Vec<u8> {
    let mut lower = Vec::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        lower.extend_from_slice(chunk.valid().to_lowercase().as_bytes());
        lower.extend_from_slice(chunk.invalid());
    }
    lower
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
        let selections: Vec<OsString> = selections.iter().map(Into::into).collect();
        files(&torrent(), "--select", &selections).ok().map(|set| set.into_iter().collect())
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
    fn what_is_excluded_is_left_out_of_what_is_selected_or_of_all() {
        let wanted = |selections: &[&str], excludes: &[&str], preset: Option<&[usize]>| {
            let owned = |all: &[&str]| all.iter().map(OsString::from).collect();
            let choice = Choice { selections: owned(selections), excludes: owned(excludes) };
            let preset = preset.map(|all| all.iter().copied().collect());
            let wanted = super::wanted(&torrent(), &choice, preset).ok()?;
            Some(wanted.map(|set| set.into_iter().collect::<Vec<_>>()))
        };
        assert_eq!(wanted(&[], &[], None), Some(None));
        // Padding comes along with its neighbours.
        assert_eq!(wanted(&[], &["*.iso"], None), Some(Some(vec![0, 1, 3])));
        assert_eq!(wanted(&[], &["2"], None), Some(Some(vec![0, 1, 3])));
        assert_eq!(wanted(&["b"], &["*.iso"], None), Some(Some(vec![3])));
        assert_eq!(wanted(&[], &["a.txt"], Some(&[0, 2])), Some(Some(vec![2])));
        assert_eq!(wanted(&["b"], &[], Some(&[0])), Some(Some(vec![2, 3])));
        // What is not there is left out already; numbers are looked up by hand.
        assert_eq!(wanted(&["1"], &["nothing"], None), Some(Some(vec![0])));
        assert_eq!(wanted(&[], &["9"], None), None);
        assert_eq!(wanted(&["b"], &["b/"], None), None);
        assert_eq!(wanted(&[], &["*"], None), None);
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

    /// A torrent `t` of such files, in which `selection` means those.
    fn means(files: &[&str], selection: &str) -> Vec<String> {
        let entries: Vec<String> = (files.iter())
            .map(|file| {
                let parts = file.split('/').map(|part| format!("{}:{part}", part.len()));
                format!("d6:lengthi8e4:pathl{}ee", parts.collect::<String>())
            })
            .collect();
        let hash = "x".repeat(20);
        let info = format!(
            "d5:filesl{}e4:name1:t12:piece lengthi16384e6:pieces20:{hash}e",
            entries.concat()
        );
        let torrent = Metainfo::from_bytes(format!("d4:info{info}e").as_bytes()).unwrap();
        let chosen = super::files(&torrent, "--select", &[selection.into()]).unwrap_or_default();
        chosen.into_iter().map(|index| files[index].to_owned()).collect()
    }

    #[test]
    fn an_exact_name_counts_more_than_a_pattern() {
        let files = ["song [1].mp3", "song 1.mp3", "what?", "whats", "*", "b/song 1.mp3", "{a,b}"];
        for (selection, wanted) in [
            ("song [1].mp3", &["song [1].mp3"][..]),
            ("t/song [1].mp3", &["song [1].mp3"]),
            ("song [12].mp3", &["song 1.mp3", "b/song 1.mp3"]),
            ("song 1.mp3", &["song 1.mp3", "b/song 1.mp3"]),
            ("b/song 1.mp3", &["b/song 1.mp3"]),
            ("t/b/song 1.mp3", &["b/song 1.mp3"]),
            ("what?", &["what?"]),
            ("wha*", &["what?", "whats"]),
            ("*", &["*"]),
            ("{a,b}", &["{a,b}"]),
        ] {
            assert_eq!(means(&files, selection), wanted, "{selection}");
        }
    }

    #[test]
    fn a_name_that_is_not_utf_8_is_meant_as_it_is_and_as_it_is_shown() {
        let file = |name: &[u8]| [b"d6:lengthi8e4:pathl4:", name, b"ee"].concat();
        let files = [file(b"gr\xfcn"), file(b"gr\xfdn"), file(b"Gr\xffn")].concat();
        let head = b"d4:infod5:filesl";
        let tail = b"e4:name2:t\xe412:piece lengthi16384e6:pieces20:xxxxxxxxxxxxxxxxxxxxee";
        let torrent = Metainfo::from_bytes(&[head, &files[..], tail].concat()).unwrap();
        for (selection, wanted) in [
            (&b"gr\xfcn"[..], &[0][..]),
            (b"t\xe4/gr\xfdn", &[1]),
            (br"gr\xfcn", &[0]),
            (br"t\xe4/gr\xfdn", &[1]),
            (b"gr?n", &[0, 1]),
            (b"gr\xffn", &[2]),
            (b"t\xe4/", &[0, 1, 2]),
            (b"gr\xc0n", &[]),
        ] {
            let chosen = super::files(&torrent, "--select", &[OsStr::from_bytes(selection).into()]);
            let chosen: Vec<usize> = chosen.unwrap_or_default().into_iter().collect();
            assert_eq!(chosen, wanted, "{}", selection.escape_ascii());
        }
    }

    #[test]
    fn a_folder_is_all_that_is_below_it() {
        let files = ["a/x", "a/b/y", "a/b/z", "c", "b", "[d]/1", "d/2"];
        for (selection, wanted) in [
            ("a", &["a/x", "a/b/y", "a/b/z"][..]),
            ("a/", &["a/x", "a/b/y", "a/b/z"]),
            ("t", &files),
            ("t/", &files),
            ("a/b", &["a/b/y", "a/b/z"]),
            ("t/a/b/", &["a/b/y", "a/b/z"]),
            // The file is called like the folder.
            ("b", &["a/b/y", "a/b/z", "b"]),
            ("b/", &["a/b/y", "a/b/z"]),
            ("[d]", &["[d]/1"]),
            ("[ad]/", &["a/x", "a/b/y", "a/b/z", "d/2"]),
            ("c/", &[]),
        ] {
            assert_eq!(means(&files, selection), wanted, "{selection}");
        }
    }

    #[test]
    fn case_counts_unless_nothing_is_called_like_that() {
        let files = ["A.txt", "a.txt", "Cover.JPG", "Extras/Making.mkv"];
        for (selection, wanted) in [
            ("a.txt", &["a.txt"][..]),
            ("cover.jpg", &["Cover.JPG"]),
            ("*.jpg", &["Cover.JPG"]),
            ("EXTRAS", &["Extras/Making.mkv"]),
            ("*.TXT", &["A.txt", "a.txt"]),
        ] {
            assert_eq!(means(&files, selection), wanted, "{selection}");
        }
    }

    #[test]
    fn a_name_that_looks_like_a_number_is_given_with_its_folder() {
        assert_eq!(means(&["b", "1"], "1"), ["b"]);
        assert_eq!(means(&["b", "1"], "./1"), ["1"]);
        assert_eq!(means(&["b", "1"], "t/1"), ["1"]);
    }

    #[test]
    fn what_is_not_there_is_told_with_what_is_near() {
        let refused = files(&torrent(), "--select", &["A.tx".into()]).unwrap_err();
        assert_eq!(refused.code(), Code::BadOption);
        assert!(refused.to_string().contains("did you mean \"a.txt\"?"), "{refused}");
        let refused = files(&torrent(), "--select", &["zzzzzz".into()]).unwrap_err();
        assert!(refused.to_string().ends_with("show lists them"), "{refused}");
    }
}
