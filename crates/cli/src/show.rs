//! `pieces-cli show`: what a torrent holds, for people or as JSON (docs/json.md). Only prints.

use std::io::{self, Write};

use metainfo::{FileKind, Metainfo, Version};
use serde::Serialize;

use crate::args::Show;
use crate::exit::Failure;
use crate::{output, source, text};

/// Runs the command.
pub(crate) fn run(args: &Show) -> Result<(), Failure> {
    let torrent = source::torrent(&args.torrent)?;
    if args.json {
        output::json(&Description::of(&torrent))
    } else {
        output::text(|out| describe(&torrent, out))
    }
}

/// The JSON form; its keys are documented in docs/json.md and change only with its version.
#[derive(Serialize)]
struct Description<'a> {
    format: u32,
    name: &'a str,
    info_hash: Option<String>,
    info_hash_v2: Option<String>,
    version: &'static str,
    total_length: u64,
    piece_length: u32,
    piece_count: u32,
    private: bool,
    source: Option<&'a str>,
    files: Vec<FileDescription<'a>>,
    trackers: &'a [Vec<String>],
    web_seeds: &'a [String],
    comment: Option<&'a str>,
    created_by: Option<&'a str>,
    creation_date: Option<i64>,
    encoding: Option<&'a str>,
    warnings: &'a [String],
}

/// One file in the JSON form.
#[derive(Serialize)]
struct FileDescription<'a> {
    path: &'a str,
    length: u64,
    padding: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    symlink: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    renamed_from: Option<&'a str>,
}

impl<'a> Description<'a> {
    fn of(torrent: &'a Metainfo) -> Self {
        Self {
            format: output::JSON_FORMAT,
            name: torrent.name(),
            info_hash: torrent.info_hash().map(|hash| hash.to_string()),
            info_hash_v2: torrent.info_hash_v2().map(|hash| hash.to_string()),
            version: version(torrent.version()),
            total_length: torrent.total_len(),
            piece_length: torrent.piece_length(),
            piece_count: torrent.piece_count(),
            private: torrent.is_private(),
            source: torrent.source(),
            files: torrent
                .files()
                .iter()
                .map(|file| FileDescription {
                    path: file.path_str(),
                    length: file.length(),
                    padding: file.kind() == FileKind::Padding,
                    symlink: file.kind() == FileKind::Symlink,
                    renamed_from: file.renamed_from(),
                })
                .collect(),
            trackers: torrent.tiers(),
            web_seeds: torrent.web_seeds(),
            comment: torrent.comment(),
            created_by: torrent.created_by(),
            creation_date: torrent.creation_date(),
            encoding: torrent.encoding(),
            warnings: torrent.warnings(),
        }
    }
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
    line("name", &text::escape(torrent.name()))?;
    if let Some(hash) = torrent.info_hash() {
        line("info-hash", &hash.to_string())?;
    }
    if let Some(hash) = torrent.info_hash_v2() {
        line("info-hash v2", &hash.to_string())?;
    }
    line("version", version(torrent.version()))?;
    let total = torrent.total_len();
    line("size", &format!("{} ({total} bytes)", text::bytes(total)))?;
    let piece_length = text::bytes(u64::from(torrent.piece_length()));
    line("pieces", &format!("{} of {piece_length}", torrent.piece_count()))?;
    line("private", if torrent.is_private() { "yes" } else { "no" })?;
    for (number, tier) in torrent.tiers().iter().enumerate() {
        for url in tier {
            line(&format!("tracker {}", number + 1), &text::escape(url))?;
        }
    }
    for url in torrent.web_seeds() {
        line("web seed", &text::escape(url))?;
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
    for file in torrent.files() {
        let path = text::escape(file.path_str());
        match file.kind() {
            FileKind::Regular => write!(out, "  {:>10}  {path}", text::bytes(file.length()))?,
            FileKind::Symlink => write!(out, "  {:>10}  {path} (link, not created)", "")?,
            _ => continue,
        }
        if let Some(original) = file.renamed_from() {
            write!(out, "  (the torrent calls it {})", text::escape(original))?;
        }
        writeln!(out)?;
    }
    Ok(())
}
