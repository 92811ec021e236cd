//! Peer exchange: who is told of whom and when, what we make of what we are told, and that private
//! torrents have none of it. Never reads `Torrent`'s insides.

#![allow(clippy::expect_used, reason = "a test that cannot go on fails")]

mod lab;
mod sim;

use std::net::SocketAddr;
use std::time::Duration;

use lab::{Lab, OUR_ID};
use sim::World;
use swarm::{CloseReason, Config, Control, Input, Origin, PeerKey, Source, limits};
use wire::extension::{Contact, ContactFlags, Extension, Handshake, Ids, Pex};
use wire::{Message, Reserved};

/// What the scripted peers call it.
const THEIR_ID: u8 = 77;
const SECOND: Duration = Duration::from_secs(1);

fn lab_with(pex: bool) -> Lab {
    let mut config = Config::new(OUR_ID);
    config.pex = pex;
    let mut lab = Lab::with(4, false, config);
    lab.reserved = Reserved::NONE.with_extended();
    lab
}

/// A peer that takes such messages. It came to us, and listens on this port if on any.
fn taker(lab: &mut Lab, number: u8, port: Option<u16>) -> PeerKey {
    let peer = lab.connect(number);
    let mut handshake = b"d1:md6:ut_pexi77eee".to_vec();
    if let Some(port) = port {
        handshake = format!("d1:md6:ut_pexi{THEIR_ID}ee1:pi{port}ee").into_bytes();
    }
    lab.say(peer, Message::Extended { id: 0, payload: handshake.into() });
    peer
}

/// The peer exchange messages that the peer was sent.
fn told(lab: &mut Lab, peer: PeerKey) -> Vec<Pex> {
    let pex = |message| match message {
        Message::Extended { id: THEIR_ID, payload } => Some(Pex::decode(&payload).expect("ours")),
        _ => None,
    };
    lab.sent(peer).into_iter().filter_map(pex).collect()
}

fn tells(lab: &mut Lab, peer: PeerKey, addrs: impl IntoIterator<Item = SocketAddr>) {
    let contact = |addr| Contact { addr, flags: ContactFlags::default() };
    let added = addrs.into_iter().map(contact).collect();
    let payload = Pex { added, dropped: Vec::new() }.encode();
    lab.say(peer, Message::Extended { id: Extension::Pex.local_id(), payload });
}

/// Addresses of hosts that nothing else here names.
fn strangers(count: u16) -> impl Iterator<Item = SocketAddr> {
    (0..count).map(|n| {
        let [high, low] = n.to_be_bytes();
        SocketAddr::from(([10, 9, high, low], 6881))
    })
}

#[test]
fn peers_are_told_of_those_that_can_be_dialed_once_a_minute() {
    let mut lab = lab_with(true);
    let peer = taker(&mut lab, 1, None);
    let other = taker(&mut lab, 2, Some(7002));
    let dialed = lab.connect_as(3, Lab::id(3), Origin::Dialed);
    let secret = lab.connect(4);
    lab.pass(limits::PEX_FIRST + SECOND);
    let contact = |addr: &str, flags| Contact { addr: addr.parse().expect("an address"), flags };
    let reachable = contact("10.0.0.3:6881", ContactFlags::REACHABLE);
    let listens = contact("10.0.0.2:7002", ContactFlags::default());
    let first = told(&mut lab, peer);
    assert_eq!(first, [Pex { added: vec![listens, reachable], dropped: Vec::new() }]);
    let first = told(&mut lab, other);
    assert_eq!(first, [Pex { added: vec![reachable], dropped: Vec::new() }], "not of itself");
    assert_eq!(told(&mut lab, dialed), [], "it takes no such messages");
    assert_eq!(told(&mut lab, secret), []);

    lab.input(Input::Closed { peer: dialed });
    lab.pass(50 * SECOND);
    assert_eq!(told(&mut lab, peer), [], "a minute is not over");
    lab.pass(15 * SECOND);
    let second = told(&mut lab, peer);
    assert_eq!(second, [Pex { added: Vec::new(), dropped: vec![reachable.addr] }]);
    lab.pass(Duration::from_mins(10));
    assert_eq!(told(&mut lab, peer), [], "there is no news");
}

