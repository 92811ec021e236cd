//! First come does not keep everything: scarce places go to those of use, and each host has a share.

#![allow(clippy::expect_used, reason = "a test that cannot go on fails")]

mod lab;

use std::net::SocketAddr;
use std::time::Duration;

use lab::{BLOCK, Lab, OUR_ID};
use swarm::{CloseReason, Config, Input, Origin, PeerKey, Source, limits};
use wire::extension::{HANDSHAKE_ID, Handshake};
use wire::{Message, PeerId, Reserved};

const SECOND: Duration = Duration::from_secs(1);

/// A torrent with so many places, some pieces of it here.
fn crowded(places: usize, complete: bool) -> Lab {
    let mut config = Config::new(OUR_ID);
    config.max_peers = places;
    config.info_hash = Some([7; 20].into());
    Lab::with(64, complete, config)
}

/// A connection from there with a peer id of its own.
fn come(lab: &mut Lab, key: u64, addr: impl Into<SocketAddr>, origin: Origin) -> PeerKey {
    let mut id = [b'x'; 20];
    id[..8].copy_from_slice(&key.to_be_bytes());
    come_as(lab, key, addr, origin, PeerId(id))
}

fn come_as(
    lab: &mut Lab,
    key: u64,
    addr: impl Into<SocketAddr>,
    origin: Origin,
    peer_id: PeerId,
) -> PeerKey {
    let peer = PeerKey(10_000 + key);
    let reserved = Reserved::NONE.with_extended().with_fast();
    lab.input(Input::Connected { peer, addr: addr.into(), origin, peer_id, reserved });
    peer
}

fn host(number: u64) -> ([u8; 4], u16) {
    let [.., a, b] = number.to_be_bytes();
    ([10, 20, a, b], 6881)
}

fn find(lab: &mut Lab, addr: impl Into<SocketAddr>, source: Source) {
    lab.input(Input::Found { addrs: vec![addr.into()], source });
}

#[test]
fn silent_connections_of_one_address_keep_nobody_from_being_dialed() {
    for source in [Source::Given, Source::Tracker] {
        let mut lab = crowded(200, false);
        for n in 0..200 {
            come(
                &mut lab,
                n,
                ([9, 9, 9, 9], 1024 + u16::try_from(n).expect("few")),
                Origin::Incoming,
            );
        }
        let seed = host(1);
        find(&mut lab, seed, source);
        lab.pass(2 * SECOND);
        assert_eq!(lab.dials(), [seed.into()]);
        let seed = come(&mut lab, 500, seed, Origin::Dialed);
        let closes = lab.closes();
        assert!(matches!(closes[..], [(_, CloseReason::OverShare)]), "{closes:?}");
        assert!(lab.torrent.peers().iter().any(|peer| peer.peer == seed));
    }
}

#[test]
fn silent_connections_of_many_addresses_that_come_again_keep_nobody_from_being_dialed() {
    let mut lab = crowded(40, false);
    let mut coming = 0;
    let mut come_again = |lab: &mut Lab| {
        coming += 1;
        come(lab, coming, host(coming), Origin::Incoming)
    };
    let mut here: Vec<PeerKey> = (0..40).map(|_| come_again(&mut lab)).collect();
    for n in 1..=30 {
        find(&mut lab, host(60_000 + n), Source::Tracker);
    }
    let (mut dials, mut connected) = (0, Vec::new());
    for _ in 0..30 {
        // None of them stays for long enough to be idle.
        let old = here.remove(0);
        lab.input(Input::Closed { peer: old });
        here.push(come_again(&mut lab));
        lab.pass(SECOND);
        for addr in lab.dials() {
            dials += 1;
            connected.push(come(&mut lab, 5_000 + dials, addr, Origin::Dialed));
        }
    }
    let reserved = 40 / limits::DIALED_ROOM;
    let here = lab.torrent.peers();
    let dialed = here.iter().filter(|peer| peer.origin == Origin::Dialed).count();
    assert!(dialed >= reserved, "{dialed} of {} dialed", connected.len());
}

