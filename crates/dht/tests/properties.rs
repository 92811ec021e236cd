//! Whatever comes from the network: no panic, no growth without end, and the codec's own words come
//! back as they were.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "virtual time has to begin somewhere; a test"
)]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use dht::message::{Ask, Body, Message, Query, Reply, Want};
use dht::{Action, Config, Dht, Id, Input, State};
use proptest::prelude::*;

fn id() -> impl Strategy<Value = Id> {
    any::<[u8; 20]>().prop_map(Id)
}

fn addr() -> impl Strategy<Value = SocketAddr> {
    prop_oneof![
        any::<([u8; 4], u16)>().prop_map(SocketAddr::from),
        any::<([u8; 16], u16)>().prop_map(SocketAddr::from),
    ]
}

fn bytes(most: usize) -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..most)
}

fn ask() -> impl Strategy<Value = Ask> {
    prop_oneof![
        Just(Ask::Ping),
        id().prop_map(|target| Ask::FindNode { target }),
        id().prop_map(|info_hash| Ask::GetPeers { info_hash }),
        (id(), proptest::option::of(1..=u16::MAX), bytes(65))
            .prop_map(|(info_hash, port, token)| Ask::AnnouncePeer { info_hash, port, token }),
    ]
}

fn body() -> impl Strategy<Value = Body> {
    let want = any::<(bool, bool)>().prop_map(|(v4, v6)| Want { v4, v6 });
    let nodes = proptest::collection::vec((id(), addr()), 0..16).prop_map(|mut nodes| {
        // Families are written one after the other.
        nodes.sort_by_key(|(_, addr)| addr.is_ipv6());
        nodes
    });
    let peers = proptest::collection::vec(addr(), 0..40);
    prop_oneof![
        (id(), want, ask()).prop_map(|(id, want, ask)| Body::Query(Query { id, want, ask })),
        (id(), nodes, peers, proptest::option::of(bytes(65)))
            .prop_map(|(id, nodes, peers, token)| Body::Reply(Reply { id, nodes, peers, token })),
        (any::<i64>(), "[a-z ]{0,40}").prop_map(|(code, words)| Body::Error(code, words)),
    ]
}

fn message() -> impl Strategy<Value = Message> {
    (bytes(33), any::<bool>(), proptest::option::of(addr()), body()).prop_map(
        |(transaction, read_only, seen, body)| Message { transaction, read_only, seen, body },
    )
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(message in message()) {
        prop_assert_eq!(Message::decode(&message.encode()), Ok(message));
    }

    #[test]
    fn any_bytes_are_survived(bytes in bytes(300)) {
        let _ = Message::decode(&bytes);
        let _ = State::from_bytes(&bytes);
    }

    #[test]
    fn a_changed_byte_is_survived(message in message(), at: usize, byte: u8) {
        let mut bytes = message.encode();
        let at = at % bytes.len();
        bytes[at] = byte;
        let _ = Message::decode(&bytes);
    }

    /// A stranger says anything at all, echoing transactions to get deeper; others' words are sent to
    /// the node as answers to what it asked.
    #[test]
    fn a_node_survives_anything_said_to_it(
        said in proptest::collection::vec((addr(), message(), any::<bool>(), 0..20_000_u64), 1..60)
    ) {
        let mut now = Instant::now();
        let mut dht = Dht::new(Config::default(), &State::default(), now, [1; 32]);
        dht.handle(now, Input::Join { info_hash: [5; 20], port: Some(1) });
        let mut asked: Vec<(SocketAddr, Vec<u8>)> = Vec::new();
        for (from, mut message, echo, millis) in said {
            let mut from = from;
            if echo && let Some((to, transaction)) = asked.pop() {
                from = to;
                message.transaction = transaction;
            }
            dht.handle(now, Input::Packet { from, bytes: &message.encode() });
            dht.handle(now, Input::Node { addr: from });
            while let Some(action) = dht.poll() {
                if let Action::Send { to, bytes } = action {
                    prop_assert!(to.port() != 0);
                    prop_assert!(bytes.len() <= dht::limits::MAX_SENT);
                    let sent = Message::decode(&bytes).unwrap();
                    if matches!(sent.body, Body::Query(_)) {
                        asked.push((to, sent.transaction));
                    }
                }
            }
            now += Duration::from_millis(millis);
            dht.handle_timeout(now);
            prop_assert!(dht.poll_timeout().is_none_or(|at| at > now), "a timer that never goes off");
        }
        State::from_bytes(&dht.state().to_bytes()).unwrap();
    }
}
