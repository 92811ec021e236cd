//! A private torrent (BEP 27) with everything switched on that finds peers: what passes the network says
//! its info-hash to its tracker and to peers that the tracker named, and to nobody else. That the capture
//! would see more is shown by the same torrent without the flag.
//!
//! Owns that row.

use std::net::SocketAddr;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use testkit::torrent::{Builder, Torrent};
use testkit::tracker::Tracker;

use super::capture::{Capture, Seen, Sighting};
use super::{Place, dht, start};
use crate::Result;
use crate::real::client::Discovery;
use crate::real::net::Network;
use crate::real::pieces::Pieces;

const DEADLINE: Duration = Duration::from_mins(1);

/// How long something may still be said once everything is known that could be asked. The other case
/// says it within a second.
const SILENCE: Duration = Duration::from_secs(6);

const NODE_PORT: u16 = 35_000;
/// Each case has ports of its own, so nothing waits for an old socket.
const TRACKER_PORT: u16 = 35_100;
const PORT: u16 = 35_200;
const BYTES: u64 = 1 << 20;

/// The ports of local discovery.
const LSD_PORT: u16 = 6_771;

pub(super) fn run(binary: &Path, network: &Network) -> Result<String> {
    let host = network.neighbour(3)?;
    let node = SocketAddr::from((host.ip, NODE_PORT));
    let _running = dht::node(&host, NODE_PORT, None)?;

    let public = Builder::single("public", BYTES).build();
    let private = Builder::single("private", BYTES).private().build();
    let (seen, _) = play(binary, network, node, (0, &public))?;
    let loose = seen.sightings(&public.info_hash());
    let said = |port| loose.iter().any(|sight| sight.datagram && sight.to.port() == port);
    if !said(NODE_PORT) || !said(LSD_PORT) {
        let seen: Vec<String> = loose.iter().map(words).collect();
        return Err(format!("a public torrent is not seen everywhere:\n{}", seen.join("\n")).into());
    }
    let (seen, may_know) = play(binary, network, node, (1, &private))?;
    let sightings = seen.sightings(&private.info_hash());
    let leaks: Vec<String> = sightings.iter().filter(|sight| !may_know(sight)).map(words).collect();
    if !leaks.is_empty() {
        return Err(format!("the info-hash is said to others:\n{}", leaks.join("\n")).into());
    }
    let (streams, loose, datagrams) = (sightings.len(), loose.len(), seen.datagrams());
    Ok(format!(
        "said in {streams} streams, all allowed; of {datagrams} datagrams in none ({loose} if public)"
    ))
}

/// Downloads from a seed that the tracker names. Gives what passed meanwhile, and who may say what.
fn play(
    binary: &Path,
    network: &Network,
    node: SocketAddr,
    (case, content): (u16, &Torrent),
) -> Result<(Seen, impl Fn(&Sighting) -> bool)> {
    let Network { ours, theirs, .. } = network;
    let tracker = Tracker::start_on(SocketAddr::from((ours.ip, TRACKER_PORT + case)))?;
    let port = PORT + case;
    let (from, to) = (Place::with(content)?, Place::new()?);
    let file = content.save(from.path(), &[&tracker.url()])?;
    let us = Pieces::new(binary);
    let discovery = Discovery { dht: Some(node), local: true };

    let capture = Capture::start()?;
    let seed = start(&us, true, (ours, port), &file, &from, discovery)?;
    tracker.wait_event("started")?;
    let leech = start(&us, false, (theirs, port), &file, &to, discovery)?;
    leech.wait_success(DEADLINE)?;
    content.compare(&to.data())?;
    // Its node of the DHT knows whom to ask now.
    seed.wait_line(DEADLINE, |line| line.contains("nodes of V4 are known").then_some(()))?;
    sleep(SILENCE);
    let passed = capture.stop()?;

    let (tracker, peers) = (tracker.addr(), [ours.ip, theirs.ip]);
    let may_know = move |sight: &Sighting| {
        let of_peers =
            [sight.from, sight.to].iter().all(|end| peers.iter().any(|ip| end.ip() == *ip));
        let announce = sight.to == tracker && sight.bytes.starts_with(b"GET /announce?");
        let handshake = of_peers && sight.bytes.starts_with(b"\x13BitTorrent protocol");
        !sight.datagram && (announce || handshake)
    };
    Ok((passed, may_know))
}

fn words(sight: &Sighting) -> String {
    let Sighting { from, to, datagram, bytes } = sight;
    let kind = if *datagram { "datagram" } else { "stream" };
    let begin = bytes.get(..bytes.len().min(80)).unwrap_or_default();
    format!("{from} -> {to}, {kind}: {}", begin.escape_ascii())
}
