//! `pieces-cli verify`: which pieces and files are whole, for people or as JSON (docs/json.md).
//! Hashing is `storage`'s; this only says what it found.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::AtomicBool;

use metainfo::{FileKind, Metainfo, PieceIndex, PieceSet};
use serde::Serialize;
use storage::{FileState, Link, LinkState, Options, Spec, Verified};

use crate::args::Verify;
use crate::attend::Attendant;
use crate::each::each;
use crate::exit::{Code, Failure};
use crate::{dash, inner_folder, output, renamed, select, source, text};

/// Runs the command.
pub(crate) fn run(args: &Verify, quiet: bool) -> Result<(), Failure> {
    let dir = &args.dir;
    dir.metadata().map_err(|error| Failure::io("open the folder", dir, &error))?;
    each(&args.torrents, |path| one(args, path, quiet))
}

/// Verifies one torrent, whatever became of the others.
fn one(args: &Verify, path: &Path, quiet: bool) -> Result<(), Failure> {
    let torrent = source::torrent(path)?;
    let dir = &args.dir;
    let spec = Spec::to_verify(dir, &torrent).map_err(|error| {
        let failure = Failure::storage(&error);
        Failure::new(failure.code(), format!("{}: {failure}", dash::input(path)))
    })?;
    let spec = spec.with_follow_links(args.follow_links);
    // Until the attendant is there, a signal ends the process.
    let spec =
        storage::locate(spec, &AtomicBool::new(false)).map_err(|error| Failure::storage(&error))?;
    for line in renamed::lines(spec.renamed()) {
        log::warn!("{line}");
    }
    let name = dash::input(path);
    let wanted = select::wanted(&torrent, &args.choice, None).map_err(|error| error.of(&name))?;
    let wanted = wanted.map(|files| Part::of(&torrent, &spec, &files));
    let mut options = Options::default();
    options.pieces = wanted.as_ref().map(|part| &part.pieces);
    let attendant = Attendant::start(torrent.name(), "verifying", quiet);
    let found = verify(&spec, &options, &attendant).map_err(|error| Failure::storage(&error))?;
    drop(attendant);
    let report = Report::of(&torrent, &spec, &found, wanted.as_ref());
    if args.json {
        output::json(&report)?;
    } else {
        output::text(|out| report.describe(out))?;
    }
    if report.whole {
        return Ok(());
    }
    let failure = report.failure();
    Err(match inner_folder::hint(dir, &torrent) {
        Some(hint) => Failure::new(failure.code(), format!("{failure}; {hint}")),
        None => failure,
    })
}

/// The part of a torrent that is looked at, where that is not all of it.
struct Part {
    /// By their index in the spec.
    files: BTreeSet<usize>,
    /// What holds bytes of those.
    pieces: PieceSet,
}

impl Part {
    /// The part that these files are, by their index in the torrent.
    fn of(torrent: &Metainfo, spec: &Spec, files: &BTreeSet<usize>) -> Self {
        let layout = spec.layout();
        let mut part =
            Self { files: BTreeSet::new(), pieces: PieceSet::new_empty(layout.piece_count()) };
        for ((index, _), at) in regular(torrent).zip(on_disk(spec)) {
            if files.contains(&index) {
                part.files.insert(at);
                let pieces = layout.file_pieces(at).filter_map(|piece| layout.piece(piece));
                pieces.for_each(|piece| {
                    part.pieces.insert(piece);
                });
            }
        }
        part
    }
}

/// The torrent's files that hold bytes, with their index in it.
fn regular(torrent: &Metainfo) -> impl Iterator<Item = (usize, &metainfo::File)> {
    let files = torrent.files().iter().enumerate();
    files.filter(|(_, file)| file.kind() == FileKind::Regular)
}

/// The same files by their index in the spec, which may have padding that the torrent does not list.
fn on_disk(spec: &Spec) -> impl Iterator<Item = usize> {
    let files = spec.files().iter().enumerate();
    files.filter(|(_, file)| file.on_disk).map(|(index, _)| index)
}

/// Hashes the files, unless another program changes one meanwhile: then what was found says nothing.
fn verify(
    spec: &Spec,
    options: &Options<'_>,
    attendant: &Attendant<'_>,
) -> Result<Verified, storage::Error> {
    let cancel = attendant.cancel();
    let before = storage::stamps(spec, cancel)?;
    storage::wait_for_tick();
    let found = storage::verify(spec, options, &|now| attendant.report(now), cancel)?;
    let now = storage::stamps(spec, cancel)?;
    match before.iter().zip(&now).position(|(before, now)| before != now) {
        Some(file) => Err(storage::Error::changed_meanwhile(spec, file)),
        None => Ok(found),
    }
}

