//! `--json`: one object a line on stdout for whatever happens to a torrent. docs/json.md describes
//! them. Never writes for people.

use std::borrow::Cow;
use std::net::SocketAddr;

use serde::Serialize;
use session::{Origin, PeerChange};

use crate::exit::Failure;
use crate::outlet::{self, Worth};
use crate::progress::{Row, Stage};
use crate::{output, text};

/// What is told of a torrent or an argument. Each kind and each key is in docs/json.md.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum Fact<'a> {
    Added {
        name: &'a str,
        path: Option<&'a str>,
        total_length: Option<u64>,
    },
    Metadata {
        name: &'a str,
        path: &'a str,
        total_length: u64,
    },
    Checking {
        done: u64,
        total: u64,
    },
    Ready {
        have: u32,
        total: u32,
    },
    Peer {
        address: SocketAddr,
        #[serde(flatten)]
        change: Change,
    },
    Piece {
        piece: u32,
    },
    Progress(Figures),
    Stalled {
        reason: &'static str,
        message: &'a str,
    },
    Warning {
        message: &'a str,
    },
    Complete {
        path: &'a str,
        length: u64,
    },
    Error {
        message: String,
        exit_code: u8,
    },
}

/// What happened to a connection.
#[derive(Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(super) enum Change {
    Connected { origin: &'static str, source: &'static str, client: Option<String> },
    Closed { reason: String },
}

/// How a torrent stands.
#[derive(Serialize)]
pub(super) struct Figures {
    state: &'static str,
    have: Option<u64>,
    total: Option<u64>,
    downloaded: u64,
    uploaded: u64,
    download_rate: u64,
    upload_rate: u64,
    peers: usize,
    eta: Option<u64>,
}

impl From<&Failure> for Fact<'_> {
    fn from(failure: &Failure) -> Self {
        Self::Error { message: failure.to_string(), exit_code: failure.code() as u8 }
    }
}

impl Fact<'_> {
    /// Of events that are many, later ones make up for those that are lost.
    fn worth(&self) -> Worth {
        match self {
            Self::Checking { .. } | Self::Piece { .. } | Self::Peer { .. } | Self::Progress(_) => {
                Worth::Passing
            }
            _ => Worth::Lasting,
        }
    }
}

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

    /// Writes what happened to the torrent with this info-hash, `None` for an argument that led to none.
    pub(super) fn tell(self, torrent: Option<&str>, fact: &Fact<'_>) {
        if !self.on {
            return;
        }
        let worth = fact.worth();
        outlet::stdout().line(output::event(torrent, fact), worth);
    }
}

/// How a torrent stands; `None` as long as there are no figures.
pub(super) fn progress(row: &Row) -> Option<Fact<'static>> {
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
    Some(Fact::Progress(Figures {
        state,
        have: known.then_some(row.have),
        total: known.then_some(row.total),
        downloaded: row.downloaded,
        uploaded: row.uploaded,
        download_rate: row.down,
        upload_rate: row.up,
        peers: row.peers,
        eta,
    }))
}

/// What happened to a connection; `None` for what is not told.
pub(super) fn peer(address: SocketAddr, change: &PeerChange) -> Option<Fact<'static>> {
    let change = match change {
        PeerChange::Connected { origin, source, peer_id } => {
            let origin = match origin {
                Origin::Dialed => "dialed",
                Origin::Incoming => "incoming",
            };
            let client = super::peer::client(peer_id).map(Cow::into_owned);
            Change::Connected { origin, source: text::source(*source), client }
        }
        PeerChange::Closed { reason } => Change::Closed { reason: reason.clone() },
        _ => return None,
    };
    Some(Fact::Peer { address, change })
}

#[cfg(test)]
mod tests;
