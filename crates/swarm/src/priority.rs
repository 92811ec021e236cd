//! Canonical peer priority (BEP 40): a number that both ends of a possible connection compute alike,
//! so that everybody prefers somebody else and newcomers find room. It dials nobody.

use std::net::{IpAddr, SocketAddr};

use crc::{CRC_32_ISCSI, Crc};

const CRC32C: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

/// The priority of the connection between these two; the higher, the better. Addresses of different
/// families have none.
pub(crate) fn priority(ours: SocketAddr, theirs: SocketAddr) -> u32 {
    match (ours.ip().to_canonical(), theirs.ip().to_canonical()) {
        (a, b) if a == b => {
            let [a, b] = [ours.port(), theirs.port()].map(u16::to_be_bytes);
            of_both(&a, &b)
        }
        // The networks that count as one begin at /16 and at /48.
        (IpAddr::V4(a), IpAddr::V4(b)) => of_networks(a.octets(), b.octets(), 2),
        (IpAddr::V6(a), IpAddr::V6(b)) => of_networks(a.octets(), b.octets(), 6),
        _ => 0,
    }
}

/// Masks what a host chooses for itself: of the bytes after the `least` first every other bit, but
/// always one byte more is kept than the two have in common.
fn of_networks<const N: usize>(mut a: [u8; N], mut b: [u8; N], least: usize) -> u32 {
    let common = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let kept = if common < least { least } else { common + 1 };
    for byte in a.iter_mut().skip(kept).chain(b.iter_mut().skip(kept)) {
        *byte &= 0x55;
    }
    of_both(&a, &b)
}

fn of_both(a: &[u8], b: &[u8]) -> u32 {
    let (first, second) = if a <= b { (a, b) } else { (b, a) };
    let mut digest = CRC32C.digest();
    digest.update(first);
    digest.update(second);
    digest.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(a: &str, b: &str) -> u32 {
        let [a, b] = [a, b].map(|addr| addr.parse().expect("an address"));
        assert_eq!(priority(a, b), priority(b, a), "both ends agree");
        priority(a, b)
    }

    #[test]
    fn the_examples_of_the_bep() {
        assert_eq!(of("123.213.32.10:1", "98.76.54.32:2"), 0xec2d_7224);
        assert_eq!(of("123.213.32.10:1", "123.213.32.234:2"), 0x9956_8189);
    }

    #[test]
    fn hosts_of_one_network_differ_less_than_networks() {
        // Far away, the last bit but one of the host's part is masked.
        assert_eq!(of("1.2.3.4:1", "9.9.9.4:1"), of("1.2.3.4:1", "9.9.9.6:1"));
        assert_ne!(of("1.2.3.4:1", "1.2.9.4:1"), of("1.2.3.4:1", "1.2.11.4:1"));
        let far = |host| of("[2001:db8::1]:1", &format!("[2001:db9::{host}]:1"));
        assert_eq!(far("1"), far("3"));
        let near = |net| of("[2001:db8:1:100::1]:1", &format!("[2001:db8:1:{net}::1]:1"));
        assert_ne!(near("200"), near("300"), "the same /48");
    }

    #[test]
    fn one_host_goes_by_its_ports_and_families_do_not_mix() {
        assert_ne!(of("1.2.3.4:1", "1.2.3.4:2"), of("1.2.3.4:1", "1.2.3.4:3"));
        assert_eq!(of("[::ffff:1.2.3.4]:1", "1.2.3.4:2"), of("1.2.3.4:1", "1.2.3.4:2"));
        assert_eq!(of("1.2.3.4:1", "[2001:db8::1]:1"), 0);
    }
}