/// The JSON form; its keys are documented in docs/json.md.
#[derive(Serialize)]
struct Report<'a> {
    format: u32,
    name: &'a str,
    info_hash: Option<String>,
    info_hash_v2: Option<String>,
    whole: bool,
    pieces: Pieces,
    files: Vec<FileReport<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    links: Vec<LinkReport<'a>>,
}

#[derive(Serialize)]
struct Pieces {
    count: u32,
    whole: u32,
    /// First and last of each run of pieces that are there and hold something else.
    damaged: Vec<[u32; 2]>,
    /// First and last of each run of pieces of which bytes are missing, or that nothing was written to.
    missing: Vec<[u32; 2]>,
}

#[derive(Serialize)]
struct FileReport<'a> {
    path: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_on_disk: Option<Cow<'a, str>>,
    #[serde(skip)]
    shown: Cow<'a, str>,
    length: u64,
    state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    length_on_disk: Option<u64>,
    pieces: u32,
    pieces_whole: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// A symbolic link of the torrent. It holds no bytes, so the torrent is whole without it.
#[derive(Serialize)]
struct LinkReport<'a> {
    path: Cow<'a, str>,
    #[serde(skip)]
    shown: String,
    /// Its text.
    target: Cow<'a, str>,
    state: &'static str,
}

/// How a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Whole,
    Damaged,
    /// As long as it has to be, with holes where pieces are missing.
    Incomplete,
    Missing,
    Short,
    Long,
    Unreadable,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Damaged => "damaged",
            Self::Incomplete => "incomplete",
            Self::Missing => "missing",
            Self::Short => "too short",
            Self::Long => "too long",
            Self::Unreadable => "unreadable",
        }
    }
}

impl<'a> Report<'a> {
    fn of(torrent: &'a Metainfo, spec: &'a Spec, found: &'a Verified, part: Option<&Part>) -> Self {
        let layout = spec.layout();
        let is_part = |piece: &PieceIndex| part.is_none_or(|part| part.pieces.contains(*piece));
        // What is padding alone holds nothing of any file, whatever the torrent says of its hash.
        let lacking = found.whole.iter_missing().filter(is_part);
        let lacking = lacking.filter(|piece| layout.piece_content_len(*piece) > 0);
        // What is zeros though it should not be is a hole that an unfinished download left.
        let (damaged, missing): (Vec<PieceIndex>, Vec<PieceIndex>) =
            lacking.partition(|piece| found.wrong.contains(*piece));
        let bad = u32::try_from(damaged.len() + missing.len()).unwrap_or(u32::MAX);
        let count = part.map_or(layout.piece_count(), |part| part.pieces.count());
        let pieces = Pieces {
            count,
            whole: count.saturating_sub(bad),
            damaged: runs(&damaged),
            missing: runs(&missing),
        };
        let files: Vec<FileReport<'_>> = regular(torrent)
            .zip(on_disk(spec))
            .filter(|(_, index)| part.is_none_or(|part| part.files.contains(index)))
            .filter_map(|((_, file), index)| {
                let (on_disk, state) = (spec.files().get(index)?, found.files.get(index)?);
                let pieces = layout.file_pieces(index);
                let count = pieces.end.saturating_sub(pieces.start);
                let pieces = || pieces.clone().filter_map(|piece| layout.piece(piece));
                let whole = pieces().filter(|piece| found.whole.contains(*piece)).count();
                let whole = u32::try_from(whole).unwrap_or(u32::MAX);
                let wrong = pieces().any(|piece| found.wrong.contains(piece));
                Some(FileReport::of(file, &on_disk.path, state, [count, whole], wrong))
            })
            .collect();
        Self {
            format: output::JSON_FORMAT,
            name: torrent.name(),
            info_hash: torrent.info_hash().map(|hash| hash.to_string()),
            info_hash_v2: torrent.info_hash_v2().map(|hash| hash.to_string()),
            whole: pieces.whole == pieces.count
                && files.iter().all(|file| file.state == State::Whole),
            pieces,
            files,
            links: found.links.iter().map(LinkReport::of).collect(),
        }
    }

