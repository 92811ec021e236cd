//! What trackers answered, as text and as JSON (docs/json.md). Only formats.

use std::borrow::Cow;
use std::fmt::Write;
use std::time::Duration;

use metainfo::InfoHash;
use serde::Serialize;
use tracker::{Counts, Reply};

use crate::output;
use crate::text;

/// Peers that are listed in text; JSON has all.
const MAX_PEERS: usize = 10;

/// One tracker's answer.
pub(super) struct Answer {
    pub(super) number: usize,
    pub(super) took: Duration,
    pub(super) outcome: Result<Outcome, tracker::Error>,
}

/// What a tracker said.
pub(super) enum Outcome {
    Announce(Reply),
    /// `None` if the tracker does not know the torrent.
    Scrape(Option<Counts>),
}

/// The JSON form of all answers.
#[derive(Serialize)]
pub(super) struct Report<'a> {
    format: u32,
    info_hash: String,
    trackers: Vec<Line<'a>>,
}

/// One tracker in the JSON form. What it did not say is null.
#[derive(Default, Serialize)]
struct Line<'a> {
    url: Cow<'a, str>,
    tier: usize,
    milliseconds: Option<u64>,
    error: Option<String>,
    complete: Option<u32>,
    incomplete: Option<u32>,
    downloaded: Option<u32>,
    #[serde(flatten)]
    announce: Option<AnnounceLine>,
}

/// What only announces tell.
#[derive(Serialize)]
struct AnnounceLine {
    interval: u64,
    min_interval: Option<u64>,
    peers: Vec<String>,
    warning: Option<String>,
    external_ip: Option<String>,
}

impl<'a> Report<'a> {
    /// A report on `trackers`, each with the number of its tier from 0.
    pub(super) fn new(info_hash: InfoHash, trackers: Vec<(usize, &'a String)>) -> Self {
        let line = |(tier, url): (usize, &'a String)| {
            let url = metainfo::hide_login(url);
            Line { url, tier, ..Line::default() }
        };
        let trackers = trackers.into_iter().map(line).collect();
        Self { format: output::JSON_FORMAT, info_hash: info_hash.to_string(), trackers }
    }

    /// Takes an answer in, and gives the lines that tell it.
    pub(super) fn add(&mut self, answer: &Answer) -> Option<String> {
        let line = self.trackers.get_mut(answer.number)?;
        line.milliseconds = Some(u64::try_from(answer.took.as_millis()).unwrap_or(u64::MAX));
        match &answer.outcome {
            Err(error) => line.error = Some(error.to_string()),
            Ok(Outcome::Scrape(None)) => {
                line.error = Some("the tracker does not know this torrent".to_owned());
            }
            Ok(Outcome::Scrape(Some(counts))) => {
                line.complete = Some(counts.complete);
                line.incomplete = Some(counts.incomplete);
                line.downloaded = Some(counts.downloaded);
            }
            Ok(Outcome::Announce(reply)) => {
                line.complete = reply.complete;
                line.incomplete = reply.incomplete;
                line.announce = Some(AnnounceLine {
                    interval: reply.interval.as_secs(),
                    min_interval: reply.min_interval.map(|time| time.as_secs()),
                    peers: reply.peers.iter().map(ToString::to_string).collect(),
                    warning: reply.warning.clone(),
                    external_ip: reply.external_ip.map(|ip| ip.to_string()),
                });
            }
        }
        Some(line.told())
    }

    /// How many trackers were asked.
    pub(super) fn asked(&self) -> usize {
        self.trackers.len()
    }

    /// How many gave an answer that is of use.
    pub(super) fn answered(&self) -> usize {
        self.trackers
            .iter()
            .filter(|line| line.milliseconds.is_some() && line.error.is_none())
            .count()
    }
}

impl Line<'_> {
    /// For people: the tracker and its time, and what it said below.
    fn told(&self) -> String {
        let took = self.milliseconds.unwrap_or_default();
        let mut told = format!("{}  ({took} ms)\n", text::escape(&self.url));
        let mut add = |words: &str| {
            told.push_str("  ");
            told.push_str(&text::escape(words));
            told.push('\n');
        };
        if let Some(error) = &self.error {
            add(&format!("failed: {error}"));
            return told;
        }
        let mut figures = String::new();
        let counts = [
            (self.complete, "seeds"),
            (self.incomplete, "leechers"),
            (self.downloaded, "downloads so far"),
        ];
        for (count, what) in counts {
            if let Some(count) = count {
                // Writing to a String does not fail.
                let _ = write!(figures, "{count} {what}, ");
            }
        }
        let Some(announce) = &self.announce else {
            add(figures.trim_end_matches(", "));
            return told;
        };
        let again = text::duration(Duration::from_secs(announce.interval));
        let peers = match announce.peers.len() {
            1 => "1 peer".to_owned(),
            n => format!("{n} peers"),
        };
        add(&format!("{figures}gives {peers}, wants to be asked again in {again}"));
        if let Some(warning) = &announce.warning {
            add(&format!("warns: {warning}"));
        }
        if let Some(ip) = &announce.external_ip {
            add(&format!("sees us as {ip}"));
        }
        for peer in announce.peers.iter().take(MAX_PEERS) {
            add(&format!("peer {peer}"));
        }
        let rest = announce.peers.len().saturating_sub(MAX_PEERS);
        if rest > 0 {
            add(&format!("and {rest} more peers (--json lists all)"));
        }
        told
    }
}
