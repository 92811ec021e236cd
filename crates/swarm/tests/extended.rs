//! The extension protocol: what we tell peers of ourselves, what we make of what they tell, and what
//! they can't do with it. Never reads `Torrent`'s insides.

#![allow(clippy::expect_used, reason = "a test that cannot go on fails")]

mod lab;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use lab::{Lab, OUR_ID};
use metainfo::{PieceIndex, PieceSet};
use swarm::{CloseReason, Config, Input, Origin, PeerKey};
use wire::extension::{Extension, Handshake, Ids};
use wire::{Message, Reserved};

fn lab(pieces: u32, complete: bool) -> Lab {
    let mut config = Config::new(OUR_ID);
    config.client = Some("pieces 9.9".into());
    config.listen_port = Some(7000);
    let mut lab = Lab::with(pieces, complete, config);
    lab.reserved = Reserved::NONE.with_extended();
    lab
}

/// The extended handshakes among what was sent.
fn handshakes(messages: Vec<Message>) -> Vec<Handshake> {
    let handshake = |message| match message {
        Message::Extended { id: 0, payload } => Some(Handshake::decode(&payload).expect("ours")),
        _ => None,
    };
    messages.into_iter().filter_map(handshake).collect()
}

fn says(lab: &mut Lab, peer: PeerKey, handshake: &Handshake) {
    lab.say(peer, Message::Extended { id: 0, payload: handshake.encode() });
}

#[test]
fn peers_that_speak_it_hear_who_we_are_right_after_what_we_have() {
    let mut lab = lab(4, true);
    let peer = lab.connect(1);
    let sent = lab.sent(peer);
    assert!(
        matches!(sent[..], [Message::Bitfield(_), Message::Extended { id: 0, .. }]),
        "{sent:?}"
    );
    let ours = Handshake {
        ids: Ids::local([Extension::Metadata, Extension::Pex]),
        client: Some("pieces 9.9".into()),
        port: Some(7000),
        max_requests: Some(2000),
        your_ip: Some(IpAddr::from([10, 0, 0, 1])),
        upload_only: Some(true),
        ..Handshake::default()
    };
    assert_eq!(handshakes(sent), [ours]);

    lab.reserved = Reserved::NONE.with_fast().with_dht();
    let peer = lab.connect(2);
    assert_eq!(handshakes(lab.sent(peer)), []);
}

#[test]
fn who_lacks_pieces_is_not_upload_only_until_it_has_all_it_wants() {
    let mut wanted = PieceSet::new_empty(2);
    wanted.insert(PieceIndex::new(0));
    let mut config = Config::new(OUR_ID);
    config.wanted = Some(wanted);
    let mut lab = Lab::with(2, false, config);
    lab.reserved = Reserved::NONE.with_extended();
    let peer = lab.giver(1, &[0]);
    let sent = lab.sent(peer);
    let asked: Vec<_> = sent.iter().filter(|m| matches!(m, Message::Request(_))).collect();
    assert_eq!(asked.len(), 4);
    assert_eq!(handshakes(sent)[0].upload_only, None);
    let blocks: Vec<_> = lab.layout.blocks(PieceIndex::new(0)).collect();
    for block in blocks {
        lab.give(peer, block);
    }
    lab.checked(0, true);
    let told = handshakes(lab.sent(peer));
    assert_eq!(
        told.iter().map(|handshake| handshake.upload_only).collect::<Vec<_>>(),
        [Some(true)]
    );
}

#[test]
fn no_more_is_asked_than_a_peer_says_it_keeps() {
    let mut lab = lab(20, false);
    let peer = lab.connect(1);
    says(&mut lab, peer, &Handshake { max_requests: Some(3), ..Handshake::default() });
    lab.say(peer, Message::Bitfield(Box::new([0xff, 0xff, 0xf0])));
    lab.say(peer, Message::Unchoke);
    assert_eq!(lab.asked(peer).len(), 3);
    let other = lab.connect(2);
    says(&mut lab, other, &Handshake { max_requests: Some(0), ..Handshake::default() });
    lab.say(other, Message::Bitfield(Box::new([0xff, 0xff, 0xf0])));
    lab.say(other, Message::Unchoke);
    assert_eq!(lab.asked(other).len(), 1, "one at least, or it would be of no use");
}

#[test]
fn a_peer_that_came_to_us_is_dialed_where_it_says_it_listens_once_it_is_gone() {
    let mut lab = lab(4, false);
    let listens: SocketAddr = "10.0.0.1:7777".parse().expect("an address");
    let peer = lab.connect(1);
    says(&mut lab, peer, &Handshake { port: Some(7777), ..Handshake::default() });
    let source = swarm::Source::Tracker;
    lab.input(Input::Found { addrs: vec![listens], source });
    assert_eq!(lab.dials(), [], "it is here already");
    lab.input(Input::Closed { peer });
    lab.pass(Duration::from_secs(10));
    assert_eq!(lab.dials(), [listens]);

    // Where one was dialed is where it listens, whatever it says.
    let peer = lab.connect_as(2, Lab::id(2), Origin::Dialed);
    says(&mut lab, peer, &Handshake { port: Some(7777), ..Handshake::default() });
    lab.input(Input::Closed { peer });
    lab.pass(Duration::from_secs(10));
    assert_eq!(lab.dials(), []);
}

#[test]
fn upload_only_peers_take_no_slot_and_go_when_we_want_nothing_more() {
    let mut lab = lab(4, false);
    let peer = lab.connect(1);
    says(&mut lab, peer, &Handshake { upload_only: Some(true), ..Handshake::default() });
    lab.say(peer, Message::Interested);
    lab.pass(Duration::from_secs(30));
    assert!(!lab.sent(peer).contains(&Message::Unchoke));
    assert!(lab.torrent.peers()[0].upload_only);
    assert_eq!(lab.closes(), []);
    // It changes its mind.
    says(&mut lab, peer, &Handshake { upload_only: Some(false), ..Handshake::default() });
    lab.pass(Duration::from_secs(30));
    assert!(lab.sent(peer).contains(&Message::Unchoke));

    let mut seed = self::lab(4, true);
    let peer = seed.connect(1);
    says(&mut seed, peer, &Handshake { upload_only: Some(true), ..Handshake::default() });
    assert_eq!(seed.closes(), [(peer, CloseReason::BothSeeds)]);
}

#[test]
fn a_name_is_shown_and_what_a_later_handshake_leaves_out_stays() {
    let mut lab = lab(4, false);
    let peer = lab.connect(1);
    says(&mut lab, peer, &Handshake { client: Some("Some 1.0".into()), ..Handshake::default() });
    says(&mut lab, peer, &Handshake::default());
    assert_eq!(lab.torrent.peers()[0].client.as_deref(), Some("Some 1.0"));
}

#[test]
fn floods_of_extended_messages_end_the_connection() {
    let cases: [(u8, &[u8], usize, CloseReason); 2] = [
        (0, b"de", 1000, CloseReason::Chatter),
        (0, b"no dictionary", 100, CloseReason::Unreadable),
    ];
    for (id, payload, many, reason) in cases {
        let mut lab = lab(4, false);
        let peer = lab.connect(1);
        lab.say(peer, Message::Extended { id, payload: payload.into() });
        assert_eq!(lab.closes(), [], "one does no harm");
        for _ in 0..many {
            lab.say(peer, Message::Extended { id, payload: payload.into() });
        }
        assert_eq!(lab.closes(), [(peer, reason)]);
    }
}
