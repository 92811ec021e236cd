//! Local discovery (BEP 14): two of us and a transmission, on three addresses, and nothing else that
//! could tell them of each other, beside a neighbour that abuses it.
//!
//! Owns that row.

use std::path::Path;
use std::time::Duration;

use testkit::torrent::Builder;

use super::{Place, start};
use crate::Result;
use crate::real::PIECES;
use crate::real::client::{Discovery, Job, Secrecy};
use crate::real::libtorrent::PYTHON;
use crate::real::net::Network;
use crate::real::pieces::Pieces;
use crate::real::transmission::Transmission;
use testkit::process::Process;

const DEADLINE: Duration = Duration::from_secs(90);
const PORT: u16 = 33_000;

/// Enough for ten seconds, in which they have time to meet.
const BYTES: u64 = 10 << 20;
const RATE: &str = "1M";

/// What the bad neighbour does.
const NOISE: &str = include_str!("noise.py");

pub(super) fn run(binary: &Path, network: &Network) -> Result<String> {
    let content = Builder::single("near", BYTES).build();
    let place = Place::with(&content)?;
    let file = content.save(place.path(), &[])?;
    let discovery = Discovery { dht: None, local: true };
    let mut everybody = network.segment(4)?;
    let bad = everybody.pop().ok_or("no machines")?;
    let (theirs, ours) = everybody.split_first().ok_or("no machines")?;
    let mut command = bad.command(PYTHON);
    command.args(["-c", NOISE, &bad.ip.to_string(), &content.info_hash_hex()]);
    let noise = Process::start("noise", &mut command)?;
    noise.wait_line(DEADLINE, |line| line.contains("ready").then_some(()))?;
    let seed = start(&Transmission, true, (theirs, PORT), &file, &place, discovery)?;

    let magnet = content.magnet(&[], &[]);
    let mut leechers = Vec::new();
    for (host, port) in ours.iter().zip(PORT + 1..) {
        let place = Place::new()?;
        let (torrent, secrecy) = (Path::new(&magnet), Secrecy::Allowed);
        let (dir, scratch) = (&place.data(), &place.scratch());
        let job = Job { host, port, torrent, dir, scratch, secrecy, discovery };
        let mut command = Pieces::new(binary).command("download", &job);
        command.args(["--no-pex", "--max-download", RATE]);
        leechers.push((Process::start(PIECES, &mut command)?, place));
    }
    for ((process, place), host) in leechers.iter().zip(ours) {
        let outcome = process.wait_success(DEADLINE);
        outcome.map_err(|error| format!("{error}\n── transmission\n{}", seed.log()))?;
        content.compare(&place.data())?;
        let log = process.log();
        for ip in everybody.iter().map(|host| host.ip).filter(|ip| *ip != host.ip) {
            let them = format!("{ip}:");
            let met = |line: &str| line.contains(&them) && line.contains(": connected, ");
            if !log.lines().any(met) {
                return Err(process.failure(&format!("never met {ip}")));
            }
        }
        // It was heard, and came to nothing.
        if !log.lines().any(|line| line.contains(&format!("{}:", bad.ip))) {
            return Err(process.failure("never heard the bad neighbour"));
        }
    }
    if noise.exit().is_some() {
        return Err(noise.failure("the bad neighbour left early"));
    }
    Ok("each of the three meets the others, beside a neighbour that sends noise".into())
}