#[test]
fn what_a_peer_tells_is_dialed_within_limits() {
    let mut lab = lab_with(true);
    let peer = taker(&mut lab, 1, None);
    tells(&mut lab, peer, strangers(150));
    let dials = lab.dials();
    assert_eq!(dials.len(), limits::PEX_CONTACTS_FIRST);
    for addr in dials {
        lab.input(Input::DialFailed { addr });
    }
    // Too soon: not looked at, and not for long.
    for _ in 0..9 {
        tells(&mut lab, peer, [SocketAddr::from(([10, 8, 8, 8], 1))]);
    }
    assert!(!lab.dials().contains(&SocketAddr::from(([10, 8, 8, 8], 1))));
    assert_eq!(lab.closes(), []);
    for _ in 0..3 {
        tells(&mut lab, peer, []);
    }
    assert_eq!(lab.closes(), [(peer, CloseReason::PexFlood)]);
    // Those that never answered are forgotten soon.
    lab.pass(Duration::from_hours(1));
    for _ in 0..20 {
        for addr in lab.dials() {
            lab.input(Input::DialFailed { addr });
        }
        lab.pass(Duration::from_mins(5));
    }
    assert_eq!(lab.torrent.stats().candidates, 0);
}

#[test]
fn one_host_is_not_named_by_all_its_ports_and_no_stranger_names_our_neighbours() {
    let mut lab = lab_with(true);
    let peer = taker(&mut lab, 1, None);
    tells(&mut lab, peer, (1..80).map(|port| SocketAddr::from(([10, 9, 9, 9], port))));
    assert_eq!(lab.dials().len(), limits::MAX_HEARSAY_PER_IP);

    let stranger = PeerKey(1000);
    lab.input(Input::Connected {
        peer: stranger,
        addr: SocketAddr::from(([9, 9, 9, 9], 5)),
        origin: Origin::Incoming,
        peer_id: Lab::id(20),
        reserved: Reserved::NONE.with_extended(),
    });
    let near =
        [[127, 0, 0, 1], [192, 168, 0, 1], [10, 3, 3, 3]].map(|ip| SocketAddr::from((ip, 80)));
    let far = SocketAddr::from(([8, 8, 8, 8], 80));
    tells(&mut lab, stranger, near.into_iter().chain([far]));
    assert_eq!(lab.dials(), [far]);
}

#[test]
fn many_liars_leave_room_for_what_trackers_say() {
    let mut lab = lab_with(true);
    let mut all = strangers(u16::MAX);
    for number in 0..60 {
        let peer = taker(&mut lab, number, None);
        tells(&mut lab, peer, all.by_ref().take(100));
        lab.input(Input::Closed { peer });
    }
    assert!(lab.torrent.stats().candidates <= limits::MAX_HEARSAY);
    let addrs = vec![SocketAddr::from(([10, 7, 7, 7], 1))];
    let before = lab.torrent.stats().candidates;
    lab.input(Input::Found { addrs, source: swarm::Source::Tracker });
    assert_eq!(lab.torrent.stats().candidates, before + 1);
}

#[test]
fn private_torrents_have_none_of_it() {
    let mut lab = lab_with(false);
    let peer = taker(&mut lab, 1, Some(7001));
    taker(&mut lab, 2, Some(7002));
    tells(&mut lab, peer, strangers(3));
    lab.pass(Duration::from_mins(3));
    let sent = lab.sent(peer);
    assert_eq!(lab.dials(), []);
    let extended = sent.into_iter().filter_map(|message| match message {
        Message::Extended { id, payload } => {
            Some((id, Handshake::decode(&payload).expect("ours").ids))
        }
        _ => None,
    });
    let offered: Vec<_> =
        extended.map(|(id, ids): (u8, Ids)| (id, ids.get(Extension::Pex))).collect();
    assert_eq!(offered, [(0, None)], "it is not offered, and nothing is told");
}

