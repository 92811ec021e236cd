//! Who sent false data: evidence from failed pieces, convictions, and the list of the banned.
//! It never guesses: only a peer that provably sent a wrong block is convicted.
//!
//! A failed piece that came whole from one peer convicts that peer. One that came from several is
//! remembered, block by block, by digest and sender, and fetched again whole from one peer. Once a
//! copy is good, every remembered block that differs from it convicts its sender. So whoever takes
//! part in a failure is convicted by it or by the refetch, and a peer whose blocks were right never
//! is, however often it shared a piece with liars.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use metainfo::PieceIndex;
use wire::PeerId;

use crate::host::host;
use crate::limits::EVIDENCE_PER_PIECE;
use crate::partial::Identity;

/// SHA-1 of a block.
type Digest = [u8; 20];

/// A copy of a piece that had the wrong hash.
#[derive(Debug)]
struct Failure {
    blocks: Vec<Digest>,
    /// For each block, an index into `sources`.
    origins: Vec<u32>,
    sources: Vec<Identity>,
}

/// The banned, and what may convict more. An address stands for its host: of IPv6 for a /64, of which a
/// liar may take any.
#[derive(Debug, Default)]
pub(crate) struct Bans {
    ips: BTreeSet<IpAddr>,
    ids: BTreeSet<(IpAddr, PeerId)>,
    evidence: BTreeMap<PieceIndex, Vec<Failure>>,
}

impl Bans {
    pub(crate) fn len(&self) -> usize {
        self.ips.len() + self.ids.len()
    }

    pub(crate) fn is_banned(&self, who: Identity) -> bool {
        self.ips.contains(&who.ip) || self.ids.contains(&(who.ip, who.peer_id))
    }

    pub(crate) fn is_ip_banned(&self, ip: IpAddr) -> bool {
        self.ips.contains(&host(ip))
    }

    /// Bans a peer, with its whole address if that is its own.
    pub(crate) fn ban(&mut self, who: Identity, whole_ip: bool) {
        if whole_ip {
            self.ips.insert(who.ip);
        } else {
            self.ids.insert((who.ip, who.peer_id));
        }
    }

    /// How many peers of the host are banned one by one.
    pub(crate) fn of_host(&self, host: IpAddr) -> u64 {
        self.ids.iter().filter(|(ip, _)| *ip == host).count() as u64
    }

    /// True if a copy of the piece failed and nobody knows yet who is to blame for all of it.
    pub(crate) fn has_evidence(&self, piece: PieceIndex) -> bool {
        self.evidence.contains_key(&piece)
    }

    /// A copy of the piece failed. Gives the peer that this alone convicts.
    pub(crate) fn failed(
        &mut self,
        piece: PieceIndex,
        blocks: Vec<Digest>,
        origins: Vec<u32>,
        sources: Vec<Identity>,
    ) -> Option<Identity> {
        if let [single] = sources[..] {
            return Some(single);
        }
        let failures = self.evidence.entry(piece).or_default();
        if failures.len() < EVIDENCE_PER_PIECE {
            failures.push(Failure { blocks, origins, sources });
        }
        None
    }

    /// A copy of the piece is good, with these digests. Gives everyone convicted by comparison.
    pub(crate) fn verified(&mut self, piece: PieceIndex, good: &[Digest]) -> BTreeSet<Identity> {
        let mut guilty = BTreeSet::new();
        for failure in self.evidence.remove(&piece).unwrap_or_default() {
            let blocks = failure.blocks.iter().zip(good).zip(&failure.origins);
            let wrong = blocks.filter(|((sent, good), _)| sent != good);
            guilty.extend(wrong.filter_map(|(_, by)| failure.sources.get(*by as usize)));
        }
        guilty
    }
}

#[cfg(test)]
mod tests;
