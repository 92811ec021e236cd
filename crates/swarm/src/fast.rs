//! The fast extension (BEP 6) on one connection: which pieces each end lets the other request while
//! it chokes. It sends nothing.

use std::net::{IpAddr, Ipv4Addr};

use metainfo::{InfoHash, PieceIndex};

use crate::limits::MAX_ALLOWED_FAST;

/// What is known of one peer that speaks the fast extension.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fast {
    /// It said what it has: a bitfield, have all or have none.
    pub(crate) told: bool,
    /// Pieces that it gives us even while it chokes us.
    allowed: Vec<PieceIndex>,
    /// The piece that it suggested last.
    pub(crate) suggested: Option<PieceIndex>,
    /// Pieces that we give it even while we choke it, once it was told.
    granted: Option<Vec<PieceIndex>>,
}

impl Fast {
    /// It allows us a piece. False if it has done so before, or has allowed too many.
    pub(crate) fn allow(&mut self, piece: PieceIndex) -> bool {
        let new = self.allowed.len() < MAX_ALLOWED_FAST && !self.allowed.contains(&piece);
        if new {
            self.allowed.push(piece);
        }
        new
    }

    /// It does not give us that piece while it chokes us, after all.
    pub(crate) fn disallow(&mut self, piece: PieceIndex) {
        self.allowed.retain(|allowed| *allowed != piece);
    }

    /// The pieces that it allows us.
    pub(crate) fn allowed(&self) -> &[PieceIndex] {
        &self.allowed
    }

    /// Whether it was told which pieces we grant it.
    pub(crate) fn is_granted(&self) -> bool {
        self.granted.is_some()
    }

    pub(crate) fn grant(&mut self, pieces: Vec<PieceIndex>) {
        self.granted = Some(pieces);
    }

    /// Whether a choked peer's request is of a piece that we grant it.
    pub(crate) fn grants(&self, piece: PieceIndex) -> bool {
        self.granted.as_ref().is_some_and(|granted| granted.contains(&piece))
    }
}

/// The first `count` pieces, of `pieces` in all, that anyone would allow a peer at `ip` (BEP 6): the
/// same for all addresses of its /24 network. Empty for IPv6, of which the BEP says nothing.
pub(crate) fn allowed_set(
    ip: IpAddr,
    info_hash: InfoHash,
    pieces: u32,
    count: usize,
) -> Vec<PieceIndex> {
    let IpAddr::V4(ip) = ip.to_canonical() else { return Vec::new() };
    let network = u32::from(ip) & u32::from(Ipv4Addr::new(255, 255, 255, 0));
    let count = count.min(pieces as usize);
    let mut state = [&network.to_be_bytes()[..], info_hash.as_bytes()].concat();
    let mut set: Vec<PieceIndex> = Vec::with_capacity(count);
    while set.len() < count {
        let digest = sha1_smol::Sha1::from(&state).digest().bytes();
        for word in digest.as_chunks::<4>().0 {
            let piece = PieceIndex::new(u32::from_be_bytes(*word) % pieces);
            if set.len() < count && !set.contains(&piece) {
                set.push(piece);
            }
        }
        state = digest.to_vec();
    }
    set
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(ip: &str, pieces: u32, count: usize) -> Vec<u32> {
        let ip = ip.parse().expect("an address");
        let set = allowed_set(ip, InfoHash::from([0xaa; 20]), pieces, count);
        set.into_iter().map(PieceIndex::get).collect()
    }

    #[test]
    fn the_set_is_that_of_the_bep() {
        let seven = [1059, 431, 808, 1217, 287, 376, 1188];
        assert_eq!(set("80.4.4.200", 1313, 7), seven);
        assert_eq!(set("80.4.4.200", 1313, 9), [&seven[..], &[353, 508]].concat());
        assert_eq!(set("80.4.4.7", 1313, 7), seven, "another host of the same network");
        assert_ne!(set("80.4.5.200", 1313, 7), seven);
    }

    #[test]
    fn small_torrents_and_other_families_end_too() {
        let mut all = set("80.4.4.200", 3, 10);
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2]);
        assert_eq!(set("80.4.4.200", 0, 10), []);
        assert_eq!(set("2001:db8::1", 1313, 7), []);
        assert_eq!(set("::ffff:80.4.4.200", 1313, 2), [1059, 431]);
    }
}