#[test]
fn a_torrent_that_turns_out_to_be_private_forgets_what_peers_told() {
    let mut lab = lab_with(true);
    let peer = taker(&mut lab, 1, Some(7001));
    taker(&mut lab, 2, Some(7002));
    tells(&mut lab, peer, strangers(3));
    let dials = lab.dials();
    assert_eq!(dials.len(), 3);
    for addr in dials {
        lab.input(Input::DialFailed { addr });
    }
    lab.input(Input::Control(Control::Private));
    lab.pass(Duration::from_mins(5));
    assert_eq!((lab.dials(), told(&mut lab, peer)), (Vec::new(), Vec::new()));
}

#[test]
fn a_torrent_that_turns_out_to_be_private_keeps_only_whom_a_tracker_names() {
    let mut lab = lab_with(true);
    let found = |lab: &mut Lab, numbers: [u8; 2], source| {
        let addrs = numbers.map(Lab::addr).to_vec();
        lab.input(Input::Found { addrs, source });
    };
    found(&mut lab, [1, 2], Source::Dht);
    found(&mut lab, [2, 3], Source::Tracker);
    found(&mut lab, [4, 5], Source::Local);
    let [of_dht, of_both, of_tracker] =
        [1, 2, 3].map(|n| lab.connect_as(n, Lab::id(n), Origin::Dialed));
    let came = lab.connect(6);
    lab.input(Input::Found { addrs: vec![Lab::addr(7)], source: Source::Tracker });
    let came_and_named = lab.connect(7);
    lab.input(Input::Control(Control::Private));
    let mut closed = lab.closes();
    closed.sort_unstable();
    assert_eq!(closed, [(of_dht, CloseReason::NotOfTracker), (came, CloseReason::NotOfTracker)]);
    let stay: Vec<PeerKey> = lab.torrent.peers().iter().map(|peer| peer.peer).collect();
    assert_eq!(stay, [of_both, of_tracker, came_and_named]);
    // What was under way ends there, and nothing more is taken in.
    let late = lab.connect_as(4, Lab::id(4), Origin::Dialed);
    assert_eq!(lab.closes(), [(late, CloseReason::NotOfTracker)]);
    lab.input(Input::DialFailed { addr: Lab::addr(5) });
    found(&mut lab, [8, 9], Source::Dht);
    lab.dials();
    lab.pass(Duration::from_hours(3));
    assert_eq!(lab.dials(), []);
    found(&mut lab, [4, 9], Source::Tracker);
    let mut dials = lab.dials();
    dials.sort_unstable();
    assert_eq!(dials, [Lab::addr(4), Lab::addr(9)], "trackers are heard as ever");
}

#[test]
fn who_knows_one_peer_meets_all_ten_within_a_hundred_seconds() {
    let mut world = World::new(11, 4000, 16_384);
    let seed = world.seed();
    let hub = world.add(seed);
    let others: Vec<usize> = (1..10)
        .map(|_| {
            // Slow, so that nobody is done and gone before the test is.
            let leecher = sim::Spec { up: 100_000, ..world.leecher() };
            world.add(leecher)
        })
        .collect();
    for other in &others {
        world.introduce(*other, &[hub]);
    }
    world.pass(Duration::from_mins(2));
    let leecher = world.leecher();
    let newcomer = world.add(leecher);
    world.introduce(newcomer, &[hub]);
    let all = |world: &World| world.nodes[newcomer].torrent.stats().peers == 10;
    assert!(
        world.run(Duration::from_secs(100), all),
        "{:?}",
        world.nodes[newcomer].torrent.stats()
    );
}
