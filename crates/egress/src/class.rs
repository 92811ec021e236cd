//! What kind of network an address belongs to. It knows nothing of who named it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Who can be reached at an address, from the farthest to the nearest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Anyone on the Internet.
    Global,
    /// Customers of one carrier, or members of an overlay network (100.64.0.0/10).
    Shared,
    /// Hosts of a private network: RFC 1918, unique local, site-local, and what is set aside for
    /// benchmarks, which some proxies use for names of their own.
    Private,
    /// This link. Clouds keep their metadata service here.
    LinkLocal,
    /// This machine.
    Loopback,
    /// No host: unspecified, multicast, broadcast, documentation, reserved.
    Nowhere,
}

impl Class {
    /// Classifies an address. IPv6 forms that carry an IPv4 address (mapped, compatible, NAT64, 6to4,
    /// Teredo) are judged by that one.
    pub fn of(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(ip) => of_v4(ip),
            IpAddr::V6(ip) => of_v6(ip),
        }
    }

    /// Whether it means something to neighbours only, and to each of them something else.
    pub fn is_near(self) -> bool {
        self > Self::Global && self < Self::Nowhere
    }
}

fn of_v4(ip: Ipv4Addr) -> Class {
    match ip.octets() {
        [127, ..] => Class::Loopback,
        [169, 254, ..] => Class::LinkLocal,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [198, 18..=19, ..] => Class::Private,
        [100, 64..=127, ..] => Class::Shared,
        // This network; multicast, reserved and broadcast; protocol assignments; documentation.
        [0 | 224..=255, ..]
        | [192, 0, 0 | 2, _]
        | [198, 51, 100, _]
        | [203, 0, 113, _]
        // The anycast address of 6to4 relays (RFC 7526).
        | [192, 88, 99, _] => Class::Nowhere,
        _ => Class::Global,
    }
}

fn of_v6(ip: Ipv6Addr) -> Class {
    match ip.segments() {
        // Unspecified; multicast; documentation; ORCHIDs, which are no addresses of hosts; what is to
        // be dropped.
        [0, 0, 0, 0, 0, 0, 0, 0]
        | [0xff00..=0xffff, ..]
        | [0x2001, 0xdb8 | 0x10..=0x2f, ..]
        | [0x3fff, 0..=0xfff, ..]
        | [0x100, 0, 0, 0, ..] => Class::Nowhere,
        [0, 0, 0, 0, 0, 0, 0, 1] => Class::Loopback,
        [0xfe80..=0xfebf, ..] => Class::LinkLocal,
        // Compatible and mapped; NAT64; 6to4.
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => of_v4(embedded(high, low)),
        // Teredo: the client's address is inverted.
        [0x2001, 0, _, _, _, _, high, low] => of_v4(embedded(!high, !low)),
        // Benchmarks.
        [0x2001, 2, 0, ..] => Class::Private,
        // Everything that is routed on the Internet lies in 2000::/3.
        [0x2000..=0x3fff, ..] => Class::Global,
        // Unique local and site-local; NAT64 of one network; overlay networks such as 200::/7.
        _ => Class::Private,
    }
}

fn embedded(high: u16, low: u16) -> Ipv4Addr {
    let [a, b] = high.to_be_bytes();
    let [c, d] = low.to_be_bytes();
    Ipv4Addr::new(a, b, c, d)
}

/// What one host has: an address, or a /64 of IPv6, of which one host may use any.
pub fn host(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        ip @ IpAddr::V4(_) => ip,
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_have_their_class() {
        let table = [
            (Class::Global, "1.1.1.1 172.32.0.1 100.63.255.255 100.128.0.1 192.169.0.1 9.9.9.9"),
            (Class::Global, "2606:4700::1111 2001:470::1 ::ffff:9.9.9.9 ::9.9.9.9"),
            (
                Class::Global,
                "64:ff9b::909:909 2002:909:909::1 2001:0:4136:e378:8000:63bf:f6f6:f6f6",
            ),
            (Class::Shared, "100.64.0.1 100.127.255.255 ::ffff:100.64.0.1"),
            (
                Class::Private,
                "10.1.2.3 172.16.0.1 172.31.255.255 192.168.1.1 198.18.0.1 198.19.9.9",
            ),
            (Class::Private, "fd00::1 fc12::1 fec0::1 200::1 2001:2::1 64:ff9b:1::1"),
            (Class::Private, "::ffff:10.0.0.1 64:ff9b::a00:1 2002:c0a8:101::1"),
            (Class::Private, "2001:0:4136:e378:8000:63bf:f5ff:fffe"),
            (Class::LinkLocal, "169.254.169.254 fe80::1 febf::1 ::ffff:169.254.1.1"),
            (Class::Loopback, "127.0.0.1 127.255.255.255 ::1 ::ffff:127.0.0.1 ::127.0.0.1"),
            (Class::Loopback, "64:ff9b::7f00:1 2002:7f00:1::"),
            (Class::Nowhere, "0.0.0.0 0.1.2.3 224.0.0.1 239.1.1.1 240.0.0.1 255.255.255.255"),
            (Class::Nowhere, "192.0.2.1 198.51.100.7 203.0.113.9 192.0.0.1 192.88.99.1"),
            (Class::Nowhere, ":: ff02::1 2001:db8::1 3fff::1 100::1 2001:10::1 ::ffff:0.0.0.0"),
        ];
        for (class, list) in table {
            for ip in list.split(' ') {
                assert_eq!(Class::of(ip.parse().unwrap()), class, "{ip}");
            }
        }
    }

    #[test]
    fn a_host_is_an_address_or_a_64() {
        let of = |text: &str| host(text.parse().unwrap()).to_string();
        assert_eq!(of("9.9.9.9"), "9.9.9.9");
        assert_eq!(of("::ffff:9.9.9.9"), "9.9.9.9");
        assert_eq!(of("2606:4700:1:2:3:4:5:6"), "2606:4700:1:2::");
    }

    proptest! {
        #[test]
        fn no_ipv6_form_hides_an_ipv4_address(octets: [u8; 4]) {
            let ip = Ipv4Addr::from(octets);
            let [a, b, c, d] = octets;
            let [high, low] = [[a, b], [c, d]].map(u16::from_be_bytes);
            let forms = [
                ip.to_ipv6_mapped(),
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
                Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
                Ipv6Addr::new(0x2001, 0, 1, 2, 3, 4, !high, !low),
            ];
            for form in forms {
                prop_assert_eq!(Class::of(form.into()), Class::of(ip.into()), "{}", form);
            }
        }
    }
}
