//! What a node knows of one network, IPv4 or IPv6. Plain state with its small rules; whom to ask is
//! decided by its neighbours.

use std::collections::{BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use crate::addr::{Family, is_possible};
use crate::border::Config;
use crate::id::Id;
use crate::limits::{FEW_NODES, MAX_PROBES, UPKEEP};
use crate::random::Random;
use crate::secure;
use crate::state::State;
use crate::table::Table;
use crate::votes::Votes;

/// One of the two networks.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) family: Family,
    pub(super) table: Table,
    pub(super) votes: Votes,
    /// Our address, if it is known.
    pub(super) external: Option<IpAddr>,
    /// Addresses where there may be a node.
    pub(super) probes: VecDeque<SocketAddr>,
    /// Those that were asked.
    pub(super) probing: usize,
    /// The lookup of our own place, while it is under way.
    pub(super) home: Option<u64>,
    /// Our place was found once.
    pub(super) ready: bool,
    /// Buckets to be refreshed.
    pub(super) refreshes: VecDeque<usize>,
    /// The lookup that refreshes one.
    pub(super) refreshing: Option<u64>,
    /// Searches for torrents, by the time they are due.
    pub(super) schedule: BTreeSet<(Instant, Id)>,
    pub(super) upkeep_at: Instant,
}

impl Side {
    pub(super) fn new(
        family: Family,
        config: &Config,
        before: &State,
        random: &mut Random,
        now: Instant,
    ) -> Self {
        let of_family = |ip: &&IpAddr| ip.is_ipv4() == (family == Family::V4);
        let external = config.external.iter().find(of_family).copied();
        let saved = before.ids.iter().find(|(of, _)| *of == family).map(|(_, id)| *id);
        let fitting = saved.filter(|id| external.is_none_or(|ip| secure::fits(*id, ip)));
        let own = fitting.unwrap_or_else(|| match external {
            Some(ip) => secure::id_for(ip, random.bytes()),
            None => Id(random.bytes()),
        });
        let mut side = Self {
            family,
            table: Table::new(own, now),
            votes: Votes::default(),
            external,
            probes: VecDeque::new(),
            probing: 0,
            home: None,
            ready: false,
            refreshes: VecDeque::new(),
            refreshing: None,
            schedule: BTreeSet::new(),
            upkeep_at: now + UPKEEP,
        };
        for (_, addr) in before.nodes.iter().filter(|(_, addr)| Family::of(addr) == family) {
            side.probe_later(*addr);
        }
        side
    }

    /// Too few to be of use.
    pub(super) fn has_few(&self) -> bool {
        self.table.good().take(FEW_NODES).count() < FEW_NODES
    }

    /// When the next search is due; `None` as long as there is nobody to ask.
    pub(super) fn next_search(&self) -> Option<Instant> {
        self.schedule.first().map(|(at, _)| *at).filter(|_| !self.table.is_empty())
    }

    /// Our place was found: searches that were made with less are made again.
    pub(super) fn search_again(&mut self, now: Instant) {
        self.schedule =
            self.schedule.iter().map(|(at, torrent)| (now.min(*at), *torrent)).collect();
    }

    /// Notes an address to be asked who is there.
    pub(super) fn probe_later(&mut self, addr: SocketAddr) {
        if is_possible(&addr) && self.probes.len() < MAX_PROBES && !self.probes.contains(&addr) {
            self.probes.push_back(addr);
        }
    }
}
