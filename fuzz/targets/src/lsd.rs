//! Announces on the local network: what is read is within the limits and is written the same way,
//! only neighbours are believed, and nobody is told more often than BEP 14 allows.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use lsd::limits::{ANNOUNCE_EVERY, MAX_HASHES, MAX_READ, PAUSE, PER_SECOND};
use lsd::{Action, Announce, Family, Input, Lsd};

use crate::script::Script;

/// Longer scripts only repeat themselves.
const MOST_STEPS: usize = 1_000;

/// The longest datagram that BEP 14 allows.
const LONGEST: usize = 1_400;

/// Reads the bytes as a datagram, then plays them as a script.
pub fn run(data: &[u8]) {
    if let Some(announce) = Announce::parse(data) {
        assert!(announce.port != 0 && (1..=MAX_READ).contains(&announce.info_hashes.len()));
        let written = announce.to(Family::V4);
        // With a long cookie it would be a datagram that nobody reads.
        if written.len() <= LONGEST {
            assert_eq!(Announce::parse(&written), Some(announce));
        }
    }
    let mut script = Script(data);
    let mut lab = Lab::new();
    script.play(MOST_STEPS, |script| lab.step(script));
}

struct Lab {
    lsd: Lsd,
    now: Instant,
    /// When each torrent was last told of, and when anything was.
    joined: BTreeSet<[u8; 20]>,
    told: BTreeMap<[u8; 20], Instant>,
    round: Option<Instant>,
    /// Datagrams that were believed since this moment.
    believed: (Instant, u32),
}

impl Lab {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            lsd: Lsd::new(6_881, 7, now),
            now,
            joined: BTreeSet::new(),
            told: BTreeMap::new(),
            round: None,
            believed: (now, 0),
        }
    }

    fn step(&mut self, script: &mut Script<'_>) {
        match script.below(8) {
            0 => {
                let info_hash = [script.byte() % 32; 20];
                self.joined.insert(info_hash);
                self.lsd.handle(self.now, Input::Join { info_hash });
            }
            1 => {
                let info_hash = [script.byte() % 32; 20];
                self.joined.remove(&info_hash);
                // Who joins again is new.
                self.told.remove(&info_hash);
                self.lsd.handle(self.now, Input::Leave { info_hash });
            }
            2 => self.pass(Duration::from_millis(u64::from(script.byte()) * 10)),
            3 => self.pass(Duration::from_secs(u64::from(script.byte()))),
            4 => {
                let len = usize::from(script.byte());
                let from = addr(script);
                self.hear(from, script.take(len));
            }
            _ => {
                let hashes = 1 + script.below(MAX_HASHES);
                let (from, cookie) = (addr(script), script.byte() % 16);
                let info_hashes = (0..hashes).map(|_| [script.byte() % 32; 20]).collect();
                let port = u16::from(script.byte()) + 1;
                let announce =
                    Announce { port, info_hashes, cookie: Some(format!("{cookie:016x}")) };
                self.hear(from, &announce.to(Family::V6));
            }
        }
    }

    fn hear(&mut self, from: SocketAddr, bytes: &[u8]) {
        self.lsd.handle(self.now, Input::Packet { from, bytes });
        let mut found = 0;
        while let Some(action) = self.lsd.poll() {
            let Action::Found { info_hash, addr } = action else { panic!("{action:?}") };
            assert!(self.joined.contains(&info_hash), "a torrent that nobody joined");
            assert!(addr.ip() == from.ip() && addr.port() != 0, "{addr} of {from}");
            assert!(!addr.ip().is_multicast() && is_near(addr), "{addr} is not near");
            found += 1;
        }
        assert!(found <= MAX_READ);
        if found > 0 {
            let (since, count) = &mut self.believed;
            if self.now.saturating_duration_since(*since) >= Duration::from_secs(1) {
                (*since, *count) = (self.now, 0);
            }
            *count += 1;
            // A second of ours is parts of two of theirs.
            assert!(*count <= 2 * PER_SECOND, "{count} datagrams in a second");
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.lsd.handle_timeout(self.now);
        let mut spoke = false;
        while let Some(action) = self.lsd.poll() {
            let Action::Send { bytes } = action else { panic!("{action:?}") };
            spoke = true;
            for family in [Family::V4, Family::V6] {
                let written = bytes.to(family);
                assert!(written.len() <= LONGEST, "{} bytes", written.len());
                assert_eq!(Announce::parse(&written).as_ref(), Some(&bytes));
            }
            for info_hash in bytes.info_hashes {
                assert!(self.joined.contains(&info_hash), "a torrent that nobody joined");
                let before = self.told.insert(info_hash, self.now);
                assert!(before.is_none_or(|before| self.now - before >= ANNOUNCE_EVERY), "again");
            }
        }
        if spoke {
            let before = self.round.replace(self.now);
            assert!(before.is_none_or(|before| self.now - before >= PAUSE), "too soon");
        }
        let next = self.lsd.poll_timeout();
        assert!(next.is_none_or(|next| next > self.now), "the timer is due again at once");
    }
}

/// Neighbours of both families, strangers, and the group itself.
fn addr(script: &mut Script<'_>) -> SocketAddr {
    let number = script.byte();
    match number {
        0..128 => ([192, 168, 0, number], 6_771).into(),
        128..192 => ([0xfe80, 0, 0, 0, 0, 0, 0, u16::from(number)], 6_771).into(),
        192..224 => ([8, 8, 8, number], 6_771).into(),
        224..240 => ([0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(number)], 6_771).into(),
        _ => ([239, 192, 152, 143], 6_771).into(),
    }
}

/// Whether an address of the script is a neighbour's.
fn is_near(addr: SocketAddr) -> bool {
    match addr {
        SocketAddr::V4(addr) => addr.ip().is_private(),
        SocketAddr::V6(addr) => addr.ip().is_unicast_link_local(),
    }
}
