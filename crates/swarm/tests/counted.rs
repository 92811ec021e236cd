//! What leaves counts against the limits whatever message carries it, what was let pass and not used
//! comes back, and counters belong to hosts, not to connections.

#![allow(clippy::expect_used, reason = "a test that cannot go on fails")]

mod lab;

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use lab::{BLOCK, Lab, OUR_ID};
use metainfo::InfoHash;
use swarm::{CloseReason, Config, Control, DiskJob, Event, Input, Limit, Origin, PeerKey, limits};
use wire::extension::{Extension, HANDSHAKE_ID, Handshake, Metadata};
use wire::{Message, PeerId, Request, Reserved};

const SECOND: Duration = Duration::from_secs(1);

/// Under which number our peers take metadata messages.
const THEIRS: u8 = 3;

/// A peer from anywhere, with a port and a peer id of its own.
fn come(lab: &mut Lab, number: u32, ip: impl Into<IpAddr>) -> PeerKey {
    let peer = PeerKey(1_000 + u64::from(number));
    let addr = SocketAddr::new(ip.into(), 10_000 + u16::try_from(number).expect("few"));
    let mut id = [7; 20];
    id[..4].copy_from_slice(&number.to_be_bytes());
    let (origin, peer_id, reserved) = (Origin::Incoming, PeerId(id), lab.reserved);
    lab.input(Input::Connected { peer, addr, origin, peer_id, reserved });
    peer
}

fn is_here(lab: &Lab, peer: PeerKey) -> bool {
    lab.torrent.peers().iter().any(|here| here.peer == peer)
}

fn limit(lab: &mut Lab, download: Option<u64>, upload: Option<u64>) {
    let (download, upload) = (download.map(Limit::new), upload.map(Limit::new));
    lab.input(Input::Control(Control::Limits { download, upload }));
}

/// A seed that gives its metadata, of so many bytes.
fn giver_of_metadata(len: usize) -> Lab {
    let mut config = Config::new(OUR_ID);
    config.info = Some(Arc::from(vec![1; len]));
    config.max_peers = 10_000;
    let mut lab = Lab::with(4, true, config);
    lab.reserved = Reserved::NONE.with_extended();
    lab
}

/// Comes and asks for all of the metadata, as often as it is given.
fn ask_for_metadata(lab: &mut Lab, peer: PeerKey, pieces: u32) {
    let text = format!("d1:md11:ut_metadatai{THEIRS}eee");
    let handshake = Handshake::decode(text.as_bytes()).expect("it is one");
    lab.say(peer, Message::Extended { id: HANDSHAKE_ID, payload: handshake.encode() });
    for piece in 0..pieces {
        let payload = Metadata::Request { piece }.encode();
        lab.say(peer, Message::Extended { id: Extension::Metadata.local_id(), payload });
    }
}

/// Bytes of metadata that were sent to the peer since it was asked last.
fn metadata_sent(lab: &mut Lab, peer: PeerKey) -> u64 {
    let data = |message: &Message| match message {
        Message::Extended { id: THEIRS, payload } => {
            match Metadata::decode(payload).expect("ours can be read") {
                Some(Metadata::Data { data, .. }) => data.len() as u64,
                _ => 0,
            }
        }
        _ => 0,
    };
    lab.sent(peer).iter().map(data).sum()
}

#[test]
fn metadata_counts_against_the_upload_limit() {
    let mut lab = giver_of_metadata(1_000_000);
    let rate = 100_000;
    limit(&mut lab, None, Some(rate));
    let peers: Vec<PeerKey> =
        (0..50).map(|n| come(&mut lab, n, [9, 9, 9, u8::try_from(n).expect("few")])).collect();
    for peer in &peers {
        ask_for_metadata(&mut lab, *peer, 62);
    }
    lab.pass(20 * SECOND);
    let sent: u64 = peers.iter().map(|peer| metadata_sent(&mut lab, *peer)).sum();
    assert!(sent <= 22 * rate, "{sent} bytes in 20 s");
    assert!(sent >= 15 * rate, "{sent} bytes in 20 s");
}

