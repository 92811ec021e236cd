//! What docs/json.md says of events, held against what can be told: no more, no less.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use session::{Source, Stall};

use super::*;
use crate::download::stall;
use crate::exit::Code;

const DOCS: &str = include_str!("../../../../../docs/json.md");

/// Keys that every event has.
const COMMON: [&str; 4] = ["format", "time", "event", "torrent"];

type Words = BTreeSet<String>;

/// What stands between backticks, as it stands.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

fn is_word(text: &&str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

fn words<'a>(words: impl IntoIterator<Item = &'a str>) -> Words {
    words.into_iter().map(str::to_owned).collect()
}

/// Each event by its name, with its keys and with the values that keys may have.
fn documented() -> BTreeMap<String, (Words, Words)> {
    let (_, section) = DOCS.split_once("## download and seed").unwrap();
    let (_, table) = section.split_once("| event | keys |\n|---|---|\n").unwrap();
    let rows = table.lines().take_while(|line| line.starts_with('|'));
    let events = rows.map(|row| {
        let (name, meaning) = row.trim_matches('|').split_once('|').unwrap();
        let keys = quoted(meaning).filter(is_word).filter(|key| !COMMON.contains(key));
        let values = quoted(meaning).filter_map(|word| word.strip_prefix('"')?.strip_suffix('"'));
        (quoted(name).next().unwrap().to_owned(), (words(keys), words(values)))
    });
    events.collect()
}

/// Events of every kind, with every key, and every word that is a value.
fn all() -> Vec<Fact<'static>> {
    let mut all = vec![
        Fact::Added { name: "", path: Some(""), total_length: Some(0) },
        Fact::Metadata { name: "", path: "", total_length: 0 },
        Fact::Checking { done: 0, total: 0 },
        Fact::Ready { have: 0, total: 0 },
        Fact::Piece { piece: 0 },
        Fact::Stalled { reason: "", message: "" },
        Fact::Warning { message: "" },
        Fact::Complete { path: "", length: 0 },
        Fact::from(&Failure::new(Code::Other, "")),
    ];
    for stage in
        [Stage::Downloading, Stage::Seeding, Stage::Metadata(None), Stage::Stopping, Stage::Over]
    {
        let mut row = Row::new("", 0);
        row.stage = stage;
        all.extend(progress(&row));
    }
    let address = SocketAddr::from(([192, 0, 2, 1], 1));
    let closed = PeerChange::Closed { reason: String::new() };
    all.extend(peer(address, &closed));
    let sources = [
        Source::Given,
        Source::Magnet,
        Source::Tracker,
        Source::Local,
        Source::Dht,
        Source::Incoming,
        Source::Pex,
    ];
    for (source, origin) in sources.into_iter().zip([Origin::Dialed, Origin::Incoming].repeat(4)) {
        let connected = PeerChange::Connected { origin, source, peer_id: [b'-'; 20] };
        all.extend(peer(address, &connected));
    }
    for fact in &all {
        // Whoever adds a kind adds it above too.
        match fact {
            Fact::Added { .. }
            | Fact::Metadata { .. }
            | Fact::Checking { .. }
            | Fact::Ready { .. }
            | Fact::Peer { change: Change::Connected { .. } | Change::Closed { .. }, .. }
            | Fact::Piece { .. }
            | Fact::Progress(_)
            | Fact::Stalled { .. }
            | Fact::Warning { .. }
            | Fact::Complete { .. }
            | Fact::Error { .. } => {}
        }
    }
    all
}

#[test]
fn the_documented_events_and_keys_are_those_that_are_told() {
    let mut told: BTreeMap<String, (Words, Words)> = BTreeMap::new();
    let lines = all().into_iter().map(|fact| output::event(Some("hash"), &fact));
    for line in lines.chain([outlet::loss_as_event(1)]) {
        let line: BTreeMap<String, Value> = serde_json::from_str(&line).unwrap();
        for common in COMMON {
            assert!(line.contains_key(common), "{line:?}");
        }
        let (keys, values) = told.entry(line["event"].as_str().unwrap().to_owned()).or_default();
        for (key, value) in &line {
            if COMMON.contains(&key.as_str()) {
                continue;
            }
            keys.insert(key.clone());
            let is_free = ["address", "client", "message", "name", "path"].contains(&key.as_str());
            let value = value.as_str().filter(|value| !is_free && !value.is_empty());
            values.extend(value.map(str::to_owned));
        }
    }
    assert_eq!(told, documented());
}

#[test]
fn the_documented_reasons_are_those_that_are_told() {
    let all = [
        Stall::NoSource,
        Stall::TrackerFailed { url: String::new(), error: String::new() },
        Stall::Searching,
        Stall::Waiting,
        Stall::NoPeers,
        Stall::Unreachable { addresses: 1 },
        Stall::PeersLackMetadata { peers: 1 },
        Stall::MetadataSilent { peers: 1 },
        Stall::PeersLackPieces { peers: 1 },
        Stall::Choked { peers: 1 },
        Stall::Disk,
        Stall::Limit,
        Stall::Silent { peers: 1 },
    ];
    let (_, after) = DOCS.split_once("`reason` is one of ").unwrap();
    let (paragraph, _) = after.split_once("\n\n").unwrap();
    let told = all.iter().map(stall::word).chain(["other"]);
    assert_eq!(words(told), words(quoted(paragraph).filter(is_word)));
}
