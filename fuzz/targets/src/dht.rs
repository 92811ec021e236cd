//! A node of the DHT among strangers that send anything: what it sends is well formed, nobody is
//! flooded through it, and what it keeps is bounded, after every step.

mod lab;

use std::net::SocketAddr;
use std::time::Duration;

use dht::message::{Ask, Body, Message, Query, Reply, Want, code};
use dht::{Id, Input, State};

use self::lab::Lab;
use crate::script::Script;

/// Longer scripts only repeat themselves.
const MOST_STEPS: usize = 1_000;

/// Reads the bytes as a datagram and as a saved state, then plays them as a script.
pub fn run(data: &[u8]) {
    if let Ok(message) = Message::decode(data) {
        assert_eq!(Message::decode(&message.encode()).as_ref(), Ok(&message));
    }
    if let Ok(state) = State::from_bytes(data) {
        assert_eq!(State::from_bytes(&state.to_bytes()).as_ref(), Ok(&state));
    }
    let mut script = Script(data);
    let mut lab = Lab::new(script.byte());
    script.play(MOST_STEPS, |script| {
        step(&mut lab, script);
        lab.check();
    });
    let state = lab.dht.state();
    assert_eq!(State::from_bytes(&state.to_bytes()), Ok(state));
}

fn step(lab: &mut Lab, script: &mut Script<'_>) {
    match script.below(16) {
        0 => {
            let (from, len) = (addr(script), usize::from(script.byte()));
            lab.hear(from, script.take(len));
        }
        1..=3 => {
            let (from, message) = (addr(script), query(lab, script));
            lab.hear(from, &message.encode());
        }
        4..=8 => answer(lab, script),
        9 => lab.pass(Duration::from_millis(u64::from(script.byte()) * 20)),
        10 => lab.pass(Duration::from_secs(u64::from(script.byte()))),
        11 => lab.pass(Duration::from_mins(u64::from(script.byte()) % 32)),
        12 => {
            let info_hash = torrent(script);
            lab.join(info_hash, (!script.byte().is_multiple_of(4)).then_some(6_881));
        }
        13 => lab.leave(torrent(script)),
        14 => {
            let addrs = (0..script.below(20)).map(|_| addr(script)).collect();
            lab.input(Input::Bootstrap { addrs });
        }
        _ => {
            let addr = addr(script);
            lab.input(Input::Node { addr });
        }
    }
}

/// Hosts of both families far and near, and a few where nobody can be.
fn addr(script: &mut Script<'_>) -> SocketAddr {
    let number = script.byte();
    let port = 6_881 + u16::from(number % 2);
    match number {
        0..=159 => ([20, number / 8, number % 8, 9], port).into(),
        160..=239 => ([0x2001, 0xdb8, u16::from(number / 4), 0, 0, 0, 0, 1], port).into(),
        240..=247 => ([192, 168, 0, number], port).into(),
        248..=249 => ([127, 0, 0, 1], port).into(),
        250 => ([20, 0, 0, 9], 0).into(),
        251 => ([224, 0, 0, 1], port).into(),
        252 => ([0, 0, 0, 0], port).into(),
        253 => ([0, 0, 0, 0, 0, 0xffff, 0x1400, 9], port).into(),
        _ => ([255, 255, 255, 255], port).into(),
    }
}

fn torrent(script: &mut Script<'_>) -> [u8; 20] {
    [script.byte() % 8; 20]
}

/// An id anywhere, close to the node's own, its own, or one that the address allows (BEP 42).
fn id(lab: &Lab, script: &mut Script<'_>, addr: SocketAddr) -> Id {
    let (how, bits) = (script.byte(), script.byte());
    match how % 4 {
        0 => Id([bits; 20]),
        1 => {
            let mut id = lab.own(addr);
            let bit = usize::from(bits) % Id::BITS;
            if let Some(byte) = id.0.get_mut(bit / 8) {
                *byte ^= 0x80 >> (bit % 8);
            }
            id
        }
        2 if bits == 0 => lab.own(addr),
        _ => dht::id_for(addr.ip(), [bits; 20]),
    }
}

fn query(lab: &Lab, script: &mut Script<'_>) -> Message {
    let transaction = vec![b't'; script.below(40)];
    let at = addr(script);
    let want = script.byte();
    let want = Want { v4: want & 1 == 1, v6: want & 2 == 2 };
    let info_hash = Id(torrent(script));
    let ask = match script.below(5) {
        0 => Ask::Ping,
        1 => Ask::FindNode { target: id(lab, script, at) },
        2 => Ask::GetPeers { info_hash },
        how => {
            let token = lab.token(script.byte()).unwrap_or_else(|| vec![7; 8]);
            let port = (how == 3).then_some(u16::from(script.byte()).max(1));
            Ask::AnnouncePeer { info_hash, port, token }
        }
    };
    let body = Body::Query(Query { id: id(lab, script, at), want, ask });
    Message { transaction, read_only: script.byte() == 0, seen: None, body }
}

/// A node answers what it was asked, mostly as it should.
fn answer(lab: &mut Lab, script: &mut Script<'_>) {
    let Some((mut from, mut transaction)) = lab.asked(script.byte()) else { return };
    let how = script.byte();
    let body = if how < 8 {
        Body::Error(code::UNKNOWN, "no".to_owned())
    } else {
        let mut reply = Reply { id: id(lab, script, from), ..Reply::default() };
        for _ in 0..script.below(9) {
            let node = addr(script);
            reply.nodes.push((id(lab, script, node), node));
        }
        reply.peers = (0..script.below(4)).map(|_| addr(script)).collect();
        let token = vec![how; usize::from(how % 80)];
        reply.token = (!how.is_multiple_of(4)).then_some(token);
        Body::Reply(reply)
    };
    match how {
        255 => from = addr(script),
        254 => transaction = vec![how; 4],
        _ => {}
    }
    let seen = (how % 8 == 1).then(|| addr(script));
    lab.hear(from, &Message { transaction, read_only: false, seen, body }.encode());
}
