//! Whose share of a scarce place an address uses: all of an IPv4 address, and the /64 network of an
//! IPv6 one, since that is what one customer is given. It counts nothing.

use std::net::{IpAddr, Ipv6Addr};

pub use egress::host;

/// The last address of the host.
pub(crate) fn last_of(host: IpAddr) -> IpAddr {
    match host {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() | u128::from(u64::MAX)).into(),
        ip @ IpAddr::V4(_) => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_customer_is_one_host() {
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        assert_eq!(host(ip("10.0.0.1")), ip("10.0.0.1"));
        assert_eq!(host(ip("::ffff:10.0.0.1")), ip("10.0.0.1"));
        assert_eq!(host(ip("2001:db8:1:2:3:4:5:6")), ip("2001:db8:1:2::"));
        assert_ne!(host(ip("2001:db8:1:2::1")), host(ip("2001:db8:1:3::1")));
        assert_eq!(last_of(ip("2001:db8:1:2::")), ip("2001:db8:1:2:ffff:ffff:ffff:ffff"));
    }
}
