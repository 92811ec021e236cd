//! Who is convicted by which evidence, and who never.

use std::collections::BTreeSet;
use std::net::IpAddr;

use metainfo::PieceIndex;
use wire::PeerId;

use super::{Bans, Digest, Identity};

const GOOD: [Digest; 4] = [[1; 20], [2; 20], [3; 20], [4; 20]];
const PIECE: PieceIndex = PieceIndex::new(7);

fn who(n: u8) -> Identity {
    Identity { ip: IpAddr::from([10, 0, 0, n]), peer_id: PeerId([n; 20]) }
}

fn with_wrong(at: usize) -> Vec<Digest> {
    let mut blocks = GOOD.to_vec();
    blocks[at] = [9; 20];
    blocks
}

#[test]
fn a_single_source_is_convicted_at_once() {
    let mut bans = Bans::default();
    let guilty = bans.failed(PIECE, with_wrong(0), vec![0; 4], vec![who(1)]);
    assert_eq!(guilty, Some(who(1)));
    assert!(!bans.has_evidence(PIECE));
}

#[test]
fn of_several_sources_only_who_sent_a_differing_block_is_convicted() {
    let mut bans = Bans::default();
    let sources = vec![who(1), who(2), who(3)];
    assert_eq!(bans.failed(PIECE, with_wrong(2), vec![0, 1, 2, 0], sources), None);
    assert!(bans.has_evidence(PIECE));
    let sources = vec![who(4), who(1)];
    assert_eq!(bans.failed(PIECE, with_wrong(0), vec![0, 1, 1, 1], sources), None);
    assert_eq!(bans.verified(PIECE, &GOOD), BTreeSet::from([who(3), who(4)]));
    assert!(!bans.has_evidence(PIECE));
    assert!(bans.verified(PIECE, &GOOD).is_empty());
}

#[test]
fn an_address_or_one_peer_on_it() {
    let mut bans = Bans::default();
    bans.ban(who(1), true);
    bans.ban(who(2), false);
    let other = |n| Identity { peer_id: PeerId([99; 20]), ..who(n) };
    assert!(bans.is_banned(who(1)) && bans.is_banned(other(1)));
    assert!(bans.is_banned(who(2)) && !bans.is_banned(other(2)));
    assert!(bans.is_ip_banned("::ffff:10.0.0.1".parse().expect("an address")));
    assert!(!bans.is_ip_banned(who(2).ip));
    assert_eq!(bans.len(), 2);
}
