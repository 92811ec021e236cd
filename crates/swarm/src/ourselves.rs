//! How peers see us: the addresses we listen on, and what peers say ours is (BEP 10, `yourip`). It
//! takes nobody's word alone, and decides nothing.

use std::net::{IpAddr, SocketAddr};

use crate::limits::MAX_CLAIMS;

/// Our own addresses, as far as they are known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ourselves {
    port: u16,
    /// Named by who started us.
    known: Vec<IpAddr>,
    /// What a peer called us, and that peer's address; the latest last.
    claims: Vec<(IpAddr, IpAddr)>,
    /// What two peers agreed on last, of each family.
    agreed: Vec<IpAddr>,
}

impl Ourselves {
    pub(crate) fn new(listen: &[SocketAddr], port: Option<u16>) -> Self {
        let known = listen.iter().map(|addr| addr.ip().to_canonical());
        let port = port.or_else(|| listen.first().map(SocketAddr::port)).unwrap_or(0);
        let known = known.filter(|ip| !ip.is_unspecified()).collect();
        Self { port, known, ..Self::default() }
    }

    /// A peer says what our address is.
    pub(crate) fn called(&mut self, ip: IpAddr, by: IpAddr) {
        let (ip, by) = (ip.to_canonical(), by.to_canonical());
        if ip.is_unspecified() || ip.is_multicast() || self.claims.contains(&(ip, by)) {
            return;
        }
        if self.claims.iter().any(|(claimed, other)| *claimed == ip && *other != by) {
            self.agreed.retain(|agreed| agreed.is_ipv4() != ip.is_ipv4());
            self.agreed.push(ip);
        }
        if self.claims.len() == MAX_CLAIMS {
            self.claims.remove(0);
        }
        self.claims.push((ip, by));
    }

    /// Our address as a peer there sees it, if it is known.
    pub(crate) fn seen_from(&self, theirs: IpAddr) -> Option<SocketAddr> {
        let same = |ip: &&IpAddr| ip.is_ipv4() == theirs.to_canonical().is_ipv4();
        let ip = self.known.iter().find(same).or_else(|| self.agreed.iter().find(same))?;
        Some(SocketAddr::new(*ip, self.port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn one_voice_is_not_believed_and_two_are() {
        let listen: SocketAddr = "[::]:7000".parse().expect("an address");
        let mut us = Ourselves::new(&[listen], Some(7000));
        for _ in 0..3 {
            us.called(ip("1.1.1.1"), ip("9.9.9.9"));
        }
        assert_eq!(us.seen_from(ip("2.2.2.2")), None);
        us.called(ip("::ffff:1.1.1.1"), ip("8.8.8.8"));
        assert_eq!(us.seen_from(ip("2.2.2.2")), Some(SocketAddr::new(ip("1.1.1.1"), 7000)));
        assert_eq!(us.seen_from(ip("2001:db8::1")), None);
    }

    #[test]
    fn what_we_were_started_with_goes_first() {
        let listen: SocketAddr = "10.0.0.1:7000".parse().expect("an address");
        let mut us = Ourselves::new(&[listen], None);
        us.called(ip("1.1.1.1"), ip("9.9.9.9"));
        us.called(ip("1.1.1.1"), ip("8.8.8.8"));
        assert_eq!(us.seen_from(ip("2.2.2.2")), Some(listen));
    }

    #[test]
    fn any_number_of_voices_takes_bounded_room() {
        let mut us = Ourselves::default();
        for n in 0..10_000_u32 {
            us.called(IpAddr::from(n.to_be_bytes()), ip("9.9.9.9"));
        }
        assert_eq!((us.claims.len(), us.agreed.len()), (MAX_CLAIMS, 0));
    }
}
