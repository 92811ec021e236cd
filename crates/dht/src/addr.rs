//! Addresses: their compact form on the wire, their family, and which of them may be asked.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use egress::{Class, Word, may_contact};

use crate::id::Id;

/// Which of the two networks: they know nothing of each other (BEP 32).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::V4, Self::V6];

    /// The family of an address.
    pub fn of(addr: &SocketAddr) -> Self {
        if addr.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    /// Bytes of an address with its port in compact form.
    pub(crate) fn compact_len(self) -> usize {
        match self {
            Self::V4 => 6,
            Self::V6 => 18,
        }
    }

    /// Bytes of a node: its id and its address.
    pub(crate) fn node_len(self) -> usize {
        Id::LEN + self.compact_len()
    }
}

/// An address from its compact form; `None` unless the length is that of one.
pub(crate) fn decode(bytes: &[u8]) -> Option<SocketAddr> {
    let (ip, port) = bytes.split_last_chunk::<2>()?;
    let ip = match ip.len() {
        4 => IpAddr::from(<[u8; 4]>::try_from(ip).ok()?),
        16 => IpAddr::from(<[u8; 16]>::try_from(ip).ok()?),
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_be_bytes(*port)))
}

/// Appends an address in compact form.
pub(crate) fn encode(addr: &SocketAddr, out: &mut Vec<u8>) {
    match addr.ip() {
        IpAddr::V4(ip) => out.extend_from_slice(&ip.octets()),
        IpAddr::V6(ip) => out.extend_from_slice(&ip.octets()),
    }
    out.extend_from_slice(&addr.port().to_be_bytes());
}

/// A network of one's own, where addresses prove nothing and cost nothing (BEP 42).
pub(crate) fn is_local(ip: IpAddr) -> bool {
    Class::of(ip).is_near()
}

/// Whether there can be a node at this address, which its own datagram or connection names. To
/// answer what comes from the port of another service would let a stranger make us talk to it.
pub(crate) fn is_possible(addr: &SocketAddr) -> bool {
    is_plain(addr) && may_contact(Word::Itself, *addr).is_ok()
}

/// Whether there can be a node at this address, which the user names.
pub(crate) fn may_begin_at(addr: &SocketAddr) -> bool {
    is_plain(addr) && may_contact(Word::User, *addr).is_ok()
}

/// Whether a node at `from` may send us to `addr`.
pub(crate) fn may_name(from: &SocketAddr, addr: &SocketAddr) -> bool {
    is_plain(addr) && may_contact(Word::Dht(Class::of(from.ip())), *addr).is_ok()
}

/// An IPv4 address in the form of IPv6 would be the same host known twice.
fn is_plain(addr: &SocketAddr) -> bool {
    addr.ip().to_canonical() == addr.ip()
}

/// The part of an address that one owner has many of: a /24, or a /48 of IPv6.
pub(crate) fn neighbourhood(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            Ipv4Addr::new(a, b, c, 0).into()
        }
        IpAddr::V6(ip) => {
            let [a, b, c, ..] = ip.segments();
            Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0).into()
        }
    }
}

pub(crate) use egress::host;

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_compact_form_goes_both_ways() {
        for text in ["1.2.3.4:5", "[2001:db8::1]:65535"] {
            let mut bytes = Vec::new();
            encode(&addr(text), &mut bytes);
            assert_eq!(bytes.len(), Family::of(&addr(text)).compact_len());
            assert_eq!(decode(&bytes), Some(addr(text)));
        }
        for len in [0, 1, 2, 5, 7, 17, 19] {
            assert_eq!(decode(&vec![1; len]), None, "{len} bytes");
        }
    }

    #[test]
    fn nobody_is_sent_to_impossible_addresses() {
        let far = addr("8.8.8.8:1");
        for text in
            ["1.2.3.4:0", "0.1.2.3:4", "255.255.255.255:1", "224.0.0.1:5", "[::ffff:9.9.9.9]:1"]
        {
            assert!(!may_name(&far, &addr(text)), "{text}");
        }
        assert!(may_name(&far, &addr("9.9.9.9:1")));
    }

    #[test]
    fn only_neighbours_may_name_neighbours() {
        for text in ["10.0.0.1:1", "127.0.0.1:80", "192.168.1.1:6881", "100.64.0.1:6881"] {
            assert!(!may_name(&addr("8.8.8.8:1"), &addr(text)), "{text}");
            assert!(may_name(&addr("127.0.0.1:6881"), &addr(text)), "{text}");
        }
        let near = addr("192.168.1.2:6881");
        assert!(may_name(&near, &addr("10.0.0.1:1")));
        assert!(!may_name(&near, &addr("127.0.0.1:80")), "it would be our own");
        assert!(!may_name(&near, &addr("192.168.1.1:53")), "a name server is no node");
    }
}