#[test]
fn metadata_is_given_to_a_host_and_not_to_each_of_its_connections() {
    let len = 10_000_000;
    let mut lab = giver_of_metadata(len);
    let mut sent = 0;
    for n in 0..200 {
        let peer = come(&mut lab, n, [9, 9, 9, 9]);
        ask_for_metadata(&mut lab, peer, 611);
        lab.pass(SECOND / 2);
        sent += metadata_sent(&mut lab, peer);
        lab.input(Input::Closed { peer });
    }
    let most = limits::METADATA_TIMES * len as u64;
    // What comes back in these 100 s, and the last piece.
    assert!(sent <= most + most / 20 + 16_384, "{sent} bytes");
    let other = come(&mut lab, 999, [9, 9, 9, 8]);
    ask_for_metadata(&mut lab, other, 16);
    assert_eq!(metadata_sent(&mut lab, other), 16 * 16_384, "another host is given it at once");
}

/// What a choked peer is given of what it was granted, by as many connections as it likes.
fn given_while_choked(ip: impl Fn(u32) -> IpAddr) -> u64 {
    let mut config = Config::new(OUR_ID);
    config.info_hash = Some(InfoHash::from([1; 20]));
    config.max_peers = 10_000;
    let mut lab = Lab::with(400, true, config);
    lab.reserved = Reserved::NONE.with_fast();
    let mut given = 0;
    for n in 0..400 {
        let peer = come(&mut lab, n, ip(n));
        lab.say(peer, Message::HaveNone);
        let granted: Vec<u32> = lab
            .sent(peer)
            .into_iter()
            .filter_map(|message| match message {
                Message::AllowedFast(piece) => Some(piece),
                _ => None,
            })
            .collect();
        for (piece, block) in granted.iter().flat_map(|piece| (0..4).map(move |n| (piece, n))) {
            lab.request(peer, *piece, block * BLOCK, BLOCK);
        }
        for block in lab.reads() {
            lab.read(peer, block);
            lab.input(Input::Drained { peer, bytes: block.len() });
            given += u64::from(block.len());
        }
        lab.input(Input::Closed { peer });
    }
    given
}

#[test]
fn allowed_fast_is_given_to_a_host_and_not_to_each_of_its_connections() {
    let most = limits::ALLOWED_FAST_BYTES + u64::from(BLOCK);
    let given = given_while_choked(|_| [9, 9, 9, 9].into());
    assert!(given <= most && given > most / 2, "{given}");
    let all = given_while_choked(|n| (n + (9 << 24)).to_be_bytes().into());
    assert!(all <= limits::ALLOWED_FAST_ALL + u64::from(BLOCK), "{all} to many hosts");
}

/// Bytes that an honest peer gives in `seconds` under a download limit, beside others that do to each
/// request what `other` says.
fn downloaded_beside(
    others: u8,
    seconds: u32,
    rate: u64,
    other: impl Fn(&mut Lab, PeerKey, Request),
) -> u64 {
    let mut lab = Lab::new(4_000, false);
    lab.reserved = Reserved::NONE.with_fast();
    limit(&mut lab, Some(rate), None);
    let all: Vec<u32> = (0..4_000).collect();
    let honest = lab.giver(2, &all);
    let bad: Vec<PeerKey> = (0..others).map(|n| lab.giver(10 + 2 * n, &all)).collect();
    let mut got = 0;
    for _ in 0..10 * seconds {
        for block in lab.asked(honest) {
            got += u64::from(block.len());
            lab.give(honest, block);
        }
        for peer in &bad {
            for message in lab.sent(*peer) {
                if let Message::Request(request) = message {
                    other(&mut lab, *peer, request);
                }
            }
        }
        lab.pass(SECOND / 10);
    }
    got
}

#[test]
fn what_is_rejected_does_not_use_up_the_download_limit() {
    let rate = 10 * u64::from(BLOCK);
    let reject = |lab: &mut Lab, peer, request| lab.say(peer, Message::Reject(request));
    let got = downloaded_beside(50, 60, rate, reject);
    assert!(got >= 60 * rate * 9 / 10, "{got} of {}", 60 * rate);
    assert!(got <= 62 * rate, "{got} of {}", 60 * rate);
}

#[test]
fn what_never_comes_does_not_use_up_the_download_limit_for_long() {
    let rate = 10 * u64::from(BLOCK);
    let got = downloaded_beside(100, 240, rate, |_, _, _| {});
    // The first requests to those who are silent are missed until they are snubbed.
    assert!(got >= 180 * rate, "{got} of {}", 240 * rate);
    assert!(got <= 242 * rate, "{got} of {}", 240 * rate);
}

