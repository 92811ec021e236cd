//! The local address that `--bind` names: by itself, or by the interface that has it. Never binds
//! anything.

use std::net::{IpAddr, Ipv6Addr};

use nix::ifaddrs::getifaddrs;

use crate::text;

/// An address, or the name of an interface such as `eth0`. Of an interface with addresses of both
/// families it is the one of IPv4.
pub(super) fn address(text: &str) -> Result<IpAddr, String> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    if let Ok(ip) = bare.parse() {
        return Ok(ip);
    }
    let all = getifaddrs()
        .map_err(|error| format!("cannot ask the system for its interfaces: {}", error.desc()))?;
    let all: Vec<(String, Option<IpAddr>)> = all
        .map(|one| {
            let ip = one.address.and_then(|address| {
                let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
                v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
            });
            (one.interface_name, ip)
        })
        .collect();
    choose(text, &all)
}

/// The address of the interface called `name` among `all`, of which each is listed once for each of
/// its addresses.
fn choose(name: &str, all: &[(String, Option<IpAddr>)]) -> Result<IpAddr, String> {
    let mut found = all.iter().filter(|(interface, _)| interface == name).peekable();
    if found.peek().is_none() {
        let mut names: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let names = text::escape(&names.join(", ")).into_owned();
        return Err(format!("neither an IP address nor an interface; the interfaces are {names}"));
    }
    let ips = found.filter_map(|(_, ip)| *ip).filter(|ip| can_be_named_alone(*ip));
    // IPv4 sorts before IPv6; of several of one family the first is the interface's main one.
    ips.min_by_key(IpAddr::is_ipv6)
        .ok_or_else(|| "this interface has no address; is it up?".to_owned())
}

/// Whether an address says by itself which interface it is of. A link-local one of IPv6 does not.
fn can_be_named_alone(ip: IpAddr) -> bool {
    let link_local = |ip: Ipv6Addr| ip.segments()[0] & 0xffc0 == 0xfe80;
    match ip {
        IpAddr::V4(_) => true,
        IpAddr::V6(ip) => !link_local(ip),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_stands_for_itself() {
        assert_eq!(address("192.0.2.1"), Ok(IpAddr::from([192, 0, 2, 1])));
        assert_eq!(address("[::1]"), Ok(IpAddr::V6(Ipv6Addr::LOCALHOST)));
        assert_eq!(address("::1"), Ok(IpAddr::V6(Ipv6Addr::LOCALHOST)));
    }

    #[test]
    fn an_interface_stands_for_its_address() {
        let ip = |text: &str| Some(text.parse::<IpAddr>().unwrap());
        let all = [
            ("eth0", None),
            ("eth0", ip("fe80::1")),
            ("eth0", ip("2001:db8::1")),
            ("eth0", ip("192.0.2.1")),
            ("eth0", ip("192.0.2.2")),
            ("wg0", ip("2001:db8::2")),
            ("tun0", ip("fe80::2")),
            ("down0", None),
        ];
        let all = all.map(|(name, ip)| (name.to_owned(), ip));
        assert_eq!(choose("eth0", &all).ok(), ip("192.0.2.1"));
        assert_eq!(choose("wg0", &all).ok(), ip("2001:db8::2"));
        for without in ["tun0", "down0"] {
            assert!(choose(without, &all).unwrap_err().contains("no address"), "{without}");
        }
        let error = choose("eth1", &all).unwrap_err();
        assert!(error.ends_with("the interfaces are down0, eth0, tun0, wg0"), "{error}");
    }

    #[test]
    fn the_loopback_interface_of_this_machine_is_found() {
        let all = getifaddrs().unwrap();
        let lo = all.filter_map(|one| Some((one.interface_name, one.address?)));
        let lo = lo.filter_map(|(name, at)| Some((name, IpAddr::V4(at.as_sockaddr_in()?.ip()))));
        let (name, ip) = { lo }.find(|(_, ip)| ip.is_loopback()).unwrap();
        assert_eq!(address(&name), Ok(ip));
    }
}
