//! `pieces-cli magnet`: the magnet URI of a torrent, and what one says (docs/json.md).

use std::borrow::Cow;
use std::io::{self, Write};
use std::path::Path;

use metainfo::Magnet;
use serde::Serialize;

use crate::args::{self, MagnetCommand};
use crate::each::each;
use crate::exit::Failure;
use crate::source::{self, Source};
use crate::{download, output, text};

/// Runs the command.
pub(crate) fn run(args: &args::Magnet, quiet: bool) -> Result<(), Failure> {
    match &args.command {
        Some(MagnetCommand::Resolve(args)) => download::resolve(args, quiet),
        Some(MagnetCommand::Show { uri, json }) => show(&source::only_magnet(uri)?, *json),
        None => each(&args.torrents, print),
    }
}

/// Prints the magnet URI of a torrent.
fn print(torrent: &Path) -> Result<(), Failure> {
    let magnet = match source::any(torrent)? {
        Source::Torrent(torrent) => Magnet::of(&torrent),
        Source::Magnet(magnet) => *magnet,
    };
    let shown = with_urls(&magnet, metainfo::without_login);
    if shown != magnet {
        log::warn!("the magnet URI leaves out the user and password of its trackers");
    }
    output::text(|out| writeln!(out, "{shown}"))
}

/// The JSON form; its keys are documented in docs/json.md.
#[derive(Serialize)]
struct Description<'a> {
    format: u32,
    info_hash: Option<String>,
    info_hash_v2: Option<String>,
    name: Option<&'a str>,
    trackers: &'a [String],
    web_seeds: &'a [String],
    peers: &'a [String],
    select: Vec<[u32; 2]>,
    warnings: &'a [String],
}

/// The magnet with its URLs changed.
fn with_urls(magnet: &Magnet, change: fn(&str) -> Cow<'_, str>) -> Magnet {
    let changed = |urls: &[String]| urls.iter().map(|url| change(url).into_owned()).collect();
    Magnet {
        trackers: changed(&magnet.trackers),
        web_seeds: changed(&magnet.web_seeds),
        ..magnet.clone()
    }
}

fn show(magnet: &Magnet, json: bool) -> Result<(), Failure> {
    if !json {
        return output::text(|out| describe(magnet, out));
    }
    let magnet = &with_urls(magnet, metainfo::hide_login);
    output::json(&Description {
        format: output::JSON_FORMAT,
        info_hash: magnet.info_hash.map(|hash| hash.to_string()),
        info_hash_v2: magnet.info_hash_v2.map(|hash| hash.to_string()),
        name: magnet.name.as_deref(),
        trackers: &magnet.trackers,
        web_seeds: &magnet.web_seeds,
        peers: &magnet.peers,
        select: magnet.select.iter().map(|range| [*range.start(), *range.end()]).collect(),
        warnings: &magnet.warnings,
    })
}

/// The form for people, which `show` uses too.
pub(crate) fn describe(magnet: &Magnet, out: &mut dyn Write) -> io::Result<()> {
    let magnet = with_urls(magnet, metainfo::hide_login);
    let mut line = |heading: &str, value: &str| writeln!(out, "{heading:<13} {value}");
    if let Some(name) = &magnet.name {
        line("name", &text::escape(name))?;
    }
    if let Some(hash) = magnet.info_hash {
        line("info-hash", &hash.to_string())?;
    }
    if let Some(hash) = magnet.info_hash_v2 {
        line("info-hash v2", &hash.to_string())?;
    }
    let lists =
        [("tracker", &magnet.trackers), ("web seed", &magnet.web_seeds), ("peer", &magnet.peers)];
    for (heading, values) in lists {
        for value in values {
            line(heading, &text::escape(value))?;
        }
    }
    for range in &magnet.select {
        // As `show` counts: a magnet URI counts files from 0.
        let [first, last] = [range.start(), range.end()].map(|file| u64::from(*file) + 1);
        line(
            "only file",
            &if first == last { first.to_string() } else { format!("{first}-{last}") },
        )?;
    }
    Ok(())
}
