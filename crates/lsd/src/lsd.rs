//! When to announce, and what to believe of others' announces. Does no I/O; time comes in.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use egress::{Word, may_contact};

use crate::limits::{ALONE, ANNOUNCE_EVERY, GATHER, MAX_HASHES, MAX_TORRENTS, PAUSE, PER_SECOND};
use crate::message::Announce;

/// What happened outside.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// A datagram came.
    Packet {
        /// From whom.
        from: SocketAddr,
        /// All of it.
        bytes: &'a [u8],
    },
    /// Announce a torrent from now on, and report who else has it.
    Join {
        /// The torrent.
        info_hash: [u8; 20],
    },
    /// Not any more.
    Leave {
        /// The torrent.
        info_hash: [u8; 20],
    },
}

/// What to do outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send this to the group of each family there is a socket for ([`Announce::to`]).
    Send {
        /// What it says.
        bytes: Announce,
    },
    /// Somebody nearby has a torrent that was joined.
    Found {
        /// The torrent.
        info_hash: [u8; 20],
        /// Where he takes connections.
        addr: SocketAddr,
    },
}

/// The announces of one client. Used like `dht::Dht`: [`handle`](Self::handle), then
/// [`poll`](Self::poll) until there is nothing, and [`handle_timeout`](Self::handle_timeout) at the
/// time of [`poll_timeout`](Self::poll_timeout).
#[derive(Debug)]
pub struct Lsd {
    port: u16,
    cookie: String,
    /// When each torrent is to be announced.
    torrents: BTreeMap<[u8; 20], Instant>,
    /// The earliest next round.
    open_at: Instant,
    /// Datagrams read in the second that began then.
    second: (Instant, u32),
    actions: VecDeque<Action>,
}

impl Lsd {
    /// A client that takes connections on `port`. By the random `cookie` it knows its own announces.
    pub fn new(port: u16, cookie: u64, now: Instant) -> Self {
        Self {
            port,
            cookie: format!("{cookie:016x}"),
            torrents: BTreeMap::new(),
            open_at: now + GATHER,
            second: (now, 0),
            actions: VecDeque::new(),
        }
    }

    /// Takes in what happened.
    pub fn handle(&mut self, now: Instant, input: Input<'_>) {
        match input {
            Input::Packet { from, bytes } => self.packet(now, from, bytes),
            Input::Join { info_hash } => {
                if self.torrents.len() < MAX_TORRENTS {
                    self.torrents.entry(info_hash).or_insert(now);
                }
            }
            Input::Leave { info_hash } => {
                self.torrents.remove(&info_hash);
            }
        }
    }

    /// Announces what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_none_or(|at| at > now) {
            return;
        }
        let mut due: Vec<[u8; 20]> = Vec::new();
        for (info_hash, at) in self.torrents.iter_mut().filter(|(_, at)| **at <= now) {
            *at = now + ANNOUNCE_EVERY;
            due.push(*info_hash);
        }
        self.open_at = now + PAUSE;
        let together = if due.len() > ALONE { MAX_HASHES } else { 1 };
        for info_hashes in due.chunks(together) {
            let (port, cookie) = (self.port, Some(self.cookie.clone()));
            let bytes = Announce { port, info_hashes: info_hashes.to_vec(), cookie };
            self.actions.push_back(Action::Send { bytes });
        }
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout); `None`: never.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.torrents.values().min().map(|at| self.open_at.max(*at))
    }

    fn packet(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) {
        if now.saturating_duration_since(self.second.0) >= Duration::from_secs(1) {
            self.second = (now, 0);
        }
        self.second.1 += 1;
        if self.second.1 > PER_SECOND {
            return;
        }
        let Some(announce) = Announce::parse(bytes) else { return };
        if announce.cookie.as_ref() == Some(&self.cookie) {
            return;
        }
        let mut addr = from;
        addr.set_port(announce.port);
        // Whoever writes from elsewhere does not use multicast, and wants us to dial a forged address.
        if may_contact(Word::Neighbour, addr).is_err() {
            return;
        }
        for info_hash in announce.info_hashes {
            if self.torrents.contains_key(&info_hash) {
                self.actions.push_back(Action::Found { info_hash, addr });
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "any instant will do")]
mod tests {
    use super::*;
    use crate::message::Family;

    fn sent(lsd: &mut Lsd) -> Vec<Announce> {
        std::iter::from_fn(|| lsd.poll())
            .map(|action| match action {
                Action::Send { bytes } => bytes,
                Action::Found { .. } => panic!("{action:?}"),
            })
            .collect()
    }

    #[test]
    fn rounds_are_a_minute_apart_and_come_every_five() {
        let start = Instant::now();
        let mut lsd = Lsd::new(6881, 7, start);
        assert_eq!(lsd.poll_timeout(), None);
        lsd.handle(start, Input::Join { info_hash: [1; 20] });
        assert_eq!(lsd.poll_timeout(), Some(start + GATHER));
        lsd.handle_timeout(start);
        assert_eq!(sent(&mut lsd), []);
        let mut rounds = Vec::new();
        for second in 1..=900 {
            if second == 10 {
                lsd.handle(start, Input::Join { info_hash: [2; 20] });
            }
            lsd.handle_timeout(start + Duration::from_secs(second));
            rounds.extend(sent(&mut lsd).into_iter().map(|a| (second, a.info_hashes[0][0])));
        }
        assert_eq!(rounds, [(1, 1), (61, 2), (301, 1), (361, 2), (601, 1), (661, 2)]);
        lsd.handle(start, Input::Leave { info_hash: [1; 20] });
        lsd.handle(start, Input::Leave { info_hash: [2; 20] });
        assert_eq!(lsd.poll_timeout(), None);
    }

    #[test]
    fn many_torrents_share_datagrams() {
        let start = Instant::now();
        let mut lsd = Lsd::new(6881, 7, start);
        for n in 0..45 {
            lsd.handle(start, Input::Join { info_hash: [n; 20] });
        }
        lsd.handle_timeout(start + GATHER);
        let counts: Vec<usize> = sent(&mut lsd).iter().map(|a| a.info_hashes.len()).collect();
        assert_eq!(counts, [20, 20, 5]);
    }

    #[test]
    fn who_is_believed() {
        let now = Instant::now();
        let mut lsd = Lsd::new(6881, 7, now);
        lsd.handle(now, Input::Join { info_hash: [1; 20] });
        let announce = |cookie: &str, hash: u8| {
            let info_hashes = vec![[hash; 20]];
            Announce { port: 6881, info_hashes, cookie: Some(cookie.into()) }.to(Family::V4)
        };
        let mut hear = |from: &str, bytes: &[u8]| {
            lsd.handle(now, Input::Packet { from: from.parse().unwrap(), bytes });
            lsd.poll()
        };
        let near = "192.168.0.2:6771";
        assert_eq!(hear(near, &announce("0000000000000007", 1)), None, "that was us");
        assert_eq!(hear(near, &announce("x", 2)), None, "nothing of ours");
        assert_eq!(hear("8.8.8.8:6771", &announce("x", 1)), None, "not from here");
        let found = Action::Found { info_hash: [1; 20], addr: "192.168.0.2:6881".parse().unwrap() };
        assert_eq!(hear(near, &announce("x", 1)), Some(found));
        let service =
            Announce { port: 25, info_hashes: vec![[1; 20]], cookie: None }.to(Family::V4);
        assert_eq!(hear(near, &service), None, "a mail server");
        let heard = (0..1_000).filter(|_| hear(near, &announce("x", 1)).is_some()).count();
        assert!(heard < PER_SECOND as usize);
    }
}
