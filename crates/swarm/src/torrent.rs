//! The owner of one torrent's decisions. (Skeleton of the border; the rules follow.)

use std::time::Instant;

use crate::border::{Action, Config, Input, Phase};
use crate::stats::{PeerStats, Stats};

/// Decides for one torrent.
#[derive(Debug)]
pub struct Torrent {}

impl Torrent {
    /// A torrent that knows nobody yet. The same seed, inputs and times give the same actions.
    pub fn new(_config: Config, _phase: Phase, _rng_seed: u64) -> Self {
        Self {}
    }
    /// Takes in what happened. Never blocks; afterwards call [`poll`](Self::poll) until `None`.
    pub fn handle(&mut self, _now: Instant, _input: Input) {}
    /// Call when the time of [`poll_timeout`](Self::poll_timeout) has come.
    pub fn handle_timeout(&mut self, _now: Instant) {}
    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Action> {
        None
    }
    /// When [`handle_timeout`](Self::handle_timeout) wants to be called, if nothing happens.
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }
    /// Counters and rates.
    pub fn stats(&self) -> Stats {
        Stats::default()
    }
    /// The connected peers, in the order of their keys.
    pub fn peers(&self) -> Vec<PeerStats> {
        Vec::new()
    }
    /// The pieces that are verified and stored.
    pub fn have(&self) -> &metainfo::PieceSet {
        unimplemented!()
    }
}