#[test]
fn those_who_take_a_byte_now_and_then_do_not_keep_newcomers_out_of_a_seed() {
    let mut lab = crowded(200, true);
    let crowd: Vec<PeerKey> = (0..200)
        .map(|n| {
            let peer = come(&mut lab, n, host(n), Origin::Incoming);
            lab.say(peer, Message::HaveNone);
            lab.say(peer, Message::Interested);
            peer
        })
        .collect();
    let granted: Vec<u32> = crowd
        .iter()
        .map(|peer| {
            let mut sent = lab.sent(*peer).into_iter();
            let granted = sent.find_map(|message| match message {
                Message::AllowedFast(piece) => Some(piece),
                _ => None,
            });
            granted.expect("a piece while it is choked")
        })
        .collect();
    let reads = |lab: &mut Lab| {
        for (peer, piece) in crowd.iter().zip(&granted) {
            lab.request(*peer, *piece, 0, 1);
        }
        for job in lab.jobs() {
            if let swarm::DiskJob::Read { peer, block } = job {
                lab.read(peer, block);
                lab.input(Input::Drained { peer, bytes: block.len() });
            }
        }
    };
    for _ in 0..8 {
        reads(&mut lab);
        lab.pass(20 * SECOND);
    }
    reads(&mut lab);
    for n in 0..50 {
        let newcomer = come(&mut lab, 1_000 + n, host(1_000 + n), Origin::Incoming);
        assert!(lab.torrent.peers().iter().any(|peer| peer.peer == newcomer), "{n}");
    }
}

#[test]
fn who_gives_keeps_its_place_from_all_newcomers() {
    let mut lab = crowded(8, false);
    let giver = come(&mut lab, 1, host(1), Origin::Incoming);
    lab.say(giver, Message::HaveAll);
    lab.say(giver, Message::Unchoke);
    let mut owed = Vec::new();
    let mut one_block = |lab: &mut Lab| {
        owed.extend(lab.asked(giver));
        if !owed.is_empty() {
            lab.give(giver, owed.remove(0));
        }
        lab.pass(10 * SECOND);
    };
    for _ in 0..10 {
        one_block(&mut lab);
    }
    for n in 2..150 {
        let origin = if n % 2 == 0 { Origin::Incoming } else { Origin::Dialed };
        let (host, _) = host(n / 3);
        let addr = (host, 10_000 + u16::try_from(n).expect("few"));
        if origin == Origin::Dialed {
            find(&mut lab, addr, Source::Tracker);
        }
        come(&mut lab, n, addr, origin);
        one_block(&mut lab);
    }
    let closes = lab.closes();
    assert!(lab.torrent.peers().iter().any(|peer| peer.peer == giver), "{closes:?}");
    assert!(closes.iter().all(|(closed, _)| *closed != giver));
}

#[test]
fn a_share_bites_only_when_all_places_are_taken() {
    let mut lab = crowded(100, true);
    let port = |n: u64| 1024 + u16::try_from(n).expect("few");
    for n in 0..100 {
        come(&mut lab, n, ([127, 0, 0, 1], port(n)), Origin::Incoming);
    }
    assert_eq!(lab.closes(), []);
    // One more of the same host changes nothing, one of another gets a place.
    let more = come(&mut lab, 100, ([127, 0, 0, 1], port(100)), Origin::Incoming);
    assert_eq!(lab.closes(), [(more, CloseReason::TooManyPeers)]);
    come(&mut lab, 101, host(1), Origin::Incoming);
    assert!(matches!(lab.closes()[..], [(_, CloseReason::OverShare)]));
}

#[test]
fn who_shows_a_seeds_peer_id_first_does_not_keep_it_out() {
    // Behind the same address, and by the other family from anywhere.
    let seed: SocketAddr = "10.0.0.1:6881".parse().expect("an address");
    for (stranger, own) in [
        ("10.0.0.1:50000", 1),
        ("10.0.0.1:50000", 200),
        ("[2001:db8::66]:50000", 1),
        ("[2001:db8::66]:50000", 200),
    ] {
        let mut lab = Lab::with(64, false, Config::new(PeerId([own; 20])));
        find(&mut lab, seed, Source::Tracker);
        let id = PeerId([7; 20]);
        let (mut key, mut seeds) = (0, Vec::new());
        let mut last = None;
        for second in 0..180 {
            // A new connection every nine seconds, so that it is never idle.
            if second % 9 == 0 {
                if let Some(peer) = last {
                    lab.input(Input::Closed { peer });
                }
                key += 1;
                let at = stranger.parse::<SocketAddr>().expect("an address");
                last = Some(come_as(&mut lab, key, at, Origin::Incoming, id));
            }
            for addr in lab.dials() {
                key += 1;
                seeds.push(come_as(&mut lab, key, addr, Origin::Dialed, id));
            }
            lab.pass(SECOND);
        }
        let stays = |peer: &swarm::PeerStats| seeds.contains(&peer.peer);
        assert!(lab.torrent.peers().iter().any(stays), "{stranger}: {:?}", lab.closes());
    }
}