/// Bytes that an honest peer is given in a minute under an upload limit, beside one that does not take
/// what it asks for.
fn uploaded_beside(rate: u64, drops: bool, mut other: impl FnMut(&mut Lab, u32)) -> u64 {
    let mut config = Config::new(OUR_ID);
    config.max_peers = 10_000;
    let mut lab = Lab::with(100, true, config);
    limit(&mut lab, None, Some(rate));
    let honest = lab.taker(2);
    let mut got = 0;
    for n in 0..600 {
        lab.request(honest, n % 100, 0, BLOCK);
        other(&mut lab, n);
        for job in lab.jobs() {
            if let DiskJob::Read { peer, block } = job {
                lab.read(peer, block);
                if peer == honest {
                    lab.input(Input::Drained { peer, bytes: BLOCK });
                    got += u64::from(BLOCK);
                } else if drops {
                    lab.input(Input::Dropped { peer, bytes: BLOCK });
                }
            }
        }
        lab.pass(SECOND / 10);
    }
    got
}

#[test]
fn what_is_asked_for_and_not_taken_does_not_use_up_the_upload_limit() {
    let rate = 8 * u64::from(BLOCK);
    // It asks, and hangs up before anything has left.
    let mut before = None;
    let got = uploaded_beside(rate, false, |lab, n| {
        if n % 10 != 0 {
            return;
        }
        if let Some(peer) = before.replace(come(lab, n, [9, 9, 9, 9])) {
            lab.input(Input::Closed { peer });
        }
        let Some(peer) = before else { return };
        lab.say(peer, Message::Interested);
        for piece in 0..8 {
            lab.request(peer, piece, 0, BLOCK);
        }
    });
    assert!(got >= 60 * rate * 8 / 10, "{got} of {}", 60 * rate);
    assert!(got <= 62 * rate, "{got} of {}", 60 * rate);
    // The same, with whole buffers full and several at a time.
    let mut here = VecDeque::new();
    let got = uploaded_beside(rate, false, |lab, n| {
        if n % 20 != 0 {
            return;
        }
        let peer = come(lab, n, [9, 9, 9, 9]);
        here.push_back(peer);
        if here.len() > 5
            && let Some(peer) = here.pop_front()
        {
            lab.input(Input::Closed { peer });
        }
        lab.say(peer, Message::Interested);
        for piece in 0..64 {
            lab.request(peer, piece, 0, BLOCK);
        }
    });
    assert!(got >= 60 * rate * 95 / 100, "{got} of {}", 60 * rate);
    // It takes back what is on its way.
    let mut taker = None;
    let got = uploaded_beside(rate, true, |lab, _| {
        let peer = *taker.get_or_insert_with(|| {
            let peer = come(lab, 1, [9, 9, 9, 9]);
            lab.say(peer, Message::Interested);
            peer
        });
        lab.request(peer, 7, 0, BLOCK);
    });
    assert!(got >= 60 * rate * 8 / 10, "{got} of {}", 60 * rate);
}

#[test]
fn answers_count_against_the_upload_limit() {
    let mut lab = Lab::new(100, true);
    lab.reserved = Reserved::NONE.with_fast();
    let rate = 10_000;
    limit(&mut lab, None, Some(rate));
    lab.pass(SECOND);
    let chatty = lab.connect(2);
    let taker = lab.taker(4);
    lab.request(taker, 0, 0, BLOCK);
    lab.pass(3 * SECOND);
    assert_eq!(lab.reads().len(), 1);
    // Each of the rejects is as long as a request: together as long as two seconds of the limit.
    for _ in 0..2 * rate / 17 {
        lab.request(chatty, 0, 0, BLOCK);
    }
    let rejects = lab.sent(chatty).iter().filter(|m| matches!(m, Message::Reject(_))).count();
    assert!(rejects > 1_000, "{rejects}");
    lab.request(taker, 1, 0, BLOCK);
    lab.pass(SECOND + SECOND / 2);
    assert_eq!(lab.reads(), [], "the limit is used up by rejects");
    lab.pass(10 * SECOND);
    assert_eq!(lab.reads().len(), 1);
}

