//! `pieces-cli show`: what a torrent or a magnet URI holds, for people or as JSON (docs/json.md). Only prints.

use std::borrow::Cow;
use std::io::{self, Write};

use metainfo::{FileKind, Magnet, Metainfo, Version};
use serde::Serialize;

use crate::args::Show;
use crate::each::each;
use crate::exit::Failure;
use crate::source::{self, Source};
use crate::{magnet, output, text};

/// Runs the command.
pub(crate) fn run(args: &Show) -> Result<(), Failure> {
    let mut is_first = true;
    each(&args.sources, |source| {
        let source = source::any(source)?;
        // A line between two of them.
        let gap = !std::mem::take(&mut is_first) && !args.json;
        if gap {
            output::text(|out| writeln!(out))?;
        }
        match (source, args.json) {
            (Source::Torrent(torrent), true) => output::json(&Description::of(&torrent)),
            (Source::Torrent(torrent), false) => output::text(|out| describe(&torrent, out)),
            (Source::Magnet(magnet), true) => output::json(&Description::of_magnet(&magnet)),
            (Source::Magnet(magnet), false) => output::text(|out| magnet::describe(&magnet, out)),
        }
    })
}

/// The JSON form; its keys are documented in docs/json.md and change only with its version.
#[derive(Default, Serialize)]
struct Description<'a> {
    format: u32,
    name: Option<&'a str>,
    info_hash: Option<String>,
    info_hash_v2: Option<String>,
    version: &'static str,
    total_length: Option<u64>,
    piece_length: Option<u32>,
    piece_count: Option<u32>,
    private: Option<bool>,
    source: Option<&'a str>,
    files: Option<Vec<FileDescription<'a>>>,
    trackers: Vec<Vec<Cow<'a, str>>>,
    web_seeds: Vec<Cow<'a, str>>,
    comment: Option<&'a str>,
    created_by: Option<&'a str>,
    creation_date: Option<i64>,
    encoding: Option<&'a str>,
    warnings: &'a [String],
}

/// One file in the JSON form.
#[derive(Serialize)]
struct FileDescription<'a> {
    path: Cow<'a, str>,
    length: u64,
    padding: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    symlink: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    renamed_from: Option<&'a str>,
}

impl<'a> Description<'a> {
    fn of(torrent: &'a Metainfo) -> Self {
        Self {
            format: output::JSON_FORMAT,
            name: Some(torrent.name()),
            info_hash: torrent.info_hash().map(|hash| hash.to_string()),
            info_hash_v2: torrent.info_hash_v2().map(|hash| hash.to_string()),
            version: version(torrent.version()),
            total_length: Some(torrent.total_len()),
            piece_length: Some(torrent.piece_length()),
            piece_count: Some(torrent.piece_count()),
            private: Some(torrent.is_private()),
            source: torrent.source(),
            files: Some(torrent.files().iter().map(FileDescription::of).collect()),
            trackers: torrent
                .tiers()
                .iter()
                .map(|tier| tier.iter().map(|url| metainfo::hide_login(url)).collect())
                .collect(),
            web_seeds: urls(torrent.web_seeds()),
            comment: torrent.comment(),
            created_by: torrent.created_by(),
            creation_date: torrent.creation_date(),
            encoding: torrent.encoding(),
            warnings: torrent.warnings(),
        }
    }

    /// What a magnet URI tells; the rest is null. Each tracker is a tier of its own.
    fn of_magnet(magnet: &'a Magnet) -> Self {
        let named = match (magnet.info_hash, magnet.info_hash_v2) {
            (Some(_), Some(_)) => Version::Hybrid,
            (None, Some(_)) => Version::V2,
            (_, None) => Version::V1,
        };
        Self {
            format: output::JSON_FORMAT,
            name: magnet.name.as_deref(),
            info_hash: magnet.info_hash.map(|hash| hash.to_string()),
            info_hash_v2: magnet.info_hash_v2.map(|hash| hash.to_string()),
            version: version(named),
            trackers: magnet.trackers.iter().map(|url| vec![metainfo::hide_login(url)]).collect(),
            web_seeds: urls(&magnet.web_seeds),
            warnings: &magnet.warnings,
            ..Self::default()
        }
    }
}

impl<'a> FileDescription<'a> {
    fn of(file: &'a metainfo::File) -> Self {
        Self {
            path: file.path_str(),
            length: file.length(),
            padding: file.kind() == FileKind::Padding,
            symlink: file.kind() == FileKind::Symlink,
            target: file.link_target().map(std::path::Path::to_string_lossy),
            renamed_from: file.renamed_from(),
        }
    }
}

/// URLs without their users and passwords.
fn urls(urls: &[String]) -> Vec<Cow<'_, str>> {
    urls.iter().map(|url| metainfo::hide_login(url)).collect()
}

fn version(version: Version) -> &'static str {
    match version {
        Version::V1 => "v1",
        Version::V2 => "v2",
        Version::Hybrid => "hybrid",
    }
}

/// The form for people: a heading a line, then the files.
fn describe(torrent: &Metainfo, out: &mut dyn Write) -> io::Result<()> {
    let mut line = |heading: &str, value: &str| writeln!(out, "{heading:<13} {value}");
    line("name", &text::name(torrent.name_bytes()))?;
    if let Some(hash) = torrent.info_hash() {
        line("info-hash", &hash.to_string())?;
    }
    if let Some(hash) = torrent.info_hash_v2() {
        line("info-hash v2", &hash.to_string())?;
    }
    line("version", version(torrent.version()))?;
    let total = torrent.total_len();
    line("size", &format!("{} ({})", text::bytes(total), text::count(total, "byte")))?;
    let piece_length = text::bytes(u64::from(torrent.piece_length()));
    line("pieces", &format!("{} of {piece_length}", torrent.piece_count()))?;
    line("private", if torrent.is_private() { "yes" } else { "no" })?;
    for (number, tier) in torrent.tiers().iter().enumerate() {
        for url in tier {
            line(&format!("tracker {}", number + 1), &text::url(url))?;
        }
    }
    for url in torrent.web_seeds() {
        line("web seed", &text::url(url))?;
    }
    let optional = [
        ("source", torrent.source()),
        ("comment", torrent.comment()),
        ("created by", torrent.created_by()),
        ("encoding", torrent.encoding()),
    ];
    for (heading, value) in optional {
        if let Some(value) = value {
            line(heading, &text::escape(value))?;
        }
    }
    if let Some(date) = torrent.creation_date() {
        line("created", &text::date(date))?;
    }
    let on_disk = torrent.files().iter().filter(|file| file.kind() == FileKind::Regular).count();
    line("files", &on_disk.to_string())?;
    // The numbers that `--select` takes.
    let listed = torrent.files().iter().filter(|file| file.kind() != FileKind::Padding);
    let width = listed.clone().count().to_string().len();
    for (number, file) in (1_usize..).zip(listed) {
        let path = text::name(file.path_bytes());
        match file.kind() {
            FileKind::Symlink => {
                let leads = match file.link_target() {
                    Some(target) => format!("(link to {})", text::path(target)),
                    None => "(link to nothing in the torrent, left out)".into(),
                };
                write!(out, "  {number:>width$}  {:>10}  {path} {leads}", "")?;
            }
            _ => write!(out, "  {number:>width$}  {:>10}  {path}", text::bytes(file.length()))?,
        }
        if let Some(original) = file.renamed_from() {
            write!(out, "  (the torrent calls it {})", text::escape(original))?;
        }
        writeln!(out)?;
    }
    Ok(())
}
