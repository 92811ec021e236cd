//! Everything that passes the interfaces of this namespace, and where in it an info-hash can be read.
//!
//! Owns the socket and the reading of packets. Never judges who may say it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_recv_buffer_size, set_socket_timeout};
use rustix::net::{AddressFamily, Protocol, RecvFlags, SocketFlags, SocketType};

use crate::Result;

/// All protocols, of `linux/if_ether.h`.
const ETH_P_ALL: u16 = 3;

/// How often the thread looks whether it is over.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What may wait for the thread: more than a lab sends while it is not scheduled.
const BUFFER: usize = 16 << 20;

const TCP: u8 = 6;
const UDP: u8 = 17;

/// A running capture.
pub(super) struct Capture {
    over: Arc<AtomicBool>,
    thread: JoinHandle<io::Result<Seen>>,
}

impl Capture {
    pub(super) fn start() -> Result<Self> {
        let protocol = NonZeroU32::new(u32::from(ETH_P_ALL.to_be())).map(Protocol::from_raw);
        let (family, kind) = (AddressFamily::PACKET, SocketType::DGRAM);
        let socket = rustix::net::socket_with(family, kind, SocketFlags::CLOEXEC, protocol)?;
        set_socket_timeout(&socket, Timeout::Recv, Some(LOOK_EVERY))?;
        set_socket_recv_buffer_size(&socket, BUFFER)?;
        let over = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&over);
        let thread = thread::spawn(move || follow(&socket, &stop));
        Ok(Self { over, thread })
    }

    /// Ends it, and gives what passed.
    pub(super) fn stop(self) -> Result<Seen> {
        self.over.store(true, Ordering::Relaxed);
        Ok(self.thread.join().map_err(|_| "the capture's thread died")??)
    }
}

fn follow(socket: &OwnedFd, over: &AtomicBool) -> io::Result<Seen> {
    let mut seen = Seen::default();
    let mut buffer = vec![0; 1 << 16];
    while !over.load(Ordering::Relaxed) {
        match rustix::net::recv(socket, buffer.as_mut_slice(), RecvFlags::empty()) {
            Ok((_, len)) => seen.take(buffer.get(..len).unwrap_or_default()),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(seen)
}

/// From whom to whom.
pub(super) type Ends = (SocketAddr, SocketAddr);

/// What passed.
#[derive(Default)]
pub(super) struct Seen {
    /// What one end of a connection said, with the sequence numbers that were taken in.
    streams: BTreeMap<Ends, (Vec<u8>, BTreeSet<u32>)>,
    datagrams: BTreeSet<(Ends, Vec<u8>)>,
}

/// Where an info-hash was read.
pub(super) struct Sighting {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) datagram: bool,
    /// The whole stream or datagram.
    pub(super) bytes: Vec<u8>,
}

impl Seen {
    fn take(&mut self, packet: &[u8]) {
        let Some((ips, protocol, rest)) = internet(packet) else { return };
        let port = |at: usize| rest.get(at..at + 2).map(|b| u16::from_be_bytes([b[0], b[1]]));
        let (Some(from), Some(to)) = (port(0), port(2)) else { return };
        let ends = (SocketAddr::new(ips.0, from), SocketAddr::new(ips.1, to));
        if protocol == UDP {
            let payload = rest.get(8..).unwrap_or_default();
            self.datagrams.insert((ends, payload.to_vec()));
            return;
        }
        let number = rest.get(4..8).map_or(0, |b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]));
        let header = rest.get(12).map_or(0, |byte| usize::from(byte >> 4) * 4);
        let payload = rest.get(header..).unwrap_or_default();
        let (stream, numbers) = self.streams.entry(ends).or_default();
        // The loopback shows everything twice.
        if !payload.is_empty() && numbers.insert(number) {
            stream.extend_from_slice(payload);
        }
    }

    /// Datagrams that passed.
    pub(super) fn datagrams(&self) -> usize {
        self.datagrams.len()
    }

    /// Wherever the info-hash is said: as it is, in hex of either case, or escaped as in a URL.
    pub(super) fn sightings(&self, info_hash: &[u8; 20]) -> Vec<Sighting> {
        let streams = self.streams.iter().map(|(ends, (bytes, _))| (ends, bytes, false));
        let datagrams = self.datagrams.iter().map(|(ends, bytes)| (ends, bytes, true));
        streams
            .chain(datagrams)
            .filter(|(_, bytes, _)| says(bytes, info_hash))
            .map(|((from, to), bytes, datagram)| {
                let (from, to, bytes) = (*from, *to, bytes.clone());
                Sighting { from, to, datagram, bytes }
            })
            .collect()
    }
}

/// Both addresses, the protocol, and what follows the header, of a TCP or UDP packet.
fn internet(packet: &[u8]) -> Option<((IpAddr, IpAddr), u8, &[u8])> {
    let (ips, protocol, rest) = match packet.first()? >> 4 {
        4 => {
            let header = usize::from(packet.first()? & 15) * 4;
            let len = usize::from(u16::from_be_bytes(packet.get(2..4)?.try_into().ok()?));
            let ip = |at| {
                let octets: [u8; 4] = packet.get(at..at + 4)?.try_into().ok()?;
                Some(IpAddr::from(Ipv4Addr::from(octets)))
            };
            // What offloading left at 0 is as long as it is.
            let end = if len == 0 { packet.len() } else { len.min(packet.len()) };
            ((ip(12)?, ip(16)?), *packet.get(9)?, packet.get(header..end)?)
        }
        6 => {
            let ip = |at| {
                let octets: [u8; 16] = packet.get(at..at + 16)?.try_into().ok()?;
                Some(IpAddr::from(Ipv6Addr::from(octets)))
            };
            ((ip(8)?, ip(24)?), *packet.get(6)?, packet.get(40..)?)
        }
        _ => return None,
    };
    matches!(protocol, TCP | UDP).then_some((ips, protocol, rest))
}

fn says(bytes: &[u8], info_hash: &[u8; 20]) -> bool {
    let digit = |four: u8| char::from_digit(u32::from(four), 16);
    let digits = info_hash.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]);
    let hex: String = digits.flatten().collect();
    let holds = |bytes: &[u8], wanted: &[u8]| bytes.windows(wanted.len()).any(|at| at == wanted);
    holds(bytes, info_hash)
        || holds(&bytes.to_ascii_lowercase(), hex.as_bytes())
        || holds(&unescaped(bytes), info_hash)
}

/// With each `%xx` as the byte that it means.
fn unescaped(bytes: &[u8]) -> Vec<u8> {
    let digit = |at: usize| bytes.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        if let (b'%', Some(high), Some(low)) = (byte, digit(at + 1), digit(at + 2)) {
            plain.push(u8::try_from(high * 16 + low).unwrap_or(0));
            at += 3;
        } else {
            plain.push(*byte);
            at += 1;
        }
    }
    plain
}