#[test]
fn a_host_that_comes_again_and_again_is_not_greeted_without_end() {
    let mut config = Config::new(OUR_ID);
    config.max_peers = 10_000;
    // A bitfield of 7.5 KB.
    let mut lab = Lab::with(60_000, true, config);
    let mut greeted = 0;
    for n in 0..2_000 {
        let peer = come(&mut lab, n, [9, 9, 9, 9]);
        let bits = |message: &Message| match message {
            Message::Bitfield(bits) => bits.len() as u64,
            _ => 0,
        };
        greeted += lab.sent(peer).iter().map(bits).sum::<u64>();
        lab.input(Input::Closed { peer });
    }
    let most = limits::GREETING_BURST + 7_500;
    assert!(greeted <= most && greeted > most / 2, "{greeted}");
    let closes = lab.closes();
    assert!(closes.iter().all(|(_, why)| *why == CloseReason::TooOften));
    let other = come(&mut lab, 2_001, [9, 9, 9, 8]);
    assert!(is_here(&lab, other), "another host is welcome");
    lab.pass(2 * SECOND);
    let again = come(&mut lab, 2_002, [9, 9, 9, 9]);
    assert!(is_here(&lab, again), "and so is that one, later");
}

#[test]
fn a_host_that_breaks_the_protocol_again_and_again_has_to_wait() {
    let mut lab = Lab::new(4, true);
    let mut closed = 0;
    for n in 0..100 {
        let peer = come(&mut lab, n, [9, 9, 9, 9]);
        if is_here(&lab, peer) {
            lab.say(peer, Message::Have(99));
            closed += 1;
        }
    }
    let most = limits::GREETING_BURST / limits::VIOLATION_COST + 1;
    assert!((2..=most).contains(&closed), "{closed}");
}

/// Lets a peer send a false piece. Its address is banned if true.
fn lie(lab: &mut Lab, peer: PeerKey) -> bool {
    lab.say(peer, Message::Bitfield([0xff; 13].into()));
    lab.say(peer, Message::Unchoke);
    let asked = lab.asked(peer);
    let piece = asked.first().expect("it is asked").piece();
    for block in asked.into_iter().filter(|block| block.piece() == piece) {
        lab.give(peer, block);
    }
    lab.checked(piece.get(), false);
    let whole = |event| matches!(event, Event::Banned { whole_ip: true, .. });
    lab.events().into_iter().any(whole)
}

#[test]
fn one_more_connection_saves_a_liars_address_once() {
    let mut lab = Lab::new(104, false);
    let accomplice = come(&mut lab, 1, [9, 9, 9, 9]);
    let liar = come(&mut lab, 2, [9, 9, 9, 9]);
    assert!(!lie(&mut lab, liar), "who shares its address is spared");
    assert!(is_here(&lab, accomplice));
    let again = come(&mut lab, 3, [9, 9, 9, 9]);
    assert!(lie(&mut lab, again), "but once only");
    assert!(!is_here(&lab, accomplice));
    let later = come(&mut lab, 4, [9, 9, 9, 9]);
    assert!(!is_here(&lab, later));
}

#[test]
fn who_gives_much_is_not_banned_for_two_liars_behind_its_address() {
    let mut lab = Lab::new(104, false);
    let honest = come(&mut lab, 1, [9, 9, 9, 9]);
    lab.say(honest, Message::Bitfield([0xff; 13].into()));
    lab.say(honest, Message::Unchoke);
    let mut given = 0;
    while given < limits::GOOD_PER_LIE {
        for block in lab.asked(honest) {
            if given < limits::GOOD_PER_LIE {
                given += u64::from(block.len());
                lab.give(honest, block);
            }
        }
        for job in lab.jobs() {
            if let DiskJob::Check { piece, .. } = job {
                lab.checked(piece.get(), true);
            }
        }
        lab.pass(SECOND);
    }
    // What it is asked for from here on is left to the liars.
    lab.say(honest, Message::Choke);
    for n in 2..4 {
        let liar = come(&mut lab, n, [9, 9, 9, 9]);
        assert!(!lie(&mut lab, liar), "liar {n}");
        assert!(is_here(&lab, honest));
    }
    let third = come(&mut lab, 4, [9, 9, 9, 9]);
    assert!(lie(&mut lab, third), "what it gave does not pay for three");
}

#[test]
fn a_ban_holds_for_all_addresses_of_an_ipv6_host() {
    let mut lab = Lab::new(104, false);
    let ip = |last| [0x2606, 0, 0, 1, 0, 0, 0, last];
    let liar = come(&mut lab, 1, ip(1));
    assert!(lie(&mut lab, liar));
    let again = come(&mut lab, 2, ip(2));
    assert!(!is_here(&lab, again), "another address of the same /64");
    assert_eq!(lab.closes().last().map(|(_, why)| *why), Some(CloseReason::Banned));
    let other = come(&mut lab, 3, [0x2606, 0, 0, 2, 0, 0, 0, 1]);
    assert!(is_here(&lab, other));
}
