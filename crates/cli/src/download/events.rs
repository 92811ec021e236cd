//! `--json`: one object a line on stdout for whatever happens to a torrent. docs/json.md describes
//! them. Never writes for people.

use std::net::SocketAddr;

use serde_json::{Value, json};
use session::{Origin, PeerChange};

use crate::outlet::{self, Worth};
use crate::progress::{Row, Stage};
use crate::{output, text};

/// Events that are many, and that later ones make up for.
const PASSING: [&str; 4] = ["checking", "piece", "peer", "progress"];

/// Where the events of a call go.
#[derive(Clone, Copy)]
pub(super) struct Events {
    on: bool,
}

impl Events {
    pub(super) fn new(on: bool) -> Self {
        Self { on }
    }

    pub(super) fn are_on(self) -> bool {
        self.on
    }

    /// Writes an event of the torrent with this info-hash, `None` for an argument that led to none;
    /// `facts` is an object.
    pub(super) fn tell(self, torrent: Option<&str>, event: &str, facts: Value) {
        if !self.on {
            return;
        }
        let worth = if PASSING.contains(&event) { Worth::Passing } else { Worth::Lasting };
        outlet::stdout().line(output::event(torrent, event, facts), worth);
    }
}

/// The facts of a `progress` event; `None` as long as there are no figures.
pub(super) fn progress(row: &Row) -> Option<Value> {
    let state = match row.stage {
        Stage::Downloading => "downloading",
        Stage::Seeding => "seeding",
        Stage::Metadata(_) => "metadata",
        Stage::Stopping => "stopping",
        Stage::Opening | Stage::Checking { .. } | Stage::Over => return None,
    };
    let left = row.total.saturating_sub(row.have);
    let eta = left.checked_div(row.down).filter(|_| row.stage == Stage::Downloading);
    let known = !matches!(row.stage, Stage::Metadata(_));
    Some(json!({
        "state": state,
        "have": known.then_some(row.have),
        "total": known.then_some(row.total),
        "downloaded": row.downloaded,
        "uploaded": row.uploaded,
        "download_rate": row.down,
        "upload_rate": row.up,
        "peers": row.peers,
        "eta": eta,
    }))
}

/// The facts of a `peer` event.
pub(super) fn peer(addr: SocketAddr, change: &PeerChange) -> Value {
    let addr = addr.to_string();
    match change {
        PeerChange::Connected { origin, source, peer_id } => {
            let origin = match origin {
                Origin::Dialed => "dialed",
                Origin::Incoming => "incoming",
            };
            // What programs call themselves is ASCII; the rest is chance.
            let (name, _) = peer_id.split_at(8);
            let client =
                name.iter().all(u8::is_ascii_graphic).then(|| String::from_utf8_lossy(name));
            json!({
                "address": addr,
                "state": "connected",
                "origin": origin,
                "source": text::source(*source),
                "client": client,
            })
        }
        PeerChange::Closed { reason } => {
            json!({ "address": addr, "state": "closed", "reason": reason })
        }
        _ => json!({ "address": addr, "state": "other" }),
    }
}
