//! Peer exchange (BEP 11): ten peers, one of which is a newcomer's only acquaintance.
//!
//! Owns that row.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use testkit::process::Process;
use testkit::torrent::Builder;

use super::{Place, met, start};
use crate::Result;
use crate::real::PIECES;
use crate::real::client::{Client, Discovery, Job, Secrecy};
use crate::real::libtorrent::Libtorrent;
use crate::real::net::Network;
use crate::real::pieces::Pieces;

/// What peer exchange, once a minute, needs at the most.
const DEADLINE: Duration = Duration::from_secs(100);
const PEERS: usize = 10;
const PORT: u16 = 34_000;

/// More than the only seed gives in the time of the row, so that all stay leechers.
const BYTES: u64 = 64 << 20;
const RATE: &str = "256K";

/// Addresses at our end of the cable, above those of the DHT's nodes.
const FIRST: u8 = 100;

pub(super) fn run(binary: &Path, network: &Network) -> Result<String> {
    let content = Builder::single("exchanged", BYTES).build();
    let place = Place::with(&content)?;
    let file = content.save(place.path(), &[])?;
    let us = Pieces::new(binary);
    let discovery = Discovery::default();
    let host = &network.neighbour(FIRST)?;
    let hub = SocketAddr::from((host.ip, PORT));
    let (dir, scratch) = (&place.data(), &place.scratch());
    let secrecy = Secrecy::Allowed;
    let job = Job { host, port: PORT, torrent: &file, dir, scratch, secrecy, discovery };
    let mut command = us.command("seed", &job);
    let known = Process::start(PIECES, command.args(["--max-upload", RATE]))?;

    let magnet = content.magnet(&[], &[hub]);
    let mut others = Vec::new();
    for number in (FIRST + 1..).take(PEERS - 1) {
        let client: &dyn Client = if number % 2 == 0 { &Libtorrent } else { &us };
        let (host, place) = (network.neighbour(number)?, Place::new()?);
        let torrent = Path::new(&magnet);
        let process = start(client, false, (&host, PORT), torrent, &place, discovery)?;
        others.push((process, place, host));
    }
    let mut ids = BTreeSet::new();
    known.wait_line(DEADLINE, |line| {
        met(line, &mut ids);
        (ids.len() >= PEERS - 1).then_some(())
    })?;

    let place = Place::new()?;
    let begun = Instant::now();
    let at = (&network.theirs, PORT);
    let newcomer = start(&us, false, at, Path::new(&magnet), &place, discovery)?;
    let mut ids = BTreeSet::new();
    newcomer.wait_line(DEADLINE, |line| {
        met(line, &mut ids);
        (ids.len() >= PEERS).then_some(())
    })?;
    let took = crate::table::seconds(begun.elapsed());
    Ok(format!("a newcomer meets all {PEERS} (5 of us, 5 libtorrent) in {took} s"))
}