#[test]
fn who_names_a_seeds_port_as_its_own_does_not_keep_it_from_being_dialed() {
    let seed: SocketAddr = "10.0.0.1:6881".parse().expect("an address");
    for named_first in [true, false] {
        let mut lab = crowded(200, false);
        if named_first {
            // Known, and waiting after a failure.
            find(&mut lab, seed, Source::Tracker);
            assert_eq!(lab.dials(), [seed]);
            lab.input(Input::DialFailed { addr: seed });
        }
        let mut dialed = None;
        for round in 0..40_u64 {
            let at = SocketAddr::new(seed.ip(), 50_000 + u16::try_from(round).expect("few"));
            let peer = come(&mut lab, round, at, Origin::Incoming);
            let says = Handshake { port: Some(seed.port()), ..Handshake::default() };
            lab.say(peer, Message::Extended { id: HANDSHAKE_ID, payload: says.encode() });
            find(&mut lab, seed, Source::Tracker);
            lab.pass(5 * SECOND);
            lab.input(Input::Closed { peer });
            if dialed.is_none() && lab.dials().contains(&seed) {
                dialed = Some(round * 5);
            }
        }
        let dialed = dialed.expect("it is dialed in the end");
        assert!(dialed <= 65, "only after {dialed} s");
    }
}

#[test]
fn a_crossing_connection_does_not_end_one_that_gave_blocks() {
    for own in [PeerId([1; 20]), PeerId([200; 20])] {
        let mut lab = Lab::with(4, false, Config::new(own));
        let id = PeerId([7; 20]);
        let seed = come_as(&mut lab, 1, ([10, 0, 0, 1], 6881), Origin::Dialed, id);
        lab.say(seed, Message::HaveAll);
        lab.say(seed, Message::Unchoke);
        let block = lab.asked(seed)[0];
        assert_eq!(block.len(), BLOCK);
        lab.give(seed, block);
        come_as(&mut lab, 2, ([10, 0, 0, 1], 50_000), Origin::Incoming, id);
        assert!(lab.closes().iter().all(|(closed, _)| *closed != seed));
    }
}

#[test]
fn those_who_do_not_read_what_they_asked_for_give_up_its_memory() {
    let mut config = Config::new(OUR_ID);
    config.unchoke_slots = 8;
    let mut lab = Lab::with(64, true, config);
    let serve = |lab: &mut Lab, reader: Option<PeerKey>| {
        for job in lab.jobs() {
            if let swarm::DiskJob::Read { peer, block } = job {
                lab.read(peer, block);
                if Some(peer) == reader {
                    lab.input(Input::Drained { peer, bytes: block.len() });
                }
            }
        }
    };
    let slow: Vec<PeerKey> = (1..=6).map(|n| lab.taker(2 * n)).collect();
    let reader = lab.taker(20);
    for piece in 0..20 {
        for peer in slow.iter().chain([&reader]) {
            for number in 0..4 {
                lab.request(*peer, piece, number * BLOCK, BLOCK);
            }
        }
        serve(&mut lab, Some(reader));
    }
    let held = lab.torrent.stats().upload_buffered;
    assert!(held >= 5 * limits::UPLOAD_BUFFER, "{held}");
    for piece in 20..40 {
        lab.pass(6 * SECOND);
        lab.request(reader, piece, 0, BLOCK);
        serve(&mut lab, Some(reader));
    }
    let closes = lab.closes();
    let slow_readers = closes.iter().filter(|(_, reason)| *reason == CloseReason::SlowReader);
    // Until what is left is no longer much.
    assert!(slow_readers.count() >= 3, "{closes:?}");
    assert!(closes.iter().all(|(closed, _)| *closed != reader));
    assert!(lab.torrent.stats().upload_buffered < limits::UPLOAD_SCARCE);
}
