//! Node ids that are tied to an address (BEP 42), so that nobody can pick the ids that are closest
//! to somebody's torrent. Nothing here decides what happens to an id that is not.

use std::net::IpAddr;

use crc::{CRC_32_ISCSI, Crc};

use crate::addr::is_local;
use crate::id::Id;

/// CRC-32C (Castagnoli), as the BEP has it.
const CRC_32C: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

/// Bits of an IPv4 address that count: the fewer, the less a neighbourhood is worth.
const MASK_V4: [u8; 4] = [0x03, 0x0f, 0x3f, 0xff];

/// The same for the first half of an IPv6 address.
const MASK_V6: [u8; 8] = [0x01, 0x03, 0x07, 0x0f, 0x1f, 0x3f, 0x7f, 0xff];

/// The bits of the last byte that choose one of eight ids an address may have.
const CHOICE: u8 = 0x07;

/// Of the third byte, the bits that the address decides: with the two before it, 21.
const THIRD: u8 = 0xf8;

/// An id that a node at `ip` may have; the rest of it, and the choice between eight, is `random`.
pub fn id_for(ip: IpAddr, random: [u8; 20]) -> Id {
    let [first, second, third, _] = prefix(ip, random[19] & CHOICE);
    let mut id = random;
    id[0] = first;
    id[1] = second;
    id[2] = (third & THIRD) | (id[2] & !THIRD);
    Id(id)
}

/// Whether a node at `ip` may have this id. In local networks everybody may have every id.
pub fn fits(id: Id, ip: IpAddr) -> bool {
    let [first, second, third, _] = prefix(ip, id.0[19] & CHOICE);
    let same = id.0[0] == first && id.0[1] == second && (id.0[2] ^ third) & THIRD == 0;
    same || is_local(ip)
}

fn prefix(ip: IpAddr, choice: u8) -> [u8; 4] {
    let hash = match ip {
        IpAddr::V4(ip) => masked(ip.octets(), MASK_V4, choice),
        IpAddr::V6(ip) => {
            let mut half = [0; MASK_V6.len()];
            half.iter_mut().zip(ip.octets()).for_each(|(to, from)| *to = from);
            masked(half, MASK_V6, choice)
        }
    };
    hash.to_be_bytes()
}

fn masked<const N: usize>(mut octets: [u8; N], mask: [u8; N], choice: u8) -> u32 {
    octets.iter_mut().zip(mask).for_each(|(octet, mask)| *octet &= mask);
    octets[0] |= choice << 5;
    CRC_32C.checksum(&octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of BEP 42: address, last byte of the id, first 21 bits of the id.
    const VECTORS: [(&str, u8, [u8; 3]); 5] = [
        ("124.31.75.21", 1, [0x5f, 0xbf, 0xbf]),
        ("21.75.31.124", 86, [0x5a, 0x3c, 0xe9]),
        ("65.23.51.170", 22, [0xa5, 0xd4, 0x32]),
        ("84.124.73.14", 65, [0x1b, 0x03, 0x21]),
        ("43.213.53.83", 90, [0xe5, 0x6f, 0x6c]),
    ];

    #[test]
    fn ids_are_those_of_the_bep() {
        for (ip, last, [first, second, third]) in VECTORS {
            let ip: IpAddr = ip.parse().unwrap();
            let id = id_for(ip, [last; 20]);
            assert_eq!((id.0[0], id.0[1], id.0[2] & THIRD), (first, second, third & THIRD));
            assert_eq!(id.0[19], last);
            assert!(fits(id, ip));
            let mut other = id;
            other.0[1] ^= 1;
            assert!(!fits(other, ip));
        }
    }

    #[test]
    fn ipv6_counts_by_its_first_half() {
        let ip: IpAddr = "2001:db8:85a3:1::1".parse().unwrap();
        let id = id_for(ip, [9; 20]);
        assert!(fits(id, ip));
        assert!(fits(id, "2001:db8:85a3:1::2".parse().unwrap()));
        assert!(!fits(id, "2001:db8:85a3:2::1".parse().unwrap()));
    }

    #[test]
    fn local_networks_are_exempt() {
        for ip in ["10.1.2.3", "192.168.0.1", "172.16.0.1", "169.254.3.4", "127.0.0.1", "fe80::1"] {
            assert!(fits(Id([0x77; 20]), ip.parse().unwrap()), "{ip}");
        }
    }
}
