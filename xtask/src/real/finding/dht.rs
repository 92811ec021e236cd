//! A DHT of twenty nodes of four makes, and magnets that name nobody: metadata and 100 MiB, from and to
//! each of the others. The ends of a transfer are two of the twenty.
//!
//! Owns who is in the DHT and who gives to whom.

use std::net::SocketAddr;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use testkit::process::Process;
use testkit::torrent::Builder;

use super::{Place, Rows, start};
use crate::Result;
use crate::real::aria2::Aria2;
use crate::real::client::{Client, Discovery};
use crate::real::libtorrent::{Libtorrent, PYTHON};
use crate::real::net::{Host, Network};
use crate::real::pieces::Pieces;
use crate::real::transmission::Transmission;
use crate::table::Mood;

const NODE: &str = include_str!("dht_node.py");
const LIBTORRENT: u8 = 8;
const TRANSMISSION: u8 = 3;
const ARIA2: u8 = 2;
const PIECES: u8 = 5;

const BYTES: u64 = 100 << 20;

/// transmission takes a minute or two until it trusts its table.
const DEADLINE: Duration = Duration::from_mins(5);

/// libtorrent's bootstrap takes as long as silent nodes are waited for.
const START: Duration = Duration::from_secs(30);

/// Nobody else tells when a file is whole.
const LOOK_EVERY: Duration = Duration::from_secs(1);

const PORT: u16 = 6_881;

const FIRST_PORT: u16 = 32_000;

pub(super) fn run(binary: &Path, network: &Network, rows: &mut Rows) {
    let needed: [&dyn Client; 2] = [&Transmission, &Aria2];
    if needed.iter().any(|client| client.version().is_none()) {
        rows.table.row(Mood::Neutral, &["dht", "", "transmission or aria2 is not installed"]);
        return;
    }
    let mut standing = None;
    rows.add("dht: 18 nodes stand", || {
        standing = Some(Standing::build(binary, network)?);
        Ok(format!(
            "{LIBTORRENT} libtorrent, {TRANSMISSION} transmission, {ARIA2} aria2, {PIECES} of us"
        ))
    });
    let Some(standing) = standing else { return };
    let us = Pieces::new(binary);
    let transfers: [(&dyn Client, &dyn Client); 5] = [
        (&Libtorrent, &us),
        (&Transmission, &us),
        (&us, &Libtorrent),
        (&us, &Transmission),
        (&us, &Aria2),
    ];
    for (number, (seed, leech)) in (0..).zip(transfers) {
        let name = format!("dht: {} -> {}", seed.name(), leech.name());
        rows.add(&name, || transfer(&standing, seed, leech, number));
    }
}

/// A node of libtorrent that has done nothing else.
pub(super) fn node(host: &Host, port: u16, known: Option<SocketAddr>) -> Result<Process> {
    let mut command = host.command(PYTHON);
    command.args(["-c", NODE, &host.ip.to_string(), &port.to_string()]);
    command.arg(known.map(|known| known.to_string()).unwrap_or_default());
    let node = Process::start("libtorrent", &mut command)?;
    node.wait_line(START, |line| line.contains("ready").then_some(()))?;
    Ok(node)
}

/// The nodes that no transfer is about.
struct Standing {
    bootstrap: SocketAddr,
    /// Machines for the ends of each transfer.
    ends: [Host; 2],
    _hosts: Vec<Host>,
    _processes: Vec<(Process, Option<Place>)>,
}

impl Standing {
    fn build(binary: &Path, network: &Network) -> Result<Self> {
        let mut last = 9;
        let mut neighbour = || {
            last += 1;
            network.neighbour(last)
        };
        let first = (0..LIBTORRENT).map(|_| neighbour()).collect::<Result<Vec<Host>>>()?;
        let bootstrap = SocketAddr::from((first.first().ok_or("no nodes")?.ip, PORT));
        let mut processes = Vec::new();
        for host in &first {
            let known = (bootstrap.ip() != host.ip).then_some(bootstrap);
            processes.push((node(host, PORT, known)?, None));
        }

        let us = Pieces::new(binary);
        let discovery = Discovery { dht: Some(bootstrap), local: false };
        let mut number = 0;
        let mut add = |client: &dyn Client, host: &Host| -> Result<()> {
            // Each looks for a torrent that nobody has.
            number += 1;
            let magnet = format!("magnet:?xt=urn:btih:{number:040x}");
            let (place, at) = (Place::new()?, (host, FIRST_PORT + number));
            let process = start(client, false, at, Path::new(&magnet), &place, discovery)?;
            processes.push((process, Some(place)));
            Ok(())
        };
        let mut hosts = first;
        let kinds: [(&dyn Client, u8); 3] =
            [(&Transmission, TRANSMISSION), (&Aria2, ARIA2), (&us, PIECES)];
        for (client, count) in kinds {
            for _ in 0..count {
                let host = neighbour()?;
                add(client, &host)?;
                hosts.push(host);
            }
        }
        let ends = [neighbour()?, neighbour()?];
        Ok(Self { bootstrap, ends, _hosts: hosts, _processes: processes })
    }
}

/// The leecher is told an info-hash and one node of the DHT, and has to find the rest.
fn transfer(
    standing: &Standing,
    seed: &dyn Client,
    leech: &dyn Client,
    number: u16,
) -> Result<String> {
    let name = format!("by dht {number}");
    let content = Builder::single(&name, BYTES).seed(u64::from(number) + 77);
    let content = content.piece_length(256 << 10).build();
    let (from, to) = (Place::with(&content)?, Place::new()?);
    let file = content.save(from.path(), &[])?;
    let discovery = Discovery { dht: Some(standing.bootstrap), local: false };
    let [near, far] = &standing.ends;
    let port = FIRST_PORT + 100 + number * 2;
    let seeding = start(seed, true, (near, port), &file, &from, discovery)?;
    if seed.name() == super::super::PIECES {
        let announced = |line: &str| line.contains("Searched") && !line.contains("announced: 0");
        seeding.wait_line(DEADLINE, |line| announced(line).then_some(()))?;
    }
    let magnet = content.magnet(&[], &[]);
    let begun = Instant::now();
    let leeching = start(leech, false, (far, port + 1), Path::new(&magnet), &to, discovery)?;
    if leech.leaves_when_done() {
        leeching.wait_success(DEADLINE)?;
    }
    loop {
        match content.compare(&to.data()) {
            Ok(()) => break,
            Err(error) if leech.leaves_when_done() || begun.elapsed() > DEADLINE => {
                return Err(leeching.failure(&format!("is not done: {error}")));
            }
            Err(_) => sleep(LOOK_EVERY),
        }
    }
    let took = crate::table::seconds(begun.elapsed());
    Ok(format!("metadata and 100 MiB, {took} s from its start"))
}
