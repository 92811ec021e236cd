//! The tracker's answers as whole HTTP responses. Owns their bencode; never knows who asked.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// What a reply tells about a swarm.
pub(super) struct Swarm<'a> {
    pub(super) peers: &'a [SocketAddr],
    pub(super) seeds: usize,
    pub(super) others: usize,
    pub(super) interval: Duration,
    pub(super) warning: Option<&'a str>,
}

/// Peers in the compact form (BEP 23, and BEP 7 for IPv6).
pub(super) fn compact(swarm: &Swarm<'_>) -> Vec<u8> {
    let (mut four, mut six) = (Vec::new(), Vec::new());
    for peer in swarm.peers {
        let out = if peer.is_ipv4() { &mut four } else { &mut six };
        match peer.ip() {
            IpAddr::V4(ip) => out.extend(ip.octets()),
            IpAddr::V6(ip) => out.extend(ip.octets()),
        }
        out.extend(peer.port().to_be_bytes());
    }
    let mut peers = string(b"peers");
    peers.extend(string(&four));
    if !six.is_empty() {
        peers.extend(string(b"peers6"));
        peers.extend(string(&six));
    }
    response(swarm, &peers)
}

/// Peers as a list of dictionaries (BEP 3).
pub(super) fn dictionaries(swarm: &Swarm<'_>) -> Vec<u8> {
    let mut peers = string(b"peers");
    peers.push(b'l');
    for peer in swarm.peers {
        peers.extend(b"d2:ip");
        peers.extend(string(peer.ip().to_string().as_bytes()));
        peers.extend(format!("4:porti{}ee", peer.port()).bytes());
    }
    peers.push(b'e');
    response(swarm, &peers)
}

/// Nothing but a failure reason.
pub(super) fn failure(reason: &str) -> Vec<u8> {
    let mut body = b"d14:failure reason".to_vec();
    body.extend(string(reason.as_bytes()));
    body.push(b'e');
    http(&body)
}

fn response(swarm: &Swarm<'_>, peers: &[u8]) -> Vec<u8> {
    let Swarm { seeds, others, interval, warning, .. } = swarm;
    let seconds = interval.as_secs();
    let body = format!("d8:completei{seeds}e10:incompletei{others}e8:intervali{seconds}e");
    let mut body = body.into_bytes();
    body.extend(peers);
    if let Some(warning) = warning {
        body.extend(string(b"warning message"));
        body.extend(string(warning.as_bytes()));
    }
    body.push(b'e');
    http(&body)
}

fn http(body: &[u8]) -> Vec<u8> {
    let len = body.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {len}\r\nConnection: close\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

fn string(bytes: &[u8]) -> Vec<u8> {
    let mut out = format!("{}:", bytes.len()).into_bytes();
    out.extend(bytes);
    out
}