    /// What is not whole, a line each, and the sum.
    fn describe(&self, out: &mut dyn Write) -> io::Result<()> {
        for file in self.files.iter().filter(|file| file.state != State::Whole) {
            let path = &file.shown;
            write!(out, "{:<10}  {path}", file.state.word())?;
            if let Some(on_disk) = file.length_on_disk {
                write!(out, " ({on_disk} of {})", text::count(file.length, "byte"))?;
            }
            if let Some(error) = &file.error {
                write!(out, " ({})", text::escape(error))?;
            }
            let bad = file.pieces.saturating_sub(file.pieces_whole);
            if bad > 0 && file.pieces_whole > 0 {
                let how = if file.state == State::Incomplete { "missing" } else { "bad" };
                write!(out, " ({bad} of {} pieces {how})", file.pieces)?;
            }
            writeln!(out)?;
        }
        for (word, runs) in [("damaged", &self.pieces.damaged), ("missing", &self.pieces.missing)] {
            if !runs.is_empty() {
                writeln!(out, "pieces {word}: {}", listed(runs))?;
            }
        }
        for link in self.links.iter().filter(|link| link.state != RIGHT) {
            let (word, path, target) = (link.state, &link.shown, text::escape(&link.target));
            writeln!(out, "{word:<10}  {path} (link to {target}, holds no bytes)")?;
        }
        if self.whole {
            let (files, pieces) = (self.files.len(), self.pieces.count);
            let name = text::escape(self.name);
            writeln!(
                out,
                "{name}: whole, {} and {}",
                text::count(files, "file"),
                text::count(pieces, "piece")
            )?;
        }
        Ok(())
    }

    fn failure(&self) -> Failure {
        let bad_files = self.files.iter().filter(|file| file.state != State::Whole).count();
        let bad_pieces = self.pieces.count.saturating_sub(self.pieces.whole);
        let name = text::escape(self.name);
        let files = format!("{bad_files} of {}", text::count(self.files.len(), "file"));
        let pieces = text::count(self.pieces.count, "piece");
        let message = if bad_pieces == 0 {
            // An empty file that is missing, or one that is too long.
            let verb = if bad_files == 1 { "is" } else { "are" };
            format!(
                "{name}: {files} {verb} not as it should be; all bytes of the torrent are there"
            )
        } else {
            format!("{name}: {files} and {bad_pieces} of {pieces} are not whole")
        };
        Failure::new(Code::Checksum, message)
    }
}

/// The state of a link that is as it should be.
const RIGHT: &str = "right";

impl<'a> LinkReport<'a> {
    fn of(link: &'a Link) -> Self {
        let state = match link.state {
            LinkState::Right => RIGHT,
            LinkState::Missing => "missing",
            _ => "other",
        };
        let shown = text::path(&link.path);
        Self {
            path: link.path.to_string_lossy(),
            shown,
            target: link.text.to_string_lossy(),
            state,
        }
    }
}

impl<'a> FileReport<'a> {
    fn of(
        file: &'a metainfo::File,
        on_disk: &'a Path,
        found: &FileState,
        [pieces, pieces_whole]: [u32; 2],
        wrong: bool,
    ) -> Self {
        let (state, length_on_disk, error) = match found {
            FileState::Missing => (State::Missing, None, None),
            FileState::Short { len } => (State::Short, Some(*len), None),
            FileState::Long { len } => (State::Long, Some(*len), None),
            FileState::Unreadable(error) => (State::Unreadable, None, Some(text::storage(error))),
            _ if pieces == pieces_whole => (State::Whole, None, None),
            _ if wrong => (State::Damaged, None, None),
            _ => (State::Incomplete, None, None),
        };
        let (path, shown, length) = (file.path_str(), text::name(file.path_bytes()), file.length());
        let path_on_disk = (on_disk != file.path()).then(|| on_disk.to_string_lossy());
        Self {
            path,
            path_on_disk,
            shown,
            length,
            state,
            length_on_disk,
            pieces,
            pieces_whole,
            error,
        }
    }
}

/// First and last of each run in what is sorted.
fn runs(pieces: &[PieceIndex]) -> Vec<[u32; 2]> {
    let mut runs: Vec<[u32; 2]> = Vec::new();
    for piece in pieces.iter().map(|piece| piece.get()) {
        match runs.last_mut() {
            Some([_, last]) if last.checked_add(1) == Some(piece) => *last = piece,
            _ => runs.push([piece, piece]),
        }
    }
    runs
}

/// Runs beyond these are counted only: nobody reads them.
const MAX_RUNS: usize = 20;

/// `3, 5-9 and 4 more`
fn listed(runs: &[[u32; 2]]) -> String {
    let range = |[first, last]: &[u32; 2]| {
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    };
    let shown: Vec<String> = runs.iter().take(MAX_RUNS).map(range).collect();
    let rest = runs.len().saturating_sub(MAX_RUNS);
    let more = if rest > 0 { format!(" and {rest} more runs") } else { String::new() };
    shown.join(", ") + &more
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_join_neighbours() {
        let pieces = [0, 1, 2, 4, 7, 8].map(PieceIndex::new);
        assert_eq!(runs(&pieces), [[0, 2], [4, 4], [7, 8]]);
        assert_eq!(listed(&runs(&pieces)), "0-2, 4, 7-8");
        let odd: Vec<_> = (0..50).map(|n| PieceIndex::new(n * 2)).collect();
        assert!(listed(&runs(&odd)).ends_with("38 and 30 more runs"));
    }
}
